//! Where a provider says it is reached for what.
//!
//! Source: OpenID Connect Discovery 1.0, 3 and 4.

use std::net::IpAddr;

use reqwest::Url;
use serde_json::Value;

/// An address in bytes, at most.
const URL_BYTES_MAX: usize = 1024;

/// What of a provider's document counts.
#[derive(Clone, Debug)]
pub(crate) struct Endpoints {
    pub(crate) authorization: Url,
    pub(crate) token: Url,
    pub(crate) keys: Url,
    pub(crate) userinfo: Option<Url>,
    /// Whether it takes the client's secret in the form only, not in a header.
    pub(crate) takes_secret_in_form: bool,
    /// Whether it names itself where it sends a browser back (RFC 9207).
    pub(crate) names_itself: bool,
}

/// Where the document of `issuer` is.
///
/// # Errors
///
/// In words: what an issuer reads like.
pub(crate) fn document_of(issuer: &str) -> Result<Url, String> {
    let wrong = || {
        "issuerIdentifier reads like https://id.example.com/realms/work: the address that the \
         provider gives as `issuer`, to the letter, without a query; http:// only to this machine \
         itself (127.0.0.1, ::1, localhost)"
            .to_owned()
    };
    let url = safe_url(issuer, true).ok_or_else(wrong)?;
    if url.query().is_some() {
        return Err(wrong());
    }
    let whole = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    Url::parse(&whole).map_err(|_| wrong())
}

/// Reads the document of `issuer`.
///
/// # Errors
///
/// In words: what of it does not do.
pub(crate) fn parse(issuer: &str, document: &Value) -> Result<Endpoints, String> {
    let named = document["issuer"].as_str().unwrap_or_default();
    if named != issuer {
        let short: String = named.chars().take(200).collect();
        return Err(format!("it calls itself {short:?}, and issuerIdentifier is {issuer:?}"));
    }
    let may_be_plain = issuer.starts_with("http://");
    let url = |name: &str| {
        let text = document[name].as_str().ok_or_else(|| format!("{name} is missing"))?;
        safe_url(text, may_be_plain).ok_or_else(|| format!("{name} is no https:// address"))
    };
    let methods = document["token_endpoint_auth_methods_supported"].as_array();
    let takes = |method: &str| {
        methods.is_some_and(|methods| methods.iter().any(|it| it.as_str() == Some(method)))
    };
    let has_userinfo = document.get("userinfo_endpoint").is_some_and(Value::is_string);
    Ok(Endpoints {
        authorization: url("authorization_endpoint")?,
        token: url("token_endpoint")?,
        keys: url("jwks_uri")?,
        userinfo: has_userinfo.then(|| url("userinfo_endpoint")).transpose()?,
        takes_secret_in_form: takes("client_secret_post") && !takes("client_secret_basic"),
        names_itself: document["authorization_response_iss_parameter_supported"] == true,
    })
}

/// An `https://` address without a password and without a fragment. `http://` where that
/// `may_be_plain`, and to this machine only.
fn safe_url(text: &str, may_be_plain: bool) -> Option<Url> {
    let url = Url::parse(text).ok().filter(|_| text.len() <= URL_BYTES_MAX)?;
    let is_safe = match url.scheme() {
        "https" => url.host_str().is_some_and(|host| !host.is_empty()),
        "http" => may_be_plain && is_loopback(url.host_str()?),
        _ => false,
    };
    let is_bare = url.username().is_empty() && url.password().is_none();
    (is_safe && is_bare && url.fragment().is_none()).then_some(url)
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{document_of, parse};

    #[test]
    fn an_issuer_is_an_address_that_nobody_can_listen_to() {
        let cases = [
            ("https://id.example", Some("https://id.example/.well-known/openid-configuration")),
            ("https://id.example/", Some("https://id.example/.well-known/openid-configuration")),
            (
                "https://id.example:8443/realms/work",
                Some("https://id.example:8443/realms/work/.well-known/openid-configuration"),
            ),
            ("http://127.0.0.1:9", Some("http://127.0.0.1:9/.well-known/openid-configuration")),
            ("http://[::1]:9", Some("http://[::1]:9/.well-known/openid-configuration")),
            ("http://localhost", Some("http://localhost/.well-known/openid-configuration")),
            ("http://id.example", None),
            ("http://127.0.0.1.example", None),
            ("http://10.0.0.1", None),
            ("https://ann:secret@id.example", None),
            ("https://id.example?x=1", None),
            ("https://id.example#x", None),
            ("https://", None),
            ("file:///etc/passwd", None),
            ("id.example", None),
            ("", None),
        ];
        for (issuer, expected) in cases {
            let found = document_of(issuer).ok().map(|url| url.to_string());
            assert_eq!(found.as_deref(), expected, "{issuer}");
        }
    }

    #[test]
    fn a_document_is_that_of_the_issuer_and_leads_nowhere_unsafe() {
        let issuer = "https://id.example";
        let good = json!({
            "issuer": issuer,
            "authorization_endpoint": "https://id.example/auth?x=1",
            "token_endpoint": "https://other.example/token",
            "jwks_uri": "https://id.example/keys",
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
        });
        let endpoints = parse(issuer, &good).unwrap();
        assert!(endpoints.userinfo.is_none() && endpoints.takes_secret_in_form);
        assert_eq!(endpoints.token.as_str(), "https://other.example/token");
        let changes = [
            ("issuer", json!("https://id.example/"), "it calls itself"),
            ("issuer", json!(null), "it calls itself"),
            ("token_endpoint", json!("http://id.example/token"), "token_endpoint"),
            ("token_endpoint", json!("http://127.0.0.1/token"), "token_endpoint"),
            ("jwks_uri", json!("file:///keys"), "jwks_uri"),
            ("authorization_endpoint", json!("javascript:alert(1)"), "authorization_endpoint"),
            ("authorization_endpoint", json!(null), "authorization_endpoint is missing"),
            ("userinfo_endpoint", json!("http://id.example/me"), "userinfo_endpoint"),
        ];
        for (name, value, expected) in changes {
            let mut changed = good.clone();
            changed[name] = value;
            let error = parse(issuer, &changed).unwrap_err();
            assert!(error.contains(expected), "{name}: {error}");
        }
    }
}

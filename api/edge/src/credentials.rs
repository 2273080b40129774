//! What a request shows of who sends it: the header, the session of the pages, the certificate of
//! the connection; the first that is there counts.
//!
//! The last two a browser sends by itself, whoever's page has it ask, and a password that it once
//! asked its user for. So a change that comes with one of them must come from a page of ours:
//! browsers say where a request comes from, and within a session the page proves that it could read
//! an answer of ours.

use auth::credentials::Credentials;
use auth::page_session::is_csrf_token;
use http::header::{AUTHORIZATION, COOKIE, HeaderName, ORIGIN};
use http::request::Parts;
use http::{HeaderMap, Method};
use wire::client_certificate::ShownCertificate;
use zeroize::Zeroizing;

use crate::context::Context;
use crate::problem::{AccountProblem, Problem};

/// The cookie of a session. By its name browsers keep it only if it came over TLS, for this host
/// and no other, and for every path.
pub const SESSION_COOKIE: &str = "__Host-holdfast";

/// With which pages prove that they are ours.
pub const CSRF_TOKEN: HeaderName = HeaderName::from_static("x-csrf-token");

/// Where a browser says that a request comes from.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What the request shows.
pub fn of(parts: &Parts) -> Credentials {
    if let Some(header) = parts.headers.get(AUTHORIZATION) {
        return Credentials::parse(Some(header.as_bytes()));
    }
    if let Some(text) = session(&parts.headers) {
        return Credentials::Session(text);
    }
    match parts.extensions.get::<ShownCertificate>() {
        Some(certificate) => Credentials::Certificate(certificate.clone()),
        None => Credentials::None,
    }
}

/// The text of the session in the request's cookies.
pub fn session(headers: &HeaderMap) -> Option<Zeroizing<String>> {
    cookie(headers, SESSION_COOKIE)
}

/// The text of the first cookie of that name.
pub fn cookie(headers: &HeaderMap, name: &str) -> Option<Zeroizing<String>> {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|cookies| cookies.split(';'));
    let found = pairs.find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='));
    found.map(|text| Zeroizing::new(text.to_owned()))
}

/// Refuses a change that a browser sends with what it has for us, unless a page of ours asks it.
pub fn check_page(
    context: &Context,
    parts: &Parts,
    credentials: &Credentials,
) -> Result<(), Problem> {
    if !credentials.are_ambient() || is_safe(&parts.method) {
        return Ok(());
    }
    check_site(context, parts)?;
    let Credentials::Session(text) = credentials else { return Ok(()) };
    let given = parts.headers.get(CSRF_TOKEN).and_then(|value| value.to_str().ok());
    match given {
        Some(given) if is_csrf_token(text, given) => Ok(()),
        _ => Err(AccountProblem::CsrfTokenMissing.into()),
    }
}

/// Refuses what a browser says comes from a page of another site.
pub fn check_site(context: &Context, parts: &Parts) -> Result<(), Problem> {
    let header = |name: HeaderName| parts.headers.get(name).map(http::HeaderValue::as_bytes);
    let is_ours = match header(ORIGIN) {
        Some(origin) => {
            let external = context.names.external_url.as_deref();
            let external = external.map(|url| url.trim_end_matches('/').as_bytes());
            origin == context.names.origin(parts).as_bytes() || Some(origin) == external
        }
        // Programs say nothing of the kind.
        None => matches!(header(FETCH_SITE), None | Some(b"same-origin" | b"none")),
    };
    if is_ours { Ok(()) } else { Err(AccountProblem::OtherSite.into()) }
}

/// Whether a method changes nothing, by HTTP.
fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE)
}

#[cfg(test)]
mod tests {
    use auth::credentials::Credentials;
    use http::Request;

    use super::{of, session};

    #[test]
    fn the_header_counts_before_the_cookie() {
        let cases: [(&[(&str, &str)], &str); 6] = [
            (&[], "None"),
            (&[("cookie", "a=b; __Host-holdfast=text; c=d")], "Session"),
            (&[("cookie", "a=b"), ("cookie", "__Host-holdfast=text")], "Session"),
            (&[("cookie", "holdfast=text; x__Host-holdfast=1")], "None"),
            (&[("cookie", "__Host-holdfast=text"), ("authorization", "Bearer x")], "Bearer"),
            (&[("authorization", "?")], "Malformed"),
        ];
        for (headers, expected) in cases {
            let mut request = Request::builder();
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let (parts, ()) = request.body(()).unwrap().into_parts();
            let found: Credentials = of(&parts);
            assert_eq!(format!("{found:?}"), expected, "{headers:?}");
        }
        let request = Request::builder().header("cookie", "__Host-holdfast=a=b");
        let (parts, ()) = request.body(()).unwrap().into_parts();
        assert_eq!(session(&parts.headers).as_ref().map(|text| text.as_str()), Some("a=b"));
    }
}

//! What a request shows of who sent it: the `Authorization` header, or a form.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use wire::client_certificate::ShownCertificate;
use zeroize::Zeroizing;

/// What a request brought to say who it comes from.
#[derive(Clone)]
pub enum Credentials {
    /// No header.
    None,
    /// A name and a password.
    Basic {
        /// The account's name, as sent.
        account: String,
        /// The password, wiped after use.
        password: Zeroizing<String>,
    },
    /// A token.
    Bearer(String),
    /// An access token by itself, as the token endpoint takes it for a refresh token.
    AccessToken(Zeroizing<String>),
    /// The session of somebody who uses the pages, out of a cookie.
    Session(Zeroizing<String>),
    /// What was shown in the TLS handshake, where nothing else was.
    Certificate(ShownCertificate),
    /// A header that reads as neither.
    Malformed,
}

impl Credentials {
    /// Whether a browser sends them by itself, with whatever a page of anybody has it ask: it does
    /// so with a password, too, once it has asked its user for one.
    pub fn are_ambient(&self) -> bool {
        matches!(self, Self::Session(_) | Self::Certificate(_) | Self::Basic { .. })
    }
}

// Never shows a password or a token.
impl fmt::Debug for Credentials {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => out.write_str("None"),
            Self::Basic { account, .. } => write!(out, "Basic({account:?})"),
            Self::Bearer(_) => out.write_str("Bearer"),
            Self::AccessToken(_) => out.write_str("AccessToken"),
            Self::Session(_) => out.write_str("Session"),
            Self::Certificate(certificate) => write!(out, "{certificate:?}"),
            Self::Malformed => out.write_str("Malformed"),
        }
    }
}

impl Credentials {
    /// Reads the header's value; `None` where the request has no such header.
    ///
    /// A name that is empty with an empty password is no credentials at all: some clients send
    /// `Basic Og==` for "nobody".
    ///
    /// Source: RFC 7617, RFC 6750.
    pub fn parse(header: Option<&[u8]>) -> Self {
        let Some(header) = header else { return Self::None };
        let Ok(header) = std::str::from_utf8(header) else { return Self::Malformed };
        let Some((scheme, value)) = header.trim().split_once(' ') else { return Self::Malformed };
        let value = value.trim();
        if scheme.eq_ignore_ascii_case("bearer") && !value.is_empty() {
            return Self::Bearer(value.to_owned());
        }
        if scheme.eq_ignore_ascii_case("basic") {
            return Self::basic(value).unwrap_or(Self::Malformed);
        }
        Self::Malformed
    }

    /// A name and a password as a form has them; both empty are no credentials, as above.
    pub fn of_form(account: &str, password: &str) -> Self {
        if account.is_empty() && password.is_empty() {
            return Self::None;
        }
        let password = Zeroizing::new(password.to_owned());
        Self::Basic { account: account.to_owned(), password }
    }

    fn basic(value: &str) -> Option<Self> {
        let decoded = Zeroizing::new(STANDARD.decode(value).ok()?);
        let text = std::str::from_utf8(&decoded).ok()?;
        let (account, password) = text.split_once(':')?;
        Some(Self::of_form(account, password))
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::Credentials;

    fn read(header: &str) -> String {
        match Credentials::parse(Some(header.as_bytes())) {
            Credentials::None => "none".to_owned(),
            Credentials::Basic { account, password } => format!("{account}|{}", *password),
            Credentials::Bearer(token) => format!("bearer {token}"),
            Credentials::AccessToken(_) | Credentials::Session(_) | Credentials::Certificate(_) => {
                "never in this header".to_owned()
            }
            Credentials::Malformed => "malformed".to_owned(),
        }
    }

    #[test]
    fn headers_read_as_credentials() {
        let cases = [
            (format!("Basic {}", STANDARD.encode("ann:a:b c")), "ann|a:b c"),
            (format!("basic {}", STANDARD.encode("ann:")), "ann|"),
            (format!("Basic {}", STANDARD.encode(":")), "none"),
            (format!("Basic {}", STANDARD.encode("no colon")), "malformed"),
            ("Basic !!".to_owned(), "malformed"),
            ("Bearer abc".to_owned(), "bearer abc"),
            ("bearer  abc ".to_owned(), "bearer abc"),
            ("Bearer ".to_owned(), "malformed"),
            ("Digest x".to_owned(), "malformed"),
            (String::new(), "malformed"),
        ];
        for (header, expected) in cases {
            assert_eq!(read(&header), expected, "{header:?}");
        }
        assert!(matches!(Credentials::parse(None), Credentials::None));
    }

    #[test]
    fn the_debug_form_shows_no_secret() {
        let basic =
            Credentials::parse(Some(format!("Basic {}", STANDARD.encode("ann:secret")).as_bytes()));
        let bearer = Credentials::parse(Some(b"Bearer secret"));
        let refresh = Credentials::AccessToken("secret".to_owned().into());
        assert!(!format!("{basic:?} {bearer:?} {refresh:?}").contains("secret"));
    }
}

//! The `WWW-Authenticate` header of a 401.

/// Where tokens come from, as a client is to ask for them.
#[derive(Clone, Copy, Debug)]
pub struct Realm<'a> {
    /// `https://HOST`, as the client reached us.
    pub origin: &'a str,
    /// The `service` parameter, which clients send back.
    pub service: &'a str,
}

/// Why a bearer token did not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Complaint {
    /// None was sent.
    Missing,
    /// Forged, expired, or for another registry.
    InvalidToken,
    /// Genuine, but it does not cover what was asked.
    InsufficientScope,
}

impl Realm<'_> {
    /// The challenge for a token, with the scope this request needs (`None` for `/v2/` itself).
    ///
    /// Source: registry-protocol H10, PI1; RFC 6750, section 3.
    pub fn bearer(&self, scope: Option<&str>, complaint: Complaint) -> String {
        let mut text = format!(
            "Bearer realm=\"{}/auth/token\",service=\"{}\"",
            quoted(self.origin),
            quoted(self.service)
        );
        if let Some(scope) = scope {
            text.push_str(",scope=\"");
            text.push_str(&quoted(scope));
            text.push('"');
        }
        match complaint {
            Complaint::Missing => {}
            Complaint::InvalidToken => text.push_str(",error=\"invalid_token\""),
            Complaint::InsufficientScope => text.push_str(",error=\"insufficient_scope\""),
        }
        text
    }

    /// The challenge for a password, as the token endpoint and the management API give it.
    pub fn basic(&self) -> String {
        format!("Basic realm=\"{}\"", quoted(self.service))
    }
}

/// A text that is safe between double quotes in a header.
fn quoted(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() && *c != '"' && *c != '\\' && c.is_ascii()).collect()
}

#[cfg(test)]
mod tests {
    use super::{Complaint, Realm};

    #[test]
    fn a_challenge_names_realm_service_scope_and_error() {
        let realm = Realm { origin: "https://reg.example:7001", service: "holdfast" };
        assert_eq!(
            realm.bearer(None, Complaint::Missing),
            "Bearer realm=\"https://reg.example:7001/auth/token\",service=\"holdfast\""
        );
        assert_eq!(
            realm.bearer(Some("repository:a/b:pull,push"), Complaint::InvalidToken),
            "Bearer realm=\"https://reg.example:7001/auth/token\",service=\"holdfast\",\
             scope=\"repository:a/b:pull,push\",error=\"invalid_token\""
        );
        assert_eq!(realm.basic(), "Basic realm=\"holdfast\"");
    }

    #[test]
    fn nothing_can_break_out_of_the_quotes() {
        let realm = Realm { origin: "https://a\"\r\nX: y", service: "s" };
        let text = realm.bearer(None, Complaint::Missing);
        assert_eq!(text.matches('"').count(), 4, "{text}");
        assert!(!text.contains('\n'));
    }
}

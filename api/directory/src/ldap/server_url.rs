//! Where the directory is: `ldap://` or `ldaps://`, a host and a port.

/// A directory's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerUrl {
    /// Whether the connection begins with TLS.
    pub is_tls: bool,
    /// Name or address, the latter without brackets.
    pub host: String,
    /// By default 389, with TLS 636.
    pub port: u16,
}

impl ServerUrl {
    /// Reads one.
    ///
    /// # Errors
    ///
    /// In words, with an example.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            let short: String = text.chars().take(100).collect();
            format!(
                "serverURL reads like ldaps://directory.example.com:636, with ldap:// or ldaps:// \
                 and without anything behind the port, not {short:?}"
            )
        };
        let (scheme, rest) = text.split_once("://").ok_or_else(wrong)?;
        let is_tls = match scheme.to_ascii_lowercase().as_str() {
            "ldap" => false,
            "ldaps" => true,
            _ => return Err(wrong()),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = match rest.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']').ok_or_else(wrong)?;
                (host, if port.is_empty() { None } else { Some(port.strip_prefix(':')) })
            }
            None => match rest.split_once(':') {
                Some((host, port)) => (host, Some(Some(port))),
                None => (rest, None),
            },
        };
        let port = match port {
            None => {
                if is_tls {
                    636
                } else {
                    389
                }
            }
            Some(port) => number(port.ok_or_else(wrong)?).ok_or_else(wrong)?,
        };
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || ".-_:".contains(letter);
        if host.is_empty() || host.len() > 255 || !host.chars().all(is_plain) {
            return Err(wrong());
        }
        Ok(Self { is_tls, host: host.to_owned(), port })
    }

    /// `HOST:PORT`, as it is dialled.
    pub fn address(&self) -> String {
        let Self { host, port, .. } = self;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }
}

/// A port: digits alone, and not 0.
fn number(text: &str) -> Option<u16> {
    let is_number = text.bytes().all(|digit| digit.is_ascii_digit());
    text.parse().ok().filter(|port| is_number && *port > 0)
}

#[cfg(test)]
mod tests {
    use super::ServerUrl;

    #[test]
    fn a_directory_has_a_host_and_a_port() {
        let cases = [
            ("ldap://d.example", Some(("d.example:389", false))),
            ("ldaps://d.example", Some(("d.example:636", true))),
            ("LDAPS://d.example:1636/", Some(("d.example:1636", true))),
            ("ldap://127.0.0.1:389", Some(("127.0.0.1:389", false))),
            ("ldap://[::1]:389", Some(("[::1]:389", false))),
            ("ldaps://[::1]", Some(("[::1]:636", true))),
            ("", None),
            ("d.example:389", None),
            ("http://d.example", None),
            ("ldap://", None),
            ("ldap://d.example:0", None),
            ("ldap://d.example:+9", None),
            ("ldap://d.example:99999", None),
            ("ldap://d.example/dc=example", None),
            ("ldap://ann:secret@d.example", None),
            ("ldap://[::1", None),
            ("ldap://[::1]389", None),
            ("ldap://::1:389", None),
        ];
        for (text, expected) in cases {
            let url = ServerUrl::parse(text).ok().map(|url| (url.address(), url.is_tls));
            let expected = expected.map(|(address, is_tls)| (address.to_owned(), is_tls));
            assert_eq!(url, expected, "{text}");
        }
    }
}

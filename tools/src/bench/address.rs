//! Where a registry is: the scheme, host and port of a URL.

use crate::exit::Stop;

/// A registry's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Whether TLS is spoken there.
    pub tls: bool,
    /// `HOST` or `HOST:PORT`, as the `Host` header has it.
    pub authority: String,
    /// What the certificate must name.
    pub host: String,
    /// `HOST:PORT` to dial.
    pub dialled: String,
}

impl Address {
    /// Reads `http://HOST[:PORT]` or `https://HOST[:PORT]`, and what follows as a path.
    pub fn with_path(url: &str) -> Result<(Self, String), Stop> {
        let (tls, rest) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
            (Some(rest), _) => (true, rest),
            (_, Some(rest)) => (false, rest),
            _ => return Err(wrong(url)),
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (host, port) = match authority.rsplit_once(':') {
            // The colons of a bare IPv6 address are inside brackets.
            Some((host, port)) if !port.ends_with(']') => {
                (host, Some(port.parse::<u16>().map_err(|_| wrong(url))?))
            }
            _ => (authority, None),
        };
        if host.is_empty() || authority.contains(['@', ' ', '?', '#']) {
            return Err(wrong(url));
        }
        let address = Self {
            tls,
            authority: authority.to_owned(),
            host: host.trim_matches(['[', ']']).to_owned(),
            dialled: format!("{host}:{}", port.unwrap_or(if tls { 443 } else { 80 })),
        };
        Ok((address, path.to_owned()))
    }

    /// Reads the URL of a registry, which has no path.
    pub fn parse(url: &str) -> Result<Self, Stop> {
        match Self::with_path(url)? {
            (address, path) if path.is_empty() || path == "/" => Ok(address),
            _ => Err(wrong(url)),
        }
    }

    /// The address as a URL.
    pub fn url(&self) -> String {
        format!("{}://{}", if self.tls { "https" } else { "http" }, self.authority)
    }
}

fn wrong(url: &str) -> Stop {
    Stop::usage(format!("{url:?} is no registry's URL: write http://HOST:PORT or https://HOST"))
}

/// The path and query of a `Location`, which may name a host too.
pub fn path_of(location: &str) -> &str {
    let Some((scheme, rest)) = location.split_once("://") else { return location };
    if scheme.contains(['/', '?']) {
        return location;
    }
    rest.find('/').map_or("/", |at| &rest[at..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        let cases = [
            ("http://127.0.0.1:5000", Some((false, "127.0.0.1:5000", "127.0.0.1"))),
            ("https://registry.example/", Some((true, "registry.example:443", "registry.example"))),
            ("http://[::1]:5000", Some((false, "[::1]:5000", "::1"))),
            ("http://[::1]", Some((false, "[::1]:80", "::1"))),
            ("127.0.0.1:5000", None),
            ("ftp://host", None),
            ("http://", None),
            ("http://:80", None),
            ("http://host:port", None),
            ("http://host:70000", None),
            ("http://user@host", None),
            ("http://host/path", None),
        ];
        for (url, expected) in cases {
            let found = Address::parse(url).ok();
            let found = found.as_ref().map(|it| (it.tls, &*it.dialled, &*it.host));
            assert_eq!(found, expected, "{url}");
        }
    }

    #[test]
    fn a_location_may_name_its_host() {
        let cases = [
            ("/v2/a/blobs/uploads/1", "/v2/a/blobs/uploads/1"),
            ("http://host:5000/v2/a?_state=x", "/v2/a?_state=x"),
            ("https://host", "/"),
            ("/v2/a?next=http://b/c", "/v2/a?next=http://b/c"),
        ];
        for (location, path) in cases {
            assert_eq!(path_of(location), path, "{location}");
        }
    }
}

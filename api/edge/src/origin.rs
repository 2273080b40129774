//! Under which scheme and host the client reached us.
//!
//! A challenge sends the client to the token endpoint of the host it already talks to: newer
//! clients refuse another one (registry-protocol TK1).

use std::net::{IpAddr, SocketAddr};

use http::header::HOST;
use http::request::Parts;

/// What the listener knows of a connection; an extension of each of its requests.
#[derive(Clone, Copy, Debug)]
pub struct Connected {
    /// The client's address.
    pub address: SocketAddr,
    /// Whether it came through TLS.
    pub tls: bool,
}

impl Connected {
    /// The client's address and whether TLS was used; the loopback address and no TLS where a test
    /// drives the router without a listener.
    pub fn of(parts: &Parts) -> Self {
        let fallback = Self { address: SocketAddr::from(([127, 0, 0, 1], 0)), tls: false };
        parts.extensions.get::<Self>().copied().unwrap_or(fallback)
    }
}

/// The names this registry is known by.
#[derive(Clone, Debug, Default)]
pub struct HostNames {
    /// `https://HOST[:PORT]` of the load balancer, where there is one; no slash at the end.
    pub external_url: Option<String>,
    /// Further names, without port: of this host, and those of the certificate.
    pub names: Vec<String>,
}

impl HostNames {
    /// `https://HOST[:PORT]` as the client wrote it, where that is one of our names.
    pub fn origin(&self, parts: &Parts) -> String {
        let scheme = if Connected::of(parts).tls { "https" } else { "http" };
        let asked = parts
            .headers
            .get(HOST)
            .and_then(|host| host.to_str().ok())
            .or_else(|| parts.uri.authority().map(http::uri::Authority::as_str));
        match asked.filter(|host| self.is_ours(host)) {
            Some(host) => format!("{scheme}://{host}"),
            None => self.default_origin(scheme),
        }
    }

    /// `HOST[:PORT]` of [`HostNames::origin`].
    pub fn host(&self, parts: &Parts) -> String {
        let origin = self.origin(parts);
        origin.split_once("://").map_or(origin.clone(), |(_, host)| host.to_owned())
    }

    /// The host part of the default origin, port included: what people write before `/ns/repo`.
    pub fn external_host(&self) -> &str {
        match &self.external_url {
            Some(url) => url.split_once("://").map_or(url.as_str(), |(_, host)| host),
            None => self.names.first().map_or("localhost", String::as_str),
        }
    }

    fn default_origin(&self, scheme: &str) -> String {
        match &self.external_url {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => format!("{scheme}://{}", self.external_host()),
        }
    }

    /// Our names, any address written in digits, and `localhost`.
    fn is_ours(&self, host: &str) -> bool {
        let name = without_port(host);
        let is_address = name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
        is_address
            || name.eq_ignore_ascii_case("localhost")
            || self.names.iter().any(|known| known.eq_ignore_ascii_case(name))
            || without_port(self.external_host()).eq_ignore_ascii_case(name)
    }
}

/// `HOST` of `HOST[:PORT]`; an IPv6 address keeps its brackets.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port))
            if !port.is_empty()
                && port.bytes().all(|byte| byte.is_ascii_digit())
                && (name.ends_with(']') || !name.contains(':')) =>
        {
            name
        }
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::{Connected, HostNames};

    fn origin(names: &HostNames, host: &str, tls: bool) -> String {
        let address = ([10, 0, 0, 1], 5).into();
        let request = Request::builder().header("host", host).extension(Connected { address, tls });
        names.origin(&request.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn the_origin_is_what_the_client_wrote_where_it_is_ours() {
        let bare = HostNames { external_url: None, names: vec!["node1.example.com".to_owned()] };
        let balanced =
            HostNames { external_url: Some("https://reg.example.com".to_owned()), ..bare.clone() };
        let cases = [
            (&bare, "127.0.0.1:7001", true, "https://127.0.0.1:7001"),
            (&bare, "127.0.0.1:7201", false, "http://127.0.0.1:7201"),
            (&bare, "[::1]:7001", true, "https://[::1]:7001"),
            (&bare, "localhost:7001", true, "https://localhost:7001"),
            (&bare, "NODE1.example.com", true, "https://NODE1.example.com"),
            (&bare, "evil.example.org", true, "https://node1.example.com"),
            (&balanced, "reg.example.com", true, "https://reg.example.com"),
            (&balanced, "node1.example.com:443", true, "https://node1.example.com:443"),
            (&balanced, "evil.example.org", true, "https://reg.example.com"),
        ];
        for (names, host, tls, expected) in cases {
            assert_eq!(origin(names, host, tls), expected, "{host}");
        }
    }
}

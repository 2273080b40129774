//! What the port without TLS does.
//!
//! Source: dtr-interface 5: off by default; `redirect` sends everything to HTTPS but the health
//! paths, and refuses `/v2/`, since a client would send its password in clear before it sees the
//! redirect; `serve` serves everything, for registries that clients call insecure.

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use edge::answer;
use http::header::{CONNECTION, HOST, LOCATION, UPGRADE};
use http::{HeaderValue, StatusCode};

/// What the port without TLS does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plain {
    /// Sends clients to HTTPS: to `https://HOST` of this name, or of the name they used with this
    /// port.
    Redirect {
        /// `https://host[:port]`, where one is configured.
        external_url: Option<String>,
        /// The port of HTTPS on this replica.
        https_port: u16,
    },
    /// Serves everything.
    Serve,
}

impl Plain {
    /// What is answered instead of the request's surface; `None` where that is to answer.
    pub fn instead(&self, request: &Request) -> Option<Response> {
        match self {
            Self::Serve => None,
            Self::Redirect { external_url, https_port } => {
                redirect(external_url.as_deref(), *https_port, request)
            }
        }
    }
}

fn redirect(external_url: Option<&str>, https_port: u16, request: &Request) -> Option<Response> {
    let path = request.uri().path();
    if health::surface::OPEN_PATHS.contains(&path) {
        return None;
    }
    if distribution::surface::serves(path) {
        return Some(upgrade_required());
    }
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    let named = || host.map(|host| origin(host, https_port));
    let Some(origin) = external_url.map(str::to_owned).or_else(named) else {
        return Some(answer::empty(StatusCode::BAD_REQUEST));
    };
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    let mut response = answer::empty(StatusCode::PERMANENT_REDIRECT);
    answer::set(response.headers_mut(), LOCATION, &format!("{origin}{target}"));
    Some(response)
}

fn upgrade_required() -> Response {
    let text = "{\"errors\":[{\"code\":\"UNSUPPORTED\",\
                \"message\":\"this registry is served over HTTPS only\"}]}";
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = StatusCode::UPGRADE_REQUIRED;
    let headers = response.headers_mut();
    headers.insert(UPGRADE, HeaderValue::from_static("TLS/1.2, HTTP/1.1"));
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    answer::set(headers, http::header::CONTENT_TYPE, "application/json");
    response
}

fn origin(host: &str, https_port: u16) -> String {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    if https_port == 443 {
        format!("https://{name}")
    } else {
        format!("https://{name}:{https_port}")
    }
}

#[cfg(test)]
mod tests {
    use super::origin;

    #[test]
    fn the_redirect_keeps_the_name_and_changes_the_port() {
        let cases = [
            ("reg.example.com", 443, "https://reg.example.com"),
            ("reg.example.com:80", 443, "https://reg.example.com"),
            ("127.0.0.1:7201", 7001, "https://127.0.0.1:7001"),
            ("[::1]:80", 7001, "https://[::1]:7001"),
        ];
        for (host, port, expected) in cases {
            assert_eq!(origin(host, port), expected, "{host}");
        }
    }
}

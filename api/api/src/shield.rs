//! What is refused before a handler sees it, and what every answer tells a browser.

use axum::extract::Request;
use axum::response::Response;
use edge::limits::Limits;
use edge::management_form;
use edge::problem::Problem;
use edge::registry_form;
use edge::request_log::RequestId;
use http::header::{
    CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS, X_XSS_PROTECTION,
};
use http::{HeaderMap, Method};

/// What a browser is told with every answer, unless the handler said otherwise.
const HEADERS: [(HeaderName, &str); 4] = [
    (CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'; base-uri 'none'"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (X_XSS_PROTECTION, "1; mode=block"),
];
const HSTS: &str = "max-age=31536000";

/// Sets the security headers; over TLS also the one that asks for TLS from now on.
pub fn set_headers(headers: &mut HeaderMap, is_secure: bool) {
    for (name, value) in HEADERS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if is_secure {
        headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(HSTS));
    }
}

/// Refuses a request line or headers beyond the limits.
///
/// Source: registry-protocol 2.6.
pub fn check_head(limits: &Limits, request: &Request) -> Option<Response> {
    let line_bytes_max = limits.request_line_bytes_max;
    let headers_bytes_max = limits.headers_bytes_max;
    let problem = if line_bytes(request) > line_bytes_max {
        Problem::HeadTooLarge { what: "request line", bytes_max: line_bytes_max }
    } else if headers_bytes(request.headers()) > headers_bytes_max {
        Problem::HeadTooLarge { what: "headers", bytes_max: headers_bytes_max }
    } else {
        return None;
    };
    let id = RequestId::of(request.extensions());
    Some(if distribution::surface::serves(request.uri().path()) {
        registry_form::respond(&problem, &id, request.method() == Method::HEAD)
    } else {
        management_form::respond(&problem, &id)
    })
}

fn line_bytes(request: &Request) -> usize {
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    request.method().as_str().len() + 1 + target
}

fn headers_bytes(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum()
}

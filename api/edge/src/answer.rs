//! Small pieces of answers that every surface uses.

use axum::body::Body;
use axum::response::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, StatusCode};
use serde::Serialize;

/// Carries remarks for people: RFC 7234, section 5.5.
pub const WARNING: HeaderName = HeaderName::from_static("warning");

/// An answer with nothing in it but its status.
pub fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// An answer with a text.
pub fn text(status: StatusCode, media_type: &'static str, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

/// An answer with a JSON document, kept by no cache.
pub fn json(status: StatusCode, document: &impl Serialize) -> Response {
    // Our own documents have string keys and no value that fails.
    let body = serde_json::to_string(document).unwrap_or_else(|_| "{}".to_owned());
    let mut response = text(status, "application/json", body);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Sets a header to a text; characters that may not stand in a header are left out.
pub fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    headers.insert(name, header_value(value));
}

/// Adds a header with a text, beside those of the same name.
pub fn add(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    headers.append(name, header_value(value));
}

/// Adds a remark for people: `299 - "text"`.
pub fn warn(headers: &mut HeaderMap, remark: &str) {
    let remark: String = remark.chars().filter(|c| *c != '"' && *c != '\\').collect();
    add(headers, WARNING, &format!("299 - \"{remark}\""));
}

fn header_value(text: &str) -> HeaderValue {
    let clean = || text.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').collect::<String>();
    HeaderValue::from_str(text)
        .or_else(|_| HeaderValue::from_str(&clean()))
        .unwrap_or_else(|_| HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::{WARNING, warn};

    #[test]
    fn a_remark_stays_one_quoted_line() {
        let mut headers = HeaderMap::new();
        warn(&mut headers, "tags \"a\"\r\nX: y");
        assert_eq!(headers[WARNING], "299 - \"tags aX: y\"");
    }
}

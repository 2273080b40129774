//! What caches and conditional requests are told.
//!
//! Source: registry-protocol 2.4 (H12, H13).

use axum::response::Response;
use edge::answer;
use edge::caller::Permitted;
use edge::conditional::EntityTags;
use http::header::{CACHE_CONTROL, ETAG, HeaderName, IF_NONE_MATCH, VARY};
use http::{HeaderMap, StatusCode};
use oci::digest::Digest;

/// The digest of what is answered.
pub const DOCKER_CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// How a piece of content was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskedBy {
    /// Its digest: it never changes.
    Digest,
    /// A tag: it may move at any time.
    Tag,
}

/// Digest, entity tag and the rules for caches.
pub fn content(headers: &mut HeaderMap, digest: &Digest, asked: AskedBy, permitted: Permitted) {
    answer::set(headers, DOCKER_CONTENT_DIGEST, digest.as_str());
    answer::set(headers, ETAG, &format!("\"{digest}\""));
    let rule = match (asked, permitted.is_public) {
        (AskedBy::Tag, _) => "no-cache",
        (AskedBy::Digest, true) => "max-age=31536000, immutable, public",
        (AskedBy::Digest, false) => "max-age=31536000, immutable, private",
    };
    answer::set(headers, CACHE_CONTROL, rule);
    vary(headers, permitted);
}

/// The rules for a list, whose weak entity tag is `tag`.
pub fn list(headers: &mut HeaderMap, tag: &str, permitted: Permitted) {
    answer::set(headers, ETAG, &format!("W/\"{tag}\""));
    answer::set(headers, CACHE_CONTROL, "no-cache");
    vary(headers, permitted);
}

fn vary(headers: &mut HeaderMap, permitted: Permitted) {
    if !permitted.is_public {
        answer::set(headers, VARY, "Authorization");
    }
}

/// Whether the client has this already, and the answer is 304.
pub fn is_fresh(request: &HeaderMap, tag: &str) -> bool {
    EntityTags::parse(request, IF_NONE_MATCH).is_some_and(|tags| tags.matches(tag))
}

/// 304, with the headers that `fill` gives.
pub fn not_modified(fill: impl FnOnce(&mut HeaderMap)) -> Response {
    let mut response = answer::empty(StatusCode::NOT_MODIFIED);
    fill(response.headers_mut());
    response
}

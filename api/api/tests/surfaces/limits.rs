//! What a replica does not take: blobs beyond their bound, however they come.

use content::content::Limits;
use oci::digest::{Algorithm, Digest};
use oci::verifier::digest_of;

use crate::harness::{Answer, Registry};

const BYTES_MAX: usize = 1000;

async fn registry() -> Registry {
    Registry::limited(Limits { layer_bytes_max: BYTES_MAX as u64, ..Limits::default() }).await
}

fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|n| u8::try_from(n % 251).unwrap()).collect()
}

fn sha256(bytes: &[u8]) -> Digest {
    digest_of(Algorithm::Sha256, bytes)
}

async fn open(registry: &Registry) -> String {
    let answer = registry.ask("POST", "/v2/a/b/blobs/uploads/").by_admin().send().await.is(202);
    answer.header("location").to_owned()
}

async fn send(registry: &Registry, method: &str, path: &str, bytes: &[u8]) -> Answer {
    registry.ask(method, path).by_admin().chunked().body(bytes).send().await
}

async fn is_gone(registry: &Registry, location: &str) {
    let answer = registry.ask("GET", location).by_admin().send().await;
    answer.fails(404, "BLOB_UPLOAD_UNKNOWN");
    assert_eq!(registry.context.content.open_uploads(), 0);
}

#[tokio::test]
async fn a_blob_of_the_very_bound_is_taken() {
    let registry = registry().await;
    let bytes = bytes(BYTES_MAX);
    let location = open(&registry).await;
    send(&registry, "PATCH", &location, &bytes[..400]).await.is(202);
    send(&registry, "PATCH", &location, &bytes[400..]).await.is(202);
    let path = format!("{location}?digest={}", sha256(&bytes));
    send(&registry, "PUT", &path, b"").await.is(201);
    let path = format!("/v2/a/b/blobs/uploads/?digest={}", sha256(&bytes));
    registry.ask("POST", &path).by_admin().body(bytes).send().await.is(201);
}

#[tokio::test]
async fn a_body_without_a_length_is_counted_while_it_comes() {
    let registry = registry().await;
    let bytes = bytes(BYTES_MAX + 1);
    let location = open(&registry).await;
    send(&registry, "PATCH", &location, &bytes).await.fails(413, "SIZE_INVALID");
    is_gone(&registry, &location).await;

    let location = open(&registry).await;
    let path = format!("{location}?digest={}", sha256(&bytes));
    send(&registry, "PUT", &path, &bytes).await.fails(413, "SIZE_INVALID");
    is_gone(&registry, &location).await;

    let path = format!("/v2/a/b/blobs/uploads/?digest={}", sha256(&bytes));
    send(&registry, "POST", &path, &bytes).await.fails(413, "SIZE_INVALID");
    assert_eq!(registry.context.content.open_uploads(), 0);
    let blob = format!("/v2/a/b/blobs/{}", sha256(&bytes));
    registry.ask("HEAD", &blob).by_admin().send().await.is(404);
}

#[tokio::test]
async fn several_chunks_count_together() {
    let registry = registry().await;
    let bytes = bytes(BYTES_MAX + 1);
    let path = |location: &str| format!("{location}?digest={}", sha256(&bytes));
    // Each chunk by itself is within the bound, and says its length.
    for (method, last_in_close) in [("PATCH", false), ("PUT", true)] {
        let location = open(&registry).await;
        let first = registry.ask("PATCH", &location).by_admin().body(&bytes[..600]);
        first.send().await.is(202);
        let to = if last_in_close { path(&location) } else { location.clone() };
        let last = registry.ask(method, &to).by_admin().body(&bytes[600..]).send().await;
        last.fails(413, "SIZE_INVALID");
        is_gone(&registry, &location).await;
    }
}

#[tokio::test]
async fn what_is_announced_as_too_large_is_refused_before_a_byte_and_the_upload_stays() {
    let registry = registry().await;
    let bytes = bytes(BYTES_MAX + 1);
    let location = open(&registry).await;
    send(&registry, "PATCH", &location, &bytes[..400]).await.is(202);
    let whole = registry.ask("PATCH", &location).by_admin().body(&*bytes).send().await;
    whole.fails(413, "SIZE_INVALID");
    let beyond = registry.ask("PATCH", &location).by_admin().with("content-range", "400-1000");
    beyond.body(&bytes[400..]).send().await.fails(413, "SIZE_INVALID");
    let status = registry.ask("GET", &location).by_admin().send().await.is(204);
    assert_eq!(status.header("range"), "0-399");
    registry.ask("DELETE", &location).by_admin().send().await.is(204);

    let path = format!("/v2/a/b/blobs/uploads/?digest={}", sha256(&bytes));
    let posted = registry.ask("POST", &path).by_admin().body(&*bytes).send().await;
    posted.fails(413, "SIZE_INVALID");
    assert_eq!(registry.context.content.open_uploads(), 0, "nothing was opened for it");
}

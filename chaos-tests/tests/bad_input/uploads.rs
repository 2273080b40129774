//! Uploads: wrong digests, chunks out of order, bodies that break off, and rubbish on the wire.

use std::time::Duration;

use chaos_tests::image::Blob;
use chaos_tests::registry::{Registry, expect, location};
use reqwest::{Method, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::{REPOSITORY, answers, unharmed, with_an_image};

/// Opens an upload at a replica and gives its path.
async fn open(registry: &Registry, at: usize) -> String {
    let post = registry.basic(at, Method::POST, &format!("/v2/{REPOSITORY}/blobs/uploads/"));
    location(&expect(post, &[StatusCode::ACCEPTED]).await.unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_that_do_not_hash_to_the_digest_are_never_a_blob() {
    let (cluster, image) = with_an_image(3).await;
    let registry = &cluster.registry;
    let (good, other) = (Blob::random(21, 5_000), Blob::random(22, 5_000));
    let uploads = format!("/v2/{REPOSITORY}/blobs/uploads/");
    let whole = registry.basic(0, Method::POST, &format!("{uploads}?digest={}", good.digest));
    answers("POST", whole.body(other.bytes.clone()), 400, "DIGEST_INVALID").await;
    for (name, digest) in [
        ("a malformed digest", "sha256:xyz"),
        ("upper-case digits", &good.digest.to_uppercase().replace("SHA", "sha")),
        ("an unknown algorithm", "md5:d41d8cd98f00b204e9800998ecf8427e"),
    ] {
        let post = registry.basic(1, Method::POST, &format!("{uploads}?digest={digest}"));
        answers(name, post.body(good.bytes.clone()), 400, "DIGEST_INVALID").await;
    }
    let place = open(registry, 1).await;
    let patch = registry.basic(1, Method::PATCH, &place).body(other.bytes.clone());
    answers("PATCH", patch, 202, "").await;
    answers("a close without a digest", registry.basic(1, Method::PUT, &place), 400, "").await;
    let close = registry.basic(2, Method::PUT, &format!("{place}?digest={}", good.digest));
    answers("PUT", close.header("content-length", "0"), 400, "DIGEST_INVALID").await;
    let status = registry.basic(0, Method::GET, &place);
    answers("the upload is gone", status, 404, "BLOB_UPLOAD_UNKNOWN").await;
    for at in 0..3 {
        let head =
            registry.basic(at, Method::GET, &format!("/v2/{REPOSITORY}/blobs/{}", good.digest));
        answers("no such blob", head, 404, "BLOB_UNKNOWN").await;
    }
    registry.push_blob(2, REPOSITORY, &good).await.unwrap();
    assert_eq!(registry.fetch(0, REPOSITORY, "blobs", &good.digest).await.unwrap(), good.digest);
    unharmed(cluster, &image).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chunk_out_of_order_is_refused_and_the_upload_survives() {
    let (cluster, image) = with_an_image(3).await;
    let registry = &cluster.registry;
    let blob = Blob::random(31, 3_000);
    let place = open(registry, 0).await;
    let chunk = |at: usize, range: &str, from: usize, to: usize| {
        let patch = registry.basic(at, Method::PATCH, &place).header("content-range", range);
        patch.body(blob.bytes.slice(from..to))
    };
    let invalid = "BLOB_UPLOAD_INVALID";
    answers("the first chunk", chunk(0, "0-999", 0, 1_000), 202, "").await;
    let refused = answers("ahead", chunk(1, "2000-2999", 2_000, 3_000), 416, invalid).await;
    assert_eq!(refused["range"], "0-999");
    assert!(refused.contains_key("location"));
    answers("again", chunk(2, "0-999", 0, 1_000), 416, invalid).await;
    answers("words", chunk(0, "0-garbage", 1_000, 2_000), 400, invalid).await;
    answers("backwards", chunk(0, "1999-1000", 1_000, 2_000), 400, invalid).await;
    answers("another length", chunk(0, "1000-1998", 1_000, 2_000), 400, "SIZE_INVALID").await;
    let status = answers("the truth", registry.basic(1, Method::GET, &place), 204, "").await;
    assert_eq!(status["range"], "0-999");
    answers("the second chunk", chunk(1, "1000-1999", 1_000, 2_000), 202, "").await;
    let close = format!("{place}?digest={}", blob.digest);
    let last = |range: &str| {
        let put = registry.basic(2, Method::PUT, &close).header("content-range", range);
        put.body(blob.bytes.slice(2_000..3_000))
    };
    answers("a wrong last chunk", last("1000-1999"), 416, invalid).await;
    answers("the last chunk", last("2000-2999"), 201, "").await;
    assert_eq!(registry.fetch(1, REPOSITORY, "blobs", &blob.digest).await.unwrap(), blob.digest);
    unharmed(cluster, &image).await;
}

/// Speaks to a replica by hand; gives whatever it answers within two seconds.
async fn by_hand(address: &str, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The replica may close while we write: that is an answer as well.
    let _written = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let _ended = timeout(Duration::from_secs(2), stream.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_breaks_off_keeps_what_arrived() {
    let (cluster, image) = with_an_image(3).await;
    let registry = &cluster.registry;
    let blob = Blob::random(41, 1_000);
    let place = open(registry, 0).await;
    let token =
        registry.token(0, &format!("repository:{REPOSITORY}:pull,push,delete")).await.unwrap();
    let address = cluster.replicas[0].http.strip_prefix("http://").unwrap();
    let head = format!(
        "PATCH {place} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n\
         content-length: 1000\r\n\r\n"
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&blob.bytes[..600]).await.unwrap();
    stream.shutdown().await.unwrap();
    drop(stream);
    let mut range = String::new();
    for _ in 0..100 {
        let status = answers("status", registry.basic(1, Method::GET, &place), 204, "").await;
        range = status["range"].to_str().unwrap().to_owned();
        if range == "0-599" {
            break;
        }
        sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(range, "0-599", "what arrived stays");
    let close = registry.basic(2, Method::PUT, &format!("{place}?digest={}", blob.digest));
    answers("the rest", close.body(blob.bytes.slice(600..)), 201, "").await;
    assert_eq!(registry.fetch(1, REPOSITORY, "blobs", &blob.digest).await.unwrap(), blob.digest);
    unharmed(cluster, &image).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rubbish_on_any_port_is_refused_and_harms_nobody() {
    let (cluster, image) = with_an_image(3).await;
    let replica = &cluster.replicas[0];
    let public = replica.url.strip_prefix("https://").unwrap();
    let http = replica.http.strip_prefix("http://").unwrap();
    let random = Blob::random(51, 100_000);
    for address in [public, http, replica.peer.as_str()] {
        by_hand(address, &random.bytes).await;
        by_hand(address, b"GET / HTTP/9.9\r\n\r\n").await;
        by_hand(address, b"").await;
        by_hand(address, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03").await;
        by_hand(address, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\xff\xff\x04\x00").await;
    }
    let split = format!(
        "POST /v2/ HTTP/1.1\r\nhost: {http}\r\ncontent-length: 4\r\n\
         transfer-encoding: chunked\r\n\r\n\
         0\r\n\r\nGET /v2/ HTTP/1.1\r\nhost: {http}\r\n\r\n"
    );
    let answer = by_hand(http, split.as_bytes()).await;
    assert!(!answer.starts_with("HTTP/1.1 2"), "two lengths at once: {answer}");
    unharmed(cluster, &image).await;
}

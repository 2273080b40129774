//! Blobs and uploads.

use oci::digest::{Algorithm, Digest};
use oci::verifier::digest_of;

use crate::harness::{Answer, Registry};

const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn sha256(bytes: &[u8]) -> Digest {
    digest_of(Algorithm::Sha256, bytes)
}

async fn open(registry: &Registry, query: &str) -> String {
    let path = format!("/v2/a/b/blobs/uploads/{query}");
    let answer = registry.ask("POST", &path).by_admin().send().await.is(202);
    assert_eq!(answer.header("range"), "0-0");
    assert!(!answer.header("docker-upload-uuid").is_empty());
    assert_eq!(answer.header("content-length"), "0");
    let location = answer.header("location").to_owned();
    assert!(location.starts_with("/v2/a/b/blobs/uploads/"), "{location}");
    location
}

async fn patch(registry: &Registry, location: &str, range: &str, bytes: &[u8]) -> Answer {
    let ask = registry.ask("PATCH", location).by_admin().body(bytes);
    let ask = if range.is_empty() { ask } else { ask.with("content-range", range) };
    ask.send().await
}

async fn close(registry: &Registry, location: &str, digest: &Digest, bytes: &[u8]) -> Answer {
    let path = format!("{location}?digest={digest}");
    registry.ask("PUT", &path).by_admin().body(bytes).send().await
}

#[tokio::test]
async fn a_blob_comes_in_by_every_way_and_goes_out_as_it_came() {
    let registry = Registry::start().await;
    let bytes: Vec<u8> = (0..3067_u32).map(|n| (n % 251) as u8).collect();
    let digest = sha256(&bytes);

    let location = open(&registry, "").await;
    close(&registry, &location, &digest, &bytes).await.is(201);

    let location = open(&registry, "").await;
    let answer = patch(&registry, &location, "", &bytes).await.is(202);
    assert_eq!(answer.header("range"), "0-3066");
    close(&registry, &location, &digest, b"").await.is(201);
    let again = close(&registry, &location, &digest, b"").await.is(201);
    assert_eq!(again.header("docker-content-digest"), digest.as_str(), "the answer was lost");
    registry.ask("GET", &location).by_admin().send().await.fails(404, "BLOB_UPLOAD_UNKNOWN");

    let location = open(&registry, "").await;
    patch(&registry, &location, "0-1023", &bytes[..1024]).await.is(202);
    let answer = patch(&registry, &location, "bytes 1024-2047/3067", &bytes[1024..2048]).await;
    assert_eq!(answer.is(202).header("range"), "0-2047");
    let path = format!("{location}?digest={digest}");
    let last = registry.ask("PUT", &path).by_admin().with("content-range", "2048-3066");
    let answer = last.body(&bytes[2048..]).send().await.is(201);
    assert_eq!(answer.header("location"), format!("/v2/a/b/blobs/{digest}"));

    let answer = registry.ask("GET", answer.header("location")).by_admin().send().await.is(200);
    assert_eq!(answer.body, bytes);
    assert_eq!(answer.header("content-length"), "3067");
    assert_eq!(answer.header("docker-content-digest"), digest.as_str());
    assert_eq!(answer.header("etag"), format!("\"{digest}\""));
    assert_eq!(answer.header("cache-control"), "max-age=31536000, immutable, private");
    assert_eq!(answer.header("vary"), "Authorization");
    assert_eq!(answer.header("accept-ranges"), "bytes");
}

#[tokio::test]
async fn a_chunk_that_is_out_of_order_is_refused_and_the_upload_stays() {
    let registry = Registry::start().await;
    let bytes = vec![7_u8; 2048];
    let location = open(&registry, "").await;
    let ahead = patch(&registry, &location, "1024-2047", &bytes[1024..]).await;
    let ahead = ahead.fails(416, "BLOB_UPLOAD_INVALID");
    assert_eq!((ahead.header("range"), ahead.header("location")), ("0-0", location.as_str()));
    patch(&registry, &location, "0-1023", &bytes[..1024]).await.is(202);
    let again = patch(&registry, &location, "0-1023", &bytes[..1024]).await.is(416);
    assert_eq!(again.header("range"), "0-1023");
    let path = format!("{location}?digest={}", sha256(&bytes));
    let wrong = registry.ask("PUT", &path).by_admin().with("content-range", "0-1023");
    wrong.body(&bytes[..1024]).send().await.is(416);
    let status = registry.ask("GET", &location).by_admin().send().await.is(204);
    assert_eq!(status.header("range"), "0-1023");
    patch(&registry, &location, "", b"").await.is(202);
    for garbage in ["0-garbage", "5-4", "x"] {
        let answer = patch(&registry, &location, garbage, b"12345").await;
        answer.fails(400, "BLOB_UPLOAD_INVALID");
    }
    let answer = patch(&registry, &location, "1024-1030", b"12345").await;
    answer.fails(400, "SIZE_INVALID");
    close(&registry, &location, &sha256(&bytes), &bytes[1024..]).await.is(201);
}

#[tokio::test]
async fn wrong_bytes_end_the_upload_and_leave_no_blob() {
    let registry = Registry::start().await;
    let digest = sha256(b"right");
    let location = open(&registry, "").await;
    close(&registry, &location, &digest, b"wrong").await.fails(400, "DIGEST_INVALID");
    registry.ask("GET", &location).by_admin().send().await.is(404);
    let blob = format!("/v2/a/b/blobs/{digest}");
    registry.ask("HEAD", &blob).by_admin().send().await.is(404);
    let post = format!("/v2/a/b/blobs/uploads/?digest={digest}");
    registry.ask("POST", &post).by_admin().body("wrong").send().await.fails(400, "DIGEST_INVALID");
    let location = open(&registry, "").await;
    registry.ask("PUT", &location).by_admin().send().await.fails(400, "DIGEST_INVALID");
    let twice = format!("{location}?digest={digest}&digest={digest}");
    registry.ask("PUT", &twice).by_admin().send().await.fails(400, "DIGEST_INVALID");
    let bad = format!("{location}?digest=sha256:baddigeststring");
    registry.ask("PUT", &bad).by_admin().send().await.fails(400, "DIGEST_INVALID");
    registry.ask("GET", &location).by_admin().send().await.is(204);
    registry.ask("DELETE", &location).by_admin().send().await.is(204);
    registry.ask("DELETE", &location).by_admin().send().await.is(404);
}

#[tokio::test]
async fn the_empty_blob_and_sha512_are_pushable_by_every_way() {
    let registry = Registry::start().await;
    let empty = Digest::parse(EMPTY).unwrap();
    let post = format!("/v2/a/b/blobs/uploads/?digest={EMPTY}");
    registry.ask("POST", &post).by_admin().send().await.is(201);
    let location = open(&registry, "").await;
    close(&registry, &location, &empty, b"").await.is(201);
    let blob = format!("/v2/a/b/blobs/{EMPTY}");
    let answer = registry.ask("GET", &blob).by_admin().send().await.is(200);
    assert_eq!((answer.header("content-length"), answer.body.len()), ("0", 0));
    registry.ask("GET", &blob).by_admin().with("range", "bytes=0-").send().await.is(416);

    let wide = digest_of(Algorithm::Sha512, b"wide");
    let hinted = open(&registry, "?digest-algorithm=sha512").await;
    patch(&registry, &hinted, "", b"wide").await.is(202);
    close(&registry, &hinted, &wide, b"").await.is(201);
    let other = digest_of(Algorithm::Sha512, b"other");
    let unhinted = open(&registry, "").await;
    close(&registry, &unhinted, &other, b"other").await.is(201);
    let blob = format!("/v2/a/b/blobs/{wide}");
    assert_eq!(registry.ask("GET", &blob).by_admin().send().await.is(200).body, b"wide");
    let unknown = "/v2/a/b/blobs/uploads/?digest-algorithm=md5";
    registry.ask("POST", unknown).by_admin().send().await.fails(400, "DIGEST_INVALID");
    let other = format!("/v2/a/b/blobs/uploads/?digest={}", sha256(b"later"));
    registry.ask("POST", &other).by_admin().with("content-length", "0").send().await.is(202);
}

#[tokio::test]
async fn ranges_come_one_by_one_or_several_at_once() {
    let registry = Registry::start().await;
    let bytes: Vec<u8> = (0..2048_u32).map(|n| (n % 253) as u8).collect();
    let digest = registry.push_blob("a/b", &bytes).await;
    let path = format!("/v2/a/b/blobs/{digest}");
    let get =
        async |range: &str| registry.ask("GET", &path).by_admin().with("range", range).send().await;
    for (range, part) in
        [("bytes=500-1499", 500..1500), ("bytes=500-", 500..2048), ("bytes=-500", 1548..2048)]
    {
        let answer = get(range).await.is(206);
        assert_eq!(answer.body, bytes[part.clone()], "{range}");
        let shown = format!("bytes {}-{}/2048", part.start, part.end - 1);
        assert_eq!(answer.header("content-range"), shown);
        assert_eq!(answer.header("content-length"), part.len().to_string());
    }
    for range in ["bytes=500-0", "bytes=5000-10000"] {
        let answer = get(range).await.fails(416, "SIZE_INVALID");
        assert_eq!(answer.header("content-range"), "bytes */2048");
    }
    let answer = get("bytes=0-9,100-109").await.is(206);
    let boundary = answer.header("content-type").split_once("boundary=").unwrap().1.to_owned();
    assert_eq!(answer.header("content-length"), answer.body.len().to_string());
    let text = String::from_utf8_lossy(&answer.body);
    assert_eq!(text.matches(&boundary).count(), 3);
    assert!(text.contains("Content-Range: bytes 100-109/2048"));
    assert!(answer.body.windows(10).any(|window| window == &bytes[100..110]));

    let other = registry.ask("GET", &path).by_admin().with("range", "bytes=0-9");
    other.with("if-range", "\"sha256:0\"").send().await.is(200);
    let known = format!("W/\"{digest}\"");
    let known = registry.ask("GET", &path).by_admin().with("if-none-match", &known).send().await;
    assert!(known.is(304).body.is_empty());
}

#[tokio::test]
async fn a_blob_is_mounted_where_the_caller_may_read_it_and_uploaded_elsewhere() {
    let registry = Registry::start().await;
    let digest = registry.push_blob("a/b", b"layer").await;
    let mount = |query: &str| format!("/v2/a/c/blobs/uploads/?mount={digest}{query}");
    let answer = registry.ask("POST", &mount("&from=a/b")).by_admin().send().await.is(201);
    assert_eq!(answer.header("location"), format!("/v2/a/c/blobs/{digest}"));
    assert_eq!(answer.header("docker-content-digest"), digest.as_str());
    let there = format!("/v2/a/c/blobs/{digest}");
    registry.ask("HEAD", &there).by_admin().send().await.is(200);
    registry.ask("POST", &mount("")).by_admin().send().await.is(201);
    for missing in ["&from=a/none", "&from=A//B"] {
        let answer = registry.ask("POST", &mount(missing)).by_admin().send().await.is(202);
        assert!(answer.header("location").contains("/v2/a/c/blobs/uploads/"), "{missing}");
    }
    let malformed = "/v2/a/c/blobs/uploads/?mount=sha256:x&from=a/b";
    registry.ask("POST", malformed).by_admin().send().await.fails(400, "DIGEST_INVALID");
    registry.user("ann").await;
    let theirs = format!("/v2/ann/x/blobs/uploads/?mount={digest}&from=a/b");
    registry.ask("POST", &theirs).by(("ann", "pw")).send().await.is(202);
    let anywhere = format!("/v2/ann/x/blobs/uploads/?mount={digest}");
    registry.ask("POST", &anywhere).by(("ann", "pw")).send().await.is(202);
}

#[tokio::test]
async fn a_blob_is_deleted_once_and_not_while_a_manifest_names_it() {
    let registry = Registry::start().await;
    let loose = registry.push_blob("a/b", b"loose").await;
    let path = format!("/v2/a/b/blobs/{loose}");
    registry.ask("DELETE", &path).by_admin().send().await.is(202);
    registry.ask("HEAD", &path).by_admin().send().await.is(404);
    registry.ask("DELETE", &path).by_admin().send().await.fails(404, "BLOB_UNKNOWN");
    registry.push_image("a/b", "v1", "layer").await;
    let named = format!("/v2/a/b/blobs/{}", sha256(b"layer"));
    let answer = registry.ask("DELETE", &named).by_admin().send().await;
    let answer = answer.fails(405, "UNSUPPORTED");
    assert_eq!(answer.json()["errors"][0]["detail"]["manifests"].as_array().unwrap().len(), 1);
}

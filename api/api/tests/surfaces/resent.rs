//! What the registry has already is compared and not written again; what is small is written once.

use std::os::unix::fs::MetadataExt;

use oci::digest::{Algorithm, Digest};
use oci::verifier::digest_of;

use crate::harness::Registry;

/// Larger than what is kept at one stroke, and no multiple of what is hashed at once.
const LARGE: usize = 1_234_567;

fn sha256(bytes: &[u8]) -> Digest {
    digest_of(Algorithm::Sha256, bytes)
}

async fn open(registry: &Registry) -> String {
    let answer = registry.ask("POST", "/v2/a/b/blobs/uploads/").by_admin().send().await.is(202);
    answer.header("location").to_owned()
}

async fn close(registry: &Registry, location: &str, digest: &Digest, bytes: &[u8], status: u16) {
    let path = format!("{location}?digest={digest}");
    registry.ask("PUT", &path).by_admin().body(bytes).send().await.is(status);
}

async fn push(registry: &Registry, bytes: &[u8]) -> Digest {
    let (location, digest) = (open(registry).await, sha256(bytes));
    close(registry, &location, &digest, bytes, 201).await;
    digest
}

/// The file that holds a blob: another one wherever it was written anew.
fn file(registry: &Registry, digest: &Digest) -> u64 {
    std::fs::metadata(registry.file_of(digest)).unwrap().ino()
}

fn staged(registry: &Registry) -> usize {
    std::fs::read_dir(registry.uploads_folder()).unwrap().count()
}

#[tokio::test]
async fn what_is_sent_again_is_compared_and_its_file_stays() {
    let registry = Registry::start().await;
    for length in [5, LARGE] {
        let bytes = vec![7; length];
        let digest = push(&registry, &bytes).await;
        let first = file(&registry, &digest);
        push(&registry, &bytes).await;
        // In another repository too, and in pieces.
        let post = format!("/v2/c/d/blobs/uploads/?digest={digest}");
        registry.ask("POST", &post).by_admin().body(&bytes[..]).send().await.is(201);
        let blob = format!("/v2/c/d/blobs/{digest}");
        registry.ask("HEAD", &blob).by_admin().send().await.is(200);
        let location = open(&registry).await;
        registry.ask("PATCH", &location).by_admin().body(&bytes[..]).send().await.is(202);
        close(&registry, &location, &digest, b"", 201).await;
        assert_eq!(file(&registry, &digest), first, "{length} bytes");
        assert_eq!(staged(&registry), 0);
    }
}

#[tokio::test]
async fn who_does_not_have_the_content_does_not_get_it_by_its_digest() {
    let registry = Registry::start().await;
    let bytes = vec![7; LARGE];
    let digest = push(&registry, &bytes).await;
    let mut other = bytes.clone();
    other[LARGE - 1] = 8;
    let longer = [&bytes[..], b"7"].concat();
    for wrong in [&other[..], &longer, &bytes[..LARGE - 1], b"", b"7"] {
        let location = open(&registry).await;
        let path = format!("{location}?digest={digest}");
        let answer = registry.ask("PUT", &path).by_admin().body(wrong).send().await;
        answer.fails(400, "DIGEST_INVALID");
        registry.ask("GET", &location).by_admin().send().await.is(404);
    }
    let blob = format!("/v2/a/b/blobs/{digest}");
    let answer = registry.ask("GET", &blob).by_admin().send().await.is(200);
    assert_eq!(answer.body, bytes);
}

#[tokio::test]
async fn a_copy_that_nobody_vouches_for_is_written_anew() {
    let registry = Registry::start().await;
    for length in [5, LARGE] {
        let bytes = vec![9; length];
        let digest = push(&registry, &bytes).await;
        let path = registry.file_of(&digest);
        for in_pieces in [false, true] {
            // The same length, other bytes: written past the registry.
            std::fs::write(&path, vec![1; length]).unwrap();
            if in_pieces {
                let location = open(&registry).await;
                registry.ask("PATCH", &location).by_admin().body(&bytes[..]).send().await.is(202);
                close(&registry, &location, &digest, b"", 201).await;
            } else {
                push(&registry, &bytes).await;
            }
            assert_eq!(std::fs::read(&path).unwrap(), bytes, "{length} bytes, {in_pieces}");
        }
    }
}

#[tokio::test]
async fn an_upload_is_on_disk_once_a_byte_of_it_came() {
    let registry = Registry::start().await;
    let location = open(&registry).await;
    assert_eq!(staged(&registry), 0);
    registry.ask("PATCH", &location).by_admin().body("12345").send().await.is(202);
    assert_eq!(staged(&registry), 1);
    registry.ask("DELETE", &location).by_admin().send().await.is(204);
    assert_eq!(staged(&registry), 0);
    let untouched = open(&registry).await;
    let status = registry.ask("GET", &untouched).by_admin().send().await.is(204);
    assert_eq!(status.header("range"), "0-0");
    assert_eq!(staged(&registry), 0, "to ask costs no file");
    registry.ask("DELETE", &untouched).by_admin().send().await.is(204);
    registry.ask("GET", &untouched).by_admin().send().await.is(404);
    assert_eq!(staged(&registry), 0);
}

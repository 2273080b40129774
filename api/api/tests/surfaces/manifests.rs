//! Manifests and tags.

use oci::digest::Algorithm;
use oci::verifier::digest_of;
use serde_json::{Value, json};

use crate::harness::{Answer, OCI_IMAGE, OCI_INDEX, Registry, image};

async fn put(registry: &Registry, path: &str, body: &str) -> Answer {
    registry.ask("PUT", path).by_admin().with("content-type", OCI_IMAGE).body(body).send().await
}

async fn small_image(registry: &Registry, mark: &str) -> String {
    let config = registry.push_blob("a/b", b"{}").await;
    let layer = registry.push_blob("a/b", mark.as_bytes()).await;
    image(&config, 2, &layer, mark.len()).to_string()
}

#[tokio::test]
async fn a_manifest_is_answered_as_it_was_pushed() {
    let registry = Registry::start().await;
    let body = small_image(&registry, "layer").await + "\n  ";
    let digest = digest_of(Algorithm::Sha256, body.as_bytes());
    let typed = format!("{OCI_IMAGE}; charset=utf-8");
    let pushed =
        registry.ask("PUT", "/v2/a/b/manifests/v1").by_admin().with("content-type", &typed);
    let pushed = pushed.body(body.clone()).send().await.is(201);
    assert_eq!(pushed.header("location"), format!("/v2/a/b/manifests/{digest}"));
    assert_eq!(pushed.header("docker-content-digest"), digest.as_str());
    assert_eq!(pushed.header("etag"), format!("\"{digest}\""));
    assert_eq!(pushed.header("oci-subject"), "");

    for reference in ["v1", digest.as_str()] {
        let path = format!("/v2/a/b/manifests/{reference}");
        let got = registry.ask("GET", &path).by_admin().with("accept", "text/html").send().await;
        let got = got.is(200);
        assert_eq!(got.body, body.as_bytes());
        assert_eq!(got.header("content-type"), OCI_IMAGE);
        let head = registry.ask("HEAD", &path).by_admin().send().await.is(200);
        assert!(head.body.is_empty());
        for name in ["content-length", "content-type", "docker-content-digest", "etag"] {
            assert_eq!(head.header(name), got.header(name), "{name}");
        }
        assert_eq!(got.header("content-length"), body.len().to_string());
        let known = format!("\"{digest}\"");
        let known =
            registry.ask("GET", &path).by_admin().with("if-none-match", &known).send().await;
        known.is(304);
    }
    let by_tag = registry.ask("GET", "/v2/a/b/manifests/v1").by_admin().send().await;
    assert_eq!(by_tag.header("cache-control"), "no-cache");
    put(&registry, "/v2/a/b/manifests/v1", &body).await.is(201);
}

#[tokio::test]
async fn what_is_not_a_manifest_is_refused_for_its_own_reason() {
    let registry = Registry::start().await;
    let body = small_image(&registry, "layer").await;
    let other = digest_of(Algorithm::Sha256, b"other");
    let path = "/v2/a/b/manifests/v1";
    put(&registry, path, "garbage").await.fails(400, "MANIFEST_INVALID");
    put(&registry, "/v2/a/b/manifests/.bad", &body).await.fails(400, "MANIFEST_INVALID");
    let long = format!("/v2/a/b/manifests/{}", "t".repeat(129));
    put(&registry, &long, &body).await.fails(400, "MANIFEST_INVALID");
    let mismatch = format!("/v2/a/b/manifests/{other}");
    put(&registry, &mismatch, &body).await.fails(400, "DIGEST_INVALID");
    let bad = "/v2/a/b/manifests/sha256:baddigeststring";
    put(&registry, bad, &body).await.fails(400, "DIGEST_INVALID");
    registry.ask("GET", bad).by_admin().send().await.fails(400, "DIGEST_INVALID");
    let huge = "x".repeat(4 * 1024 * 1024 + 1);
    put(&registry, path, &huge).await.fails(413, "MANIFEST_INVALID");
    let unsized_body = registry.ask("PUT", path).by_admin().with("content-type", OCI_IMAGE);
    let announced = unsized_body.with("content-length", "5000000").body("{}").send().await;
    announced.fails(413, "MANIFEST_INVALID");
    let index = registry.ask("PUT", path).by_admin().with("content-type", OCI_INDEX);
    index.body(body.clone()).send().await.fails(400, "MANIFEST_INVALID");
    let schema1 = "application/vnd.docker.distribution.manifest.v1+prettyjws";
    let old = registry.ask("PUT", path).by_admin().with("content-type", schema1);
    old.body("{\"schemaVersion\":1}").send().await.fails(400, "MANIFEST_INVALID");
    let missing = image(&other, 5, &digest_of(Algorithm::Sha256, b"more"), 4).to_string();
    let answer = put(&registry, path, &missing).await.fails(400, "MANIFEST_BLOB_UNKNOWN");
    assert_eq!(answer.json()["errors"].as_array().unwrap().len(), 2);
    let answer = registry.ask("GET", path).by_admin().send().await;
    answer.fails(404, "MANIFEST_UNKNOWN");
}

#[tokio::test]
async fn one_put_moves_several_tags_or_none() {
    let registry = Registry::start().await;
    let body = small_image(&registry, "layer").await;
    let digest = digest_of(Algorithm::Sha256, body.as_bytes());
    let wide = digest_of(Algorithm::Sha512, body.as_bytes());
    let path = format!("/v2/a/b/manifests/{digest}?tag=1.2.3&tag=1.2&tag=1.2");
    let answer = put(&registry, &path, &body).await.is(201);
    assert_eq!(answer.header("oci-tag"), "1.2.3, 1.2");
    let many: String = (0..12).map(|n| format!("&tag=t{n}")).collect();
    let answer =
        put(&registry, &format!("/v2/a/b/manifests/{wide}?x=1{many}"), &body).await.is(201);
    assert_eq!(answer.headers.get_all("oci-tag").iter().count(), 2);
    assert_eq!(answer.header("docker-content-digest"), wide.as_str());
    let got = registry.ask("HEAD", "/v2/a/b/manifests/t3").by_admin().send().await.is(200);
    assert_eq!(got.header("docker-content-digest"), wide.as_str());
    let over: String = (0..101).map(|n| format!("&tag=t{n}")).collect();
    let over = format!("/v2/a/b/manifests/{digest}?x=1{over}");
    put(&registry, &over, &body).await.fails(414, "UNSUPPORTED");
    let bad = format!("/v2/a/b/manifests/{digest}?tag=good&tag=.bad");
    put(&registry, &bad, &body).await.fails(400, "MANIFEST_INVALID");
    registry.ask("HEAD", "/v2/a/b/manifests/good").by_admin().send().await.is(404);
    put(&registry, "/v2/a/b/manifests/v1?tag=v2", &body).await.is(400);
}

#[tokio::test]
async fn a_tag_moves_only_as_the_client_wants() {
    let registry = Registry::start().await;
    let one = small_image(&registry, "one").await;
    let two = small_image(&registry, "two").await;
    let digest = |body: &str| format!("\"{}\"", digest_of(Algorithm::Sha256, body.as_bytes()));
    let put = async |condition: (&str, &str), body: &str| {
        let ask = registry.ask("PUT", "/v2/a/b/manifests/v1").by_admin();
        ask.with("content-type", OCI_IMAGE).with(condition.0, condition.1).body(body).send().await
    };
    put(("if-match", "*"), &one).await.fails(412, "DENIED");
    put(("if-none-match", "*"), &one).await.is(201);
    put(("if-none-match", "*"), &one).await.fails(412, "DENIED");
    let answer = put(("if-match", &digest(&two)), &one).await.is(201);
    assert_eq!(answer.header("etag"), digest(&one), "a repeated request");
    let third = small_image(&registry, "three").await;
    let answer = put(("if-match", &digest(&third)), &two).await.fails(412, "DENIED");
    let detail = &answer.json()["errors"][0]["detail"];
    assert_eq!(detail["tag"], "v1");
    assert_eq!(format!("\"{}\"", detail["current"].as_str().unwrap()), digest(&one));
    put(("if-none-match", &digest(&one)), &two).await.is(412);
    put(("if-match", &digest(&one)), &two).await.is(201);
    let delete = registry.ask("DELETE", "/v2/a/b/manifests/v1").by_admin();
    delete.with("if-match", &digest(&one)).send().await.is(412);
    let delete = registry.ask("DELETE", "/v2/a/b/manifests/v1").by_admin();
    delete.with("if-match", &digest(&two)).send().await.is(202);
}

#[tokio::test]
async fn deleting_goes_by_tag_or_with_all_tags() {
    let registry = Registry::start().await;
    let digest = registry.push_image("a/b", "v1", "layer").await;
    registry.push_image("a/b", "v2", "layer").await;
    let by_digest = format!("/v2/a/b/manifests/{digest}");
    registry.ask("DELETE", "/v2/a/b/manifests/v1").by_admin().send().await.is(202);
    registry.ask("DELETE", "/v2/a/b/manifests/v1").by_admin().send().await.is(404);
    registry.ask("HEAD", &by_digest).by_admin().send().await.is(200);

    let size = manifest_size(&registry, &by_digest).await;
    let index = json!({
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": [{ "mediaType": OCI_IMAGE, "digest": digest, "size": size }],
    });
    registry.push_manifest("a/b", "all", &index).await;
    let answer = registry.ask("DELETE", &by_digest).by_admin().send().await;
    answer.fails(405, "UNSUPPORTED");
    let parent = digest_of(Algorithm::Sha256, index.to_string().as_bytes());
    let path = format!("/v2/a/b/manifests/{parent}");
    let answer = registry.ask("DELETE", &path).by_admin().send().await.is(202);
    assert!(answer.header("warning").contains("all"), "{:?}", answer.headers);
    registry.ask("DELETE", &by_digest).by_admin().send().await.is(202);
    registry.ask("DELETE", &by_digest).by_admin().send().await.fails(404, "MANIFEST_UNKNOWN");
    registry.ask("HEAD", "/v2/a/b/manifests/v2").by_admin().send().await.is(404);
    let none = registry.ask("GET", "/v2/a/none/manifests/v1").by_admin().send().await;
    none.fails(404, "NAME_UNKNOWN");
}

async fn manifest_size(registry: &Registry, path: &str) -> u64 {
    let head = registry.ask("HEAD", path).by_admin().send().await.is(200);
    head.header("content-length").parse().unwrap()
}

#[tokio::test]
async fn names_of_any_shape_lead_where_they_should() {
    let registry = Registry::start().await;
    registry.push_image("blobs/uploads", "v1", "one").await;
    registry.push_image("manifests/manifests", "tags", "two").await;
    for path in ["/v2/blobs/uploads/manifests/v1", "/v2/manifests/manifests/manifests/tags"] {
        registry.ask("GET", path).by_admin().send().await.is(200);
    }
    let list = registry.ask("GET", "/v2/manifests/manifests/tags/list").by_admin().send().await;
    assert_eq!(list.is(200).json()["tags"], json!(["tags"]));
    let bad = ["/v2/A/b/manifests/v1", "/v2/a%2Fb/manifests/v1", "/v2/a//b/manifests/v1"];
    for path in bad {
        registry.ask("GET", path).send().await.fails(400, "NAME_INVALID");
    }
    let long = format!("/v2/a/{}/manifests/v1", "b".repeat(250));
    registry.ask("GET", &long).by_admin().send().await.fails(400, "NAME_INVALID");
    let deep = small_image(&registry, "deep").await;
    put(&registry, "/v2/a/b/c/manifests/v1", &deep).await.fails(400, "NAME_INVALID");
    let unknown: Value = registry.ask("GET", "/v2/a").by_admin().send().await.is(404).json();
    assert_eq!(unknown["errors"][0]["code"], "NAME_UNKNOWN");
}

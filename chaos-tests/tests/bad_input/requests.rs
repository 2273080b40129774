//! Requests: names, references, ranges and manifests that are refused, each with its status and
//! code.

use chaos_tests::image::{Blob, INDEX, Image, MANIFEST};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{REPOSITORY, answers, unharmed, with_an_image};

const DIGEST: &str = "sha256:00000000000000000000000000000000000000000000000000000000000000ab";

/// A request without a body and what it must be answered.
type Bare = (&'static str, Method, String, u16, &'static str);

fn names() -> Vec<Bare> {
    let upload = |name: &str| format!("/v2/{name}/blobs/uploads/");
    let long = format!("bad/{}", "x".repeat(260));
    vec![
        ("upper case", Method::POST, upload("Bad/Input"), 400, "NAME_INVALID"),
        ("a double dot", Method::POST, upload("bad/a..b"), 400, "NAME_INVALID"),
        ("a leading dash", Method::POST, upload("bad/-a"), 400, "NAME_INVALID"),
        ("an encoded slash", Method::POST, upload("bad%2Finput"), 400, "NAME_INVALID"),
        ("an encoded space", Method::POST, upload("bad/in%20put"), 400, "NAME_INVALID"),
        ("a name of 264 bytes", Method::POST, upload(&long), 400, "NAME_INVALID"),
        ("not UTF-8", Method::POST, upload("bad/%ff"), 400, "NAME_INVALID"),
    ]
}

fn reads() -> Vec<Bare> {
    let of = |rest: &str| format!("/v2/{REPOSITORY}/{rest}");
    let get = Method::GET;
    vec![
        ("no such repository", get.clone(), "/v2/bad/none/tags/list".into(), 404, "NAME_UNKNOWN"),
        ("no such tag", get.clone(), of("manifests/none"), 404, "MANIFEST_UNKNOWN"),
        (
            "no such manifest",
            get.clone(),
            of(&format!("manifests/{DIGEST}")),
            404,
            "MANIFEST_UNKNOWN",
        ),
        ("no such blob", get.clone(), of(&format!("blobs/{DIGEST}")), 404, "BLOB_UNKNOWN"),
        ("a bad digest", get.clone(), of("manifests/sha256:baddigest"), 400, "DIGEST_INVALID"),
        ("a bad blob digest", get.clone(), of("blobs/sha256:xyz"), 400, "DIGEST_INVALID"),
        ("no such upload", get.clone(), of("blobs/uploads/none"), 404, "BLOB_UPLOAD_UNKNOWN"),
        ("a negative page", get.clone(), of("tags/list?n=-1"), 400, "UNSUPPORTED"),
        ("a page of words", get.clone(), of("tags/list?n=many"), 400, "UNSUPPORTED"),
        ("a page of the catalog", get, "/v2/_catalog?n=x".into(), 400, "UNSUPPORTED"),
        ("a wrong method", Method::POST, of("manifests/good"), 405, "UNSUPPORTED"),
        ("delete of no tag", Method::DELETE, of("manifests/none"), 404, "MANIFEST_UNKNOWN"),
        ("delete of no blob", Method::DELETE, of(&format!("blobs/{DIGEST}")), 404, "BLOB_UNKNOWN"),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_name_or_reference_is_refused_with_its_code() {
    let (cluster, image) = with_an_image(3).await;
    let registry = &cluster.registry;
    for (place, (name, method, path, status, code)) in
        names().into_iter().chain(reads()).enumerate()
    {
        let request = registry.basic(place % 3, method, &path);
        let headers = answers(name, request, status, code).await;
        assert_eq!(headers["docker-distribution-api-version"], "registry/2.0", "{name}");
        assert_eq!(status == 405, headers.contains_key("allow"), "{name}: {headers:?}");
    }
    let layer = format!("/v2/{REPOSITORY}/blobs/{}", image.blobs[0].digest);
    for (range, status) in [("bytes=4096-", 416), ("bytes=500-0", 416), ("bytes=0-99", 206)] {
        let request = registry.basic(1, Method::GET, &layer).header("range", range);
        let code = if status == 416 { "SIZE_INVALID" } else { "" };
        let headers = answers(range, request, status, code).await;
        assert!(headers.contains_key("content-range"), "{range}: {headers:?}");
    }
    let long = format!("/v2/{REPOSITORY}/tags/list?last={}", "x".repeat(20_000));
    answers("a long request line", registry.basic(0, Method::GET, &long), 414, "").await;
    let wide = registry.basic(0, Method::GET, "/v2/").header("x-wide", "x".repeat(40_000));
    answers("wide headers", wide, 431, "").await;
    let unused = registry.basic(2, Method::DELETE, &layer);
    answers("a blob that a manifest names", unused, 405, "UNSUPPORTED").await;
    unharmed(cluster, &image).await;
}

/// A manifest of the image, changed.
fn changed(image: &Image, change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut manifest: Value = serde_json::from_slice(&image.manifest.bytes).unwrap();
    change(&mut manifest);
    manifest.to_string().into_bytes()
}

/// A body of a manifest and what pushing it under a tag must be answered.
type Pushed = (&'static str, &'static str, Vec<u8>, u16, &'static str);

fn manifests(image: &Image) -> Vec<Pushed> {
    let config = |manifest: &mut Value| manifest["config"].clone();
    let large = changed(image, |it| it["annotations"] = json!({"a": "x".repeat(5 << 20)}));
    let allowed = changed(image, |it| it["annotations"] = json!({"a": "x".repeat(4_000_000)}));
    let ambiguous = changed(image, |it| it["manifests"] = json!([]));
    let missing = changed(image, |it| {
        let other = json!({"mediaType": "x/y", "digest": DIGEST, "size": 1});
        it["layers"].as_array_mut().unwrap().push(other);
    });
    let many = changed(image, |it| {
        let one = config(it);
        it["layers"] = Value::Array(vec![one; 2_001]);
    });
    let wrong_size = changed(image, |it| it["config"]["size"] = json!(1));
    let bad_digest = changed(image, |it| it["config"]["digest"] = json!("sha256:abc"));
    let version = changed(image, |it| it["schemaVersion"] = json!(3));
    let deep = format!("{{\"schemaVersion\":2,\"a\":{}{}}}", "[".repeat(5_000), "]".repeat(5_000));
    let old = br#"{"schemaVersion":1,"name":"a","tag":"b","fsLayers":[],"signatures":[]}"#.to_vec();
    let twice = br#"{"schemaVersion":2,"schemaVersion":2,"layers":[]}"#.to_vec();
    let code = "MANIFEST_INVALID";
    vec![
        ("a manifest of 5 MiB", MANIFEST, large, 413, code),
        ("a manifest of 4,000,000 bytes", MANIFEST, allowed, 201, ""),
        ("garbage", MANIFEST, b"{]garbage".to_vec(), 400, code),
        ("nothing", MANIFEST, Vec::new(), 400, code),
        ("not UTF-8", MANIFEST, vec![0xff, 0xfe, 0x00], 400, code),
        ("a list", MANIFEST, b"[]".to_vec(), 400, code),
        ("nested too deep", MANIFEST, deep.into_bytes(), 400, code),
        ("a key twice", MANIFEST, twice, 400, code),
        ("image and index at once", MANIFEST, ambiguous, 400, code),
        ("an unknown version", MANIFEST, version, 400, code),
        ("schema 1", "application/vnd.docker.distribution.manifest.v1+prettyjws", old, 400, code),
        ("another content type", INDEX, image.manifest.bytes.to_vec(), 400, code),
        ("an unknown content type", "text/html", image.manifest.bytes.to_vec(), 400, code),
        ("too many references", MANIFEST, many, 400, code),
        ("a wrong size", MANIFEST, wrong_size, 400, code),
        ("a malformed digest inside", MANIFEST, bad_digest, 400, ""),
        ("a missing blob", MANIFEST, missing, 400, "MANIFEST_BLOB_UNKNOWN"),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_manifest_is_refused_and_moves_no_tag() {
    let (cluster, image) = with_an_image(3).await;
    let registry = &cluster.registry;
    for (place, (name, kind, body, status, code)) in manifests(&image).into_iter().enumerate() {
        // A refused one is pushed on the good tag, which must stay where it is.
        let tag = if status == 201 { "large" } else { "good" };
        let put =
            registry.basic(place % 3, Method::PUT, &format!("/v2/{REPOSITORY}/manifests/{tag}"));
        answers(name, put.header("content-type", kind).body(body), status, code).await;
    }
    let good = Blob::new(image.manifest.bytes.clone());
    let to = |reference: &str| {
        let put =
            registry.basic(1, Method::PUT, &format!("/v2/{REPOSITORY}/manifests/{reference}"));
        put.header("content-type", MANIFEST).body(good.bytes.clone())
    };
    answers("a tag of 128", to(&"t".repeat(128)), 201, "").await;
    answers("a tag of 129", to(&"t".repeat(129)), 400, "MANIFEST_INVALID").await;
    answers("a tag with a colon", to("a%3Ab"), 400, "").await;
    answers("a tag that begins with a dot", to(".a"), 400, "MANIFEST_INVALID").await;
    answers("another digest", to(DIGEST), 400, "DIGEST_INVALID").await;
    answers("a malformed digest", to("sha256:baddigeststring"), 400, "DIGEST_INVALID").await;
    let condition = to("good").header("if-none-match", "*");
    answers("a tag that exists", condition, 412, "DENIED").await;
    unharmed(cluster, &image).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_missing_blob_of_a_manifest_is_named() {
    let (cluster, image) = with_an_image(1).await;
    let absent = Image::random(77);
    let put = cluster.registry.basic(0, Method::PUT, &format!("/v2/{REPOSITORY}/manifests/absent"));
    let put = put.header("content-type", MANIFEST).body(absent.manifest.bytes.clone());
    let answer = put.send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 400);
    let body: Value = answer.json().await.unwrap();
    let named = body["errors"].as_array().unwrap().iter().map(|error| {
        assert_eq!(error["code"], "MANIFEST_BLOB_UNKNOWN", "{body}");
        error["detail"]["digest"].as_str().unwrap_or_default().to_owned()
    });
    let (mut named, mut missing) = (named.collect::<Vec<_>>(), absent.digests());
    named.sort();
    missing.sort();
    assert_eq!(named, missing);
    unharmed(cluster, &image).await;
}

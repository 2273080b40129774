//! Tags, catalog and referrers.

use serde_json::{Value, json};

use crate::harness::{OCI_IMAGE, OCI_INDEX, Registry, image};

#[tokio::test]
async fn tags_come_in_byte_order_page_by_page() {
    let registry = Registry::start().await;
    for tag in ["v10", "v1", "latest", "V1", "v1.0", "_x"] {
        registry.push_image("a/b", tag, "layer").await;
    }
    let all = ["V1", "_x", "latest", "v1", "v1.0", "v10"];
    let get = async |query: &str| {
        registry.ask("GET", &format!("/v2/a/b/tags/list{query}")).by_admin().send().await
    };
    let answer = get("").await.is(200);
    assert_eq!(answer.json(), json!({ "name": "a/b", "tags": all }));
    assert_eq!(answer.header("link"), "");
    assert!(answer.header("etag").starts_with("W/\""));
    let known = registry.ask("GET", "/v2/a/b/tags/list").by_admin();
    known.with("if-none-match", answer.header("etag")).send().await.is(304);

    let mut path = "/v2/a/b/tags/list?n=4".to_owned();
    let mut walked: Vec<Value> = Vec::new();
    loop {
        let page = registry.ask("GET", &path).by_admin().send().await.is(200);
        walked.extend(page.json()["tags"].as_array().unwrap().iter().cloned());
        let Some(link) = page.header("link").strip_prefix('<') else { break };
        path = link.split_once('>').unwrap().0.to_owned();
        assert!(path.contains("n=4"), "{path}");
    }
    assert_eq!(walked, all);
    assert_eq!(get("?last=latest").await.json()["tags"], json!(["v1", "v1.0", "v10"]));
    assert_eq!(get("?last=m&n=1").await.json()["tags"], json!(["v1"]));
    assert_eq!(get("?last=zzz").await.json()["tags"], json!([]));
    let none = get("?n=0").await.is(200);
    assert_eq!((none.json()["tags"].clone(), none.header("link")), (json!([]), ""));
    for bad in ["?n=x", "?n=-1"] {
        get(bad).await.fails(400, "UNSUPPORTED");
    }
    let unknown = registry.ask("GET", "/v2/a/none/tags/list").by_admin().send().await;
    unknown.fails(404, "NAME_UNKNOWN");
    registry.push_blob("a/empty", b"x").await;
    let empty = registry.ask("GET", "/v2/a/empty/tags/list").by_admin().send().await;
    assert_eq!(empty.is(200).json()["tags"], json!([]));
}

#[tokio::test]
async fn the_catalog_shows_what_the_caller_may_read() {
    let registry = Registry::start().await;
    registry.user("ann").await;
    for name in ["ann/one", "ann/two", "library/app"] {
        registry.push_blob(name, b"x").await;
    }
    let all = registry.ask("GET", "/v2/_catalog").by_admin().send().await.is(200);
    assert_eq!(all.json()["repositories"], json!(["ann/one", "ann/two", "library/app"]));
    let page = registry.ask("GET", "/v2/_catalog?n=1&last=ann/one").by_admin().send().await;
    assert_eq!(page.json()["repositories"], json!(["ann/two"]));
    assert_eq!(page.header("link"), "</v2/_catalog?n=1&last=ann%2Ftwo>; rel=\"next\"");
    let own = registry.ask("GET", "/v2/_catalog").by(("ann", "pw")).send().await.is(200);
    assert_eq!(own.json()["repositories"], json!(["ann/one", "ann/two"]));
    let anonymous = registry.ask("GET", "/v2/_catalog").send().await.is(401);
    assert!(anonymous.header("www-authenticate").contains("scope=\"registry:catalog:*\""));
}

#[tokio::test]
async fn referrers_are_an_index_whatever_is_asked_for() {
    let registry = Registry::start().await;
    let subject = registry.push_image("a/b", "v1", "layer").await;
    let config = registry.push_blob("a/b", b"{}").await;
    let layer = registry.push_blob("a/b", b"sbom").await;
    let mut referrer = image(&config, 2, &layer, 4);
    referrer["subject"] = json!({ "mediaType": OCI_IMAGE, "digest": subject, "size": 1 });
    referrer["artifactType"] = json!("application/x.sbom");
    referrer["annotations"] = json!({ "made-by": "a test" });
    let bytes = referrer.to_string();
    let ask = registry.ask("PUT", "/v2/a/b/manifests/sbom").by_admin();
    let pushed = ask.with("content-type", OCI_IMAGE).body(bytes.clone()).send().await.is(201);
    assert_eq!(pushed.header("oci-subject"), subject.as_str());
    let ask = registry.ask("PUT", "/v2/a/b/manifests/sbom").by_admin();
    let again = ask.with("content-type", OCI_IMAGE).body(bytes.clone()).send().await.is(201);
    assert_eq!(again.header("oci-subject"), subject.as_str(), "a repeated PUT");

    let path = format!("/v2/a/b/referrers/{subject}");
    let get = async |path: &str| registry.ask("GET", path).by_admin().send().await.is(200);
    let answer = get(&path).await;
    assert_eq!(answer.header("content-type"), OCI_INDEX);
    let index = answer.json();
    assert_eq!(index["mediaType"], OCI_INDEX);
    let entry = &index["manifests"][0];
    assert_eq!(entry["artifactType"], "application/x.sbom");
    assert_eq!(entry["annotations"]["made-by"], "a test");
    assert_eq!(entry["size"], bytes.len());
    let filtered = get(&format!("{path}?artifactType=application/x.sbom")).await;
    assert_eq!(filtered.header("oci-filters-applied"), "artifactType");
    assert_eq!(filtered.json()["manifests"].as_array().unwrap().len(), 1);
    let other = get(&format!("{path}?artifactType=other")).await;
    assert_eq!(other.header("oci-filters-applied"), "artifactType");
    assert_eq!(other.json()["manifests"], json!([]));

    let unseen = format!("sha256:{}", "0".repeat(64));
    let none = get(&format!("/v2/a/b/referrers/{unseen}")).await;
    assert_eq!(none.json()["manifests"], json!([]));
    let nowhere = get(&format!("/v2/a/none/referrers/{unseen}")).await;
    assert_eq!(nowhere.json()["manifests"], json!([]));
    let bad = registry.ask("GET", "/v2/a/b/referrers/x").by_admin().send().await;
    bad.fails(400, "DIGEST_INVALID");
    registry.ask("DELETE", &format!("/v2/a/b/manifests/{subject}")).by_admin().send().await.is(202);
    assert_eq!(get(&path).await.json()["manifests"].as_array().unwrap().len(), 1, "it dangles");
}

//! The rules of repositories: tag limits, histories, tags that come back, quotas, counts.

use metadata::repositories::counts::{BATCH_MAX, RepositoriesUsed};
use oci::digest::Algorithm;
use oci::verifier::digest_of;
use serde_json::{Value, json};

use crate::harness::{Answer, OCI_IMAGE, OCI_INDEX, Registry};
use crate::people::propose;

const REPOSITORY: &str = "/api/v0/repositories/ann/web";

async fn get(registry: &Registry, path: &str) -> Value {
    registry.ask("GET", path).by_admin().send().await.is(200).json()
}

async fn patch(registry: &Registry, path: &str, body: &Value) -> Answer {
    registry.ask("PATCH", path).by_admin().body(body.to_string()).send().await
}

async fn set(registry: &Registry, settings: &Value) {
    let ask = registry.ask("POST", "/api/v0/meta/settings").by_admin();
    ask.body(settings.to_string()).send().await.is(202);
}

async fn names(registry: &Registry) -> Vec<String> {
    let list = get(registry, &format!("{REPOSITORY}/tags?pageSize=100")).await;
    list.as_array().unwrap().iter().map(|tag| tag["name"].as_str().unwrap().to_owned()).collect()
}

/// Event and manifest, the newest first.
async fn history(registry: &Registry, tag: &str) -> Vec<(String, String)> {
    let found = get(registry, &format!("{REPOSITORY}/tags/{tag}/history")).await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let events = found["events"].as_array().unwrap().iter();
    events.map(|event| (text(&event["event"]), text(&event["digest"]))).collect()
}

#[tokio::test]
async fn a_tag_limit_evicts_the_first_and_tells_the_pusher() {
    let registry = Registry::start().await;
    let first = registry.push_image("ann/web", "v1", "one").await;
    let limited = patch(&registry, REPOSITORY, &json!({ "tagLimit": 2 })).await.is(200).json();
    assert_eq!(limited["tagLimit"], 2);
    registry.push_image("ann/web", "v2", "two").await;
    // Pushed again, with another image: not renewed.
    let again = registry.push_image("ann/web", "v1", "three").await;
    let bytes = registry.ask("GET", &format!("/v2/ann/web/manifests/{first}")).by_admin();
    let bytes = bytes.send().await.is(200).body;
    let put = |tags: &str| {
        let path = format!("/v2/ann/web/manifests/{tags}");
        registry.ask("PUT", &path).by_admin().with("content-type", OCI_IMAGE).body(bytes.clone())
    };
    let answer = put("v3").send().await.is(201);
    let warning = answer.header("warning");
    assert_eq!(warning, "299 - \"the tag limit of the repository took these tags away: v1\"");
    assert_eq!(names(&registry).await, ["v2", "v3"]);
    let signature = format!("{}.sig", first.to_string().replace(':', "-"));
    assert_eq!(put(&signature).send().await.is(201).header("warning"), "");
    assert_eq!(names(&registry).await.len(), 3, "a signature does not count");
    let many = put(&format!("{first}?tag=a&tag=b&tag=c")).send().await.fails(403, "DENIED");
    assert_eq!(many.json()["errors"][0]["detail"], json!({ "reason": "TAG_LIMIT", "limit": 2 }));
    let expected = [("evicted", &again), ("pushed", &again), ("pushed", &first)];
    let expected = expected.map(|(event, digest)| (event.to_owned(), digest.to_string()));
    assert_eq!(history(&registry, "v1").await, expected);
    // Lowering the limit evicts at once.
    patch(&registry, REPOSITORY, &json!({ "tagLimit": 1 })).await.is(200);
    assert_eq!(names(&registry).await.len(), 2);
}

#[tokio::test]
async fn a_tag_limit_is_a_number_and_goes_with_no_immutable_tags() {
    let registry = Registry::start().await;
    registry.organization("ann").await;
    let namespace = "/api/v0/repositories/ann";
    let create = |body: Value| registry.ask("POST", namespace).by_admin().body(body.to_string());
    let both = json!({ "name": "web", "tagLimit": 3, "immutableTags": true });
    let refused = create(both).send().await.fails(400, "INVALID_SETTINGS").json();
    let said = refused["errors"][0]["message"].as_str().unwrap();
    assert!(said.contains("set tagLimit to 0 or immutableTags to false"), "{said}");
    let created = create(json!({ "name": "web", "tagLimit": 3 })).send().await.is(201).json();
    assert_eq!(created["tagLimit"], 3);
    let later = patch(&registry, REPOSITORY, &json!({ "immutableTags": true })).await;
    later.fails(400, "INVALID_SETTINGS");
    let instead = json!({ "immutableTags": true, "tagLimit": 0 });
    let changed = patch(&registry, REPOSITORY, &instead).await.is(200).json();
    assert_eq!((&changed["immutableTags"], &changed["tagLimit"]), (&json!(true), &json!(0)));
    let too_many = patch(&registry, REPOSITORY, &json!({ "tagLimit": 1_000_001 })).await;
    too_many.fails(400, "INVALID_SETTINGS");
    let negative = patch(&registry, REPOSITORY, &json!({ "tagLimit": -1 })).await;
    negative.fails(400, "INVALID_JSON");
}

#[tokio::test]
async fn a_deleted_tag_comes_back_with_its_image() {
    let registry = Registry::start().await;
    registry.user("bob").await;
    let digest = registry.push_image("ann/web", "v1", "layer").await;
    let layer = digest_of(Algorithm::Sha256, b"layer");
    let before = get(&registry, &format!("{REPOSITORY}/tags")).await;
    let undelete = || registry.ask("POST", &format!("{REPOSITORY}/tags/v1/undelete"));
    undelete().by_admin().send().await.fails(404, "NO_SUCH_TAG");
    let delete = registry.ask("DELETE", &format!("{REPOSITORY}/manifests/{digest}")).by_admin();
    delete.send().await.is(204);
    let manifest = format!("/v2/ann/web/manifests/{digest}");
    registry.ask("GET", &manifest).by_admin().send().await.fails(404, "MANIFEST_UNKNOWN");
    registry.ask("GET", "/v2/ann/web/manifests/v1").by_admin().send().await.is(404);
    let found = get(&registry, &format!("{REPOSITORY}/tags/v1/history")).await;
    assert_eq!(found["name"], "v1");
    assert_eq!(found["events"][0]["event"], "deleted");
    assert_eq!(found["events"][0]["actor"], "admin");
    assert!(found["undeleteUntil"].as_str().unwrap() > found["events"][0]["at"].as_str().unwrap());

    let listed = get(&registry, &format!("{REPOSITORY}/tags?deleted=true")).await;
    assert_eq!(listed.as_array().map(Vec::len), Some(1), "{listed}");
    assert_eq!(
        (&listed[0]["name"], &listed[0]["digest"]),
        (&json!("v1"), &found["events"][0]["digest"])
    );
    assert_eq!(listed[0]["undeleteUntil"], found["undeleteUntil"]);
    let ask = registry.ask("GET", &format!("{REPOSITORY}/tags?deleted=true&count=true"));
    assert_eq!(ask.by_admin().send().await.is(200).header("x-resource-count"), "1");
    let ask = registry.ask("GET", &format!("{REPOSITORY}/tags?deleted=true"));
    ask.by(("bob", "pw")).send().await.fails(404, "NO_SUCH_REPOSITORY");

    undelete().by(("bob", "pw")).send().await.fails(404, "NO_SUCH_REPOSITORY");
    undelete().send().await.fails(401, "NOT_AUTHENTICATED");
    let back = undelete().by_admin().send().await.is(200).json();
    assert_eq!(back["digest"], digest.to_string());
    assert_eq!(get(&registry, &format!("{REPOSITORY}/tags")).await, before);
    registry.ask("GET", &manifest).by_admin().send().await.is(200);
    let blob = registry.ask("GET", &format!("/v2/ann/web/blobs/{layer}")).by_admin();
    assert_eq!(blob.send().await.is(200).body, b"layer");
    let events: Vec<_> =
        history(&registry, "v1").await.into_iter().map(|(event, _)| event).collect();
    assert_eq!(events, ["undeleted", "deleted", "pushed"]);
    let found = get(&registry, &format!("{REPOSITORY}/tags/v1/history")).await;
    assert!(found["undeleteUntil"].is_null(), "{found}");
    assert_eq!(get(&registry, &format!("{REPOSITORY}/tags?deleted=true")).await, json!([]));
}

#[tokio::test]
async fn what_stands_in_the_way_of_a_tag_is_said() {
    let registry = Registry::start().await;
    registry.push_image("ann/web", "v1", "one").await;
    let delete = async |tag: &str| {
        let path = format!("{REPOSITORY}/tags/{tag}");
        registry.ask("DELETE", &path).by_admin().send().await.is(204);
    };
    let undelete = async |tag: &str| {
        let path = format!("{REPOSITORY}/tags/{tag}/undelete");
        registry.ask("POST", &path).by_admin().send().await
    };
    delete("v1").await;
    registry.push_image("ann/web", "v1", "two").await;
    undelete("v1").await.fails(409, "TAG_EXISTS");
    delete("v1").await;
    registry.push_image("ann/web", "v2", "three").await;
    patch(&registry, REPOSITORY, &json!({ "tagLimit": 1 })).await.is(200);
    undelete("v1").await.fails(409, "NOT_ALLOWED");
    undelete("v0").await.fails(404, "NO_SUCH_TAG");
    undelete(".v0").await.fails(400, "INVALID_PARAMETERS");
    let ask = |path: &str| registry.ask("GET", &format!("{REPOSITORY}{path}")).by_admin();
    ask("/tags/v0/history").send().await.fails(404, "NO_SUCH_TAG");
    // Without a window nothing comes back.
    set(&registry, &json!({ "undeleteWindowSeconds": 0 })).await;
    delete("v2").await;
    undelete("v2").await.fails(404, "NO_SUCH_TAG");
    let settings = get(&registry, "/api/v0/meta/settings").await;
    assert_eq!(settings["undeleteWindowSeconds"], 0);
}

#[tokio::test]
async fn a_quota_is_kept_and_says_what_is_missing() {
    let registry = Registry::start().await;
    registry.user("bob").await;
    registry.push_image("ann/web", "v1", "one").await;
    let account = "/enzi/v0/accounts/ann";
    let used = get(&registry, account).await["usedBytes"].as_u64().unwrap();
    let limit = used + 100;
    let quota = json!({ "quotaBytes": limit });
    let by_bob = registry.ask("PATCH", account).by(("bob", "pw")).body(quota.to_string());
    by_bob.send().await.fails(403, "NOT_AUTHORIZED");
    let changed = patch(&registry, account, &quota).await.is(200).json();
    assert_eq!((&changed["quotaBytes"], &changed["usedBytes"]), (&json!(limit), &json!(used)));

    let large = vec![7; 101];
    let digest = digest_of(Algorithm::Sha256, &large);
    let detail = json!({
        "reason": "QUOTA_EXCEEDED", "namespace": "ann", "used": used, "limit": limit, "asked": 101,
    });
    let path = format!("/v2/ann/web/blobs/uploads/?digest={digest}");
    // Early, where the length is known; and for good, where it is not.
    for ask in [registry.ask("POST", &path), registry.ask("POST", &path).chunked()] {
        let refused = ask.by_admin().body(large.clone()).send().await.fails(403, "DENIED").json();
        assert_eq!(refused["errors"][0]["detail"], detail);
        let said = refused["errors"][0]["message"].as_str().unwrap();
        assert!(said.contains(&format!("{used} are used, and this needs 101 more")), "{said}");
    }
    // In chunks: what can't be there is refused before its bytes are taken.
    let start = registry.ask("POST", "/v2/ann/web/blobs/uploads/").by_admin().send().await.is(202);
    let huge = registry.ask("PATCH", start.header("location")).by_admin();
    let huge = huge.body(vec![7; usize::try_from(limit).unwrap() + 1]).send().await;
    huge.fails(403, "DENIED");
    // A mount counts as well, a blob of the same namespace does not.
    let elsewhere = registry.push_blob("eve/app", &large).await;
    let mount = |to: &str, digest: &str, from: &str| {
        let path = format!("/v2/{to}/blobs/uploads/?mount={digest}&from={from}");
        registry.ask("POST", &path).by_admin()
    };
    let mounted = mount("ann/web", elsewhere.as_str(), "eve/app").send().await;
    assert_eq!(mounted.fails(403, "DENIED").json()["errors"][0]["detail"], detail);
    let layer = digest_of(Algorithm::Sha256, b"one");
    mount("ann/copy", layer.as_str(), "ann/web").send().await.is(201);
    registry.push_image("ann/web", "v2", "one").await;
    // A manifest counts with its own bytes.
    registry.push_blob("ann/web", &[8; 100]).await;
    let index = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [] });
    let put = registry.ask("PUT", "/v2/ann/web/manifests/none").by_admin();
    let put = put.with("content-type", OCI_INDEX).body(index.to_string()).send().await;
    assert_eq!(put.fails(403, "DENIED").json()["errors"][0]["detail"]["used"], limit);
    // Deleting frees.
    let digest = digest_of(Algorithm::Sha256, &[8; 100]);
    let delete = registry.ask("DELETE", &format!("/v2/ann/web/blobs/{digest}")).by_admin();
    delete.send().await.is(202);
    assert_eq!(get(&registry, account).await["usedBytes"], used);
    registry.push_blob("ann/web", &[9; 100]).await;
}

#[tokio::test]
async fn who_manages_an_account_sees_what_it_uses_and_others_do_not() {
    let registry = Registry::start().await;
    registry.user("ann").await;
    registry.user("bob").await;
    registry.push_blob("ann/web", b"twelve bytes").await;
    let seen = async |who: &str, account: &str| {
        let ask = registry.ask("GET", &format!("/enzi/v0/accounts/{account}"));
        ask.by((who, "pw")).send().await.is(200).json()["usedBytes"].clone()
    };
    assert_eq!(seen("ann", "ann").await, 12);
    assert_eq!(seen("bob", "ann").await, Value::Null);
    assert_eq!(seen("bob", "bob").await, 0);
    let list = get(&registry, "/enzi/v0/accounts?filter=users").await;
    let used: Vec<_> =
        list["accounts"].as_array().unwrap().iter().map(|it| &it["usedBytes"]).collect();
    assert_eq!(used, [&json!(0), &json!(12), &json!(0)]);
    let body = json!({ "name": "org", "isOrg": true, "quotaBytes": 5 }).to_string();
    let made = registry.ask("POST", "/enzi/v0/accounts").by_admin().body(body).send().await;
    assert_eq!(made.is(201).json()["quotaBytes"], 5);
}

#[tokio::test]
async fn pulls_and_pushes_are_counted_once_each_and_told_together() {
    let registry = Registry::start().await;
    let image = registry.push_image("ann/web", "v1", "one").await;
    let by_digest = format!("/v2/ann/web/manifests/{image}");
    let size = registry.ask("GET", &by_digest).by_admin().send().await.is(200).body.len();
    let child = json!({ "mediaType": OCI_IMAGE, "digest": image, "size": size });
    let index = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [child] });
    let index = registry.push_manifest("ann/web", "all", &index).await;
    // A look, and what a cache has still, are no pulls; nor is the image after its index.
    let tag = "/v2/ann/web/manifests/all";
    registry.ask("HEAD", tag).by_admin().send().await.is(200);
    registry.ask("GET", tag).by_admin().send().await.is(200);
    let known = registry.ask("GET", tag).by_admin().with("if-none-match", &format!("\"{index}\""));
    known.send().await.is(304);
    registry.ask("GET", &by_digest).by_admin().send().await.is(200);
    let by_index = format!("/v2/ann/web/manifests/{index}");
    registry.ask("GET", &by_index).by_admin().send().await.is(200);
    let counts = async || {
        let shown = get(&registry, REPOSITORY).await;
        (shown["pulls"].as_u64().unwrap(), shown["pushes"].as_u64().unwrap())
    };
    assert_eq!(counts().await, (0, 0), "not told yet");
    let uses = registry.context.uses.take(BATCH_MAX);
    assert_eq!(uses.len(), 1, "one repository, however often");
    propose(&registry, RepositoriesUsed { uses }).await;
    // By digest before there was an index, by tag, and by the index's digest.
    assert_eq!(counts().await, (3, 2));
    assert!(registry.context.uses.take(BATCH_MAX).is_empty());
}

#[tokio::test]
async fn while_read_only_no_byte_is_taken_and_no_tag_changes() {
    let registry = Registry::start().await;
    let digest = registry.push_image("ann/web", "v1", "one").await;
    registry.push_image("ann/web", "gone", "two").await;
    let path = format!("{REPOSITORY}/tags/gone");
    registry.ask("DELETE", &path).by_admin().send().await.is(204);
    let start = registry.ask("POST", "/v2/ann/web/blobs/uploads/").by_admin().send().await.is(202);
    let location = start.header("location").to_owned();
    set(&registry, &json!({ "readOnlyRegistry": true })).await;
    let layer = digest_of(Algorithm::Sha256, b"one");
    let registry_paths = [
        ("PATCH", location.clone()),
        ("PUT", format!("{location}?digest={layer}")),
        ("POST", format!("/v2/ann/new/blobs/uploads/?mount={layer}&from=ann/web")),
        ("DELETE", format!("/v2/ann/web/blobs/{layer}")),
        ("PUT", format!("/v2/ann/web/manifests/{digest}?tag=v2")),
    ];
    for (method, path) in registry_paths {
        let answer = registry.ask(method, &path).by_admin().body("one").send().await;
        let answer = answer.fails(405, "UNSUPPORTED");
        assert_eq!(answer.json()["errors"][0]["detail"]["reason"], "READ_ONLY", "{method} {path}");
    }
    let management = [
        ("DELETE", format!("{REPOSITORY}/tags/v1"), ""),
        ("DELETE", format!("{REPOSITORY}/manifests/{digest}"), ""),
        ("POST", format!("{REPOSITORY}/tags/gone/undelete"), ""),
        ("PATCH", REPOSITORY.to_owned(), r#"{"tagLimit":1}"#),
        ("POST", "/api/v0/repositories/ann".to_owned(), r#"{"name":"new"}"#),
        ("DELETE", REPOSITORY.to_owned(), ""),
    ];
    for (method, path, body) in management {
        let answer = registry.ask(method, &path).by_admin().body(body).send().await;
        answer.fails(405, "NOT_ALLOWED");
    }
    // Pulls, settings and what is said of a repository go on; the upload is where it was.
    registry.ask("GET", "/v2/ann/web/manifests/v1").by_admin().send().await.is(200);
    registry.ask("GET", &location).by_admin().send().await.is(204);
    patch(&registry, REPOSITORY, &json!({ "shortDescription": "still" })).await.is(200);
    let status = get(&registry, "/api/v0/meta/cluster_status").await;
    let replicas = status["replica_readonly"].as_object().unwrap();
    assert!(!replicas.is_empty() && replicas.values().all(|it| *it == json!(true)), "{replicas:?}");
    set(&registry, &json!({ "readOnlyRegistry": false })).await;
    let path = format!("{location}?digest={layer}");
    registry.ask("PUT", &path).by_admin().body("one").send().await.is(201);
}

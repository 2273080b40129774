//! `/api/v0/…/tags` and `…/manifests`: what is in a repository, as the old product showed it.

use serde_json::{Value, json};

use crate::harness::{OCI_INDEX, Registry, image};

const REPOSITORY: &str = "/api/v0/repositories/ann/web";

/// Pushes an image with a configuration of its own and says its digest.
async fn push(registry: &Registry, reference: &str, architecture: &str) -> String {
    let config = json!({
        "os": "linux",
        "architecture": architecture,
        "created": "2026-01-02T03:04:05Z",
        "history": [
            { "created_by": "ADD files" },
            { "created_by": "CMD run", "empty_layer": true },
        ],
    });
    let config_bytes = config.to_string();
    let config = registry.push_blob("ann/web", config_bytes.as_bytes()).await;
    let layer = registry.push_blob("ann/web", architecture.as_bytes()).await;
    let body = image(&config, config_bytes.len(), &layer, architecture.len());
    registry.push_manifest("ann/web", reference, &body).await.to_string()
}

async fn get(registry: &Registry, path: &str) -> Value {
    registry.ask("GET", &format!("{REPOSITORY}{path}")).by_admin().send().await.is(200).json()
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|tag| tag["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_tag_shows_its_image_and_how_it_was_made() {
    let registry = Registry::start().await;
    let digest = push(&registry, "v1", "amd64").await;
    let list = get(&registry, "/tags").await;
    assert_eq!(names(&list), ["v1"]);
    assert_eq!(list[0]["digest"], digest);
    assert_eq!(list[0]["author"], "admin");
    assert_eq!(list[0]["manifest"], json!({ "digest": digest }));
    let opened = get(&registry, "/tags?includeManifests=true").await;
    let one = get(&registry, "/tags/v1").await;
    assert_eq!(one[0]["manifest"], opened[0]["manifest"]);
    let manifest = &one[0]["manifest"];
    assert_eq!(manifest["os"], "linux");
    assert_eq!(manifest["architecture"], "amd64");
    assert_eq!(manifest["size"], 5);
    assert_eq!(manifest["createdAt"], "2026-01-02T03:04:05Z");
    let steps = manifest["dockerfile"].as_array().unwrap();
    let steps: Vec<_> = steps.iter().map(|step| (&step["line"], &step["isEmpty"])).collect();
    assert_eq!(steps, [(&json!("ADD files"), &json!(false)), (&json!("CMD run"), &json!(true))]);
    let manifests = get(&registry, "/manifests").await;
    assert_eq!(manifests[0]["digest"], digest);
}

#[tokio::test]
async fn an_index_is_shown_once_for_each_platform_and_a_digest_with_all_its_tags() {
    let registry = Registry::start().await;
    let mut children = Vec::new();
    for architecture in ["amd64", "arm64"] {
        let digest = push(&registry, architecture, architecture).await;
        let manifest = registry.ask("GET", &format!("/v2/ann/web/manifests/{digest}")).by_admin();
        let size = manifest.send().await.is(200).body.len();
        children.push(json!({
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": digest, "size": size,
            "platform": { "os": "linux", "architecture": architecture },
        }));
    }
    let index = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": children });
    let index = registry.push_manifest("ann/web", "all", &index).await;
    let shown = get(&registry, "/tags/all").await;
    let of = |entry: &Value| entry["manifest"]["architecture"].as_str().unwrap().to_owned();
    let found: Vec<_> = shown.as_array().unwrap().iter().map(of).collect();
    assert_eq!(found, ["amd64", "arm64"]);
    let chosen = get(&registry, "/tags/all?os=linux&arch=arm64").await;
    assert_eq!(chosen.as_array().unwrap().len(), 1);
    assert_eq!(get(&registry, "/tags/all?os=windows").await, json!([]));
    let again = registry.ask("GET", "/v2/ann/web/manifests/all").by_admin().send().await.is(200);
    let path = "/v2/ann/web/manifests/second";
    let put = registry.ask("PUT", path).by_admin().with("content-type", OCI_INDEX);
    put.body(again.body).send().await.is(201);
    let by_digest = get(&registry, &format!("/tags/{index}?arch=amd64")).await;
    assert_eq!(names(&by_digest), ["all", "second"]);
}

#[tokio::test]
async fn tags_and_manifests_come_in_pages_that_go_on_where_they_ended() {
    let registry = Registry::start().await;
    for (tag, architecture) in [("a", "x86"), ("b", "arm"), ("c", "mips"), ("d", "s390")] {
        push(&registry, tag, architecture).await;
    }
    for (list, key) in [("tags", "name"), ("manifests", "digest")] {
        let (mut start, mut seen) = (String::new(), Vec::new());
        loop {
            let path = format!("{REPOSITORY}/{list}?pageSize=3&pageStart={start}");
            let page = registry.ask("GET", &path).by_admin().send().await.is(200);
            let entries = page.json().as_array().unwrap().clone();
            seen.extend(entries.iter().map(|entry| entry[key].as_str().unwrap().to_owned()));
            let Some(next) = page.headers.get("x-next-page-start") else { break };
            start = next.to_str().unwrap().to_owned();
            if list == "tags" {
                registry.ask("DELETE", &format!("{REPOSITORY}/tags/d")).by_admin().send().await;
            }
        }
        let expected = if list == "tags" { 3 } else { 4 };
        assert_eq!(seen.len(), expected, "{list}: {seen:?}");
    }
    let counted = registry.ask("GET", &format!("{REPOSITORY}/tags?count=true")).by_admin();
    assert_eq!(counted.send().await.is(200).header("x-resource-count"), "3");
    for start in ["manifests?pageStart=x", "tags?pageStart=a%2Fb", "tags?pageStart=%ff"] {
        let garbage = registry.ask("GET", &format!("{REPOSITORY}/{start}")).by_admin();
        garbage.send().await.fails(400, "INVALID_PARAMETERS");
    }
}

#[tokio::test]
async fn a_tag_goes_without_its_manifest_and_a_manifest_with_its_tags() {
    let registry = Registry::start().await;
    let digest = push(&registry, "v1", "amd64").await;
    push(&registry, "v2", "amd64").await;
    let ask = |method, path: &str| registry.ask(method, &format!("{REPOSITORY}{path}")).by_admin();
    ask("DELETE", "/tags/v1").send().await.is(204);
    ask("DELETE", "/tags/v1").send().await.fails(404, "NO_SUCH_TAG");
    ask("GET", "/tags/v1").send().await.fails(404, "NO_SUCH_REF");
    ask("GET", "/tags/.bad").send().await.fails(404, "NO_SUCH_REF");
    ask("DELETE", "/tags/.bad").send().await.fails(404, "NO_SUCH_TAG");
    ask("DELETE", &format!("/tags/{digest}")).send().await.fails(404, "NO_SUCH_TAG");
    ask("DELETE", "/tags/%ff").send().await.fails(400, "INVALID_PARAMETERS");
    let manifest = format!("/manifests/{digest}");
    ask("DELETE", "/manifests/v2").send().await.fails(400, "INVALID_DIGEST");
    ask("DELETE", &manifest).send().await.is(204);
    ask("DELETE", &manifest).send().await.fails(404, "NO_SUCH_REF");
    assert_eq!(get(&registry, "/tags").await, json!([]));
}

#[tokio::test]
async fn who_may_not_see_a_repository_sees_none_of_it() {
    let registry = Registry::start().await;
    registry.user("bob").await;
    let digest = push(&registry, "v1", "amd64").await;
    let paths = ["/tags", "/tags/v1", "/manifests", &format!("/tags/{digest}"), "/tags?count=true"];
    for path in paths {
        let path = format!("{REPOSITORY}{path}");
        let hidden = registry.ask("GET", &path).by(("bob", "pw")).send().await;
        let missing = registry.ask("GET", &path.replace("web", "gone")).by(("bob", "pw"));
        let missing = missing.send().await.fails(404, "NO_SUCH_REPOSITORY");
        let hidden = hidden.fails(404, "NO_SUCH_REPOSITORY");
        let said = String::from_utf8_lossy(&hidden.body).replace("web", "gone");
        assert_eq!(said, String::from_utf8_lossy(&missing.body));
        registry.ask("GET", &path).send().await.fails(401, "NOT_AUTHENTICATED");
    }
    let public = registry.ask("PATCH", REPOSITORY).by_admin().body(r#"{"visibility":"public"}"#);
    public.send().await.is(200);
    let seen = registry.ask("GET", &format!("{REPOSITORY}/tags")).by(("bob", "pw"));
    seen.send().await.is(200);
    let delete = registry.ask("DELETE", &format!("{REPOSITORY}/tags/v1")).by(("bob", "pw"));
    delete.send().await.fails(403, "NOT_AUTHORIZED");
}

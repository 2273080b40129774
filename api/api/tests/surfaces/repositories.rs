//! `/api/v0/repositories`, and what its settings do to `/v2`.

use serde_json::json;

use crate::harness::Registry;

const ALL: &str = "/api/v0/repositories";

#[tokio::test]
async fn a_repository_is_created_shown_changed_and_deleted() {
    let registry = Registry::start().await;
    registry.organization("ann").await;
    let (namespace, path) = ("/api/v0/repositories/ann", "/api/v0/repositories/ann/web");
    registry.ask("GET", path).by_admin().send().await.fails(404, "NO_SUCH_REPOSITORY");
    let asked = r#"{"name":"web","visibility":"private","shortDescription":"pages","unknown":1}"#;
    let created = registry.ask("POST", namespace).by_admin().body(asked).send().await.is(201);
    let created = created.json();
    assert_eq!(created["namespace"], "ann");
    assert_eq!(created["name"], "web");
    assert_eq!(created["visibility"], "private");
    assert_eq!(created["shortDescription"], "pages");
    assert_eq!(created["longDescription"], "");
    assert_eq!(created["immutableTags"], false);
    assert_eq!(created["id"].as_str().unwrap().len(), 36);
    let again = registry.ask("POST", namespace).by_admin().body(asked).send().await;
    again.fails(400, "REPOSITORY_EXISTS");

    let change = r#"{"visibility":"public","longDescription":"long","immutableTags":true}"#;
    let changed = registry.ask("PATCH", path).by_admin().body(change).send().await.is(200).json();
    assert_eq!(changed["visibility"], "public");
    assert_eq!(changed["shortDescription"], "pages", "what is not given stays");
    assert_eq!(registry.ask("GET", path).by_admin().send().await.is(200).json(), changed);
    registry.ask("DELETE", path).by_admin().send().await.is(204);
    registry.ask("GET", path).by_admin().send().await.fails(404, "NO_SUCH_REPOSITORY");
    registry.ask("DELETE", path).by_admin().send().await.fails(404, "NO_SUCH_REPOSITORY");
}

#[tokio::test]
async fn what_does_not_do_is_refused_with_its_code() {
    let registry = Registry::start().await;
    registry.user("bob").await;
    registry.organization("ann").await;
    let namespace = "/api/v0/repositories/ann";
    let cases = [
        (r#"{"name":"web","visibility":"secret"}"#, "INVALID_REPOSITORY_VISIBILITY"),
        (r#"{"name":"Web"}"#, "INVALID_REPOSITORY_NAME"),
        ("{}", "INVALID_REPOSITORY_NAME"),
        (r#"{"name":"web","tagLimit":1,"immutableTags":true}"#, "INVALID_SETTINGS"),
        (r#"{"name":"web","scanOnPush":true}"#, "INVALID_PARAMETERS"),
        (r#"{"name":"#, "INVALID_JSON"),
    ];
    for (body, code) in cases {
        registry.ask("POST", namespace).by_admin().body(body).send().await.fails(400, code);
    }
    let long = json!({ "name": "web", "shortDescription": "x".repeat(2_000) }).to_string();
    let refused = registry.ask("POST", namespace).by_admin().body(long).send().await;
    refused.fails(400, "INVALID_PARAMETERS");
    let seen = registry.ask("GET", ALL).by(("bob", "pw")).send().await.is(200).json();
    assert_eq!(seen["repositories"], json!([]));
    let nobody = registry.ask("POST", &format!("{ALL}/nobody")).by_admin();
    nobody.body(r#"{"name":"web"}"#).send().await.fails(404, "NO_SUCH_ACCOUNT");
    let nobody = registry.ask("GET", &format!("{ALL}/nobody")).by_admin();
    nobody.send().await.fails(404, "NO_SUCH_ACCOUNT");
    registry.ask("GET", ALL).send().await.fails(401, "NOT_AUTHENTICATED");
    for size in ["0", "-1", "x"] {
        let path = format!("{ALL}?pageSize={size}");
        registry.ask("GET", &path).by_admin().send().await.fails(400, "INVALID_PARAMETERS");
    }
}

#[tokio::test]
async fn lists_come_in_pages_of_all_and_of_one_namespace() {
    let registry = Registry::start().await;
    for namespace in ["ann", "ann-x", "bob"] {
        registry.organization(namespace).await;
    }
    for (namespace, name) in [("ann", "a"), ("ann", "b"), ("ann-x", "c"), ("bob", "d")] {
        let path = format!("{ALL}/{namespace}");
        let body = json!({ "name": name }).to_string();
        registry.ask("POST", &path).by_admin().body(body).send().await.is(201);
    }
    let mut seen = Vec::new();
    let mut start = String::new();
    loop {
        let path = format!("{ALL}?pageSize=3&pageStart={start}");
        let page = registry.ask("GET", &path).by_admin().send().await.is(200);
        let listed = page.json()["repositories"].as_array().unwrap().clone();
        seen.extend(
            listed.iter().map(|one| format!("{}/{}", text(one, "namespace"), text(one, "name"))),
        );
        let Some(next) = page.headers.get("x-next-page-start") else { break };
        start = next.to_str().unwrap().to_owned();
    }
    assert_eq!(seen, ["ann-x/c", "ann/a", "ann/b", "bob/d"]);
    let counted = registry.ask("GET", &format!("{ALL}?pageSize=1&count=true")).by_admin();
    assert_eq!(counted.send().await.is(200).header("x-resource-count"), "4");
    let own = registry.ask("GET", &format!("{ALL}/ann")).by_admin().send().await.is(200).json();
    let names: Vec<_> =
        own["repositories"].as_array().unwrap().iter().map(|one| text(one, "name")).collect();
    assert_eq!(names, ["a", "b"]);
}

fn text(value: &serde_json::Value, key: &str) -> String {
    value[key].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn public_pulls_need_no_login_and_immutable_tags_stay() {
    let registry = Registry::start().await;
    registry.push_image("ann/web", "v1", "one").await;
    let (path, manifest) = ("/api/v0/repositories/ann/web", "/v2/ann/web/manifests/v1");
    registry.ask("GET", manifest).send().await.fails(401, "UNAUTHORIZED");
    registry.ask("PATCH", path).by_admin().body(r#"{"visibility":"public"}"#).send().await.is(200);
    registry.ask("GET", manifest).send().await.is(200);
    registry.ask("PATCH", path).by_admin().body(r#"{"immutableTags":true}"#).send().await.is(200);
    let before = registry.ask("GET", manifest).by_admin().send().await.is(200);
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let mut other: serde_json::Value = serde_json::from_slice(&before.body).unwrap();
    other["annotations"] = json!({ "changed": "yes" });
    let put = |body: Vec<u8>| {
        registry.ask("PUT", manifest).by_admin().with("content-type", kind).body(body)
    };
    let refused = put(other.to_string().into_bytes()).send().await.fails(409, "DENIED");
    let said = String::from_utf8_lossy(&refused.body).into_owned();
    assert!(said.contains("tag=v1 cannot be overwritten because"), "{said}");
    put(before.body.clone()).send().await.is(201);
    registry.ask("PATCH", path).by_admin().body(r#"{"visibility":"private"}"#).send().await.is(200);
    registry.ask("GET", manifest).send().await.fails(401, "UNAUTHORIZED");
}

#[tokio::test]
async fn trust_data_is_refused_in_words_and_not_by_a_bare_404() {
    let registry = Registry::start().await;
    let path = "/v2/reg.example/ann/web/_trust/tuf/root.json";
    let answer = registry.ask("GET", path).by_admin().send().await.fails(405, "UNSUPPORTED");
    assert!(String::from_utf8_lossy(&answer.body).contains("DOCKER_CONTENT_TRUST"));
}

//! Who may do what, and who may know what: registry-protocol 2.3.

use metadata::repositories::Visibility;
use metadata::repositories::commands::RepositoryUpdate;
use oci::name::RepositoryName;

use crate::harness::{ADMIN, Registry};

async fn publish(registry: &Registry, name: &str) {
    let update = RepositoryUpdate {
        repository: RepositoryName::parse(name).unwrap(),
        actor: ADMIN.0.to_owned(),
        visibility: Some(Visibility::Public),
        immutable_tags: None,
        short_description: None,
        long_description: None,
        tag_limit: None,
    };
    registry.cluster.propose(update.into()).await.unwrap();
}

#[tokio::test]
async fn private_and_missing_look_alike_to_those_who_may_not_read() {
    let registry = Registry::start().await;
    registry.user("bob").await;
    registry.push_image("ann/secret", "v1", "one").await;
    for method in ["GET", "HEAD", "PUT", "DELETE"] {
        let mut answers = Vec::new();
        for name in ["ann/secret", "ann/nothing"] {
            let path = format!("/v2/{name}/manifests/v1");
            let anonymous = registry.ask(method, &path).send().await.is(401);
            let challenge = anonymous.header("www-authenticate").replace(name, "X");
            let stranger = registry.ask(method, &path).by(("bob", "pw")).send().await;
            let expected = if matches!(method, "GET" | "HEAD") { 404 } else { 403 };
            let stranger = stranger.is(expected);
            let body = String::from_utf8(stranger.body).unwrap().replace(name, "X");
            answers.push((challenge, body));
        }
        assert_eq!(answers[0], answers[1], "{method}");
    }
    let path = "/v2/ann/secret/blobs/uploads/";
    registry.ask("POST", path).by(("bob", "pw")).send().await.fails(403, "DENIED");
    registry.ask("POST", path).send().await.fails(401, "UNAUTHORIZED");
}

#[tokio::test]
async fn everyone_pulls_what_is_public_and_only_some_push() {
    let registry = Registry::start().await;
    registry.user("bob").await;
    registry.push_image("library/app", "v1", "one").await;
    publish(&registry, "library/app").await;
    let path = "/v2/library/app/manifests/v1";
    let answer = registry.ask("GET", path).send().await.is(200);
    let digest = answer.header("docker-content-digest").to_owned();
    assert_eq!(answer.header("vary"), "");
    let by_digest = format!("/v2/library/app/manifests/{digest}");
    let answer = registry.ask("GET", &by_digest).send().await.is(200);
    assert_eq!(answer.header("cache-control"), "max-age=31536000, immutable, public");
    let narrow = registry.token(None, &[]).await;
    registry.ask("GET", path).bearing(&narrow).send().await.is(200);
    registry.ask("GET", path).by(("bob", "wrong")).send().await.is(401);
    registry.ask("GET", path).by(("bob", "pw")).send().await.is(200);
    registry.ask("PUT", path).send().await.is(401);
    let push = registry.ask("PUT", path).by(("bob", "pw")).body("{}").send().await;
    let answer = push.fails(403, "DENIED");
    assert_eq!(answer.json()["errors"][0]["detail"]["reason"], "WRITE_REQUIRED");
}

#[tokio::test]
async fn an_upload_belongs_to_its_account_and_repository() {
    let registry = Registry::start().await;
    registry.user("ann").await;
    let start = registry.ask("POST", "/v2/ann/one/blobs/uploads/").by(("ann", "pw")).send().await;
    let location = start.is(202).header("location").to_owned();
    registry.ask("GET", &location).by(("ann", "pw")).send().await.is(204);
    let other = registry.ask("GET", &location).by_admin().send().await;
    other.fails(404, "BLOB_UPLOAD_UNKNOWN");
    let elsewhere = location.replace("ann/one", "ann/two");
    let other = registry.ask("PATCH", &elsewhere).by(("ann", "pw")).body("x").send().await;
    other.fails(404, "BLOB_UPLOAD_UNKNOWN");
}

#[tokio::test]
async fn a_push_creates_only_where_the_setting_and_the_right_allow() {
    let registry = Registry::start().await;
    registry.user("ann").await;
    registry.user("bob").await;
    let path = "/v2/ann/new/blobs/uploads/";
    registry.ask("POST", path).by(("bob", "pw")).send().await.is(403);
    registry.ask("POST", path).by(("ann", "pw")).send().await.is(202);
    let off = "{\"createRepositoryOnPush\":false}";
    registry.ask("POST", "/api/v0/meta/settings").by_admin().body(off).send().await.is(202);
    let answer = registry.ask("POST", path).by(("ann", "pw")).send().await.fails(403, "DENIED");
    let error = &answer.json()["errors"][0];
    assert_eq!(error["detail"]["reason"], "REPOSITORY_NOT_CREATED");
    assert!(error["message"].as_str().unwrap().contains("createRepositoryOnPush"));
}

#[tokio::test]
async fn while_the_registry_is_read_only_pulls_go_on_and_pushes_do_not() {
    let registry = Registry::start().await;
    let digest = registry.push_image("a/b", "v1", "one").await;
    let on = "{\"readOnlyRegistry\":true}";
    registry.ask("POST", "/api/v0/meta/settings").by_admin().body(on).send().await.is(202);
    registry.ask("GET", "/v2/a/b/manifests/v1").by_admin().send().await.is(200);
    let cases = [
        ("POST", "/v2/a/b/blobs/uploads/".to_owned()),
        ("PUT", "/v2/a/b/manifests/v2".to_owned()),
        ("DELETE", "/v2/a/b/manifests/v1".to_owned()),
        ("DELETE", format!("/v2/a/b/manifests/{digest}")),
    ];
    for (method, path) in cases {
        registry.ask(method, &path).by_admin().send().await.fails(405, "UNSUPPORTED");
    }
    let off = "{\"readOnlyRegistry\":false}";
    registry.ask("POST", "/api/v0/meta/settings").by_admin().body(off).send().await.is(202);
    registry.ask("DELETE", "/v2/a/b/manifests/v1").by_admin().send().await.is(202);
}

//! Requests as programs send them that were written for the old product, and what those read of the
//! answers.
//!
//! Source: dtr-interface 7.

use metadata::repositories::Visibility;
use serde_json::{Value, json};

use crate::harness::{ADMIN, Answer, Registry};
use crate::people::{acme, grant_web, repository, team, users};
use crate::roles::{ask, text};

/// Every entry of a list as Harbor follows it: page by page by `X-Next-Page-Start`, until that is
/// absent or empty.
async fn walk(registry: &Registry, path: &str, cursor: &str, key: Option<&str>) -> Vec<Value> {
    let (mut entries, mut next) = (Vec::new(), path.to_owned());
    for pages in 1.. {
        assert!(pages < 20, "{path} never ends");
        let answer = ask(registry, "GET", &next, "").await.is(200);
        assert_eq!(answer.header("content-type"), "application/json");
        let document = answer.json();
        let page = key.map_or(&document, |key| &document[key]);
        entries.extend(page.as_array().unwrap().iter().cloned());
        let start = answer.header("x-next-page-start");
        if start.is_empty() {
            break;
        }
        next = format!("{path}&{cursor}={start}");
    }
    entries
}

fn names(entries: &[Value]) -> Vec<&str> {
    entries.iter().map(|entry| entry["name"].as_str().unwrap()).collect()
}

/// Harbor's replication adapter for this kind of registry.
#[tokio::test]
async fn harbor_walks_repositories_tags_and_accounts_and_makes_what_is_missing() {
    let registry = Registry::start().await;
    users(&registry, &["ann"]).await;
    for number in 0..130 {
        repository(&registry, &format!("ann/app-{number:03}"), Visibility::Private).await;
        registry.organization(&format!("group-{number:03}")).await;
    }
    for number in 0..3 {
        registry.push_image("ann/app-000", &format!("v{number}"), "layer").await;
    }
    let repositories = "/api/v0/repositories?pageSize=100";
    let repositories = walk(&registry, repositories, "pageStart", Some("repositories")).await;
    assert_eq!(repositories.len(), 130);
    for one in &repositories {
        assert_eq!((text(one, "/namespace"), text(one, "/name").len()), ("ann".to_owned(), 7));
    }
    let tags = "/api/v0/repositories/ann/app-000/tags?pageSize=100";
    let tags = walk(&registry, tags, "pageStart", None).await;
    assert_eq!(names(&tags), ["v0", "v1", "v2"]);
    let accounts = "/enzi/v0/accounts?limit=100";
    let accounts = walk(&registry, accounts, "start", Some("accounts")).await;
    assert_eq!(accounts.len(), 132);
    let organizations = accounts.iter().filter(|one| one["isOrg"] == true);
    assert_eq!(organizations.count(), 130);
    // Where the target lacks a namespace or a repository it makes them, and 201 is success to it.
    let body = r#"{"type":"organization","name":"copied","isOrg":true}"#;
    ask(&registry, "POST", "/enzi/v0/accounts", body).await.is(201);
    let body = r#"{"name":"app","visibility":"public"}"#;
    let path = "/api/v0/repositories/copied";
    assert_eq!(ask(&registry, "POST", path, body).await.is(201).json()["namespace"], "copied");
    ask(&registry, "POST", path, body).await.fails(400, "REPOSITORY_EXISTS");
    // Its health check, and what it deletes.
    ask(&registry, "GET", "/api/v0/repositories?pageSize=1", "").await.is(200);
    let gone = "/api/v0/repositories/ann/app-000/tags/v0";
    ask(&registry, "DELETE", gone, "").await.is(204);
}

/// The Terraform provider: decodes the fields that it knows, whatever their case, and matches on
/// codes.
#[tokio::test]
async fn the_terraform_provider_reads_writes_and_tells_errors_apart() {
    let registry = acme().await;
    let health = registry.ask("GET", "/health").send().await.is(200).json();
    let field = |name: &str| {
        let fields = health.as_object().unwrap().iter();
        fields.clone().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    };
    assert_eq!((field("error"), field("healthy")), (Some(&json!("")), Some(&json!(true))));
    let version = ask(&registry, "GET", "/api/v0/admin/version", "").await.is(200).json();
    assert_eq!(version["version"].as_str().unwrap().split('.').count(), 3);

    let body = json!({
        "name": "infra", "shortDescription": "made by a plan", "longDescription": "",
        "visibility": "private", "scanOnPush": false, "immutableTags": true,
        "enableManifestLists": false, "tagLimit": 0,
    });
    let (path, body) = ("/api/v0/repositories/acme", body.to_string());
    let made = ask(&registry, "POST", path, &body).await.is(201).json();
    let shown = ask(&registry, "GET", "/api/v0/repositories/acme/infra", "").await.is(200).json();
    assert_eq!(made, shown, "a plan that was applied has nothing to change");
    assert_eq!((&shown["immutableTags"], text(&shown, "/id").len()), (&json!(true), 36));
    let path = "/api/v0/repositories/acme/infra";
    ask(&registry, "PATCH", path, r#"{"visibility":"public"}"#).await.is(200);
    ask(&registry, "DELETE", path, "").await.is(204);
    let gone = ask(&registry, "GET", path, "").await.fails(404, "NO_SUCH_REPOSITORY");
    assert_envelope(&gone);
    let pruning = "/api/v0/repositories/acme/web/pruningPolicies?initialEvaluation=false";
    assert_envelope(&ask(&registry, "POST", pruning, "{}").await.fails(404, "NOT_AVAILABLE"));

    let filters = [
        ("all", 8),
        ("users", 7),
        ("orgs", 1),
        ("admins", 1),
        ("non-admins", 6),
        ("active-users", 7),
        ("inactive-users", 0),
    ];
    for (filter, expected) in filters {
        let path = format!("/enzi/v0/accounts?filter={filter}&limit=3");
        let accounts = walk(&registry, &path, "start", Some("accounts")).await;
        assert_eq!(accounts.len(), expected, "{filter}");
    }
    let teams = ask(&registry, "GET", "/enzi/v0/accounts/acme/teams?limit=100", "").await.is(200);
    let teams = teams.json();
    let one = ask(&registry, "GET", "/enzi/v0/accounts/acme/teams/writers", "").await.json();
    for field in ["id", "orgID", "name", "description", "membersCount"] {
        assert!(!one[field].is_null(), "{field} of {one}");
    }
    assert!(teams["teams"].as_array().unwrap().contains(&one));
    let body = r#"{"name":"plan","description":"made by a plan"}"#;
    let made = ask(&registry, "POST", "/enzi/v0/accounts/acme/teams", body).await.is(201).json();
    let by_id = format!("/enzi/v0/accounts/acme/teams/{}", text(&made, "/id"));
    assert_eq!(ask(&registry, "GET", &by_id, "").await.is(200).json(), made);
    ask(&registry, "DELETE", &by_id, "").await.is(204);
    assert_envelope(&ask(&registry, "GET", &by_id, "").await.fails(404, "NO_SUCH_TEAM"));
}

/// `{"errors":[{"code","message"}]}`, and nothing beside it.
fn assert_envelope(answer: &Answer) {
    let document = answer.json();
    assert_eq!(document.as_object().unwrap().len(), 1, "{document}");
    let error = &document["errors"][0];
    assert!(error["code"].is_string() && error["message"].is_string(), "{document}");
}

/// What `docker registry` asks for, so far as it is there: `info`, `ls`, `inspect` and `rmi`.
#[tokio::test]
async fn the_registry_plug_in_lists_inspects_and_removes() {
    let registry = acme().await;
    grant_web(&registry).await;
    team(&registry, "acme", "more").await;
    let digest = registry.push_image("acme/web", "v1", "layer").await;
    registry.push_image("acme/web", "v2", "other").await;
    // It signs in by a token without a scope, and shows that.
    let token = registry.token(Some(ADMIN), &[]).await;
    let asked =
        async |method: &str, path: &str| registry.ask(method, path).bearing(&token).send().await;
    let settings = asked("GET", "/api/v0/meta/settings").await.is(200).json();
    assert_eq!(text(&settings, "/replicaID").len(), 12);
    asked("GET", "/api/v0/meta/cluster_status").await.is(200);
    let tags = asked("GET", "/api/v0/repositories/acme/web/tags?pageSize=10000").await.is(200);
    let tags = tags.json();
    assert_eq!(names(tags.as_array().unwrap()), ["v1", "v2"]);
    let one = asked("GET", "/api/v0/repositories/acme/web/tags/v1").await.is(200).json();
    assert_eq!(text(&one, "/0/digest"), digest.as_str());
    let image = &one[0]["manifest"];
    assert_eq!((&image["size"], text(image, "/digest")), (&json!(5), digest.to_string()));
    asked("DELETE", "/api/v0/repositories/acme/web/tags/v1").await.is(204);
    asked("GET", "/api/v0/repositories/acme/web/tags/v1").await.fails(404, "NO_SUCH_REF");
    let jobs = asked("GET", "/api/v0/jobs?action=&limit=50").await.is(200).json();
    assert_eq!(jobs["jobs"], json!([]));
    asked("GET", "/api/v0/jobs/1/logs").await.fails(404, "NO_SUCH_JOB");
}

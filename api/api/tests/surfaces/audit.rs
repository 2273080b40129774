//! The audit log by HTTP: which request did what, and a chain that fits together.

use serde_json::{Value, json};

use crate::harness::{ADMIN, Registry};
use crate::people::acme;
use crate::roles::ask;

const AUDIT: &str = "/api/v0/audit";

async fn records(registry: &Registry, query: &str) -> Vec<Value> {
    let answer = ask(registry, "GET", &format!("{AUDIT}?{query}"), "").await.is(200).json();
    answer["records"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_change_is_told_with_its_request_and_without_its_secret() {
    let registry = acme().await;
    let body = r#"{"name":"newcomer","password":"marble-harbor-52"}"#;
    let made = ask(&registry, "POST", "/enzi/v0/accounts", body).await.is(201);
    let id = made.header("x-request-id").to_owned();
    let found = records(&registry, "pageSize=1").await;
    let record = &found[0];
    assert_eq!(record["requestId"], json!(id));
    assert_eq!((&record["actor"], &record["action"]), (&json!(ADMIN.0), &json!("user.create")));
    assert_eq!((&record["objectType"], &record["object"]), (&json!("account"), &json!("newcomer")));
    assert_eq!(record["actorId"].as_str().map(str::len), Some(36));
    assert!(record["time"].as_str().unwrap().ends_with('Z'));
    let told = Value::from(records(&registry, "pageSize=1000").await).to_string();
    assert!(!told.contains("marble") && !told.contains("argon2"), "{told}");
    // Commands that carry no account of their own are known by the request's.
    let set = r#"{"createRepositoryOnPush":false}"#;
    ask(&registry, "POST", "/api/v0/meta/settings", set).await.is(202);
    let record = &records(&registry, "pageSize=1").await[0];
    assert_eq!((&record["actor"], &record["action"]), (&json!("admin"), &json!("settings.update")));
    let fact = json!([{ "name": "createRepositoryOnPush", "value": "false" }]);
    assert_eq!(record["facts"], fact);
}

/// A push says who it was and from where only where it creates something that is kept.
#[tokio::test]
async fn a_repository_that_a_push_creates_and_a_blob_that_goes_are_told_with_their_request() {
    let registry = Registry::start().await;
    let digest = registry.push_blob("admin/new", b"layer").await;
    let record = &records(&registry, "pageSize=1").await[0];
    assert_eq!(
        (&record["action"], &record["object"]),
        (&json!("repository.create"), &json!("admin/new"))
    );
    assert_eq!(record["actor"], json!(ADMIN.0));
    assert_eq!(record["requestId"].as_str().map(str::len), Some(16), "{record}");
    registry.push_blob("admin/new", b"another").await;
    let path = format!("/v2/admin/new/blobs/{digest}");
    let deleted = registry.ask("DELETE", &path).by_admin().send().await.is(202);
    let found = records(&registry, "pageSize=2").await;
    assert_eq!(found[0]["action"], json!("blob.delete"));
    assert_eq!(found[0]["object"], json!(format!("admin/new@{digest}")));
    assert_eq!(found[0]["requestId"], json!(deleted.header("x-request-id")));
    assert_eq!(found[1], *record, "the second blob created nothing");
}

#[tokio::test]
async fn what_was_refused_is_not_told() {
    let registry = acme().await;
    let before = records(&registry, "pageSize=1").await;
    let delete = registry.ask("DELETE", "/enzi/v0/accounts/mia").by(("stan", "pw"));
    delete.send().await.is(403);
    ask(&registry, "DELETE", "/enzi/v0/accounts/nobody", "").await.is(404);
    assert_eq!(records(&registry, "pageSize=1").await, before);
}

#[tokio::test]
async fn the_chain_fits_together_in_both_orders() {
    let registry = acme().await;
    let (mut rising, mut start) = (Vec::new(), String::new());
    let chain = loop {
        let path = format!("{AUDIT}?oldestFirst=true&pageSize=5&pageStart={start}&count=true");
        let answer = ask(&registry, "GET", &path, "").await.is(200);
        let document = answer.json();
        rising.extend(document["records"].as_array().unwrap().clone());
        assert_eq!(answer.header("x-resource-count"), document["chain"]["last"].to_string());
        start = answer.header("x-next-page-start").to_owned();
        if start.is_empty() {
            break document["chain"].clone();
        }
    };
    assert!(rising.len() > 10, "{}", rising.len());
    assert_eq!(rising[0]["action"], "cluster.create");
    assert_eq!(rising[0]["previousHash"], chain["anchor"]);
    assert_eq!(chain["anchor"], json!("0".repeat(64)));
    assert_eq!(rising.last().unwrap()["hash"], chain["head"]);
    for pair in rising.windows(2) {
        assert_eq!(pair[1]["previousHash"], pair[0]["hash"]);
    }
    assert_eq!(chain["clusterId"], json!(registry.cluster.cluster_id()));
    let mut falling = records(&registry, "pageSize=1000").await;
    falling.reverse();
    assert_eq!(falling, rising);
}

#[tokio::test]
async fn the_log_is_filtered_and_what_does_not_read_is_refused() {
    let registry = acme().await;
    let count = async |query: &str| records(&registry, query).await.len();
    assert_eq!(count("action=team.create").await, 3);
    assert_eq!(count("action=team.&pageSize=100").await, 6, "three teams, a member each");
    assert_eq!(count("object=acme/web").await, 1);
    assert_eq!(count("actor=stan").await, 0);
    assert_eq!(count("actor=admin&action=repository.create").await, 2);
    assert_eq!(count("since=2099-01-01T00:00:00Z").await, 0);
    assert_eq!(count("until=2001-01-01T00:00:00Z").await, 0);
    assert_eq!(count("since=2001-01-01T00:00:00Z&pageSize=2").await, 2);
    for query in ["since=1", "until=soon", "pageStart=x", "pageSize=0", "oldestFirst=1"] {
        let answer = ask(&registry, "GET", &format!("{AUDIT}?{query}"), "").await;
        answer.fails(400, "INVALID_PARAMETERS");
    }
}

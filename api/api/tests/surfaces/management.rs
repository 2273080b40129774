//! The management API.

use serde_json::json;

use crate::harness::{ADMIN, Registry};

#[tokio::test]
async fn cluster_status_is_for_administrators_and_names_the_replica() {
    let registry = Registry::start().await;
    registry.user("ann").await;
    let path = "/api/v0/meta/cluster_status";
    let anonymous = registry.ask("GET", path).send().await.fails(401, "NOT_AUTHENTICATED");
    assert!(anonymous.header("www-authenticate").starts_with("Basic "));
    registry.ask("GET", path).by(("ann", "pw")).send().await.fails(403, "NOT_AUTHORIZED");
    let token = registry.token(Some(ADMIN), &[]).await;
    registry.ask("GET", path).bearing(&token).send().await.is(200);
    let status = registry.ask("GET", path).by_admin().send().await.is(200).json();
    let id = registry.cluster.replica_id().to_string();
    assert_eq!(status["replica_health"], json!({ id.clone(): "OK" }));
    assert_eq!(status["raft"]["leader"], id);
    assert_eq!(status["raft"]["voters"], json!([id]));
    assert_eq!(status["raft"]["cluster_version"], 1);
    assert_eq!(status["current_issues"], json!([]));
}

#[tokio::test]
async fn cluster_status_counts_blobs_as_healing_saw_them() {
    let registry = Registry::start().await;
    let content = &registry.context.content;
    let counted = async || {
        let path = "/api/v0/meta/cluster_status";
        let status = registry.ask("GET", path).by_admin().send().await.is(200).json();
        let raft = &status["raft"];
        ["under_replicated_blobs", "lost_blobs", "corrupt_blobs"].map(|key| raft[key].clone())
    };
    assert_eq!(counted().await, [json!(null), json!(null), json!(0)], "nobody has counted");
    let digest = registry.push_blob("a/b", b"layer").await;
    content.heal_once().await.unwrap();
    assert_eq!(counted().await, [json!(0), json!(0), json!(0)]);

    std::fs::write(registry.file_of(&digest), b"rotten").unwrap();
    content.store().check(&digest).await.unwrap();
    content.heal_once().await.unwrap();
    // The only copy was damaged; its replica has said so, and nobody has another.
    content.heal_once().await.unwrap();
    assert_eq!(counted().await, [json!(1), json!(1), json!(1)]);
}

#[tokio::test]
async fn settings_change_in_parts() {
    let registry = Registry::start().await;
    let path = "/api/v0/meta/settings";
    let settings = registry.ask("GET", path).by_admin().send().await.is(200).json();
    assert_eq!(settings["createRepositoryOnPush"], true);
    assert_eq!(settings["readOnlyRegistry"], false);
    assert_eq!(settings["dtrHost"], "reg.example");
    let change = "{\"createRepositoryOnPush\":false,\"unknown\":1,\"readOnlyRegistry\":null}";
    registry.ask("POST", path).by_admin().body(change).send().await.is(202);
    let settings = registry.ask("GET", path).by_admin().send().await.is(200).json();
    assert_eq!(settings["createRepositoryOnPush"], false);
    registry.ask("POST", path).by_admin().body("{").send().await.fails(400, "INVALID_JSON");
    let answer = registry.ask("DELETE", path).by_admin().send().await.fails(405, "NOT_ALLOWED");
    assert_eq!(answer.header("allow"), "GET, POST");
    registry.ask("GET", "/api/v0/nothing").by_admin().send().await.fails(404, "NOT_FOUND");
}

#[tokio::test]
async fn a_join_token_is_shown_once_and_can_be_ended() {
    let registry = Registry::start().await;
    let path = "/api/v0/join_tokens";
    let body = "{\"uses\":2,\"expiresIn\":600}";
    registry.ask("POST", path).body(body).send().await.is(401);
    let made = registry.ask("POST", path).by_admin().body(body).send().await.is(201).json();
    assert!(made["token"].as_str().unwrap().starts_with("hf1."));
    let listed = registry.ask("GET", path).by_admin().send().await.is(200);
    let text = String::from_utf8(listed.body.clone()).unwrap();
    let secret = made["token"].as_str().unwrap().rsplit_once('.').unwrap().1;
    assert!(!text.contains(secret));
    assert_eq!(listed.json()["joinTokens"][0]["usesLeft"], 2);
    let one = format!("{path}/{}", made["id"].as_str().unwrap());
    registry.ask("DELETE", &one).by_admin().send().await.is(204);
    registry.ask("DELETE", &one).by_admin().send().await.fails(404, "NO_SUCH_JOIN_TOKEN");
    let bad = registry.ask("POST", path).by_admin().body("{\"uses\":0}").send().await;
    bad.fails(400, "INVALID_PARAMETERS");
}

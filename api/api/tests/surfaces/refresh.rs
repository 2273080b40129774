//! Refresh tokens: what a client keeps in place of the password.

use serde_json::{Value, json};

use crate::harness::{ADMIN, Answer, Registry};
use crate::people::users;
use crate::roles::{credentials, text};

const TOKENS: &str = "/api/v0/api_tokens";

async fn post(registry: &Registry, form: &str) -> Answer {
    registry.ask("POST", "/auth/token").with("user-agent", "docker/27").body(form).send().await
}

async fn refresh(registry: &Registry, token: &str) -> Answer {
    let scope = "repository:ann/web:pull,push";
    let form = format!("grant_type=refresh_token&client_id=x&refresh_token={token}&scope={scope}");
    post(registry, &form).await
}

async fn tokens(registry: &Registry) -> Vec<Value> {
    let list = registry.ask("GET", TOKENS).by(credentials("ann")).send().await.is(200).json();
    list.as_array().unwrap().clone()
}

#[tokio::test]
async fn a_client_that_asks_takes_a_refresh_token_along() {
    let registry = Registry::start().await;
    users(&registry, &["ann"]).await;
    let form = "grant_type=password&username=ann&password=pw&client_id=docker";
    let without = post(&registry, form).await.is(200).json();
    assert_eq!(without.get("refresh_token"), None);
    assert!(tokens(&registry).await.is_empty());
    let with = post(&registry, &format!("{form}&access_type=offline")).await.is(200).json();
    let kept = text(&with, "/refresh_token");
    let made = tokens(&registry).await;
    assert_eq!(made.len(), 1);
    let said = ["/tokenLabel", "/generatedBy", "/creatorUa"].map(|place| text(&made[0], place));
    assert_eq!(said, ["docker", "auto", "docker/27"]);

    let fresh = refresh(&registry, &kept).await.is(200).json();
    assert_eq!(fresh["scope"], "repository:ann/web:pull,push");
    assert_eq!(fresh.get("refresh_token"), None);
    let bearer = text(&fresh, "/access_token");
    let push = || registry.ask("POST", "/v2/ann/web/blobs/uploads/").bearing(&bearer);
    push().send().await.is(202);
    registry.ask("GET", "/v2/").by(("ann", &kept)).send().await.is(200);

    // Revoked like any other.
    registry.ask("DELETE", TOKENS).by(credentials("ann")).send().await.is(200);
    refresh(&registry, &kept).await.fails(401, "UNAUTHORIZED");
    push().send().await.is(401);
}

#[tokio::test]
async fn a_refresh_token_that_is_none_is_refused() {
    let registry = Registry::start().await;
    let drawn = format!("hf_{}", "A".repeat(43));
    for token in ["", "x", "pw", &drawn] {
        let answer = refresh(&registry, token).await.fails(401, "UNAUTHORIZED");
        assert!(answer.header("www-authenticate").starts_with("Basic "), "{token}");
    }
    let bearer = registry.token(Some(ADMIN), &[]).await;
    refresh(&registry, &bearer).await.fails(401, "UNAUTHORIZED");
    post(&registry, "grant_type=other").await.is(400);
}

#[tokio::test]
async fn by_get_it_is_asked_for_in_another_word() {
    let registry = Registry::start().await;
    users(&registry, &["ann"]).await;
    let path = "/auth/token?service=s&client_id=docker&offline_token=true";
    let given = registry.ask("GET", path).by(credentials("ann")).send().await.is(200).json();
    refresh(&registry, &text(&given, "/refresh_token")).await.is(200);
    let nobody = registry.ask("GET", path).send().await.is(200).json();
    assert_eq!(nobody.get("refresh_token"), None, "nobody has nothing to keep");
    let wrong = registry.ask("GET", path).by(("ann", "wrong")).send().await;
    wrong.is(401);
    assert_eq!(tokens(&registry).await.len(), 1);
}

#[tokio::test]
async fn an_access_token_is_its_own_refresh_token() {
    let registry = Registry::start().await;
    users(&registry, &["ann"]).await;
    let body = json!({ "scopes": ["repository:ann/*:pull"] }).to_string();
    let ask = registry.ask("POST", TOKENS).by(credentials("ann")).body(body);
    let made = text(&ask.send().await.is(200).json(), "/token");
    let path = "/auth/token?offline_token=true";
    let by_get = registry.ask("GET", path).by(("ann", &made)).send().await.is(200).json();
    let form = format!("grant_type=refresh_token&refresh_token={made}&access_type=offline");
    let by_post = post(&registry, &form).await.is(200).json();
    for answer in [by_get, by_post] {
        assert_eq!(answer["refresh_token"], made, "no further one, without its bounds");
    }
    assert_eq!(tokens(&registry).await.len(), 1);
    let fresh = refresh(&registry, &made).await.is(200).json();
    assert_eq!(fresh["scope"], "repository:ann/web:pull");
}

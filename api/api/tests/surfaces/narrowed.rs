//! What a token that was given for something in particular does not do.

use serde_json::json;

use crate::harness::{ADMIN, Registry};

/// A token of the administrator, who asked for these scopes.
async fn bearer(registry: &Registry, scopes: &[&str]) -> String {
    registry.token(Some(ADMIN), scopes).await
}

#[tokio::test]
async fn a_token_manages_nothing_once_a_scope_was_named_granted_or_not() {
    let registry = Registry::start().await;
    registry.user("bob").await;
    let path = "/enzi/v0/accounts/bob";
    for scope in
        ["repository:ann/web:pull", "repository:No/Such:pull", "aliens:x:y", "", "repository"]
    {
        let token = bearer(&registry, &[scope]).await;
        let refused = registry.ask("DELETE", path).bearing(&token).send().await;
        refused.fails(401, "NOT_AUTHENTICATED");
        let refused = registry.ask("POST", "/api/v0/api_tokens").bearing(&token).send().await;
        refused.fails(401, "NOT_AUTHENTICATED");
    }
    let whole = bearer(&registry, &[]).await;
    registry.ask("GET", path).bearing(&whole).send().await.is(200);
    registry.ask("DELETE", path).bearing(&whole).send().await.is(204);
}

#[tokio::test]
async fn what_may_end_makes_nothing_that_lasts() {
    let registry = Registry::start().await;
    let tokens = "/api/v0/api_tokens";
    let made = registry.ask("POST", tokens).by_admin().body("{}").send().await.is(200).json();
    let text = made["token"].as_str().unwrap();
    let path = format!("{tokens}/{}", made["hashedToken"].as_str().unwrap());
    let by_token = (ADMIN.0, text);
    registry.ask("GET", tokens).by(by_token).send().await.is(200);
    registry.ask("POST", tokens).by(by_token).send().await.fails(403, "NOT_AUTHORIZED");
    let whole = bearer(&registry, &[]).await;
    registry.ask("POST", tokens).bearing(&whole).send().await.fails(403, "NOT_AUTHORIZED");
    // It may switch itself off, and only a password switches it on again.
    let switch = |on: bool| json!({ "isActive": on }).to_string();
    registry.ask("PATCH", &path).bearing(&whole).body(switch(false)).send().await.is(200);
    let refused = registry.ask("PATCH", &path).bearing(&whole).body(switch(true)).send().await;
    refused.fails(403, "NOT_AUTHORIZED");
    registry.ask("GET", tokens).by(by_token).send().await.fails(401, "NOT_AUTHENTICATED");
    registry.ask("PATCH", &path).by_admin().body(switch(true)).send().await.is(200);
    registry.ask("GET", tokens).by(by_token).send().await.is(200);
}

#[tokio::test]
async fn a_search_by_a_narrow_token_finds_what_everybody_does() {
    let registry = Registry::start().await;
    registry.push_image("ann/web-private", "v1", "one").await;
    let narrow = bearer(&registry, &["repository:ann/web-private:pull"]).await;
    let ask = |path: &str| registry.ask("GET", path);
    ask("/v1/search?q=web").by_admin().send().await.is(200);
    let found = ask("/api/v0/index/dockersearch?q=web").bearing(&narrow).send().await.is(200);
    assert_eq!(found.json()["num_results"], 0);
    let found = ask("/api/v0/index/dockersearch?q=web").by_admin().send().await.is(200);
    assert_eq!(found.json()["num_results"], 1);
}

#[tokio::test]
async fn a_document_that_does_not_read_is_not_repeated() {
    let registry = Registry::start().await;
    let body = r#"{"name":"eve","password":12345678}"#;
    let refused = registry.ask("POST", "/enzi/v0/accounts").by_admin().body(body).send().await;
    let refused = refused.fails(400, "INVALID_JSON");
    let said = String::from_utf8_lossy(&refused.body).into_owned();
    assert!(!said.contains("12345678") && said.contains("line 1"), "{said}");
}

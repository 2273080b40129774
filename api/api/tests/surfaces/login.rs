//! Ping, challenge and tokens.

use serde_json::json;

use crate::harness::{ADMIN, Registry};

#[tokio::test]
async fn ping_asks_everyone_to_sign_in_and_lets_those_in_who_do() {
    let registry = Registry::start().await;
    for path in ["/v2", "/v2/"] {
        let answer = registry.ask("GET", path).send().await.fails(401, "UNAUTHORIZED");
        assert_eq!(
            answer.header("www-authenticate"),
            "Bearer realm=\"http://reg.example/auth/token\",service=\"holdfast\""
        );
        assert_eq!(answer.header("docker-distribution-api-version"), "registry/2.0");
        assert_eq!(answer.header("x-request-id").len(), 16);
        assert_eq!(answer.header("cache-control"), "no-store");
    }
    let answer = registry.ask("GET", "/v2/").by_admin().send().await.is(200);
    assert_eq!(answer.json(), json!({}));
    registry.ask("GET", "/v2/").by(("admin", "wrong")).send().await.is(401);
    registry.ask("GET", "/v2/").by(("nobody", "x")).send().await.is(401);
    let token = registry.token(Some(ADMIN), &[]).await;
    registry.ask("GET", "/v2/").bearing(&token).send().await.is(200);
    let anonymous = registry.token(None, &[]).await;
    registry.ask("GET", "/v2/").bearing(&anonymous).send().await.is(200);
    let answer = registry.ask("POST", "/v2/").by_admin().send().await.fails(405, "UNSUPPORTED");
    assert_eq!(answer.header("allow"), "GET, HEAD");
}

#[tokio::test]
async fn forged_and_changed_tokens_are_invalid() {
    let registry = Registry::start().await;
    let token = registry.token(Some(ADMIN), &["repository:a/b:pull"]).await;
    let (rest, signature) = token.rsplit_once('.').unwrap();
    let turned: String = signature.chars().rev().collect();
    for bad in [format!("{rest}.{turned}"), format!("{rest}."), "x".to_owned(), "a.b.c".to_owned()]
    {
        let answer = registry.ask("GET", "/v2/a/b/tags/list").bearing(&bad).send().await;
        let answer = answer.fails(401, "UNAUTHORIZED");
        let challenge = answer.header("www-authenticate").to_owned();
        assert!(challenge.contains("error=\"invalid_token\""), "{bad}: {challenge}");
        assert!(challenge.contains("scope=\"repository:a/b:pull\""), "{challenge}");
    }
}

#[tokio::test]
async fn the_token_endpoint_grants_what_is_due_and_no_more() {
    let registry = Registry::start().await;
    registry.user("ann").await;
    registry.push_image("library/app", "v1", "one").await;
    let answer = registry
        .ask(
            "GET",
            "/auth/token?service=any&account=ann&scope=repository:ann/own:pull,push\
             &scope=repository:library/app:pull",
        )
        .by(("ann", "pw"))
        .send()
        .await
        .is(200);
    let body = answer.json();
    assert_eq!(body["token"], body["access_token"]);
    assert!(body["expires_in"].as_u64().unwrap() >= 60);
    assert!(body["issued_at"].as_str().unwrap().ends_with('Z'));
    assert_eq!(answer.header("cache-control"), "no-store");

    let form = "grant_type=password&service=s&client_id=c&username=ann&password=pw\
                &scope=repository%3Aann%2Fown%3Apull%2Cpush+repository%3Alibrary%2Fapp%3Apull";
    let answer = registry.ask("POST", "/auth/token").body(form).send().await.is(200);
    assert_eq!(answer.json()["scope"], "repository:ann/own:pull,push");

    let answer = registry.ask("GET", "/auth/token").by(("ann", "no")).send().await.is(401);
    assert!(answer.header("www-authenticate").starts_with("Basic "));
    let wrong = "grant_type=password&username=ann&password=no";
    registry.ask("POST", "/auth/token").body(wrong).send().await.is(401);
    registry.ask("POST", "/auth/token").body("grant_type=other").send().await.is(400);
    registry.ask("GET", "/auth/token").send().await.is(200);
}

#[tokio::test]
async fn a_token_narrower_than_the_right_asks_for_a_wider_one() {
    let registry = Registry::start().await;
    registry.push_image("library/app", "v1", "one").await;
    let token = registry.token(Some(ADMIN), &["repository:library/app:pull"]).await;
    let path = "/v2/library/app/manifests/v1";
    registry.ask("GET", path).bearing(&token).send().await.is(200);
    let answer = registry.ask("DELETE", path).bearing(&token).send().await;
    let answer = answer.fails(401, "UNAUTHORIZED");
    let challenge = answer.header("www-authenticate");
    assert!(challenge.contains("error=\"insufficient_scope\""), "{challenge}");
    assert!(challenge.contains("scope=\"repository:library/app:pull,delete\""), "{challenge}");
    let other = registry.ask("GET", "/v2/library/other/tags/list").bearing(&token).send().await;
    other.is(401);
    registry.ask("GET", "/v2/_catalog").bearing(&token).send().await.is(401);
    let wider = registry.token(Some(ADMIN), &["registry:catalog:*"]).await;
    registry.ask("GET", "/v2/_catalog").bearing(&wider).send().await.is(200);
}

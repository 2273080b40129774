//! `/api/v0/session`: signing in to the pages, and what ends that.

use serde_json::json;

use crate::harness::{ADMIN, Answer, Ask, Registry};
use crate::people::users;
use crate::roles::{ask, credentials, text};

const SESSION: &str = "/api/v0/session";

/// What a browser has after signing in.
struct Signed {
    cookie: String,
    csrf: String,
}

impl Signed {
    fn of(answer: &Answer) -> Self {
        let set = answer.header("set-cookie").to_owned();
        let (cookie, attributes) = set.split_once("; ").unwrap();
        assert_eq!(attributes, "Path=/; Secure; HttpOnly; SameSite=Strict");
        assert!(cookie.starts_with("__Host-holdfast="), "{cookie}");
        assert_eq!(answer.header("cache-control"), "no-store");
        Self { cookie: cookie.to_owned(), csrf: text(&answer.json(), "/csrfToken") }
    }

    fn ask<'a>(&self, registry: &'a Registry, method: &str, path: &str) -> Ask<'a> {
        registry.ask(method, path).with("cookie", &self.cookie)
    }

    fn changes<'a>(&self, registry: &'a Registry, method: &str, path: &str) -> Ask<'a> {
        self.ask(registry, method, path).with("x-csrf-token", &self.csrf)
    }
}

async fn sign_in(registry: &Registry, (username, password): (&str, &str)) -> Answer {
    let body = json!({"username": username, "password": password}).to_string();
    registry.ask("POST", SESSION).body(body).send().await
}

#[tokio::test]
async fn a_session_is_begun_used_and_ended() {
    let registry = Registry::start().await;
    users(&registry, &["ann"]).await;
    for wrong in [("ann", "wrong"), ("nobody", "pw"), ("", "")] {
        sign_in(&registry, wrong).await.fails(401, "NOT_AUTHENTICATED");
    }
    registry.ask("POST", SESSION).body("{}").send().await.fails(401, "NOT_AUTHENTICATED");
    let signed = Signed::of(&sign_in(&registry, credentials("ann")).await.is(200));
    let shown = signed.ask(&registry, "GET", SESSION).send().await.is(200).json();
    assert_eq!(shown, json!({"username": "ann", "isAdmin": false, "csrfToken": signed.csrf}));
    // Not only of a session, and not without one.
    registry.ask("GET", SESSION).by(credentials("ann")).send().await.is(401);
    registry.ask("GET", SESSION).send().await.is(401);

    let path = "/api/v0/repositories/ann";
    let body = |name: &str| json!({"name": name}).to_string();
    signed.ask(&registry, "POST", path).body(body("web")).send().await.fails(403, "NOT_AUTHORIZED");
    let forged = signed.ask(&registry, "POST", path).with("x-csrf-token", &"0".repeat(64));
    forged.body(body("web")).send().await.fails(403, "NOT_AUTHORIZED");
    signed.changes(&registry, "POST", path).body(body("web")).send().await.is(201);
    for (header, value, status) in [
        ("origin", "https://evil.example", 403),
        ("origin", "null", 403),
        ("sec-fetch-site", "cross-site", 403),
        ("sec-fetch-site", "same-site", 403),
        ("sec-fetch-site", "same-origin", 201),
        ("origin", "http://reg.example", 201),
    ] {
        let name = format!("r{}", value.len());
        let ask = signed.changes(&registry, "POST", path).with(header, value);
        let answer = ask.body(body(&name)).send().await;
        assert_eq!(answer.status.as_u16(), status, "{header}: {value}");
    }

    let other = Signed::of(&sign_in(&registry, credentials("ann")).await.is(200));
    signed.ask(&registry, "DELETE", SESSION).send().await.is(403);
    let ended = signed.changes(&registry, "DELETE", SESSION).send().await.is(204);
    assert!(ended.header("set-cookie").ends_with("Max-Age=0"));
    let refused = signed.ask(&registry, "GET", SESSION).send().await;
    refused.fails(401, "NOT_AUTHENTICATED");
    other.ask(&registry, "GET", SESSION).send().await.is(200);
    // One that is over does not keep anybody from beginning another.
    let again = json!({"username": "ann", "password": "pw"}).to_string();
    let again = signed.ask(&registry, "POST", SESSION).body(again).send().await.is(200);
    Signed::of(&again).ask(&registry, "GET", SESSION).send().await.is(200);
}

#[tokio::test]
async fn a_session_ends_with_the_password_and_the_account() {
    let registry = Registry::start().await;
    users(&registry, &["ann", "bob", "cat"]).await;
    let [ann, bob, cat] = [
        Signed::of(&sign_in(&registry, credentials("ann")).await.is(200)),
        Signed::of(&sign_in(&registry, credentials("bob")).await.is(200)),
        Signed::of(&sign_in(&registry, credentials("cat")).await.is(200)),
    ];
    let path = "/enzi/v0/accounts/ann/changePassword";
    ask(&registry, "POST", path, r#"{"newPassword":"long-enough"}"#).await.is(200);
    ann.ask(&registry, "GET", SESSION).send().await.is(401);
    ask(&registry, "PATCH", "/enzi/v0/accounts/bob", r#"{"isActive":false}"#).await.is(200);
    ask(&registry, "PATCH", "/enzi/v0/accounts/bob", r#"{"isActive":true}"#).await.is(200);
    bob.ask(&registry, "GET", SESSION).send().await.is(401);
    ask(&registry, "DELETE", "/enzi/v0/accounts/cat", "").await.is(204);
    cat.ask(&registry, "GET", SESSION).send().await.is(401);
}

#[tokio::test]
async fn a_session_is_begun_with_what_lasts_and_gives_no_tokens_of_the_registry() {
    let registry = Registry::start().await;
    users(&registry, &["ann"]).await;
    let made = registry.ask("POST", "/api/v0/api_tokens").by(credentials("ann")).body("{}");
    let token = text(&made.send().await.is(200).json(), "/token");
    sign_in(&registry, ("ann", &token)).await.fails(403, "NOT_AUTHORIZED");
    let bearer = registry.token(Some(credentials("ann")), &[]).await;
    registry.ask("POST", SESSION).bearing(&bearer).send().await.fails(403, "NOT_AUTHORIZED");
    registry.ask("POST", SESSION).by(credentials("ann")).send().await.is(200);
    let body = json!({"username": "ann", "password": "pw"}).to_string();
    let elsewhere = registry.ask("POST", SESSION).with("origin", "https://evil.example");
    elsewhere.body(body).send().await.fails(403, "NOT_AUTHORIZED");

    let signed = Signed::of(&sign_in(&registry, ADMIN).await.is(200));
    let path = "/auth/token?service=s&scope=registry:catalog:*";
    let given = signed.ask(&registry, "GET", path).send().await.is(200).json();
    let token = text(&given, "/token");
    registry.ask("GET", "/v2/_catalog").bearing(&token).send().await.is(401);
    signed.ask(&registry, "GET", "/v2/_catalog").send().await.is(200);
}

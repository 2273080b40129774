//! `publicKeys`: whose signature is whose.

use serde_json::{Value, json};

use crate::harness::{Answer, Registry};
use crate::people::users;
use crate::roles::{ask, credentials, text};

const KEY: &str = "-----BEGIN PUBLIC KEY-----\n\
    MCowBQYDK2VwAyEAVi4JYzkTVEI6dbFC5NHS6C6BFikNxR+stCfEshiBYZE=\n\
    -----END PUBLIC KEY-----\n";
/// SHA-256 of its DER.
const ID: &str = "218967ab2c9fa424ec03199e6460c8b49abcbdcdbd361dd5a2bfba313c24d902";

fn keys(user: &str) -> String {
    format!("/enzi/v0/accounts/{user}/publicKeys")
}

async fn add(registry: &Registry, who: &str, user: &str, key: &str) -> Answer {
    let body = json!({"publicKey": key, "label": "laptop"}).to_string();
    registry.ask("POST", &keys(user)).by(credentials(who)).body(body).send().await
}

#[tokio::test]
async fn a_user_keeps_their_public_keys() {
    let registry = Registry::start().await;
    users(&registry, &["ann", "bob"]).await;
    let made = add(&registry, "ann", "ann", KEY).await.is(201).json();
    let said = ["/id", "/publicKey", "/label"].map(|place| text(&made, place));
    assert_eq!(said, [ID, KEY, "laptop"]);
    add(&registry, "ann", "ann", KEY).await.is(201);
    add(&registry, "bob", "bob", KEY).await.fails(400, "PUBLIC_KEY_EXISTS");
    add(&registry, "bob", "ann", KEY).await.fails(403, "NOT_AUTHORIZED");
    add(&registry, "ann", "ann", "no key").await.fails(400, "INVALID_PARAMETERS");
    add(&registry, "ann", "ann", "").await.fails(400, "INVALID_PARAMETERS");

    let list = |who: &'static str| registry.ask("GET", &keys("ann")).by(credentials(who)).send();
    let listed = list("ann").await.is(200).json();
    assert_eq!(listed, json!({"accountPublicKeys": [made]}));
    list("bob").await.fails(403, "NOT_AUTHORIZED");
    ask(&registry, "GET", &keys("ann"), "").await.is(200);
    ask(&registry, "GET", &keys("none"), "").await.fails(404, "NO_SUCH_ACCOUNT");

    let one = format!("{}/{ID}", keys("ann"));
    let by_ann = |method: &str, path: &str, body: &str| {
        registry.ask(method, path).by(credentials("ann")).body(body).send()
    };
    let named = by_ann("PATCH", &one, r#"{"label":"desk"}"#).await.is(200).json();
    assert_eq!(text(&named, "/label"), "desk");
    let long = json!({"label": "x".repeat(1025)}).to_string();
    by_ann("PATCH", &one, &long).await.fails(400, "INVALID_PARAMETERS");
    let other = format!("{}/{}", keys("ann"), "0".repeat(64));
    for path in [&other, &format!("{}/x", keys("ann")), &format!("{}/{ID}", keys("bob"))] {
        let code = if path.contains("bob") { "NOT_AUTHORIZED" } else { "NO_SUCH_PUBLIC_KEY" };
        let status = if path.contains("bob") { 403 } else { 404 };
        by_ann("DELETE", path, "").await.fails(status, code);
    }
    by_ann("DELETE", &one, "").await.is(204);
    by_ann("DELETE", &one, "").await.fails(404, "NO_SUCH_PUBLIC_KEY");
    assert_eq!(list("ann").await.is(200).json(), json!({"accountPublicKeys": []}));
    add(&registry, "bob", "bob", KEY).await.is(201);
}

#[tokio::test]
async fn keys_come_in_pages() {
    let registry = Registry::start().await;
    users(&registry, &["ann"]).await;
    let p256 = include_str!("../../../../storage/wire/src/public_key/samples/p256.pem");
    for key in [KEY, p256] {
        add(&registry, "ann", "ann", key).await.is(201);
    }
    let page = |query: &str| {
        let path = format!("{}?{query}", keys("ann"));
        registry.ask("GET", &path).by(credentials("ann")).send()
    };
    let first = page("limit=1").await.is(200);
    let next = first.header("x-next-page-start").to_owned();
    let rest = page(&format!("limit=5&start={next}")).await.is(200);
    let ids = |answer: &Value| text(&answer["accountPublicKeys"], "/0/id");
    assert_eq!(ids(&rest.json()), next);
    assert!(ids(&first.json()) < next);
    page("start=x").await.fails(400, "INVALID_PARAMETERS");
}

//! `Idempotency-Key`: a change that is sent again is not made twice, and is answered as before.

use serde_json::{Value, json};

use crate::harness::{ADMIN, Answer, Registry};

const ACCOUNTS: &str = "/enzi/v0/accounts";

async fn sent(
    registry: &Registry,
    key: &str,
    (method, path): (&str, &str),
    body: &Value,
) -> Answer {
    by(registry, ADMIN, key, (method, path, body)).await
}

async fn by(
    registry: &Registry,
    who: (&str, &str),
    key: &str,
    (method, path, body): (&str, &str, &Value),
) -> Answer {
    let ask = registry.ask(method, path).by(who).with("idempotency-key", key);
    if body.is_null() { ask.send().await } else { ask.body(body.to_string()).send().await }
}

fn organization(name: &str) -> Value {
    json!({ "name": name, "isOrg": true })
}

async fn records(registry: &Registry, action: &str) -> usize {
    let path = format!("/api/v0/audit?action={action}&pageSize=1000");
    let answer = registry.ask("GET", &path).by_admin().send().await.is(200);
    answer.json()["records"].as_array().unwrap().len()
}

#[tokio::test]
async fn what_is_sent_again_is_answered_as_before_and_done_once() {
    let registry = Registry::start().await;
    let create = ("POST", ACCOUNTS);
    let first = sent(&registry, "k1", create, &organization("org")).await.is(201);
    assert_eq!(first.header("idempotent-replayed"), "");
    let again = sent(&registry, "k1", create, &organization("org")).await.is(201);
    assert_eq!((again.json(), again.header("idempotent-replayed")), (first.json(), "true"));
    let other = sent(&registry, "k1", create, &organization("another")).await;
    other.fails(422, "IDEMPOTENCY_KEY_REUSED");
    let elsewhere = ("POST", "/enzi/v0/accounts?x");
    let other = sent(&registry, "k1", elsewhere, &organization("org")).await;
    other.fails(422, "IDEMPOTENCY_KEY_REUSED");
    sent(&registry, "k2", create, &organization("org")).await.fails(400, "ACCOUNT_EXISTS");
    // What was refused may be right the next time.
    let path = "/enzi/v0/accounts/later";
    sent(&registry, "k3", ("DELETE", path), &Value::Null).await.fails(404, "NO_SUCH_ACCOUNT");
    sent(&registry, "k4", create, &organization("later")).await.is(201);
    sent(&registry, "k3", ("DELETE", path), &Value::Null).await.is(204);
    let again = sent(&registry, "k3", ("DELETE", path), &Value::Null).await.is(204);
    assert_eq!((again.header("idempotent-replayed"), again.body.len()), ("true", 0));
    assert_eq!(records(&registry, "organization.create").await, 2);
    assert_eq!(records(&registry, "account.delete").await, 1);
    // A question is asked anew each time.
    let ask = registry.ask("GET", "/enzi/v0/accounts/org").by_admin();
    let answer = ask.with("idempotency-key", "k1").send().await.is(200);
    assert_eq!(answer.header("idempotent-replayed"), "");
}

#[tokio::test]
async fn a_key_is_its_account_s_and_says_nothing_to_others() {
    let registry = Registry::start().await;
    registry.user("ann").await;
    registry.user("bob").await;
    let create = json!({ "name": "app", "longDescription": "of ann" });
    let (ann, bob) = (("ann", "pw"), ("bob", "pw"));
    let path = "/api/v0/repositories/ann";
    by(&registry, ann, "k", ("POST", path, &create)).await.is(201);
    by(&registry, bob, "k", ("POST", path, &create)).await.fails(403, "NOT_AUTHORIZED");
    let nobody = registry.ask("POST", path).with("idempotency-key", "k").body(create.to_string());
    nobody.send().await.fails(401, "NOT_AUTHENTICATED");
    // Nor to a token that was given for something in particular.
    let token = registry.token(Some(ann), &["repository:ann/app:pull"]).await;
    let narrow = registry.ask("POST", path).bearing(&token).with("idempotency-key", "k");
    narrow.body(create.to_string()).send().await.is(401);
    let again = by(&registry, ann, "k", ("POST", path, &create)).await.is(201);
    assert_eq!(again.header("idempotent-replayed"), "true");
}

/// Another password ends what the request was sent with; the answer is kept all the same.
#[tokio::test]
async fn a_password_is_changed_once() {
    let registry = Registry::start().await;
    registry.user("ann").await;
    let path = "/enzi/v0/accounts/ann/changePassword";
    let body = json!({ "oldPassword": "pw", "newPassword": "marble-harbor-52" });
    let first = by(&registry, ("ann", "pw"), "k", ("POST", path, &body)).await.is(200);
    let now = ("ann", "marble-harbor-52");
    let again = by(&registry, now, "k", ("POST", path, &body)).await.is(200);
    assert_eq!((again.json(), again.header("idempotent-replayed")), (first.json(), "true"));
    assert_eq!(records(&registry, "user.password").await, 1);
}

/// An answer that is too long to be kept is made again; where it can't be, that is said.
#[tokio::test]
async fn a_long_answer_is_made_again_without_the_change() {
    let registry = Registry::start().await;
    let (path, here) = ("/api/v0/repositories/admin", "/api/v0/repositories/admin/app");
    let create = json!({ "name": "app", "longDescription": "x".repeat(6_000) });
    let first = sent(&registry, "k", ("POST", path), &create).await.is(201);
    let again = sent(&registry, "k", ("POST", path), &create).await.is(201);
    assert_eq!(again.json(), first.json());
    assert_eq!(records(&registry, "repository.create").await, 1);
    registry.ask("DELETE", here).by_admin().send().await.is(204);
    let lost = sent(&registry, "k", ("POST", path), &create).await;
    lost.fails(409, "IDEMPOTENCY_ANSWER_LOST");
    registry.ask("GET", here).by_admin().send().await.is(404);
}

#[tokio::test]
async fn what_is_no_key_or_can_t_be_kept_is_refused_before_anything_is_done() {
    let registry = Registry::start().await;
    let create = ("POST", ACCOUNTS);
    for key in ["", &"k".repeat(256)] {
        let refused = sent(&registry, key, create, &organization("org")).await;
        refused.fails(400, "INVALID_PARAMETERS");
    }
    let twice = registry.ask("POST", ACCOUNTS).by_admin().with("idempotency-key", "a");
    let twice = twice.with("idempotency-key", "b").body(organization("org").to_string());
    twice.send().await.fails(400, "INVALID_PARAMETERS");
    registry.ask("GET", "/enzi/v0/accounts/org").by_admin().send().await.is(404);
    let tokens = ("POST", "/api/v0/api_tokens");
    let refused = sent(&registry, "k", tokens, &json!({ "tokenLabel": "ci" })).await;
    assert!(refused.fails(400, "INVALID_PARAMETERS").json().to_string().contains("secret"));
    let listed = registry.ask("GET", "/api/v0/api_tokens").by_admin().send().await.is(200);
    assert_eq!(listed.json(), json!([]));
    let long = json!({ "name": "org", "isOrg": true, "fullName": "x".repeat(70_000) });
    sent(&registry, "k", create, &long).await.is(413);
    sent(&registry, "k", create, &organization("org")).await.is(201);
}

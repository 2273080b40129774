//! What was taken back opens nothing: during a request as well, and with another password.

use std::sync::Arc;

use api::answers::Door;
use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Request;
use http_body_util::BodyExt;
use metadata::access_tokens::commands::AccessTokenDelete;
use metadata::accounts::commands::AccountUpdate;
use metadata::command::Command;
use oci::digest::Algorithm;
use oci::verifier::digest_of;
use serde_json::{Value, json};

use crate::harness::{ADMIN, Answer, Registry};
use crate::people::users;
use crate::roles::{ask, credentials, text};

const TOKENS: &str = "/api/v0/api_tokens";

async fn access_token(registry: &Registry, user: &str) -> (String, [u8; 32]) {
    let made = registry.ask("POST", TOKENS).by(credentials(user)).body("{}").send().await.is(200);
    let made = made.json();
    let hash = auth::access_token::hash_from(&text(&made, "/hashedToken")).unwrap();
    (text(&made, "/token"), hash)
}

/// Sends a request whose body comes only when `meanwhile` was carried out, after the caller was let
/// in and the body asked for.
pub(crate) async fn during(
    registry: &Registry,
    (method, path, authorization): (&str, &str, &str),
    body: &[u8],
    meanwhile: Command,
) -> Answer {
    let (asked, was_asked) = tokio::sync::oneshot::channel();
    let (go, may_go) = tokio::sync::oneshot::channel();
    let bytes = Bytes::copy_from_slice(body);
    let stream = futures::stream::once(async move {
        asked.send(()).unwrap();
        may_go.await.unwrap();
        Ok::<_, std::io::Error>(bytes)
    });
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "reg.example")
        .header("content-length", body.len())
        .header("authorization", authorization)
        .body(Body::from_stream(stream))
        .unwrap();
    let door = Door { surfaces: Arc::clone(&registry.surfaces), plain: None };
    let answer = async {
        let (parts, body) = door.answer(request).await.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Answer { status: parts.status, headers: parts.headers, body }
    };
    let change = async {
        was_asked.await.unwrap();
        registry.cluster.propose(meanwhile).await.unwrap();
        go.send(()).unwrap();
    };
    tokio::join!(answer, change).0
}

pub(crate) fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

fn inactive(user: &str) -> Command {
    let (name, actor) = (user.to_owned(), ADMIN.0.to_owned());
    let (full_name, is_admin, is_active, quota_bytes) = (None, None, Some(false), None);
    AccountUpdate { name, actor, full_name, is_admin, is_active, quota_bytes }.into()
}

#[tokio::test]
async fn what_is_taken_back_while_a_body_comes_is_not_carried_out() {
    let registry = Registry::start().await;
    users(&registry, &["ann", "bea", "cat"]).await;
    let (token, hash) = access_token(&registry, "ann").await;
    let revoke = || AccessTokenDelete { hash, actor: ADMIN.0.to_owned() }.into();

    let blob = b"a layer that takes long";
    let digest = digest_of(Algorithm::Sha256, blob);
    let path = format!("/v2/ann/web/blobs/uploads/?digest={digest}");
    let by_token = basic("ann", &token);
    let refused =
        during(&registry, ("POST", path.as_str(), by_token.as_str()), blob, revoke()).await;
    let refused = refused.fails(403, "DENIED").json();
    assert_eq!(refused["errors"][0]["detail"]["reason"], "CREDENTIALS_REVOKED");
    let blob_path = format!("/v2/ann/web/blobs/{digest}");
    registry.ask("HEAD", &blob_path).by(credentials("ann")).send().await.is(404);

    let body = json!({"name": "web"}).to_string();
    let by_password = basic("bea", "pw");
    let create = ("POST", "/api/v0/repositories/bea", by_password.as_str());
    let answer = during(&registry, create, body.as_bytes(), inactive("bea")).await;
    answer.fails(403, "NOT_AUTHORIZED");
    ask(&registry, "GET", "/api/v0/repositories/bea/web", "").await.is(404);

    // A token of the token endpoint stands for what was shown for it.
    let bearer = format!("Bearer {}", registry.token(Some(credentials("cat")), &[]).await);
    let create = ("POST", "/api/v0/repositories/cat", bearer.as_str());
    let answer = during(&registry, create, body.as_bytes(), inactive("cat")).await;
    answer.fails(403, "NOT_AUTHORIZED");
    ask(&registry, "GET", "/api/v0/repositories/cat/web", "").await.is(404);
}

async fn change_password(registry: &Registry, user: &str) {
    let path = format!("/enzi/v0/accounts/{user}/changePassword");
    ask(registry, "POST", &path, r#"{"newPassword":"long-enough"}"#).await.is(200);
}

#[tokio::test]
async fn another_password_ends_what_was_got_by_the_old_one() {
    let registry = Registry::start().await;
    users(&registry, &["ann"]).await;
    let (token, _) = access_token(&registry, "ann").await;
    let path = "/auth/token?service=s&client_id=docker&offline_token=true";
    let given = registry.ask("GET", path).by(credentials("ann")).send().await.is(200).json();
    let (bearer, refresh) = (text(&given, "/token"), text(&given, "/refresh_token"));
    let by_token = registry.token(Some(("ann", &token)), &[]).await;
    registry.ask("GET", "/v2/").bearing(&bearer).send().await.is(200);
    change_password(&registry, "ann").await;
    registry.ask("GET", "/v2/").bearing(&bearer).send().await.is(401);
    registry.ask("GET", "/v2/").by(("ann", &refresh)).send().await.is(401);
    let form = format!("grant_type=refresh_token&refresh_token={refresh}");
    registry.ask("POST", "/auth/token").body(form).send().await.is(401);
    // What a person made on purpose goes on.
    registry.ask("GET", "/v2/").by(("ann", &token)).send().await.is(200);
    registry.ask("GET", "/v2/").bearing(&by_token).send().await.is(200);
    let list = registry.ask("GET", TOKENS).by(("ann", "long-enough")).send().await.is(200).json();
    assert_eq!(list.as_array().unwrap().len(), 1, "{list}");
    let fresh = registry.token(Some(("ann", "long-enough")), &[]).await;
    registry.ask("GET", "/v2/").bearing(&fresh).send().await.is(200);
}

#[tokio::test]
async fn the_token_key_is_exchanged_and_nobody_is_signed_out() {
    let registry = Registry::start().await;
    users(&registry, &["ann"]).await;
    let rotate = "/api/v0/admin/tokens/rotate";
    let before = registry.token(Some(credentials("ann")), &[]).await;
    registry.ask("POST", rotate).by(credentials("ann")).send().await.fails(403, "NOT_AUTHORIZED");
    let first = text(&ask(&registry, "POST", rotate, "{}").await.is(200).json(), "/keyID");
    let after = registry.token(Some(credentials("ann")), &[]).await;
    assert_eq!(auth::token::key_id(&after), Ok(first.clone()));
    assert_ne!(auth::token::key_id(&before), Ok(first));
    for token in [&before, &after] {
        registry.ask("GET", "/v2/").bearing(token).send().await.is(200);
    }
    // The key was in wrong hands: what it signed is good no more, known here before or not.
    ask(&registry, "POST", rotate, r#"{"dropFormer":true}"#).await.is(200);
    for token in [&before, &after] {
        registry.ask("GET", "/v2/").bearing(token).send().await.is(401);
    }
    let last = registry.token(Some(credentials("ann")), &[]).await;
    registry.ask("GET", "/v2/").bearing(&last).send().await.is(200);
}

#[tokio::test]
async fn where_passwords_are_refused_access_tokens_go_on() {
    let registry = Registry::start().await;
    users(&registry, &["ann"]).await;
    let (token, _) = access_token(&registry, "ann").await;
    let made = registry.ask("POST", TOKENS).by_admin().body("{}").send().await.is(200).json();
    let by_token = (ADMIN.0, &*text(&made, "/token"));
    let settings = "/api/v0/meta/settings";
    ask(&registry, "POST", settings, r#"{"refusePasswords":true}"#).await.is(202);
    for who in [ADMIN, credentials("ann"), ("ann", "wrong"), ("nobody", "x")] {
        let refused = registry.ask("GET", "/v2/").by(who).send().await.fails(401, "UNAUTHORIZED");
        let message = text(&refused.json(), "/errors/0/message");
        assert!(message.contains("takes no passwords"), "{message}");
    }
    registry.ask("GET", "/v2/").by(("ann", &token)).send().await.is(200);
    let shown = registry.ask("GET", settings).by(by_token).send().await.is(200).json();
    assert_eq!(shown["refusePasswords"], Value::Bool(true));
    let body = r#"{"refusePasswords":false}"#;
    registry.ask("POST", settings).by(by_token).body(body).send().await.is(202);
    registry.ask("GET", "/v2/").by(credentials("ann")).send().await.is(200);
}

#[tokio::test]
async fn certificates_are_not_switched_on_without_an_authority() {
    let registry = Registry::start().await;
    let settings = "/api/v0/meta/settings";
    let on = r#"{"clientCertAuthEnabled":true}"#;
    ask(&registry, "POST", settings, on).await.fails(400, "INVALID_SETTINGS");
    let unreadable = r#"{"webTLSClientCA":"no PEM"}"#;
    ask(&registry, "POST", settings, unreadable).await.fails(400, "INVALID_PARAMETERS");
    let ca = wire::certificate::make_ca("c", 1_750_000_000_000).unwrap().certificate_pem;
    let both = json!({"clientCertAuthEnabled": true, "webTLSClientCA": ca}).to_string();
    ask(&registry, "POST", settings, &both).await.is(202);
    assert!(registry.context.auth.takes_certificates().await.unwrap());
    let shown = ask(&registry, "GET", settings, "").await.is(200).json();
    assert_eq!(shown["webTLSClientCA"], Value::String(ca));
}

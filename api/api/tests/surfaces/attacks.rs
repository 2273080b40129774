//! What somebody tries who wants to see or change what they may not.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use api::answers::Door;
use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::StreamExt;
use http::Request;
use metadata::accounts::commands::AccountUpdate;
use metadata::command::Command;
use metadata::grants::Level;
use oci::digest::{Algorithm, Digest};
use oci::verifier::digest_of;
use serde_json::{Value, json};

use crate::harness::{ADMIN, Registry};
use crate::people::{acme, grant, users};
use crate::roles::{ask, credentials, text};
use crate::sign_in::{basic, during};

const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn rise(user: &str, is_admin: bool) -> Command {
    let (name, actor) = (user.to_owned(), ADMIN.0.to_owned());
    let (full_name, is_admin, is_active, quota_bytes) = (None, Some(is_admin), None, None);
    AccountUpdate { name, actor, full_name, is_admin, is_active, quota_bytes }.into()
}

#[tokio::test]
async fn a_request_that_an_administrator_left_open_does_nothing_once_they_are_none() {
    let registry = Registry::start().await;
    users(&registry, &["ann"]).await;
    for (path, body) in [
        ("/api/v0/join_tokens", r#"{"uses":1}"#),
        ("/api/v0/meta/settings", r#"{"readOnlyRegistry":true}"#),
        ("/api/v0/admin/tokens/rotate", "{}"),
    ] {
        registry.cluster.propose(rise("ann", true)).await.unwrap();
        let password = basic("ann", "pw");
        let asked = ("POST", path, password.as_str());
        during(&registry, asked, body.as_bytes(), rise("ann", false)).await.is(403);
    }
    let tokens = ask(&registry, "GET", "/api/v0/join_tokens", "").await.is(200).json();
    assert_eq!(tokens["joinTokens"], json!([]));
    let settings = ask(&registry, "GET", "/api/v0/meta/settings", "").await.is(200).json();
    assert_eq!(settings["readOnlyRegistry"], false);
}

#[tokio::test]
async fn a_page_of_another_site_changes_nothing_by_a_password_that_a_browser_remembers() {
    let registry = Registry::start().await;
    let path = "/api/v0/meta/settings";
    let body = r#"{"readOnlyRegistry":true}"#;
    for (header, value, status) in [
        ("origin", "https://evil.example", 403),
        ("origin", "null", 403),
        ("sec-fetch-site", "cross-site", 403),
        ("sec-fetch-site", "same-site", 403),
        ("sec-fetch-site", "none", 202),
        ("origin", "http://reg.example", 202),
        ("user-agent", "curl/8", 202),
    ] {
        let asked = registry.ask("POST", path).by_admin().with(header, value).body(body);
        asked.send().await.is(status);
        let asked = registry.ask("GET", path).by_admin().with(header, value);
        asked.send().await.is(200);
        ask(&registry, "POST", path, r#"{"readOnlyRegistry":false}"#).await.is(202);
    }
}

/// How much of a large body is taken before the answer, and its status, where somebody claims that
/// it is a blob.
async fn taken(registry: &Registry, who: &str, (to, digest): (&str, &Digest)) -> (u16, usize) {
    const PIECES: usize = 40;
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let pieces = futures::stream::iter(0..PIECES).map(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        Ok::<_, std::io::Error>(Bytes::from_static(&[7; 1024]))
    });
    let (name, password) = credentials(who);
    let header = format!("Basic {}", STANDARD.encode(format!("{name}:{password}")));
    let request = Request::builder()
        .method("POST")
        .uri(format!("/v2/{to}/blobs/uploads/?digest={digest}"))
        .header("host", "reg.example")
        .header("authorization", header)
        .body(Body::from_stream(pieces))
        .unwrap();
    let door = Door { surfaces: Arc::clone(&registry.surfaces), plain: None };
    let status = door.answer(request).await.status().as_u16();
    (status, count.load(Ordering::SeqCst))
}

#[tokio::test]
async fn an_upload_does_not_tell_what_others_keep_nor_how_large_it_is() {
    let registry = acme().await;
    let secret = registry.push_blob("acme/web", b"what nobody else may know of").await;
    let nowhere = digest_of(Algorithm::Sha256, b"nobody has this");
    let missing = taken(&registry, "stan", ("stan/own", &nowhere)).await;
    assert_eq!(missing.0, 400);
    assert_eq!(taken(&registry, "stan", ("stan/own", &secret)).await, missing);
    // Who may read it is told at once.
    let (status, pieces) = taken(&registry, "olga", ("olga/own", &secret)).await;
    assert!(status == 400 && pieces < missing.1, "{status} {pieces}");
}

#[tokio::test]
async fn a_quota_does_not_tell_what_is_in_a_repository_that_one_may_not_see() {
    let registry = acme().await;
    grant(&registry, "acme/open", "writers", Level::ReadWrite).await;
    let secret = registry.push_blob("acme/web", b"what walt may not know of").await;
    let open = registry.push_blob("acme/open", b"what walt may see").await;
    let account = "/enzi/v0/accounts/acme";
    ask(&registry, "PATCH", account, r#"{"quotaBytes":1000}"#).await.is(200);
    let nowhere = digest_of(Algorithm::Sha256, b"nobody has this");
    for (digest, status) in [(&secret, 403), (&nowhere, 403), (&open, 400)] {
        let path = format!("/v2/acme/open/blobs/uploads/?digest={digest}");
        let asked = registry.ask("POST", &path).by(credentials("walt"));
        let answer = asked.body(vec![1; 2000]).send().await;
        assert_eq!(answer.status.as_u16(), status, "{digest}");
    }
}

#[tokio::test]
async fn the_first_sign_in_with_an_imported_hash_is_good_for_what_follows() {
    // Of `violet-kettle-37`.
    const BCRYPT: &str = "$2b$04$abcdefghijklmnopqrstuujb.HQN.5Q7GRIWCpvMsmOZEmuk6cPA.";
    let registry = Registry::start().await;
    let accounts = ["ann", "bob"].map(|name| json!({ "name": name, "passwordHash": BCRYPT }));
    let list = json!({ "accounts": accounts }).to_string();
    ask(&registry, "POST", "/enzi/v0/admin/importAccounts", &list).await.is(201);
    let token = registry.token(Some(("ann", "violet-kettle-37")), &[]).await;
    registry.ask("GET", "/api/v0/repositories").bearing(&token).send().await.is(200);
    let made = registry.ask("POST", "/api/v0/repositories/bob").by(("bob", "violet-kettle-37"));
    made.body(r#"{"name":"first"}"#).send().await.is(201);
}

fn names(entries: &Value) -> Vec<String> {
    entries.as_array().into_iter().flatten().map(|entry| text(entry, "/name")).collect()
}

#[tokio::test]
async fn robots_are_known_to_their_organization_alone() {
    let registry = acme().await;
    let body = r#"{"name":"deploy","description":"to the vault in Oslo"}"#;
    ask(&registry, "POST", "/enzi/v0/accounts/acme/robots", body).await.is(201);
    let list = "/enzi/v0/accounts?limit=100";
    let listed = ask(&registry, "GET", list, "").await.is(200).json();
    let robot = |one: &&Value| text(one, "/name") == "acme+deploy";
    let id = text(listed["accounts"].as_array().unwrap().iter().find(robot).unwrap(), "/id");
    for (who, status, is_found) in [("admin", 200, true), ("mia", 200, true), ("stan", 404, false)]
    {
        let by = credentials(who);
        for place in ["acme+deploy", &id] {
            let path = format!("/enzi/v0/accounts/{place}");
            registry.ask("GET", &path).by(by).send().await.is(status);
        }
        let path = "/api/v0/index/autocomplete?query=acme&includeRepositories=false";
        let found = registry.ask("GET", path).by(by).send().await.is(200).json();
        let found = names(&found["accountResults"]);
        assert_eq!(found.contains(&"acme+deploy".to_owned()), is_found, "{who}: {found:?}");
        let listed = registry.ask("GET", list).by(by).send().await.is(200).json();
        let is_listed = names(&listed["accounts"]).contains(&"acme+deploy".to_owned());
        assert_eq!(is_listed, who == "admin", "{who}");
        let shown = names(&listed["accounts"]).len();
        assert_eq!(listed["resourceCount"], shown, "{who}");
    }
}

#[tokio::test]
async fn an_upload_is_not_that_of_another_account_which_has_the_name_by_now() {
    let registry = Registry::start().await;
    users(&registry, &["ann"]).await;
    let opened = registry.ask("POST", "/v2/ann/own/blobs/uploads/").by(credentials("ann"));
    let opened = opened.send().await.is(202);
    let place = opened.header("location");
    registry.ask("GET", place).by(credentials("ann")).send().await.is(204);
    ask(&registry, "DELETE", "/enzi/v0/accounts/ann", "").await.is(204);
    registry.user("somebody").await;
    users(&registry, &["ann"]).await;
    registry.ask("GET", place).by(credentials("ann")).send().await.is(404);
    let closed = registry.ask("PUT", &format!("{place}?digest={EMPTY}"));
    closed.by(credentials("ann")).send().await.is(404);
}

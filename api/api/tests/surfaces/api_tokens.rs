//! Access tokens: made, shown, changed and revoked, and what is done with them.

use std::time::Duration;

use metadata::access_tokens::commands::{AccessTokenCreate, AccessTokensUsed};
use metadata::access_tokens::{Origin, TokenHash};
use metadata::accounts::commands::AccountDelete;
use metadata::grants::Level;
use serde_json::{Value, json};

use crate::harness::{ADMIN, Registry};
use crate::people::{acme, grant, grant_all, member, propose, users};
use crate::roles::{self, Case, credentials, text};

const TOKENS: &str = "/api/v0/api_tokens";
const NEVER: &str = "0001-01-01T00:00:00Z";
const PULL_WEB: &str = "repository:acme/web:pull";

/// A token that its owner has made.
struct Made {
    text: String,
    path: String,
    shown: Value,
}

/// Has `user` make a token as `body` says.
async fn make(registry: &Registry, user: &str, body: Value) -> Made {
    let ask = registry.ask("POST", TOKENS).by(credentials(user)).with("user-agent", "test/1.0");
    let mut shown = ask.body(body.to_string()).send().await.is(200).json();
    let token = shown.as_object_mut().unwrap().remove("token").unwrap();
    let path = format!("{TOKENS}/{}", text(&shown, "/hashedToken"));
    Made { text: token.as_str().unwrap().to_owned(), path, shown }
}

/// The status of a request of somebody who signs in to the registry.
async fn signs_in(registry: &Registry, user: &str, password: &str) -> u16 {
    registry.ask("GET", "/v2/").by((user, password)).send().await.status.as_u16()
}

async fn bears(registry: &Registry, bearer: &str) -> u16 {
    registry.ask("GET", "/v2/").bearing(bearer).send().await.status.as_u16()
}

/// The labels of a list of tokens, sorted: they come in the order of their hashes.
async fn labels(registry: &Registry, user: &str, query: &str) -> Vec<String> {
    let ask = registry.ask("GET", &format!("{TOKENS}{query}")).by(credentials(user));
    let list = ask.send().await.is(200).json();
    let labels = list.as_array().unwrap().iter().map(|one| text(one, "/tokenLabel"));
    let mut labels: Vec<String> = labels.collect();
    labels.sort();
    labels
}

#[tokio::test]
async fn a_token_is_shown_once_and_signs_in_until_it_is_revoked() {
    let registry = Registry::start().await;
    users(&registry, &["ann"]).await;
    let made = make(&registry, "ann", json!({ "tokenLabel": "laptop", "unknown": 1 })).await;
    let expected = json!({
        "hashedToken": text(&made.shown, "/hashedToken"), "tokenLabel": "laptop",
        "isActive": true, "createdAt": text(&made.shown, "/createdAt"), "lastUsed": NEVER,
        "creatorUa": "test/1.0", "generatedBy": "manual", "username": "ann", "scopes": [],
        "expiresAt": NEVER,
    });
    assert_eq!(made.shown, expected);
    assert_eq!(text(&made.shown, "/hashedToken").len(), 64);
    let by_ann = |method| registry.ask(method, &made.path).by(credentials("ann"));
    assert_eq!(by_ann("GET").send().await.is(200).json(), made.shown);
    let list = registry.ask("GET", TOKENS).by(credentials("ann")).send().await.is(200);
    assert_eq!(list.json(), json!([made.shown]));
    assert!(!String::from_utf8_lossy(&list.body).contains(&made.text));

    let bearer = registry.token(Some(("ann", &made.text)), &[]).await;
    let both =
        async || (signs_in(&registry, "ann", &made.text).await, bears(&registry, &bearer).await);
    assert_eq!(both().await, (200, 200));
    assert_eq!(signs_in(&registry, ADMIN.0, &made.text).await, 401, "under another's name");
    let off = by_ann("PATCH").body("{\"isActive\":false}").send().await.is(200).json();
    assert_eq!((&off["isActive"], &off["tokenLabel"]), (&json!(false), &json!("laptop")));
    assert_eq!(both().await, (401, 401), "inactive, also behind what was issued for it");
    let on = "{\"isActive\":true,\"tokenLabel\":\"desk\"}";
    let on = by_ann("PATCH").body(on).send().await.is(200).json();
    assert_eq!((&on["isActive"], &on["tokenLabel"]), (&json!(true), &json!("desk")));
    assert_eq!(both().await, (200, 200));
    assert!(by_ann("DELETE").send().await.is(200).body.is_empty());
    assert_eq!(both().await, (401, 401), "revoked");
    for method in ["GET", "PATCH", "DELETE"] {
        by_ann(method).send().await.fails(404, "NO_SUCH_API_TOKEN");
    }
    assert_eq!(signs_in(&registry, "ann", "pw").await, 200, "the password is another matter");
}

#[tokio::test]
async fn a_user_manages_their_own_tokens_and_an_administrator_all() {
    let registry = Registry::start().await;
    users(&registry, &["ann", "bob"]).await;
    let of_ann = make(&registry, "ann", json!({ "tokenLabel": "of ann" })).await;
    make(&registry, "bob", json!({ "tokenLabel": "of bob" })).await;
    let query = format!("{TOKENS}?username=bob");
    let for_bob = registry.ask("POST", &query).by_admin().body("{\"tokenLabel\":\"given\"}");
    assert_eq!(for_bob.send().await.is(200).json()["username"], "bob");
    let cases: [(&str, &str, &[&str]); 5] = [
        ("admin", "", &["given", "of ann", "of bob"]),
        ("admin", "?username=ann", &["of ann"]),
        ("ann", "", &["of ann"]),
        ("bob", "?username=bob", &["given", "of bob"]),
        ("bob", "?username=", &["given", "of bob"]),
    ];
    for (user, query, expected) in cases {
        assert_eq!(labels(&registry, user, query).await, expected, "{user} {query}");
    }
    let others: [Case<3>; 5] = [
        ("GET", "/api/v0/api_tokens?username=ann", "", [200, 403, 401]),
        ("POST", "/api/v0/api_tokens?username=ann", "{}", [200, 403, 401]),
        ("DELETE", "/api/v0/api_tokens?username=ann", "", [200, 403, 401]),
        ("GET", "/api/v0/api_tokens?username=none", "", [404, 403, 401]),
        ("POST", "/api/v0/api_tokens?username=none", "", [404, 403, 401]),
    ];
    roles::check(&registry, ["admin", "bob", ""], &others).await;
    let none = registry.ask("GET", "/api/v0/api_tokens?username=none").by_admin().send().await;
    none.fails(404, "NO_SUCH_USER");
    for method in ["GET", "PATCH", "DELETE"] {
        let ask = registry.ask(method, &of_ann.path).by(credentials("bob"));
        ask.send().await.fails(404, "NO_SUCH_API_TOKEN");
        registry.ask(method, &of_ann.path).by_admin().send().await.is(200);
    }
}

#[tokio::test]
async fn what_does_not_do_is_refused() {
    let registry = Registry::start().await;
    let made = make(&registry, "admin", json!({})).await;
    let long = json!({ "tokenLabel": "x".repeat(1025) }).to_string();
    let scopes = |text: &str| json!({ "scopes": [text] }).to_string();
    let cases = [
        ("POST", "", scopes("repository:a/b"), "INVALID_PARAMETERS"),
        ("POST", "", scopes("repository:a/b:fly"), "INVALID_PARAMETERS"),
        ("POST", "", scopes("everything:a/b:pull"), "INVALID_PARAMETERS"),
        ("POST", "", "{\"scopes\":\"repository:a/b:pull\"}".to_owned(), "INVALID_JSON"),
        ("POST", "", "{\"expiresAt\":\"2001-01-01T00:00:00Z\"}".to_owned(), "INVALID_PARAMETERS"),
        ("POST", "", "{\"expiresAt\":\"soon\"}".to_owned(), "INVALID_PARAMETERS"),
        ("POST", "", long.clone(), "INVALID_PARAMETERS"),
        ("POST", "", "{".to_owned(), "INVALID_JSON"),
        ("PATCH", made.path.as_str(), long, "INVALID_PARAMETERS"),
        ("PATCH", made.path.as_str(), scopes("repository:a/b:pull"), "INVALID_PARAMETERS"),
        ("DELETE", "/api/v0/api_tokens?usedbefore=soon", String::new(), "INVALID_PARAMETERS"),
        ("DELETE", "/api/v0/api_tokens?generatedby=me", String::new(), "INVALID_PARAMETERS"),
        ("GET", "/api/v0/api_tokens?pageStart=me", String::new(), "INVALID_PARAMETERS"),
        ("GET", "/api/v0/api_tokens?pageSize=0", String::new(), "INVALID_PARAMETERS"),
    ];
    for (method, path, body, code) in cases {
        let path = if path.is_empty() { TOKENS } else { path };
        let answer = registry.ask(method, path).by_admin().body(body.clone()).send().await;
        let found = (answer.status.as_u16(), answer.code());
        assert_eq!(found, (400, code.to_owned()), "{method} {path} {body}");
    }
    for hash in ["x", &"0".repeat(64)] {
        let path = format!("{TOKENS}/{hash}");
        registry.ask("GET", &path).by_admin().send().await.fails(404, "NO_SUCH_API_TOKEN");
    }
}

/// What is granted to whoever signs in so, of all that may be asked of two repositories.
async fn granted(registry: &Registry, who: (&str, &str)) -> String {
    let form = format!(
        "grant_type=password&username={}&password={}&scope=repository:acme/web:pull,push,delete\
         &scope=repository:acme/open:*&scope=registry:catalog:*",
        who.0, who.1
    );
    text(&registry.ask("POST", "/auth/token").body(form).send().await.is(200).json(), "/scope")
}

#[tokio::test]
async fn scopes_narrow_a_token_and_widen_nothing() {
    let registry = acme().await;
    registry.push_image("acme/web", "v1", "one").await;
    grant_all(&registry, "acme", "writers", Level::ReadWrite).await;
    let all = "repository:acme/web:pull,push,delete repository:acme/open:pull,push,delete \
               registry:catalog:*";
    let cases = [
        (json!([]), all),
        (json!(["repository:acme/*:pull"]), "repository:acme/web:pull repository:acme/open:pull"),
        (json!(["repository:acme/web:push", PULL_WEB]), "repository:acme/web:pull,push"),
        (json!(["repository:acme/open:*"]), "repository:acme/open:pull,push,delete"),
        (json!(["repository:acme/web:fly,delete"]), "repository:acme/web:delete"),
        (json!(["repository:acmes/*:*", "repository:web:*"]), ""),
        (json!(["registry:catalog:*"]), "registry:catalog:*"),
        (json!(["repository:*:pull"]), "repository:acme/web:pull repository:acme/open:pull"),
    ];
    for (scopes, expected) in cases {
        let made = make(&registry, "walt", json!({ "scopes": scopes })).await;
        assert_eq!(granted(&registry, ("walt", &made.text)).await, expected, "{scopes}");
    }
    // It carries what its owner may at the time.
    let wide = make(&registry, "walt", json!({ "scopes": ["repository:*:*"] })).await;
    let path = "/api/v0/repositoryNamespaces/acme/teamAccess/writers";
    registry.ask("DELETE", path).by_admin().send().await.is(204);
    assert_eq!(granted(&registry, ("walt", &wide.text)).await, "repository:acme/open:pull");
}

#[tokio::test]
async fn a_token_for_something_in_particular_does_nothing_else_and_manages_nothing() {
    let registry = acme().await;
    registry.push_image("acme/web", "v1", "one").await;
    grant(&registry, "acme/web", "writers", Level::Admin).await;
    let made = make(&registry, "walt", json!({ "scopes": [PULL_WEB] })).await;
    assert_eq!(made.shown["scopes"], json!([PULL_WEB]));
    let whole = registry.token(Some(("walt", &made.text)), &[]).await;
    let asked = registry.token(Some(("walt", &made.text)), &["repository:acme/web:pull"]).await;
    let (pull, push) = ("/v2/acme/web/manifests/v1", "/v2/acme/web/blobs/uploads/");
    let web = "/api/v0/repositories/acme/web";
    // With the token itself, with what is issued for it, and with what is issued for its scope.
    let cases = [
        ("GET", pull, [200, 401, 200]),
        ("POST", push, [401, 401, 401]),
        ("DELETE", pull, [401, 401, 401]),
        ("GET", "/v2/_catalog", [401, 401, 401]),
        ("GET", web, [401, 401, 401]),
        ("DELETE", web, [401, 401, 401]),
        ("GET", TOKENS, [401, 401, 401]),
        ("POST", TOKENS, [401, 401, 401]),
        ("DELETE", TOKENS, [401, 401, 401]),
        ("DELETE", made.path.as_str(), [401, 401, 401]),
        ("GET", "/enzi/v0/accounts", [401, 401, 401]),
    ];
    for (method, path, statuses) in cases {
        let ask = || registry.ask(method, path);
        let asks = [ask().by(("walt", &made.text)), ask().bearing(&whole), ask().bearing(&asked)];
        for (ask, status) in asks.into_iter().zip(statuses) {
            let answer = ask.send().await;
            assert_eq!(answer.status.as_u16(), status, "{method} {path}");
        }
    }
    registry.ask("GET", web).by(credentials("walt")).send().await.is(200);
}

#[tokio::test]
async fn a_token_ends_when_it_was_to() {
    let registry = Registry::start().await;
    users(&registry, &["ann"]).await;
    let later = make(&registry, "ann", json!({ "expiresAt": "2099-01-01T02:00:00+02:00" })).await;
    assert_eq!(later.shown["expiresAt"], "2099-01-01T00:00:00Z");
    assert_eq!(signs_in(&registry, "ann", &later.text).await, 200);
    let soon = registry.cluster.clock().wall_ms() + 2_000;
    let (secret, hash) = auth::access_token::draw().unwrap();
    propose(&registry, create("ann", hash, soon)).await;
    let bearer = registry.token(Some(("ann", &secret)), &[]).await;
    assert_eq!(bears(&registry, &bearer).await, 200);
    while bears(&registry, &bearer).await == 200 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(signs_in(&registry, "ann", &secret).await, 401);
}

/// A token of a client, which ends at that time.
fn create(account: &str, hash: TokenHash, expires_wall_ms: u64) -> AccessTokenCreate {
    AccessTokenCreate {
        hash,
        account: account.to_owned(),
        actor: account.to_owned(),
        label: "drawn".to_owned(),
        creator_agent: String::new(),
        origin: Origin::Auto,
        expires_wall_ms,
        scopes: Vec::new(),
    }
}

#[tokio::test]
async fn many_are_revoked_together_by_what_made_them_and_when_they_were_used() {
    let registry = Registry::start().await;
    users(&registry, &["ann"]).await;
    for label in ["by hand", "too"] {
        make(&registry, "ann", json!({ "tokenLabel": label })).await;
    }
    // Clients take more than there may be: the oldest make room.
    let one = |number: u16| {
        let mut hash = TokenHash::default();
        hash[..2].copy_from_slice(&number.to_be_bytes());
        propose(&registry, create("ann", hash, 0))
    };
    futures::future::join_all((0..120).map(one)).await;
    let delete = async |query: &str| {
        let ask = registry.ask("DELETE", &format!("{TOKENS}{query}")).by(credentials("ann"));
        ask.send().await.is(200);
        labels(&registry, "ann", "?pageSize=2000").await.len()
    };
    assert_eq!(delete("?usedbefore=2001-01-01T00:00:00Z").await, 102, "none is that old");
    assert_eq!(delete("?usedbefore=2001-01-01T00:00:00Z&generatedby=manual").await, 102);
    assert_eq!(delete("").await, 2, "those of clients");
    assert_eq!(delete("?usedbefore=2099-01-01T00:00:00Z&generatedby=manual").await, 0);
}

#[tokio::test]
async fn what_belongs_to_an_account_ends_with_it() {
    let registry = acme().await;
    let made = make(&registry, "walt", json!({})).await;
    let by_token = registry.token(Some(("walt", &made.text)), &[]).await;
    let by_password = registry.token(Some(credentials("walt")), &[]).await;
    let statuses = async || {
        [
            signs_in(&registry, "walt", "pw").await,
            signs_in(&registry, "walt", &made.text).await,
            bears(&registry, &by_password).await,
            bears(&registry, &by_token).await,
        ]
    };
    assert_eq!(statuses().await, [200; 4]);
    let walt = "/enzi/v0/accounts/walt";
    let set = async |body: &str| {
        registry.ask("PATCH", walt).by_admin().body(body).send().await.is(200);
    };
    set("{\"isActive\":false}").await;
    assert_eq!(statuses().await, [401; 4], "inactive");
    set("{\"isActive\":true}").await;
    assert_eq!(statuses().await, [200, 200, 401, 200], "that sign-in was over");
    let (name, actor) = ("walt".to_owned(), ADMIN.0.to_owned());
    propose(&registry, AccountDelete { name, actor }).await;
    assert_eq!(statuses().await, [401; 4], "deleted");
    registry.ask("GET", &made.path).by_admin().send().await.fails(404, "NO_SUCH_API_TOKEN");
    assert!(labels(&registry, "admin", "").await.is_empty());

    // Another of the same name is another, once what belonged to the first is gone.
    let again = "{\"name\":\"walt\",\"password\":\"violet-kettle\"}";
    let create = || registry.ask("POST", "/enzi/v0/accounts").by_admin().body(again);
    while create().send().await.status != 201 {
        member(&registry, "acme", "mia", false).await;
    }
    assert_eq!(signs_in(&registry, "walt", "violet-kettle").await, 200);
    assert_eq!(statuses().await, [401; 4], "the name alone is worth nothing");
}

#[tokio::test]
async fn the_cluster_is_told_when_a_token_was_used() {
    let registry = Registry::start().await;
    let made = make(&registry, "admin", json!({})).await;
    let take = || registry.context.auth.take_uses(1_000);
    assert!(take().is_empty());
    assert_eq!(signs_in(&registry, ADMIN.0, &made.text).await, 200);
    let uses = take();
    assert_eq!((uses.len(), take().len()), (1, 0));
    propose(&registry, AccessTokensUsed { uses }).await;
    let shown = registry.ask("GET", &made.path).by_admin().send().await.is(200).json();
    assert!(text(&shown, "/lastUsed")[..] > text(&made.shown, "/createdAt")[..19], "{shown}");
    assert_eq!(signs_in(&registry, ADMIN.0, &made.text).await, 200);
    assert!(take().is_empty(), "it was just told");
}

#[tokio::test]
async fn lists_of_tokens_come_in_pages() {
    let registry = Registry::start().await;
    users(&registry, &["ann"]).await;
    for user in ["ann", "admin", "ann"] {
        make(&registry, user, json!({})).await;
    }
    for (path, total) in [(TOKENS.to_owned(), 3), (format!("{TOKENS}?username=ann"), 2)] {
        let (mut seen, mut start) = (Vec::new(), String::new());
        loop {
            let separator = if path.contains('?') { '&' } else { '?' };
            let page = format!("{path}{separator}pageSize=1&count=true&pageStart={start}");
            let page = registry.ask("GET", &page).by_admin().send().await.is(200);
            assert_eq!(page.header("x-resource-count"), total.to_string());
            seen.extend(
                page.json().as_array().unwrap().iter().map(|one| text(one, "/hashedToken")),
            );
            start = page.header("x-next-page-start").to_owned();
            if start.is_empty() {
                break;
            }
        }
        assert!(seen.is_sorted());
        seen.dedup();
        assert_eq!(seen.len(), total, "{path}");
    }
}

//! What the old product's clients ask for beside the nouns: settings of a user, the language, and
//! what is answered where something does not do.

use serde_json::{Value, json};

use crate::harness::Registry;
use crate::people::{acme, users};
use crate::roles::{ask, check, credentials};

#[tokio::test]
async fn a_user_has_chosen_no_content_cache_as_long_as_there_is_none() {
    let registry = Registry::start().await;
    users(&registry, &["ann", "bob"]).await;
    let path = "/api/v0/accounts/ann/settings";
    let none = json!({ "contentCacheUUID": "", "ContentCacheUUID": "" });
    assert_eq!(ask(&registry, "GET", path, "").await.is(200).json(), none);
    let as_shown = none.to_string();
    for body in ["", "{}", &as_shown, r#"{"contentCacheUUID":null}"#] {
        assert_eq!(ask(&registry, "PATCH", path, body).await.is(200).json(), none, "{body}");
    }
    let cache = r#"{"contentCacheUUID":"5d7d3b0e-3a0c-4c1f-9d1c-6f5f3d1f2a10"}"#;
    ask(&registry, "PATCH", path, cache).await.fails(400, "INVALID_USER_SETTINGS");
    ask(&registry, "PATCH", path, "[]").await.fails(400, "INVALID_JSON");
    ask(&registry, "GET", "/api/v0/accounts/none/settings", "").await.fails(404, "NO_SUCH_USER");
    let cases = [
        ("GET", path, "", [200, 200, 403, 401]),
        ("PATCH", path, "{}", [200, 200, 403, 401]),
        ("GET", "/api/v0/accounts/none/settings", "", [404, 403, 403, 401]),
    ];
    check(&registry, ["admin", "ann", "bob", ""], &cases).await;
}

#[tokio::test]
async fn the_language_is_told_to_everybody() {
    let registry = Registry::start().await;
    let path = "/api/v0/accounts/language";
    assert_eq!(registry.ask("GET", path).send().await.is(200).json(), json!({ "language": "en" }));
    let wrong = registry.ask("GET", path).by(("admin", "another")).send().await;
    wrong.fails(401, "NOT_AUTHENTICATED");
}

#[tokio::test]
async fn a_page_of_repositories_begins_where_an_answer_said_or_nowhere() {
    let registry = acme().await;
    let first = ask(&registry, "GET", "/api/v0/repositories?pageSize=1", "").await.is(200);
    let next = first.header("x-next-page-start");
    let path = format!("/api/v0/repositories?pageStart={next}");
    let rest = ask(&registry, "GET", &path, "").await.is(200).json();
    assert_eq!(rest["repositories"][0]["name"], "web");
    for start in ["%00", "Acme/web", "acme/", "a%20b", "%ff", "x%0d%0ay"] {
        for list in ["repositories", "repositories/acme"] {
            let path = format!("/api/v0/{list}?pageStart={start}");
            ask(&registry, "GET", &path, "").await.fails(400, "INVALID_PARAMETERS");
        }
    }
}

#[tokio::test]
async fn an_organization_is_no_administrator_and_signs_in_nowhere() {
    let registry = acme().await;
    let path = "/enzi/v0/accounts/acme";
    for body in [r#"{"isAdmin":true}"#, r#"{"isActive":false}"#] {
        let refused = ask(&registry, "PATCH", path, body).await.fails(400, "INVALID_PARAMETERS");
        assert!(String::from_utf8_lossy(&refused.body).contains("leave them out"));
    }
    // Its owner sends back what was shown to them.
    let body = r#"{"fullName":"Acme","isAdmin":false,"isActive":true}"#;
    let changed = registry.ask("PATCH", path).by(credentials("olga")).body(body).send().await;
    assert_eq!(changed.is(200).json()["fullName"], "Acme");
}

#[tokio::test]
async fn lists_of_accounts_count_what_there_is() {
    let registry = acme().await;
    let counts = async |filter: &str| {
        let path = format!("/enzi/v0/accounts?limit=1&count=true&filter={filter}");
        let answer = ask(&registry, "GET", &path, "").await.is(200);
        let document = answer.json();
        assert_eq!(document["resourceCount"].to_string(), answer.header("x-resource-count"));
        ["usersCount", "orgsCount", "resourceCount"].map(|key| document[key].clone())
    };
    let three = |all: u64| [json!(7), json!(1), json!(all)];
    for (filter, expected) in [("all", 8), ("users", 7), ("orgs", 1), ("admins", 1)] {
        assert_eq!(counts(filter).await, three(expected), "{filter}");
    }
    ask(&registry, "PATCH", "/enzi/v0/accounts/stan", r#"{"isActive":false}"#).await.is(200);
    ask(&registry, "PATCH", "/enzi/v0/accounts/mia", r#"{"isAdmin":true}"#).await.is(200);
    for (filter, expected) in
        [("admins", 2), ("non-admins", 5), ("active-users", 6), ("inactive-users", 1)]
    {
        assert_eq!(counts(filter).await, three(expected), "{filter}");
    }
    ask(&registry, "DELETE", "/enzi/v0/accounts/acme", "").await.is(204);
    assert_eq!(counts("all").await, [json!(7), json!(0), json!(7)]);
}

#[tokio::test]
async fn every_answer_tells_browsers_to_keep_away() {
    let registry = Registry::start().await;
    registry.push_image("ann/web", "v1", "layer").await;
    let paths = [
        "/api/v0/repositories",
        "/api/v0/nothing",
        "/enzi/v0/accounts",
        "/v2/",
        "/v2/ann/web/manifests/v1",
        "/v2/ann/web/manifests/none",
        "/auth/token",
        "/_ping",
        "/api/v0/openapi.json",
    ];
    let expected = [
        ("content-security-policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'"),
        ("x-content-type-options", "nosniff"),
        ("x-xss-protection", "1; mode=block"),
        ("x-frame-options", "DENY"),
    ];
    for path in paths {
        for ask in [registry.ask("GET", path), registry.ask("GET", path).by_admin()] {
            let answer = ask.send().await;
            for (name, value) in expected {
                assert_eq!(answer.header(name), value, "{name} of {path}");
            }
        }
    }
}

/// Everything the old product served and this registry does not yet says so by its name.
#[tokio::test]
async fn what_is_not_there_yet_says_what_it_is() {
    let registry = Registry::start().await;
    let cases = [
        ("GET", "/api/v0/imagescan/status", "scanning"),
        ("GET", "/api/v0/webhooks", "webhooks"),
        ("GET", "/api/v0/content_caches", "content caches"),
        ("GET", "/api/v0/repositories/a/b/pruningPolicies", "pruning"),
        ("POST", "/api/v0/repositories/a/b/promotionPolicies", "promotion"),
        ("POST", "/api/v0/remote/registry", "mirroring"),
        ("GET", "/api/v1/repositories/a/b/tags", "tags with platforms"),
        ("GET", "/charts/a/b/index.yaml", "charts"),
    ];
    for (method, path, feature) in cases {
        let answer = ask(&registry, method, path, "").await.fails(404, "NOT_AVAILABLE");
        let message = answer.json()["errors"][0]["message"].as_str().unwrap().to_owned();
        assert!(message.starts_with(&format!("{feature}:")), "{path}: {message}");
    }
    let features = ask(&registry, "GET", "/api/v0/meta/features", "").await.is(200).json();
    let claimed =
        features.as_object().unwrap().iter().filter(|(_, value)| **value == Value::Bool(true));
    let claimed: Vec<&str> = claimed.map(|(name, _)| name.as_str()).collect();
    // Constants of a registry without licences, dtr-interface 3.2; none says that a feature is on.
    let constants = [
        "metadataStoreOptedIn",
        "mirroringLicensed",
        "onlineGCEnabled",
        "promotionLicensed",
        "scanningLicensed",
    ];
    assert_eq!(claimed, constants);
    assert_eq!(features["scanningEnabled"], false);
}

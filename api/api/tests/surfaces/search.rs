//! Finding things: `/api/v0/index/…`, `/v1/search`; and what is not there yet.

use serde_json::{Value, json};

use crate::harness::Registry;

async fn results(registry: &Registry, path: &str, who: Option<(&str, &str)>) -> Vec<String> {
    let ask = registry.ask("GET", path);
    let ask = match who {
        Some(who) => ask.by(who),
        None => ask,
    };
    let found = ask.send().await.is(200).json();
    let names = found["results"].as_array().unwrap().iter();
    let names: Vec<_> = names.map(|one| one["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(found["num_results"], names.len());
    names
}

#[tokio::test]
async fn a_search_sees_what_the_caller_may_pull() {
    let registry = Registry::start().await;
    registry.user("bob").await;
    registry.organization("ann").await;
    for (name, visibility) in [("web", "public"), ("web-private", "private"), ("old-web", "public")]
    {
        let body = json!({ "name": name, "visibility": visibility, "shortDescription": "pages" });
        let ask = registry.ask("POST", "/api/v0/repositories/ann").by_admin();
        ask.body(body.to_string()).send().await.is(201);
    }
    let public = ["ann/old-web", "ann/web"];
    for path in ["/api/v0/index/dockersearch?q=WEB", "/v1/search?q=web&n=25"] {
        assert_eq!(results(&registry, path, None).await, public, "{path}");
        assert_eq!(results(&registry, path, Some(("bob", "pw"))).await, public, "{path}");
        let own = results(&registry, path, Some(crate::harness::ADMIN)).await;
        assert_eq!(own, ["ann/old-web", "ann/web", "ann/web-private"], "{path}");
    }
    // What begins with the word comes first.
    let first = results(&registry, "/v1/search?q=ann/w&n=1", None).await;
    assert_eq!(first, ["ann/web"]);
    let nothing = |path| results(&registry, path, Some(("bob", "pw")));
    assert_eq!(nothing("/v1/search?q=nothing").await, [""; 0]);
    assert_eq!(nothing("/v1/search?q=private").await, [""; 0]);
    // podman asks without credentials first, and goes on with them where it is told to.
    for word in ["nothing", "private"] {
        let refused = registry.ask("GET", &format!("/v1/search?q={word}")).send().await;
        refused.fails(401, "NOT_AUTHENTICATED");
    }
    for path in ["/v1/search", "/v1/search?q=a&n=0", "/v1/search?q=a&n=x"] {
        registry.ask("GET", path).send().await.fails(400, "INVALID_PARAMETERS");
    }
    assert_eq!(registry.ask("GET", "/v1/_ping").send().await.status, 404);
}

#[tokio::test]
async fn completion_offers_accounts_and_repositories() {
    let registry = Registry::start().await;
    registry.user("anna").await;
    registry.push_image("ann/web", "v1", "one").await;
    registry.push_image("org/web", "v1", "one").await;
    let ask = |query: &str| registry.ask("GET", &format!("/api/v0/index/autocomplete?{query}"));
    let names = |found: &Value, key: &str| -> Vec<String> {
        let found = found[key].as_array().unwrap().iter();
        found.map(|one| one["name"].as_str().unwrap().to_owned()).collect()
    };
    let found = ask("query=ann").by_admin().send().await.is(200).json();
    assert_eq!(names(&found, "accountResults"), ["ann", "anna"]);
    assert_eq!(names(&found, "repositoryResults"), ["web"]);
    let both = ask("query=we&includeAccounts=false").by_admin().send().await.is(200).json();
    assert_eq!(names(&both, "repositoryResults"), ["web", "web"]);
    assert!(both.get("accountResults").is_none());
    let one = ask("query=we&namespace=org").by_admin().send().await.is(200).json();
    assert_eq!(one["repositoryResults"][0]["namespace"], "org");
    assert_eq!(names(&one, "repositoryResults"), ["web"]);
    // Private repositories of others are not offered.
    let hidden = ask("query=we").by(("anna", "pw")).send().await.is(200).json();
    assert_eq!(hidden["repositoryResults"], json!([]));
    ask("query=we").send().await.fails(401, "NOT_AUTHENTICATED");
    ask("").by_admin().send().await.fails(400, "INVALID_PARAMETERS");
}

#[tokio::test]
async fn what_is_not_there_yet_says_so_by_name() {
    let registry = Registry::start().await;
    for (path, feature) in [
        ("/api/v0/webhooks", "webhooks"),
        ("/api/v0/imagescan/status", "scanning"),
        ("/api/v0/repositories/ann/web/pruningPolicies", "pruning"),
    ] {
        let answer = registry.ask("GET", path).by_admin().send().await.fails(404, "NOT_AVAILABLE");
        assert!(String::from_utf8_lossy(&answer.body).contains(feature), "{path}");
    }
    registry.ask("GET", "/api/v0/nothing").by_admin().send().await.fails(404, "NOT_FOUND");
    let features = registry.ask("GET", "/api/v0/meta/features").by_admin().send().await.is(200);
    assert_eq!(features.json()["scanningEnabled"], false);
    registry.ask("GET", "/api/v0/meta/features").send().await.fails(401, "NOT_AUTHENTICATED");
    let version = registry.ask("GET", "/api/v0/admin/version").by_admin().send().await.is(200);
    assert!(version.json()["version"].as_str().unwrap().contains('.'));
    let alerts = || registry.ask("GET", "/api/v0/meta/alerts").by_admin();
    let told = alerts().send().await.is(200).json();
    assert_eq!(told[0]["id"], "backup-missing");
    assert_eq!(told.as_array().unwrap().len(), 1, "{told}");
    registry.ask("GET", "/api/v0/meta/backup").by_admin().send().await.is(200);
    assert_eq!(alerts().send().await.is(200).json(), json!([]));
    let set = registry.ask("POST", "/api/v0/meta/settings").by_admin();
    set.body(r#"{"readOnlyRegistry":true}"#).send().await.is(202);
    assert_eq!(alerts().send().await.is(200).json()[0]["id"], "read-only");
}

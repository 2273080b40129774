//! Robots of an organization, and how they stand in lists of accounts.

use serde_json::Value;

use crate::harness::{Answer, Registry};
use crate::people::acme;
use crate::roles::{ask, check, credentials, follow};

const ROBOTS: &str = "/enzi/v0/accounts/acme/robots";

async fn make(registry: &Registry, name: &str) -> Answer {
    let body = format!(r#"{{"name":"{name}","description":"builds"}}"#);
    registry.ask("POST", ROBOTS).by(credentials("olga")).body(body).send().await
}

/// Names of all entries of a list, page by page.
async fn walked(registry: &Registry, path: &str, key: &str) -> Vec<String> {
    let entries = follow(registry, (path, key), async |_| ()).await;
    entries.iter().map(|entry| entry["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn robots_are_made_by_owners_counted_and_listed_page_by_page() {
    let registry = acme().await;
    let own = ["a", "b", "c", "d"];
    for name in own {
        let made = make(&registry, name).await.is(201).json();
        assert_eq!(made["name"], format!("acme+{name}"));
        let (name, token) = (made["name"].as_str().unwrap(), made["token"].as_str().unwrap());
        registry.ask("GET", "/v2/").by((name, token)).send().await.is(200);
        // It manages nothing, and shows itself to nobody but those who do.
        let refused = registry.ask("GET", ROBOTS).by((name, token)).send().await;
        refused.fails(403, "NOT_AUTHORIZED");
    }
    make(&registry, "a").await.fails(400, "ACCOUNT_EXISTS");
    make(&registry, "no name").await.fails(400, "INVALID_PARAMETERS");
    let whole = own.map(|name| format!("acme+{name}"));
    assert_eq!(walked(&registry, ROBOTS, "robots").await, whole);
    let all = walked(&registry, "/enzi/v0/accounts", "accounts").await;
    assert!(all.is_sorted() && whole.iter().all(|name| all.contains(name)), "{all:?}");
    let counted = async || {
        let path = "/enzi/v0/accounts?limit=1&count=true";
        let answer = ask(&registry, "GET", path, "").await.is(200);
        let document = answer.json();
        ["usersCount", "orgsCount", "resourceCount"].map(|key| document[key].as_u64().unwrap())
    };
    assert_eq!(counted().await, [7, 1, 12]);
    assert_eq!(all.len(), 12);
    for name in ["a", "acme+b"] {
        let gone = registry.ask("DELETE", &format!("{ROBOTS}/{name}"));
        gone.by(credentials("olga")).send().await.is(204);
    }
    assert_eq!(counted().await, [7, 1, 10]);
    ask(&registry, "DELETE", "/enzi/v0/accounts/acme", "").await.is(204);
    assert_eq!(counted().await, [7, 0, 7], "robots go with their organization");
}

#[tokio::test]
async fn members_who_own_nothing_make_no_robots() {
    let registry = acme().await;
    make(&registry, "ci").await.is(201);
    let one = "/enzi/v0/accounts/acme/robots/ci";
    let none = "/enzi/v0/accounts/acme/robots/none";
    let cases = [
        ("POST", ROBOTS, r#"{"name":"more"}"#, [403, 403, 401]),
        ("DELETE", one, "", [403, 403, 401]),
        ("DELETE", none, "", [403, 403, 401]),
    ];
    check(&registry, ["mia", "stan", ""], &cases).await;
    ask(&registry, "DELETE", none, "").await.fails(404, "NO_SUCH_ACCOUNT");
    let listed = ask(&registry, "GET", ROBOTS, "").await.is(200).json();
    let names: Vec<&Value> =
        listed["robots"].as_array().unwrap().iter().map(|robot| &robot["name"]).collect();
    assert_eq!(names, ["acme+ci"]);
}

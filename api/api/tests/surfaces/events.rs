//! What happened: who sees which events, which filters there are, and how long events are kept.

use metadata::events::pulls::PullsNote;
use serde_json::{Value, json};

use crate::harness::{ADMIN, OCI_IMAGE, Registry};
use crate::people::{EVERYBODY, acme, grant_web, propose};
use crate::roles::{self, Case, credentials};

const ALL: &str = "/api/v0/events";
const WEB: &str = "/api/v0/repositories/acme/web/events";

/// The kinds of the events at a path, the newest first, asked for by this user.
async fn kinds(registry: &Registry, user: &str, path: &str) -> Vec<String> {
    let answer = registry.ask("GET", path).by(credentials(user)).send().await.is(200).json();
    let kind = |event: &Value| {
        let (done, to) = (event["type"].as_str(), event["object"]["type"].as_str());
        format!("{} {}", done.unwrap(), to.unwrap())
    };
    answer["events"].as_array().unwrap().iter().map(kind).collect()
}

/// Pulls by tag, as docker does, and tells the cluster.
async fn pull(registry: &Registry, user: &str) {
    let path = "/v2/acme/web/manifests/v1";
    let ask = registry.ask("GET", path).with("accept", OCI_IMAGE).by(credentials(user));
    ask.send().await.is(200);
    // Looking is no pull.
    registry.ask("HEAD", path).by(credentials(user)).send().await.is(200);
    let pulls = registry.context.pulls.take();
    assert_eq!(pulls.len(), 1, "{pulls:?}");
    propose(registry, PullsNote { pulls }).await;
}

#[tokio::test]
async fn a_push_and_a_pull_are_told_to_those_who_may_know() {
    let registry = acme().await;
    grant_web(&registry).await;
    let digest = registry.push_image("acme/web", "v1", "mark").await;
    pull(&registry, "rita").await;
    let pushed = ["UPDATE TAG", "CREATE MANIFEST", "CREATE REPOSITORY"];
    let all = ["GET TAG", "UPDATE TAG", "CREATE MANIFEST", "CREATE REPOSITORY"];
    for (user, seen) in [("admin", &all[..]), ("olga", &all), ("adam", &all)] {
        assert_eq!(kinds(&registry, user, WEB).await, seen, "{user}");
    }
    for user in ["walt", "rita"] {
        assert_eq!(kinds(&registry, user, WEB).await, pushed, "{user}");
        let pulls = format!("{WEB}?eventType=GET");
        assert!(kinds(&registry, user, &pulls).await.is_empty(), "{user} asks for pulls");
    }
    let without = format!("{WEB}?excludePull=true");
    assert_eq!(kinds(&registry, "adam", &without).await, pushed);

    let answer = registry.ask("GET", WEB).by_admin().send().await.is(200).json();
    let [pulled, tagged, _, created] = &answer["events"].as_array().unwrap()[..] else {
        panic!("{answer}")
    };
    let object = json!({
        "id": "acme/web:v1", "type": "TAG", "name": "v1",
        "content": json!({ "digest": digest }).to_string(),
    });
    assert_eq!((&tagged["object"], &pulled["object"]), (&object, &object));
    assert_eq!((&tagged["actorType"], &tagged["repository"]), (&json!("user"), &json!("acme/web")));
    let accounts = registry.ask("GET", "/enzi/v0/accounts/rita").by_admin().send().await.json();
    assert_eq!(pulled["actor"], accounts["id"]);
    assert_eq!(created["object"]["name"], "acme/web");
    assert!(created["publishedAt"].as_str().unwrap().ends_with('Z'));
}

#[tokio::test]
async fn events_are_for_those_who_see_the_repository_and_all_of_them_for_the_system() {
    let registry = acme().await;
    grant_web(&registry).await;
    let open = "/api/v0/repositories/acme/open/events";
    let none = "/api/v0/repositories/acme/none/events";
    let cases: [Case<8>; 5] = [
        ("GET", WEB, "", [200, 200, 200, 200, 200, 404, 404, 401]),
        ("GET", open, "", [200, 200, 200, 200, 200, 200, 200, 401]),
        ("GET", none, "", [404, 404, 404, 404, 404, 404, 404, 401]),
        ("GET", ALL, "", [200, 403, 403, 403, 403, 403, 403, 401]),
        ("GET", "/api/v0/audit", "", [200, 403, 403, 403, 403, 403, 403, 401]),
    ];
    roles::check(&registry, EVERYBODY, &cases).await;
}

#[tokio::test]
async fn a_list_of_events_is_paged_and_filtered() {
    let registry = acme().await;
    for number in 0..3 {
        registry.push_image("acme/web", &format!("v{number}"), &format!("m{number}")).await;
    }
    let (mut numbers, mut start) = (Vec::new(), String::new());
    loop {
        let path = format!("{ALL}?pageSize=3&pageStart={start}&count=true");
        let answer = registry.ask("GET", &path).by_admin().send().await.is(200);
        assert_eq!(answer.header("x-resource-count"), "8");
        let events = answer.json()["events"].as_array().unwrap().clone();
        assert!(!events.is_empty() && events.len() <= 3);
        let number = |event: &Value| event["id"].as_str().unwrap().parse::<u64>().unwrap();
        numbers.extend(events.iter().map(number));
        start = answer.header("x-next-page-start").to_owned();
        if start.is_empty() {
            break;
        }
    }
    assert_eq!(numbers, (1..=8).rev().collect::<Vec<_>>());

    let count = async |query: &str| kinds(&registry, ADMIN.0, &format!("{ALL}?{query}")).await;
    let tags = ["UPDATE TAG"; 3];
    assert_eq!(count("objectType=TAG").await, tags);
    assert_eq!(count("objectType=tag&eventType=update").await, tags);
    assert_eq!(count("eventType=SCAN").await, [""; 0]);
    assert_eq!(count("actorId=admin&objectType=TAG").await, tags);
    let admin = registry.ask("GET", "/enzi/v0/accounts/admin").by_admin().send().await.json();
    let id = admin["id"].as_str().unwrap();
    assert_eq!(count(&format!("actorId={id}&objectType=TAG")).await, tags);
    assert_eq!(count("actorId=nobody").await, [""; 0]);
    assert_eq!(count("publishedAfter=2099-01-01T00:00:00Z").await, [""; 0]);
    assert_eq!(count("publishedBefore=2001-01-01T00:00:00Z").await, [""; 0]);
    assert_eq!(count("publishedAfter=2001-01-01T00:00:00Z&objectType=TAG").await, tags);
    for query in [
        "eventType=PUSH",
        "objectType=IMAGE",
        "publishedAfter=yesterday",
        "publishedBefore=1",
        "pageStart=x",
        "pageStart=-1",
        "pageSize=0",
        "excludePull=maybe",
    ] {
        for path in [ALL, WEB] {
            let ask = registry.ask("GET", &format!("{path}?{query}")).by_admin();
            ask.send().await.fails(400, "INVALID_PARAMETERS");
        }
    }
}

#[tokio::test]
async fn how_long_events_are_kept_is_a_setting() {
    let registry = acme().await;
    let path = "/api/v0/meta/settings";
    let get = async || registry.ask("GET", path).by_admin().send().await.is(200).json();
    let set = async |body: Value| {
        let ask = registry.ask("POST", path).by_admin().body(body.to_string());
        ask.send().await
    };
    let before = get().await;
    assert_eq!(before["repoEventHistoryCompactionEnabled"], false);
    assert_eq!(before["repoEventHistoryToKeep"], 0);
    assert_eq!(before["repoEventHistoryMaxAge"], "0s");
    registry.push_image("acme/web", "v1", "mark").await;
    set(json!({
        "repoEventHistoryCompactionEnabled": true,
        "repoEventHistoryToKeep": 2,
        "repoEventHistoryMaxAge": "1h30m",
    }))
    .await
    .is(202);
    let after = get().await;
    assert_eq!(after["repoEventHistoryToKeep"], 2);
    assert_eq!(after["repoEventHistoryMaxAge"], "1h30m");
    assert_eq!(after["createRepositoryOnPush"], before["createRepositoryOnPush"]);
    // What is too much goes with an entry that follows.
    set(json!({ "repoEventHistoryMaxAge": "2h" })).await.is(202);
    assert_eq!(kinds(&registry, "admin", ALL).await, ["UPDATE TAG", "CREATE MANIFEST"]);
    for body in [
        json!({ "repoEventHistoryMaxAge": "30d" }),
        json!({ "repoEventHistoryToKeep": 250_001 }),
        json!({ "repoEventHistoryMaxAge": "999999999h" }),
    ] {
        let answer = set(body.clone()).await;
        assert_eq!(answer.status.as_u16(), 400, "{body}");
    }
}

//! A change whose replica dies in the middle is sent again to another one, under its key: it is
//! made once, and by whom and from where is known.

use std::time::Duration;

use chaos_tests::cluster::Cluster;
use chaos_tests::history::Condition;
use chaos_tests::image::{Blob, Image};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::ends_well;

const ACCOUNT: &str = "/enzi/v0/accounts/acme";

async fn records(cluster: &Cluster, place: usize, query: &str) -> Vec<Value> {
    let path = format!("/api/v0/audit?pageSize=1000&{query}");
    let answer = cluster.registry.basic(place, Method::GET, &path).send().await.unwrap();
    let document: Value = answer.error_for_status().unwrap().json().await.unwrap();
    document["records"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_is_sent_again_to_another_replica_is_made_once() {
    let mut cluster = Cluster::start(3).await.unwrap();
    let create = json!({ "name": "acme", "isOrg": true });
    let request = cluster.registry.basic(0, Method::POST, "/enzi/v0/accounts").json(&create);
    assert_eq!(request.send().await.unwrap().status(), 201);
    // Before the request is there, while it is carried out, and after it was.
    let kills_after_ms = [0, 3, 6, 10, 16, 30, 80];
    for (round, after_ms) in kills_after_ms.into_iter().enumerate() {
        let place = if round % 2 == 0 { cluster.leader().await.unwrap() } else { round % 3 };
        let key = format!("round-{round}");
        let change = json!({ "fullName": format!("Acme, number {round}") });
        let patch = |cluster: &Cluster, at| -> RequestBuilder {
            let request = cluster.registry.basic(at, Method::PATCH, ACCOUNT);
            request.header("idempotency-key", &key).json(&change)
        };
        let first = tokio::spawn(patch(&cluster, place).send());
        sleep(Duration::from_millis(after_ms)).await;
        cluster.kill(place).await.unwrap();
        let first = first.await.unwrap().ok().map(|answer| answer.status().as_u16());
        assert!(matches!(first, None | Some(200)), "round {round}: {first:?}");
        for at in [(place + 1) % 3, (place + 2) % 3] {
            let answer = patch(&cluster, at).send().await.unwrap();
            let (status, body) = (answer.status(), answer.text().await.unwrap());
            assert_eq!(status, 200, "round {round}: {body}");
            let account: Value = serde_json::from_str(&body).unwrap();
            assert_eq!(account["fullName"], change["fullName"], "round {round}");
        }
        let told = records(&cluster, (place + 1) % 3, "action=account.update").await;
        assert_eq!(told.len(), round + 1, "round {round}: first {first:?}, {:?}", told.first());
        cluster.restart(place).unwrap();
        cluster.wait_healthy().await.unwrap();
    }
    ends_well(&cluster);
}

/// The upload is opened at one replica and closed at another, which has the first do it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repository_that_a_push_creates_is_told_with_the_request_wherever_it_went() {
    let cluster = Cluster::start(3).await.unwrap();
    let registry = &cluster.registry;
    let here = Image::random(3);
    registry.push(1, "admin/here", &here, "v1").await.unwrap();
    let blob: &Blob = &here.blobs[0];
    let uploads = "/v2/admin/there/blobs/uploads/";
    let opened = registry.basic(0, Method::POST, uploads).send().await.unwrap();
    assert_eq!(opened.status(), 202);
    let location = opened.headers()["location"].to_str().unwrap().to_owned();
    let path = location.find("/v2/").map_or(location.as_str(), |at| &location[at..]);
    let joint = if path.contains('?') { '&' } else { '?' };
    let close = format!("{path}{joint}digest={}", blob.digest);
    let closed = registry.basic(2, Method::PUT, &close).body(blob.bytes.clone()).send();
    let closed = closed.await.unwrap();
    assert_eq!(closed.status(), 201);
    let id = closed.headers()["x-request-id"].to_str().unwrap().to_owned();

    let told = records(&cluster, 0, "action=repository.create").await;
    let objects: Vec<&Value> = told.iter().map(|record| &record["object"]).collect();
    assert_eq!(objects, ["admin/there", "admin/here"]);
    for record in &told {
        assert_eq!(record["address"], "127.0.0.1", "{record}");
        assert_eq!(record["actor"], "admin", "{record}");
        assert_eq!(record["requestId"].as_str().map(str::len), Some(16), "{record}");
    }
    assert_eq!(told[0]["requestId"], json!(id));
    ends_well(&cluster);
}

/// More tags than one command takes away.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_manifest_with_very_many_tags_goes_with_all_of_them() {
    const TAGS: usize = 230;
    let cluster = Cluster::start(3).await.unwrap();
    let registry = &cluster.registry;
    let image = Image::random(4);
    registry.push(0, "admin/many", &image, "v0").await.unwrap();
    for number in 1..TAGS {
        let tag = format!("v{number}");
        let (target, manifest) = (("admin/many", &*tag), (&image.manifest, image.media_type));
        let put = registry.push_manifest(number % 3, target, manifest, &Condition::None);
        put.await.unwrap();
    }
    let path = format!("/v2/admin/many/manifests/{}", image.manifest.digest);
    let deleted = registry.basic(1, Method::DELETE, &path).send().await.unwrap();
    assert_eq!(deleted.status(), 202);
    let warning = deleted.headers()["warning"].to_str().unwrap();
    assert!(warning.contains(" and 180 more"), "{warning}");
    let gone = registry.basic(2, Method::GET, &path).send().await.unwrap();
    assert_eq!(gone.status(), 404);
    let tags = registry.json(2, "/api/v0/repositories/admin/many/tags").await.unwrap();
    assert_eq!(tags, json!([]));
    let path = "/api/v0/repositories/admin/many/tags?deleted=true&pageSize=1000";
    let tags = registry.json(2, path).await.unwrap();
    assert_eq!(tags.as_array().map(Vec::len), Some(TAGS));
    let (mut told, mut start) = (0, String::new());
    loop {
        let events = "/api/v0/repositories/admin/many/events?eventType=DELETE&objectType=TAG";
        let path = format!("{events}&pageSize=100&pageStart={start}");
        let answer = registry.basic(0, Method::GET, &path).send().await.unwrap();
        let next = answer.headers().get("x-next-page-start").cloned();
        let events: Value = answer.json().await.unwrap();
        told += events["events"].as_array().unwrap().len();
        let Some(next) = next else { break };
        next.to_str().unwrap().clone_into(&mut start);
    }
    assert_eq!(told, TAGS);
    ends_well(&cluster);
}

//! Collection as people look at it: sums, the plan, and why a blob stays. That files go is tested
//! with real replicas.

use consensus::cluster::Freshness;
use metadata::blobs::commands::BlobUnlink;
use metadata::collection::{self, Condemn, Delete};
use metadata::settings::SettingsSet;
use oci::name::RepositoryName;
use serde_json::{Value, json};

use crate::harness::{ADMIN, Registry};
use crate::roles::ask;

const GC: &str = "/api/v0/gc";
const SETTINGS: &str = "/api/v0/meta/settings";

async fn shown(registry: &Registry, rest: &str) -> Value {
    ask(registry, "GET", &format!("{GC}{rest}"), "").await.is(200).json()
}

async fn planned(registry: &Registry, query: &str) -> Vec<(String, String)> {
    let answer = shown(registry, &format!("/plan?{query}")).await;
    let text = |it: &Value| it.as_str().unwrap().to_owned();
    let blobs = answer["blobs"].as_array().unwrap().iter();
    blobs.map(|it| (text(&it["digest"]), text(&it["state"]))).collect()
}

#[tokio::test]
async fn the_plan_the_sums_and_the_explanation_say_the_same() {
    let registry = Registry::start().await;
    let repository = RepositoryName::parse("team/app").unwrap();
    let mut digests = Vec::new();
    for text in ["one", "two", "three"] {
        digests.push(registry.push_blob("team/app", text.as_bytes()).await);
    }
    let sums = shown(&registry, "").await;
    assert_eq!(sums["leased"], json!({ "blobs": 3, "bytes": 11 }));
    assert_eq!((&sums["graceSeconds"], &sums["schedule"]), (&json!(86_400), &Value::Null));
    let unlink = |place: usize| BlobUnlink {
        repository: repository.clone(),
        digest: digests[place].clone(),
        actor: ADMIN.0.to_owned(),
    };
    for place in [0, 1] {
        registry.cluster.propose(unlink(place).into()).await.unwrap();
    }
    let of = |place: usize, state: &str| (digests[place].to_string(), state.to_owned());
    let mut all = planned(&registry, "pageSize=10").await;
    all.sort();
    let mut expected = vec![of(0, "grace"), of(1, "grace"), of(2, "leased")];
    expected.sort();
    assert_eq!(all, expected);
    assert!(planned(&registry, "state=ready").await.is_empty());

    // Below what the replica's file allows nothing can be set, and the cluster's setting alone
    // shortens nothing.
    let short = json!({ "collectionGraceSeconds": 3_599 }).to_string();
    ask(&registry, "POST", SETTINGS, &short).await.fails(400, "INVALID_SETTINGS");
    let hour = json!({ "collectionGraceSeconds": 3_600 }).to_string();
    ask(&registry, "POST", SETTINGS, &hour).await.is(202);
    let set = SettingsSet { grace_s: Some(0), ..SettingsSet::default() };
    registry.cluster.propose(set.into()).await.unwrap();
    assert!(planned(&registry, "state=ready").await.is_empty());
    assert_eq!(shown(&registry, "").await["graceSeconds"], 3_600);

    registry.cluster.propose(Condemn { digest: digests[0].clone() }.into()).await.unwrap();
    assert_eq!(planned(&registry, "state=condemned").await, [of(0, "condemned")]);
    assert_eq!(shown(&registry, "").await["reclaimable"]["blobs"], 1);
    let why = shown(&registry, &format!("/blobs/{}", digests[2])).await;
    assert_eq!((&why["goesWithTheNextRun"], &why["references"]), (&json!(false), &json!(0)));
    assert_eq!(why["repositories"][0]["repository"], "team/app");
    assert!(why["repositories"][0]["leaseUntil"].as_str().is_some(), "{why}");
    let why = shown(&registry, &format!("/blobs/{}", digests[0])).await;
    assert_eq!((&why["goesWithTheNextRun"], &why["repositories"]), (&json!(true), &json!([])));

    let read = registry.cluster.read(Freshness::Local, |view| collection::condemned(view, None, 9));
    let doomed = read.await.unwrap().remove(0);
    let (digest, generation) = (doomed.digest, doomed.generation);
    registry.cluster.propose(Delete { digest, generation }.into()).await.unwrap();
    let path = format!("{GC}/blobs/{}", digests[0]);
    ask(&registry, "GET", &path, "").await.fails(404, "NO_SUCH_LAYER");
    assert_eq!(shown(&registry, "").await["kept"], json!({ "blobs": 2, "bytes": 8 }));
}

#[tokio::test]
async fn the_plan_comes_in_parts_and_wrong_questions_are_refused() {
    let registry = Registry::start().await;
    for number in 0..7 {
        registry.push_blob("team/app", format!("layer {number}").as_bytes()).await;
    }
    let (mut found, mut start) = (Vec::new(), String::new());
    loop {
        let path = format!("{GC}/plan?pageSize=3&pageStart={start}");
        let answer = ask(&registry, "GET", &path, "").await.is(200);
        let blobs = answer.json()["blobs"].as_array().unwrap().clone();
        assert!(blobs.len() <= 3);
        found.extend(blobs.into_iter().map(|it| it["digest"].to_string()));
        start = answer.header("x-next-page-start").to_owned();
        if start.is_empty() {
            break;
        }
    }
    found.sort();
    found.dedup();
    assert_eq!(found.len(), 7);
    for query in ["state=gone", "pageStart=xyz", "pageStart=00", "pageSize=0"] {
        let path = format!("{GC}/plan?{query}");
        ask(&registry, "GET", &path, "").await.fails(400, "INVALID_PARAMETERS");
    }
    let path = format!("{GC}/blobs/nothing");
    ask(&registry, "GET", &path, "").await.fails(400, "INVALID_DIGEST");
}

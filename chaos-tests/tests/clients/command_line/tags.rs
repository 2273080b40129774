//! Tags, tag limits and quotas by commands.

use std::time::Duration;

use chaos_tests::cluster::ADMIN;
use chaos_tests::image::Image;
use chaos_tests::registry::Failure;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::desk::Desk;

const REPOSITORY: &str = "acme/nightly";
/// Pulls and pushes are told every few seconds.
const TOLD_WITHIN: Duration = Duration::from_secs(30);

async fn push(desk: &Desk<'_>, place: usize, image: &Image, tag: &str) -> Result<(), Failure> {
    desk.cluster.registry.push(place, REPOSITORY, image, tag).await
}

/// First words of the lines that are printed.
fn first(out: &str) -> Vec<&str> {
    out.lines().map(|line| line.split('\t').next().unwrap()).collect()
}

pub(crate) async fn come_go_and_come_back(desk: &Desk<'_>) {
    let images = [Image::with_layer(1, 2_000), Image::with_layer(2, 2_000)];
    desk.done("repo create acme/nightly --private --tag-limit 2").await;
    for (place, tag) in ["one", "two", "three"].into_iter().enumerate() {
        push(desk, place, &images[place % 2], tag).await.unwrap();
    }
    assert_eq!(first(&desk.done("tag list acme/nightly").await), ["three", "two"]);
    let shown = desk.done("tag show acme/nightly:two").await;
    let digest = &images[1].manifest.digest;
    let begin = format!("two\tlinux\tamd64\t2000\t{digest}\t{ADMIN}\t");
    assert!(shown.starts_with(&begin), "{shown}");
    let history = desk.json("tag history acme/nightly:one").await;
    let events: Vec<&Value> =
        history.as_array().unwrap().iter().map(|event| &event["event"]).collect();
    assert_eq!(events, [&json!("evicted"), &json!("pushed")]);

    let full = desk.types(ADMIN, "tag undelete acme/nightly:one").await;
    assert!(full.status == Some(3) && full.err.contains("tagLimit"), "{full}");
    desk.done("repo update acme/nightly --tag-limit 0").await;
    desk.done("tag undelete acme/nightly:one").await;
    let asked = desk.types(ADMIN, "tag delete acme/nightly:two").await;
    assert!(asked.status == Some(2) && asked.err.contains("--yes is missing"), "{asked}");
    desk.done("tag delete acme/nightly:two --yes").await;
    assert_eq!(first(&desk.done("tag list acme/nightly").await), ["one", "three"]);
    // Its image goes as well, and comes back with it, on every replica.
    let path = format!("/v2/{REPOSITORY}/manifests/{digest}");
    let registry = &desk.cluster.registry;
    registry
        .basic(0, reqwest::Method::DELETE, &path)
        .send()
        .await
        .unwrap()
        .error_for_status()
        .unwrap();
    let back = desk.done("tag list acme/nightly --deleted").await;
    assert_eq!(first(&back), ["two"]);
    assert!(back.contains(digest.as_str()), "{back}");
    desk.done("tag undelete acme/nightly:two").await;
    assert_eq!(desk.done("tag list acme/nightly --deleted").await, "");
    for place in 0..desk.cluster.replicas.len() {
        assert_eq!(registry.look(place, REPOSITORY, "two").await.unwrap().as_ref(), Some(digest));
        for blob in &images[1].blobs {
            let came = registry.fetch(place, REPOSITORY, "blobs", &blob.digest).await.unwrap();
            assert_eq!(came, blob.digest);
        }
    }
    for (line, said) in [
        ("tag undelete acme/nightly:two", "NO_SUCH_TAG"),
        ("tag history acme/nightly:zero", "NO_SUCH_TAG"),
        ("tag show acme/nightly:zero", "NO_SUCH_REF"),
        ("repo update acme/nightly --tag-limit 3 --immutable-tags", "INVALID_SETTINGS"),
    ] {
        let ended = desk.types(ADMIN, line).await;
        assert!(ended.status == Some(1) && ended.err.contains(said), "{line}\n{ended}");
    }
}

pub(crate) async fn are_counted_and_bounded(desk: &Desk<'_>) {
    let until = Instant::now() + TOLD_WITHIN;
    loop {
        let shown = desk.json("repo show acme/nightly").await;
        // Nobody pulled by GET of a manifest; three tags were pushed, each through another replica.
        if (&shown["pulls"], &shown["pushes"]) == (&json!(0), &json!(3)) {
            break;
        }
        assert!(Instant::now() < until, "{shown}");
        sleep(Duration::from_millis(500)).await;
    }
    let shown = desk.done("org show acme").await;
    assert!(shown.contains("quota\tnone\n"), "{shown}");
    desk.done("org update acme --quota 20KB").await;
    let shown = desk.json("org show acme").await;
    assert_eq!(shown["quotaBytes"], 20_000);
    let used = shown["usedBytes"].as_u64().unwrap();
    assert!((4_000..20_000).contains(&used), "{shown}");
    let large = Image::with_layer(3, 20_000);
    let refused = push(desk, 1, &large, "large").await.unwrap_err().to_string();
    assert!(refused.contains("QUOTA_EXCEEDED"), "{refused}");
    desk.done("org update acme --quota none").await;
    push(desk, 2, &large, "large").await.unwrap();
    let ended = desk.types(ADMIN, "org update acme --quota 0").await;
    assert_eq!(ended.status, Some(2), "{ended}");
}

//! The operations of a cluster's life, done by the commands that an operator has: replicas leave
//! and come, a majority is lost, a folder is looked through.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

#[path = "operations/certificates.rs"]
mod certificates;
#[path = "operations/doctor.rs"]
mod doctor;
#[path = "operations/leaving.rs"]
mod leaving;
#[path = "operations/repair.rs"]
mod repair;

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use chaos_tests::checker::{self, Violation, durable};
use chaos_tests::cluster::{ADMIN, Cluster};
use chaos_tests::executable::{self, Ended, text};
use chaos_tests::history::Recorder;
use chaos_tests::image::Image;
use chaos_tests::logs;
use chaos_tests::registry::Registry;
use chaos_tests::sweep::fetch_everything;
use chaos_tests::workload::REPOSITORY;
use reqwest::Method;
use tokio::time::sleep;

/// Whatever a test waits for is there by then, or the test has failed.
const SOON: Duration = Duration::from_secs(90);

/// Runs a command of `holdfast` that asks the replica at `place`.
async fn remote(cluster: &Cluster, place: usize, arguments: &[&str]) -> Ended {
    let (password, ca) = (cluster.folder().join("admin-password"), authority(cluster, place).await);
    let (password, ca) = (text(&password), text(&ca));
    let url = cluster.replicas[place].url.clone();
    let connection =
        ["--url", &url, "--username", ADMIN, "--password-file", &password, "--ca", &ca];
    executable::run(&[arguments, &connection[..]].concat()).await.unwrap()
}

/// Runs a command of `holdfast` at the machine of the replica at `place`.
async fn local(cluster: &Cluster, place: usize, verb: &str, arguments: &[&str]) -> Ended {
    let config = text(&cluster.replicas[place].config);
    let whole = [&[verb, "--config", &config][..], arguments].concat();
    executable::run(&whole).await.unwrap()
}

/// The authority of the cluster of the replica at `place`, fetched anew: a repair changes it.
async fn authority(cluster: &Cluster, place: usize) -> PathBuf {
    let path = cluster.folder().join(format!("ca-{place}.pem"));
    let answer = cluster.registry.bare(place, Method::GET, "/ca").send().await.unwrap();
    fs::write(&path, answer.text().await.unwrap()).unwrap();
    path
}

/// How it ended, and a word that it says.
fn ends(ended: &Ended, status: i32, word: &str) {
    assert_eq!(ended.status, Some(status), "{ended}");
    assert!(format!("{}{}", ended.out, ended.err).contains(word), "{word}: {ended}");
}

/// Has the replica at `place` join the cluster of the one at `through`.
async fn join(cluster: &Cluster, (place, through): (usize, usize), more: &[&str]) -> Ended {
    let made = remote(cluster, through, &["join-token", "create"]).await.expect_done().unwrap();
    let token = made.split_whitespace().find(|word| word.starts_with("hf1.")).unwrap().to_owned();
    let peer = cluster.replicas[through].peer.clone();
    let join = [&["--peer", &peer, "--join-token", &token][..], more].concat();
    local(cluster, place, "join", &join).await
}

/// Waits until the replica at `place` counts as many voters, all of them well.
async fn voters(cluster: &mut Cluster, place: usize, count: usize) {
    let until = Instant::now() + SOON;
    loop {
        let status = cluster.status(place).await;
        if let Ok(status) = &status {
            let voters = status["raft"]["voters"].as_array().map_or(0, Vec::len);
            let health = status["replica_health"].as_object();
            let well = health.is_some_and(|all| all.values().all(|it| it == "OK"));
            if voters == count && well {
                return;
            }
        }
        let tail = cluster.replicas[place].log_tail();
        assert!(Instant::now() < until, "not {count} voters: {status:?}\n{tail}");
        sleep(Duration::from_millis(100)).await;
    }
}

/// The id of the replica that listens where the one at `place` does, as `seen_from` has it.
async fn id_of(cluster: &Cluster, seen_from: usize, place: usize) -> String {
    let status = cluster.status(seen_from).await.unwrap();
    let replicas = status["raft"]["replicas"].as_object().unwrap();
    let peer = cluster.replicas[place].peer.as_str();
    let found = replicas.iter().find(|(_, it)| it["address"] == peer);
    found.map_or_else(|| panic!("{peer} is not in {status}"), |(id, _)| id.clone())
}

/// Pulls everything of an image by digest from the replica at `place`.
async fn pulls(registry: &Registry, place: usize, repository: &str, image: &Image) {
    let until = Instant::now() + SOON;
    let blobs = image.digests().into_iter().map(|digest| ("blobs", digest));
    for (kind, digest) in blobs.chain([("manifests", image.manifest.digest.clone())]) {
        loop {
            let came = registry.fetch(place, repository, kind, &digest).await;
            match came {
                Ok(came) if came == digest => break,
                other => assert!(Instant::now() < until, "{kind} {digest} at {place}: {other:?}"),
            }
            sleep(Duration::from_millis(200)).await;
        }
    }
}

/// Waits until a line of the log of the replica at `place` contains `words`.
async fn logged(cluster: &Cluster, place: usize, words: &str) -> String {
    let until = Instant::now() + SOON;
    loop {
        let log = cluster.replicas[place].log_text();
        if let Some(line) = log.lines().rev().find(|line| line.contains(words)) {
            return line.to_owned();
        }
        let tail = cluster.replicas[place].log_tail();
        assert!(Instant::now() < until, "no line has {words:?}:\n{tail}");
        sleep(Duration::from_millis(100)).await;
    }
}

/// No replica may have panicked or logged a secret.
fn ends_well(cluster: &Cluster) {
    let complaints = logs::complaints(cluster).unwrap();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// Everything acknowledged is fetched from these replicas and must be right.
async fn swept(cluster: &Cluster, history: &Recorder, places: &[usize]) {
    fetch_everything(&cluster.registry, REPOSITORY, history, places, SOON).await;
    none(&durable::violations(&history.events(), places));
}

/// Stops the test with every violation that the history shows.
fn holds(history: &Recorder) {
    none(&checker::judge(&history.events()));
}

fn none(violations: &[Violation]) {
    let shown: Vec<String> = violations.iter().take(20).map(ToString::to_string).collect();
    assert!(violations.is_empty(), "{} violations:\n{}", violations.len(), shown.join("\n"));
}

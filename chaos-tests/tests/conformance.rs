//! Conformance: the cases of the official suite by name, and ours beside them, on three replicas.
//!
//! Each mode sends the requests of the same cases elsewhere: all to one replica, each to the next
//! in turn, the same over new connections, the same with one replica killed. The last test breaks
//! one endpoint at a time, to show that each has a case that would notice.
//!
//! Source: registry-protocol section 15.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

#[path = "conformance/answer.rs"]
mod answer;
#[path = "conformance/blobs.rs"]
mod blobs;
#[path = "conformance/breakages.rs"]
mod breakages;
#[path = "conformance/content.rs"]
mod content;
#[path = "conformance/data_sets.rs"]
mod data_sets;
#[path = "conformance/errors.rs"]
mod errors;
#[path = "conformance/extra.rs"]
mod extra;
#[path = "conformance/groups.rs"]
mod groups;
#[path = "conformance/legacy.rs"]
mod legacy;
#[path = "conformance/manifests.rs"]
mod manifests;
#[path = "conformance/page.rs"]
mod page;
#[path = "conformance/proxy.rs"]
mod proxy;
#[path = "conformance/referrers.rs"]
mod referrers;
#[path = "conformance/run.rs"]
mod run;
#[path = "conformance/target.rs"]
mod target;
#[path = "conformance/uploads.rs"]
mod uploads;

use std::fs;
use std::time::Instant;

use chaos_tests::cluster::{ADMIN, Cluster};
use chaos_tests::logs;
use chaos_tests::registry::{Credentials, Registry};
use reqwest::{Method, Version};

use page::Mode;
use run::Record;
use target::Target;

/// A target of these replicas of a cluster, over plain HTTP and kept connections.
fn target(cluster: &Cluster, places: Vec<usize>) -> Target {
    Target::new(cluster.registry.clone(), places, plain(cluster))
}

fn plain(cluster: &Cluster) -> Vec<String> {
    let plain = cluster.replicas.iter().map(|it| it.http.trim_start_matches("http://").to_owned());
    plain.collect()
}

/// Runs all cases; fails with every one that did not pass, and where the page says otherwise.
async fn conforms(mode: Mode, cluster: &mut Cluster, target: &Target) {
    let began = Instant::now();
    let records = groups::run(&groups::all(), target, "").await;
    println!("{} cases in {:?}", records.len(), began.elapsed());
    if let Some(slowest) = records.iter().max_by_key(|it| it.took) {
        println!("the slowest was {} with {:?}", slowest.name, slowest.took);
    }
    settle(mode, cluster, &records);
}

fn settle(mode: Mode, cluster: &mut Cluster, records: &[Record]) {
    let failed = |it: &Record| Some(format!("{}: {}", it.name, it.seen.as_ref().err()?));
    let mut complaints: Vec<String> = records.iter().filter_map(failed).collect();
    let failures = complaints.len();
    complaints.extend(page::settle(mode, records));
    complaints.extend(logs::complaints(cluster).unwrap());
    assert!(
        complaints.is_empty(),
        "{failures} of {} cases failed; {}\n{}",
        records.len(),
        cluster.keep_folder(),
        complaints.join("\n")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_cases_pass_at_one_replica_of_three() {
    let mut cluster = Cluster::start(3).await.unwrap();
    let leader = cluster.leader().await.unwrap();
    let target = target(&cluster, vec![(leader + 1) % 3]);
    conforms(Mode::OneReplica, &mut cluster, &target).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_cases_pass_with_each_request_to_the_next_replica() {
    let mut cluster = Cluster::start(3).await.unwrap();
    let target = target(&cluster, vec![0, 1, 2]);
    conforms(Mode::InTurn, &mut cluster, &target).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_cases_pass_with_a_new_connection_for_each_request() {
    let mut cluster = Cluster::start(3).await.unwrap();
    let ca = fs::read_to_string(cluster.ca_file().await.unwrap()).unwrap();
    let who = Credentials { name: ADMIN.to_owned(), password: cluster.password.clone() };
    let addresses = cluster.replicas.iter().map(|it| it.url.clone()).collect();
    let registry = Registry::reconnecting(addresses, Some(who), Some(&ca)).unwrap();
    let ping = registry.basic(0, Method::GET, "/v2/").send().await.unwrap();
    assert_eq!(ping.version(), Version::HTTP_2, "over TLS the client asks for HTTP/2");
    let target = Target::new(registry, vec![0, 1, 2], plain(&cluster));
    conforms(Mode::Reconnecting, &mut cluster, &target).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_cases_pass_with_one_replica_killed() {
    let mut cluster = Cluster::start(3).await.unwrap();
    let leader = cluster.leader().await.unwrap();
    let target = target(&cluster, vec![(leader + 1) % 3, (leader + 2) % 3]);
    cluster.kill(leader).await.unwrap();
    conforms(Mode::OneKilled, &mut cluster, &target).await;
}

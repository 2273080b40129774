//! Certificates of the replicas renew themselves, and at an operator's word, while clients push.

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};

use chaos_tests::cluster::Cluster;
use chaos_tests::process::Tuning;
use chaos_tests::workload::{Shape, Workload};
use rustix::process::Signal;
use tokio::time::sleep;

use super::{SOON, ends_well, holds};

/// The life of a certificate in this test; it is renewed after two thirds.
const LIFE_S: u64 = 30;

fn certificate(cluster: &Cluster, place: usize) -> String {
    fs::read_to_string(cluster.replicas[place].data.join("keys/peer.pem")).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_of_replicas_are_renewed_before_they_run_out_and_nobody_notices() {
    let peer = format!("certificate_life_s = {LIFE_S}\n");
    let short = Tuning { peer, ..Tuning::default() };
    let mut cluster = Cluster::start_tuned(&vec![short; 3]).await.unwrap();
    let shape = Shape { pushers: 2, movers: 1, lookers: 1, seed: 11 };
    let workload = Workload::start(&cluster.registry, shape);
    let mut seen: [BTreeSet<String>; 3] = Default::default();
    // Three of them a replica: the first of all was made for 90 days and is replaced at once.
    let until = Instant::now() + Duration::from_secs(LIFE_S) + SOON;
    while seen.iter().any(|certificates| certificates.len() < 3) {
        assert!(Instant::now() < until, "{:?}", seen.each_ref().map(BTreeSet::len));
        for (place, certificates) in seen.iter_mut().enumerate() {
            certificates.insert(certificate(&cluster, place));
        }
        sleep(Duration::from_millis(200)).await;
    }
    // And at an operator's word.
    let before = certificate(&cluster, 1);
    cluster.replicas[1].signal(Signal::HUP).unwrap();
    let until = Instant::now() + Duration::from_secs(5);
    while certificate(&cluster, 1) == before {
        assert!(Instant::now() < until, "a reload renews no certificate");
        sleep(Duration::from_millis(50)).await;
    }
    let pushed = workload.history.acknowledged();
    assert!(workload.wait_for_pushes(pushed + 5, SOON).await, "pushes have stopped");
    cluster.wait_healthy().await.unwrap();
    let history = workload.finish().await;
    holds(&history);
    ends_well(&cluster);
}

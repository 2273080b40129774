//! `holdfast bench` against a small cluster: every kind of workload goes well and says so in JSON.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use chaos_tests::cluster::{ADMIN, Cluster};
use chaos_tests::executable::{self, Ended};
use serde_json::Value;

/// A few samples of workloads that need no large set, one of each kind, in every mode.
const WORKLOADS: [&str; 20] = [
    "push-monolith-1m",
    "push-chunk-1m",
    "pull-1m",
    "pull-full-1m",
    "mixed-75-25-1m",
    "push-unique-1m",
    "pull-unique-10m",
    "head-manifest-tag",
    "get-blob-8k",
    "manifest-put",
    "manifest-get",
    "push-tiny-same-repo",
    "tags-1k",
    "tags-2k-page",
    "fill-tags-100k",
    "catalog",
    "token",
    "node-pull-1m",
    "rr-push-chunk-1m",
    "reconnect-manifest-get",
];

/// Runs `holdfast bench` on all replicas over plain HTTP.
async fn bench(cluster: &Cluster, arguments: &[&str]) -> Ended {
    let mut all = vec!["bench", "--samples", "8", "--concurrency", "4"];
    for replica in &cluster.replicas {
        all.extend(["--url", &*replica.http]);
    }
    all.extend(arguments);
    executable::run(&all).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_workload_goes_well_on_three_replicas() {
    let cluster = Cluster::start(3).await.unwrap();
    let account = ["--username", ADMIN, "--password", &cluster.password];

    let names = WORKLOADS.join(",");
    let arguments = [&["--json", "--verify", "--workload", &names][..], &account].concat();
    let out = bench(&cluster, &arguments).await.expect_done().unwrap();
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["run"]["authentication"], "bearer");
    assert_eq!(report["run"]["urls"].as_array().map(Vec::len), Some(3));
    let lines = report["workloads"].as_array().unwrap();
    assert_eq!(lines.len(), WORKLOADS.len());
    for (line, name) in lines.iter().zip(WORKLOADS) {
        assert_eq!((&line["workload"], &line["n"]), (&name.into(), &8.into()), "{line}");
        assert_eq!((&line["errors"], &line["first_error"]), (&0.into(), &Value::Null), "{line}");
        assert!(line["per_second"].as_f64().unwrap() > 0.0, "{line}");
        let [least, middle, most] =
            ["min", "p50", "max"].map(|it| line["ms"][it].as_f64().unwrap());
        assert!(0.0 < least && least <= middle && middle <= most, "{line}");
        let has_first_byte = name.contains("pull") || name.contains("75-25") || name.contains("8k");
        assert_eq!(line["first_byte_ms"].is_object(), has_first_byte, "{line}");
    }

    let ended = bench(&cluster, &["--workload", "push-monolith-1m"]).await;
    assert_eq!(ended.status, Some(1), "without a login nothing is pushed: {ended}");
    let ended = bench(&cluster, &[&["--workload", "frobnicate"][..], &account].concat()).await;
    assert!(ended.status == Some(2) && ended.err.contains("push-tiny-same-repo"), "{ended}");
}

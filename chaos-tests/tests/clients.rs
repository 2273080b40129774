//! Real clients: each pushes through one replica, pulls through each other one and compares, lists,
//! and deletes through the third.
//!
//! A client that is not installed is skipped with a notice; `tools/ci/install-clients.sh` brings
//! them.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

#[path = "clients/api_page.rs"]
mod api_page;
#[path = "clients/artifacts.rs"]
mod artifacts;
#[path = "clients/audit_log.rs"]
mod audit_log;
#[path = "clients/balanced.rs"]
mod balanced;
#[path = "clients/command_line.rs"]
mod command_line;
#[path = "clients/containerd.rs"]
mod containerd;
#[path = "clients/cosign.rs"]
mod cosign;
#[path = "clients/curl.rs"]
mod curl;
#[path = "clients/docker.rs"]
mod docker;
#[path = "clients/import.rs"]
mod import;
#[path = "clients/layout.rs"]
mod layout;
#[path = "clients/oras.rs"]
mod oras;
#[path = "clients/oras_python.rs"]
mod oras_python;
#[path = "clients/podman.rs"]
mod podman;
#[path = "clients/quickstart.rs"]
mod quickstart;
#[path = "clients/schemathesis.rs"]
mod schemathesis;
#[path = "clients/shapes.rs"]
mod shapes;
#[path = "clients/skopeo.rs"]
mod skopeo;
#[path = "clients/umoci.rs"]
mod umoci;

use chaos_tests::cluster::{ADMIN, Cluster};
use chaos_tests::logs;

/// `HOST:PORT` of the HTTPS listener of each replica.
fn hosts(cluster: &Cluster) -> Vec<String> {
    let hosts = cluster.replicas.iter().map(|it| it.url.trim_start_matches("https://").to_owned());
    hosts.collect()
}

/// `NAME:PASSWORD`, as most clients take it.
fn credentials(cluster: &Cluster) -> String {
    format!("{ADMIN}:{}", cluster.password)
}

/// What every replica must agree on after a client deleted its tag through one of them.
async fn gone_everywhere(cluster: &Cluster, repository: &str, tag: &str) {
    for place in 0..cluster.replicas.len() {
        let seen = cluster.registry.look(place, repository, tag).await.unwrap();
        assert_eq!(seen, None, "replica {place} still shows {repository}:{tag}");
    }
}

/// Nobody has panicked and nothing secret was logged.
fn ends_well(cluster: &Cluster) {
    let complaints = logs::complaints(cluster).unwrap();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// Five clients share a cluster: forming one costs more than what they do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn artifacts_and_layouts_go_in_and_out_by_their_own_clients() {
    let cluster = Cluster::start(3).await.unwrap();
    containerd::pushes_and_pulls(&cluster).await;
    umoci::builds_what_comes_back_the_same(&cluster).await;
    oras_python::pushes_attaches_and_pulls(&cluster).await;
    oras::attaches_and_discovers(&cluster).await;
    cosign::signs_what_all_replicas_verify(&cluster).await;
    ends_well(&cluster);
}

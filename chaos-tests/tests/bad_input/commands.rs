//! Commands and replicas that must be refused: wrong tokens, taken ports, another cluster's
//! replica.

use std::fs;
use std::net::TcpListener;
use std::time::Duration;

use chaos_tests::cluster::Cluster;
use chaos_tests::executable::{self, text};
use chaos_tests::image::Image;
use chaos_tests::ports;
use chaos_tests::process::{Process, Tuning};
use tokio::time::sleep;

use crate::{REPOSITORY, unharmed, with_an_image};

/// A replica that is not part of any cluster yet.
fn newcomer(cluster: &Cluster) -> Process {
    let base = ports::free_base(&[51, 151, 251]).unwrap();
    let tuning = Tuning::default();
    Process::prepare(&cluster.folder().join("new"), 50, base, &tuning).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_join_token_is_refused_and_nothing_is_left_behind() {
    let (cluster, image) = with_an_image(1).await;
    let (stranger, strange_image) = with_an_image(1).await;
    let good = cluster.make_join_token().await.unwrap();
    let strange = stranger.make_join_token().await.unwrap();
    let mut parts: Vec<&str> = good.split('.').collect();
    let secret = parts.pop().unwrap().chars().rev().collect::<String>();
    let forged = format!("{}.{secret}", parts.join("."));
    let other = newcomer(&cluster);
    let (config, peer) = (text(&other.config), cluster.replicas[0].peer.clone());
    let cases =
        [("garbage", "hf1.garbage"), ("a wrong secret", &forged), ("another cluster's", &strange)];
    for (name, token) in cases {
        let arguments = ["join", "--config", &config, "--peer", &peer, "--join-token", token];
        let ended = executable::run(&arguments).await.unwrap();
        assert_ne!(ended.status, Some(0), "{name}: {ended}");
        assert!(ended.status.is_some(), "{name} ended by a signal");
        let said = ended.err.to_lowercase();
        assert!(said.contains("token") || said.contains("cluster"), "{name}: {ended}");
        assert!(!ended.to_string().contains("panicked"), "{name}: {ended}");
    }
    let arguments = ["join", "--config", &config, "--peer", &peer, "--join-token", &good];
    executable::run(&arguments).await.unwrap().expect_done().unwrap();
    unharmed(stranger, &strange_image).await;
    let status = cluster.status(0).await.unwrap();
    assert_eq!(status["raft"]["voters"].as_array().unwrap().len(), 1, "{status}");
    unharmed(cluster, &image).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_join_token_is_good_for_its_uses_only() {
    let (cluster, image) = with_an_image(2).await;
    let used = cluster.join_tokens[0].clone();
    let other = newcomer(&cluster);
    let (config, peer) = (text(&other.config), cluster.replicas[0].peer.clone());
    let arguments = ["join", "--config", &config, "--peer", &peer, "--join-token", &used];
    let ended = executable::run(&arguments).await.unwrap();
    assert_ne!(ended.status, Some(0), "a used token let another one in: {ended}");
    unharmed(cluster, &image).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_taken_port_and_a_bad_configuration_are_named() {
    let (mut cluster, image) = with_an_image(3).await;
    cluster.kill(2).await.unwrap();
    let config = cluster.replicas[2].config.clone();
    for address in [cluster.replicas[2].http.clone(), cluster.replicas[2].peer.clone()] {
        let address = address.trim_start_matches("http://").to_owned();
        let taken = TcpListener::bind(&address).unwrap();
        let ended = executable::run(&["serve", "--config", &text(&config)]).await.unwrap();
        assert_eq!(ended.status, Some(1), "{address}: {ended}");
        let port = address.rsplit(':').next().unwrap();
        assert!(ended.to_string().contains(port), "the port is not named: {ended}");
        drop(taken);
    }
    let good = fs::read_to_string(&config).unwrap();
    for (text_added, named) in [("\n[pubic]\n", "pubic"), ("\n[limits]\nmany = 1\n", "many")] {
        fs::write(&config, format!("{good}{text_added}")).unwrap();
        let ended = executable::run(&["serve", "--config", &text(&config)]).await.unwrap();
        assert_eq!(ended.status, Some(2), "{named}: {ended}");
        assert!(ended.to_string().contains(named), "{ended}");
    }
    fs::write(&config, good).unwrap();
    cluster.restart(2).unwrap();
    unharmed(cluster, &image).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_data_folder_serves_one_process_and_one_cluster() {
    let (cluster, image) = with_an_image(1).await;
    let config = text(&cluster.replicas[0].config);
    let password = text(&cluster.folder().join("admin-password"));
    let twice = executable::run(&["serve", "--config", &config]).await.unwrap();
    assert_ne!(twice.status, Some(0), "two processes on one folder: {twice}");
    let install = ["install", "--config", &config, "--admin-password-file", &password];
    let again = executable::run(&install).await.unwrap();
    assert_ne!(again.status, Some(0), "installed over a living cluster: {again}");
    unharmed(cluster, &image).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_of_another_cluster_is_not_listened_to() {
    let (mut cluster, image) = with_an_image(3).await;
    let (mut stranger, strange_image) = with_an_image(1).await;
    cluster.kill(2).await.unwrap();
    stranger.kill(0).await.unwrap();
    // The stranger takes the place of the third replica, at the very address the others dial.
    let (own, taken) = (stranger.replicas[0].peer.clone(), cluster.replicas[2].peer.clone());
    let config = stranger.replicas[0].config.clone();
    let changed = fs::read_to_string(&config).unwrap().replace(&own, &taken);
    fs::write(&config, changed).unwrap();
    stranger.restart(0).unwrap();
    stranger.wait_healthy().await.unwrap();
    let before = stranger.status(0).await.unwrap()["raft"]["cluster_id"].clone();
    for seed in 0..20 {
        let fresh = Image::random(900 + seed);
        cluster.registry.push(0, REPOSITORY, &fresh, "while-a-stranger-is-there").await.unwrap();
        sleep(Duration::from_millis(100)).await;
    }
    cluster.wait_unhealthy(0, 2).await.expect("the stranger passes for the third replica");
    let strange = stranger.status(0).await.unwrap();
    assert_eq!(strange["raft"]["cluster_id"], before);
    assert_eq!(strange["raft"]["voters"].as_array().unwrap().len(), 1, "{strange}");
    let foreign = stranger.registry.look(0, REPOSITORY, "while-a-stranger-is-there").await.unwrap();
    assert_eq!(foreign, None, "the stranger was given our log");
    unharmed(stranger, &strange_image).await;
    cluster.restart(2).unwrap();
    unharmed(cluster, &image).await;
}

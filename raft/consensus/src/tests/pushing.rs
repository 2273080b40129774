//! Commands and reads while nothing fails.

use std::time::Duration;

use metadata::command::Command;
use metadata::repositories::commands::RepositoryDelete;
use oci::name::RepositoryName;

use super::harness::{Town, has_user, put_user, rows, until, until_equal};
use crate::cluster::{Failure, Freshness};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_of_any_replica_is_seen_by_a_read_of_every_other_at_once() {
    let town = Town::of(3).await;
    for round in 0..10 {
        for (from, cluster) in town.up() {
            let name = format!("user-{round}-{from}");
            put_user(cluster, &name).await.unwrap();
            for (at, cluster) in town.up() {
                let seen = has_user(cluster, Freshness::Linearizable, &name).await.unwrap();
                assert!(seen, "{name} is not there at replica {at}");
            }
        }
    }
    until_equal(&town).await;
    let first = rows(&town.cluster(0));
    assert!(first.len() > 30);
    for (number, cluster) in town.up() {
        assert!(rows(cluster) == first, "replica {number} holds other rows");
    }
    for (_, cluster) in town.up() {
        let status = cluster.status();
        assert_eq!(status.voters.len(), 3);
        assert_eq!(status.failures_tolerated, 1);
        assert_eq!(status.replicas.len(), 3);
    }
    until("every replica hears of every other and finds it well", async || {
        let well = |one: &crate::status::ReplicaStatus| {
            one.ailing.is_none() && one.last_contact_ms.is_some() && one.version == "0.1.0"
        };
        town.up().all(|(_, cluster)| cluster.status().replicas.iter().all(well)).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_commands_at_once_share_few_entries() {
    let town = Town::of(3).await;
    let before = town.cluster(0).applied_index();
    let mut pushing = tokio::task::JoinSet::new();
    for (from, cluster) in town.up() {
        for number in 0..100 {
            let cluster = cluster.clone();
            pushing.spawn(async move { put_user(&cluster, &format!("u-{from}-{number}")).await });
        }
    }
    while let Some(pushed) = pushing.join_next().await {
        pushed.unwrap().unwrap();
    }
    let entries = town.cluster(town.leader().await).applied_index() - before;
    assert!(entries < 150, "300 commands took {entries} entries");
    until_equal(&town).await;
    // 300 accounts and the administrator; sessions keep no outcome that nobody waits for.
    let accounts = rows(&town.cluster(1)).into_iter().filter(|row| row.0 == 10).count();
    assert_eq!(accounts, 301);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_reaches_the_caller_wherever_it_asks() {
    let town = Town::of(2).await;
    for (_, cluster) in town.up() {
        let repository = RepositoryName::parse("no/where").unwrap();
        let delete = RepositoryDelete { repository, actor: "admin".to_owned() };
        let refused = cluster.propose(Command::from(delete)).await;
        assert!(matches!(refused, Err(Failure::Refused(_))), "{refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn time_that_the_leader_counts_goes_on_at_no_more_than_its_own_pace() {
    let town = Town::of(1).await;
    let cluster = town.cluster(0);
    let began = tokio::time::Instant::now();
    put_user(&cluster, "first").await.unwrap();
    let before = cluster.cluster_ms().await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    put_user(&cluster, "second").await.unwrap();
    let passed_ms = u128::from(cluster.cluster_ms().await.unwrap() - before);
    assert!((300..=began.elapsed().as_millis()).contains(&passed_ms), "{passed_ms}");
    assert!(cluster.wall_ms().await.unwrap() > 1_700_000_000_000);
}

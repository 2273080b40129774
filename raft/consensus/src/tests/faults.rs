//! Replicas that die, come back, or are cut off.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::harness::{Town, has_user, id_of, put_user, rows, until, until_equal};
use crate::cluster::{Failure, Freshness, Unavailable};
use crate::start::Tuning;

/// Waits for a majority for 2 s instead of 10.
fn impatient() -> Tuning {
    Tuning { leader_wait_ms: LEADER_WAIT_MS, ..Tuning::default() }
}

/// How long an impatient replica waits for a leader.
const LEADER_WAIT_MS: u64 = 2000;

fn reason(failure: &Failure) -> Option<Unavailable> {
    match failure {
        Failure::Unavailable { reason, .. } => Some(*reason),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lone_replica_that_was_killed_goes_on_where_it_was() {
    let mut town = Town::of(1).await;
    for number in 0..20 {
        put_user(&town.cluster(0), &format!("user-{number}")).await.unwrap();
    }
    for life in 0..2 {
        if life == 0 {
            town.kill(0).await;
        } else {
            town.stop(0).await;
        }
        town.start(0).await;
        let cluster = town.cluster(0);
        for number in 0..20 {
            let name = format!("user-{number}");
            assert!(has_user(&cluster, Freshness::Linearizable, &name).await.unwrap(), "{name}");
        }
        put_user(&cluster, &format!("life-{life}")).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_killed_and_back_at_once_loses_nothing_and_answers_nothing_old() {
    let mut town = Town::of(3).await;
    for round in 0..3 {
        let leader = town.leader().await;
        let other = town.follower().await;
        let name = format!("user-{round}");
        put_user(&town.cluster(other), &name).await.unwrap();
        town.kill(leader).await;
        town.start(leader).await;
        let began = Instant::now();
        for (at, cluster) in town.up() {
            let seen = has_user(cluster, Freshness::Linearizable, &name).await.unwrap();
            assert!(seen, "{name} at {at}");
        }
        put_user(&town.cluster(other), &format!("after-{round}")).await.unwrap();
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    }
    until_equal(&town).await;
    assert!(rows(&town.cluster(0)) == rows(&town.cluster(1)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_under_way_while_leaders_die_are_carried_out_once() {
    let mut town = Town::of(3).await;
    let (stop, done_by_all) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let steady = town.follower().await;
    let mut pushing = tokio::task::JoinSet::new();
    for lane in 0..8 {
        let (cluster, stop, count) = (town.cluster(steady), stop.clone(), done_by_all.clone());
        pushing.spawn(async move {
            let mut done = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                let name = format!("lane-{lane}-{}", done.len());
                match put_user(&cluster, &name).await {
                    Ok(()) => {
                        done.push(name);
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                    Err(failure) => assert!(reason(&failure).is_some(), "{failure}"),
                }
            }
            done
        });
    }
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let leader = town.leader().await;
        if leader == steady {
            break;
        }
        town.kill(leader).await;
        town.start(leader).await;
    }
    let goes_on =
        until("commands go on", async || (done_by_all.load(Ordering::Relaxed) > 50).then_some(()));
    goes_on.await;
    stop.store(true, Ordering::Relaxed);
    let mut acknowledged = Vec::new();
    while let Some(lane) = pushing.join_next().await {
        acknowledged.extend(lane.unwrap());
    }
    assert!(acknowledged.len() > 50, "{}", acknowledged.len());
    town.leader().await;
    for (at, cluster) in town.up() {
        cluster.barrier().await.unwrap();
        for name in &acknowledged {
            assert!(has_user(cluster, Freshness::Local, name).await.unwrap(), "{name} at {at}");
        }
    }
    until_equal(&town).await;
    assert!(rows(&town.cluster(0)) == rows(&town.cluster(1)));
    assert!(rows(&town.cluster(1)) == rows(&town.cluster(2)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_that_was_cut_off_disturbs_nobody_when_it_is_back() {
    let town = Town::of(3).await;
    let (leader, follower) = (town.leader().await, town.follower().await);
    let term = town.cluster(leader).status().term;
    town.lines.cut(&town.replicas[follower].address);
    tokio::time::sleep(Duration::from_millis(3500)).await;
    put_user(&town.cluster(leader), "meanwhile").await.unwrap();
    town.lines.heal();
    let cluster = town.cluster(follower);
    until("the follower hears the leader", async || {
        (cluster.leader() == Some(id_of(&town, leader))).then_some(())
    })
    .await;
    assert!(has_user(&cluster, Freshness::Linearizable, "meanwhile").await.unwrap());
    assert_eq!(town.cluster(leader).status().term, term, "no election was held");
    assert_eq!(town.leader().await, leader);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_is_cut_off_is_replaced_and_follows_when_it_is_back() {
    let town = Town::of(3).await;
    let (old, other) = (town.leader().await, town.follower().await);
    town.lines.cut(&town.replicas[old].address);
    let began = Instant::now();
    put_user(&town.cluster(other), "after").await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    town.lines.heal();
    assert_ne!(town.leader().await, old);
    let seen = has_user(&town.cluster(old), Freshness::Linearizable, "after").await.unwrap();
    assert!(seen);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_majority_calls_wait_and_then_fail_within_a_second() {
    let mut town = Town::tuned(3, impatient()).await;
    let last = town.follower().await;
    let others: Vec<usize> = (0..3).filter(|number| *number != last).collect();
    put_user(&town.cluster(last), "before").await.unwrap();
    town.cluster(last).barrier().await.unwrap();
    for number in &others {
        town.kill(*number).await;
    }
    let cluster = town.cluster(last);
    let began = Instant::now();
    let failure = cluster.barrier().await.unwrap_err();
    assert!(began.elapsed() <= Duration::from_millis(2500), "{:?}", began.elapsed());
    assert!(reason(&failure).is_some(), "{failure}");
    until("the majority counts as lost", async || cluster.quorum_ok().err()).await;
    for write in [false, true] {
        let began = Instant::now();
        let failure = if write {
            put_user(&cluster, "lost").await.unwrap_err()
        } else {
            cluster.barrier().await.unwrap_err()
        };
        assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
        assert_eq!(reason(&failure), Some(Unavailable::NoMajority), "{failure}");
    }
    assert!(has_user(&cluster, Freshness::Local, "before").await.unwrap());
    let status = cluster.status();
    assert!(status.no_majority_ms.is_some());
    until("the dead are shown as such", async || {
        let ailing = cluster.status().replicas.into_iter().filter_map(|one| one.ailing);
        let unreachable = ailing.filter(|text| text.starts_with("Unable to reach replica"));
        (unreachable.count() == 2).then_some(())
    })
    .await;
    town.start(others[0]).await;
    until("writes are back", async || put_user(&cluster, "back").await.ok()).await;
    assert_eq!(cluster.quorum_ok(), Ok(()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_stops_in_order_leaves_another_behind() {
    let mut town = Town::of(3).await;
    let leader = town.leader().await;
    let other = town.follower().await;
    town.stop(leader).await;
    let began = Instant::now();
    put_user(&town.cluster(other), "after").await.unwrap();
    assert!(began.elapsed() < Duration::from_millis(900), "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_without_a_majority_takes_nothing_new() {
    let mut town = Town::tuned(3, impatient()).await;
    let leader = town.leader().await;
    put_user(&town.cluster(leader), "before").await.unwrap();
    for number in (0..3).filter(|number| *number != leader) {
        town.kill(number).await;
    }
    let cluster = town.cluster(leader);
    until("the majority counts as lost", async || cluster.quorum_ok().err()).await;
    let began = Instant::now();
    let failure = put_user(&cluster, "lost").await.unwrap_err();
    let waits = Duration::from_millis(LEADER_WAIT_MS);
    assert!(began.elapsed() < waits, "it knew that nobody comes: {:?}", began.elapsed());
    assert_eq!(reason(&failure), Some(Unavailable::NoMajority), "{failure}");
    assert!(has_user(&cluster, Freshness::Local, "before").await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_was_removed_is_heard_by_nobody() {
    let mut town = Town::tuned(3, impatient()).await;
    let (leader, follower) = (town.leader().await, town.follower().await);
    let other = 3 - leader - follower;
    for gone in [follower, leader] {
        let id = id_of(&town, gone);
        until("it is removed", async || match town.cluster(other).remove_member(id).await {
            // On a slow machine an election may have come in between.
            Err(failure) if reason(&failure).is_some() => None,
            // Refused the second time, where the first answer was lost: looked at below.
            _ => Some(()),
        })
        .await;
        until("the others have let it go", async || {
            let cluster = town.cluster(other);
            let gone = !cluster.voters().contains(&id)
                && cluster.members().iter().all(|row| row.replica_id != id);
            gone.then_some(())
        })
        .await;
        assert!(town.cluster(gone).barrier().await.is_err(), "{gone} still reads");
        town.kill(gone).await;
    }
    let cluster = town.cluster(other);
    until("the last one goes on alone", async || put_user(&cluster, "alone").await.ok()).await;
    assert_eq!(cluster.status().replicas.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_replicas_go_on_without_two() {
    let mut town = Town::of(5).await;
    let leader = town.leader().await;
    let other = (leader + 1) % 5;
    let asked = (leader + 2) % 5;
    put_user(&town.cluster(asked), "before").await.unwrap();
    town.kill(leader).await;
    town.kill(other).await;
    put_user(&town.cluster(asked), "after").await.unwrap();
    for (at, cluster) in town.up() {
        for name in ["before", "after"] {
            let seen = has_user(cluster, Freshness::Linearizable, name).await.unwrap();
            assert!(seen, "{name} at {at}");
        }
    }
}

//! Snapshots: written while commands go on, loaded by whoever fell behind or lost its tables.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::harness::{Town, has_user, put_user, rows, until, until_equal};
use crate::cluster::{Cluster, Freshness};
use crate::start::Tuning;

fn small() -> Tuning {
    Tuning { snapshot_log_bytes_min: 20_000, ..Tuning::default() }
}

/// Sixty accounts, with a snapshot after each twenty.
async fn push_past_two_snapshots(cluster: &Cluster) {
    for number in 0..60 {
        put_user(cluster, &format!("user-{number}")).await.unwrap();
        if number % 20 == 19 {
            cluster.write_snapshot().await.unwrap();
        }
    }
}

fn purged(town: &Town, number: usize) -> u64 {
    let metrics = town.cluster(number).replica.raft.metrics();
    let purged = metrics.borrow().purged;
    purged.map_or(0, |id| id.index)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_was_away_while_the_log_was_purged_catches_up_during_pushes() {
    let mut town = Town::tuned(3, small()).await;
    let away = town.follower().await;
    let leader = town.leader().await;
    let left_at = town.cluster(away).applied_index();
    town.kill(away).await;
    let (stop, pushed) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let pushing = tokio::spawn({
        let (cluster, stop, pushed) = (town.cluster(leader), stop.clone(), pushed.clone());
        async move {
            while !stop.load(Ordering::Relaxed) {
                let number = pushed.load(Ordering::Relaxed);
                put_user(&cluster, &format!("user-{number}")).await.unwrap();
                pushed.store(number + 1, Ordering::Relaxed);
            }
        }
    });
    until("the log is purged past the one that is away", async || {
        (purged(&town, leader) > left_at).then_some(())
    })
    .await;
    town.start(away).await;
    let target = town.cluster(leader).applied_index();
    until("it has caught up", async || {
        (town.cluster(away).applied_index() >= target).then_some(())
    })
    .await;
    let before = pushed.load(Ordering::Relaxed);
    until("pushes go on", async || (pushed.load(Ordering::Relaxed) > before).then_some(())).await;
    stop.store(true, Ordering::Relaxed);
    pushing.await.unwrap();
    until_equal(&town).await;
    for number in 0..pushed.load(Ordering::Relaxed) {
        let name = format!("user-{number}");
        let seen = has_user(&town.cluster(away), Freshness::Linearizable, &name).await.unwrap();
        assert!(seen, "{name}");
    }
    assert!(rows(&town.cluster(away)) == rows(&town.cluster(leader)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_that_cannot_be_believed_are_made_anew() {
    let mut town = Town::of(1).await;
    push_past_two_snapshots(&town.cluster(0)).await;
    until("the log is purged", async || (purged(&town, 0) > 0).then_some(())).await;
    let expected: Vec<_> = accounts(&town);
    let folder = town.replicas[0].folder.clone();
    let files = |folder: &Path| fs::read_dir(folder.join("snapshots")).unwrap().count();
    assert_eq!(files(&folder), 2, "the last two are kept");
    // What a power cut leaves: another boot without a goodbye, and tables nobody may look at.
    type Breakage = (&'static str, fn(&Path));
    let breakages: [Breakage; 4] = [
        ("power cut", |folder| {
            let boot = folder.join("boot");
            let text = fs::read_to_string(&boot).unwrap();
            let id = text.lines().nth(1).unwrap().to_owned();
            fs::write(&boot, text.replace(&id, "another-boot")).unwrap();
        }),
        ("tables gone", |folder| fs::remove_dir_all(folder.join("tables")).unwrap()),
        ("tables broken", |folder| {
            for file in fs::read_dir(folder.join("tables")).unwrap() {
                let path = file.unwrap().path();
                if path.is_file() {
                    fs::write(path, b"rubbish").unwrap();
                }
            }
        }),
        ("the newest snapshot rots as well", |folder| {
            fs::remove_dir_all(folder.join("tables")).unwrap();
            let mut files: Vec<_> = fs::read_dir(folder.join("snapshots"))
                .unwrap()
                .map(|file| file.unwrap().path())
                .collect();
            files.sort();
            let newest = files.pop().unwrap();
            let mut bytes = fs::read(&newest).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            fs::write(newest, bytes).unwrap();
        }),
    ];
    for (name, break_it) in breakages {
        town.kill(0).await;
        break_it(&folder);
        town.start(0).await;
        town.cluster(0).barrier().await.unwrap();
        assert!(accounts(&town) == expected, "{name}: other accounts than before");
        put_user(&town.cluster(0), "user-0").await.unwrap();
    }
}

fn accounts(town: &Town) -> Vec<Vec<u8>> {
    let accounts = rows(&town.cluster(0)).into_iter().filter(|row| row.0 == 10);
    accounts.map(|row| row.1).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newcomer_gets_the_state_that_the_log_no_longer_tells() {
    let mut town = Town::of(1).await;
    push_past_two_snapshots(&town.cluster(0)).await;
    until("the log is purged", async || (purged(&town, 0) > 30).then_some(())).await;
    town.grow().await;
    town.grow().await;
    for (at, cluster) in town.up() {
        let seen = has_user(cluster, Freshness::Linearizable, "user-7").await.unwrap();
        assert!(seen, "at {at}");
    }
}

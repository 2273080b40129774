//! A folder that is repaired, cut short and again; one that a newer binary has written.

use metadata::bootstrap::CLUSTER_VERSION;
use metadata::command::Command;
use metadata::members::MemberUpdate;
use wire::clock::{Clock, SystemClock};

use super::harness::{Town, has_user, put_user};
use crate::cluster::Freshness;
use crate::folder::Folder;
use crate::opening::Opened;
use crate::repair::{REPAIRING, Repair, require_whole};
use crate::start::StartError;

#[tokio::test(flavor = "multi_thread")]
async fn a_repair_that_was_cut_short_is_done_again_before_anything_starts() {
    let mut town = Town::of(3).await;
    put_user(&town.cluster(0), "ann").await.unwrap();
    for number in [1, 2, 0] {
        town.kill(number).await;
    }
    let path = town.replicas[0].folder.clone();
    let folder = Folder::open(&path).unwrap();
    let before = folder.identity().unwrap();
    folder.write(REPAIRING, b"x").unwrap();
    drop(folder);
    let shut = require_whole(&path).unwrap_err().to_string();
    assert!(shut.contains("emergency-repair` again"), "{shut}");

    let now_ms = SystemClock::new().wall_ms();
    let repair = Repair::open(&path).unwrap();
    assert_eq!(repair.others().len(), 2);
    assert!(repair.position().last_log > 0);
    let first = repair.carry_out(now_ms).await.unwrap();
    require_whole(&path).unwrap();
    // Once more, before it was ever started.
    let second = Repair::open(&path).unwrap().carry_out(now_ms).await.unwrap();
    assert_ne!(first.cluster_id, second.cluster_id);
    assert_eq!(second.replica_id, before.replica_id);

    town.start(0).await;
    let cluster = town.cluster(0);
    assert_eq!(cluster.cluster_id(), second.cluster_id);
    assert_eq!(cluster.members().len(), 1);
    assert!(has_user(&cluster, Freshness::Linearizable, "ann").await.unwrap());
    put_user(&cluster, "bob").await.unwrap();
    drop(cluster);
    town.stop(0).await;
    town.start(0).await;
    assert!(has_user(&town.cluster(0), Freshness::Linearizable, "bob").await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_a_newer_binary_has_raised_is_left_alone() {
    let mut town = Town::of(1).await;
    let newer = CLUSTER_VERSION + 1;
    let update = MemberUpdate {
        replica_id: town.cluster(0).replica_id(),
        address: None,
        version: None,
        supports: Some(newer),
    };
    town.cluster(0).propose(Command::from(update)).await.unwrap();
    town.stop(0).await;
    let opened = Opened::open(&town.replicas[0].folder);
    assert!(matches!(opened, Err(StartError::Version { found }) if found == newer));
}

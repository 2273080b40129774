//! Replicas that leave, alive or dead, and others that take their places, while clients push.

use std::fs;
use std::path::Path;
use std::time::Duration;

use chaos_tests::cluster::Cluster;
use chaos_tests::image::{Blob, Image};
use chaos_tests::workload::{REPOSITORY, Shape, Workload};

use super::{SOON, ends, ends_well, holds, id_of, join, local, logged, remote, swept, voters};

/// Clients that ask all three replicas, those that leave as well.
fn work(cluster: &Cluster) -> Workload {
    Workload::start(&cluster.registry, Shape { pushers: 3, movers: 1, lookers: 2, seed: 7 })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_live_replica_is_drained_and_leaves_and_its_folder_joins_anew_with_its_content() {
    let mut cluster = Cluster::start(3).await.unwrap();
    let (leaver, other) = (cluster.leader().await.unwrap(), 0);
    // The one that leads leaves: it hands over first.
    let asked = if leaver == other { 1 } else { other };
    let workload = work(&cluster);
    assert!(workload.wait_for_pushes(10, Duration::from_secs(30)).await, "no push went through");
    let id = cluster.replicas[leaver].id.clone();

    // Its folder is still a member's.
    let itself = remote(&cluster, leaver, &["remove", "--replica-ids", &id]).await;
    ends(&itself, 3, "ask another one");
    let stays = remote(&cluster, asked, &["remove", "--replica-ids", &id, "--cancel"]).await;
    ends(&stays, 0, "stays");
    let removed = remote(&cluster, asked, &["remove", "--replica-ids", &id]).await;
    ends(&removed, 0, &format!("replica {id} is removed"));
    voters(&mut cluster, asked, 2).await;
    let again = remote(&cluster, asked, &["remove", "--replica-ids", &id]).await;
    ends(&again, 1, "no replica");
    let pushed = workload.history.acknowledged();
    assert!(workload.wait_for_pushes(pushed + 5, SOON).await, "pushes stopped with the removal");
    cluster.stop_any(leaver).await;
    let history = workload.finish().await;
    holds(&history);
    let places: Vec<usize> = (0..3).filter(|place| *place != leaver).collect();
    swept(&cluster, &history, &places).await;

    // The same folder, another id.
    let refused = join(&cluster, (leaver, asked), &[]).await;
    ends(&refused, 3, "--rejoin");
    join(&cluster, (leaver, asked), &["--rejoin"]).await.expect_done().unwrap();
    cluster.restart(leaver).unwrap();
    voters(&mut cluster, asked, 3).await;
    assert_ne!(id_of(&cluster, asked, leaver).await, id, "an id is never used again");
    let line = logged(&cluster, leaver, "former life is in").await;
    assert!(!line.contains("listed=0") && line.contains("damaged=0"), "{line}");
    swept(&cluster, &history, &[leaver]).await;
    ends_well(&cluster);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_replica_leaves_at_once_and_a_new_one_takes_its_place() {
    let mut cluster = Cluster::start(3).await.unwrap();
    let dead = 2;
    let id = cluster.replicas[dead].id.clone();
    let workload = work(&cluster);
    assert!(workload.wait_for_pushes(5, Duration::from_secs(30)).await, "no push went through");
    cluster.kill(dead).await.unwrap();
    cluster.wait_unhealthy(0, dead).await.unwrap();

    // Nobody joins while it counts as a voter, neither does its own folder.
    let early = join(&cluster, (dead, 0), &["--rejoin"]).await;
    ends(&early, 3, "which is a member");
    // Without the dead one and a live one there would be no majority.
    let live = cluster.replicas[1].id.clone();
    let both = remote(&cluster, 0, &["remove", "--replica-ids", &live]).await;
    ends(&both, 3, "no majority");
    let removed = remote(&cluster, 0, &["remove", "--replica-ids", &id]).await;
    ends(&removed, 0, &format!("replica {id} is removed"));
    voters(&mut cluster, 0, 2).await;

    let wrong = local(&cluster, dead, "destroy", &["--replica-id", &live, "--yes"]).await;
    ends(&wrong, 2, &id);
    let wiped = local(&cluster, dead, "destroy", &["--replica-id", &id, "--yes"]).await;
    ends(&wiped, 0, "deleted");
    join(&cluster, (dead, 0), &[]).await.expect_done().unwrap();
    cluster.restart(dead).unwrap();
    voters(&mut cluster, 0, 3).await;
    let pushed = workload.history.acknowledged();
    assert!(workload.wait_for_pushes(pushed + 5, SOON).await, "pushes have stopped");
    let history = workload.finish().await;
    holds(&history);
    swept(&cluster, &history, &[0, 1, 2]).await;
    ends_well(&cluster);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_holder_of_a_blob_is_named_and_leaves_by_force_only() {
    let mut cluster = Cluster::start(3).await.unwrap();
    let image = Image::of_layers(vec![Blob::random(3, 100_000)], 3);
    cluster.registry.push(0, REPOSITORY, &image, "kept").await.unwrap();
    for place in 0..3 {
        cluster.registry.fetch(place, REPOSITORY, "blobs", &image.blobs[0].digest).await.unwrap();
    }
    // Wait until the third copy of the layer is there, then only that one is left.
    let layer = image.blobs[0].digest.clone();
    let holder = 2;
    cluster.wait_for_file(holder, &layer, SOON).await;
    cluster.kill(holder).await.unwrap();
    for place in [0, 1] {
        cluster.kill(place).await.unwrap();
        remove_blob(&cluster.replicas[place].data, &layer);
        cluster.restart(place).unwrap();
    }
    cluster.wait_healthy().await.unwrap();
    logged(&cluster, 0, "copy is missing or damaged").await;
    logged(&cluster, 1, "copy is missing or damaged").await;
    let id = cluster.replicas[holder].id.clone();
    let until = std::time::Instant::now() + SOON;
    loop {
        let refused = remote(&cluster, 0, &["remove", "--replica-ids", &id]).await;
        if refused.status == Some(3) && refused.err.contains(&layer) {
            assert!(refused.err.contains("only replica"), "{refused}");
            break;
        }
        assert!(std::time::Instant::now() < until && refused.status != Some(0), "{refused}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let forced = remote(&cluster, 0, &["remove", "--replica-ids", &id, "--force"]).await;
    ends(&forced, 0, "is removed");
    voters(&mut cluster, 0, 2).await;
    ends_well(&cluster);
}

fn remove_blob(data: &Path, digest: &str) {
    fs::remove_file(chaos_tests::cluster::blob_file(data, digest)).unwrap();
}

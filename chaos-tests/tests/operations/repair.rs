//! A majority is lost: one replica goes on alone, and the others come back with their content.

use chaos_tests::cluster::{ADMIN, Cluster};
use chaos_tests::image::Image;
use chaos_tests::registry::{Credentials, Registry};

use super::{ends, ends_well, join, local, logged, pulls, remote, voters};

const REPOSITORY: &str = "repair/kept";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_the_loss_of_a_majority_one_goes_on_and_the_others_join_anew() {
    let mut cluster = Cluster::start(3).await.unwrap();
    let images: Vec<Image> = (0..6).map(Image::random).collect();
    for (number, image) in images.iter().enumerate() {
        let tag = format!("v{number}");
        cluster.registry.push(number % 3, REPOSITORY, image, &tag).await.unwrap();
    }
    let left = 2;
    let before = cluster.status(left).await.unwrap()["raft"]["cluster_id"].clone();
    repaired(&mut cluster, left).await;
    cluster.restart(left).unwrap();
    cluster.wait_healthy().await.unwrap();
    voters(&mut cluster, left, 1).await;
    // What was signed for the former cluster is no good here: clients ask for another.
    let addresses = cluster.replicas.iter().map(|it| it.http.clone()).collect();
    let who = Credentials { name: ADMIN.to_owned(), password: cluster.password.clone() };
    cluster.registry = Registry::new(addresses, Some(who), None).unwrap();
    let status = cluster.status(left).await.unwrap();
    assert_ne!(status["raft"]["cluster_id"], before);
    for (number, image) in images.iter().enumerate() {
        pulls(&cluster.registry, left, REPOSITORY, image).await;
        let tag = format!("v{number}");
        let seen = cluster.registry.look(left, REPOSITORY, &tag).await.unwrap();
        assert_eq!(seen.as_ref(), Some(&image.manifest.digest), "{tag}");
    }
    let told = remote(&cluster, left, &["audit", "list", "--limit", "50"]).await;
    ends(&told, 0, "cluster.repair");

    // An old member is a stranger now, and comes back under another id.
    for (place, count) in [(0, 2), (1, 3)] {
        cluster.restart(place).unwrap();
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        cluster.kill(place).await.unwrap();
        join(&cluster, (place, left), &["--rejoin"]).await.expect_done().unwrap();
        cluster.restart(place).unwrap();
        voters(&mut cluster, left, count).await;
        logged(&cluster, place, "former life is in").await;
        for image in &images {
            pulls(&cluster.registry, place, REPOSITORY, image).await;
        }
    }
    let adopting = remote(&cluster, 0, &["content", "adopt"]).await;
    ends(&adopting, 0, "nothing is missing");
    let finished = remote(&cluster, 1, &["content", "adopt", "--finish"]).await;
    ends(&finished, 0, "over");
    ends(&remote(&cluster, 0, &["content", "adopt"]).await, 0, "adoption is over");
    // All three are a cluster again: any one may fail.
    cluster.kill(left).await.unwrap();
    let image = Image::random(99);
    cluster.registry.push(0, REPOSITORY, &image, "after").await.unwrap();
    pulls(&cluster.registry, 1, REPOSITORY, &image).await;
    ends_well(&cluster);
}

/// Repairs the replica at `left`, after every reason not to was tried.
async fn repaired(cluster: &mut Cluster, left: usize) {
    let id = cluster.replicas[left].id.clone();
    let repair = ["--existing-replica-id", &id, "--yes"];
    let running = local(cluster, left, "emergency-repair", &repair).await;
    ends(&running, 3, "in use by another process");
    cluster.kill(left).await.unwrap();
    let alive = local(cluster, left, "emergency-repair", &repair).await;
    ends(&alive, 3, "the cluster lives");
    cluster.kill(0).await.unwrap();
    // One of three runs and knows no leader, but with this one it would be a majority.
    cluster.wait_leaderless(1).await;
    let could = local(cluster, left, "emergency-repair", &repair).await;
    ends(&could, 3, "a majority");
    cluster.kill(1).await.unwrap();
    let other = cluster.replicas[0].id.clone();
    let wrong = ["--existing-replica-id", &other, "--yes"];
    ends(&local(cluster, left, "emergency-repair", &wrong).await, 2, &id);
    let unasked = local(cluster, left, "emergency-repair", &repair[..2]).await;
    ends(&unasked, 2, "--yes");
    let compared = chaos_tests::executable::text(&cluster.replicas[0].data);
    let compare = [&repair[..], &["--compare", &compared]].concat();
    let done = local(cluster, left, "emergency-repair", &compare).await;
    ends(&done, 0, &format!("replica {id} is cluster "));
    assert!(done.err.contains(&compared), "{done}");
}

//! docker and skopeo through a balancer: each connection, and so each step of a push, meets the
//! next replica.

use chaos_tests::balancer::Balancer;
use chaos_tests::cluster::{ADMIN, Cluster};
use chaos_tests::executable::text;
use chaos_tests::image::Image;
use chaos_tests::programs::{Engine, Program};

use crate::docker::saved_layer;
use crate::layout::{Layer, file_digest, folder_digests, write_dir, write_layout};
use crate::skopeo::Flags;
use crate::{ends_well, hosts};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn docker_and_skopeo_push_and_pull_through_a_balancer() {
    let cluster = Cluster::start(3).await.unwrap();
    let balancer = Balancer::start(hosts(&cluster)).await.unwrap();
    docker(&cluster, &balancer).await;
    skopeo(&cluster, &balancer).await;
    ends_well(&cluster);
}

/// What a client adds to the connections of each replica: all must have had some.
fn spread(balancer: &Balancer, before: &[u64]) {
    let after = balancer.taken();
    let added = after.iter().zip(before).all(|(after, before)| after > before);
    assert!(added, "a replica was never asked: {before:?}, then {after:?}");
}

async fn docker(cluster: &Cluster, balancer: &Balancer) {
    let Some(engine) = Engine::start().await.unwrap() else { return };
    let (docker, before) = (engine.docker.clone(), balancer.taken());
    let folder = tempfile::tempdir().unwrap();
    let layer = Layer::make(folder.path(), "balanced", 21, 4).await;
    let expected = file_digest(&layer.tar);
    let host = &balancer.address;
    docker.run(&["login", "-u", ADMIN, "-p", &cluster.password, host]).await.unwrap();
    let name = format!("{host}/balanced/docker:v1");
    docker.run(&["import", &text(&layer.tar), &name]).await.unwrap();
    let id = docker.run(&["image", "inspect", "-f", "{{.Id}}", &name]).await.unwrap();
    docker.run(&["push", &name]).await.unwrap();
    // The same layer in another repository: it is mounted there.
    let copy = format!("{host}/balanced/copy:v1");
    docker.run(&["tag", &name, &copy]).await.unwrap();
    docker.run(&["push", &copy]).await.unwrap();
    for name in [&name, &copy] {
        docker.run(&["image", "rm", "-f", &id]).await.unwrap();
        docker.run(&["pull", name]).await.unwrap();
        let pulled = docker.run(&["image", "inspect", "-f", "{{.Id}}", name]).await.unwrap();
        assert_eq!(pulled, id, "the configuration of {name} differs");
        let layer = saved_layer(&docker, name, folder.path()).await;
        assert_eq!(layer, expected, "the layer of {name} differs");
    }
    engine.stop().await.unwrap();
    spread(balancer, &before);
}

async fn skopeo(cluster: &Cluster, balancer: &Balancer) {
    let Some(skopeo) = Program::new("skopeo") else { return };
    let (folder, before) = (tempfile::tempdir().unwrap(), balancer.taken());
    let flags = Flags::of(cluster, folder.path()).await;
    let (own, other) = (folder.path().join("own"), folder.path().join("other"));
    let image = Image::with_layer(22, 3 << 20);
    write_dir(&own, &image);
    let named = format!("docker://{}/balanced/skopeo:v1", balancer.address);
    flags.copy_in(&skopeo, &format!("dir:{}", text(&own)), &named).await;
    flags.copy_out(&skopeo, &named, &format!("dir:{}", text(&other))).await;
    assert_eq!(folder_digests(&other), folder_digests(&own));

    let images: Vec<Image> = (0..3).map(|seed| Image::random(220 + seed)).collect();
    let (own, other) = (folder.path().join("own-layout"), folder.path().join("other-layout"));
    write_layout(&own, &images, &Image::index(&images));
    let named = format!("docker://{}/balanced/multi:v1", balancer.address);
    flags.copy_in(&skopeo, &format!("oci:{}:multi", text(&own)), &named).await;
    flags.copy_out(&skopeo, &named, &format!("oci:{}:multi", text(&other))).await;
    assert_eq!(folder_digests(&other.join("blobs")), folder_digests(&own.join("blobs")));
    spread(balancer, &before);
}

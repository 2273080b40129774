//! containerd's `ctr`: it never pings, pushes each layer in one body, and pulls by digest; by HTTPS
//! with the cluster's authority and by plain HTTP.

use std::fs;
use std::path::Path;

use chaos_tests::cluster::Cluster;
use chaos_tests::containerd::Containerd;
use chaos_tests::executable::text;
use chaos_tests::image::{Blob, Image};
use chaos_tests::programs::Program;

use crate::layout::{Layer, folder_digests, pack, unpack, write_layout};
use crate::{credentials, hosts};

const LAYERS: u64 = 200;

/// An image whose only layer can be unpacked.
async fn image(folder: &Path, name: &str, seed: u64) -> Image {
    let layer = Layer::make(folder, name, seed, 1).await;
    let image = Image::of_layers(vec![Blob::new(fs::read(&layer.tar).unwrap())], seed);
    fs::remove_file(layer.tar).unwrap();
    image
}

/// An image of so many layers that the requests for them meet each other. They are never unpacked.
fn many_layers(seed: u64) -> Image {
    let layers = (0..LAYERS).map(|number| Blob::random(seed + number, 500)).collect();
    Image::of_layers(layers, seed)
}

/// Gives containerd an index of these images as `NAME:multi`; gives the blobs that it consists of.
async fn imported(
    ctr: &Program,
    name: &str,
    images: &[Image],
    folder: &Path,
) -> Vec<(String, String)> {
    let (own, tar) = (folder.join(name), folder.join(format!("{name}.tar")));
    write_layout(&own, images, &Image::index(images));
    pack(&own, &tar).await;
    let import = ["images", "import", "--no-unpack", "--all-platforms", "--base-name", name];
    ctr.run(&[&import[..], &[&text(&tar)]].concat()).await.unwrap();
    folder_digests(&own.join("blobs"))
}

/// Everything that containerd has of an image, as the blobs of an OCI layout.
async fn exported(ctr: &Program, named: &str, folder: &Path) -> Vec<(String, String)> {
    let (tar, to) = (folder.join("exported.tar"), folder.join("exported"));
    let export = ["images", "export", "--all-platforms", &text(&tar), named];
    ctr.run(&export).await.unwrap();
    unpack(&tar, &to).await;
    let found = folder_digests(&to.join("blobs"));
    fs::remove_dir_all(to).unwrap();
    fs::remove_file(tar).unwrap();
    found
}

/// Pushes two platforms through one replica, and pulls them from the others.
pub(crate) async fn pushes_and_pulls(cluster: &Cluster) {
    let Some(containerd) = Containerd::start().await.unwrap() else { return };
    let (hosts, folder) = (hosts(cluster), tempfile::tempdir().unwrap());
    let plain: Vec<String> =
        cluster.replicas.iter().map(|it| it.http.replace("http://", "")).collect();
    let trusted = containerd.hosts(&hosts, &cluster.ca_file().await.unwrap()).unwrap();
    let (tls, http) = (["--hosts-dir", &trusted], ["--plain-http", "--user"]);
    let who = credentials(cluster);
    let pusher = containerd.ctr.clone().with(&["--namespace", "pusher"]);
    let images = [image(folder.path(), "one", 31).await, image(folder.path(), "two", 32).await];
    let wanted = imported(&pusher, "local", &images, folder.path()).await;
    let to = format!("{}/ctr/tls:v1", hosts[0]);
    let push = ["images", "push", "--user", &who];
    pusher.run(&[&push[..], &tls, &[&to, "local:multi"]].concat()).await.unwrap();
    let to = format!("{}/ctr/plain:v1", plain[1]);
    pusher
        .run(&[&["images", "push"], &http[..], &[&who, &to, "local:multi"]].concat())
        .await
        .unwrap();

    for (place, host) in hosts.iter().enumerate().skip(1) {
        let puller = format!("puller-{place}");
        let puller = containerd.ctr.clone().with(&["--namespace", &puller]);
        let fetch = ["content", "fetch", "--all-platforms", "--user", &who];
        let from = format!("{host}/ctr/tls:v1");
        puller.run(&[&fetch[..], &tls, &[&from]].concat()).await.unwrap();
        let came = exported(&puller, &from, folder.path()).await;
        assert_eq!(came, wanted, "by HTTPS from replica {place}");
    }
    let many = imported(&pusher, "many", &[many_layers(3_200)], folder.path()).await;
    let to = format!("{}/ctr/many:v1", plain[2]);
    pusher
        .run(&[&["images", "push"], &http[..], &[&who, &to, "many:multi"]].concat())
        .await
        .unwrap();
    let puller = containerd.ctr.clone().with(&["--namespace", "plain-puller"]);
    let from = format!("{}/ctr/many:v1", plain[0]);
    puller.run(&[&["content", "fetch"], &http[..], &[&who, &from]].concat()).await.unwrap();
    assert_eq!(exported(&puller, &from, folder.path()).await, many, "{LAYERS} layers");

    // With unpacking: the layer must read as a layer, too.
    let pull = ["images", "pull", "--snapshotter", "native", "--platform", "linux/amd64"];
    let from = format!("{}/ctr/plain:v1", plain[2]);
    puller.run(&[&pull[..], &http, &[&who, &from]].concat()).await.unwrap();
    let fetch = ["content", "fetch", "--all-platforms"];
    puller.run(&[&fetch[..], &http, &[&who, &from]].concat()).await.unwrap();
    assert_eq!(exported(&puller, &from, folder.path()).await, wanted, "by plain HTTP");
    containerd.stop().await.unwrap();
}

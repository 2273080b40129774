//! skopeo: copies with a verified certificate, a large layer, a multi-architecture index, list,
//! delete.

use std::fs;
use std::path::Path;

use chaos_tests::cluster::Cluster;
use chaos_tests::executable::text;
use chaos_tests::image::{Blob, INDEX, Image};
use chaos_tests::length::Length;
use chaos_tests::programs::Program;
use serde_json::json;

use crate::layout::{Layer, file_digest, folder_digests};
use crate::{credentials, ends_well, gone_everywhere, hosts};

/// Writes an image as skopeo's `dir:` form: the manifest, and each blob under its hash.
fn write_dir(folder: &Path, image: &Image) {
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("version"), "Directory Transport Version: 1.1\n").unwrap();
    fs::write(folder.join("manifest.json"), &image.manifest.bytes).unwrap();
    for blob in &image.blobs {
        fs::write(folder.join(blob.digest.trim_start_matches("sha256:")), &blob.bytes).unwrap();
    }
}

/// Writes images and an index of them as an OCI layout.
fn write_layout(folder: &Path, images: &[Image], index: &Blob) {
    let blobs = folder.join("blobs/sha256");
    fs::create_dir_all(&blobs).unwrap();
    let all = images.iter().flat_map(|image| image.blobs.iter().chain([&image.manifest]));
    for blob in all.chain([index]) {
        fs::write(blobs.join(blob.digest.trim_start_matches("sha256:")), &blob.bytes).unwrap();
    }
    fs::write(folder.join("oci-layout"), "{\"imageLayoutVersion\":\"1.0.0\"}").unwrap();
    let top = json!({"schemaVersion": 2, "manifests": [{
        "mediaType": INDEX, "digest": index.digest, "size": index.bytes.len(),
        "annotations": {"org.opencontainers.image.ref.name": "multi"}}]});
    fs::write(folder.join("index.json"), top.to_string()).unwrap();
}

/// skopeo's arguments for a registry with the cluster's own certificate, which is verified.
struct Flags {
    certificates: String,
    who: String,
}

impl Flags {
    async fn of(cluster: &Cluster, folder: &Path) -> Self {
        let certificates = folder.join("certificates");
        fs::create_dir_all(&certificates).unwrap();
        fs::copy(cluster.ca_file().await.unwrap(), certificates.join("ca.crt")).unwrap();
        Self { certificates: text(&certificates), who: credentials(cluster) }
    }

    async fn copy_in(&self, skopeo: &Program, from: &str, to: &str) {
        let (certificates, who) = (&self.certificates, &self.who);
        let arguments = [
            "copy",
            "--all",
            "--preserve-digests",
            "--dest-cert-dir",
            certificates,
            "--dest-creds",
            who,
            from,
            to,
        ];
        skopeo.run(&arguments).await.unwrap();
    }

    async fn copy_out(&self, skopeo: &Program, from: &str, to: &str) {
        let (certificates, who) = (&self.certificates, &self.who);
        let arguments = [
            "copy",
            "--all",
            "--preserve-digests",
            "--src-cert-dir",
            certificates,
            "--src-creds",
            who,
            from,
            to,
        ];
        skopeo.run(&arguments).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn skopeo_copies_an_image_in_and_the_same_out_of_the_others() {
    let Some(skopeo) = Program::new("skopeo") else { return };
    let cluster = Cluster::start(3).await.unwrap();
    let (hosts, folder) = (hosts(&cluster), tempfile::tempdir().unwrap());
    let flags = Flags::of(&cluster, folder.path()).await;
    let image = Image::random(5);
    let own = folder.path().join("own");
    write_dir(&own, &image);
    let to = format!("docker://{}/skopeo/app:v1", hosts[1]);
    flags.copy_in(&skopeo, &format!("dir:{}", text(&own)), &to).await;
    for (place, host) in hosts.iter().enumerate() {
        let other = folder.path().join(format!("other-{place}"));
        let from = format!("docker://{host}/skopeo/app:v1");
        flags.copy_out(&skopeo, &from, &format!("dir:{}", text(&other))).await;
        assert_eq!(folder_digests(&other), folder_digests(&own), "from replica {place}");
    }
    let list = ["list-tags", "--cert-dir", &flags.certificates, "--creds", &flags.who];
    let named = format!("docker://{}/skopeo/app", hosts[2]);
    let out = skopeo.run(&[&list[..], &[&named]].concat()).await.unwrap();
    assert!(out.contains("\"v1\""), "{out}");
    let delete = ["delete", "--cert-dir", &flags.certificates, "--creds", &flags.who];
    let named = format!("docker://{}/skopeo/app:v1", hosts[2]);
    skopeo.run(&[&delete[..], &[&named]].concat()).await.unwrap();
    gone_everywhere(&cluster, "skopeo/app", "v1").await;
    ends_well(&cluster);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn skopeo_copies_an_index_of_several_platforms_whole() {
    let Some(skopeo) = Program::new("skopeo") else { return };
    let cluster = Cluster::start(3).await.unwrap();
    let (hosts, folder) = (hosts(&cluster), tempfile::tempdir().unwrap());
    let flags = Flags::of(&cluster, folder.path()).await;
    let images: Vec<Image> = (0..4).map(|seed| Image::random(60 + seed)).collect();
    let index = Image::index(&images);
    let own = folder.path().join("own");
    write_layout(&own, &images, &index);
    let to = format!("docker://{}/skopeo/multi:all", hosts[0]);
    flags.copy_in(&skopeo, &format!("oci:{}:multi", text(&own)), &to).await;
    for (place, host) in hosts.iter().enumerate() {
        let seen = cluster.registry.look(place, "skopeo/multi", "all").await.unwrap();
        assert_eq!(seen.as_ref(), Some(&index.digest), "replica {place}");
        let other = folder.path().join(format!("other-{place}"));
        let (from, to) = (format!("docker://{host}/skopeo/multi:all"), text(&other));
        flags.copy_out(&skopeo, &from, &format!("oci:{to}:multi")).await;
        let blobs = (folder_digests(&other.join("blobs")), folder_digests(&own.join("blobs")));
        assert_eq!(blobs.0, blobs.1, "from replica {place}");
    }
    ends_well(&cluster);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn skopeo_carries_a_large_layer() {
    let Some(skopeo) = Program::new("skopeo") else { return };
    let cluster = Cluster::start(3).await.unwrap();
    let (hosts, folder) = (hosts(&cluster), tempfile::tempdir().unwrap());
    let flags = Flags::of(&cluster, folder.path()).await;
    let layer = Layer::make(folder.path(), "skopeo", 2, Length::of_this_run().layer_mib).await;
    let (hash, size) = (file_digest(&layer.tar), fs::metadata(&layer.tar).unwrap().len());
    let config = Blob::new(
        json!({"architecture": "amd64", "os": "linux", "config": {},
        "rootfs": {"type": "layers", "diff_ids": [hash]}})
        .to_string(),
    );
    let manifest = json!({"schemaVersion": 2, "mediaType": chaos_tests::image::MANIFEST,
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": config.digest, "size": config.bytes.len()},
        "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar",
            "digest": hash, "size": size}]});
    let own = folder.path().join("own");
    let image = Image {
        blobs: vec![config],
        manifest: Blob::new(manifest.to_string()),
        media_type: chaos_tests::image::MANIFEST,
    };
    write_dir(&own, &image);
    fs::rename(&layer.tar, own.join(hash.trim_start_matches("sha256:"))).unwrap();
    let to = format!("docker://{}/skopeo/large:v1", hosts[2]);
    // Pushed as it is, not compressed on the way: the bytes are compared afterwards.
    let from = format!("dir:{}", text(&own));
    flags.copy_in(&skopeo, &from, &to).await;
    let wanted = folder_digests(&own);
    fs::remove_dir_all(&own).unwrap();
    for host in &hosts[..2] {
        let other = folder.path().join("other");
        let from = format!("docker://{host}/skopeo/large:v1");
        flags.copy_out(&skopeo, &from, &format!("dir:{}", text(&other))).await;
        assert_eq!(folder_digests(&other), wanted);
        fs::remove_dir_all(&other).unwrap();
    }
    ends_well(&cluster);
}

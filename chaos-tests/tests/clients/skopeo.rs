//! skopeo: copies with a verified certificate, a large layer, a multi-architecture index, list,
//! delete.

use std::fs;
use std::path::Path;

use chaos_tests::cluster::Cluster;
use chaos_tests::executable::text;
use chaos_tests::image::{Blob, Image};
use chaos_tests::length::Length;
use chaos_tests::programs::Program;
use serde_json::json;

use crate::layout::{Layer, file_digest, folder_digests, write_dir, write_layout};
use crate::{credentials, ends_well, gone_everywhere, hosts};

/// How skopeo reaches the registry: by HTTPS with a verified certificate, or by plain HTTP.
pub(crate) struct Flags {
    certificates: Option<String>,
    who: String,
}

impl Flags {
    /// By HTTPS, with the cluster's authority.
    pub(crate) async fn of(cluster: &Cluster, folder: &Path) -> Self {
        let certificates = folder.join("certificates");
        fs::create_dir_all(&certificates).unwrap();
        fs::copy(cluster.ca_file().await.unwrap(), certificates.join("ca.crt")).unwrap();
        Self { certificates: Some(text(&certificates)), who: credentials(cluster) }
    }

    /// By plain HTTP: skopeo shakes hands anew for each request, which is slow for many.
    pub(crate) fn plain(cluster: &Cluster) -> Self {
        Self { certificates: None, who: credentials(cluster) }
    }

    /// The arguments for one side of a copy, `src-` or `dest-`, or for the only side there is.
    fn for_side(&self, side: &str) -> Vec<String> {
        let mut flags = vec![format!("--{side}creds"), self.who.clone()];
        match &self.certificates {
            Some(folder) => flags.extend([format!("--{side}cert-dir"), folder.clone()]),
            None => flags.push(format!("--{side}tls-verify=false")),
        }
        flags
    }

    /// Runs a command of skopeo that has only one side.
    pub(crate) async fn run(&self, skopeo: &Program, command: &[&str], rest: &[&str]) -> String {
        self.both(skopeo, command, &[""], rest).await
    }

    async fn both(
        &self,
        skopeo: &Program,
        command: &[&str],
        sides: &[&str],
        rest: &[&str],
    ) -> String {
        let flags: Vec<String> = sides.iter().flat_map(|side| self.for_side(side)).collect();
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        skopeo.run(&[command, &flags, rest].concat()).await.unwrap()
    }

    pub(crate) async fn copy_in(&self, skopeo: &Program, from: &str, to: &str) {
        let copy = ["copy", "--all", "--preserve-digests"];
        self.both(skopeo, &copy, &["dest-"], &[from, to]).await;
    }

    pub(crate) async fn copy_out(&self, skopeo: &Program, from: &str, to: &str) {
        let copy = ["copy", "--all", "--preserve-digests"];
        self.both(skopeo, &copy, &["src-"], &[from, to]).await;
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
    inspect(&skopeo, &flags, &format!("docker://{}/skopeo/app:v1", hosts[0]), &image).await;
    let named = format!("docker://{}/skopeo/app", hosts[2]);
    let out = flags.run(&skopeo, &["list-tags"], &[&named]).await;
    assert!(out.contains("\"v1\""), "{out}");
    flags.run(&skopeo, &["delete"], &[&format!("{named}:v1")]).await;
    gone_everywhere(&cluster, "skopeo/app", "v1").await;
    ends_well(&cluster);
}

/// The manifest as it is, and what skopeo makes of it.
async fn inspect(skopeo: &Program, flags: &Flags, named: &str, image: &Image) {
    let raw = flags.run(skopeo, &["inspect", "--raw"], &[named]).await;
    assert_eq!(raw.as_bytes(), image.manifest.bytes);
    let shown = flags.run(skopeo, &["inspect"], &[named]).await;
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["Digest"], image.manifest.digest);
    assert_eq!(shown["RepoTags"], json!(["v1"]));
    let layers: Vec<_> = image.digests().into_iter().rev().skip(1).rev().collect();
    assert_eq!(shown["Layers"], json!(layers));
}

/// Every tag of a repository to another place, and from there to a folder.
async fn sync(skopeo: &Program, flags: &Flags, hosts: &[String], folder: &Path) {
    let (from, to) = (format!("{}/skopeo/multi", hosts[0]), format!("{}/mirror", hosts[1]));
    let across = ["sync", "--all", "--preserve-digests", "--src", "docker", "--dest", "docker"];
    flags.both(skopeo, &across, &["src-", "dest-"], &[&from, &to]).await;
    let (from, to) = (format!("{}/mirror/multi", hosts[2]), text(&folder.join("synced")));
    let down = ["sync", "--all", "--preserve-digests", "--src", "docker", "--dest", "dir"];
    flags.both(skopeo, &down, &["src-"], &[&from, &to]).await;
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
    sync(&skopeo, &flags, &hosts, folder.path()).await;
    let synced: Vec<String> = folder_digests(&folder.path().join("synced/multi:all"))
        .into_iter()
        .map(|(_, digest)| digest)
        .collect();
    let mut wanted: Vec<String> = images.iter().flat_map(Image::digests).collect();
    wanted.extend(images.iter().map(|image| image.manifest.digest.clone()));
    wanted.push(index.digest);
    assert!(wanted.iter().all(|digest| synced.contains(digest)), "{wanted:?} not in {synced:?}");
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

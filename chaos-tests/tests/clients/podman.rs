//! podman and buildah: images built from scratch, pushed, pulled into a fresh storage and compared.

use std::fs;
use std::path::{Path, PathBuf};

use chaos_tests::cluster::{ADMIN, Cluster};
use chaos_tests::executable::text;
use chaos_tests::programs::{Program, is_root, skip};
use serde_json::Value;

use crate::layout::{Layer, folder_digests};
use crate::{credentials, ends_well, gone_everywhere, hosts};

/// Points the containers tools at a storage of their own, without overlay mounts.
fn storage(folder: &Path, name: &str) -> PathBuf {
    let root = folder.join(name);
    fs::create_dir_all(&root).unwrap();
    let config = root.join("storage.conf");
    let (graph, run) = (text(&root.join("graph")), text(&root.join("run")));
    let lines = format!("[storage]\ndriver = \"vfs\"\ngraphroot = {graph:?}\nrunroot = {run:?}\n");
    fs::write(&config, lines).unwrap();
    config
}

fn policy(folder: &Path) -> PathBuf {
    let path = folder.join("policy.json");
    fs::write(&path, "{\"default\":[{\"type\":\"insecureAcceptAnything\"}]}").unwrap();
    path
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn podman_pushes_through_one_replica_and_pulls_the_same_from_the_others() {
    let Some(podman) = Program::new("podman") else { return };
    if !is_root() {
        return skip("podman's own storage needs root here");
    }
    let cluster = Cluster::start(3).await.unwrap();
    let (hosts, folder) = (hosts(&cluster), tempfile::tempdir().unwrap());
    let auth = folder.path().join("auth.json");
    let (policy, who) = (text(&policy(folder.path())), credentials(&cluster));
    let with = |name: &str| {
        let config = storage(folder.path(), name);
        podman
            .clone()
            .variable("CONTAINERS_STORAGE_CONF", &config)
            .variable("REGISTRY_AUTH_FILE", &auth)
    };
    let own = with("own");
    let login = ["login", "--tls-verify=false", "-u", ADMIN, "-p", &cluster.password, &hosts[0]];
    own.run(&login).await.unwrap();
    let layer = Layer::make(folder.path(), "podman", 3, 4).await;
    own.run(&["import", &text(&layer.tar), "localhost/app:v1"]).await.unwrap();
    let push = ["push", "--tls-verify=false", "--creds", &who, "--signature-policy", &policy];
    let to = format!("{}/podman/app:v1", hosts[0]);
    let pushed = own.run(&[&push[..], &["localhost/app:v1", &to]].concat()).await;
    pushed.unwrap();
    compresses(&cluster, &own, &push).await;
    finds(&cluster, &own).await;
    let manifest = cluster.registry.json(1, "/v2/podman/app/manifests/v1").await.unwrap();
    for (place, host) in hosts.iter().enumerate().skip(1) {
        let other = with(&format!("other-{place}"));
        let pull = ["pull", "--tls-verify=false", "--creds", &who, "--signature-policy", &policy];
        let from = format!("{host}/podman/app:v1");
        let id = other.run(&[&pull[..], &[&from]].concat()).await.unwrap();
        let config = manifest["config"]["digest"].as_str().unwrap();
        assert!(config.ends_with(id.lines().last().unwrap().trim()), "{id} is not {config}");
        let saved = folder.path().join(format!("saved-{place}"));
        let save = ["save", "--uncompressed", "--format", "docker-dir", "-o", &text(&saved), &from];
        other.run(&save).await.unwrap();
        let wanted = diff_ids(&cluster, config).await;
        let came: Vec<String> =
            folder_digests(&saved).into_iter().map(|(_, digest)| digest).collect();
        assert!(wanted.iter().all(|it| came.contains(it)), "{wanted:?} not in {came:?}");
    }
    let delete = "/v2/podman/app/manifests/v1";
    let deleted = cluster.registry.basic(2, reqwest::Method::DELETE, delete).send().await.unwrap();
    assert_eq!(deleted.status().as_u16(), 202);
    gone_everywhere(&cluster, "podman/app", "v1").await;
    ends_well(&cluster);
}

/// The same image with layers that podman compresses by zstd, and with docker's media types.
async fn compresses(cluster: &Cluster, podman: &Program, push: &[&str]) {
    let hosts = hosts(cluster);
    let to = format!("{}/podman/zstd:v1", hosts[1]);
    let zstd = ["--format", "oci", "--compression-format", "zstd", "localhost/app:v1", &to];
    podman.run(&[push, &zstd].concat()).await.unwrap();
    let manifest = cluster.registry.json(2, "/v2/podman/zstd/manifests/v1").await.unwrap();
    let kind = manifest["layers"][0]["mediaType"].as_str().unwrap();
    assert!(kind.ends_with("tar+zstd"), "{manifest}");
    let to = format!("{}/podman/docker:v1", hosts[2]);
    let docker = ["--format", "v2s2", "localhost/app:v1", &to];
    podman.run(&[push, &docker].concat()).await.unwrap();
    let manifest = cluster.registry.json(0, "/v2/podman/docker/manifests/v1").await.unwrap();
    let kind = manifest["mediaType"].as_str().unwrap();
    assert!(kind.starts_with("application/vnd.docker."), "{manifest}");
}

/// podman asks for Docker's old search first, and goes on to the catalog.
async fn finds(cluster: &Cluster, podman: &Program) {
    let host = &hosts(cluster)[0];
    let search = ["search", "--tls-verify=false", "--format", "{{.Name}}"];
    let found = podman.run(&[&search[..], &[&format!("{host}/podman")]].concat()).await.unwrap();
    assert!(found.contains(&format!("{host}/podman/zstd")), "{found}");
    let list = ["search", "--tls-verify=false", "--list-tags"];
    let found = podman.run(&[&list[..], &[&format!("{host}/podman/zstd")]].concat()).await.unwrap();
    assert!(found.ends_with("podman/zstd  v1"), "{found}");
}

/// Digests of the layers as they are unpacked, by the configuration that the registry holds.
async fn diff_ids(cluster: &Cluster, config: &str) -> Vec<String> {
    let config = cluster.registry.json(2, &format!("/v2/podman/app/blobs/{config}")).await.unwrap();
    let ids = config["rootfs"]["diff_ids"].as_array().unwrap();
    ids.iter().map(|it| it.as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn buildah_builds_two_platforms_and_pushes_their_index() {
    let Some(buildah) = Program::new("buildah") else { return };
    if !is_root() {
        return skip("buildah's own storage needs root here");
    }
    let cluster = Cluster::start(3).await.unwrap();
    let (hosts, folder) = (hosts(&cluster), tempfile::tempdir().unwrap());
    let (policy, who) = (text(&policy(folder.path())), credentials(&cluster));
    let config = storage(folder.path(), "own");
    let buildah = buildah.variable("CONTAINERS_STORAGE_CONF", &config);
    let layer = Layer::make(folder.path(), "buildah", 4, 1).await;
    buildah.run(&["manifest", "create", "localhost/multi"]).await.unwrap();
    for architecture in ["amd64", "arm64"] {
        let container = buildah.run(&["from", "--arch", architecture, "scratch"]).await.unwrap();
        buildah.run(&["add", &container, &text(&layer.tar), "/"]).await.unwrap();
        let name = format!("localhost/multi-{architecture}");
        let commit = ["commit", "--signature-policy", &policy, &container, &name];
        buildah.run(&commit).await.unwrap();
        buildah.run(&["manifest", "add", "localhost/multi", &name]).await.unwrap();
    }
    let push = ["manifest", "push", "--all", "--tls-verify=false", "--creds", &who];
    let to = format!("docker://{}/buildah/multi:v1", hosts[1]);
    let end = ["--signature-policy", &policy, "localhost/multi", &to];
    buildah.run(&[&push[..], &end[..]].concat()).await.unwrap();
    let index = cluster.registry.json(0, "/v2/buildah/multi/manifests/v1").await.unwrap();
    let children: Vec<&Value> = index["manifests"].as_array().unwrap().iter().collect();
    assert_eq!(children.len(), 2, "{index}");
    for place in 0..3 {
        for child in &children {
            let digest = child["digest"].as_str().unwrap();
            let came = cluster.registry.fetch(place, "buildah/multi", "manifests", digest).await;
            assert_eq!(came.unwrap(), digest, "replica {place}");
        }
    }
    let other = storage(folder.path(), "other");
    let puller = Program::new("buildah").unwrap().variable("CONTAINERS_STORAGE_CONF", &other);
    let pull = ["pull", "--tls-verify=false", "--creds", &who, "--signature-policy", &policy];
    let from = format!("{}/buildah/multi:v1", hosts[2]);
    puller.run(&[&pull[..], &[&from]].concat()).await.unwrap();
    builds_upon(&cluster, &puller, &policy).await;
    ends_well(&cluster);
}

/// A build whose base comes from one replica and whose outcome goes to another: the layer below is
/// there already and is not sent again.
async fn builds_upon(cluster: &Cluster, buildah: &Program, policy: &str) {
    let (hosts, who, folder) = (hosts(cluster), credentials(cluster), tempfile::tempdir().unwrap());
    let own = folder.path();
    fs::write(own.join("added"), "added by a build").unwrap();
    let base = format!("{}/buildah/multi:v1", hosts[0]);
    fs::write(own.join("Containerfile"), format!("FROM {base}\nCOPY added /added\n")).unwrap();
    let build = ["bud", "--isolation", "chroot", "--tls-verify=false", "--creds", &who];
    let to = ["--signature-policy", policy, "--tag", "localhost/built", &text(own)];
    buildah.run(&[&build[..], &to].concat()).await.unwrap();
    let push = ["push", "--tls-verify=false", "--creds", &who, "--signature-policy", policy];
    let to = format!("docker://{}/buildah/built:v1", hosts[1]);
    buildah.run(&[&push[..], &["localhost/built", &to]].concat()).await.unwrap();
    let index = cluster.registry.json(2, "/v2/buildah/multi/manifests/v1").await.unwrap();
    let child = index["manifests"].as_array().unwrap();
    let child = child.iter().find(|it| it["platform"]["architecture"] == "amd64").unwrap();
    let child = child["digest"].as_str().unwrap();
    let below = format!("/v2/buildah/multi/manifests/{child}");
    let below = cluster.registry.json(2, &below).await.unwrap();
    let built = cluster.registry.json(0, "/v2/buildah/built/manifests/v1").await.unwrap();
    assert_eq!(built["layers"].as_array().unwrap().len(), 2, "{built}");
    assert_eq!(built["layers"][0]["digest"], below["layers"][0]["digest"], "{built}");
}

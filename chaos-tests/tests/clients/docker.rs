//! docker, with an engine of its own: import, push, pull elsewhere, compare, push again,
//! pull -a, search.

use std::path::Path;

use chaos_tests::cluster::{ADMIN, Cluster};
use chaos_tests::executable::text;
use chaos_tests::image::digest;
use chaos_tests::length::Length;
use chaos_tests::programs::{Engine, Program};
use reqwest::Method;

use crate::layout::{Layer, file_digest};
use crate::{ends_well, gone_everywhere, hosts};

const REPOSITORY: &str = "docker/app";

/// The digest of the only layer of an image that the engine has, as it would be on disk.
pub(crate) async fn saved_layer(docker: &Program, image: &str, folder: &Path) -> String {
    let (saved, tar) = (folder.join("saved.tar"), Program::new("tar").unwrap());
    docker.run(&["save", "-o", &text(&saved), image]).await.unwrap();
    let names = tar.run(&["-tf", &text(&saved)]).await.unwrap();
    let name =
        names.lines().find(|it| it.ends_with("layer.tar")).unwrap_or_else(|| panic!("{names}"));
    tar.run(&["-C", &text(folder), "-xf", &text(&saved), name]).await.unwrap();
    let digest = file_digest(&folder.join(name));
    std::fs::remove_file(saved).unwrap();
    std::fs::remove_file(folder.join(name)).unwrap();
    digest
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn docker_pushes_through_one_replica_and_pulls_the_same_from_the_others() {
    let Some(engine) = Engine::start().await.unwrap() else { return };
    let cluster = Cluster::start(3).await.unwrap();
    let (hosts, docker) = (hosts(&cluster), engine.docker.clone());
    let folder = tempfile::tempdir().unwrap();
    let layer = Layer::make(folder.path(), "docker", 1, Length::of_this_run().layer_mib).await;
    let expected = file_digest(&layer.tar);
    let name = |host: &str, tag: &str| format!("{host}/{REPOSITORY}:{tag}");
    for host in &hosts {
        docker.run(&["login", "-u", ADMIN, "-p", &cluster.password, host]).await.unwrap();
    }
    let wrong = docker.ends(&["login", "-u", ADMIN, "-p", "wrong", &hosts[0]]).await.unwrap();
    assert_ne!(wrong.status, Some(0), "docker logged in with a wrong password: {wrong}");

    let first = name(&hosts[0], "v1");
    docker.run(&["import", &text(&layer.tar), &first]).await.unwrap();
    std::fs::remove_file(&layer.tar).unwrap();
    let id = docker.run(&["image", "inspect", "-f", "{{.Id}}", &first]).await.unwrap();
    docker.run(&["push", &first]).await.unwrap();
    let pushed = cluster.registry.look(0, REPOSITORY, "v1").await.unwrap().unwrap();
    for host in &hosts[1..] {
        docker.run(&["image", "rm", "-f", &id]).await.unwrap();
        let other = name(host, "v1");
        let out = docker.run(&["pull", &other]).await.unwrap();
        assert!(out.contains(&pushed), "{out}");
        let pulled = docker.run(&["image", "inspect", "-f", "{{.Id}}", &other]).await.unwrap();
        assert_eq!(pulled, id, "the configuration differs");
        assert_eq!(
            saved_layer(&docker, &other, folder.path()).await,
            expected,
            "the layer differs"
        );
    }
    push_again(&cluster, &docker, &hosts).await;
    search(&docker, &hosts).await;
    delete_by_curl(&cluster, &pushed).await;
    gone_everywhere(&cluster, REPOSITORY, "v1").await;
    let gone = docker.ends(&["pull", &name(&hosts[1], "v1")]).await.unwrap();
    assert_ne!(gone.status, Some(0), "docker pulled what was deleted");
    engine.stop().await.unwrap();
    ends_well(&cluster);
}

/// The same image under other names: layers are mounted or known, and every tag is listed.
async fn push_again(cluster: &Cluster, docker: &Program, hosts: &[String]) {
    let from = format!("{}/{REPOSITORY}:v1", hosts[2]);
    for tag in ["v2", "v3"] {
        let to = format!("{}/docker/copy:{tag}", hosts[1]);
        docker.run(&["tag", &from, &to]).await.unwrap();
        docker.run(&["push", &to]).await.unwrap();
    }
    for place in 0..3 {
        let path = "/v2/docker/copy/tags/list";
        let list = cluster.registry.json(place, path).await.unwrap();
        assert_eq!(list["tags"], serde_json::json!(["v2", "v3"]), "replica {place}");
    }
    let from = format!("{}/docker/copy", hosts[0]);
    let out = docker.run(&["pull", "-a", &from]).await.unwrap();
    assert!(out.contains("v2: ") && out.contains("v3: "), "{out}");
    let manifest = cluster.registry.basic(2, Method::GET, "/v2/docker/copy/manifests/v2");
    let bytes = manifest.send().await.unwrap().bytes().await.unwrap();
    let shown = cluster.registry.look(1, "docker/copy", "v2").await.unwrap();
    assert_eq!(shown, Some(digest(&bytes)));
}

/// Private repositories are found by who may read them, and by nobody else.
async fn search(docker: &Program, hosts: &[String]) {
    for host in hosts {
        let term = format!("{host}/docker/");
        let asked = ["search", "--format", "{{.Name}}", &term];
        let mine = docker.run(&asked).await.unwrap();
        assert_eq!(mine.lines().collect::<Vec<_>>(), ["docker/app", "docker/copy"]);
        docker.run(&["logout", host]).await.unwrap();
        let nobody = docker.ends(&asked).await.unwrap();
        assert!(!nobody.to_string().contains("docker/app"), "found without signing in: {nobody}");
        // podman goes on to the catalog after this answer; docker has no words for it.
        assert!(nobody.to_string().contains("401"), "{nobody}");
    }
}

/// docker itself cannot delete from a registry: a script does, through the third replica.
async fn delete_by_curl(cluster: &Cluster, pushed: &str) {
    let path = format!("/v2/{REPOSITORY}/manifests/{pushed}");
    let answer = cluster.registry.basic(2, Method::DELETE, &path).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 202);
}

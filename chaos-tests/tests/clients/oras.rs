//! oras, as Debian 13 packages it: push, attach, discover, copy with all referrers, pull and
//! compare; by the referrers API and by the fallback tag.

use std::fs;
use std::path::Path;

use chaos_tests::cluster::Cluster;
use chaos_tests::image::Blob;
use chaos_tests::programs::Program;
use serde_json::Value;

use crate::artifacts::{at_home, fallback_tag, referrer_types};
use crate::hosts;

const NOTE: &str = "application/vnd.example.note";
const LIST: &str = "application/vnd.example.list";

/// Artifacts and what is attached to them, each step at another replica.
pub(crate) async fn attaches_and_discovers(cluster: &Cluster) {
    let Some(oras) = Program::unpacked("oras") else { return };
    let (hosts, folder) = (hosts(cluster), tempfile::tempdir().unwrap());
    let oras = at_home(oras, cluster, folder.path()).await;
    let large = Blob::random(51, 2 << 20).bytes;
    for (name, bytes) in [("large.bin", &large[..]), ("note.txt", b"a note"), ("list.txt", b"")] {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    let at = |place: usize| format!("{}/oras/app:v1", hosts[place]);
    let push = ["push", "--artifact-type", "application/vnd.example.app", &at(0), "large.bin"];
    oras.run(&push).await.unwrap();
    let subject = cluster.registry.look(1, "oras/app", "v1").await.unwrap().unwrap();
    let attach = ["attach", "--artifact-type", NOTE, &at(1), "note.txt:text/plain"];
    oras.run(&attach).await.unwrap();
    // An empty file: its layer is the empty blob.
    oras.run(&["attach", "--artifact-type", LIST, &at(2), "list.txt:text/plain"]).await.unwrap();
    assert_eq!(referrer_types(cluster, "oras/app", &subject).await, [LIST, NOTE]);
    for place in 0..3 {
        let found = discovered(&oras, &at(place), &[]).await;
        assert_eq!(found, [LIST, NOTE], "replica {place}");
        pulls_the_same(&oras, &at(place), folder.path(), &large).await;
    }
    let (from, to) = (at(2), format!("{}/oras/copy:v1", hosts[0]));
    oras.run(&["copy", "--recursive", &from, &to]).await.unwrap();
    assert_eq!(referrer_types(cluster, "oras/copy", &subject).await, [LIST, NOTE]);
    by_fallback_tag(cluster, &oras, &subject).await;
    let list = oras.run(&["repo", "tags", &format!("{}/oras/app", hosts[1])]).await.unwrap();
    assert!(list.lines().any(|line| line == "v1"), "{list}");
    oras.run(&["manifest", "delete", "--force", &at(2)]).await.unwrap();
    crate::gone_everywhere(cluster, "oras/app", "v1").await;
}

/// Types of what oras finds attached, in byte order.
async fn discovered(oras: &Program, named: &str, more: &[&str]) -> Vec<String> {
    let discover = ["discover", "--format", "json"];
    let said = oras.run(&[&discover[..], more, &[named]].concat()).await.unwrap();
    let said: Value = serde_json::from_str(&said).unwrap();
    let listed = said["manifests"].as_array().or(said["referrers"].as_array());
    let listed = listed.unwrap_or_else(|| panic!("{said}"));
    let types = listed.iter().map(|it| it["artifactType"].as_str().unwrap().to_owned());
    let mut types: Vec<String> = types.collect();
    types.sort();
    types
}

async fn pulls_the_same(oras: &Program, named: &str, folder: &Path, expected: &[u8]) {
    let to = folder.join("pulled");
    oras.run(&["pull", "--output", "pulled", named]).await.unwrap();
    assert!(fs::read(to.join("large.bin")).unwrap() == expected, "{named} came back otherwise");
    fs::remove_dir_all(to).unwrap();
}

/// A client told to use the tag writes it, and both ways show the same afterwards.
async fn by_fallback_tag(cluster: &Cluster, oras: &Program, subject: &str) {
    let hosts = hosts(cluster);
    let at = |place: usize| format!("{}/oras/copy:v1", hosts[place]);
    let tagged = "application/vnd.example.tagged";
    let way = ["--distribution-spec", "v1.1-referrers-tag"];
    let attach = ["attach", "--artifact-type", tagged];
    oras.run(&[&attach[..], &way, &[&at(1), "note.txt:text/plain"]].concat()).await.unwrap();
    assert_eq!(referrer_types(cluster, "oras/copy", subject).await, [LIST, NOTE, tagged]);
    let tag = fallback_tag(subject, "");
    for place in 0..3 {
        let path = format!("/v2/oras/copy/manifests/{tag}");
        let index = cluster.registry.json(place, &path).await.unwrap();
        let kept = index["manifests"].as_array().unwrap();
        assert!(kept.iter().any(|it| it["artifactType"] == tagged), "replica {place}: {index}");
        let api =
            discovered(oras, &at(place), &["--distribution-spec", "v1.1-referrers-api"]).await;
        assert_eq!(api, [LIST, NOTE, tagged], "replica {place}");
        let by_tag = discovered(oras, &at(place), &way).await;
        assert!(by_tag.iter().any(|it| it == tagged), "replica {place}: {by_tag:?}");
    }
}

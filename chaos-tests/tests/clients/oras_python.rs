//! The oras library for Python: it uploads in two requests with Basic credentials or a token, and
//! knows referrers as a `subject`.

use std::fs;
use std::path::PathBuf;

use chaos_tests::cluster::Cluster;
use chaos_tests::executable::text;
use chaos_tests::image::{Blob, MANIFEST, digest};
use chaos_tests::programs::Program;
use reqwest::Method;

use crate::artifacts::{at_home, referrer_types};
use crate::hosts;

const REPOSITORY: &str = "python/app";

/// Pushes through one replica, attaches through the next, pulls and lists through all.
pub(crate) async fn pushes_attaches_and_pulls(cluster: &Cluster) {
    let Some(python) = Program::unpacked("oras-python") else { return };
    let (hosts, folder) = (hosts(cluster), tempfile::tempdir().unwrap());
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/clients/oras_client.py");
    let python = at_home(python, cluster, folder.path()).await.with(&[&text(&script)]);
    let config = text(&folder.path().join("config.json"));
    let bytes = Blob::random(71, 1 << 20).bytes;
    fs::write(folder.path().join("data.bin"), &bytes).unwrap();
    fs::write(folder.path().join("note.txt"), "a note").unwrap();
    let at = |place: usize| format!("{}/{REPOSITORY}:v1", hosts[place]);
    python.run(&["push", &config, &at(0), "data.bin", "note.txt:text/plain"]).await.unwrap();
    let path = format!("/v2/{REPOSITORY}/manifests/v1");
    let manifest = cluster.registry.basic(2, Method::GET, &path).send().await.unwrap();
    let manifest = manifest.bytes().await.unwrap();
    let (subject, size) = (digest(&manifest), manifest.len().to_string());
    let attached = format!("{}/{REPOSITORY}:note", hosts[1]);
    let attach = ["attach", &config, &attached, MANIFEST, &subject, &size, "note.txt:text/plain"];
    python.run(&attach).await.unwrap();
    assert_eq!(referrer_types(cluster, REPOSITORY, &subject).await.len(), 1);
    for place in 1..3 {
        let to = folder.path().join(format!("pulled-{place}"));
        python.run(&["pull", &config, &at(place), &text(&to)]).await.unwrap();
        assert!(fs::read(to.join("data.bin")).unwrap() == bytes, "replica {place}");
        assert_eq!(fs::read(to.join("note.txt")).unwrap(), b"a note", "replica {place}");
    }
    let tags = python.run(&["tags", &config, &at(0)]).await.unwrap();
    assert_eq!(tags, "[\"note\", \"v1\"]");
    python.run(&["delete", &config, &at(2), "note"]).await.unwrap();
    crate::gone_everywhere(cluster, REPOSITORY, "note").await;
    assert!(referrer_types(cluster, REPOSITORY, &subject).await.is_empty());
}

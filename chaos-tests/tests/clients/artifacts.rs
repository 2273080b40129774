//! What the clients of artifacts share: their credentials, the authority they trust, and what the
//! registry says refers to a manifest.

use std::fs;
use std::path::{Path, PathBuf};

use chaos_tests::cluster::Cluster;
use chaos_tests::image::Image;
use chaos_tests::programs::Program;
use chaos_tests::secrets::base64;
use serde_json::{Value, json};

use crate::{credentials, hosts};

/// Writes the file in which clients look for credentials, with those of every replica.
pub(crate) fn docker_config(cluster: &Cluster, folder: &Path) -> PathBuf {
    let secret = base64(credentials(cluster).as_bytes());
    let hosts = hosts(cluster).into_iter().map(|host| (host, json!({ "auth": secret })));
    let auths: serde_json::Map<String, Value> = hosts.collect();
    let path = folder.join("config.json");
    fs::write(&path, json!({ "auths": auths }).to_string()).unwrap();
    path
}

/// A client with the cluster's authority and its credentials, and with no home but the folder.
///
/// Clients written in Go read `SSL_CERT_FILE`, those in Python `REQUESTS_CA_BUNDLE`.
pub(crate) async fn at_home(client: Program, cluster: &Cluster, folder: &Path) -> Program {
    docker_config(cluster, folder);
    let ca = cluster.ca_file().await.unwrap();
    let client = client.variable("SSL_CERT_FILE", &ca).variable("REQUESTS_CA_BUNDLE", &ca);
    client.variable("DOCKER_CONFIG", folder).variable("HOME", folder).inside(folder)
}

/// Pushes a small image by the harness; gives its digest.
pub(crate) async fn subject(cluster: &Cluster, repository: &str, seed: u64) -> String {
    let image = Image::random(seed);
    cluster.registry.push(0, repository, &image, "v1").await.unwrap();
    image.manifest.digest
}

/// Types of what refers to a manifest, in byte order; the same from every replica.
pub(crate) async fn referrer_types(
    cluster: &Cluster,
    repository: &str,
    subject: &str,
) -> Vec<String> {
    let path = format!("/v2/{repository}/referrers/{subject}");
    let first = cluster.registry.json(0, &path).await.unwrap();
    for place in 1..cluster.replicas.len() {
        let other = cluster.registry.json(place, &path).await.unwrap();
        assert_eq!(other, first, "replica {place} knows other referrers");
    }
    let listed = first["manifests"].as_array().unwrap();
    let types = listed.iter().map(|it| it["artifactType"].as_str().unwrap_or_default().to_owned());
    let mut types: Vec<String> = types.collect();
    types.sort();
    types
}

/// The tag under which clients keep what refers to a manifest where a registry has no list of it.
pub(crate) fn fallback_tag(subject: &str, end: &str) -> String {
    format!("{}{end}", subject.replace(':', "-"))
}

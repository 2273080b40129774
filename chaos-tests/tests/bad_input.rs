//! Bad input: the right error each time, nothing lost, no panic, no replica down.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

#[path = "bad_input/commands.rs"]
mod commands;
#[path = "bad_input/disk.rs"]
mod disk;
#[path = "bad_input/requests.rs"]
mod requests;
#[path = "bad_input/tokens.rs"]
mod tokens;
#[path = "bad_input/uploads.rs"]
mod uploads;

use chaos_tests::cluster::Cluster;
use chaos_tests::image::Image;
use chaos_tests::logs;
use reqwest::RequestBuilder;
use reqwest::header::HeaderMap;
use serde_json::Value;

/// The repository that holds a good image all through a test.
const REPOSITORY: &str = "bad/input";

/// A cluster with one good image in it.
async fn with_an_image(replicas: usize) -> (Cluster, Image) {
    let cluster = Cluster::start(replicas).await.unwrap();
    let image = Image::with_layer(1, 2_048);
    cluster.registry.push(0, REPOSITORY, &image, "good").await.unwrap();
    (cluster, image)
}

/// Every replica is up and has what it was given, nobody has panicked, nothing secret was logged.
async fn unharmed(mut cluster: Cluster, image: &Image) {
    cluster.wait_healthy().await.unwrap();
    assert_eq!(cluster.running().len(), cluster.replicas.len(), "a replica is down");
    for place in cluster.running() {
        let seen = cluster.registry.look(place, REPOSITORY, "good").await.unwrap();
        assert_eq!(seen.as_ref(), Some(&image.manifest.digest), "replica {place}");
        for blob in &image.blobs {
            let came = cluster.registry.fetch(place, REPOSITORY, "blobs", &blob.digest).await;
            assert_eq!(came.unwrap(), blob.digest, "replica {place}");
        }
    }
    let complaints = logs::complaints(&cluster).unwrap();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// Sends a request and compares status and code; gives the answer's headers back.
async fn answers(name: &str, request: RequestBuilder, status: u16, code: &str) -> HeaderMap {
    let answer = request.send().await.unwrap_or_else(|error| panic!("{name}: {error:?}"));
    let (came, headers) = (answer.status(), answer.headers().clone());
    let text = answer.text().await.unwrap_or_default();
    assert_eq!(came.as_u16(), status, "{name}: {text}");
    if !code.is_empty() {
        let body: Value = serde_json::from_str(&text).unwrap_or_default();
        assert_eq!(body["errors"][0]["code"], code, "{name}: {text}");
        let message = body["errors"][0]["message"].as_str().unwrap_or_default();
        assert!(!message.is_empty(), "{name}: an error has a sentence for people: {text}");
    }
    headers
}

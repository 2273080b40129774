//! Both ends of an import: a cluster that it goes into, and registries that it comes from.

use std::path::PathBuf;

use chaos_tests::cluster::{ADMIN, Cluster};
use chaos_tests::executable::{self, Ended, text};
use chaos_tests::image::{Blob, Image};
use chaos_tests::peers::docker_registry::DockerRegistry;
use chaos_tests::programs::skip;
use reqwest::{Method, Response};
use serde_json::Value;
use tempfile::TempDir;

/// Where an import goes.
pub(crate) struct Stage {
    pub(crate) cluster: Cluster,
    pub(crate) folder: TempDir,
    ca: PathBuf,
}

impl Stage {
    /// A cluster of one replica.
    pub(crate) async fn new() -> Self {
        let cluster = Cluster::start(1).await.unwrap();
        let (folder, ca) = (tempfile::tempdir().unwrap(), cluster.ca_file().await.unwrap());
        std::fs::write(folder.path().join("admin.password"), &cluster.password).unwrap();
        Self { cluster, folder, ca }
    }

    /// A path of its folder.
    pub(crate) fn path(&self, name: &str) -> String {
        text(&self.folder.path().join(name))
    }

    /// The words of an import into it.
    pub(crate) fn words(&self, verb: &str, more: &[&str]) -> Vec<String> {
        let password = self.path("admin.password");
        let (url, ca) = (&*self.cluster.replicas[0].url, text(&self.ca));
        let own = ["import", verb, "--json", "--url", url, "--username", ADMIN];
        let account = ["--password-file", &password, "--ca", &ca];
        own.iter().chain(&account).chain(more).map(ToString::to_string).collect()
    }

    /// Runs an import into it.
    pub(crate) async fn import(&self, verb: &str, more: &[&str]) -> Ended {
        executable::run(&self.words(verb, more)).await.unwrap()
    }

    /// Runs one that must end so; its report.
    pub(crate) async fn report(&self, verb: &str, more: &[&str], status: i32) -> Value {
        let ended = self.import(verb, more).await;
        assert_eq!(ended.status, Some(status), "{verb} {more:?}\n{ended}");
        serde_json::from_str(&ended.out).unwrap_or_else(|error| panic!("{error}\n{ended}"))
    }

    /// The digest of a tag in it.
    pub(crate) async fn tag(&self, repository: &str, tag: &str) -> Option<String> {
        self.cluster.registry.look(0, repository, tag).await.unwrap()
    }

    /// That it gives back all of an image under a tag.
    pub(crate) async fn has(&self, repository: &str, tag: &str, image: &Image) {
        let digest = self.tag(repository, tag).await;
        assert_eq!(digest.as_ref(), Some(&image.manifest.digest), "{repository}:{tag}");
        self.holds(repository, &image.blobs, &[&image.manifest]).await;
    }

    /// That it gives back these bytes.
    pub(crate) async fn holds(&self, repository: &str, blobs: &[Blob], manifests: &[&Blob]) {
        for blob in blobs {
            let came = self.cluster.registry.fetch(0, repository, "blobs", &blob.digest).await;
            assert_eq!(came.unwrap(), blob.digest, "{repository}");
        }
        for manifest in manifests {
            let came =
                self.cluster.registry.fetch(0, repository, "manifests", &manifest.digest).await;
            assert_eq!(came.unwrap(), manifest.digest, "{repository}");
        }
    }

    /// Something of its management API.
    pub(crate) async fn json(&self, path: &str) -> Value {
        self.cluster.registry.json(0, path).await.unwrap()
    }
}

/// A registry of Debian, and a client of it.
pub(crate) struct Old {
    pub(crate) registry: DockerRegistry,
    pub(crate) folder: TempDir,
    http: reqwest::Client,
    who: Option<(&'static str, &'static str)>,
}

impl Old {
    /// Starts one that lets everybody in; `None`, with a notice, where it is not installed.
    pub(crate) fn start() -> Option<Self> {
        Self::start_for(None)
    }

    /// Starts one for this account.
    pub(crate) fn start_for(who: Option<Who>) -> Option<Self> {
        wire::provider::install();
        let folder = tempfile::tempdir().unwrap();
        let extra = who.as_ref().map_or_else(String::new, |who| {
            let file = folder.path().join("htpasswd");
            std::fs::write(&file, format!("{}:{}\n", who.name, who.hash)).unwrap();
            format!("auth:\n  htpasswd:\n    realm: old\n    path: {}\n", text(&file))
        });
        let registry = DockerRegistry::start_with(folder.path(), &extra).unwrap();
        let Some(registry) = registry else {
            skip("docker-registry is not installed");
            return None;
        };
        let who = who.map(|who| (who.name, who.password));
        Some(Self { registry, folder, http: reqwest::Client::new(), who })
    }

    /// `--from URL`.
    pub(crate) fn from(&self) -> [&str; 2] {
        ["--from", &self.registry.url]
    }

    fn request(&self, method: Method, url: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, url);
        match self.who {
            Some((name, password)) => request.basic_auth(name, Some(password)),
            None => request,
        }
    }

    pub(crate) async fn push_blob(&self, repository: &str, blob: &Blob) {
        let url = format!("{}/v2/{repository}/blobs/uploads/", self.registry.url);
        let opened = taken(self.request(Method::POST, &url)).await;
        let place = opened.headers()["location"].to_str().unwrap();
        let join = if place.contains('?') { '&' } else { '?' };
        let url = format!("{place}{join}digest={}", blob.digest);
        let put = self.request(Method::PUT, &url).body(blob.bytes.clone());
        taken(put.header("content-type", "application/octet-stream")).await;
    }

    pub(crate) async fn push_manifest(&self, repository: &str, reference: &str, it: (&Blob, &str)) {
        let url = format!("{}/v2/{repository}/manifests/{reference}", self.registry.url);
        let put = self.request(Method::PUT, &url).header("content-type", it.1);
        taken(put.body(it.0.bytes.clone())).await;
    }

    pub(crate) async fn push(&self, repository: &str, tag: &str, image: &Image) {
        for blob in &image.blobs {
            self.push_blob(repository, blob).await;
        }
        self.push_manifest(repository, tag, (&image.manifest, image.media_type)).await;
    }

    /// The file that holds a blob.
    pub(crate) fn file_of(&self, digest: &str) -> PathBuf {
        let hex = digest.split(':').nth(1).unwrap();
        let blobs = self.folder.path().join("data/docker/registry/v2/blobs/sha256");
        blobs.join(&hex[..2]).join(hex).join("data")
    }
}

/// An account of the old registry.
pub(crate) struct Who {
    pub(crate) name: &'static str,
    pub(crate) password: &'static str,
    /// Of the password, by bcrypt.
    pub(crate) hash: &'static str,
}

async fn taken(request: reqwest::RequestBuilder) -> Response {
    let response = request.send().await.unwrap();
    let (url, status) = (response.url().clone(), response.status());
    if status.is_success() {
        return response;
    }
    panic!("{url}: {status} {}", response.text().await.unwrap_or_default());
}

//! Content: blobs under either algorithm, and the manifests that a data set is made of.

use bytes::Bytes;
use chaos_tests::image::{Blob, INDEX, MANIFEST, digest, digest_512};
use serde_json::{Value, json};

use crate::run::Run;

pub(crate) const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub(crate) const EMPTY: &str = "application/vnd.oci.empty.v1+json";
pub(crate) const GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
pub(crate) const TAR: &str = "application/vnd.oci.image.layer.v1.tar";

/// Bytes of a layer.
const LAYER_BYTES: usize = 512;

/// The algorithm of a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Sha256,
    Sha512,
}

impl Algorithm {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    pub(crate) fn digest(self, bytes: &[u8]) -> String {
        match self {
            Self::Sha256 => digest(bytes),
            Self::Sha512 => digest_512(bytes),
        }
    }

    pub(crate) fn blob(self, bytes: impl Into<Bytes>) -> Blob {
        let bytes = bytes.into();
        Blob { digest: self.digest(&bytes), bytes }
    }
}

/// A manifest, what it says of itself, and the tags it is to have.
#[derive(Clone, Debug)]
pub(crate) struct Manifest {
    pub(crate) media_type: &'static str,
    pub(crate) blob: Blob,
    /// The digest it refers to, if any.
    pub(crate) subject: Option<String>,
    pub(crate) tags: Vec<String>,
    /// How a list of referrers shows it (RF2).
    pub(crate) entry: Value,
}

/// Blobs and manifests that belong together; a manifest stands after what it names.
#[derive(Debug)]
pub(crate) struct Set<'a> {
    run: &'a Run,
    pub(crate) algorithm: Algorithm,
    pub(crate) blobs: Vec<Blob>,
    pub(crate) manifests: Vec<Manifest>,
    /// Tags go with the manifest's digest, as `?tag=`.
    pub(crate) by_parameter: bool,
}

/// A manifest as it is pushed, where nothing is changed.
pub(crate) fn unchanged(_: &mut Value) {}

impl<'a> Set<'a> {
    pub(crate) fn new(run: &'a Run, algorithm: Algorithm) -> Self {
        Self { run, algorithm, blobs: vec![], manifests: vec![], by_parameter: false }
    }

    /// A number that makes a document differ from any other.
    pub(crate) fn draw(&self) -> u64 {
        self.run.draw()
    }

    /// Adds a blob, once; gives its descriptor.
    pub(crate) fn blob(&mut self, bytes: impl Into<Bytes>, media_type: &str) -> Value {
        let blob = self.algorithm.blob(bytes);
        let size = blob.bytes.len();
        let descriptor = json!({"mediaType": media_type, "digest": blob.digest, "size": size});
        if self.blobs.iter().all(|it| it.digest != blob.digest) {
            self.blobs.push(blob);
        }
        descriptor
    }

    /// Adds a layer of random bytes.
    pub(crate) fn layer(&mut self, media_type: &str) -> Value {
        let bytes = self.run.blob(self.algorithm, LAYER_BYTES).bytes;
        self.blob(bytes, media_type)
    }

    /// Adds a configuration; `more` is a field that no specification knows.
    pub(crate) fn config(&mut self, more: &str) -> Value {
        let nonce = self.run.draw().to_string();
        let config = json!({"architecture": "amd64", "os": "linux", more: nonce,
            "config": {"Labels": {"nonce": nonce}}, "rootfs": {"type": "layers", "diff_ids": []}});
        self.blob(config.to_string(), CONFIG)
    }

    /// Adds an image of two layers, changed as told; gives its descriptor.
    pub(crate) fn image(&mut self, layer: &str, change: impl FnOnce(&mut Value)) -> Value {
        let layers = [self.layer(layer), self.layer(layer)];
        let config = self.config("author");
        let image = json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config,
            "layers": layers});
        self.manifest(image, change)
    }

    /// Adds an artifact: an empty configuration and one layer of its own type.
    pub(crate) fn artifact(&mut self, kind: &str, change: impl FnOnce(&mut Value)) -> Value {
        let (config, layer) = (self.blob("{}", EMPTY), self.layer(kind));
        let artifact = json!({"schemaVersion": 2, "mediaType": MANIFEST, "artifactType": kind,
            "config": config, "layers": [layer]});
        self.manifest(artifact, change)
    }

    /// Adds an index of these, a platform each.
    pub(crate) fn index(&mut self, children: &[Value], change: impl FnOnce(&mut Value)) -> Value {
        let platforms = ["amd64", "arm64"].iter().cycle();
        let entries = children.iter().zip(platforms).map(|(child, architecture)| {
            let mut child = child.clone();
            child["platform"] = json!({"os": "linux", "architecture": architecture});
            child
        });
        let entries: Vec<Value> = entries.collect();
        self.manifest(json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}), change)
    }

    /// Adds a manifest, changed as told; gives its descriptor.
    pub(crate) fn manifest(
        &mut self,
        mut document: Value,
        change: impl FnOnce(&mut Value),
    ) -> Value {
        change(&mut document);
        let blob = self.algorithm.blob(document.to_string());
        let is_index = document["mediaType"] == INDEX;
        let media_type = if is_index { INDEX } else { MANIFEST };
        let size = blob.bytes.len();
        let descriptor = json!({"mediaType": media_type, "digest": blob.digest, "size": size});
        let mut entry = descriptor.clone();
        let own = document.get("artifactType").or_else(|| document["config"].get("mediaType"));
        for (key, value) in [("artifactType", own), ("annotations", document.get("annotations"))] {
            if let Some(value) = value {
                entry[key] = value.clone();
            }
        }
        let subject = document["subject"]["digest"].as_str().map(str::to_owned);
        self.manifests.push(Manifest { media_type, blob, subject, tags: vec![], entry });
        descriptor
    }

    /// Gives the manifest that was added last a tag.
    pub(crate) fn tag(&mut self, tag: &str) {
        if let Some(last) = self.manifests.last_mut() {
            last.tags.push(tag.to_owned());
        }
    }

    /// All tags in the order that a list has them.
    pub(crate) fn tags(&self) -> Vec<String> {
        let mut tags: Vec<String> = self.manifests.iter().flat_map(|it| it.tags.clone()).collect();
        tags.sort();
        tags
    }
}

//! Images that are pushed: a layer, a configuration, and the manifest that names both.

use std::sync::Arc;

use rand::Rng;
use serde_json::{Value, json};

use super::fill::Blob;

/// Media type of manifests that are pushed, and asked for.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// Media type of an index.
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// An image of one layer.
#[derive(Clone)]
pub struct Image {
    /// The layer; images may share it.
    pub layer: Arc<Blob>,
    /// The configuration, about 200 bytes.
    pub config: Blob,
    /// The manifest's bytes and digest.
    pub manifest: Blob,
}

impl Image {
    /// An image around `layer`, with a configuration of its own.
    pub fn new(layer: Arc<Blob>) -> Self {
        let config = json!({
            "architecture": "amd64",
            "os": "linux",
            "config": {"Labels": {"run": format!("{:032x}", rand::rng().random::<u128>())}},
            "rootfs": {"type": "layers", "diff_ids": [layer.digest]},
        });
        let config = Blob::of(config.to_string().into_bytes());
        let manifest = manifest(&config, &layer, None);
        Self { layer, config, manifest }
    }

    /// Reads the first layer and the configuration out of a manifest that a registry has.
    pub fn from_manifest(bytes: &[u8]) -> Option<Self> {
        let manifest: Value = serde_json::from_slice(bytes).ok()?;
        let named = |it: &Value| {
            let digest = it["digest"].as_str()?.to_owned();
            Some(Blob::named(digest, it["size"].as_u64()?))
        };
        let layer = Arc::new(named(&manifest["layers"][0])?);
        let config = named(&manifest["config"])?;
        Some(Self { layer, config, manifest: Blob::of(bytes.to_vec()) })
    }

    /// A manifest of the same layer and configuration that differs in one annotation.
    pub fn annotated(&self, note: &str) -> Blob {
        manifest(&self.config, &self.layer, Some(note))
    }
}

fn manifest(config: &Blob, layer: &Blob, note: Option<&str>) -> Blob {
    let mut manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": described(CONFIG, config),
        "layers": [described(LAYER, layer)],
    });
    if let Some(note) = note {
        manifest["annotations"] = json!({"bench": note});
    }
    Blob::of(manifest.to_string().into_bytes())
}

fn described(kind: &str, blob: &Blob) -> Value {
    json!({"mediaType": kind, "digest": blob.digest, "size": blob.size})
}

/// An index that names nothing: the least that makes a repository or a tag.
pub fn empty_index(note: &str) -> Blob {
    let index = json!({
        "schemaVersion": 2, "mediaType": INDEX, "manifests": [], "annotations": {"bench": note},
    });
    Blob::of(index.to_string().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::fill::{Fill, Source};
    use oci::manifest::Manifest;

    #[test]
    fn manifests_are_what_a_registry_takes() {
        let image = Image::new(Arc::new(Source::new(Fill::Zeros).blob(5_000)));
        let bytes = |blob: &Blob| blob.pieces().flatten().copied().collect::<Vec<u8>>();
        for manifest in [&image.manifest, &image.annotated("x")] {
            let parsed = Manifest::parse(&bytes(manifest), Some(MANIFEST)).unwrap();
            let named: Vec<String> =
                parsed.references().iter().map(|(_, it)| it.digest.to_string()).collect();
            for blob in [&image.config, &*image.layer] {
                assert!(named.contains(&blob.digest), "{named:?}");
            }
        }
        let read = Image::from_manifest(&bytes(&image.manifest)).unwrap();
        assert_eq!((&read.layer.digest, read.layer.size), (&image.layer.digest, 5_000));
        assert_eq!(read.manifest.digest, image.manifest.digest);
        assert!(Image::from_manifest(&bytes(&empty_index("x"))).is_none());
        assert!(Manifest::parse(&bytes(&empty_index("x")), Some(INDEX)).is_ok());
        assert!(image.annotated("x").digest != image.annotated("y").digest);
    }
}

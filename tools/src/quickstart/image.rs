//! A small image made on the spot: one layer with one file.

use oci::digest::{Algorithm, Digest};
use oci::verifier::digest_of;
use serde_json::json;

/// Media types of what is made here.
pub const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG_TYPE: &str = "application/vnd.oci.image.config.v1+json";
const LAYER_TYPE: &str = "application/vnd.oci.image.layer.v1.tar";

/// An image as it is pushed.
#[derive(Clone, Debug)]
pub struct Image {
    /// The layer, then the configuration.
    pub blobs: Vec<Vec<u8>>,
    /// The manifest that names both.
    pub manifest: Vec<u8>,
}

impl Image {
    /// An image whose only file, `hello.txt`, holds `text`.
    pub fn with_text(text: &str) -> Self {
        let layer = tar_of("hello.txt", text.as_bytes());
        let config = json!({
            "architecture": "amd64",
            "os": "linux",
            "created": "2025-01-01T00:00:00Z",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [digest(&layer)]},
            "history": [{"created_by": "holdfast quickstart"}],
        })
        .to_string()
        .into_bytes();
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": {"mediaType": CONFIG_TYPE, "digest": digest(&config), "size": config.len()},
            "layers": [{"mediaType": LAYER_TYPE, "digest": digest(&layer), "size": layer.len()}],
        })
        .to_string()
        .into_bytes();
        Self { blobs: vec![layer, config], manifest }
    }
}

/// The SHA-256 digest of some bytes.
pub fn digest(bytes: &[u8]) -> Digest {
    digest_of(Algorithm::Sha256, bytes)
}

/// A tar archive of one file, in the ustar form.
fn tar_of(name: &str, bytes: &[u8]) -> Vec<u8> {
    let mut header = [0_u8; 512];
    let mut field =
        |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
    field(0, name);
    field(100, "0000644\0");
    field(108, "0000000\0");
    field(116, "0000000\0");
    field(124, &format!("{:011o}\0", bytes.len()));
    field(136, "14715142000\0");
    field(148, "        ");
    field(156, "0");
    field(257, "ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());

    let mut tar = header.to_vec();
    tar.extend_from_slice(bytes);
    // The file is padded to whole blocks, and two empty blocks end the archive.
    tar.resize(tar.len().next_multiple_of(512) + 1_024, 0);
    tar
}

#[cfg(test)]
mod tests {
    use super::*;
    use oci::manifest::Manifest;

    #[test]
    fn the_manifest_names_what_is_pushed() {
        let image = Image::with_text("hello\n");
        let manifest = Manifest::parse(&image.manifest, Some(MANIFEST_TYPE)).unwrap();
        let named: Vec<_> =
            manifest.references().iter().map(|(_, d)| (d.digest.clone(), d.size)).collect();
        for blob in &image.blobs {
            let size = u64::try_from(blob.len()).unwrap();
            assert!(named.contains(&(digest(blob), size)));
        }
    }

    #[test]
    fn the_layer_is_a_tar_that_tar_reads() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("layer.tar");
        std::fs::write(&path, &Image::with_text("hello\n").blobs[0]).unwrap();
        let out = std::process::Command::new("tar").arg("-xOf").arg(&path).output();
        let Ok(out) = out else { return };
        assert_eq!(String::from_utf8_lossy(&out.stderr), "");
        assert_eq!(out.stdout, b"hello\n");
    }
}

//! Images that the harness makes itself: bytes, digests and a manifest, written without the
//! server's code.

use bytes::Bytes;
use rand::rngs::StdRng;
use rand::{Rng, RngCore, SeedableRng};
use serde_json::json;

/// The media type of an image manifest.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// The media type of an index.
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// The SHA-256 of these bytes, as `sha256:…`.
pub fn digest(bytes: &[u8]) -> String {
    named(&ring::digest::digest(&ring::digest::SHA256, bytes))
}

/// The SHA-512 of these bytes, as `sha512:…`.
pub fn digest_512(bytes: &[u8]) -> String {
    named(&ring::digest::digest(&ring::digest::SHA512, bytes))
}

/// A SHA-256 taken piece by piece.
pub struct Hasher(ring::digest::Context);

impl Default for Hasher {
    fn default() -> Self {
        Self(ring::digest::Context::new(&ring::digest::SHA256))
    }
}

impl Hasher {
    /// Adds a piece.
    pub fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    /// The digest of all pieces, as `sha256:…`.
    pub fn finish(self) -> String {
        named(&self.0.finish())
    }
}

fn named(hash: &ring::digest::Digest) -> String {
    let name = if hash.as_ref().len() == 32 { "sha256" } else { "sha512" };
    format!("{name}:{}", hex(hash.as_ref()))
}

/// Two lower-case digits a byte.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(value.into(), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// A blob with its digest.
#[derive(Clone, Debug)]
pub struct Blob {
    /// Its digest.
    pub digest: String,
    /// Its bytes.
    pub bytes: Bytes,
}

impl Blob {
    /// A blob of these bytes.
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self { digest: digest(&bytes), bytes }
    }

    /// Bytes that differ with the seed.
    pub fn random(seed: u64, length: usize) -> Self {
        let mut bytes = vec![0; length];
        StdRng::seed_from_u64(seed).fill_bytes(&mut bytes);
        Self::new(bytes)
    }
}

/// An image: what must be pushed, in this order, and the manifest that names it.
#[derive(Clone, Debug)]
pub struct Image {
    /// Layers and, last, the configuration.
    pub blobs: Vec<Blob>,
    /// The manifest's bytes.
    pub manifest: Blob,
    /// The manifest's media type.
    pub media_type: &'static str,
}

impl Image {
    /// An image that differs with the seed in all its blobs, of one to three layers of a few KiB,
    /// now and then of a megabyte.
    pub fn random(seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let count = random.random_range(1..=3);
        let mut layers = Vec::new();
        for _ in 0..count {
            let large = random.random_bool(0.05);
            let length = if large { 1 << 20 } else { random.random_range(64..8_192) };
            layers.push(Blob::random(random.random(), length));
        }
        Self::of_layers(layers, seed)
    }

    /// An image of one layer of this many bytes.
    pub fn with_layer(seed: u64, length: usize) -> Self {
        Self::of_layers(vec![Blob::random(seed, length)], seed)
    }

    /// An image of these layers; `nonce` makes its configuration differ from any other.
    pub fn of_layers(layers: Vec<Blob>, nonce: u64) -> Self {
        let config = json!({
            "architecture": "amd64", "os": "linux",
            "config": {"Labels": {"nonce": nonce.to_string()}},
            "rootfs": {"type": "layers",
                "diff_ids": layers.iter().map(|it| &it.digest).collect::<Vec<_>>()},
        });
        let config = Blob::new(config.to_string());
        let describe = |blob: &Blob, kind: &str| {
            let size = blob.bytes.len();
            json!({"mediaType": kind, "digest": blob.digest, "size": size})
        };
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": describe(&config, CONFIG),
            "layers": layers.iter().map(|it| describe(it, LAYER)).collect::<Vec<_>>(),
        });
        let mut blobs = layers;
        blobs.push(config);
        Self { blobs, manifest: Blob::new(manifest.to_string()), media_type: MANIFEST }
    }

    /// An index of these images, one platform each.
    pub fn index(images: &[Self]) -> Blob {
        let architectures = ["amd64", "arm64", "s390x", "ppc64le"];
        let entries = images.iter().zip(architectures).map(|(image, architecture)| {
            json!({"mediaType": image.media_type, "digest": image.manifest.digest,
                "size": image.manifest.bytes.len(),
                "platform": {"os": "linux", "architecture": architecture}})
        });
        let index = json!({"schemaVersion": 2, "mediaType": INDEX,
            "manifests": entries.collect::<Vec<_>>()});
        Blob::new(index.to_string())
    }

    /// Digests of all its blobs.
    pub fn digests(&self) -> Vec<String> {
        self.blobs.iter().map(|blob| blob.digest.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_image_and_another_shares_nothing() {
        let (one, same, other) = (Image::random(7), Image::random(7), Image::random(8));
        assert_eq!(one.manifest.digest, same.manifest.digest);
        assert!(one.digests().iter().all(|it| !other.digests().contains(it)));
        assert_ne!(one.manifest.digest, other.manifest.digest);
    }

    #[test]
    fn digests_are_the_known_ones() {
        let empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(digest(b""), empty);
        assert_eq!(Hasher::default().finish(), empty);
        assert!(digest_512(b"").starts_with("sha512:cf83e1357eefb8bd"));
    }
}

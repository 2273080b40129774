//! Descriptors: how one document names another's bytes.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::json::null_as_default;
use crate::media_type;
use crate::platform::Platform;
use crate::verifier::digest_of;

/// The largest size a descriptor may give, in bytes: what a signed 64-bit number holds.
pub const SIZE_BYTES_MAX: u64 = i64::MAX as u64;

/// Names some bytes: their type, digest and size.
///
/// Source: OCI image-spec 1.1, "OCI Content Descriptors".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// The media type of the bytes; empty where the document gave none.
    #[serde(default, deserialize_with = "null_as_default")]
    pub media_type: String,
    /// What the bytes hash to.
    pub digest: Digest,
    /// How many bytes there are.
    pub size: u64,
    /// Where else the bytes may be had.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub urls: Vec<String>,
    /// Remarks by name.
    #[serde(
        default,
        deserialize_with = "null_as_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub annotations: BTreeMap<String, String>,
    /// The type of the artifact, where the bytes are a manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The bytes themselves in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// What the image runs on, in an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
}

impl Descriptor {
    /// A descriptor that says no more than it must.
    pub fn new(media_type: impl Into<String>, digest: Digest, size: u64) -> Self {
        Self {
            media_type: media_type.into(),
            digest,
            size,
            urls: Vec::new(),
            annotations: BTreeMap::new(),
            artifact_type: None,
            data: None,
            platform: None,
        }
    }

    /// Whether the bytes may be missing here: a foreign layer, or one with addresses of its own.
    pub fn is_foreign(&self) -> bool {
        !self.urls.is_empty() || media_type::is_non_distributable(&self.media_type)
    }

    /// Checks what the types alone do not: the size's bound, and that `data` is what is described.
    pub fn check(&self) -> Result<(), String> {
        if self.size > SIZE_BYTES_MAX {
            return Err(format!("size {} is more than {SIZE_BYTES_MAX}", self.size));
        }
        let Some(data) = &self.data else { return Ok(()) };
        let bytes = STANDARD.decode(data).map_err(|_| "data is not base64".to_owned())?;
        if bytes.len() as u64 != self.size {
            return Err(format!("data has {} bytes, size says {}", bytes.len(), self.size));
        }
        if digest_of(self.digest.algorithm(), &bytes) != self.digest {
            return Err(format!("data does not hash to {}", self.digest));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Algorithm;

    #[test]
    fn data_must_be_what_the_descriptor_says() {
        let empty_object = digest_of(Algorithm::Sha256, b"{}");
        let plain = Descriptor::new(media_type::OCI_EMPTY, empty_object, 2);
        let with =
            |data: &str, size: u64| Descriptor { data: Some(data.into()), size, ..plain.clone() };
        for (descriptor, right) in [
            (plain.clone(), true),
            (with("e30=", 2), true),
            (with("e30=", 3), false),
            (with("e30", 2), false),
            (with("e31=", 2), false),
            (with("{}", 2), false),
            (with("", 2), false),
            (Descriptor { size: u64::MAX, ..plain.clone() }, false),
        ] {
            assert_eq!(descriptor.check().is_ok(), right, "{descriptor:?}");
        }
    }

    #[test]
    fn a_descriptor_reads_back_as_it_was_written() {
        let digest = digest_of(Algorithm::Sha512, b"x");
        let descriptor = Descriptor {
            urls: vec!["https://example.com/x".into()],
            annotations: BTreeMap::from([("a".into(), "b".into())]),
            artifact_type: Some("application/x".into()),
            platform: Some(Platform {
                os: "linux".into(),
                architecture: "arm".into(),
                variant: Some("v7".into()),
                ..Platform::default()
            }),
            ..Descriptor::new(media_type::OCI_MANIFEST, digest, 1)
        };
        let json = serde_json::to_string(&descriptor).unwrap();
        assert_eq!(serde_json::from_str::<Descriptor>(&json).unwrap(), descriptor);
        assert!(json.contains("\"artifactType\""), "{json}");
        assert_eq!(descriptor.platform.unwrap().to_string(), "linux/arm/v7");
    }
}

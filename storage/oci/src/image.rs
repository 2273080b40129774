//! Image configurations: what an image runs on, how it was built, and its layers' contents.
//!
//! Source: OCI image-spec 1.1, "Image Configuration".

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::json::{self, FREE, JsonError, null_as_default};

/// The most bytes of a configuration that are read.
pub const CONFIG_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Why a configuration does not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// More bytes than [`CONFIG_BYTES_MAX`].
    #[error("an image configuration has at most {CONFIG_BYTES_MAX} bytes; this one has {0}")]
    TooLarge(usize),
    /// The document is not JSON as every parser reads it.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// A field has the wrong type.
    #[error("the image configuration does not read: {0}")]
    Field(String),
}

/// The configuration of an image. Fields that nothing here needs are passed over.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageConfig {
    /// The operating system, by its Go name.
    #[serde(default, deserialize_with = "null_as_default")]
    pub os: String,
    /// The processor, by its Go name.
    #[serde(default, deserialize_with = "null_as_default")]
    pub architecture: String,
    /// The variant of the processor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// The version of the operating system.
    #[serde(rename = "os.version", default, skip_serializing_if = "Option::is_none")]
    pub os_version: Option<String>,
    /// When the image was made, as RFC 3339 text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// Who made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// The steps that made it, oldest first.
    #[serde(default, deserialize_with = "null_as_default")]
    pub history: Vec<HistoryEntry>,
    /// The contents of its layers.
    #[serde(default, deserialize_with = "null_as_default")]
    pub rootfs: RootFs,
}

/// One step of an image's making.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryEntry {
    /// When it was done, as RFC 3339 text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// The command that was run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    /// Who did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// A remark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Whether the step made no layer.
    #[serde(default, deserialize_with = "null_as_default")]
    pub empty_layer: bool,
}

/// The layers of an image by what they hold uncompressed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootFs {
    /// Always `layers`.
    #[serde(rename = "type", default, deserialize_with = "null_as_default")]
    pub kind: String,
    /// The digest of each layer's uncompressed tar, lowest layer first.
    #[serde(default, deserialize_with = "null_as_default")]
    pub diff_ids: Vec<Digest>,
}

impl ImageConfig {
    /// Reads a configuration.
    pub fn parse(bytes: &[u8]) -> Result<Self, ConfigError> {
        if bytes.len() > CONFIG_BYTES_MAX {
            return Err(ConfigError::TooLarge(bytes.len()));
        }
        json::check(bytes, &FREE)?;
        serde_json::from_slice(bytes).map_err(|error| ConfigError::Field(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_reads() {
        let diff_id = format!("sha256:{}", "0a".repeat(32));
        let text = format!(
            r#"{{"os":"linux","architecture":"arm","variant":"v7","created":"2026-01-01T00:00:00Z",
            "config":{{"Env":["A=b"],"Labels":{{"x":"y","X":"z"}}}},
            "history":[{{"created_by":"COPY a","empty_layer":true}},{{"comment":"b"}}],
            "rootfs":{{"type":"layers","diff_ids":["{diff_id}"]}}}}"#
        );
        let config = ImageConfig::parse(text.as_bytes()).unwrap();
        assert_eq!((config.os.as_str(), config.architecture.as_str()), ("linux", "arm"));
        assert_eq!(config.variant.as_deref(), Some("v7"));
        assert_eq!(config.history.len(), 2);
        assert!(config.history[0].empty_layer && !config.history[1].empty_layer);
        assert_eq!(config.rootfs.diff_ids[0].as_str(), diff_id);
        let again = serde_json::to_vec(&config).unwrap();
        assert_eq!(ImageConfig::parse(&again).unwrap(), config);
    }

    #[test]
    fn an_artifacts_configuration_reads_as_an_empty_one() {
        assert_eq!(ImageConfig::parse(b"{}").unwrap(), ImageConfig::default());
    }

    #[test]
    fn a_wrong_configuration_is_refused() {
        for text in [
            "",
            "[]",
            "x",
            r#"{"os":1}"#,
            r#"{"os":"a","os":"b"}"#,
            r#"{"history":{}}"#,
            r#"{"rootfs":{"diff_ids":["sha256:x"]}}"#,
        ] {
            assert!(ImageConfig::parse(text.as_bytes()).is_err(), "{text:?}");
        }
        let long = format!(r#"{{"os":"{}"}}"#, "x".repeat(CONFIG_BYTES_MAX));
        assert!(matches!(ImageConfig::parse(long.as_bytes()), Err(ConfigError::TooLarge(_))));
    }
}

//! `[log]`: what is logged, and how.

use serde::{Deserialize, Serialize};

/// The form of a log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// For people.
    #[default]
    Human,
    /// One JSON object a line.
    Json,
}

/// `[log]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// `debug`, `info`, `warn` or `error`; re-read on SIGHUP.
    pub level: String,
    /// `human` or `json`.
    pub format: Format,
}

impl Default for Log {
    fn default() -> Self {
        Self { level: "info".into(), format: Format::Human }
    }
}

impl Log {
    /// Checks the section.
    pub fn check(&self) -> Result<(), String> {
        match self.level.as_str() {
            "trace" | "debug" | "info" | "warn" | "error" | "fatal" => Ok(()),
            other => {
                Err(format!("`log.level` is {other:?}: write debug, info, warn, error or fatal"))
            }
        }
    }
}

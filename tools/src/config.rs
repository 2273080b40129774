//! The configuration file: what differs from replica to replica.
//!
//! One TOML file, in which every key has a default except `data`. A key that is not known is
//! refused by its name, so that a misspelt one cannot be overlooked. Settings of the whole cluster
//! are not here: they live in the replicated state and are changed through the API.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub mod limits;
pub mod listeners;
pub mod log;
pub mod raft;
pub mod storage;

use limits::Limits;
use listeners::{Peer, Public};
use log::Log;
use raft::Raft;
use storage::Storage;

/// The whole file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The data folder: identity, keys, log, tables and, unless `storage.folder` says else,
    /// content.
    pub data: PathBuf,
    /// Lets two replicas of one cluster run on one machine: for trying out, never for safety.
    pub allow_same_machine: bool,
    /// What clients reach.
    pub public: Public,
    /// What the other replicas reach.
    pub peer: Peer,
    /// What is logged, and how.
    pub log: Log,
    /// Bounds of what this replica takes on at once.
    pub limits: Limits,
    /// Timing and size of the replicated log.
    pub raft: Raft,
    /// Where content lives.
    pub storage: Storage,
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {path}: {cause}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: std::io::Error,
    },
    /// The text is no configuration; the cause names line, column and key.
    #[error("{path} is not a valid configuration:\n{cause}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where and why.
        cause: String,
    },
    /// A value is out of bounds.
    #[error("{path}: {cause}")]
    OutOfBounds {
        /// The file.
        path: PathBuf,
        /// The key, its value and its bounds.
        cause: String,
    },
}

impl Config {
    /// Reads the file at `path`; relative paths in it are taken from its own folder.
    ///
    /// It is not checked yet, since flags may still change it: see [`Config::check`].
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|cause| ConfigError::Unreadable { path: path.into(), cause })?;
        let mut config = Self::parse(&text)
            .map_err(|cause| ConfigError::Malformed { path: path.into(), cause })?;
        let folder = std::path::absolute(path)
            .ok()
            .and_then(|path| path.parent().map(Path::to_path_buf))
            .unwrap_or_default();
        config.root_at(&folder);
        Ok(config)
    }

    /// Reads the text of a configuration file.
    ///
    /// # Errors
    ///
    /// The text names the line and the key that is unknown or has the wrong type.
    pub fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())
    }

    /// Writes the configuration as the text of a file.
    pub fn to_toml(&self) -> Result<String, String> {
        toml::to_string(self).map_err(|error| error.to_string())
    }

    fn root_at(&mut self, folder: &Path) {
        for path in [Some(&mut self.data), self.storage.folder.as_mut()].into_iter().flatten() {
            if path.is_relative() && !path.as_os_str().is_empty() {
                *path = folder.join(&*path);
            }
        }
        let public = &mut self.public;
        let named = [&mut public.certificate, &mut public.key, &mut public.client_ca];
        for pem in named.into_iter().flatten().chain(&mut public.client_crls) {
            pem.root_at(folder);
        }
    }

    /// The folder that holds blobs and unfinished uploads.
    pub fn content_folder(&self) -> PathBuf {
        self.storage.folder.clone().unwrap_or_else(|| self.data.join("content"))
    }

    /// Checks every bound.
    ///
    /// # Errors
    ///
    /// A sentence that names the key, its value and what it may be.
    pub fn check(&self) -> Result<(), String> {
        if self.data.as_os_str().is_empty() {
            return Err("`data` is missing: name the folder that this replica may fill, \
                        such as data = \"/var/lib/holdfast\""
                .into());
        }
        self.public.check()?;
        self.peer.check()?;
        self.log.check()?;
        self.limits.check()?;
        self.raft.check()?;
        self.storage.check()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_is_refused_by_its_name() {
        let cases = [
            ("data = \"/d\"\nlissten = \"x\"\n", "lissten"),
            ("data = \"/d\"\n[public]\nlissten = \"x\"\n", "lissten"),
            ("data = \"/d\"\n[pubic]\nlisten = \"x\"\n", "pubic"),
            ("data = \"/d\"\n[log]\nlevle = \"info\"\n", "levle"),
            ("data = \"/d\"\n[raft]\nheartbeat = 1\n", "heartbeat"),
            ("data = \"/d\"\n[limits]\nnone = 1\n", "none"),
            ("data = \"/d\"\n[storage]\npath = \"/x\"\n", "path"),
            ("data = \"/d\"\n[peer]\nport = 1\n", "port"),
        ];
        for (text, key) in cases {
            let error = Config::parse(text).unwrap_err();
            assert!(error.contains(&format!("unknown field `{key}`")), "{key}: {error}");
        }
    }

    #[test]
    fn a_value_of_the_wrong_type_is_refused_with_its_line() {
        let error = Config::parse("data = \"/d\"\n[log]\nlevel = 3\n").unwrap_err();
        assert!(error.contains("line 3") && error.contains("level"), "{error}");
    }

    #[test]
    fn the_defaults_lack_only_the_data_folder() {
        let config = Config::default();
        assert!(config.check().unwrap_err().contains("`data`"));
        let config = Config { data: "/var/lib/holdfast".into(), ..Config::default() };
        assert_eq!(config.check(), Ok(()));
        assert_eq!(config.content_folder(), Path::new("/var/lib/holdfast/content"));
    }

    #[test]
    fn what_is_written_reads_back() {
        let config = Config { data: "/d".into(), allow_same_machine: true, ..Config::default() };
        assert_eq!(Config::parse(&config.to_toml().unwrap()), Ok(config));
    }

    #[test]
    fn bounds_name_the_key() {
        let cases = [
            ("[public]\nlisten = \"7001\"\n", "public.listen"),
            ("[public]\nexternal_url = \"registry.example.com\"\n", "public.external_url"),
            (
                "[public]\nexternal_url = \"https://registry.example.com/v2\"\n",
                "public.external_url",
            ),
            ("[public]\ncertificate = \"/c\"\n", "public.key"),
            ("[peer]\nadvertise = \"node1\"\n", "peer.advertise"),
            ("[peer]\nadvertise = \"0.0.0.0:4443\"\n", "peer.advertise"),
            ("[log]\nlevel = \"loud\"\n", "log.level"),
            ("[limits]\nconnections_max = 0\n", "limits.connections_max"),
            ("[limits]\nrequests_burst = 0\n", "limits.requests_burst"),
            ("[limits]\nunread_mib_max = 1\n", "limits.unread_mib_max"),
            ("[limits]\nconnection_idle_max_s = 0\n", "limits.connection_idle_max_s"),
            ("[raft]\nheartbeat_ms = 5\n", "raft.heartbeat_ms"),
            ("[raft]\nelection_ms_max = 100\n", "raft.election_ms"),
            ("[storage]\nupload_idle_max_s = 1\n", "storage.upload_idle_max_s"),
            ("[storage]\ncollection_grace_min_s = 40000000\n", "storage.collection_grace_min_s"),
        ];
        for (text, key) in cases {
            let config = Config::parse(&format!("data = \"/d\"\n{text}")).unwrap();
            let error = config.check().unwrap_err();
            assert!(error.contains(key), "{text}: {error}");
        }
    }

    #[test]
    fn relative_paths_start_at_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("holdfast.toml");
        std::fs::write(&path, "data = \"data\"\n[public]\ncertificate = \"/a/c\"\nkey = \"k\"\n")
            .unwrap();
        let config = Config::load(&path).unwrap();
        assert_eq!(config.data, folder.path().join("data"));
        assert_eq!(config.public.certificate, Some("/a/c".into()));
        assert_eq!(config.public.key.unwrap().path(), Some(&*folder.path().join("k")));
    }

    #[test]
    fn the_sample_that_is_shipped_is_valid() {
        let text = include_str!("../../node/dist/holdfast.toml");
        assert_eq!(Config::parse(text).unwrap().check(), Ok(()));
    }
}

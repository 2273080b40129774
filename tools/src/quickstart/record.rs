//! `quickstart.json`: which replicas run where.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::exit::Stop;

/// What is recorded of a quick start. All paths are absolute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The administrator's name.
    pub admin: String,
    /// Holds the administrator's password, 0600.
    pub password_file: PathBuf,
    /// The authority that signed the replicas' certificates, PEM.
    pub ca: PathBuf,
    /// In order of their ports.
    pub replicas: Vec<ReplicaRecord>,
}

/// One replica of the quick start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaRecord {
    /// Its id in the cluster; empty until it has one.
    pub id: String,
    /// Where clients reach it.
    pub url: String,
    /// Where they reach it without encryption; `null` without `--plain-http`.
    pub http: Option<String>,
    /// `HOST:PORT` for the other replicas.
    pub peer: String,
    /// Its process; 0 while none runs.
    pub pid: u32,
    /// Its data folder.
    pub data: PathBuf,
    /// Its configuration file.
    pub config: PathBuf,
}

/// What a quick start is asked to look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// How many replicas.
    pub replicas: u16,
    /// The public port of replica i is this plus i, its peer port this plus 100 plus i.
    pub base_port: u16,
    /// Whether it also serves plain HTTP, at `base_port` plus 200 plus i.
    pub plain_http: bool,
}

impl Plan {
    /// The record of a quick start in `folder` that looks so; nothing runs yet.
    pub fn record(&self, folder: &Path) -> Record {
        let replica = |i: u16| {
            let home = folder.join(format!("replica-{i}"));
            ReplicaRecord {
                id: String::new(),
                url: format!("https://127.0.0.1:{}", self.base_port + i),
                http: self
                    .plain_http
                    .then(|| format!("http://127.0.0.1:{}", self.base_port + 200 + i)),
                peer: format!("127.0.0.1:{}", self.base_port + 100 + i),
                pid: 0,
                data: home.join("data"),
                config: home.join("holdfast.toml"),
            }
        };
        Record {
            admin: "admin".into(),
            password_file: folder.join("admin-password"),
            ca: folder.join("ca.pem"),
            replicas: (1..=self.replicas).map(replica).collect(),
        }
    }

    /// What `record` looks like; `None` where it is none that this program wrote.
    pub fn of(record: &Record) -> Option<Self> {
        let first = record.replicas.first()?;
        let port: u16 = first.url.rsplit_once(':')?.1.parse().ok()?;
        Some(Self {
            replicas: u16::try_from(record.replicas.len()).ok()?,
            base_port: port.checked_sub(1)?,
            plain_http: first.http.is_some(),
        })
    }
}

impl ReplicaRecord {
    /// The folder that holds its configuration, data and log.
    pub fn home(&self) -> &Path {
        self.config.parent().unwrap_or(&self.config)
    }

    /// Where it logs to.
    pub fn log(&self) -> PathBuf {
        self.home().join("holdfast.log")
    }

    /// The addresses it listens on.
    pub fn listens_on(&self) -> Vec<&str> {
        let bare = |url: &'_ str| url.split_once("//").map(|(_, rest)| rest.len());
        let mut addresses = Vec::new();
        for url in [Some(&self.url), self.http.as_ref()].into_iter().flatten() {
            let length = bare(url).unwrap_or(url.len());
            addresses.push(&url[url.len() - length..]);
        }
        addresses.push(&self.peer);
        addresses
    }
}

impl Record {
    /// Reads the record at `path`; `None` where there is none.
    pub fn load(path: &Path) -> Result<Option<Self>, Stop> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Stop::file("read", path, &error)),
        };
        serde_json::from_str(&text).map(Some).map_err(|error| {
            Stop::failed(format!(
                "{} is not a quick start's record ({error}); start over with --fresh",
                path.display()
            ))
        })
    }

    /// Writes the record to `path` at once: readers see the old one or the whole new one.
    pub fn save(&self, path: &Path) -> Result<(), Stop> {
        let mut text = serde_json::to_string_pretty(self)
            .map_err(|error| Stop::failed(format!("the record cannot be written: {error}")))?;
        text.push('\n');
        let beside = path.with_extension("json.new");
        std::fs::write(&beside, text).map_err(|error| Stop::file("write", &beside, &error))?;
        std::fs::rename(&beside, path).map_err(|error| Stop::file("write", path, &error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: Plan = Plan { replicas: 3, base_port: 7000, plain_http: true };

    #[test]
    fn ports_follow_the_base_port() {
        let record = PLAN.record(Path::new("/q"));
        let second = &record.replicas[1];
        assert_eq!(second.url, "https://127.0.0.1:7002");
        assert_eq!(second.http.as_deref(), Some("http://127.0.0.1:7202"));
        assert_eq!(second.peer, "127.0.0.1:7102");
        assert_eq!(second.listens_on(), ["127.0.0.1:7002", "127.0.0.1:7202", "127.0.0.1:7102"]);
        assert_eq!(second.data, Path::new("/q/replica-2/data"));
        assert_eq!(second.config, Path::new("/q/replica-2/holdfast.toml"));
        assert_eq!(Plan::of(&record), Some(PLAN));
    }

    #[test]
    fn a_record_is_read_back_and_a_damaged_one_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("quickstart.json");
        assert_eq!(Record::load(&path), Ok(None));
        let record = PLAN.record(folder.path());
        record.save(&path).unwrap();
        assert_eq!(Record::load(&path), Ok(Some(record)));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        std::fs::write(&path, "{").unwrap();
        assert!(Record::load(&path).unwrap_err().text.contains("quickstart.json"));
    }
}

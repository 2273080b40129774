//! Holdfast itself: replicas as `holdfast quickstart` forms them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use super::running::Running;
use crate::{executable, ports};

/// A running quick start.
pub struct QuickStart {
    /// Plain HTTP, a URL for each replica.
    pub urls: Vec<String>,
    /// HTTPS, a URL for each replica.
    pub tls_urls: Vec<String>,
    /// The authority of its certificates.
    pub ca: PathBuf,
    /// Holds the password of `admin`.
    pub password_file: PathBuf,
    /// The replicas' processes.
    pub pids: Vec<u32>,
    /// Its process, which ends when this goes.
    pub running: Running,
}

impl QuickStart {
    /// Forms a cluster of so many replicas with all its data in `folder`.
    pub fn start(folder: &Path, replicas: u16) -> Result<Self> {
        let offsets: Vec<u16> = (1..=replicas).flat_map(|it| [it, 100 + it, 200 + it]).collect();
        let base = ports::free_base(&offsets)?;
        let place = folder.join("quickstart");
        fs::create_dir_all(folder)?;
        let mut command = Command::new(executable::find()?);
        command.arg("quickstart").arg("--plain-http").arg("--dir").arg(&place);
        command.arg("--replicas").arg(replicas.to_string());
        command.arg("--base-port").arg(base.to_string());
        let mut running = Running::start("holdfast quickstart", command, &folder.join("log"))?;
        let record = place.join("quickstart.json");
        running.wait(|| record.exists())?;
        let record: Value = serde_json::from_slice(&fs::read(&record)?)?;
        let each = |key: &str| {
            let replicas = record["replicas"].as_array().into_iter().flatten();
            replicas.map(|it| it[key].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
        };
        let pids = record["replicas"].as_array().into_iter().flatten();
        let pids = pids.map(|it| it["pid"].as_u64().and_then(|it| u32::try_from(it).ok()));
        Ok(Self {
            urls: each("http"),
            tls_urls: each("url"),
            ca: record["ca"].as_str().context("no ca")?.into(),
            password_file: record["password_file"].as_str().context("no password")?.into(),
            pids: pids.collect::<Option<_>>().context("a replica has no process")?,
            running,
        })
    }
}

//! docker-registry, as Debian packages it: the filesystem driver and its cache in memory.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Result;

use super::running::{Running, listens};
use crate::executable::text;
use crate::{ports, programs};

/// A registry and its URL.
pub struct DockerRegistry {
    /// `http://127.0.0.1:PORT`.
    pub url: String,
    /// Its process, which ends when this goes.
    pub running: Running,
}

impl DockerRegistry {
    /// Starts it with its data in `folder`; `None` where it is not installed.
    pub fn start(folder: &Path) -> Result<Option<Self>> {
        Self::start_with(folder, "")
    }

    /// The same, with these lines at the end of its configuration.
    pub fn start_with(folder: &Path, extra: &str) -> Result<Option<Self>> {
        let Some(program) = programs::find("docker-registry") else { return Ok(None) };
        fs::create_dir_all(folder.join("data"))?;
        let port = ports::free_base(&[0])?;
        let config = folder.join("config.yml");
        let data = folder.join("data");
        fs::write(&config, configuration(&data, port) + extra)?;
        let mut command = Command::new(program);
        command.arg("serve").arg(&config);
        let mut running = Running::start("docker-registry", command, &folder.join("log"))?;
        running.wait(|| listens(port))?;
        Ok(Some(Self { url: format!("http://127.0.0.1:{port}"), running }))
    }

    /// What it says its version is.
    pub fn version() -> Option<String> {
        let out =
            Command::new(programs::find("docker-registry")?).arg("--version").output().ok()?;
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        text.split_whitespace().last().map(|it| it.trim_start_matches('v').to_owned())
    }
}

fn configuration(data: &Path, port: u16) -> String {
    format!(
        "version: 0.1\n\
         log:\n  level: error\n  accesslog:\n    disabled: true\n\
         storage:\n  cache:\n    blobdescriptor: inmemory\n\
         \x20 filesystem:\n    rootdirectory: {}\n\
         \x20 delete:\n    enabled: true\n\
         http:\n  addr: 127.0.0.1:{port}\n",
        text(data)
    )
}

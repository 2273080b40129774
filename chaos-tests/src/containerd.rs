//! containerd in a private folder, and its client `ctr`.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::sleep;

use crate::executable::text;
use crate::programs::{self, ENGINE_S_MAX, Program, find, is_root, skip};

/// A containerd that knows nothing of the machine's own one.
#[derive(Debug)]
pub struct Containerd {
    /// The client that talks to it.
    pub ctr: Program,
    folder: TempDir,
    process: Child,
}

impl Containerd {
    /// Starts one, unless it is not installed or may not be run; then says so.
    pub async fn start() -> Result<Option<Self>> {
        let (Some(ctr), Some(daemon)) = (Program::new("ctr"), find("containerd")) else {
            return Ok(None);
        };
        if !is_root() {
            skip("containerd needs root");
            return Ok(None);
        }
        let folder = tempfile::Builder::new().prefix("holdfast-containerd-").tempdir()?;
        let (config, socket) = (folder.path().join("config.toml"), folder.path().join("socket"));
        fs::write(&config, configuration(folder.path(), &socket))?;
        let log = fs::File::create(folder.path().join("log"))?;
        let process = Command::new(daemon)
            .args(["--config", &text(&config)])
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true)
            .spawn()?;
        let ctr = ctr.with(&["--address", &text(&socket)]);
        let containerd = Self { ctr, folder, process };
        containerd.wait().await?;
        Ok(Some(containerd))
    }

    async fn wait(&self) -> Result<()> {
        let until = Instant::now() + Duration::from_secs(ENGINE_S_MAX);
        while self.ctr.ends(&["version"]).await?.status != Some(0) {
            let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            ensure!(Instant::now() < until, "containerd did not start:\n{log}");
            sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }

    /// Writes what `--hosts-dir` takes: each of these hosts by HTTPS, with this authority.
    pub fn hosts(&self, hosts: &[String], ca: &Path) -> Result<String> {
        let folder = self.folder.path().join("hosts");
        for host in hosts {
            let own = folder.join(host);
            fs::create_dir_all(&own)?;
            let lines = format!(
                "server = \"https://{host}\"\n\n[host.\"https://{host}\"]\n\
                 capabilities = [\"pull\", \"resolve\", \"push\"]\nca = {:?}\n",
                text(ca)
            );
            fs::write(own.join("hosts.toml"), lines)?;
        }
        Ok(text(&folder))
    }

    /// Ends it.
    pub async fn stop(mut self) -> Result<()> {
        programs::end(&mut self.process).await
    }
}

/// Everything below the folder. Content that one namespace has is not lent to another, since a pull
/// must ask the registry.
fn configuration(folder: &Path, socket: &Path) -> String {
    let at = |name: &str| text(&folder.join(name));
    format!(
        "version = 2\nroot = {:?}\nstate = {:?}\n\
         disabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n\n\
         [grpc]\naddress = {:?}\n\n\
         [plugins.\"io.containerd.internal.v1.opt\"]\npath = {:?}\n\n\
         [plugins.\"io.containerd.metadata.v1.bolt\"]\ncontent_sharing_policy = \"isolated\"\n",
        at("root"),
        at("state"),
        text(socket),
        at("opt"),
    )
}

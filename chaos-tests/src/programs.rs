//! Real clients: where their programs are, and a docker engine of our own in a private folder.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use crate::executable::{Ended, text};

/// The largest layer through the slowest client.
const CLIENT_S_MAX: u64 = 900;
/// No daemon of ours takes longer to come up or to end.
pub const ENGINE_S_MAX: u64 = 30;

/// Where a client's program is; `None`, with a notice, where it is not installed.
///
/// The engine's own client is called by its path: another one may stand first in `PATH`.
pub fn find(name: &str) -> Option<PathBuf> {
    let folders = ["/usr/bin", "/usr/sbin", "/usr/local/bin", "/bin"];
    let found = folders.iter().map(|folder| Path::new(folder).join(name)).find(|it| it.is_file());
    if found.is_none() {
        skip(&format!("{name} is not installed"));
    }
    found
}

/// Where a client's program is that `tools/ci/install-clients.sh` put beside the system: in
/// `clients` of the target folder that this test lies in, or of `HOLDFAST_CLIENTS`.
///
/// `None`, with a notice, where it is not there.
pub fn find_unpacked(name: &str) -> Option<PathBuf> {
    let own = env::current_exe().unwrap_or_default();
    let named = env::var_os("HOLDFAST_CLIENTS").map(PathBuf::from);
    let beside = own.ancestors().skip(1).take(3).map(|folder| folder.join("clients"));
    let found = named.into_iter().chain(beside).map(|folder| folder.join("bin").join(name));
    let found = found.into_iter().find(|it| it.is_file());
    if found.is_none() {
        skip(&format!("{name} was not unpacked by tools/ci/install-clients.sh"));
    }
    found
}

/// Says that a test did nothing, and why.
pub fn skip(reason: &str) {
    eprintln!("notice: skipped: {reason}");
}

/// Whether this process may mount and run an engine.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A program with its first arguments and environment, to be called again and again.
#[derive(Clone, Debug)]
pub struct Program {
    path: PathBuf,
    first: Vec<String>,
    environment: Vec<(String, String)>,
    folder: Option<PathBuf>,
}

impl Program {
    /// The program of this name, if it is installed.
    pub fn new(name: &str) -> Option<Self> {
        Some(Self::at(find(name)?))
    }

    /// The program of this name that was unpacked beside the system, if it is there.
    pub fn unpacked(name: &str) -> Option<Self> {
        Some(Self::at(find_unpacked(name)?))
    }

    fn at(path: PathBuf) -> Self {
        Self { path, first: vec![], environment: vec![], folder: None }
    }

    /// Runs it in this folder.
    #[must_use]
    pub fn inside(mut self, folder: &Path) -> Self {
        self.folder = Some(folder.to_path_buf());
        self
    }

    /// Puts these arguments before all others.
    #[must_use]
    pub fn with(mut self, arguments: &[&str]) -> Self {
        self.first.extend(arguments.iter().map(|it| (*it).to_owned()));
        self
    }

    /// Sets a variable of its environment.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &Path) -> Self {
        self.environment.push((name.to_owned(), text(value)));
        self
    }

    /// Runs it to its end, whatever that is.
    pub async fn ends(&self, arguments: &[&str]) -> Result<Ended> {
        let mut command = Command::new(&self.path);
        command.args(&self.first).args(arguments).envs(self.environment.iter().cloned());
        command.stdin(Stdio::null()).kill_on_drop(true);
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        let shown = format!("{} {}", self.path.display(), arguments.join(" "));
        let output = timeout(Duration::from_secs(CLIENT_S_MAX), command.output()).await;
        let output = output.with_context(|| format!("{shown} did not end"))??;
        Ok(Ended {
            status: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).trim().to_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// Runs it, and it must go well; gives what it printed.
    pub async fn run(&self, arguments: &[&str]) -> Result<String> {
        let ended = self.ends(arguments).await?;
        let shown = format!("{} {}", self.path.display(), arguments.join(" "));
        ended.expect_done().context(shown)
    }
}

/// Asks a daemon of our own to end, and waits until it has.
pub async fn end(daemon: &mut Child) -> Result<()> {
    let pid = daemon.id().and_then(|it| i32::try_from(it).ok());
    let pid = pid.and_then(rustix::process::Pid::from_raw).context("the daemon has ended")?;
    rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
    timeout(Duration::from_secs(ENGINE_S_MAX), daemon.wait()).await??;
    Ok(())
}

/// A docker engine that leaves the machine's network and folders alone.
#[derive(Debug)]
pub struct Engine {
    /// The client that talks to it.
    pub docker: Program,
    folder: TempDir,
    process: Child,
}

impl Engine {
    /// Starts one, unless it is not installed or may not be run; then says so.
    ///
    /// Registries on 127.0.0.0/8 are taken without verification of their certificate.
    pub async fn start() -> Result<Option<Self>> {
        let (Some(docker), Some(daemon)) = (Program::new("docker"), find("dockerd")) else {
            return Ok(None);
        };
        if !is_root() {
            skip("a docker engine needs root");
            return Ok(None);
        }
        let folder = tempfile::Builder::new().prefix("holdfast-docker-").tempdir()?;
        let at = |name: &str| text(&folder.path().join(name));
        let socket = format!("unix://{}", at("socket"));
        let log = fs::File::create(folder.path().join("log"))?;
        let process = Command::new(daemon)
            .args(["--data-root", &at("root"), "--exec-root", &at("exec"), "-H", &socket])
            .args(["--pidfile", &at("pid"), "--storage-driver", "overlay2"])
            .args(["--iptables=false", "--ip6tables=false", "--bridge=none"])
            .args(["--ip-forward=false", "--ip-masq=false"])
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true)
            .spawn()?;
        let home = folder.path().join("home");
        let docker = docker.with(&["-H", &socket]).variable("DOCKER_CONFIG", &home);
        let engine = Self { docker, folder, process };
        engine.wait().await?;
        Ok(Some(engine))
    }

    async fn wait(&self) -> Result<()> {
        let until = Instant::now() + Duration::from_secs(ENGINE_S_MAX);
        while self.docker.ends(&["version"]).await?.status != Some(0) {
            let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            ensure!(Instant::now() < until, "the docker engine did not start:\n{log}");
            sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }

    /// Ends it; the mount that it leaves behind goes with the folder.
    pub async fn stop(mut self) -> Result<()> {
        end(&mut self.process).await
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let mount = self.folder.path().join("exec/netns/default");
        if mount.exists() {
            // Left behind it would keep the folder from being deleted; nothing else depends on it.
            let _ended = std::process::Command::new("umount").arg(mount).status();
        }
    }
}

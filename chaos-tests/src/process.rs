//! One replica as a process of its own: its folder, its ports, its log, and the handle to kill it
//! by.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

use crate::executable;

/// What a replica needs beyond its place and ports.
#[derive(Clone, Debug, Default)]
pub struct Tuning {
    /// A snapshot is written after this many bytes of log; the default of the binary where `None`.
    pub snapshot_log_bytes_min: Option<u64>,
    /// Where its data lies, if not under the cluster's own folder: a small file system, say.
    pub data: Option<PathBuf>,
    /// Lines put into the section `[peer]` of its configuration.
    pub peer: String,
    /// Lines put at the end of its configuration.
    pub extra: String,
}

/// A replica, running or not.
#[derive(Debug)]
pub struct Process {
    /// Its place in the cluster, from 0.
    pub place: usize,
    /// Twelve hexadecimal digits, once it was installed or has joined.
    pub id: String,
    /// `https://127.0.0.1:PORT`.
    pub url: String,
    /// `http://127.0.0.1:PORT`.
    pub http: String,
    /// `127.0.0.1:PORT` of the peer listener.
    pub peer: String,
    /// Its data folder.
    pub data: PathBuf,
    /// Its TOML file.
    pub config: PathBuf,
    /// What it logged over all its lives.
    pub log: PathBuf,
    child: Option<Child>,
}

impl Process {
    /// Writes the configuration of the replica at `place`; nothing is started.
    pub fn prepare(folder: &Path, place: usize, base: u16, tuning: &Tuning) -> Result<Self> {
        let own = folder.join(format!("replica-{}", place + 1));
        fs::create_dir_all(&own)?;
        let number = u16::try_from(place + 1)?;
        let [public, peer, http] =
            [0, 100, 200].map(|it| format!("127.0.0.1:{}", base + it + number));
        let data = tuning.data.clone().unwrap_or_else(|| own.join("data"));
        let process = Self {
            place,
            id: String::new(),
            url: format!("https://{public}"),
            http: format!("http://{http}"),
            peer,
            data,
            config: own.join("holdfast.toml"),
            log: own.join("log"),
            child: None,
        };
        fs::write(&process.config, process.configuration(&public, &http, tuning))?;
        Ok(process)
    }

    fn configuration(&self, public: &str, http: &str, tuning: &Tuning) -> String {
        let mut text = format!(
            "data = {data:?}\nallow_same_machine = true\n\n\
             [public]\nlisten = {public:?}\nhttp = \"serve\"\nhttp_listen = {http:?}\n\n\
             [peer]\nlisten = {peer:?}\nadvertise = {peer:?}\n{more}\n\
             [log]\nlevel = \"debug\"\n\n",
            data = executable::text(&self.data),
            peer = self.peer,
            more = tuning.peer,
        );
        if let Some(bytes) = tuning.snapshot_log_bytes_min {
            let section = format!("[raft]\nsnapshot_log_bytes_min = {bytes}\n\n");
            text.push_str(&section);
        }
        if !tuning.extra.contains("[storage]") {
            text += "[storage]\nallow_volatile = true\nfree_min_bytes = 0\n\n";
        }
        text + &tuning.extra
    }

    /// Starts `holdfast serve` on it; what it prints is added to its log.
    pub fn start(&mut self) -> Result<()> {
        if self.is_running() {
            bail!("replica {} is running already", self.place);
        }
        let log = OpenOptions::new().create(true).append(true).open(&self.log)?;
        let child = Command::new(executable::find()?)
            .arg("serve")
            .arg("--config")
            .arg(&self.config)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .context("`holdfast serve` could not be started")?;
        self.child = Some(child);
        Ok(())
    }

    /// Whether the process has not ended.
    pub fn is_running(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// Its process id while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().and_then(Child::id)
    }

    /// Ends it by SIGKILL and waits until it is gone.
    pub async fn kill(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill().await.context("the replica could not be killed")?;
        }
        Ok(())
    }

    /// Asks it to end (SIGTERM) and gives its exit status.
    pub async fn stop(&mut self) -> Result<Option<i32>> {
        self.signal(Signal::TERM)?;
        let mut child = self.child.take().context("the replica does not run")?;
        Ok(child.wait().await?.code())
    }

    /// Sends a signal to it by its process id.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let pid = self.pid().and_then(|it| i32::try_from(it).ok()).and_then(Pid::from_raw);
        kill_process(pid.context("the replica does not run")?, signal)?;
        Ok(())
    }

    /// What it logged so far.
    pub fn log_text(&self) -> String {
        fs::read(&self.log).map(|it| String::from_utf8_lossy(&it).into_owned()).unwrap_or_default()
    }

    /// The last lines of its log, for a failure's message.
    pub fn log_tail(&self) -> String {
        let text = self.log_text();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(25)..].join("\n")
    }

    /// Bytes of memory by a key of `/proc/PID/status`, such as `RssAnon` or `VmHWM`.
    pub fn memory_bytes(&self, key: &str) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid()?)).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
        let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
        Some(kib * 1_024)
    }
}

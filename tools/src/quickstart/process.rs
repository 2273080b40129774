//! The processes of a quick start: its own executable, once for each replica and each step.

use std::fs::File;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

use super::record::ReplicaRecord;
use crate::exit::{Exit, Stop};

/// A replica that has not ended by then is killed.
const STOP_MAX: Duration = Duration::from_secs(20);

/// Variables that would change what a child does: it gets all it needs by flags and file.
const KEPT: [&str; 2] = ["HOLDFAST_LOG_LEVEL", "HOLDFAST_LOG_FORMAT"];
const FOREIGN: [&str; 12] = [
    "REPLICA_HTTP_PORT",
    "REPLICA_HTTPS_PORT",
    "DTR_EXTERNAL_URL",
    "DTR_CERT",
    "DTR_KEY",
    "DTR_CA",
    "DTR_STORAGE_VOLUME",
    "DTR_OVERLAY_SUBNET",
    "DTR_INSTALL_REPLICA_ID",
    "UCP_URL",
    "UCP_USERNAME",
    "LOG_PROTOCOL",
];

/// A replica's process, ours or one that somebody started by hand.
#[derive(Debug)]
pub enum Process {
    /// None runs; how the last one ended.
    Gone(String),
    /// Started here.
    Ours(Child),
    /// Found running.
    Found(u32),
}

impl Default for Process {
    fn default() -> Self {
        Self::Gone("it does not run".into())
    }
}

impl Process {
    /// Starts `holdfast serve` for `replica`.
    pub fn serve(replica: &ReplicaRecord) -> Result<Self, Stop> {
        let path = replica.log();
        let log = File::options()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(|error| Stop::file("write", &path, &error))?;
        let log_too = log.try_clone().map_err(|error| Stop::file("write", &path, &error))?;
        let child = own_executable()?
            .arg("serve")
            .arg("--config")
            .arg(&replica.config)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(log_too)
            // Ctrl-C on the terminal is for the quick start; it tells the replicas itself.
            .process_group(0)
            .spawn()
            .map_err(|error| Stop::failed(format!("a replica cannot be started: {error}")))?;
        Ok(Self::Ours(child))
    }

    /// The process of `replica` if one runs that was not started here.
    pub fn find(replica: &ReplicaRecord) -> Option<Self> {
        let text = std::fs::read_to_string(replica.data.join("LOCK")).ok()?;
        let pid = text.trim().parse().ok()?;
        serves(pid, &replica.config).then_some(Self::Found(pid))
    }

    /// Its number, while it runs.
    pub fn pid(&self) -> Option<u32> {
        match self {
            Self::Gone(_) => None,
            Self::Ours(child) => child.id(),
            Self::Found(pid) => Some(*pid),
        }
    }

    /// Whether it still runs; where not, says how it ended.
    pub fn ended(&mut self, replica: &ReplicaRecord) -> Option<String> {
        let how = match self {
            Self::Gone(how) => return Some(how.clone()),
            Self::Ours(child) => match child.try_wait() {
                Ok(None) => return None,
                Ok(Some(status)) => format!("ended: {status}"),
                Err(error) => format!("it cannot be watched: {error}"),
            },
            Self::Found(pid) if serves(*pid, &replica.config) => return None,
            Self::Found(_) => "ended".into(),
        };
        *self = Self::Gone(how.clone());
        Some(how)
    }

    /// Tells it to end in order.
    pub fn tell_to_stop(&self) {
        self.signal(Signal::TERM);
    }

    /// Waits for its end, and kills it when that takes too long.
    pub async fn wait_for_end(&mut self, replica: &ReplicaRecord) {
        let ended = async {
            while self.ended(replica).is_none() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        if tokio::time::timeout(STOP_MAX, ended).await.is_err() {
            self.signal(Signal::KILL);
            if let Self::Ours(child) = self {
                let _ = child.wait().await;
            }
        }
        *self = Self::default();
    }

    fn signal(&self, signal: Signal) {
        let pid = self.pid().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
        if let Some(pid) = pid {
            // It may just have ended by itself.
            let _ = kill_process(pid, signal);
        }
    }
}

/// Whether the process `pid` is `holdfast serve` over `config`: numbers are used again.
fn serves(pid: u32, config: &Path) -> bool {
    let Ok(line) = std::fs::read(format!("/proc/{pid}/cmdline")) else { return false };
    let arguments: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
    let config = config.as_os_str().as_encoded_bytes();
    arguments.contains(&b"serve".as_slice())
        && arguments.iter().any(|argument| argument.ends_with(config))
}

/// Runs a verb of the own executable to its end; returns what it printed.
///
/// # Errors
///
/// What it said on standard error, with its exit status.
pub async fn run_verb(arguments: &[&str], variables: &[(&str, &str)]) -> Result<String, Stop> {
    let output = own_executable()?
        .args(arguments)
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .process_group(0)
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|error| {
            Stop::failed(format!("`holdfast {}` cannot be started: {error}", arguments[0]))
        })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.trim().trim_start_matches("error: ");
    let exit = match output.status.code() {
        Some(2) => Exit::Usage,
        Some(3) => Exit::Refused,
        Some(4) => Exit::Unreachable,
        _ => Exit::Failed,
    };
    Err(Stop::new(exit, format!("`holdfast {}`: {said}", arguments[0])))
}

fn own_executable() -> Result<Command, Stop> {
    let path = std::env::current_exe()
        .map_err(|error| Stop::failed(format!("the own executable is not to be found: {error}")))?;
    let mut command = Command::new(path);
    for (name, _) in std::env::vars_os() {
        let ours = name.to_string_lossy().starts_with("HOLDFAST_")
            && !KEPT.iter().any(|kept| name == *kept);
        if ours || FOREIGN.iter().any(|foreign| name == *foreign) {
            command.env_remove(name);
        }
    }
    Ok(command)
}

/// The last lines of a replica's log, indented.
pub fn last_lines(log: &Path, count: usize) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let tail = &text[text.len().saturating_sub(8_192)..];
    let tail = String::from_utf8_lossy(tail);
    let lines: Vec<&str> = tail.lines().collect();
    let last = &lines[lines.len().saturating_sub(count)..];
    last.iter().map(|line| format!("  {line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_process_is_not_taken_for_a_replica() {
        assert!(!serves(std::process::id(), Path::new("/q/replica-1/holdfast.toml")));
        assert!(!serves(u32::MAX, Path::new("/q/replica-1/holdfast.toml")));
    }

    #[test]
    fn the_end_of_a_log_is_shown() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        std::fs::write(&log, "one\ntwo\nthree\n").unwrap();
        assert_eq!(last_lines(&log, 2), "  two\n  three\n");
        assert_eq!(last_lines(&folder.path().join("none"), 2), "");
    }
}

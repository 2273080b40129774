//! A server that was started for a comparison, and is ended with it.

use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

/// A server that does not listen by then will not.
const READY_MAX: Duration = Duration::from_mins(1);
/// A server that was asked to end and has not by then is killed.
const END_MAX: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(50);

/// A process that is ours to end.
pub struct Running {
    name: String,
    child: Child,
}

impl Running {
    /// Starts a server; what it prints goes into a file.
    pub fn start(name: &str, mut command: Command, log: &Path) -> Result<Self> {
        let log = std::fs::File::create(log)?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = command.spawn().with_context(|| format!("{name} could not be started"))?;
        Ok(Self { name: name.to_owned(), child })
    }

    /// Waits until `is_ready` says so.
    pub fn wait(&mut self, is_ready: impl Fn() -> bool) -> Result<()> {
        let until = Instant::now() + READY_MAX;
        while !is_ready() {
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended before it was ready: {status}", self.name);
            }
            if Instant::now() > until {
                bail!("{} was not ready after {READY_MAX:?}", self.name);
            }
            sleep(POLL);
        }
        Ok(())
    }

    fn end(&mut self) -> Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        // SIGTERM, since both nginx and a quick start have processes of their own to end.
        kill_process(pid.context("a process has no id")?, Signal::TERM)?;
        let until = Instant::now() + END_MAX;
        while Instant::now() < until {
            if self.child.try_wait()?.is_some() {
                return Ok(());
            }
            sleep(POLL);
        }
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        if let Err(error) = self.end() {
            eprintln!("{} may still run: {error:#}", self.name);
        }
    }
}

/// Whether somebody listens at `127.0.0.1:PORT`.
pub fn listens(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

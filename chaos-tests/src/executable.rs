//! The binary under test: where it is, and one command of it run to its end.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use std::{env, fmt};

use anyhow::{Context, Result, bail};
use tokio::process::Command;
use tokio::time::timeout;

/// No command that is not meant to stay takes longer.
const COMMAND_S_MAX: u64 = 90;

/// What a command said and how it ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// Exit status; `None` where a signal ended it.
    pub status: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Ended {
    /// The output of a command that must have gone well.
    pub fn expect_done(self) -> Result<String> {
        if self.status != Some(0) {
            bail!("{self}");
        }
        Ok(self.out)
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "ended with {:?}\n{}\n{}", self.status, self.out.trim(), self.err.trim())
    }
}

/// Finds `holdfast`: named by `HOLDFAST_BINARY`, or in the target folder that this test lies in.
pub fn find() -> Result<PathBuf> {
    if let Some(named) = env::var_os("HOLDFAST_BINARY") {
        return Ok(named.into());
    }
    let own = env::current_exe().context("this test does not know its own path")?;
    let folders = own.ancestors().skip(1).take(3);
    let found = folders.map(|folder| folder.join("holdfast")).find(|path| path.is_file());
    found.with_context(|| {
        format!(
            "no `holdfast` beside {}: build it with `cargo build -p node --bin holdfast`, \
             or name it in HOLDFAST_BINARY",
            own.display()
        )
    })
}

/// Runs `holdfast` with these arguments until it ends.
///
/// # Errors
///
/// It could not be started, or was still running after a minute and a half.
pub async fn run<A: AsRef<std::ffi::OsStr>>(arguments: &[A]) -> Result<Ended> {
    let mut command = Command::new(find()?);
    command.args(arguments);
    finish(command).await
}

/// Runs any program until it ends.
pub async fn finish(mut command: Command) -> Result<Ended> {
    command.stdin(Stdio::null()).kill_on_drop(true);
    let shown = format!("{:?}", command.as_std());
    let running = timeout(Duration::from_secs(COMMAND_S_MAX), command.output());
    let output = running.await.with_context(|| format!("{shown} did not end"))?;
    let output = output.with_context(|| format!("{shown} could not be started"))?;
    Ok(Ended {
        status: output.status.code(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// A path as an argument.
pub fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

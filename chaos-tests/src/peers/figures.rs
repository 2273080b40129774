//! One run of `holdfast bench`, and the figures it gives.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::executable;

/// How a contender is reached.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// Its URLs.
    pub urls: Vec<String>,
    /// Holds the password of `admin`, where it has such an account.
    pub password_file: Option<PathBuf>,
    /// The authority of its certificate, where it has one.
    pub ca: Option<PathBuf>,
    /// The repository that holds images under the names of their sizes, where nothing can be
    /// pushed.
    pub images: Option<&'static str>,
}

/// What is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Run {
    /// The workload's name.
    pub workload: &'static str,
    /// Clients.
    pub concurrency: u16,
    /// Samples.
    pub samples: u32,
}

/// What a run gave.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Figures {
    /// Samples that failed.
    pub errors: u64,
    /// Samples in a second.
    pub per_second: f64,
    /// MiB in a second.
    pub mib_per_second: f64,
    /// Bytes of bodies.
    pub bytes: u64,
    /// Latencies.
    pub ms: Latencies,
}

/// Latencies in milliseconds.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Latencies {
    /// Half of the samples took no longer.
    pub p50: f64,
    /// Of a hundred, one took longer.
    pub p99: f64,
}

#[derive(Deserialize)]
struct Report {
    workloads: Vec<Line>,
}

#[derive(Deserialize)]
struct Line {
    first_error: Option<String>,
    #[serde(flatten)]
    figures: Figures,
}

/// Runs a workload against a contender.
///
/// # Errors
///
/// The command failed, or a sample did.
pub fn measure(access: &Access, run: Run) -> Result<Figures> {
    let mut command = Command::new(executable::find()?);
    command.args(["bench", "--json", "--workload", run.workload]);
    command.arg("--concurrency").arg(run.concurrency.to_string());
    command.arg("--samples").arg(run.samples.to_string());
    for url in &access.urls {
        command.arg("--url").arg(url);
    }
    if let Some(file) = &access.password_file {
        command.arg("--username").arg("admin").arg("--password-file").arg(file);
    }
    if let Some(ca) = &access.ca {
        command.arg("--ca").arg(ca);
    }
    if let Some(images) = access.images {
        let size = run.workload.rsplit('-').next().unwrap_or_default();
        command.arg("--image").arg(format!("{images}:{size}"));
    }
    let out = command.stdin(Stdio::null()).output().context("holdfast bench")?;
    let failed = || format!("{}: {}", run.workload, String::from_utf8_lossy(&out.stderr));
    let report: Report = serde_json::from_slice(&out.stdout).with_context(failed)?;
    let line = report.workloads.into_iter().next().context("no workload was run")?;
    let (errors, first) = (line.figures.errors, line.first_error.unwrap_or_default());
    ensure!(errors == 0, "{}: {errors} samples failed, the first: {first}", run.workload);
    Ok(line.figures)
}

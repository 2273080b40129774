//! What the machine itself does in a second: hashing, and writing to its disk.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use oci::digest::Algorithm;
use oci::verifier::digest_of;
use rand::RngCore;

const MIB: usize = 1 << 20;

/// MiB of SHA-256 that one core does in a second.
pub fn sha256_mib_per_second(mib: u32) -> f64 {
    let mut piece = vec![0; MIB];
    rand::rng().fill_bytes(&mut piece);
    let began = Instant::now();
    let mut seen = 0;
    for _ in 0..mib {
        // The digest is looked at, so that nobody may leave the work out.
        seen += digest_of(Algorithm::Sha256, &piece).as_str().len();
    }
    assert!(seen > 0, "a digest has digits");
    f64::from(mib) / began.elapsed().as_secs_f64()
}

/// MiB that one file takes in a second, its fsync included.
pub fn write_mib_per_second(folder: &Path, mib: u32) -> Result<f64> {
    let path = folder.join("written");
    let mut piece = vec![0; MIB];
    rand::rng().fill_bytes(&mut piece);
    let began = Instant::now();
    let mut file = File::create(&path)?;
    for _ in 0..mib {
        file.write_all(&piece)?;
    }
    file.sync_all()?;
    let took = began.elapsed().as_secs_f64();
    fs::remove_file(&path)?;
    Ok(f64::from(mib) / took)
}

/// Bytes that these processes have sent to storage since they began.
pub fn written_bytes(pids: &[u32]) -> Result<u64> {
    let mut sum = 0;
    for pid in pids {
        let text = fs::read_to_string(format!("/proc/{pid}/io"))?;
        let line = text.lines().find_map(|line| line.strip_prefix("write_bytes: "));
        sum += line.context("no write_bytes")?.parse::<u64>()?;
    }
    Ok(sum)
}

/// A machine that was idle for so many hundredths of a look has nothing left to do.
const IDLE_ENOUGH: u64 = 90;
const LOOK: Duration = Duration::from_millis(200);
/// Whoever is still at work after so long is measured all the same.
const SETTLED_AFTER: Duration = Duration::from_secs(20);

/// Waits for what the run before left behind: bytes on their way to the disk, third copies, tables
/// that are tidied. Otherwise it would be charged to whoever comes next.
pub fn settle() {
    rustix::fs::sync();
    let began = Instant::now();
    while began.elapsed() < SETTLED_AFTER {
        let before = ProcessorTime::now();
        sleep(LOOK);
        if ProcessorTime::now().idle_since(before) >= IDLE_ENOUGH {
            return;
        }
    }
}

/// Processor time so far, as the machine counts it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProcessorTime {
    /// All of it, in ticks over all cores.
    pub all: u64,
    /// What nobody wanted, waiting for the disk included.
    pub idle: u64,
    /// What a virtual machine wanted and its host gave to others.
    pub stolen: u64,
}

impl ProcessorTime {
    /// Until now; nothing where the machine does not tell.
    pub fn now() -> Self {
        Self::of(&fs::read_to_string("/proc/stat").unwrap_or_default())
    }

    /// Source: `proc_stat(5)`: user, nice, system, idle, iowait, irq, softirq, steal, …
    fn of(text: &str) -> Self {
        let line = text.lines().find_map(|line| line.strip_prefix("cpu ")).unwrap_or_default();
        let ticks: Vec<u64> = line.split_whitespace().take(8).flat_map(str::parse).collect();
        let at = |position| ticks.get(position).copied().unwrap_or(0);
        Self { all: ticks.iter().sum(), idle: at(3) + at(4), stolen: at(7) }
    }

    /// Hundredths of the time since `before` in which a core had nothing to do; all of them where
    /// the machine does not tell.
    pub fn idle_since(self, before: Self) -> u64 {
        let all = self.all.saturating_sub(before.all);
        let idle = self.idle.saturating_sub(before.idle) * 100;
        idle.checked_div(all).unwrap_or(100)
    }

    /// Hundredths of the time since `before` that others had.
    pub fn stolen_since(self, before: Self) -> u64 {
        let all = self.all.saturating_sub(before.all).max(1);
        self.stolen.saturating_sub(before.stolen) * 100 / all
    }
}

/// Processor, cores and memory, in a line.
pub fn description() -> String {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let (processor, memory) = (read("/proc/cpuinfo"), read("/proc/meminfo"));
    let name = processor.lines().find(|line| line.starts_with("model name"));
    let name = name.and_then(|line| line.split_once(": ")).map_or("unknown", |(_, name)| name);
    let kib = memory.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = kib.and_then(|it| it.trim().trim_end_matches(" kB").parse::<u64>().ok());
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let system = rustix::system::uname();
    let release = system.release().to_string_lossy();
    // What follows the first two numbers names a machine rather than a kernel.
    let release: Vec<&str> = release.split('.').take(2).collect();
    format!(
        "{name}, {cores} cores, {} GiB of memory, {} {}",
        kib.unwrap_or_default() >> 20,
        system.sysname().to_string_lossy(),
        release.join(".")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stolen_time_is_read_from_the_kernels_line() {
        let before = ProcessorTime::of("cpu  10 0 10 60 10 0 0 10 0 0\ncpu0 1 1 1 1 1 1 1 1 1 1\n");
        assert_eq!(before, ProcessorTime { all: 100, idle: 70, stolen: 10 });
        let after = ProcessorTime::of("cpu  20 0 20 120 20 0 0 120 5 5\n");
        assert_eq!((after.stolen_since(before), after.idle_since(before)), (55, 35));
        assert_eq!(ProcessorTime::of(""), ProcessorTime::default());
        assert_eq!((before.stolen_since(before), before.idle_since(before)), (0, 100));
    }
}

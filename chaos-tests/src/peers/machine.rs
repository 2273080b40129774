//! What the machine itself does in a second: hashing, and writing to its disk.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::Instant;

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

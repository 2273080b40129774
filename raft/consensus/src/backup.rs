//! Backups: the state as one archive, and a cluster begun from one.
//!
//! An archive is a tar that any tar reads: `manifest.json` first, then `<section>/<n>` in parts of
//! at most 8 MiB, last `sums.json` with the length, SHA-256 and record count of each member and the
//! SHA-256 of every byte before it. Nothing may follow. It is written and read in one go, with one
//! part in memory at a time.
//!
//! Source: consistency 7.

pub mod manifest;
pub mod reading;
pub mod restoring;
mod sums;
pub mod taking;
mod tar;
#[cfg(test)]
mod tests;
pub mod writing;

/// Bytes of a part, at most.
const PART_BYTES_MAX: usize = 8 * 1024 * 1024;
/// The first member.
const MANIFEST: &str = "manifest.json";
/// The last one.
const SUMS: &str = "sums.json";

//! `holdfast backup verify`: every byte of an archive, without a cluster.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use consensus::backup::reading::{self, Summary};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::exit::Stop;

const PIECE_BYTES: usize = 1024 * 1024;

/// Verifies a file, or standard input, and says what is in it.
pub(super) fn run(path: &Path) -> Result<(), Stop> {
    let from: Box<dyn Read> = if path == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        Box::new(File::open(path).map_err(|error| Stop::file("open", path, &error))?)
    };
    let summary = check(from).map_err(|error| Stop::failed(format!("{}: {error}", named(path))))?;
    print!("{}", told(&summary));
    Ok(())
}

fn named(path: &Path) -> String {
    if path == Path::new("-") { "standard input".to_owned() } else { path.display().to_string() }
}

/// Reads an archive to its end.
pub(super) fn check(from: impl Read) -> Result<Summary, reading::ArchiveError> {
    reading::read(BufReader::with_capacity(PIECE_BYTES, from), |_| Ok(()))
}

fn told(summary: &Summary) -> String {
    let manifest = &summary.manifest;
    let seconds = i64::try_from(manifest.taken_wall_ms / 1000).unwrap_or_default();
    let taken = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let mut text = format!(
        "whole: {} of cluster {}, written by version {}\n\
         taken {} at log index {}, {} bytes\n",
        manifest.archive,
        manifest.cluster_id,
        manifest.version,
        taken.format(&Rfc3339).unwrap_or_default(),
        manifest.log_index,
        summary.bytes
    );
    for (section, records) in &summary.records {
        text.push_str(&format!("{:<14} {records} records\n", section.word()));
    }
    text
}

//! What jobs write down: lines, some to a row, bounded for each job and for all together.

use super::{JobId, JobRow};
use crate::codec::message;
use crate::key;
use crate::row;
use crate::tables::{Damage, Read, Table, Write};

/// Lines of a job, at most; later ones are counted and dropped.
pub const LINES_MAX: u64 = 5_000;
/// Bytes of a job's lines, at most.
pub const BYTES_MAX: u64 = 256 * 1024;
/// A line in bytes, at most; a longer one is cut.
pub const LINE_BYTES_MAX: usize = 1_024;
/// Bytes of all jobs' lines: beyond them the jobs that were over first go.
pub const ALL_BYTES_MAX: u64 = 128 * 1024 * 1024;

/// A row is closed when it has grown so far.
const ROW_BYTES: usize = 16 * 1024;

/// Bytes that every job may write beyond the bound: what the cluster itself says of it.
const RESERVE_BYTES: u64 = 8 * 1024;
const RESERVE_LINES: u64 = 100;

message! {
    /// How much a job has written down.
    #[derive(Default)]
    pub struct LogState {
        /// Lines.
        1 lines: u64,
        /// Their bytes.
        2 bytes: u64,
        /// The number of the first line in the last row.
        3 last_row: u64,
        /// Lines that had no room.
        4 dropped: u64,
    }
}

message! {
    /// Some lines, under the job's id and the number of the first.
    pub struct LogRow {
        /// One after the other.
        1 lines: Vec<String>,
    }
}

/// Lines of a job with their numbers, from `offset` on; at most `limit`.
pub fn part(
    read: &impl Read,
    job: &JobRow,
    offset: u64,
    limit: usize,
) -> Result<Vec<(u64, String)>, Damage> {
    if offset >= job.log.lines || limit == 0 {
        return Ok(Vec::new());
    }
    // Whoever follows a log reads its last row only.
    let from = if offset >= job.log.last_row { job.log.last_row } else { 0 };
    let rows = row::from_within(read, Table::JobLogs, (&job.id, &from.to_be_bytes()), usize::MAX)?;
    let mut lines = Vec::new();
    for (key, value) in rows {
        let (first, _) = key::split_u64(&key[job.id.len()..])?;
        let LogRow { lines: held } = row::decode(Table::JobLogs, &value)?;
        let numbered = (first..).zip(held);
        lines.extend(numbered.filter(|(number, _)| *number >= offset));
        if lines.len() >= limit {
            lines.truncate(limit);
            break;
        }
    }
    Ok(lines)
}

/// Writes lines down for a job; the caller stores `job`.
pub(crate) fn append(
    tables: &mut impl Write,
    job: &mut JobRow,
    lines: &[String],
) -> Result<(), Damage> {
    add(tables, job, lines, (LINES_MAX, BYTES_MAX))
}

/// Writes down what the cluster says of a job, for which there is always some room.
pub(crate) fn say(tables: &mut impl Write, job: &mut JobRow, line: &str) -> Result<(), Damage> {
    let bounds = (LINES_MAX + RESERVE_LINES, BYTES_MAX + RESERVE_BYTES);
    add(tables, job, &[line.to_owned()], bounds)
}

fn add(
    tables: &mut impl Write,
    job: &mut JobRow,
    lines: &[String],
    (lines_max, bytes_max): (u64, u64),
) -> Result<(), Damage> {
    let mut key = key::join(&[&job.id, &job.log.last_row.to_be_bytes()]);
    let mut last: LogRow =
        row::find(tables, Table::JobLogs, &key)?.unwrap_or(LogRow { lines: Vec::new() });
    let mut filled: usize = last.lines.iter().map(String::len).sum();
    let before = job.log.lines;
    for line in lines {
        let line = cut(line);
        let bytes = job.log.bytes + line.len() as u64;
        if job.log.lines >= lines_max || bytes > bytes_max {
            job.log.dropped += 1;
            continue;
        }
        if filled + line.len() > ROW_BYTES && !last.lines.is_empty() {
            row::put(tables, Table::JobLogs, key, &last);
            (last.lines, filled) = (Vec::new(), 0);
            job.log.last_row = job.log.lines;
            key = key::join(&[&job.id, &job.log.last_row.to_be_bytes()]);
        }
        filled += line.len();
        last.lines.push(line.to_owned());
        (job.log.lines, job.log.bytes) = (job.log.lines + 1, bytes);
    }
    if job.log.lines > before {
        row::put(tables, Table::JobLogs, key, &last);
    }
    Ok(())
}

/// A job's log goes.
pub(super) fn remove(tables: &mut impl Write, id: &JobId) -> Result<(), Damage> {
    for (key, _) in row::under(tables, Table::JobLogs, id, usize::MAX)? {
        tables.delete(Table::JobLogs, &key);
    }
    Ok(())
}

/// As much of a text as a line may have, ending between two characters.
pub(crate) fn cut(text: &str) -> &str {
    let mut end = text.len().min(LINE_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

//! Opening a log: every record is read again, and a torn tail is cut.
//!
//! After a power cut any page that was not synced may be missing, also in front of one that is
//! there. So where the newest file is damaged, what lies behind the damage is searched for records.
//! Their stamps tell how far the file had been synced. Damage above that is torn and cut: nobody
//! was told of it. Damage below means that the disk lost what it had acknowledged, and the log does
//! not open.
//!
//! A file is begun only when the one before is synced, so all older files must be whole.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};

use super::durable::{OpenError, damaged};
use super::files::{self, Open};
use super::index::Index;
use super::record::{FIRST, Record};

/// What a folder holds.
#[derive(Default)]
pub(super) struct Replayed {
    pub(super) index: Index,
    pub(super) files: Open,
    /// The offset of the end.
    pub(super) end: u64,
    /// Bytes of all files.
    pub(super) bytes: u64,
    /// What was torn at the end, if anything was.
    pub(super) torn: Option<String>,
}

/// Reads the log in `folder`.
///
/// # Errors
///
/// [`OpenError::Damaged`] where bytes are wrong that were once synced.
pub(super) fn replay(folder: &Path) -> Result<Replayed, OpenError> {
    read(folder, true)
}

/// The same, and changes nothing: a torn tail is told, not cut.
pub(super) fn look(folder: &Path) -> Result<Replayed, OpenError> {
    read(folder, false)
}

fn read(folder: &Path, mends: bool) -> Result<Replayed, OpenError> {
    let mut replayed = Replayed::default();
    let newest = newest_written(folder, mends)?;
    let written = |(start, _): &(u64, PathBuf)| newest.is_some_and(|newest| *start <= newest);
    for (start, path) in files::list(folder)?.into_iter().filter(written) {
        let bytes = fs::read(&path)?;
        replayed.bytes += bytes.len() as u64;
        if replayed.end > 0 && start != replayed.end {
            let end = replayed.end;
            return Err(damaged(
                folder,
                &format!("what lies between {end} and {start} is missing"),
            ));
        }
        let good = read_file(&mut replayed.index, start, &bytes);
        if good < bytes.len() {
            let what = format!("{} is damaged at byte {good}", path.display());
            if Some(start) != newest {
                return Err(damaged(folder, &what));
            }
            let synced = synced_in(&bytes, good, start);
            if synced > start + good as u64 {
                let upto = synced.saturating_sub(start);
                return Err(damaged(folder, &format!("{what}, and was synced up to byte {upto}")));
            }
            if mends {
                cut(folder, &path, good)?;
            }
            replayed.torn = Some(what);
        }
        if good > 0 {
            if mends {
                replayed.files.insert(start, files::open(&path)?);
            }
            replayed.end = start + good as u64;
        }
    }
    match replayed.index.missing() {
        Some(what) => Err(damaged(folder, &what)),
        None => Ok(replayed),
    }
}

/// The start of the newest file that has any content. Those after it were made for records that
/// never arrived, and are removed.
fn newest_written(folder: &Path, mends: bool) -> Result<Option<u64>, OpenError> {
    for (start, path) in files::list(folder)?.into_iter().rev() {
        if fs::read(&path)?.iter().any(|byte| *byte != 0) {
            return Ok(Some(start));
        }
        if mends {
            files::remove(folder, &path)?;
        }
    }
    Ok(None)
}

/// Carries out the records in `bytes` up to the first damage, and answers where that is.
fn read_file(index: &mut Index, start: u64, bytes: &[u8]) -> usize {
    let mut good = 0;
    while let Some(framed) = Record::decode(&bytes[good..]) {
        // Every file begins with the state, and nothing else is one.
        if (good == 0) != matches!(framed.record, Record::State(_)) {
            break;
        }
        index.apply(&framed.record, Some(start + good as u64));
        good += framed.length;
    }
    good
}

/// The highest stamp of any record from `from` on; `start` is the offset of the first byte.
fn synced_in(bytes: &[u8], from: usize, start: u64) -> u64 {
    let (mut at, mut synced) = (from, 0);
    while let Some(next) = bytes[at..].iter().position(|byte| *byte == FIRST) {
        at += next;
        match Record::decode(&bytes[at..]) {
            // A stamp can't lie above its record: that would be one that only looks like a record.
            Some(framed) if framed.stamp <= start + at as u64 => {
                synced = synced.max(framed.stamp);
                at += framed.length;
            }
            _ => at += 1,
        }
    }
    synced
}

/// Cuts a file; one without a whole record is removed.
fn cut(folder: &Path, path: &PathBuf, length: usize) -> Result<(), OpenError> {
    if length == 0 {
        return Ok(files::remove(folder, path)?);
    }
    let file = OpenOptions::new().write(true).open(path)?;
    file.set_len(length as u64)?;
    Ok(file.sync_all()?)
}

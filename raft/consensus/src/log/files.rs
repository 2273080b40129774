//! The files of the log: each named by the offset of its first byte, written at the end only.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::index::{Place, Slot};
use super::record::{ENTRY_HEADER_BYTES, Record};

/// The open files of a log, by the offset of their first byte.
pub(super) type Open = BTreeMap<u64, Arc<File>>;

/// The files in `folder` by the offset of their first byte, oldest first.
pub(super) fn list(folder: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let start = name.strip_suffix(".log").filter(|start| start.len() == 20);
        if let Some(start) = start.and_then(|start| start.parse().ok()) {
            found.push((start, path));
        }
    }
    found.sort();
    Ok(found)
}

/// The file that begins at the offset `start`.
pub(super) fn path(folder: &Path, start: u64) -> PathBuf {
    folder.join(format!("{start:020}.log"))
}

/// Makes the file that begins at `start`. Its name is durable.
pub(super) fn create(folder: &Path, start: u64) -> io::Result<Arc<File>> {
    let path = path(folder, start);
    let file = OpenOptions::new().read(true).append(true).create_new(true).open(path)?;
    sync_folder(folder)?;
    Ok(Arc::new(file))
}

/// Opens a file to go on with it.
pub(super) fn open(path: &Path) -> io::Result<Arc<File>> {
    Ok(Arc::new(OpenOptions::new().read(true).append(true).open(path)?))
}

/// Removes a file. Durably: of two files that are removed one after another, a power cut must not
/// bring back the older one alone, which would leave a gap.
pub(super) fn remove(folder: &Path, path: &Path) -> io::Result<()> {
    fs::remove_file(path)?;
    sync_folder(folder)
}

pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// The payload of an entry, by a look at its whole record.
pub(super) fn payload(files: &Open, slot: Slot) -> io::Result<Bytes> {
    let offset = match slot.place {
        Place::Memory(payload) => return Ok(payload),
        Place::Disk(offset) => offset,
    };
    let damaged = || {
        let what = format!("entry {} of the log is damaged on disk: check the disk", slot.id);
        io::Error::new(io::ErrorKind::InvalidData, what)
    };
    let (start, file) = files.range(..=offset).next_back().ok_or_else(damaged)?;
    let mut bytes = vec![0; ENTRY_HEADER_BYTES + slot.length as usize];
    file.read_exact_at(&mut bytes, offset - start)?;
    match Record::decode(&bytes).map(|framed| framed.record) {
        Some(Record::Entry(id, _)) if id == slot.id => {
            Ok(Bytes::from(bytes).slice(ENTRY_HEADER_BYTES..))
        }
        _ => Err(damaged()),
    }
}

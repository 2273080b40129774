//! Files and folders as the store uses them, behind a trait that a simulation replaces.
//!
//! The trait names exactly the calls whose order decides what a power cut leaves: writing, fsync of
//! a file, rename, fsync of a folder. Every call blocks; callers run them on the blocking pool.

use std::fmt::Debug;
use std::fs;
use std::io::{self, ErrorKind, IoSlice};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

/// What is known of a file without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// Bytes it holds.
    pub length: u64,
    /// When it was last written, in nanoseconds since 1970.
    pub modified_ns: i64,
}

/// One name in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name without its folder.
    pub name: String,
    /// Whether it is a folder itself.
    pub is_folder: bool,
}

/// An open file. Reads and writes go to a place given by the caller; there is no position.
pub trait File: Debug + Send + Sync + 'static {
    /// Reads up to `buffer.len()` bytes from `offset`; 0 at the end of the file.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;

    /// Writes all `pieces` one after another, the first at `offset`.
    fn write_at(&self, offset: u64, pieces: &[Bytes]) -> io::Result<()>;

    /// Cuts the file to `length` bytes.
    fn truncate(&self, length: u64) -> io::Result<()>;

    /// Returns once the bytes and the length would survive a power cut.
    fn sync(&self) -> io::Result<()>;

    /// What is known of the file.
    fn metadata(&self) -> io::Result<Metadata>;

    /// The operating system's file, where there is one that can be mapped into memory.
    fn as_os_file(&self) -> Option<&Arc<fs::File>> {
        None
    }
}

/// A file system.
pub trait Files: Debug + Send + Sync + 'static {
    /// Makes a folder and those above it; one that exists is left alone.
    fn create_folder(&self, path: &Path) -> io::Result<()>;

    /// Makes an empty file for reading and writing; one that exists is emptied.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>>;

    /// Opens an existing file for reading.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>>;

    /// Opens an existing file for reading and writing.
    fn open_for_writing(&self, path: &Path) -> io::Result<Arc<dyn File>>;

    /// Gives a file the name `to`, at once and in place of a file that had it.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Returns once the names in a folder would survive a power cut.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Removes a folder with all that is in it.
    fn remove_folder(&self, path: &Path) -> io::Result<()>;

    /// The names in a folder, in byte order.
    fn list(&self, path: &Path) -> io::Result<Vec<Entry>>;

    /// What is known of a file; `None` where there is none.
    fn metadata(&self, path: &Path) -> io::Result<Option<Metadata>>;

    /// Bytes that may still be written to the file system that holds `path`.
    fn free_bytes(&self, path: &Path) -> io::Result<u64>;
}

/// The disk of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct DiskFiles;

/// Files are for this replica alone.
const FILE_MODE: u32 = 0o600;
/// The kernel takes at most 1,024 pieces in one call.
const PIECES_MAX: usize = 1024;

#[derive(Debug)]
struct DiskFile(Arc<fs::File>);

impl File for DiskFile {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        retry_interrupted(|| self.0.read_at(buffer, offset))
    }

    fn write_at(&self, mut offset: u64, pieces: &[Bytes]) -> io::Result<()> {
        for group in pieces.chunks(PIECES_MAX) {
            let mut slices: Vec<IoSlice<'_>> = group.iter().map(|one| IoSlice::new(one)).collect();
            let mut rest = &mut slices[..];
            // Drops empty pieces at the front, which would read as "nothing could be written".
            IoSlice::advance_slices(&mut rest, 0);
            while !rest.is_empty() {
                let written =
                    retry_interrupted(|| Ok(rustix::io::pwritev(&self.0, rest, offset)?))?;
                if written == 0 {
                    return Err(ErrorKind::WriteZero.into());
                }
                offset += written as u64;
                IoSlice::advance_slices(&mut rest, written);
            }
        }
        Ok(())
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn metadata(&self) -> io::Result<Metadata> {
        Ok(metadata_of(&self.0.metadata()?))
    }

    fn as_os_file(&self) -> Option<&Arc<fs::File>> {
        Some(&self.0)
    }
}

impl Files for DiskFiles {
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let mut options = fs::OpenOptions::new();
        options.read(true).write(true).create(true).truncate(true).mode(FILE_MODE);
        Ok(Arc::new(DiskFile(Arc::new(options.open(path)?))))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        Ok(Arc::new(DiskFile(Arc::new(fs::File::open(path)?))))
    }

    fn open_for_writing(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let file = fs::OpenOptions::new().read(true).write(true).open(path)?;
        Ok(Arc::new(DiskFile(Arc::new(file))))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        fs::File::open(path)?.sync_all()
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir_all(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            // A name that is no text is none of ours.
            if let Ok(name) = entry.file_name().into_string() {
                entries.push(Entry { name, is_folder: entry.file_type()?.is_dir() });
            }
        }
        entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    fn metadata(&self, path: &Path) -> io::Result<Option<Metadata>> {
        match fs::metadata(path) {
            Ok(found) => Ok(Some(metadata_of(&found))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn free_bytes(&self, path: &Path) -> io::Result<u64> {
        let found = rustix::fs::statvfs(path)?;
        Ok(found.f_bavail.saturating_mul(found.f_frsize))
    }
}

fn metadata_of(found: &fs::Metadata) -> Metadata {
    let modified_ns =
        found.mtime().saturating_mul(1_000_000_000).saturating_add(found.mtime_nsec());
    Metadata { length: found.len(), modified_ns }
}

fn retry_interrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_written_one_after_another_however_many_there_are() {
        let folder = tempfile::tempdir().unwrap();
        let file = DiskFiles.create(&folder.path().join("f")).unwrap();
        let mut pieces: Vec<Bytes> =
            (0..3000_u32).map(|n| Bytes::from(n.to_le_bytes().to_vec())).collect();
        pieces.insert(0, Bytes::new());
        pieces.insert(1024, Bytes::new());
        pieces.push(Bytes::new());
        file.write_at(5, &pieces).unwrap();
        file.write_at(0, &[]).unwrap();
        assert_eq!(file.metadata().unwrap().length, 5 + 12_000);
        let mut read = vec![0; 12_000];
        assert_eq!(file.read_at(5, &mut read).unwrap(), 12_000);
        assert_eq!(read, pieces.concat());
        assert_eq!(file.read_at(12_005, &mut read).unwrap(), 0);
    }

    #[test]
    fn a_missing_file_has_no_metadata_and_lists_are_sorted() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(DiskFiles.metadata(&folder.path().join("none")).unwrap(), None);
        for name in ["b", "a", "c"] {
            DiskFiles.create(&folder.path().join(name)).unwrap();
        }
        DiskFiles.create_folder(&folder.path().join("aa/x")).unwrap();
        let names: Vec<_> = DiskFiles
            .list(folder.path())
            .unwrap()
            .into_iter()
            .map(|e| (e.name, e.is_folder))
            .collect();
        let expected = [("a", false), ("aa", true), ("b", false), ("c", false)];
        assert_eq!(names, expected.map(|(name, is_folder)| (name.to_owned(), is_folder)));
        assert!(DiskFiles.free_bytes(folder.path()).unwrap() > 0);
    }
}

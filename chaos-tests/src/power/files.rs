//! The files of the blob store, written through libc.
//!
//! The real ones write by a system call of their own making, which no preloaded library sees. All
//! else, and above all every sync, is theirs.

use std::fs;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use blobs::files::{DiskFiles, Entry, File, Files, Metadata};
use bytes::Bytes;

/// [`DiskFiles`], but for the call that writes.
#[derive(Clone, Copy, Debug, Default)]
pub struct PlainFiles;

#[derive(Debug)]
struct PlainFile(Arc<dyn File>);

impl File for PlainFile {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read_at(offset, buffer)
    }

    fn write_at(&self, mut offset: u64, pieces: &[Bytes]) -> io::Result<()> {
        let file = self.0.as_os_file().ok_or(io::ErrorKind::Unsupported)?;
        for piece in pieces {
            file.write_all_at(piece, offset)?;
            offset += piece.len() as u64;
        }
        Ok(())
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.0.truncate(length)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync()
    }

    fn metadata(&self) -> io::Result<Metadata> {
        self.0.metadata()
    }

    fn as_os_file(&self) -> Option<&Arc<fs::File>> {
        self.0.as_os_file()
    }
}

fn plain(file: Arc<dyn File>) -> Arc<dyn File> {
    Arc::new(PlainFile(file))
}

impl Files for PlainFiles {
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        DiskFiles.create_folder(path)
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        DiskFiles.create(path).map(plain)
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        DiskFiles.open(path).map(plain)
    }

    fn open_for_writing(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        DiskFiles.open_for_writing(path).map(plain)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        DiskFiles.rename(from, to)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        DiskFiles.sync_folder(path)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        DiskFiles.remove(path)
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        DiskFiles.remove_folder(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        DiskFiles.list(path)
    }

    fn metadata(&self, path: &Path) -> io::Result<Option<Metadata>> {
        DiskFiles.metadata(path)
    }

    fn free_bytes(&self, path: &Path) -> io::Result<u64> {
        DiskFiles.free_bytes(path)
    }
}

//! A file system in memory that forgets, at a power cut, what was not synced; for tests.
//!
//! The model is as harsh as a disk may be: of what was written but not synced each 4 KiB page, the
//! growth of each file and each change of a name survives or not, by a seeded coin.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;

use crate::files::{Entry, File, Files, Metadata};

mod tests;

const PAGE_BYTES: usize = 4096;

/// The modelled disk. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    disk: Arc<Mutex<Disk>>,
}

#[derive(Debug, Default)]
pub(crate) struct Disk {
    files: Vec<Inode>,
    /// Every name as the running process sees it; `None` is a folder.
    names: BTreeMap<PathBuf, Option<usize>>,
    /// Every name that would survive.
    durable_names: BTreeMap<PathBuf, Option<usize>>,
    /// Changes made so far.
    pub(crate) steps: usize,
    /// The power goes before this step.
    pub(crate) cut_at: Option<usize>,
    /// What syncing does nothing for: a disk that lies.
    pub(crate) lies: Lies,
    /// Bytes all files may have together.
    pub(crate) capacity_bytes: Option<usize>,
    /// Whether the next sync of a file fails.
    pub(crate) fail_sync: bool,
}

/// What a disk only says it has synced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Lies {
    #[default]
    Never,
    OfFiles,
    OfFolders,
}

#[derive(Clone, Debug, Default)]
struct Inode {
    now: Vec<u8>,
    synced: Vec<u8>,
    modified_ns: i64,
}

/// What a power cut took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Lost {
    pub(crate) pages: usize,
    pub(crate) names: usize,
}

/// A coin with a seed.
struct Coin(u64);

impl Coin {
    fn heads(&mut self) -> bool {
        // xorshift64*
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 63 == 1
    }
}

impl Model {
    pub(crate) fn disk(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap()
    }

    /// The disk as it is found when the power is back.
    pub(crate) fn survive(&self, seed: u64) -> (Self, Lost) {
        let disk = self.disk();
        let (mut coin, mut lost) = (Coin(seed * 2 + 1), Lost::default());
        let mut after = Disk::default();
        let changed =
            disk.names.iter().filter(|(path, node)| disk.durable_names.get(*path) != Some(node));
        let gone = disk.durable_names.keys().filter(|path| !disk.names.contains_key(*path));
        let mut names = disk.durable_names.clone();
        for (path, node) in changed {
            if coin.heads() {
                names.insert(path.clone(), *node);
            } else {
                lost.names += 1;
            }
        }
        for path in gone {
            if coin.heads() {
                names.remove(path);
            }
        }
        // A name in a folder that is gone is gone. Folders sort before what is in them.
        for (path, node) in names {
            let above = path.parent().unwrap();
            if above == Path::new("/") || after.names.contains_key(above) {
                let node =
                    node.map(|file| after.add(disk.files[file].survive(&mut coin, &mut lost)));
                after.names.insert(path, node);
            }
        }
        after.durable_names = after.names.clone();
        (Self { disk: Arc::new(Mutex::new(after)) }, lost)
    }

    fn add_file(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let mut disk = self.disk();
        disk.step()?;
        disk.folder_above(path)?;
        let number = match disk.names.get(path) {
            Some(Some(number)) => {
                let number = *number;
                disk.files[number].now.clear();
                number
            }
            Some(None) => return Err(ErrorKind::IsADirectory.into()),
            None => {
                let number = disk.add(Inode::default());
                disk.names.insert(path.to_owned(), Some(number));
                number
            }
        };
        Ok(Arc::new(ModelFile { model: self.clone(), number }))
    }
}

impl Disk {
    fn add(&mut self, file: Inode) -> usize {
        self.files.push(file);
        self.files.len() - 1
    }

    /// Counts a change, or fails since the power is off.
    fn step(&mut self) -> io::Result<()> {
        if self.cut_at.is_some_and(|cut_at| self.steps >= cut_at) {
            return Err(io::Error::other("the power is off"));
        }
        self.steps += 1;
        Ok(())
    }

    fn folder_above(&self, path: &Path) -> io::Result<()> {
        let above = path.parent().unwrap();
        let is_folder = above == Path::new("/") || self.names.get(above) == Some(&None);
        if is_folder { Ok(()) } else { Err(ErrorKind::NotFound.into()) }
    }

    fn file(&self, path: &Path) -> io::Result<usize> {
        self.names.get(path).copied().flatten().ok_or_else(|| ErrorKind::NotFound.into())
    }

    /// Changes a byte behind everybody's back, as a rotting disk does.
    pub(crate) fn rot(&mut self, path: &Path, at: usize) {
        let file = self.file(path).unwrap();
        self.files[file].now[at] ^= 1;
        self.files[file].synced[at] ^= 1;
    }
}

impl Inode {
    fn survive(&self, coin: &mut Coin, lost: &mut Lost) -> Self {
        if self.now == self.synced {
            return self.clone();
        }
        let grown = coin.heads();
        let mut bytes = self.synced.clone();
        bytes.resize(if grown { self.now.len() } else { self.synced.len() }, 0);
        for (n, page) in bytes.chunks_mut(PAGE_BYTES).enumerate() {
            let new = self.now.iter().skip(n * PAGE_BYTES).take(page.len()).copied();
            if coin.heads() {
                page.iter_mut().zip(new).for_each(|(old, new)| *old = new);
            }
        }
        let kept = |n: usize| bytes.get(n * PAGE_BYTES..).unwrap_or_default();
        let pages = self.now.chunks(PAGE_BYTES).enumerate();
        lost.pages += pages.filter(|(n, page)| !kept(*n).starts_with(page)).count();
        Self { now: bytes.clone(), synced: bytes, modified_ns: self.modified_ns }
    }
}

#[derive(Debug)]
struct ModelFile {
    model: Model,
    number: usize,
}

impl File for ModelFile {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let disk = self.model.disk();
        let bytes = &disk.files[self.number].now;
        let from = bytes.get(usize::try_from(offset).unwrap()..).unwrap_or_default();
        let length = from.len().min(buffer.len());
        buffer[..length].copy_from_slice(&from[..length]);
        Ok(length)
    }

    fn write_at(&self, offset: u64, pieces: &[Bytes]) -> io::Result<()> {
        let mut disk = self.model.disk();
        disk.step()?;
        let mut bytes = pieces.concat();
        let at = usize::try_from(offset).unwrap();
        let others: usize = disk.files.iter().map(|file| file.now.len()).sum::<usize>()
            - disk.files[self.number].now.len();
        let room = disk.capacity_bytes.map_or(usize::MAX, |all| all.saturating_sub(others + at));
        let full = bytes.len() > room;
        bytes.truncate(room);
        let modified_ns = i64::try_from(disk.steps).unwrap();
        let file = &mut disk.files[self.number];
        let end = at + bytes.len();
        if file.now.len() < end {
            file.now.resize(end, 0);
        }
        file.now[at..end].copy_from_slice(&bytes);
        file.modified_ns = modified_ns;
        if full { Err(ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        let mut disk = self.model.disk();
        disk.step()?;
        disk.files[self.number].now.resize(usize::try_from(length).unwrap(), 0);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut disk = self.model.disk();
        disk.step()?;
        if std::mem::take(&mut disk.fail_sync) {
            return Err(io::Error::other("the disk lost what was written"));
        }
        if disk.lies != Lies::OfFiles {
            let file = &mut disk.files[self.number];
            file.synced = file.now.clone();
        }
        Ok(())
    }

    fn metadata(&self) -> io::Result<Metadata> {
        let disk = self.model.disk();
        let file = &disk.files[self.number];
        Ok(Metadata { length: file.now.len() as u64, modified_ns: file.modified_ns })
    }
}

impl Files for Model {
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        let above: Vec<&Path> = path.ancestors().filter(|one| *one != Path::new("/")).collect();
        let mut disk = self.disk();
        for folder in above.into_iter().rev() {
            if !disk.names.contains_key(folder) {
                disk.step()?;
                disk.names.insert(folder.to_owned(), None);
            }
        }
        Ok(())
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        self.add_file(path)
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let number = self.disk().file(path)?;
        Ok(Arc::new(ModelFile { model: self.clone(), number }))
    }

    fn open_for_writing(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        self.open(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut disk = self.disk();
        disk.step()?;
        disk.folder_above(to)?;
        let file = disk.file(from)?;
        disk.names.remove(from);
        disk.names.insert(to.to_owned(), Some(file));
        Ok(())
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        let mut disk = self.disk();
        disk.step()?;
        if disk.lies != Lies::OfFolders {
            let inside = |(name, _): &(&PathBuf, &Option<usize>)| name.parent() == Some(path);
            let now: Vec<_> = disk
                .names
                .iter()
                .filter(inside)
                .map(|(name, node)| (name.clone(), *node))
                .collect();
            disk.durable_names.retain(|name, _| name.parent() != Some(path));
            disk.durable_names.extend(now);
        }
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut disk = self.disk();
        disk.step()?;
        disk.file(path)?;
        disk.names.remove(path);
        Ok(())
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        let mut disk = self.disk();
        disk.step()?;
        let before = disk.names.len();
        disk.names.retain(|name, _| !name.starts_with(path));
        if disk.names.len() < before { Ok(()) } else { Err(ErrorKind::NotFound.into()) }
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        let disk = self.disk();
        let inside = disk.names.iter().filter(|(name, _)| name.parent() == Some(path));
        let entry = |(name, node): (&PathBuf, &Option<usize>)| Entry {
            name: name.file_name().unwrap().to_str().unwrap().to_owned(),
            is_folder: node.is_none(),
        };
        Ok(inside.map(entry).collect())
    }

    fn metadata(&self, path: &Path) -> io::Result<Option<Metadata>> {
        let disk = self.disk();
        let Ok(number) = disk.file(path) else { return Ok(None) };
        let file = &disk.files[number];
        Ok(Some(Metadata { length: file.now.len() as u64, modified_ns: file.modified_ns }))
    }

    fn free_bytes(&self, _: &Path) -> io::Result<u64> {
        let disk = self.disk();
        let used: usize = disk.files.iter().map(|file| file.now.len()).sum();
        Ok(disk.capacity_bytes.map_or(u64::MAX, |all| all.saturating_sub(used) as u64))
    }
}

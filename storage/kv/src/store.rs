//! The store: reads, batches, and the one snapshot.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::batch::Batch;
use crate::guarded::Guarded;
use crate::pre_images::PreImages;
use crate::snapshot::Snapshot;
use crate::value;

/// What the tables answer where they can't do what they were asked.
#[derive(Debug, thiserror::Error)]
pub enum KvError {
    /// The database does not open, or failed while it was used.
    #[error("{0}")]
    Broken(String),
    /// A row is not what was written. The tables must be rebuilt.
    #[error(
        "the row of table {table} under key {key:02x?} is damaged on disk: the tables must be \
         rebuilt from snapshot and log, and the disk be checked"
    )]
    Damaged {
        /// The table of the row.
        table: u8,
        /// Its key.
        key: Vec<u8>,
    },
    /// A value beyond 64 KiB: such values belong into the content store.
    #[error("a value of {bytes} bytes for table {table} is larger than a row may be (64 KiB)")]
    TooLarge {
        /// The table it was meant for.
        table: u8,
        /// Its size.
        bytes: usize,
    },
    /// There is one snapshot at a time.
    #[error("another snapshot of the tables is being read; try again when it has ended")]
    SnapshotOpen,
    /// The tables were cleared while a snapshot of them was read.
    #[error("the tables were replaced while a snapshot of them was read; take it again")]
    SnapshotLost,
    /// Another process has the tables open.
    #[error("the tables in {} are in use by another process; stop it first", folder.display())]
    InUse {
        /// The folder of the tables.
        folder: PathBuf,
    },
    /// The store was closed.
    #[error("the tables are closed")]
    Closed,
    /// The file of pre-images can't be written or read.
    #[error("pre-images of a snapshot: {0}")]
    Spill(#[source] io::Error),
}

impl KvError {
    /// Whether the folder must be thrown away and its content made anew.
    pub fn must_rebuild(&self) -> bool {
        matches!(self, Self::Broken(_) | Self::Damaged { .. })
    }
}

/// A row's key within its table, and its value.
pub type Pair = (Vec<u8>, Vec<u8>);

/// Ordered tables in one folder. Cheap to share; all methods take `&self`.
pub struct Store {
    shared: Arc<Shared>,
}

pub(crate) struct Shared {
    folder: PathBuf,
    /// Held for writing while a batch is committed, so that no reader sees half of it. `None` once
    /// closed.
    tables: RwLock<Option<Guarded>>,
    /// The pre-images of the open snapshot. Locked after `tables` only.
    pre_images: Mutex<Option<PreImages>>,
}

impl Store {
    /// Opens the tables in `folder`, which is created where it is missing.
    ///
    /// # Errors
    ///
    /// [`KvError::Broken`] where they don't open: [`Store::discard`] them and rebuild.
    pub fn open(folder: &Path) -> Result<Self, KvError> {
        let guarded = Guarded::open(folder)?;
        let shared = Shared {
            folder: folder.to_path_buf(),
            tables: RwLock::new(Some(guarded)),
            pre_images: Mutex::new(None),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Opens the tables in `folder` or, where they don't open, throws them away and opens empty
    /// ones: the error then says why, and their content must be made anew.
    pub fn open_or_discard(folder: &Path) -> Result<(Self, Option<KvError>), KvError> {
        match Self::open(folder) {
            Ok(store) => Ok((store, None)),
            Err(error) if error.must_rebuild() => {
                Self::discard(folder).map_err(|why| unempty(folder, &why))?;
                Ok((Self::open(folder)?, Some(error)))
            }
            Err(error) => Err(error),
        }
    }

    /// Removes the tables of a store that is not open.
    pub fn discard(folder: &Path) -> io::Result<()> {
        match fs::remove_dir_all(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    /// The value of `key` in `table`.
    pub fn get(&self, table: u8, key: &[u8]) -> Result<Option<Vec<u8>>, KvError> {
        self.read(|reader| reader.get(table, key))
    }

    /// Up to `limit` rows of `table` with keys in `from..to` (`None`: to the table's end),
    /// ascending.
    pub fn range(
        &self,
        table: u8,
        from: &[u8],
        to: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Pair>, KvError> {
        self.read(|reader| reader.range(table, from, to, limit))
    }

    /// As [`Store::range`], but descending from the end.
    pub fn range_back(
        &self,
        table: u8,
        from: &[u8],
        to: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Pair>, KvError> {
        self.read(|reader| reader.range_back(table, from, to, limit))
    }

    /// Several reads between two commits. `work` must not call the store.
    pub fn read<T, E: From<KvError>>(
        &self,
        work: impl FnOnce(&Reader<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let tables = self.shared.tables();
        let reader = Reader { tables: tables.as_ref().ok_or(KvError::Closed)? };
        work(&reader)
    }
}

impl Store {
    /// Writes `batch` as a whole or not at all.
    ///
    /// # Errors
    ///
    /// [`KvError::TooLarge`] changes nothing. After [`KvError::Broken`] the store is at its end.
    pub fn commit(&self, batch: &Batch) -> Result<(), KvError> {
        let mut sealed = sled::Batch::default();
        for change in batch.changes() {
            match &change.value {
                Some(value) => {
                    sealed.insert(change.key.as_slice(), value::seal(&change.key, value)?);
                }
                None => sealed.remove(change.key.as_slice()),
            }
        }
        let tables = self.shared.tables_exclusive();
        let guarded = tables.as_ref().ok_or(KvError::Closed)?;
        if let Some(pre_images) = self.shared.pre_images().as_mut() {
            for change in batch.changes() {
                pre_images.save(&change.key, || guarded.with(|tree| tree.get(&change.key)))?;
            }
        }
        guarded.with(|tree| tree.apply_batch(sealed))
    }

    /// The tables as they are now, to be read while batches go on. One at a time.
    ///
    /// # Errors
    ///
    /// [`KvError::SnapshotOpen`] while another lives.
    pub fn snapshot(&self) -> Result<Snapshot, KvError> {
        let tables = self.shared.tables_exclusive();
        if tables.is_none() {
            return Err(KvError::Closed);
        }
        let mut pre_images = self.shared.pre_images();
        if pre_images.is_some() {
            return Err(KvError::SnapshotOpen);
        }
        *pre_images = Some(PreImages::new(&self.shared.folder));
        drop(pre_images);
        Ok(Snapshot::new(Arc::clone(&self.shared)))
    }

    /// Hands what is buffered to the operating system, so that a killed process loses nothing of
    /// it.
    pub fn flush(&self) -> Result<(), KvError> {
        let tables = self.shared.tables();
        tables.as_ref().ok_or(KvError::Closed)?.with(|tree| tree.flush().map(drop))
    }

    /// Ends the store and fsyncs its files, so that a stop with a goodbye survives a power cut.
    pub fn close(&self) -> Result<(), KvError> {
        let taken = self.shared.tables_exclusive().take();
        match taken {
            Some(guarded) => guarded.close(),
            None => Ok(()),
        }
    }

    /// Removes every row. A snapshot that is being read ends with [`KvError::SnapshotLost`].
    pub fn clear(&self) -> Result<(), KvError> {
        let mut tables = self.shared.tables_exclusive();
        if let Some(pre_images) = self.shared.pre_images().as_mut() {
            pre_images.lose();
        }
        drop(tables.take());
        let folder = &self.shared.folder;
        Self::discard(folder).map_err(|why| unempty(folder, &why))?;
        *tables = Some(Guarded::open(&self.shared.folder)?);
        Ok(())
    }
}

impl Shared {
    pub(crate) fn tables(&self) -> RwLockReadGuard<'_, Option<Guarded>> {
        // A panic under the lock was one of sled's, and `Guarded` remembers it.
        self.tables.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn tables_exclusive(&self) -> RwLockWriteGuard<'_, Option<Guarded>> {
        self.tables.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn pre_images(&self) -> MutexGuard<'_, Option<PreImages>> {
        self.pre_images.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads between two commits.
pub struct Reader<'a> {
    tables: &'a Guarded,
}

impl Reader<'_> {
    /// The value of `key` in `table`.
    pub fn get(&self, table: u8, key: &[u8]) -> Result<Option<Vec<u8>>, KvError> {
        let key = value::tree_key(table, key);
        let sealed = self.tables.with(|tree| tree.get(&key))?;
        sealed.map(|sealed| value::open(&key, &sealed)).transpose()
    }

    /// Up to `limit` rows of `table` with keys in `from..to` (`None`: to the table's end),
    /// ascending.
    pub fn range(
        &self,
        table: u8,
        from: &[u8],
        to: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Pair>, KvError> {
        let Some(bounds) = bounds(table, from, to) else {
            return Ok(Vec::new());
        };
        open_all(self.tables.with(|tree| tree.range(bounds).take(limit).collect())?)
    }

    /// As [`Reader::range`], but descending from the end.
    pub fn range_back(
        &self,
        table: u8,
        from: &[u8],
        to: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Pair>, KvError> {
        let Some(bounds) = bounds(table, from, to) else {
            return Ok(Vec::new());
        };
        open_all(self.tables.with(|tree| tree.range(bounds).rev().take(limit).collect())?)
    }
}

fn unempty(folder: &Path, why: &io::Error) -> KvError {
    KvError::Broken(format!("the folder {} can't be emptied: {why}", folder.display()))
}

type Bounds = (std::ops::Bound<Vec<u8>>, std::ops::Bound<Vec<u8>>);

/// The part of the tree that `from..to` of `table` is; `None` where it is empty by itself.
fn bounds(table: u8, from: &[u8], to: Option<&[u8]>) -> Option<Bounds> {
    use std::ops::Bound::{Excluded, Included, Unbounded};
    let start = value::tree_key(table, from);
    let end = match (to, table.checked_add(1)) {
        (Some(to), _) if to <= from => return None,
        (Some(to), _) => Excluded(value::tree_key(table, to)),
        (None, Some(next)) => Excluded(vec![next]),
        (None, None) => Unbounded,
    };
    Some((Included(start), end))
}

fn open_all(rows: Vec<(sled::IVec, sled::IVec)>) -> Result<Vec<Pair>, KvError> {
    let open = |(key, sealed): (sled::IVec, sled::IVec)| {
        let value = value::open(&key, &sealed)?;
        Ok((value::split_key(&key)?.1.to_vec(), value))
    };
    rows.into_iter().map(open).collect()
}

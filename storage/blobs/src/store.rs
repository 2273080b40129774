//! The store: which blobs this replica has, and how one gets its name.

use std::collections::HashSet;
use std::fmt;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use oci::digest::{Algorithm, Digest};
use oci::verifier::digest_of;

use crate::announced::Announced;
use crate::check::{Checks, Damage};
use crate::files::{Entry, File, Files};
use crate::lock::{Guard, Locks};
use crate::path::{Layout, UploadId};
use crate::upload::UploadError;

/// How the store works. The defaults suit a server.
#[derive(Clone)]
pub struct Options {
    /// Wall time in milliseconds since 1970; tells how long ago a blob was checked.
    pub now_ms: Arc<dyn Fn() -> u64 + Send + Sync>,
    /// A whole read of a blob that was last hashed longer ago is hashed while it is sent.
    pub check_age_max_ms: u64,
    /// Bytes of a blob that are read at once.
    pub piece_bytes: usize,
    /// Bytes of an upload that are gathered before they are written and hashed.
    pub batch_bytes: usize,
    /// After so many bytes the state of an upload's hash is saved and the file's writing begun.
    pub save_every_bytes: u64,
    /// With fewer free bytes on its disk the store takes nothing new; 0 for no such mark.
    pub free_min_bytes: u64,
}

impl Default for Options {
    fn default() -> Self {
        let now_ms = || {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
        };
        Self {
            now_ms: Arc::new(now_ms),
            check_age_max_ms: 24 * 60 * 60 * 1000,
            piece_bytes: 2 * 1024 * 1024,
            batch_bytes: 1024 * 1024,
            save_every_bytes: 64 * 1024 * 1024,
            free_min_bytes: 0,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("check_age_max_ms", &self.check_age_max_ms)
            .field("piece_bytes", &self.piece_bytes)
            .field("batch_bytes", &self.batch_bytes)
            .field("save_every_bytes", &self.save_every_bytes)
            .field("free_min_bytes", &self.free_min_bytes)
            .finish_non_exhaustive()
    }
}

/// Content-addressed files in one folder.
#[derive(Debug)]
pub struct BlobStore {
    pub(crate) layout: Layout,
    pub(crate) files: Arc<dyn Files>,
    pub(crate) options: Options,
    pub(crate) upload_locks: Locks<UploadId>,
    pub(crate) checks: Checks,
    pub(crate) damage: Damage,
    pub(crate) announced: Announced,
    blob_locks: Locks<Digest>,
    /// Folders whose own name is known to survive a power cut.
    durable_folders: Mutex<HashSet<PathBuf>>,
    staged: AtomicU64,
}

impl BlobStore {
    /// Opens the store in `folder`, which is made where it is missing. Blocks.
    pub fn open(folder: &Path, files: Arc<dyn Files>, options: Options) -> io::Result<Arc<Self>> {
        let layout = Layout::new(folder);
        for path in [layout.uploads(), layout.staging(), layout.damaged(), layout.blobs()] {
            files.create_folder(&path)?;
        }
        for algorithm in Algorithm::ALL {
            files.create_folder(&layout.algorithm(algorithm))?;
        }
        files.sync_folder(&layout.blobs())?;
        files.sync_folder(folder)?;
        if let Some(above) = folder.parent().filter(|above| !above.as_os_str().is_empty()) {
            files.sync_folder(above)?;
        }
        for Entry { name, .. } in files.list(&layout.staging())? {
            files.remove(&layout.staging().join(name))?;
        }
        let checks = Checks::load(&*files, &layout);
        Ok(Arc::new(Self {
            layout,
            files,
            options,
            checks,
            upload_locks: Locks::default(),
            damage: Damage::default(),
            announced: Announced::default(),
            blob_locks: Locks::default(),
            durable_folders: Mutex::default(),
            staged: AtomicU64::new(0),
        }))
    }

    /// Saves what is nice to know at the next start. Blocks.
    pub fn close(&self) -> io::Result<()> {
        self.checks.save(&*self.files, &self.layout)
    }

    /// The size of a blob in bytes; `None` where it is not here or known to be damaged.
    pub fn size_of(&self, digest: &Digest) -> io::Result<Option<u64>> {
        if self.damage.is_noted(digest) {
            return Ok(None);
        }
        Ok(self.files.metadata(&self.layout.blob(digest))?.map(|found| found.length))
    }

    /// How long ago a blob's file was written, by the machine's clock; `None` where it is not here.
    pub fn age_of(&self, digest: &Digest) -> io::Result<Option<Duration>> {
        let Some(found) = self.files.metadata(&self.layout.blob(digest))? else { return Ok(None) };
        let written_ms = u64::try_from(found.modified_ns / 1_000_000).unwrap_or(0);
        let now_ms = (self.options.now_ms)();
        Ok(Some(Duration::from_millis(now_ms.saturating_sub(written_ms))))
    }

    /// Waits for the lock of a digest. Whoever gives a receipt for it or removes it holds the lock.
    pub async fn lock(&self, digest: &Digest) -> Guard<Digest> {
        self.blob_locks.lock(digest).await
    }

    /// Removes the blob whose lock is held; false where there was none. Open reads go on.
    pub async fn remove(self: &Arc<Self>, locked: &Guard<Digest>) -> io::Result<bool> {
        let (store, locked) = (self.clone(), locked.clone());
        blocking(move || {
            let removed = match store.files.remove(&store.layout.blob(locked.key())) {
                Ok(()) => true,
                Err(error) if error.kind() == ErrorKind::NotFound => false,
                Err(error) => return Err(error),
            };
            store.checks.forget(locked.key());
            store.damage.forget(locked.key());
            Ok(removed)
        })
        .await
    }

    /// Keeps bytes that are at hand, such as a manifest's, durably; returns their number.
    pub async fn put(self: &Arc<Self>, digest: &Digest, bytes: Bytes) -> Result<u64, UploadError> {
        let locked = self.lock(digest).await;
        self.put_locked(&locked, bytes).await
    }
}

impl BlobStore {
    /// As [`BlobStore::put`], for a caller that holds the digest's lock already.
    pub async fn put_locked(
        self: &Arc<Self>,
        locked: &Guard<Digest>,
        bytes: Bytes,
    ) -> Result<u64, UploadError> {
        let (store, locked) = (self.clone(), locked.clone());
        blocking(move || Ok(store.put_blocking(locked.key(), bytes))).await?
    }

    fn put_blocking(&self, digest: &Digest, bytes: Bytes) -> Result<u64, UploadError> {
        let found = digest_of(digest.algorithm(), &bytes);
        if found != *digest {
            return Err(UploadError::Mismatch { expected: digest.clone(), found });
        }
        let size = bytes.len() as u64;
        if self.is_kept(digest, size)? {
            return Ok(size);
        }
        self.check_room()?;
        let number = self.staged.fetch_add(1, Ordering::Relaxed);
        let staged = self.layout.staging().join(number.to_string());
        let kept = self.files.create(&staged).and_then(|file| {
            file.write_at(0, &[bytes])?;
            self.seal(&*file, &staged, digest)
        });
        if kept.is_err() {
            // What cannot be removed now is removed at the next start.
            let _ = self.files.remove(&staged);
        }
        kept?;
        Ok(size)
    }

    /// Gives a file that was hashed the name of its digest. Blocks.
    ///
    /// The order is what makes a receipt true: the bytes, then the name, each one durable before
    /// the next step. A file that has the name already, and that nobody vouches for, is replaced:
    /// this one is known to be right.
    pub(crate) fn seal(&self, file: &dyn File, from: &Path, digest: &Digest) -> io::Result<()> {
        file.sync()?;
        let folder = self.layout.blob_folder(digest);
        self.make_durable_folder(&folder)?;
        self.files.rename(from, &self.layout.blob(digest))?;
        self.files.sync_folder(&folder)?;
        self.damage.forget(digest);
        self.checks.note(digest, file.metadata()?, (self.options.now_ms)());
        Ok(())
    }

    /// Whether the blob is here, of that size, hashed not long ago and unchanged since: then it
    /// need not be written again.
    fn vouches_for(&self, digest: &Digest, size: u64) -> io::Result<bool> {
        if self.damage.is_noted(digest) {
            return Ok(false);
        }
        let found = self.files.metadata(&self.layout.blob(digest))?;
        Ok(found.is_some_and(|found| found.length == size && !self.is_stale(digest, found)))
    }

    /// Whether a blob of that size is here, was hashed not long ago, has not changed since, and
    /// would survive a power cut. Whoever gives a receipt for it holds its lock.
    pub async fn keeps(self: &Arc<Self>, locked: &Guard<Digest>, size: u64) -> io::Result<bool> {
        let (store, locked) = (self.clone(), locked.clone());
        blocking(move || store.is_kept(locked.key(), size)).await
    }

    /// As [`BlobStore::keeps`]. Blocks.
    pub(crate) fn is_kept(&self, digest: &Digest, size: u64) -> io::Result<bool> {
        if !self.vouches_for(digest, size)? {
            return Ok(false);
        }
        // Whoever gave it its name may have been killed before this.
        let folder = self.layout.blob_folder(digest);
        self.make_durable_folder(&folder)?;
        self.files.sync_folder(&folder)?;
        Ok(true)
    }

    /// Makes a folder and sees to it that its name survives a power cut. A folder that is there may
    /// have been made by a life of this process that ended before it could see to that.
    fn make_durable_folder(&self, folder: &Path) -> io::Result<()> {
        let known = || self.durable_folders.lock().unwrap_or_else(PoisonError::into_inner);
        if known().contains(folder) {
            return Ok(());
        }
        self.files.create_folder(folder)?;
        if let Some(above) = folder.parent() {
            self.files.sync_folder(above)?;
        }
        known().insert(folder.to_owned());
        Ok(())
    }

    /// Every blob with its size, in the order of their names. Blocks while it is walked; blobs that
    /// come or go meanwhile may be seen or not.
    pub fn list(self: &Arc<Self>) -> List {
        List { store: self.clone(), folders: None, found: Vec::new().into_iter() }
    }

    /// Bytes that may still be written to the store's file system.
    pub fn free_bytes(&self) -> io::Result<u64> {
        self.files.free_bytes(self.layout.root())
    }

    /// # Errors
    ///
    /// `StorageFull` where fewer bytes are free than [`Options::free_min_bytes`].
    pub fn check_room(&self) -> io::Result<()> {
        let mark = self.options.free_min_bytes;
        if mark == 0 || self.free_bytes()? >= mark {
            return Ok(());
        }
        let text = format!("fewer than {} MiB are free, which are kept for metadata", mark >> 20);
        Err(io::Error::new(ErrorKind::StorageFull, text))
    }
}

/// Walks all blobs, one folder in memory at a time.
#[derive(Debug)]
pub struct List {
    store: Arc<BlobStore>,
    folders: Option<std::vec::IntoIter<(Algorithm, PathBuf)>>,
    found: std::vec::IntoIter<(Digest, PathBuf)>,
}

impl List {
    fn folders(&self) -> io::Result<Vec<(Algorithm, PathBuf)>> {
        let mut folders = Vec::new();
        for algorithm in Algorithm::ALL {
            let above = self.store.layout.algorithm(algorithm);
            let entries = self.store.files.list(&above)?;
            let inner = entries.into_iter().filter(|entry| entry.is_folder);
            folders.extend(inner.map(|entry| (algorithm, above.join(entry.name))));
        }
        Ok(folders)
    }

    fn read_folder(&mut self, algorithm: Algorithm, folder: &Path) -> io::Result<()> {
        let entries = self.store.files.list(folder)?;
        let blobs = entries.into_iter().filter_map(|entry| {
            // A file with another name is none of ours and is left alone.
            let digest = Digest::new(algorithm, &entry.name).ok()?;
            Some((digest, folder.join(entry.name)))
        });
        self.found = blobs.collect::<Vec<_>>().into_iter();
        Ok(())
    }
}

impl Iterator for List {
    type Item = io::Result<(Digest, u64)>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((digest, path)) = self.found.next() {
                match self.store.files.metadata(&path) {
                    Ok(Some(metadata)) => return Some(Ok((digest, metadata.length))),
                    // Removed since its folder was read.
                    Ok(None) => continue,
                    Err(error) => return Some(Err(error)),
                }
            }
            if self.folders.is_none() {
                match self.folders() {
                    Ok(folders) => self.folders = Some(folders.into_iter()),
                    Err(error) => {
                        self.folders = Some(Vec::new().into_iter());
                        return Some(Err(error));
                    }
                }
            }
            let (algorithm, folder) = self.folders.as_mut()?.next()?;
            if let Err(error) = self.read_folder(algorithm, &folder) {
                return Some(Err(error));
            }
        }
    }
}

/// Runs file calls on the blocking pool.
pub(crate) async fn blocking<T: Send + 'static>(
    call: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(call).await.unwrap_or_else(|gone| Err(io::Error::other(gone)))
}

#[cfg(test)]
mod tests;

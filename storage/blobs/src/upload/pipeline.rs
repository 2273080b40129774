//! The way of an upload's bytes: gathered, then written and hashed side by side.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use oci::digest::Algorithm;
use oci::verifier::Verifier;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::files::File;
use crate::lock::Guard;
use crate::path::UploadId;
use crate::store::BlobStore;

/// Pieces in a batch at most; more than one system call takes is of no use.
const PIECES_MAX: usize = 1024;
/// A batch below this size is written and hashed by one thread: waking another costs more.
const SPLIT_BYTES_MIN: u64 = 256 * 1024;

/// What is in the file, and the hash of exactly that.
type Written = Verifier;

/// One upload's writer.
#[derive(Debug)]
pub(crate) struct Pipeline {
    shared: Shared,
    /// As the file stood before the batch that is under way.
    written: Written,
    under_way: Option<(JoinHandle<io::Result<Written>>, u64)>,
    gathered: Vec<Bytes>,
    gathered_bytes: u64,
    saved_bytes: u64,
    syncing: Option<JoinHandle<io::Result<()>>>,
    synced_bytes: u64,
    sync_failed: Option<io::Error>,
}

/// What a batch needs on its thread. The lock goes along: nobody opens the upload while it writes.
#[derive(Clone, Debug)]
struct Shared {
    store: Arc<BlobStore>,
    held: Guard<UploadId>,
    file: Arc<dyn File>,
}

impl Shared {
    /// Writes a batch, unless the disk has just room for metadata. Blocks.
    fn write(&self, offset: u64, pieces: &[Bytes]) -> io::Result<()> {
        self.store.check_room()?;
        self.file.write_at(offset, pieces)
    }
}

impl Pipeline {
    /// Goes on behind the bytes that `verifier` has seen, which are in `file` and saved.
    pub(crate) fn new(
        store: Arc<BlobStore>,
        held: Guard<UploadId>,
        file: Arc<dyn File>,
        verifier: Verifier,
    ) -> Self {
        Self {
            saved_bytes: verifier.length(),
            synced_bytes: verifier.length(),
            written: verifier,
            shared: Shared { store, held, file },
            under_way: None,
            gathered: Vec::new(),
            gathered_bytes: 0,
            syncing: None,
            sync_failed: None,
        }
    }

    pub(crate) fn algorithms(&self) -> Vec<Algorithm> {
        self.written.algorithms()
    }

    pub(crate) fn offset(&self) -> u64 {
        let under_way = self.under_way.as_ref().map_or(0, |(_, bytes)| *bytes);
        self.written.length() + under_way + self.gathered_bytes
    }

    /// Whether everything taken is in the file and its hash state beside it.
    pub(crate) fn is_saved(&self) -> bool {
        self.offset() == self.saved_bytes
    }

    /// Takes bytes; hands a full batch over, once the one before it is done.
    pub(crate) async fn append(&mut self, bytes: Bytes) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.gathered_bytes += bytes.len() as u64;
        self.gathered.push(bytes);
        let full = self.gathered_bytes >= self.shared.store.options.batch_bytes as u64;
        if full || self.gathered.len() >= PIECES_MAX {
            self.settle().await?;
            self.hand_over();
        }
        Ok(())
    }

    /// Writes everything taken.
    pub(crate) async fn flush(&mut self) -> io::Result<()> {
        self.settle().await?;
        if self.gathered_bytes > 0 {
            self.hand_over();
            self.settle().await?;
        }
        Ok(())
    }

    /// Writes everything taken, and the state of its hash.
    pub(crate) async fn save(&mut self) -> io::Result<()> {
        self.flush().await?;
        if self.saved_bytes != self.written.length() {
            self.save_state().await?;
        }
        Ok(())
    }

    /// Waits for the batch under way. Where it failed, whatever was taken since is dropped and the
    /// file is cut back, so that offset, hash and file agree again.
    pub(crate) async fn settle(&mut self) -> io::Result<()> {
        let Some((job, _)) = &mut self.under_way else { return Ok(()) };
        let joined = job.await.unwrap_or_else(|gone| Err(io::Error::other(gone)));
        self.under_way = None;
        match joined {
            Ok(written) => self.written = written,
            Err(error) => {
                self.gathered.clear();
                self.gathered_bytes = 0;
                let (shared, length) = (self.shared.clone(), self.written.length());
                // A cut that fails is made good when the upload is sealed.
                let _ = spawn_blocking(move || shared.file.truncate(length)).await;
                return Err(error);
            }
        }
        if self.written.length() - self.saved_bytes >= self.shared.store.options.save_every_bytes {
            self.save_state().await?;
            self.begin_sync().await;
        }
        Ok(())
    }
}

impl Pipeline {
    /// Starts to write and to hash what was gathered, side by side.
    fn hand_over(&mut self) {
        let pieces = std::mem::take(&mut self.gathered);
        let bytes = std::mem::take(&mut self.gathered_bytes);
        let (shared, mut verifier) = (self.shared.clone(), self.written.clone());
        let offset = verifier.length();
        let job = if bytes < SPLIT_BYTES_MIN {
            spawn_blocking(move || {
                shared.write(offset, &pieces)?;
                for piece in &pieces {
                    verifier.update(piece);
                }
                Ok(verifier)
            })
        } else {
            let to_hash = pieces.clone();
            let write = spawn_blocking(move || shared.write(offset, &pieces));
            let hash = spawn_blocking(move || {
                for piece in &to_hash {
                    verifier.update(piece);
                }
                verifier
            });
            tokio::spawn(async move {
                let (written, hashed) = (write.await, hash.await);
                written.map_err(io::Error::other)??;
                hashed.map_err(io::Error::other)
            })
        };
        self.under_way = Some((job, bytes));
    }

    async fn save_state(&mut self) -> io::Result<()> {
        let (shared, written) = (self.shared.clone(), self.written.clone());
        let length = written.length();
        let save = move || shared.store.save_state(shared.held.key(), &written);
        spawn_blocking(save).await.map_err(io::Error::other)??;
        self.saved_bytes = length;
        Ok(())
    }

    /// Has the disk write now and then, so that the last fsync of a large upload is a short one.
    async fn begin_sync(&mut self) {
        if self.written.length() - self.synced_bytes < self.shared.store.options.save_every_bytes {
            return;
        }
        self.end_running_sync().await;
        self.synced_bytes = self.written.length();
        let shared = self.shared.clone();
        self.syncing = Some(spawn_blocking(move || shared.file.sync()));
    }

    async fn end_running_sync(&mut self) {
        let Some(job) = &mut self.syncing else { return };
        let synced = job.await.unwrap_or_else(|gone| Err(io::Error::other(gone)));
        self.syncing = None;
        if let Err(error) = synced {
            // Kept: the kernel tells of lost bytes once, and calls a later fsync good.
            self.sync_failed = Some(error);
        }
    }

    /// Waits for an fsync that is under way. An error means that bytes were lost for good.
    pub(crate) async fn end_sync(&mut self) -> io::Result<()> {
        self.end_running_sync().await;
        self.sync_failed.take().map_or(Ok(()), Err)
    }

    /// The file, and the hash of all that is in it. Everything was saved before.
    pub(crate) fn into_parts(self) -> (Arc<dyn File>, Verifier) {
        (self.shared.file, self.written)
    }
}

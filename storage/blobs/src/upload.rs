//! Uploads: bytes that come in pieces, over many requests, and become a blob at the end.
//!
//! Bytes are gathered into batches; a batch is written and hashed at the same time on the blocking
//! pool while the next one is gathered, so that an upload holds at most two batches in memory. The
//! state of the hash lies beside the bytes: an upload that is taken up again re-reads nothing,
//! after a kill at most what was written since the state was last saved.

use std::io::{self, ErrorKind};
use std::sync::Arc;

use bytes::Bytes;
use oci::digest::{Algorithm, Digest};
use oci::verifier::Verifier;

use crate::check;
use crate::files::File;
use crate::lock::Guard;
use crate::path::UploadId;
use crate::store::{BlobStore, blocking};
use crate::tap::{Tap, TapSource, tap};
use crate::upload::pipeline::Pipeline;

pub(crate) mod pipeline;

/// Why an upload did not go on.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// There is no such upload, or its bytes are lost: it must be started over.
    #[error("there is no such upload; start it over")]
    Unknown,
    /// The bytes do not hash to the digest that was asked for. The upload is gone.
    #[error("the bytes hash to {found}, not to {expected}; send the content again")]
    Mismatch {
        /// What the client named.
        expected: Digest,
        /// What arrived.
        found: Digest,
    },
    /// The disk is full. The bytes before this call are still there.
    #[error("the disk of this replica is full: {0}")]
    NoSpace(#[source] io::Error),
    /// The disk failed.
    #[error("the disk of this replica failed: {0}")]
    Io(#[source] io::Error),
}

impl From<io::Error> for UploadError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::NoSpace(error),
            _ => Self::Io(error),
        }
    }
}

impl From<UploadError> for io::Error {
    fn from(error: UploadError) -> Self {
        let kind = match &error {
            UploadError::Unknown => ErrorKind::NotFound,
            UploadError::Mismatch { .. } => ErrorKind::InvalidData,
            UploadError::NoSpace(_) => ErrorKind::StorageFull,
            UploadError::Io(inner) => inner.kind(),
        };
        Self::new(kind, error)
    }
}

/// An open upload. There is one at most for each id: who opens it again waits for this to be
/// dropped.
///
/// Dropped in the middle of a request, it saves what arrived, in the background.
#[derive(Debug)]
pub struct Upload {
    /// `None` only once the upload has ended.
    inner: Option<Inner>,
}

#[derive(Debug)]
struct Inner {
    store: Arc<BlobStore>,
    held: Guard<UploadId>,
    pipeline: Pipeline,
    tap: Option<TapSource>,
}

impl BlobStore {
    /// Starts an upload under a new id, hashed by `algorithms` as it arrives.
    ///
    /// An id that is on disk already is started over.
    pub async fn create_upload(
        self: &Arc<Self>,
        id: &str,
        algorithms: &[Algorithm],
    ) -> Result<Upload, UploadError> {
        let id = UploadId::parse(id).ok_or(UploadError::Unknown)?;
        let held = self.upload_locks.lock(&id).await;
        self.create_held(held, algorithms).await
    }

    /// Makes the file of a new upload.
    async fn create_held(
        self: &Arc<Self>,
        held: Guard<UploadId>,
        algorithms: &[Algorithm],
    ) -> Result<Upload, UploadError> {
        // The lock goes along: the file is made to its end, also where nobody waits any more.
        let (store, locked, verifier) = (self.clone(), held.clone(), Verifier::new(algorithms));
        let first = verifier.clone();
        let file = blocking(move || {
            let id = locked.key();
            store.check_room()?;
            store.files.create_folder(&store.layout.upload(id))?;
            let file = store.files.create(&store.layout.upload_data(id))?;
            // Without a state there is the one algorithm that everybody uses, from the first byte.
            let state = store.layout.upload_state(id);
            if first.algorithms() != [Algorithm::Sha256] || store.files.metadata(&state)?.is_some()
            {
                store.save_state(id, &first)?;
            }
            store.announced.remove(id);
            Ok(file)
        })
        .await?;
        Ok(Upload::new(self.clone(), held, file, verifier))
    }

    /// Takes up an upload where it stood, at its beginning where it was announced only. Waits while
    /// it is open elsewhere in this process.
    ///
    /// # Errors
    ///
    /// `Unknown` where there is none.
    pub async fn open_upload(self: &Arc<Self>, id: &str) -> Result<Upload, UploadError> {
        let id = UploadId::parse(id).ok_or(UploadError::Unknown)?;
        let held = self.upload_locks.lock(&id).await;
        self.open_held(held).await
    }

    /// As [`BlobStore::open_upload`]; one that is not there begins, hashed by `algorithms`.
    pub async fn open_or_create_upload(
        self: &Arc<Self>,
        id: &str,
        algorithms: &[Algorithm],
    ) -> Result<Upload, UploadError> {
        let id = UploadId::parse(id).ok_or(UploadError::Unknown)?;
        let held = self.upload_locks.lock(&id).await;
        match self.open_held(held.clone()).await {
            Err(UploadError::Unknown) => self.create_held(held, algorithms).await,
            opened => opened,
        }
    }

    async fn open_held(self: &Arc<Self>, held: Guard<UploadId>) -> Result<Upload, UploadError> {
        if let Some(algorithms) = self.announced.find(held.key()) {
            return self.create_held(held, &algorithms).await;
        }
        let (store, locked) = (self.clone(), held.clone());
        let resumed = blocking(move || Ok(store.resume_blocking(locked.key())));
        let (file, verifier) = resumed.await??;
        Ok(Upload::new(self.clone(), held, file, verifier))
    }

    /// Opens the file of an upload and brings the hash up to its end.
    fn resume_blocking(&self, id: &UploadId) -> Result<(Arc<dyn File>, Verifier), UploadError> {
        let file = match self.files.open_for_writing(&self.layout.upload_data(id)) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(UploadError::Unknown),
            Err(error) => return Err(error.into()),
        };
        let length = file.metadata()?.length;
        let saved = self.read_state(id)?.filter(|saved| saved.length() <= length);
        // Without a state the hash is taken again from the first byte.
        let mut verifier = saved.unwrap_or_else(|| Verifier::new(&[Algorithm::Sha256]));
        if verifier.length() < length {
            check::hash(&*file, &mut verifier, length, self.options.piece_bytes)?;
            self.save_state(id, &verifier)?;
        }
        Ok((file, verifier))
    }

    /// Writes the state of an upload's hash; a kill leaves the old one or the new one.
    fn save_state(&self, id: &UploadId, verifier: &Verifier) -> io::Result<()> {
        let new = self.layout.upload_state_new(id);
        self.files.create(&new)?.write_at(0, &[verifier.save().into()])?;
        self.files.rename(&new, &self.layout.upload_state(id))
    }

    /// Reads the state of an upload's hash; `None` where it is missing or does not read.
    fn read_state(&self, id: &UploadId) -> io::Result<Option<Verifier>> {
        let file = match self.files.open(&self.layout.upload_state(id)) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut buffer = [0; 1024];
        let length = file.read_at(0, &mut buffer)?;
        Ok(Verifier::resume(&buffer[..length]).ok())
    }
}

impl Upload {
    fn new(
        store: Arc<BlobStore>,
        held: Guard<UploadId>,
        file: Arc<dyn File>,
        verifier: Verifier,
    ) -> Self {
        let pipeline = Pipeline::new(store.clone(), held.clone(), file, verifier);
        Self { inner: Some(Inner { store, held, pipeline, tap: None }) }
    }

    fn inner(&self) -> &Inner {
        self.inner.as_ref().expect("an upload that ended is consumed")
    }

    fn inner_mut(&mut self) -> &mut Inner {
        self.inner.as_mut().expect("an upload that ended is consumed")
    }

    /// Its id.
    pub fn id(&self) -> &str {
        self.inner().held.key().as_str()
    }

    /// Bytes taken so far. A failure to write takes it back to what was written.
    pub fn offset(&self) -> u64 {
        self.inner().pipeline.offset()
    }

    /// The algorithms that hash as the bytes arrive.
    pub fn algorithms(&self) -> Vec<Algorithm> {
        self.inner().pipeline.algorithms()
    }

    /// A copy of all bytes from here on, for a reader that keeps up: at most `pieces_max` pieces
    /// wait for it. A tap opened before is closed.
    pub fn tap(&mut self, pieces_max: usize) -> Tap {
        let (source, reader) = tap(self.offset(), pieces_max);
        self.inner_mut().tap = Some(source);
        reader
    }

    /// Takes the next bytes. Waits where the disk or the hash is behind by more than one batch.
    ///
    /// The bytes are taken even when the caller stops waiting: [`Upload::offset`] tells.
    ///
    /// # Errors
    ///
    /// After an error the offset is what the file holds; the caller may go on from there.
    pub async fn append(&mut self, bytes: Bytes) -> Result<(), UploadError> {
        let inner = self.inner_mut();
        if let Some(tap) = &mut inner.tap {
            tap.offer(&bytes);
        }
        let taken = inner.pipeline.append(bytes).await;
        if taken.is_err() {
            // The stream it gave away is no longer the upload's.
            inner.tap = None;
        }
        Ok(taken?)
    }

    /// Writes what was taken and the state of its hash, so that a killed process resumes here.
    pub async fn save(&mut self) -> Result<(), UploadError> {
        Ok(self.inner_mut().pipeline.save().await?)
    }

    /// Ends the upload as the blob `digest`; returns its size once it would survive a power cut.
    ///
    /// # Errors
    ///
    /// `Mismatch` where the bytes hash otherwise: the upload is then gone. After `NoSpace` and
    /// `Io` it can be opened again, unless its bytes could not be made durable: then it is gone.
    pub async fn seal(self, digest: &Digest) -> Result<u64, UploadError> {
        let locked = self.inner().store.lock(digest).await;
        self.seal_locked(&locked).await
    }

    /// As [`Upload::seal`], for a caller that holds the digest's lock and keeps it while it gives a
    /// receipt.
    pub async fn seal_locked(mut self, locked: &Guard<Digest>) -> Result<u64, UploadError> {
        self.inner_mut().pipeline.flush().await?;
        let Some(mut inner) = self.inner.take() else { return Err(UploadError::Unknown) };
        let began = inner.pipeline.end_sync().await;
        let (file, verifier) = inner.pipeline.into_parts();
        let (store, held, locked) = (inner.store.clone(), inner.held.clone(), locked.clone());
        let sealed = blocking(move || {
            let upload = Sealing { store: &store, id: held.key(), file: &*file, verifier };
            Ok(upload.seal(locked.key(), began))
        });
        let size = sealed.await??;
        if let Some(tap) = &mut inner.tap {
            tap.end();
        }
        Ok(size)
    }

    /// Ends the upload and frees its bytes.
    pub async fn cancel(mut self) -> Result<(), UploadError> {
        let Some(mut inner) = self.inner.take() else { return Err(UploadError::Unknown) };
        // What is on its way to the disk must not land in a folder that was removed.
        let _ = inner.pipeline.settle().await;
        let (store, held) = (inner.store.clone(), inner.held.clone());
        blocking(move || Ok(store.remove_upload(held.key()))).await?
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let Some(mut inner) = self.inner.take() else { return };
        if inner.pipeline.is_saved() {
            return;
        }
        // A request that broke off: what arrived stays. The lock is held until it is written.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                if let Err(error) = inner.pipeline.save().await {
                    let id = inner.held.key().as_str();
                    tracing::warn!(upload = id, %error, "the end of an upload was not saved");
                }
            });
        }
    }
}

/// The last steps of an upload, on the blocking pool.
struct Sealing<'a> {
    store: &'a BlobStore,
    id: &'a UploadId,
    file: &'a dyn File,
    verifier: Verifier,
}

impl Sealing<'_> {
    fn seal(self, digest: &Digest, synced: io::Result<()>) -> Result<u64, UploadError> {
        let (store, id, file) = (self.store, self.id, self.file);
        let size = self.verifier.length();
        let length = file.metadata()?.length;
        if length != size {
            // Left by a write that failed half way; the hash knows nothing of it.
            file.truncate(size)?;
        }
        let found = self.digest(digest.algorithm())?;
        if found != *digest {
            store.remove_upload(id)?;
            return Err(UploadError::Mismatch { expected: digest.clone(), found });
        }
        if store.is_kept(digest, size)? {
            // What cannot be removed now is removed by the next start or sweep, here and below.
            let _ = store.remove_upload(id);
            return Ok(size);
        }
        // After a failed fsync the kernel may have dropped the bytes and call the next one good.
        if let Err(error) = synced.and_then(|()| file.sync()) {
            let _ = store.remove_upload(id);
            return Err(error.into());
        }
        store.seal(file, &store.layout.upload_data(id), digest)?;
        let _ = store.remove_upload(id);
        Ok(size)
    }

    /// The digest of all bytes; reads them once more where the algorithm was not announced.
    fn digest(&self, algorithm: Algorithm) -> io::Result<Digest> {
        let length = self.verifier.length();
        let of = |digest: &Digest| digest.algorithm() == algorithm;
        if let Some(found) = self.verifier.clone().finish().into_iter().find(of) {
            return Ok(found);
        }
        let mut verifier = Verifier::new(&[algorithm]);
        check::hash(self.file, &mut verifier, length, self.store.options.piece_bytes)?;
        verifier.finish().into_iter().next().ok_or_else(|| ErrorKind::InvalidData.into())
    }
}

#[cfg(test)]
mod tests;

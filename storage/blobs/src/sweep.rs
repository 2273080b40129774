//! Uploads that nobody will finish: what a start finds, what a cancel removes, what idles too long.

use std::io::{self, ErrorKind};
use std::sync::Arc;

use crate::path::UploadId;
use crate::store::{BlobStore, blocking};
use crate::upload::UploadError;

/// How the last life of this replica ended, which the caller knows by the machine's boot id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Boot {
    /// The machine ran on (or was shut down in order): what was written is there.
    SameBoot,
    /// The machine went down without a goodbye: what was not fsynced may be anything.
    PowerCut,
}

/// An upload on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StagedUpload {
    /// Its id.
    pub id: String,
    /// Bytes of it in the file.
    pub bytes: u64,
    /// Milliseconds since its last byte was written.
    pub idle_ms: u64,
}

impl BlobStore {
    /// The uploads on disk, open ones included. Blocks.
    pub fn list_uploads(&self) -> io::Result<Vec<StagedUpload>> {
        let mut uploads = Vec::new();
        for entry in self.files.list(&self.layout.uploads())? {
            if let Some(id) = UploadId::parse(&entry.name).filter(|_| entry.is_folder) {
                uploads.push(self.staged_upload(&id)?);
            }
        }
        Ok(uploads)
    }

    fn staged_upload(&self, id: &UploadId) -> io::Result<StagedUpload> {
        let now_ms = (self.options.now_ms)();
        // A folder without data was left between two steps of making or removing it.
        let data = self.files.metadata(&self.layout.upload_data(id))?;
        let modified_ms = data.map_or(0, |data| data.modified_ns / 1_000_000);
        Ok(StagedUpload {
            id: id.as_str().to_owned(),
            bytes: data.map_or(0, |data| data.length),
            idle_ms: now_ms.saturating_sub(u64::try_from(modified_ms).unwrap_or(0)),
        })
    }

    /// Decides at the start what becomes of the uploads of the last life: after a kill they may be
    /// resumed, after a power cut they are removed. Returns how many were removed. Blocks.
    pub fn adopt_after_start(&self, boot: Boot) -> io::Result<usize> {
        if boot == Boot::SameBoot {
            return Ok(0);
        }
        self.checks.forget_all();
        match self.files.remove(&self.layout.checked()) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut removed = 0;
        for entry in self.files.list(&self.layout.uploads())? {
            let path = self.layout.uploads().join(&entry.name);
            if entry.is_folder {
                self.files.remove_folder(&path)?;
            } else {
                self.files.remove(&path)?;
            }
            removed += 1;
        }
        Ok(removed)
    }

    /// Removes an upload that is not open, or waits until it is not; `Unknown` where there is none.
    pub async fn cancel_upload(self: &Arc<Self>, id: &str) -> Result<(), UploadError> {
        let id = UploadId::parse(id).ok_or(UploadError::Unknown)?;
        let held = self.upload_locks.lock(&id).await;
        let was_announced = self.announced.remove(&id);
        let store = self.clone();
        // The lock goes along, as wherever an upload's files change.
        match blocking(move || Ok(store.remove_upload(held.key()))).await? {
            // No file was made yet, or half of what is needed.
            Err(UploadError::Unknown) if was_announced => Ok(()),
            removed => removed,
        }
    }

    /// Removes the uploads that saw no byte for `idle_max_ms`; returns how many.
    pub async fn sweep_uploads(self: &Arc<Self>, idle_max_ms: u64) -> io::Result<usize> {
        let store = self.clone();
        let mut idle = blocking(move || store.list_uploads()).await?;
        idle.retain(|upload| upload.idle_ms >= idle_max_ms);
        let mut removed = self.sweep_announced(idle_max_ms);
        for upload in idle {
            let Some(id) = UploadId::parse(&upload.id) else { continue };
            // One that is open is not idle, whatever its file says.
            let Some(held) = self.upload_locks.try_lock(&id) else { continue };
            let store = self.clone();
            let idle = move || store.remove_idle(held.key(), idle_max_ms);
            removed += usize::from(blocking(idle).await?);
        }
        Ok(removed)
    }

    /// Removes an upload whose lock is held, unless bytes came before the lock did.
    fn remove_idle(&self, id: &UploadId, idle_max_ms: u64) -> io::Result<bool> {
        if self.staged_upload(id)?.idle_ms < idle_max_ms {
            return Ok(false);
        }
        match self.remove_upload(id) {
            Ok(()) => Ok(true),
            Err(UploadError::Unknown) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes the folder of an upload whose lock is held. Blocks.
    pub(crate) fn remove_upload(&self, id: &UploadId) -> Result<(), UploadError> {
        match self.files.remove_folder(&self.layout.upload(id)) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(UploadError::Unknown),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests;

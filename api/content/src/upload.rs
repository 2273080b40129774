//! One open upload: its stage, whose turn it is, and which other replicas have all its bytes.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use blobs::upload::{Upload, UploadError};
use metadata::receipts::Receipt;
use metadata::replica::ReplicaId;
use oci::digest::Digest;
use oci::name::RepositoryName;
use std::sync::Arc;
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard, watch};
use tokio::time::{Instant, timeout};

use crate::content::{Content, UploadMeta};
use crate::failure::ContentFailure;
use crate::upload_id::UploadId;

/// How far an upload is.
pub(crate) enum Stage {
    /// Takes bytes.
    Open(Upload),
    /// Its file is closed or not made yet: no byte came, none for a while, or the disk failed.
    Parked,
    /// A blob here, but the cluster does not know it yet: the close may be repeated.
    Sealed(Sealed),
    /// Committed, cancelled or lost.
    Ended,
}

/// Bytes that became a blob on this disk.
#[derive(Clone, Debug)]
pub(crate) struct Sealed {
    pub(crate) digest: Digest,
    pub(crate) size: u64,
    /// From those who sealed it as well, this replica among them.
    pub(crate) receipts: Vec<Receipt>,
}

impl Sealed {
    /// Whether a replica has said that it has the bytes.
    pub(crate) fn has_receipt_of(&self, replica: ReplicaId) -> bool {
        self.receipts.iter().any(|receipt| receipt.replica_id == replica)
    }
}

/// What a request works on when it is its turn.
pub(crate) struct Work {
    pub(crate) stage: Stage,
    /// The other replicas that have all bytes so far.
    pub(crate) lanes: Vec<ReplicaId>,
}

/// An upload that this replica takes bytes for.
pub(crate) struct OpenUpload {
    pub(crate) id: UploadId,
    pub(crate) meta: UploadMeta,
    work: Arc<AsyncMutex<Work>>,
    /// Grows when a request gives up waiting: the one at work sees it and ends.
    turn: watch::Sender<u64>,
    touched: Mutex<Instant>,
}

/// A request's turn: nobody else works on the upload as long as it lives.
pub(crate) struct Turn {
    pub(crate) work: OwnedMutexGuard<Work>,
    superseded: watch::Receiver<u64>,
}

impl OpenUpload {
    pub(crate) fn new(id: UploadId, meta: UploadMeta, stage: Stage, lanes: Vec<ReplicaId>) -> Self {
        Self {
            id,
            meta,
            work: Arc::new(AsyncMutex::new(Work { stage, lanes })),
            turn: watch::Sender::new(0),
            touched: Mutex::new(Instant::now()),
        }
    }

    /// The repository it was opened for.
    pub(crate) fn repository(&self) -> &RepositoryName {
        &self.meta.repository
    }

    /// Waits for an earlier request to end, and after `patience` takes its place.
    pub(crate) async fn take_turn(&self, patience: Duration) -> Turn {
        self.touch();
        let waiting = Arc::clone(&self.work).lock_owned();
        tokio::pin!(waiting);
        let work = loop {
            match timeout(patience, &mut waiting).await {
                Ok(work) => break work,
                // Again and again: who got the lock meanwhile sees only what comes after.
                Err(_) => self.turn.send_modify(|turn| *turn += 1),
            }
        };
        Turn { work, superseded: self.turn.subscribe() }
    }

    /// The turn, if nobody works on the upload now.
    pub(crate) fn try_turn(&self) -> Option<Turn> {
        let work = Arc::clone(&self.work).try_lock_owned().ok()?;
        Some(Turn { work, superseded: self.turn.subscribe() })
    }

    /// Notes that a request came.
    pub(crate) fn touch(&self) {
        *self.touched.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// How long no request came.
    pub(crate) fn idle(&self) -> Duration {
        self.touched.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }
}

impl Turn {
    /// Waits until a later request takes the place of this one.
    pub(crate) async fn superseded(&mut self) {
        if self.superseded.changed().await.is_err() {
            // The upload is forgotten; whoever is at work goes on to its end.
            std::future::pending::<()>().await;
        }
    }
}

impl Work {
    /// The upload, opened again where it was parked, and where it stands.
    pub(crate) async fn open(
        &mut self,
        content: &Content,
        id: &UploadId,
    ) -> Result<&mut Upload, ContentFailure> {
        if matches!(self.stage, Stage::Parked) {
            let opened = content.shared.store.open_upload(&id.to_string()).await;
            if matches!(opened, Err(UploadError::Unknown)) {
                // Nothing of it is left: it must not count against its account any longer.
                self.stage = Stage::Ended;
                content.shared.uploads.remove(id);
            }
            self.stage = Stage::Open(opened.map_err(|error| failure("opening an upload", error))?);
        }
        match &mut self.stage {
            Stage::Open(upload) => Ok(upload),
            Stage::Sealed(sealed) => Err(ContentFailure::OffsetMismatch { offset: sealed.size }),
            Stage::Parked | Stage::Ended => Err(ContentFailure::UploadUnknown),
        }
    }

    /// Whether no byte of the upload has come yet.
    pub(crate) fn is_untouched(&self, content: &Content, id: &UploadId) -> bool {
        matches!(self.stage, Stage::Parked) && content.shared.store.is_announced(&id.to_string())
    }

    /// Closes the file of an upload for which no request came for a while.
    pub(crate) async fn park(&mut self) {
        if let Stage::Open(upload) = &mut self.stage
            && upload.save().await.is_ok()
        {
            self.stage = Stage::Parked;
        }
    }
}

/// What a failed disk operation means for a request.
pub(crate) fn failure(doing: &str, error: UploadError) -> ContentFailure {
    match error {
        UploadError::Unknown => ContentFailure::UploadUnknown,
        UploadError::Mismatch { expected, .. } => ContentFailure::DigestMismatch { expected },
        UploadError::NoSpace(_) => ContentFailure::NoRoom,
        UploadError::Io(error) => ContentFailure::disk(doing, &error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use metadata::replica::MemberNumber;

    fn upload() -> OpenUpload {
        let repository = RepositoryName::parse("a/b").unwrap();
        let meta = UploadMeta { repository, account: "ann".into(), voucher: None };
        let id = UploadId::new(MemberNumber(1), None, [1; 12]);
        OpenUpload::new(id, meta, Stage::Parked, Vec::new())
    }

    #[tokio::test(start_paused = true)]
    async fn a_later_request_waits_and_then_takes_the_place_of_the_earlier() {
        let upload = Arc::new(upload());
        let patience = Duration::from_secs(5);
        let mut first = upload.take_turn(patience).await;
        let began = Instant::now();
        let second = tokio::spawn({
            let upload = Arc::clone(&upload);
            async move { upload.take_turn(patience).await }
        });
        first.superseded().await;
        assert_eq!(began.elapsed(), patience);
        drop(first);
        let mut second = second.await.unwrap();
        assert!(
            timeout(patience, second.superseded()).await.is_err(),
            "the second is not superseded"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_ends_in_time_is_not_superseded() {
        let upload = upload();
        let first = upload.take_turn(Duration::from_secs(5)).await;
        drop(first);
        let began = Instant::now();
        let _second = upload.take_turn(Duration::from_secs(5)).await;
        assert_eq!(began.elapsed(), Duration::ZERO);
        assert!(upload.try_turn().is_none());
    }
}

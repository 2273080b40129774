//! A small blob that comes whole with the request that closes its upload: every holder keeps it at
//! one stroke, and no disk sees a staged upload.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use metadata::replica::ReplicaId;
use oci::digest::Digest;
use tokio::sync::OwnedSemaphorePermit;
use transfer::WHOLE_BYTES_MAX;

use crate::commit::Coming;
use crate::content::{ByteStream, Content};
use crate::failure::ContentFailure;
use crate::upload::{OpenUpload, Sealed, Stage, Turn};
use crate::upload_id::UploadId;

/// What came of gathering a body.
pub(crate) enum Small {
    /// All of it.
    Whole(Bytes),
    /// It is larger, broke off, or there is no memory for it now: to be taken in as any other.
    Rest(ByteStream),
}

/// A whole blob in memory with its share of the replica's bound, which goes wherever the bytes go.
struct Held {
    bytes: Bytes,
    _share: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Content {
    /// Takes a body into memory as long as it may be a small one.
    pub(crate) async fn gather_small(
        &self,
        turn: &mut Turn,
        mut body: ByteStream,
    ) -> Result<Small, ContentFailure> {
        // Copied: a piece may be a small part of a buffer that it keeps alive.
        let (mut bytes, mut share) = (BytesMut::new(), None);
        loop {
            let next = tokio::select! {
                biased;
                () = turn.superseded() => return Err(ContentFailure::Superseded { offset: 0 }),
                next = body.next() => next,
            };
            match next {
                None => {
                    let bytes = bytes.freeze();
                    return Ok(Small::Whole(match share {
                        Some(share) => Bytes::from_owner(Held { bytes, _share: share }),
                        None => bytes,
                    }));
                }
                Some(Ok(piece)) if self.fits(bytes.len() + piece.len(), &mut share) => {
                    bytes.extend_from_slice(&piece);
                }
                Some(last) => {
                    let came = Some(bytes.freeze()).filter(|came| !came.is_empty()).map(Ok);
                    let came = futures::stream::iter(came.into_iter().chain([last]));
                    return Ok(Small::Rest(came.chain(body).boxed()));
                }
            }
        }
    }

    /// Whether so many bytes may be held, and takes their share of the bound.
    fn fits(&self, bytes: usize, share: &mut Option<OwnedSemaphorePermit>) -> bool {
        let is_allowed = self.layer_bytes_max().is_none_or(|max| bytes as u64 <= max);
        if bytes > WHOLE_BYTES_MAX || !is_allowed {
            return false;
        }
        let held = share.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let missing = bytes.div_ceil(1024).saturating_sub(held);
        if missing == 0 {
            return true;
        }
        let kib = u32::try_from(missing).unwrap_or(u32::MAX);
        // Nobody waits: what finds no room in memory goes to the disk.
        let Ok(more) = Arc::clone(&self.shared.small).try_acquire_many_owned(kib) else {
            return false;
        };
        match share {
            Some(share) => share.merge(more),
            None => *share = Some(more),
        }
        true
    }

    /// Keeps a small blob on this disk and at the other holders, as the close of an upload of which
    /// no byte came before.
    pub(crate) async fn keep_small(
        &self,
        upload: &OpenUpload,
        turn: &mut Turn,
        digest: &Digest,
        bytes: Bytes,
    ) -> Result<(Sealed, Coming), ContentFailure> {
        let size = bytes.len() as u64;
        let lanes = std::mem::take(&mut turn.work.lanes);
        let mut coming = self.put_at(&lanes, digest, &bytes, Some(&upload.id));
        let own = match self.keep_here(digest, bytes).await {
            Ok(own) => own,
            Err(failure) => {
                turn.work.lanes = lanes;
                if matches!(failure, ContentFailure::DigestMismatch { .. }) {
                    self.refuse_untouched(upload, turn).await;
                }
                return Err(failure);
            }
        };
        self.shared.store.forget_announced(&upload.id.to_string());
        let mut sealed = Sealed { digest: digest.clone(), size, receipts: vec![own] };
        // From here on the close can be repeated without the bytes.
        turn.work.stage = Stage::Sealed(sealed.clone());
        let gathered = self.gather(&mut sealed, &mut coming).await;
        let told = lanes.first().filter(|second| !sealed.has_receipt_of(**second));
        self.cancel_soon(told.copied(), upload.id);
        gathered?;
        turn.work.stage = Stage::Sealed(sealed.clone());
        Ok((sealed, coming))
    }

    /// Forgets an upload of which no byte was written, here and at the second replica.
    pub(crate) fn end_untouched(&self, upload: &OpenUpload, turn: &mut Turn) {
        turn.work.stage = Stage::Ended;
        self.shared.store.forget_announced(&upload.id.to_string());
        self.cancel_soon(std::mem::take(&mut turn.work.lanes).first().copied(), upload.id);
    }

    /// The same where the bytes are wrong. Whoever is told so finds the upload nowhere any more, so
    /// the second replica, which would take it over, has forgotten it by then.
    pub(crate) async fn refuse_untouched(&self, upload: &OpenUpload, turn: &mut Turn) {
        let second = turn.work.lanes.first().copied();
        turn.work.lanes.clear();
        self.end_untouched(upload, turn);
        self.cancel_at(second.as_slice(), &upload.id).await;
    }

    /// Has the second replica forget an upload that it was told of. Nobody waits for it: one that
    /// is not reached forgets it by itself, later.
    fn cancel_soon(&self, second: Option<ReplicaId>, id: UploadId) {
        let Some(second) = second else { return };
        let content = self.clone();
        tokio::spawn(async move { content.cancel_at(&[second], &id).await });
    }
}

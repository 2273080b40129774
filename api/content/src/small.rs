//! A small blob that comes whole with the request that closes its upload: every holder keeps it at
//! one stroke, and no disk sees a staged upload.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use oci::digest::Digest;
use tokio::sync::OwnedSemaphorePermit;
use transfer::WHOLE_BYTES_MAX;

use crate::commit::Coming;
use crate::content::{ByteStream, Content};
use crate::failure::ContentFailure;
use crate::upload::{OpenUpload, Sealed, Stage, Turn};

/// What came of gathering a body.
pub(crate) enum Small {
    /// All of it.
    Whole(Gathered),
    /// It is larger, broke off, or there is no memory for it now: to be taken in as any other.
    Rest(ByteStream),
}

/// A whole body in memory, with its share of the replica's bound.
pub(crate) struct Gathered {
    bytes: Bytes,
    _share: Option<OwnedSemaphorePermit>,
}

impl Content {
    /// Takes a body into memory as long as it may be a small one.
    pub(crate) async fn gather_small(
        &self,
        turn: &mut Turn,
        mut body: ByteStream,
    ) -> Result<Small, ContentFailure> {
        let (mut pieces, mut bytes, mut share) = (Vec::new(), 0, None);
        loop {
            let next = tokio::select! {
                biased;
                () = turn.superseded() => return Err(ContentFailure::Superseded { offset: 0 }),
                next = body.next() => next,
            };
            match next {
                None => {
                    let bytes = joined(pieces);
                    return Ok(Small::Whole(Gathered { bytes, _share: share }));
                }
                Some(Ok(piece)) if self.fits(bytes + piece.len(), &mut share) => {
                    bytes += piece.len();
                    pieces.push(piece);
                }
                Some(last) => {
                    let came = futures::stream::iter(pieces.into_iter().map(Ok).chain([last]));
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
        let Ok(more) = Arc::clone(&self.shared.in_flight).try_acquire_many_owned(kib) else {
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
        gathered: Gathered,
    ) -> Result<(Sealed, Coming), ContentFailure> {
        let size = gathered.bytes.len() as u64;
        let lanes = std::mem::take(&mut turn.work.lanes);
        let mut coming = self.put_at(&lanes, digest, &gathered.bytes, Some(&upload.id));
        let own = match self.keep_here(digest, gathered.bytes.clone()).await {
            Ok(own) => own,
            Err(failure) => {
                turn.work.lanes = lanes;
                if matches!(failure, ContentFailure::DigestMismatch { .. }) {
                    self.end_untouched(upload, turn);
                }
                return Err(failure);
            }
        };
        self.shared.store.forget_announced(&upload.id.to_string());
        let mut sealed = Sealed { digest: digest.clone(), size, receipts: vec![own] };
        // From here on the close can be repeated without the bytes.
        turn.work.stage = Stage::Sealed(sealed.clone());
        self.gather(&mut sealed, &mut coming).await?;
        turn.work.stage = Stage::Sealed(sealed.clone());
        Ok((sealed, coming))
    }

    /// Forgets an upload of which no byte was written, here and at the second replica.
    pub(crate) fn end_untouched(&self, upload: &OpenUpload, turn: &mut Turn) {
        turn.work.stage = Stage::Ended;
        self.shared.store.forget_announced(&upload.id.to_string());
        let second: Vec<_> = std::mem::take(&mut turn.work.lanes).into_iter().take(1).collect();
        let (content, id) = (self.clone(), upload.id);
        // Nobody waits for it: one that is not reached forgets it by itself, later.
        tokio::spawn(async move { content.cancel_at(&second, &id).await });
    }
}

fn joined(mut pieces: Vec<Bytes>) -> Bytes {
    if pieces.len() == 1 {
        return pieces.swap_remove(0);
    }
    let mut joined = BytesMut::with_capacity(pieces.iter().map(Bytes::len).sum());
    for piece in pieces {
        joined.extend_from_slice(&piece);
    }
    joined.freeze()
}

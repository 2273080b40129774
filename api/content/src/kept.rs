//! A blob that the cluster has already: what a client sends again is compared, not written.
//!
//! The client must still show that it has the content: every byte is taken and hashed. But when a
//! write quorum says just now that the bytes are on their disks, and were hashed there lately,
//! nothing of it goes to a disk or to another replica again.
//!
//! That is quicker, and ends at once where more comes than the blob has. So it is done only for
//! those who may read the blob somewhere: everybody else could find out what others keep here, and
//! how large it is.

use std::time::Duration;

use bytes::Bytes;
use consensus::cluster::Freshness;
use futures::StreamExt;
use metadata::access;
use metadata::blobs::{self, State};
use metadata::replica::ReplicaId;
use oci::digest::Digest;
use oci::verifier::Verifier;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;

use crate::commit::Coming;
use crate::content::{ByteStream, Content};
use crate::failure::ContentFailure;
use crate::receipts::from_peer;
use crate::upload::{OpenUpload, Sealed, Stage, Turn};

/// A holder that gives no receipt within this counts for none.
const RECEIPT_MAX: Duration = Duration::from_secs(1);

/// Bytes that are hashed at once; as many are gathered meanwhile.
const BATCH_BYTES: usize = 512 * 1024;
/// Pieces in them.
const PIECES_MAX: usize = 1024;
/// A piece below this is copied.
const COPIED_BYTES_MAX: usize = 8 * 1024;

impl Content {
    /// Whether the account may read the blob in some repository.
    pub(crate) async fn is_seen_by(
        &self,
        account: &str,
        digest: &Digest,
    ) -> Result<bool, ContentFailure> {
        let read = self.shared.cluster.read(Freshness::Local, |view| {
            let caller = access::caller(view, account)?.unwrap_or_default();
            blobs::readable_anywhere(view, &caller, digest)
        });
        Ok(read.await?.is_some())
    }

    /// Fresh receipts of a write quorum for a blob, where the cluster has it.
    pub(crate) async fn kept_already(
        &self,
        digest: &Digest,
    ) -> Result<Option<Sealed>, ContentFailure> {
        let Some((row, holders)) = self.row(digest).await? else { return Ok(None) };
        debug_assert_eq!(row.state, State::Live);
        let field = self.field().await?;
        let own = self.vouched_here(digest, row.size).await?;
        let mut sealed =
            Sealed { digest: digest.clone(), size: row.size, receipts: own.into_iter().collect() };
        let mut coming = Coming::default();
        let others: Vec<ReplicaId> = holders
            .into_iter()
            .filter(|holder| *holder != field.own && field.votes(*holder))
            .filter(|holder| field.is_live(*holder))
            .collect();
        for replica in others {
            let (client, digest) = (self.shared.client.clone(), digest.clone());
            let to = replica.to_string();
            coming.ask(replica, async move { client.blob_vouched(&to, &digest, row.size).await });
        }
        while field.counted(&sealed.receipts) < field.write {
            match timeout(RECEIPT_MAX, coming.next()).await {
                Ok(Some((_, Ok(receipt)))) => sealed.receipts.extend(from_peer(receipt)),
                // One that is listed and has none: all the more reason to take the bytes.
                Ok(Some((_, Err(_)))) => {}
                Ok(None) | Err(_) => return Ok(None),
            }
        }
        Ok(Some(sealed))
    }

    /// Takes a body to its end and compares it with a blob that is kept.
    ///
    /// # Errors
    ///
    /// Where the body breaks off the upload is where it was: at its beginning.
    pub(crate) async fn compare(
        &self,
        upload: &OpenUpload,
        turn: &mut Turn,
        mut body: ByteStream,
        kept: Sealed,
    ) -> Result<Sealed, ContentFailure> {
        let mut hashing = Hashing::new(&kept.digest);
        loop {
            let next = tokio::select! {
                biased;
                () = turn.superseded() => return Err(ContentFailure::Superseded { offset: 0 }),
                next = body.next() => next,
            };
            let bytes = match next {
                None => break,
                Some(Ok(bytes)) => bytes,
                Some(Err(error)) => {
                    tracing::debug!(upload = %upload.id, %error, "the body broke off");
                    return Err(ContentFailure::BodyBroken { offset: 0 });
                }
            };
            hashing.append(bytes).await?;
            if let Some(bytes_max) = self.layer_bytes_max().filter(|max| hashing.bytes > *max) {
                self.shared.uploads.remove(&upload.id);
                self.refuse_untouched(upload, turn).await;
                return Err(ContentFailure::TooLarge { bytes_max });
            }
            if hashing.bytes > kept.size {
                break;
            }
        }
        let is_same = hashing.bytes == kept.size && hashing.is(&kept.digest).await?;
        if !is_same {
            self.refuse_untouched(upload, turn).await;
            return Err(ContentFailure::DigestMismatch { expected: kept.digest });
        }
        self.end_untouched(upload, turn);
        let kept = self.still_kept(kept).await?.ok_or_else(|| {
            self.shared.uploads.remove(&upload.id);
            ContentFailure::UploadUnknown
        })?;
        turn.work.stage = Stage::Sealed(kept.clone());
        Ok(kept)
    }
}

impl Content {
    /// The same with a fresh receipt of this replica, since a long body may have come in between;
    /// `None` where its copy was needed and is gone. The client then starts over, and is not
    /// compared again.
    async fn still_kept(&self, mut kept: Sealed) -> Result<Option<Sealed>, ContentFailure> {
        let field = self.field().await?;
        if kept.has_receipt_of(field.own) {
            let own = self.vouched_here(&kept.digest, kept.size).await?;
            kept.receipts.retain(|receipt| receipt.replica_id != field.own);
            kept.receipts.extend(own);
        }
        Ok(Some(kept).filter(|kept| field.counted(&kept.receipts) >= field.write))
    }
}

/// A hash that is taken on another thread while the next bytes come.
struct Hashing {
    under_way: JoinHandle<Verifier>,
    gathered: Vec<Bytes>,
    gathered_bytes: usize,
    bytes: u64,
}

impl Hashing {
    fn new(digest: &Digest) -> Self {
        let verifier = Verifier::new(&[digest.algorithm()]);
        let under_way = tokio::spawn(async move { verifier });
        Self { under_way, gathered: Vec::new(), gathered_bytes: 0, bytes: 0 }
    }

    async fn append(&mut self, bytes: Bytes) -> Result<(), ContentFailure> {
        self.bytes += bytes.len() as u64;
        self.gathered_bytes += bytes.len();
        // A small piece may keep a large buffer alive.
        let is_small = bytes.len() < COPIED_BYTES_MAX;
        self.gathered.push(if is_small { Bytes::copy_from_slice(&bytes) } else { bytes });
        let is_full = self.gathered_bytes >= BATCH_BYTES || self.gathered.len() >= PIECES_MAX;
        if is_full { self.hand_over().await } else { Ok(()) }
    }

    /// Hashes what was gathered, once what was gathered before is hashed.
    async fn hand_over(&mut self) -> Result<(), ContentFailure> {
        let mut verifier = self.settled().await?;
        let pieces = std::mem::take(&mut self.gathered);
        self.gathered_bytes = 0;
        self.under_way = spawn_blocking(move || {
            for piece in &pieces {
                verifier.update(piece);
            }
            verifier
        });
        Ok(())
    }

    async fn settled(&mut self) -> Result<Verifier, ContentFailure> {
        let settled = (&mut self.under_way).await;
        settled.map_err(|error| ContentFailure::Fault(format!("hashing ended early: {error}")))
    }

    /// Whether all bytes hash to `digest`.
    async fn is(mut self, digest: &Digest) -> Result<bool, ContentFailure> {
        self.hand_over().await?;
        Ok(self.settled().await?.finish().contains(digest))
    }
}

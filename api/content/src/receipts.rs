//! This replica's word that it has a blob, and the words of others.

use std::io;

use blobs::check::Checked;
use metadata::receipts::Receipt;
use metadata::replica::ReplicaId;
use oci::digest::Digest;
use transfer::receipt::ReceiptSource;

use crate::content::Content;
use crate::failure::ContentFailure;

impl ReceiptSource for Content {
    fn position(&self, digest: &Digest) -> transfer::receipt::Receipt {
        let Receipt { replica_id, incarnation, applied_index, generation } =
            self.own_receipt(digest);
        let replica_id = replica_id.to_string();
        transfer::receipt::Receipt { replica_id, incarnation, applied_index, generation }
    }
}

impl Content {
    /// A receipt of this replica; the digest's lock is held by the caller. From now on only a
    /// release that this replica has not applied yet lets it unlink the file.
    pub(crate) fn own_receipt(&self, digest: &Digest) -> Receipt {
        let cluster = &self.shared.cluster;
        let applied_index = cluster.applied_index();
        self.shared.given.note(digest, applied_index);
        Receipt {
            replica_id: cluster.replica_id(),
            incarnation: cluster.incarnation().to_owned(),
            applied_index,
            // For people who read logs; the rule counts releases after the index.
            generation: 0,
        }
    }

    /// A receipt of this replica if it has the blob, of `size` bytes. A file that nobody has hashed
    /// lately is hashed first: it may be of a former life of this folder.
    pub(crate) async fn receipt_if_here(
        &self,
        digest: &Digest,
        size: u64,
    ) -> Result<Option<Receipt>, ContentFailure> {
        if !self.has(digest, size)? {
            return Ok(None);
        }
        let (store, looking) = (&self.shared.store, "looking for a blob");
        let locked = store.lock(digest).await;
        let failed = |error: io::Error| ContentFailure::disk(looking, &error);
        if !store.keeps(&locked, size).await.map_err(failed)? {
            let checked = store.check(digest).await.map_err(failed)?;
            if checked != Checked::Right || !store.keeps(&locked, size).await.map_err(failed)? {
                return Ok(None);
            }
        }
        Ok(Some(self.own_receipt(digest)))
    }

    /// A receipt of this replica if it has the blob, of `size` bytes, and has hashed it lately.
    pub(crate) async fn vouched_here(
        &self,
        digest: &Digest,
        size: u64,
    ) -> Result<Option<Receipt>, ContentFailure> {
        let locked = self.shared.store.lock(digest).await;
        let vouched = self.shared.store.keeps(&locked, size).await;
        let vouched =
            vouched.map_err(|error| ContentFailure::disk("looking for a blob", &error))?;
        Ok(vouched.then(|| self.own_receipt(digest)))
    }

    /// A receipt of this replica if it has the blob, of `size` bytes, hashed now unless it was
    /// lately: for a file whose past nobody knows.
    pub(crate) async fn checked_receipt(
        &self,
        digest: &Digest,
        size: u64,
    ) -> Result<Option<Receipt>, ContentFailure> {
        if !self.has(digest, size)? {
            return Ok(None);
        }
        if let Some(receipt) = self.vouched_here(digest, size).await? {
            return Ok(Some(receipt));
        }
        let checked = self.shared.store.check(digest).await;
        match checked.map_err(|error| ContentFailure::disk("checking a blob", &error))? {
            Checked::Right => self.vouched_here(digest, size).await,
            Checked::Damaged | Checked::Absent => Ok(None),
        }
    }

    /// Whether the blob is on this disk, with the size it should have.
    pub(crate) fn has(&self, digest: &Digest, size: u64) -> Result<bool, ContentFailure> {
        let found = self.shared.store.size_of(digest);
        let found =
            found.map_err(|error: io::Error| ContentFailure::disk("looking for a blob", &error))?;
        Ok(found == Some(size))
    }
}

/// A peer's receipt as the state machine takes it; `None` where its id is none.
pub(crate) fn from_peer(receipt: transfer::receipt::Receipt) -> Option<Receipt> {
    Some(Receipt {
        replica_id: ReplicaId::parse(&receipt.replica_id).ok()?,
        incarnation: receipt.incarnation,
        applied_index: receipt.applied_index,
        generation: receipt.generation,
    })
}

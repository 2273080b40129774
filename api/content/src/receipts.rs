//! This replica's word that it has a blob, and the words of others.

use std::io;

use metadata::receipts::Receipt;
use metadata::replica::ReplicaId;
use oci::digest::Digest;
use transfer::receipt::ReceiptSource;

use crate::content::Content;
use crate::failure::ContentFailure;

impl ReceiptSource for Content {
    fn position(&self, digest: &Digest) -> transfer::receipt::Receipt {
        let _ = digest;
        let cluster = &self.shared.cluster;
        transfer::receipt::Receipt {
            replica_id: cluster.replica_id().to_string(),
            incarnation: cluster.incarnation().to_owned(),
            applied_index: cluster.applied_index(),
            // For people who read logs; the rule counts releases after the index.
            generation: 0,
        }
    }
}

impl Content {
    /// A receipt of this replica; the digest's lock is held by the caller.
    pub(crate) fn own_receipt(&self) -> Receipt {
        let cluster = &self.shared.cluster;
        Receipt {
            replica_id: cluster.replica_id(),
            incarnation: cluster.incarnation().to_owned(),
            applied_index: cluster.applied_index(),
            generation: 0,
        }
    }

    /// A receipt of this replica if it has the blob, of `size` bytes.
    pub(crate) async fn receipt_if_here(
        &self,
        digest: &Digest,
        size: u64,
    ) -> Result<Option<Receipt>, ContentFailure> {
        let _locked = self.shared.store.lock(digest).await;
        Ok(self.has(digest, size)?.then(|| self.own_receipt()))
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
        Ok(vouched.then(|| self.own_receipt()))
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

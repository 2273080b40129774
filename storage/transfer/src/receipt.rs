//! A replica's word that it holds a blob on disk.

use oci::digest::Digest;
use serde::{Deserialize, Serialize};

/// Given by a holder under the digest's lock, after file and folder were synced.
///
/// The state machine counts it only while nothing that came after it let the blob go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Who holds the blob.
    pub replica_id: String,
    /// The life of that replica's disk: a wiped one comes back under another.
    pub incarnation: String,
    /// The log index that the holder had applied.
    pub applied_index: u64,
    /// The blob's generation as the holder knew it; 0 for one it had not heard of.
    pub generation: u64,
}

/// Where receipts come from. Asked while the digest's lock is held.
pub trait ReceiptSource: Send + Sync {
    /// A receipt of this replica for `digest` as of now.
    fn position(&self, digest: &Digest) -> Receipt;
}

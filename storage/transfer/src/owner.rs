//! Uploads belong to one replica; another one that is asked forwards the request to it.

use async_trait::async_trait;
use oci::digest::{Algorithm, Digest};
use serde::{Deserialize, Serialize};

use crate::body::ByteStream;
use crate::failure::TransferFailure;

/// Which upload is meant, and on whose behalf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedUpload {
    /// The upload's id, as in the registry's `Location`.
    pub id: String,
    /// The repository in the request's path; the owner compares it.
    pub repository: String,
    /// The account that asks, which the asked replica has checked; empty for nobody.
    pub account: String,
    /// What that one showed, in the owner's terms; empty for nothing.
    pub voucher: Vec<u8>,
    /// By which request, in the owner's terms; empty where that is not told.
    pub origin: Vec<u8>,
}

/// Carries out requests of the registry API on uploads that this replica owns.
#[async_trait]
pub trait UploadOwner: Send + Sync {
    /// Opens an upload on behalf of a replica that has no room itself; returns its id. The id of
    /// `whose` is empty.
    async fn open(
        &self,
        whose: &OwnedUpload,
        algorithms: &[Algorithm],
    ) -> Result<String, OwnerFailure>;

    /// Appends `body` and returns the offset after it. `start`, where the client named one, must be
    /// the offset of the upload.
    async fn append(
        &self,
        upload: &OwnedUpload,
        start: Option<u64>,
        body: ByteStream,
    ) -> Result<u64, OwnerFailure>;

    /// Whether this replica takes the upload's requests. Answers at once, whoever is at work on it.
    async fn holds(&self, upload: &OwnedUpload) -> Result<(), OwnerFailure> {
        self.status(upload).await.map(drop)
    }

    /// The number of bytes that have arrived.
    async fn status(&self, upload: &OwnedUpload) -> Result<u64, OwnerFailure>;

    /// Appends `body`, then commits the upload as `digest`; returns the blob's size.
    async fn finish(
        &self,
        upload: &OwnedUpload,
        start: Option<u64>,
        body: ByteStream,
        digest: &Digest,
    ) -> Result<u64, OwnerFailure>;

    /// Forgets the upload.
    async fn cancel(&self, upload: &OwnedUpload) -> Result<(), OwnerFailure>;
}

/// Why the owner did not do what was asked. It travels as JSON; names and fields are never reused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum OwnerFailure {
    /// No such upload, or another's.
    #[error("the upload is not known")]
    UploadUnknown,
    /// The piece begins elsewhere than the upload stands.
    #[error("the upload stands at byte {offset}")]
    OffsetMismatch {
        /// Where it stands.
        offset: u64,
    },
    /// The bytes do not hash to the digest that was named; the upload is gone.
    #[error("the bytes do not hash to the digest asked for")]
    DigestMismatch,
    /// The body ended early; what arrived is kept.
    #[error("the body broke off; the upload stands at byte {offset}")]
    BodyBroken {
        /// Where it stands.
        offset: u64,
    },
    /// A later request on the same upload took this one's place.
    #[error("another request took over; the upload stands at byte {offset}")]
    Superseded {
        /// Where it stands.
        offset: u64,
    },
    /// More bytes than a blob may have; the upload is gone.
    #[error("a blob may have at most {bytes_max} bytes")]
    TooLarge {
        /// The bound.
        bytes_max: u64,
    },
    /// Too few replicas have room.
    #[error("no room for the blob")]
    NoRoom,
    /// The account has as many uploads open there as it may.
    #[error("the account has {open} uploads open, the most it may have")]
    TooManyUploads {
        /// How many are open.
        open: usize,
    },
    /// The same may succeed in `retry_after_s` seconds.
    #[error("{text}")]
    Unavailable {
        /// Why not now, for a person.
        text: String,
        /// Why not now, for the answer's form.
        #[serde(default)]
        why: Why,
        /// When to try again.
        retry_after_s: u32,
    },
    /// The state machine refused; its refusal as the caller's crate encodes it.
    #[error("the cluster refused")]
    Refused {
        /// The encoded refusal.
        refusal: Vec<u8>,
    },
    /// The owner is to blame; it has logged the cause.
    #[error("the replica that keeps the upload failed: {text}")]
    Fault {
        /// What failed, without secrets.
        text: String,
    },
    /// The owner was not reached, or the connection broke: it may have done what was asked, or not.
    #[error("the replica that keeps the upload was not reached: {cause}")]
    Unreachable {
        /// What went wrong.
        cause: String,
    },
}

/// What an owner lacks just now. It travels as a word; an unknown one reads as [`Why::Busy`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// A majority of the voters.
    NoMajority,
    /// A leader.
    NoLeader,
    /// The outcome of a command that was sent.
    OutcomeUnknown,
    /// The newest state: it is loading a snapshot.
    CatchingUp,
    /// Time: it is stopping.
    ShuttingDown,
    /// Other replicas that take a copy.
    TooFewHolders,
    /// A replica that has the blob.
    BlobUnreachable,
    /// The replica that keeps the upload.
    OwnerUnreachable,
    /// Anything else it has too much of.
    #[default]
    #[serde(other)]
    Busy,
}

impl From<TransferFailure> for OwnerFailure {
    fn from(failure: TransferFailure) -> Self {
        Self::Unreachable { cause: failure.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::{OwnerFailure, Why};

    #[test]
    fn a_reason_of_a_newer_or_an_older_replica_reads_as_busy() {
        for text in [
            r#"{"kind":"unavailable","text":"t","retry_after_s":3}"#,
            r#"{"kind":"unavailable","text":"t","retry_after_s":3,"why":"out_of_tea"}"#,
        ] {
            let failure: OwnerFailure = serde_json::from_str(text).unwrap();
            let expected =
                OwnerFailure::Unavailable { text: "t".into(), why: Why::Busy, retry_after_s: 3 };
            assert_eq!(failure, expected);
        }
    }
}

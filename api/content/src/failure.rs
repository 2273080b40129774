//! What may go wrong between a request and its bytes.

use std::sync::Arc;

use consensus::cluster::Failure;
use metadata::refusal::Refusal;
use oci::digest::Digest;
use transfer::owner::Why;

/// Why content could not be taken, found or handed out.
///
/// It clones because one cause may answer several waiting requests.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ContentFailure {
    /// No such upload, or one of another account or repository: 404 `BLOB_UPLOAD_UNKNOWN`.
    #[error(
        "this upload is not known: it was finished, cancelled, idle for too long, or lost; start \
             the blob again"
    )]
    UploadUnknown,
    /// The chunk does not begin where the upload stands: 416 with the offset that holds.
    #[error("the upload stands at byte {offset}; the chunk begins elsewhere")]
    OffsetMismatch {
        /// Bytes the upload has so far.
        offset: u64,
    },
    /// The bytes do not hash to the digest asked for: 400 `DIGEST_INVALID`. The upload is gone.
    #[error("the bytes received do not hash to {expected}")]
    DigestMismatch {
        /// The digest the client closed with.
        expected: Digest,
    },
    /// The body ended too early: what arrived stays, and the client may go on from `offset`.
    #[error("the body broke off; the upload stands at byte {offset}")]
    BodyBroken {
        /// Bytes the upload has now.
        offset: u64,
    },
    /// A later request on the same upload took its place.
    #[error("another request on this upload took over; the upload stands at byte {offset}")]
    Superseded {
        /// Bytes the upload has now.
        offset: u64,
    },
    /// More bytes than a blob may have: 413 `SIZE_INVALID`. Where they had begun to come, the
    /// upload is gone.
    #[error("a blob may have at most {bytes_max} bytes here")]
    TooLarge {
        /// The bound.
        bytes_max: u64,
    },
    /// The account has as many open uploads as it may: 429.
    #[error("this account has {open} uploads open, the most it may have; finish or cancel some")]
    TooManyUploads {
        /// How many are open.
        open: usize,
    },
    /// Fewer replicas than a write quorum have room: 507.
    #[error("too few replicas have room above their disk's watermark; add disk or free some")]
    NoRoom,
    /// Fewer replicas than a write quorum could take the bytes just now: 503.
    #[error("only {reached} of {needed} replicas could take a copy; try again")]
    TooFewHolders {
        /// Copies made.
        reached: usize,
        /// Copies needed.
        needed: usize,
    },
    /// No replica that holds the bytes could be read just now: 503.
    #[error("no replica that holds {digest} answers just now; try again")]
    BlobUnreachable {
        /// What was asked for.
        digest: Digest,
    },
    /// Another replica asks to try again in `retry_after_s` seconds: 503.
    #[error("{text}")]
    Later {
        /// Why not now, in its own words.
        text: String,
        /// What it lacks.
        why: Why,
        /// When to try again.
        retry_after_s: u32,
    },
    /// The replica that keeps this upload does not answer: 503.
    #[error("the replica that keeps this upload does not answer just now; try again")]
    OwnerUnreachable,
    /// Too much is under way on this replica: 503.
    #[error("this replica is at its limit of {what}; try again")]
    Busy {
        /// What there is too much of.
        what: &'static str,
    },
    /// The cluster refused, is unavailable, or failed.
    #[error("{0}")]
    Cluster(Arc<Failure>),
    /// Ours to mend: the cause, to be logged once.
    #[error("{0}")]
    Fault(String),
}

impl From<Failure> for ContentFailure {
    fn from(failure: Failure) -> Self {
        Self::Cluster(Arc::new(failure))
    }
}

impl From<Refusal> for ContentFailure {
    fn from(refusal: Refusal) -> Self {
        Self::Cluster(Arc::new(Failure::Refused(refusal)))
    }
}

impl ContentFailure {
    /// A fault of this replica's disk, with what was being done.
    pub fn disk(doing: &str, error: &std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::StorageFull {
            return Self::NoRoom;
        }
        Self::Fault(format!("{doing}: {error}"))
    }

    /// Whether the same request may succeed a little later.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::TooFewHolders { .. }
            | Self::BlobUnreachable { .. }
            | Self::Later { .. }
            | Self::OwnerUnreachable
            | Self::Busy { .. }
            | Self::NoRoom => true,
            Self::Cluster(failure) => matches!(**failure, Failure::Unavailable { .. }),
            _ => false,
        }
    }
}

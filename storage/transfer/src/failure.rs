//! What may go wrong between two replicas' stores.

use http::StatusCode;
use serde::{Deserialize, Serialize};

/// Why a peer did not do what was asked. It travels as JSON; names and fields are never reused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum TransferFailure {
    /// The peer stages no such upload: create it anew and send it from byte 0.
    #[error("the peer stages no such upload")]
    UploadUnknown,
    /// The piece begins elsewhere than the staged upload stands; nothing was written.
    #[error("the staged upload stands at byte {offset}")]
    OffsetMismatch {
        /// Where it stands.
        offset: u64,
    },
    /// The body ended early; what arrived is kept.
    #[error("the body broke off; the staged upload stands at byte {offset}")]
    BodyBroken {
        /// Where it stands.
        offset: u64,
    },
    /// A later request on the same staged upload took this one's place.
    #[error("another request took over; the staged upload stands at byte {offset}")]
    Superseded {
        /// Where it stands.
        offset: u64,
    },
    /// The bytes do not hash to the digest; the staged upload is gone.
    #[error("the bytes do not hash to the digest asked for")]
    DigestMismatch,
    /// The peer does not hold the blob.
    #[error("the peer does not hold the blob")]
    BlobUnknown,
    /// The range lies outside the blob.
    #[error("the range lies outside the blob of {size_bytes} bytes")]
    RangeInvalid {
        /// The blob's size.
        size_bytes: u64,
    },
    /// The peer's disk is full.
    #[error("the peer has no room")]
    NoRoom,
    /// The request itself reads wrong: the two replicas do not speak the same protocol.
    #[error("the peer does not understand the request: {text}")]
    Malformed {
        /// What it does not understand.
        text: String,
    },
    /// The peer failed, and has logged the cause.
    #[error("the peer failed: {text}")]
    Fault {
        /// What failed.
        text: String,
    },
    /// The peer was not reached, or the connection broke or stood still: it may have done what was
    /// asked, or not.
    #[error("replica {replica_id} was not reached: {cause}")]
    Unreachable {
        /// Who was asked.
        replica_id: String,
        /// What went wrong.
        cause: String,
    },
    /// The body that the caller handed in failed; the peer is not to blame.
    #[error("the body to send failed: {cause}")]
    Source {
        /// What its stream said.
        cause: String,
    },
}

impl TransferFailure {
    /// The status of an answer that says so. Statuses are for people who watch the wire: peers read
    /// the body.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::UploadUnknown | Self::BlobUnknown => StatusCode::NOT_FOUND,
            Self::OffsetMismatch { .. } | Self::Superseded { .. } => StatusCode::CONFLICT,
            Self::BodyBroken { .. } | Self::Malformed { .. } | Self::Source { .. } => {
                StatusCode::BAD_REQUEST
            }
            Self::DigestMismatch => StatusCode::UNPROCESSABLE_ENTITY,
            Self::RangeInvalid { .. } => StatusCode::RANGE_NOT_SATISFIABLE,
            Self::NoRoom => StatusCode::INSUFFICIENT_STORAGE,
            Self::Fault { .. } => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unreachable { .. } => StatusCode::BAD_GATEWAY,
        }
    }

    /// A failed disk operation, with what was being done.
    pub(crate) fn disk(doing: &str, error: &std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::StorageFull {
            return Self::NoRoom;
        }
        Self::Fault { text: format!("{doing}: {error}") }
    }
}

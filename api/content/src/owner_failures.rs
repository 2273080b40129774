//! Failures of the replica that keeps an upload, as they travel to the one that was asked.

use consensus::cluster::{Failure, Unavailable};
use metadata::outcome;
use transfer::owner::OwnerFailure;

use crate::failure::ContentFailure;

/// A failure as it travels to the replica that was asked.
pub(crate) fn to_owner(failure: ContentFailure) -> OwnerFailure {
    let text = failure.to_string();
    let later = |retry_after_s| OwnerFailure::Unavailable { text: text.clone(), retry_after_s };
    match failure {
        ContentFailure::UploadUnknown => OwnerFailure::UploadUnknown,
        ContentFailure::OffsetMismatch { offset } => OwnerFailure::OffsetMismatch { offset },
        ContentFailure::DigestMismatch { .. } => OwnerFailure::DigestMismatch,
        ContentFailure::BodyBroken { offset } => OwnerFailure::BodyBroken { offset },
        ContentFailure::Superseded { offset } => OwnerFailure::Superseded { offset },
        ContentFailure::TooLarge { bytes_max } => OwnerFailure::TooLarge { bytes_max },
        ContentFailure::NoRoom => OwnerFailure::NoRoom,
        ContentFailure::TooManyUploads { .. }
        | ContentFailure::TooFewHolders { .. }
        | ContentFailure::BlobUnreachable { .. }
        | ContentFailure::OwnerUnreachable
        | ContentFailure::Busy { .. } => later(5),
        ContentFailure::Later { retry_after_s, .. } => later(retry_after_s),
        ContentFailure::Cluster(failure) => match &*failure {
            Failure::Refused(refusal) => {
                OwnerFailure::Refused { refusal: outcome::encode(&Err(refusal.clone())) }
            }
            Failure::Unavailable { retry_after_s, .. } => later(*retry_after_s),
            Failure::Fault(_) => OwnerFailure::Fault { text },
        },
        ContentFailure::Fault(_) => OwnerFailure::Fault { text },
    }
}

/// What the owner answered, as a failure of ours.
pub(crate) fn from_owner(failure: OwnerFailure) -> ContentFailure {
    match failure {
        OwnerFailure::UploadUnknown => ContentFailure::UploadUnknown,
        OwnerFailure::OffsetMismatch { offset } => ContentFailure::OffsetMismatch { offset },
        OwnerFailure::BodyBroken { offset } => ContentFailure::BodyBroken { offset },
        OwnerFailure::Superseded { offset } => ContentFailure::Superseded { offset },
        OwnerFailure::TooLarge { bytes_max } => ContentFailure::TooLarge { bytes_max },
        OwnerFailure::NoRoom => ContentFailure::NoRoom,
        OwnerFailure::Unavailable { text, retry_after_s } => {
            ContentFailure::Later { text, retry_after_s }
        }
        OwnerFailure::Refused { refusal } => match outcome::decode(&refusal) {
            Ok(Err(refusal)) => refusal.into(),
            _ => ContentFailure::Fault("the owner of an upload refused in words of its own".into()),
        },
        // Only a close names a digest, and looks for this itself.
        OwnerFailure::DigestMismatch => ContentFailure::Fault("a digest did not fit".into()),
        OwnerFailure::Fault { text } => ContentFailure::Fault(text),
        OwnerFailure::Unreachable { cause } => {
            tracing::debug!(cause, "the owner of an upload was not reached");
            Failure::unavailable(Unavailable::Unknown).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use metadata::refusal::Refusal;

    #[test]
    fn what_the_client_can_mend_comes_through_whole() {
        let cases = [
            ContentFailure::UploadUnknown,
            ContentFailure::OffsetMismatch { offset: 7 },
            ContentFailure::BodyBroken { offset: 8 },
            ContentFailure::Superseded { offset: 9 },
            ContentFailure::TooLarge { bytes_max: 10 },
            ContentFailure::NoRoom,
            Refusal::ReadOnly.into(),
        ];
        for failure in cases {
            let there = failure.to_string();
            assert_eq!(from_owner(to_owner(failure)).to_string(), there);
        }
    }

    #[test]
    fn what_passes_says_when_to_try_again() {
        let cases = [
            ContentFailure::TooFewHolders { reached: 1, needed: 2 },
            ContentFailure::OwnerUnreachable,
            ContentFailure::Busy { what: "open uploads" },
            Failure::unavailable(Unavailable::NoMajority).into(),
        ];
        for failure in cases {
            let there = failure.to_string();
            match from_owner(to_owner(failure)) {
                ContentFailure::Later { text, retry_after_s } => {
                    assert_eq!(text, there);
                    assert!(retry_after_s > 0);
                }
                other => panic!("{there} came as {other:?}"),
            }
        }
    }
}

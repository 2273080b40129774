//! Failures of the replica that keeps an upload, as they travel to the one that was asked.

use consensus::cluster::{Failure, Unavailable};
use metadata::outcome;
use transfer::owner::{OwnerFailure, Why};

use crate::failure::ContentFailure;

/// When to try again where the failure itself does not say.
const RETRY_AFTER_S: u32 = 5;

/// A failure as it travels to the replica that was asked.
pub(crate) fn to_owner(failure: ContentFailure) -> OwnerFailure {
    let text = failure.to_string();
    let later = |why, retry_after_s| {
        let text = text.clone();
        OwnerFailure::Unavailable { text, why, retry_after_s }
    };
    match failure {
        ContentFailure::UploadUnknown => OwnerFailure::UploadUnknown,
        ContentFailure::OffsetMismatch { offset } => OwnerFailure::OffsetMismatch { offset },
        ContentFailure::DigestMismatch { .. } => OwnerFailure::DigestMismatch,
        ContentFailure::BodyBroken { offset } => OwnerFailure::BodyBroken { offset },
        ContentFailure::Superseded { offset } => OwnerFailure::Superseded { offset },
        ContentFailure::TooLarge { bytes_max } => OwnerFailure::TooLarge { bytes_max },
        ContentFailure::NoRoom => OwnerFailure::NoRoom,
        ContentFailure::TooManyUploads { open } => OwnerFailure::TooManyUploads { open },
        ContentFailure::TooFewHolders { .. } => later(Why::TooFewHolders, RETRY_AFTER_S),
        ContentFailure::BlobUnreachable { .. } => later(Why::BlobUnreachable, RETRY_AFTER_S),
        ContentFailure::OwnerUnreachable => later(Why::OwnerUnreachable, RETRY_AFTER_S),
        ContentFailure::Busy { .. } => later(Why::Busy, RETRY_AFTER_S),
        ContentFailure::Later { why, retry_after_s, .. } => later(why, retry_after_s),
        ContentFailure::Cluster(failure) => match &*failure {
            Failure::Refused(refusal) => {
                OwnerFailure::Refused { refusal: outcome::encode(&Err(refusal.clone())) }
            }
            Failure::Unavailable { reason, retry_after_s } => later(why(*reason), *retry_after_s),
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
        OwnerFailure::TooManyUploads { open } => ContentFailure::TooManyUploads { open },
        OwnerFailure::Unavailable { text, why, retry_after_s } => match reason(why) {
            Some(reason) => Failure::Unavailable { reason, retry_after_s }.into(),
            None => ContentFailure::Later { text, why, retry_after_s },
        },
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

/// What the cluster lacks, as it travels.
fn why(reason: Unavailable) -> Why {
    match reason {
        Unavailable::NoMajority => Why::NoMajority,
        Unavailable::NoLeader => Why::NoLeader,
        Unavailable::Unknown => Why::OutcomeUnknown,
        Unavailable::CatchingUp => Why::CatchingUp,
        Unavailable::ShuttingDown => Why::ShuttingDown,
    }
}

/// What the cluster lacks, where it is the cluster that lacks something.
fn reason(why: Why) -> Option<Unavailable> {
    match why {
        Why::NoMajority => Some(Unavailable::NoMajority),
        Why::NoLeader => Some(Unavailable::NoLeader),
        Why::OutcomeUnknown => Some(Unavailable::Unknown),
        Why::CatchingUp => Some(Unavailable::CatchingUp),
        Why::ShuttingDown => Some(Unavailable::ShuttingDown),
        Why::TooFewHolders | Why::BlobUnreachable | Why::OwnerUnreachable | Why::Busy => None,
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
            ContentFailure::TooManyUploads { open: 11 },
            Refusal::ReadOnly.into(),
        ];
        for failure in cases {
            let there = failure.to_string();
            assert_eq!(from_owner(to_owner(failure)).to_string(), there);
        }
    }

    #[test]
    fn what_passes_keeps_its_reason_and_says_when_to_try_again() {
        let cases = [
            (ContentFailure::TooFewHolders { reached: 1, needed: 2 }, Why::TooFewHolders),
            (ContentFailure::OwnerUnreachable, Why::OwnerUnreachable),
            (ContentFailure::Busy { what: "open uploads" }, Why::Busy),
        ];
        for (failure, expected) in cases {
            let there = failure.to_string();
            match from_owner(to_owner(failure)) {
                ContentFailure::Later { text, why, retry_after_s } => {
                    assert_eq!((text, why), (there, expected));
                    assert!(retry_after_s > 0);
                }
                other => panic!("{there} came as {other:?}"),
            }
        }
    }

    #[test]
    fn what_the_cluster_lacks_is_named_through_another_replica_too() {
        for reason in [
            Unavailable::NoMajority,
            Unavailable::NoLeader,
            Unavailable::Unknown,
            Unavailable::CatchingUp,
            Unavailable::ShuttingDown,
        ] {
            let came = from_owner(to_owner(Failure::unavailable(reason).into()));
            let ContentFailure::Cluster(came) = came else { panic!("{reason:?} came as {came:?}") };
            let Failure::Unavailable { reason: here, .. } = *came else { panic!("{came:?}") };
            assert_eq!(here, reason);
        }
    }
}

//! What comes of a command: an answer or a refusal, kept under its number and sent to the proposer.

use oci::digest::Digest;
use oci::name::TagName;

use crate::codec::{self, Malformed, Reader, choice};
use crate::jobs::JobId;
use crate::jobs::running::JobHold;
use crate::refusal::Refusal;
use crate::replica::{MemberNumber, ReplicaId};

/// What comes of a command.
pub type Outcome = Result<Answer, Refusal>;

choice! {
    /// What a command that was carried out answers.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum Answer {
        /// It is done, and there is nothing to say.
        1 Done,
        /// To `SessionOpen`.
        2 Session {
            /// The session's number.
            1 session: u64,
        },
        /// To `MemberJoin`.
        3 Joined {
            /// The id that the key has; another than asked for where the key had joined before.
            1 replica_id: ReplicaId,
            /// Its number.
            2 number: MemberNumber,
        },
        /// To `RepositoryCreate`.
        4 RepositoryCreated {
            /// Whether it was created; a push finds it there.
            1 created: bool,
        },
        /// To `BlobCommit`.
        5 BlobCommitted {
            /// Voters that should pull a copy, in this order; a hint.
            1 missing: Vec<ReplicaId>,
        },
        /// To `LeaseRenew`.
        6 LeasesRenewed {
            /// Blobs that are not linked, not live or on too few holders: a client must upload
            /// them.
            1 refused: Vec<Digest>,
        },
        /// To `ManifestPut`.
        7 ManifestPut {
            /// The manifest.
            1 digest: Digest,
            /// Whether a tag came to point at it that did not before.
            2 moved: bool,
            /// Whether the repository did not have the manifest before.
            3 created: bool,
            /// Voters that should pull a copy of its bytes, in this order; a hint.
            4 missing: Vec<ReplicaId>,
            /// Tags that went for those of this push, by the repository's tag limit.
            5 evicted: Vec<TagName>,
        },
        /// To `ManifestDelete` and `TagDelete`.
        8 Deleted {
            /// The tags that are gone.
            1 tags: Vec<TagName>,
            /// Whether the manifest is still there, with tags that one command had no room for:
            /// the same command again takes the next of them.
            2 more: bool,
        },
        /// To `Condemn`.
        9 Condemned {
            /// What `Delete` must name.
            1 generation: u64,
        },
        /// To `AccessTokensDelete`.
        10 TokensDeleted {
            /// How many.
            1 deleted: u64,
            /// Where the next part begins; empty at the end.
            2 next: Vec<u8>,
        },
        /// To `TagUndelete`.
        11 TagUndeleted {
            /// The manifest that the tag points at again.
            1 digest: Digest,
        },
        /// To `JobCreate`, and to `CronFire` where it made one.
        12 JobCreated {
            /// Names it.
            1 id: JobId,
        },
        /// To `JobClaim`.
        13 JobClaimed {
            /// What was claimed, where anything was to claim.
            1 hold: Option<JobHold>,
        },
        /// To `JobsCompact` and `EventsCompact`.
        14 Removed {
            /// How many.
            1 removed: u64,
            /// Whether there may be more.
            2 more: bool,
        },
    }
}

/// The bytes of an outcome.
pub fn encode(outcome: &Outcome) -> Vec<u8> {
    let mut out = Vec::with_capacity(64);
    match outcome {
        Ok(answer) => codec::write_message(1, answer, &mut out),
        Err(refusal) => codec::write_message(2, refusal, &mut out),
    }
    out
}

/// The outcome that [`encode`] wrote.
pub fn decode(bytes: &[u8]) -> Result<Outcome, Malformed> {
    let type_name = "Outcome";
    let mut reader = Reader::new(bytes);
    let (number, raw) = reader.next()?.ok_or(Malformed::Missing)?;
    let outcome = match number {
        1 => Ok(codec::decode(raw.bytes()?)?),
        2 => Err(codec::decode(raw.bytes()?)?),
        _ => return Err(Malformed::Unknown { type_name, number }),
    };
    reader.end(type_name)?;
    Ok(outcome)
}

//! What a handler answers when it cannot do what it was asked.
//!
//! A problem says what happened, to what, and what to do. How it is answered is said in two places
//! only, [`crate::registry_form`] and [`crate::management_form`], each an exhaustive match.

use consensus::cluster::{Failure, Unavailable};
use content::failure::ContentFailure;
use metadata::access::Reason;
use metadata::refusal::Refusal;
use metadata::tables::Damage;
use oci::digest::{Digest, DigestError};
use oci::manifest::ManifestError;
use oci::name::{NameError, RepositoryName, TagName};

use crate::rates::Exceeded;

/// Why a request is not done.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Problem {
    /// Nothing is served under this path.
    #[error("nothing is served under this path")]
    PathUnknown,
    /// What the old product had and this one has not yet.
    #[error("{feature}: this registry does not have that yet; GET /api/v0/meta/features says more")]
    FeatureMissing {
        /// In a word.
        feature: &'static str,
    },
    /// Trust data of docker's content trust. No bare 404: to its clients that would mean that there
    /// is none yet, and they would begin some.
    #[error(
        "this registry keeps no trust data yet, so nothing here is signed or checked; push and \
         pull with DOCKER_CONTENT_TRUST=0"
    )]
    TrustDataNotKept,
    /// The path is known, the method is not.
    #[error("this path takes {allow}")]
    MethodNotAllowed {
        /// For the `Allow` header.
        allow: &'static str,
    },
    /// A name or tag against its grammar.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A digest against its grammar, or of an algorithm that is not known.
    #[error(transparent)]
    Digest(#[from] DigestError),
    /// A page length that is no number.
    #[error("n={given:?} is not a number of entries; give a decimal number, 0 or more")]
    PageNumber {
        /// What was given.
        given: String,
    },
    /// A parameter or field that does not do.
    #[error("{0}")]
    Parameter(String),
    /// A repository can't be shown to others in this way.
    #[error("visibility is public or private, not {given:?}")]
    VisibilityUnknown {
        /// What was given.
        given: String,
    },
    /// A body that is not the JSON that is asked for.
    #[error("the body does not read as the JSON document that belongs here: {0}")]
    Json(String),
    /// The request's head is larger than this registry takes.
    #[error("the {what} of the request has more than {bytes_max} bytes")]
    HeadTooLarge {
        /// `request line` or `headers`.
        what: &'static str,
        /// The bound.
        bytes_max: usize,
    },
    /// A download can't go on.
    #[error("this archive is not kept any more, or not at this replica; fetch a new one")]
    SpoolGone,
    /// A form or document is too large.
    #[error("the body has more than {bytes_max} bytes")]
    BodyTooLarge {
        /// The bound.
        bytes_max: u64,
    },
    /// The body broke off or stood still.
    #[error("the body broke off: {cause}")]
    BodyBroken {
        /// What the connection said.
        cause: String,
    },

    /// No, wrong or expired credentials; or a token narrower than what was asked.
    #[error("{reason}")]
    Unauthorized {
        /// For `WWW-Authenticate`.
        challenge: String,
        /// What was wrong with them.
        reason: String,
    },
    /// Too many wrong passwords for one account from one address, or from one address at all.
    #[error(
        "too many wrong passwords for this account, or for many accounts, from this address; wait \
         and try again"
    )]
    TooManyAttempts {
        /// When.
        retry_after_s: u32,
    },
    /// The old password, given to choose a new one, is not the account's.
    #[error("the old password is not that of {account}; nothing was changed")]
    PasswordIncorrect {
        /// The user.
        account: String,
    },
    /// More requests than one caller may send.
    #[error(transparent)]
    TooManyRequests(#[from] Exceeded),
    /// The right is missing.
    #[error("{repository}: {reason}")]
    Denied {
        /// Where it is missing.
        repository: RepositoryName,
        /// What is missing.
        reason: Reason,
    },
    /// Only system administrators may do this.
    #[error("only a system administrator may do this")]
    NotAuthorized,
    /// No such repository, or none that the caller may know of.
    #[error("there is no repository {repository} that you may see")]
    RepositoryUnknown {
        /// What was asked for.
        repository: RepositoryName,
    },
    /// The caller could create the repository, but a push does not.
    #[error(
        "there is no repository {repository}, and a push does not create it: create it first, or \
         turn the setting createRepositoryOnPush on"
    )]
    RepositoryNotCreated {
        /// What was pushed to.
        repository: RepositoryName,
    },

    /// With accounts and what they grant.
    #[error(transparent)]
    Account(#[from] AccountProblem),

    /// The tag stands in a repository whose tags do not move. Clients know the words.
    #[error(
        "tag={tag} cannot be overwritten because {host}/{repository} is an immutable repository"
    )]
    TagImmutable {
        /// The registry as the client wrote it, with its port.
        host: String,
        /// Where the tag stands.
        repository: RepositoryName,
        /// The tag.
        tag: TagName,
    },

    /// The tag or digest is not in the repository.
    #[error("{repository} has no manifest {reference}")]
    ManifestUnknown {
        /// Where it was looked for.
        repository: RepositoryName,
        /// What was asked for.
        reference: String,
    },
    /// What a tag was asked by is none.
    #[error("{repository} has no tag {name}")]
    TagUnknown {
        /// Where it was looked for.
        repository: RepositoryName,
        /// What was asked for.
        name: String,
    },
    /// The blob is not linked to the repository.
    #[error("{repository} has no blob {digest}")]
    BlobUnknown {
        /// Where it was looked for.
        repository: RepositoryName,
        /// What was asked for.
        digest: Digest,
    },
    /// No byte of the blob is within the range.
    #[error("the range lies outside of the blob's {size} bytes")]
    RangeOutside {
        /// Bytes of the blob.
        size: u64,
    },
    /// A `Content-Range` against its grammar.
    #[error("Content-Range {given:?} does not read; write it as first-last, both in bytes from 0")]
    ChunkMalformed {
        /// What was given.
        given: String,
    },
    /// A chunk that does not begin where the upload stands. The upload is untouched.
    #[error("the chunk does not begin where the upload stands, at byte {offset}")]
    ChunkMisplaced {
        /// Where the upload is.
        location: String,
        /// Bytes it has.
        offset: u64,
    },
    /// `Content-Length` and `Content-Range` contradict each other.
    #[error("Content-Length says {length} bytes, Content-Range {range}")]
    LengthDiffers {
        /// Bytes of the body.
        length: u64,
        /// Bytes of the range.
        range: u64,
    },
    /// An upload is closed without saying what it is, or in two ways.
    #[error("say once which blob this is: ?digest=sha256:…")]
    DigestParameter,
    /// The bytes are others than announced.
    #[error("the bytes do not hash to {expected}; send them again")]
    DigestMismatch {
        /// What was announced.
        expected: Digest,
    },
    /// No manifest this registry takes.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// More bytes than a manifest may have.
    #[error("a manifest has at most {bytes_max} bytes")]
    ManifestTooLarge {
        /// The bound.
        bytes_max: usize,
    },
    /// More tags than one PUT may move.
    #[error("one PUT moves at most {tags_max} tags")]
    TooManyTags {
        /// The bound.
        tags_max: usize,
    },

    /// The state machine refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Between the request and its bytes.
    #[error(transparent)]
    Content(ContentFailure),
    /// It would cost content or the majority.
    #[error("{0}")]
    Unsafe(String),
    /// Too much at once on this replica.
    #[error("{what}")]
    Busy {
        /// Of what.
        what: String,
    },
    /// The same request may succeed later.
    #[error("{reason}")]
    Unavailable {
        /// What is missing.
        reason: Unavailable,
        /// When.
        retry_after_s: u32,
    },
    /// Ours to mend. The caller sees an id, the log the cause.
    #[error("{0}")]
    Fault(String),
}

/// What only the management API can be asked: about accounts and what they grant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccountProblem {
    /// A user's repository is shared with no team.
    #[error("{repository} belongs to a user; only an organization shares with teams")]
    RepositoryNotShared {
        /// What was to be shared, or no more.
        repository: RepositoryName,
    },
    /// The team has no grant on all repositories of its organization.
    #[error("the team {team} was granted nothing on all repositories of {namespace}")]
    NamespaceAccessUnknown {
        /// The organization.
        namespace: String,
        /// The team.
        team: String,
    },
    /// What ends must not make what does not.
    #[error("access tokens are made, and switched on again, with a password: sign in with yours")]
    PasswordNeeded,
    /// A page of somebody else had a browser send it.
    #[error(
        "this was sent by a page of another site, with what this browser is signed in by here; \
         nothing was changed"
    )]
    OtherSite,
    /// A page changes something without saying that it is one of ours.
    #[error(
        "changes within a session need the header X-CSRF-Token, with what GET /api/v0/session \
         answers as csrfToken"
    )]
    CsrfTokenMissing,
    /// The OpenID provider does not vouch for them as it should, or not for them.
    #[error("you are not signed in: {0}")]
    SignInRefused(String),
    /// A request that was carried out under its key comes again, and can't be answered again.
    #[error(
        "a request with this Idempotency-Key was carried out; its answer was lost with the \
         replica that was to give it, and was not made again: look at what it changed"
    )]
    AnswerLost,
    /// It is a program of an organization.
    #[error("robots push and pull, and manage nothing; sign in as a person")]
    RobotManages,
    /// There is no such cache of content, so nobody pulls through it.
    #[error(
        "there is no content cache {id}; leave contentCacheUUID empty to pull from the registry \
         itself"
    )]
    CacheUnknown {
        /// What was asked for.
        id: String,
    },
    /// No account of that name or id, or one that is no user.
    #[error("there is no user {name}")]
    UserUnknown {
        /// What was asked for.
        name: String,
    },
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(refusal) => Self::Refused(refusal),
            Failure::Unavailable { reason, retry_after_s } => {
                Self::Unavailable { reason, retry_after_s }
            }
            Failure::Fault(cause) => Self::Fault(cause),
        }
    }
}

impl From<ContentFailure> for Problem {
    fn from(failure: ContentFailure) -> Self {
        match failure {
            ContentFailure::Cluster(failure) => Failure::clone(&failure).into(),
            ContentFailure::DigestMismatch { expected } => Self::DigestMismatch { expected },
            ContentFailure::Fault(cause) => Self::Fault(cause),
            other => Self::Content(other),
        }
    }
}

impl From<Damage> for Problem {
    fn from(damage: Damage) -> Self {
        Self::Fault(damage.to_string())
    }
}

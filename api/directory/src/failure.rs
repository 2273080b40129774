//! Why the directory could not be asked, in words that say what to do.

use consensus::cluster::Failure;

/// Why there is no answer. A wrong password is none of these.
#[derive(Clone, Debug, thiserror::Error)]
pub enum DirectoryFailure {
    /// No connection, or one that broke.
    #[error("the directory at {server} cannot be reached: {cause}")]
    Unreachable {
        /// Host and port.
        server: String,
        /// What went wrong.
        cause: String,
    },
    /// It says nothing.
    #[error("the directory at {server} did not answer within {limit_s} s")]
    Silent {
        /// Host and port.
        server: String,
        /// How long it had.
        limit_s: u64,
    },
    /// It answers, but not what was asked for.
    #[error("the directory refuses {what}: {cause}")]
    Refused {
        /// What was asked.
        what: String,
        /// Its code and words.
        cause: String,
    },
    /// It answers in a way that does not read.
    #[error("the directory at {server} sent an answer that is not LDAP")]
    Unreadable {
        /// Host and port.
        server: String,
    },
    /// How it is reached does not do.
    #[error("{0}")]
    Settings(String),
    /// Too many ask at once.
    #[error("this replica asks the directory as often at once as it can; try again")]
    Busy,
    /// The cluster did not do its part.
    #[error(transparent)]
    Cluster(#[from] Failure),
}

//! Why nobody was signed in, in words that say what to do.

use consensus::cluster::Failure;

use crate::id_token::TokenFault;

/// Why nobody was signed in.
#[derive(Clone, Debug, thiserror::Error)]
pub enum OpenIdFailure {
    /// By the settings.
    #[error("people do not sign in by OpenID here")]
    Off,
    /// No connection, one that broke, or no answer in time.
    #[error("the OpenID provider cannot be reached at {address}: {cause}")]
    Unreachable {
        /// Scheme, host and port.
        address: String,
        /// What went wrong.
        cause: String,
    },
    /// It answers, but not what it should.
    #[error("the OpenID provider's {what} cannot be used: {cause}")]
    Answer {
        /// What was asked for.
        what: &'static str,
        /// What is wrong with it.
        cause: String,
    },
    /// How it is reached does not do.
    #[error("{0}")]
    Settings(String),
    /// It does not let this person in, or tells too little of them.
    #[error("{0}")]
    Declined(String),
    /// What should have come along with the answer did not, or is of another sign-in.
    #[error(
        "this sign-in took longer than ten minutes, was begun in another browser or another tab, \
         or is over already; begin again"
    )]
    Stale,
    /// The token proves nothing.
    #[error("the OpenID provider's token was refused: {0}")]
    Token(#[from] TokenFault),
    /// Too many ask at once.
    #[error("this replica asks the OpenID provider as often at once as it can; try again")]
    Busy,
    /// The cluster did not do its part.
    #[error(transparent)]
    Cluster(#[from] Failure),
}

impl OpenIdFailure {
    pub(crate) fn answer(what: &'static str, cause: impl Into<String>) -> Self {
        Self::Answer { what, cause: cause.into() }
    }

    /// Whether the provider, or the way to it, failed: then who wants to sign in learns that, and
    /// the rest stands in the log.
    pub fn is_of_provider(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Answer { .. } | Self::Settings(_))
    }
}

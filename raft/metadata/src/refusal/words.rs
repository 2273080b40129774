//! What refusals are made and told with.

use oci::digest::Digest;

use super::Refusal;

impl Refusal {
    /// More of something than a command may have.
    pub(crate) fn out_of_bounds(what: &str, max: usize) -> Self {
        Self::TooMuch { what: what.to_owned(), max: u64::try_from(max).unwrap_or(u64::MAX) }
    }

    /// More of something than there may be.
    pub(crate) fn limit_reached(what: &str, max: usize) -> Self {
        Self::LimitReached { what: what.to_owned(), max: u64::try_from(max).unwrap_or(u64::MAX) }
    }
}

/// Digests in a sentence.
pub(super) fn list(digests: &[Digest]) -> String {
    let digests: Vec<String> = digests.iter().map(Digest::to_string).collect();
    digests.join(", ")
}

//! How many copies the cluster asks for, by the number of its voters.
//!
//! With N voters, f = floor((N - 1) / 2) may fail. A commit needs W copies, so that f losses leave
//! one; healing brings a blob to RF copies.

use crate::membership;
use crate::settings;
use crate::tables::{Damage, Read};

/// How many of `voters` may fail while a majority stays.
pub fn failures_tolerated(voters: usize) -> usize {
    voters.saturating_sub(1) / 2
}

/// W: the copies a commit needs before it is acknowledged.
pub fn write_quorum(voters: usize) -> usize {
    (failures_tolerated(voters) + 1).max(voters.min(2))
}

/// RF: the copies healing brings a blob to.
pub fn replication_factor(voters: usize) -> usize {
    write_quorum(voters).max(voters.min(3))
}

/// The figures of the cluster as it is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quorum {
    /// N.
    pub voters: usize,
    /// W; no more than there are voters that keep content, while one is drained.
    pub write: usize,
    /// RF: by the number of voters, or the larger one that is set (at most N).
    pub copies: usize,
}

/// The figures by the voters and settings of this state.
pub fn of(read: &impl Read) -> Result<Quorum, Damage> {
    let row = membership::voters(read)?;
    let voters = row.voters.len();
    let set = usize::try_from(settings::get(read)?.copies_min).unwrap_or(usize::MAX);
    // Of the last two one may leave: the other is then all there is.
    let keepers = voters.saturating_sub(row.draining.len()).max(1);
    let copies = replication_factor(voters).max(set.min(voters)).min(keepers);
    Ok(Quorum { voters, write: write_quorum(voters).min(keepers), copies })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_to_seven_voters_ask_for_these_copies() {
        let write: Vec<_> = (1..=7).map(write_quorum).collect();
        let copies: Vec<_> = (1..=7).map(replication_factor).collect();
        let failures: Vec<_> = (1..=7).map(failures_tolerated).collect();
        assert_eq!(write, [1, 2, 2, 2, 3, 3, 4]);
        assert_eq!(copies, [1, 2, 3, 3, 3, 3, 4]);
        assert_eq!(failures, [0, 0, 1, 1, 2, 2, 3]);
        assert_eq!(write_quorum(0), 1, "before the first membership nothing counts as enough");
    }
}

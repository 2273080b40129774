//! Counts of a repository. They stand apart from its own row, which every request reads.
//!
//! Pulls and pushes are counted on each replica and told some at a time: no pull makes a log entry,
//! and what a replica had not told when it was killed is not counted.

use super::{RepositoryNumber, name_of};
use crate::codec::message;
use crate::outcome::Answer;
use crate::refusal::Refusal;
use crate::row;
use crate::ruling::Ruling;
use crate::tables::{Damage, Read, Table, Write};

/// Repositories that one command tells of, at most.
pub const BATCH_MAX: usize = 1000;

message! {
    /// Counts, under the repository's number; no row where all of them are 0.
    #[derive(Default)]
    pub struct CountsRow {
        /// Tags that its tag limit counts.
        1 tags: u64,
        /// How often an image was pulled from it.
        2 pulls: u64,
        /// How often a tag was pushed to it.
        3 pushes: u64,
    }
}

message! {
    /// How often a repository was used on one replica.
    pub struct RepositoryUse {
        /// Its number.
        1 number: u64,
        /// As in [`CountsRow`], to be added.
        2 pulls: u64,
        /// As in [`CountsRow`], to be added.
        3 pushes: u64,
    }
}

message! {
    /// Adds what was counted on a replica; repositories that are gone are passed over.
    pub struct RepositoriesUsed {
        /// At most a thousand.
        1 uses: Vec<RepositoryUse>,
    }
}

impl RepositoriesUsed {
    pub(crate) fn apply(&self, tables: &mut impl Write) -> Ruling {
        if self.uses.len() > BATCH_MAX {
            return Err(Refusal::out_of_bounds("uses of repositories", BATCH_MAX).into());
        }
        for used in &self.uses {
            let number = RepositoryNumber(used.number);
            if name_of(tables, number)?.is_some() {
                change(tables, number, |counts| {
                    counts.pulls = counts.pulls.saturating_add(used.pulls);
                    counts.pushes = counts.pushes.saturating_add(used.pushes);
                })?;
            }
        }
        Ok(Answer::Done)
    }
}

/// The counts of the repository with that number.
pub fn of(read: &impl Read, repository: RepositoryNumber) -> Result<CountsRow, Damage> {
    let row = row::find(read, Table::RepositoryCounts, &repository.0.to_be_bytes())?;
    Ok(row.unwrap_or_default())
}

pub(crate) fn change(
    tables: &mut impl Write,
    repository: RepositoryNumber,
    change: impl FnOnce(&mut CountsRow),
) -> Result<(), Damage> {
    let mut counts = of(tables, repository)?;
    change(&mut counts);
    if counts == CountsRow::default() {
        remove(tables, repository);
    } else {
        let key = repository.0.to_be_bytes().to_vec();
        row::put(tables, Table::RepositoryCounts, key, &counts);
    }
    Ok(())
}

pub(crate) fn remove(tables: &mut impl Write, repository: RepositoryNumber) {
    tables.delete(Table::RepositoryCounts, &repository.0.to_be_bytes());
}

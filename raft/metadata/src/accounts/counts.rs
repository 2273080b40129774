//! How many accounts each list shows: kept by the commands, so that a page of one need not count.

use super::Filter;
use crate::codec::message;
use crate::key;
use crate::row;
use crate::tables::{Damage, Read, Table, Write};

const KEY: &[u8] = b"account_counts";

/// Keys that are read at once where the row is not there yet.
const COUNTED_AT_ONCE: usize = 1_000;

message! {
    /// Accounts by what lists show of them.
    #[derive(Default)]
    pub struct AccountCounts {
        /// Users.
        1 users: u64,
        /// Organizations.
        2 organizations: u64,
        /// Users who are system administrators.
        3 admins: u64,
        /// Users who are not.
        4 non_admins: u64,
        /// Users who may sign in.
        5 active_users: u64,
        /// Users who may not.
        6 inactive_users: u64,
        /// Programs of organizations.
        7 robots: u64,
    }
}

impl AccountCounts {
    /// How many accounts `filter` shows.
    pub fn of(&self, filter: Filter) -> u64 {
        match filter {
            Filter::All => self.users + self.organizations + self.robots,
            Filter::Users => self.users,
            Filter::Organizations => self.organizations,
            Filter::Admins => self.admins,
            Filter::NonAdmins => self.non_admins,
            Filter::ActiveUsers => self.active_users,
            Filter::InactiveUsers => self.inactive_users,
            Filter::Robots => self.robots,
        }
    }

    /// What is counted under a letter.
    fn under(&mut self, letter: u8) -> Option<&mut u64> {
        let places = [
            (Filter::Users, &mut self.users),
            (Filter::Organizations, &mut self.organizations),
            (Filter::Admins, &mut self.admins),
            (Filter::NonAdmins, &mut self.non_admins),
            (Filter::ActiveUsers, &mut self.active_users),
            (Filter::InactiveUsers, &mut self.inactive_users),
            (Filter::Robots, &mut self.robots),
        ];
        places.into_iter().find(|(filter, _)| filter.letter() == letter).map(|(_, count)| count)
    }
}

/// The counts as they are.
pub fn get(read: &impl Read) -> Result<AccountCounts, Damage> {
    match row::find(read, Table::Singles, KEY)? {
        Some(counts) => Ok(counts),
        None => counted(read),
    }
}

/// Notes that an account stood under the letters `before` and stands under `after`; before the
/// index itself changes.
pub(super) fn change(tables: &mut impl Write, before: &[u8], after: &[u8]) -> Result<(), Damage> {
    if before == after {
        return Ok(());
    }
    let mut counts = get(tables)?;
    for letter in before {
        if let Some(count) = counts.under(*letter) {
            *count = count.saturating_sub(1);
        }
    }
    for letter in after {
        if let Some(count) = counts.under(*letter) {
            *count += 1;
        }
    }
    row::put(tables, Table::Singles, KEY.to_vec(), &counts);
    Ok(())
}

/// What the index says. Read once: for the first account, or in tables from before the row.
fn counted(read: &impl Read) -> Result<AccountCounts, Damage> {
    let (mut counts, mut from) = (AccountCounts::default(), Vec::new());
    loop {
        let part = read.range(Table::AccountFilters, &from, None, COUNTED_AT_ONCE)?;
        for letter in part.iter().filter_map(|(key, _)| key.first()) {
            if let Some(count) = counts.under(*letter) {
                *count += 1;
            }
        }
        match part.last() {
            Some((last, _)) if part.len() == COUNTED_AT_ONCE => from = key::after(last.clone()),
            _ => return Ok(counts),
        }
    }
}

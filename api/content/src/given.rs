//! Which releases let a file go: the rule by which this replica unlinks, and what it must remember
//! for that.
//!
//! A release of a digest, in the entry at some index, ends every receipt that was given before this
//! replica had applied that entry. So a file may be unlinked after a release that is newer than
//!
//! - the first read barrier of this life of the process: whatever receipt a former life gave, it
//!   gave at an index that was committed by then; and
//! - the last receipt that this life gave for the digest.
//!
//! A release that comes too early for that is passed over for ever; the file it meant is found as
//! an orphan later.
//!
//! Source: consistency 4 and 5, invariant B4.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use oci::digest::Digest;

/// Receipts that are remembered. They are forgotten as soon as all releases up to them were looked
/// at, so as many are there as were given in a second or so.
const REMEMBERED_MAX: usize = 100_000;

/// The receipts that a release may have to be newer than.
#[derive(Debug, Default)]
pub(crate) struct Given {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Whether the first barrier was passed: before it no release lets anything go.
    has_begun: bool,
    /// Releases in entries up to this one let nothing go.
    floor: u64,
    /// By digest the highest index at which a receipt was given.
    last: HashMap<Digest, u64>,
}

impl Given {
    /// Remembers a receipt of this replica. The digest's lock is held.
    pub(crate) fn note(&self, digest: &Digest, applied_index: u64) {
        let mut state = self.held();
        if state.last.len() >= REMEMBERED_MAX && !state.last.contains_key(digest) {
            // Rather nothing is unlinked for a while than something too much.
            let highest = state.last.drain().map(|(_, index)| index).max();
            state.floor = state.floor.max(highest.unwrap_or(0)).max(applied_index);
        }
        let last = state.last.entry(digest.clone()).or_default();
        *last = (*last).max(applied_index);
    }

    /// The first read barrier of this life was passed, and this replica has applied all up to
    /// `applied_index`.
    pub(crate) fn begin(&self, applied_index: u64) {
        let mut state = self.held();
        state.floor = state.floor.max(applied_index);
        state.has_begun = true;
    }

    /// Whether a release in the entry at `index` lets this replica unlink the digest's file. Asked
    /// while the digest's lock is held; that the replica is not listed as a holder is looked up
    /// besides.
    pub(crate) fn lets_go(&self, digest: &Digest, index: u64) -> bool {
        let state = self.held();
        state.has_begun
            && index > state.floor
            && state.last.get(digest).is_none_or(|given| *given < index)
    }

    /// All releases in entries up to `index` were looked at: receipts as old as that bar none that
    /// may come.
    pub(crate) fn pass(&self, index: u64) {
        self.held().last.retain(|_, given| *given > index);
    }

    fn held(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;

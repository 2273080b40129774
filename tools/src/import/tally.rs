//! What was brought, what was there already, and what went wrong: counted while it happens.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::trouble::Trouble;

/// Failures, remarks and steps that are kept in words; beyond that they are only counted.
const TOLD_MAX: usize = 100_000;

/// What is brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Noun {
    /// Somebody who signs in.
    User,
    /// A namespace that people share.
    Organization,
    /// Some members of an organization.
    Team,
    /// Somebody's being in an organization or a team.
    Membership,
    /// A repository with its settings.
    Repository,
    /// What a team may do with a repository or with all of an organization.
    Grant,
    /// A tag.
    Tag,
    /// A manifest.
    Manifest,
    /// A blob.
    Blob,
}

impl Noun {
    /// In the report, in this order.
    pub const ALL: [(Self, &'static str); 9] = [
        (Self::User, "users"),
        (Self::Organization, "organizations"),
        (Self::Team, "teams"),
        (Self::Membership, "memberships"),
        (Self::Repository, "repositories"),
        (Self::Grant, "grants"),
        (Self::Tag, "tags"),
        (Self::Manifest, "manifests"),
        (Self::Blob, "blobs"),
    ];
}

/// What became of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Made, moved or copied.
    Brought,
    /// Made from what another repository of the destination had.
    Mounted,
    /// There already, and the same.
    Present,
    /// There already and otherwise; left as it is.
    Differs,
    /// Not brought.
    Failed,
}

impl Outcome {
    /// In the report, in this order.
    pub const ALL: [(Self, &'static str); 5] = [
        (Self::Brought, "brought"),
        (Self::Mounted, "mounted"),
        (Self::Present, "present"),
        (Self::Differs, "differs"),
        (Self::Failed, "failed"),
    ];
}

/// Something that did not go as it should, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// What it is about.
    pub what: String,
    /// What happened to it.
    pub why: String,
}

/// A list of which the first are kept.
#[derive(Clone, Debug, Default)]
pub struct Tellings {
    /// The first of them.
    pub first: Vec<Told>,
    /// How many there were beyond.
    pub beyond: usize,
}

impl Tellings {
    fn add(&mut self, what: &str, why: &str) {
        if self.first.len() == TOLD_MAX {
            self.beyond += 1;
            return;
        }
        self.first.push(Told { what: what.to_owned(), why: why.to_owned() });
    }
}

/// All counts.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// How many of what ended how.
    pub by: BTreeMap<(Noun, Outcome), u64>,
    /// Bytes of blobs that were copied.
    pub bytes: u64,
    /// What was not brought.
    pub failures: Tellings,
    /// What is otherwise at the destination.
    pub differences: Tellings,
    /// What a person should know.
    pub remarks: Tellings,
    /// What a dry run would do.
    pub steps: Tellings,
}

impl Counts {
    /// How many.
    pub fn of(&self, noun: Noun, outcome: Outcome) -> u64 {
        self.by.get(&(noun, outcome)).copied().unwrap_or_default()
    }

    /// Whether all is at the destination as it is at the source.
    pub fn is_whole(&self) -> bool {
        let short = [Outcome::Failed, Outcome::Differs];
        !self.by.iter().any(|((_, outcome), count)| short.contains(outcome) && *count > 0)
    }
}

/// Counts while it happens.
pub struct Tally {
    counts: Mutex<Counts>,
    read: Arc<AtomicU64>,
    found: AtomicU64,
    /// When it began.
    pub since: Instant,
}

impl Tally {
    /// Nothing yet.
    pub fn new() -> Self {
        Self {
            counts: Mutex::default(),
            read: Arc::default(),
            found: AtomicU64::new(0),
            since: Instant::now(),
        }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All counts as they are now.
    pub fn now(&self) -> Counts {
        self.counts().clone()
    }

    /// Counts one.
    pub fn count(&self, noun: Noun, outcome: Outcome) {
        *self.counts().by.entry((noun, outcome)).or_default() += 1;
    }

    /// Counts one that was not brought, and says why.
    pub fn failed(&self, noun: Noun, what: &str, why: &Trouble) {
        self.count(noun, Outcome::Failed);
        self.counts().failures.add(what, &why.text);
    }

    /// Counts one that is otherwise at the destination, and says how.
    pub fn differs(&self, noun: Noun, what: &str, how: &str) {
        self.count(noun, Outcome::Differs);
        self.counts().differences.add(what, how);
    }

    /// Says something that a person should know.
    pub fn remark(&self, what: &str, why: &str) {
        self.counts().remarks.add(what, why);
    }

    /// Says what would be done.
    pub fn step(&self, what: &str, how: &str) {
        self.counts().steps.add(what, how);
    }

    /// Bytes of a blob that was copied.
    pub fn add_bytes(&self, bytes: u64) {
        self.counts().bytes += bytes;
    }

    /// Bytes of blobs that came from the source so far.
    pub fn read(&self) -> &Arc<AtomicU64> {
        &self.read
    }

    /// This many more tags were found.
    pub fn found(&self, tags: usize) {
        self.found.fetch_add(tags as u64, Ordering::Relaxed);
    }

    /// Tags that were found so far, those that have ended, and bytes that were read.
    pub fn course(&self) -> (u64, u64, u64) {
        let counts = self.counts();
        let ended = Outcome::ALL.iter().map(|(outcome, _)| counts.of(Noun::Tag, *outcome)).sum();
        (self.found.load(Ordering::Relaxed), ended, self.read.load(Ordering::Relaxed))
    }
}

impl Default for Tally {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_or_differs_is_not_whole() {
        for (outcome, whole) in [
            (Outcome::Brought, true),
            (Outcome::Mounted, true),
            (Outcome::Present, true),
            (Outcome::Differs, false),
            (Outcome::Failed, false),
        ] {
            let tally = Tally::new();
            tally.count(Noun::Tag, outcome);
            assert_eq!(tally.now().is_whole(), whole, "{outcome:?}");
        }
    }

    #[test]
    fn what_is_told_is_bounded() {
        let tally = Tally::new();
        for _ in 0..TOLD_MAX + 3 {
            tally.remark("a", "b");
        }
        let remarks = tally.now().remarks;
        assert_eq!((remarks.first.len(), remarks.beyond), (TOLD_MAX, 3));
    }
}

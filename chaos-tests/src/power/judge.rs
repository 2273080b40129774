//! What must be on the disk by what the writer was told, and whether it is.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::Result;
use consensus::log::LogStore;
use consensus::log::durable::DurableLog;
use kv::store::Store;
use oci::verifier::digest_of;

use super::content::{self, Tables};
use super::told::Told;
use super::writer;

/// Everything a line of writers was told, one after another in the same folder.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    /// The term of each entry that is durable, by index.
    entries: BTreeMap<u64, u64>,
    /// Entries from here on are being forgotten.
    truncating: Option<u64>,
    purged: u64,
    purging: u64,
    voted: u64,
    voting: u64,
    flushed: u64,
    committing: u64,
    sealed: BTreeSet<u64>,
    removing: BTreeSet<u64>,
    /// How often a writer was told that something is durable.
    pub acknowledged: u64,
    /// How often a writer opened the log.
    pub opened: u64,
}

impl Expected {
    /// Takes note of what a writer said.
    pub fn hear(&mut self, told: Told) {
        match told {
            Told::Opened => {
                self.opened += 1;
                // Whether a truncation came about that was under way: by what is found now.
                if let Some(index) = self.truncating.take() {
                    self.entries.split_off(&index);
                }
            }
            Told::Found(term, index) | Told::Appended(term, index) => {
                self.entries.insert(index, term);
            }
            Told::Voting(term) => self.voting = term,
            Told::Voted(term) => self.voted = term,
            Told::Truncating(index) => self.truncating = Some(index),
            Told::Truncated(index) => {
                self.entries.split_off(&index);
                self.truncating = None;
            }
            Told::Purging(index) => self.purging = self.purging.max(index),
            Told::Purged(index) => self.purged = self.purged.max(index),
            Told::Committing(batch) => self.committing = batch,
            Told::Flushed(batch) => self.flushed = batch,
            Told::Sealed(blob) => drop(self.sealed.insert(blob)),
            Told::Removing(blob) => drop(self.removing.insert(blob)),
        }
        let is_done = matches!(
            told,
            Told::Appended(..)
                | Told::Voted(_)
                | Told::Truncated(_)
                | Told::Purged(_)
                | Told::Sealed(_)
        );
        self.acknowledged += u64::from(is_done);
    }

    /// A power cut ends the tables: the next writer makes them anew.
    pub fn tables_lost(&mut self) {
        (self.flushed, self.committing) = (0, 0);
    }

    /// Looks at the log in `root`, and takes what is there, now durable, for what must be there.
    /// Answers what is missing or wrong, in words.
    pub fn check_log(&mut self, root: &Path) -> Vec<String> {
        let log = match DurableLog::open(&root.join("log"), writer::log_options()) {
            Ok(log) => log,
            Err(error) => return vec![format!("the log does not open: {error}")],
        };
        let mut wrong = Vec::new();
        let purged = log.purged().map_or(0, |purged| purged.index);
        if !(self.purged..=self.purging).contains(&purged) {
            wrong.push(format!("purged {purged}, not {}..={}", self.purged, self.purging));
        }
        let term = log.read_vote().map_or(0, |vote| vote.term);
        if !(self.voted..=self.voting).contains(&term) {
            wrong.push(format!("vote {term}, not {}..={}", self.voted, self.voting));
        }
        if log.committed() > log.last() {
            wrong.push(format!("committed {:?}, last {:?}", log.committed(), log.last()));
        }
        let found = entries(&log, purged, &mut wrong);
        let uncertain = self.truncating.unwrap_or(u64::MAX);
        let must = self.entries.range(purged + 1..).filter(|(index, _)| **index < uncertain);
        let lost = must.filter(|(index, term)| found.get(index) != Some(term));
        wrong.extend(lost.map(|(index, term)| format!("entry {index} of term {term} is lost")));
        if wrong.is_empty() {
            self.entries = found;
            (self.purged, self.voted, self.truncating) = (purged, term, None);
        }
        wrong
    }

    /// Looks at every blob in `root`.
    pub fn check_blobs(&self, root: &Path) -> Result<Vec<String>> {
        let mut wrong = Vec::new();
        let store = writer::open_blobs(&root.join("content"))?;
        for number in self.sealed.difference(&self.removing) {
            let (digest, bytes) = content::blob(*number);
            if store.size_of(&digest)? != Some(bytes.len() as u64) {
                wrong.push(format!("blob {number} ({digest}) is lost"));
            }
        }
        for listed in store.list() {
            let (digest, _) = listed?;
            let (algorithm, hex) = (digest.algorithm(), digest.hex());
            let folder = root.join("content/blobs").join(algorithm.name()).join(&hex[..2]);
            if digest_of(algorithm, &fs::read(folder.join(hex))?) != digest {
                wrong.push(format!("{digest} has other bytes"));
            }
        }
        Ok(wrong)
    }

    /// Looks at the tables in `root` after a kill: they are those after some batch, whole, and not
    /// before the last one that was flushed.
    pub fn check_tables(&self, root: &Path) -> Result<TablesFound> {
        let (store, damage) = Store::open_or_discard(&root.join("tables"))?;
        if let Some(damage) = damage.filter(|_| self.flushed > 0) {
            return Ok(TablesFound::Unopened(damage.to_string()));
        }
        let last = writer::batches(&store)?;
        let mut wrong = Vec::new();
        if !(self.flushed..=self.committing).contains(&last) {
            wrong.push(format!("batch {last}, not {}..={}", self.flushed, self.committing));
        }
        let mut found = Tables::new();
        for row in store.snapshot()?.rows() {
            let row = row?;
            found.insert((row.table, row.key), row.value);
        }
        if found != content::tables(last) {
            wrong.push(format!("the tables are not those after batch {last}"));
        }
        Ok(TablesFound::Opened(wrong))
    }
}

/// What became of tables whose writer was killed.
#[derive(Debug)]
pub enum TablesFound {
    /// They say themselves that they can't be used, and why. A replica then makes them anew from
    /// its snapshot and log.
    Unopened(String),
    /// They open; what is missing or wrong in them, in words.
    Opened(Vec<String>),
}

impl TablesFound {
    /// What is wrong where the tables have to open.
    pub fn wrong(self) -> Vec<String> {
        match self {
            Self::Unopened(why) => vec![why],
            Self::Opened(wrong) => wrong,
        }
    }
}

/// The entries of `log` after `purged`, by index with their terms.
fn entries(log: &DurableLog, purged: u64, wrong: &mut Vec<String>) -> BTreeMap<u64, u64> {
    let last = log.last().map_or(0, |last| last.index);
    let entries = match log.read(purged + 1, last + 1, u64::MAX) {
        Ok(entries) => entries,
        Err(error) => {
            wrong.push(format!("the log does not read: {error}"));
            return BTreeMap::new();
        }
    };
    if entries.len() as u64 != last - purged {
        wrong.push(format!("{} entries from {purged} to {last}", entries.len()));
    }
    for (id, payload) in &entries {
        if *payload != content::payload(id.term, id.index) {
            wrong.push(format!("entry {} has other bytes", id.index));
        }
    }
    entries.into_iter().map(|(id, _)| (id.index, id.term)).collect()
}

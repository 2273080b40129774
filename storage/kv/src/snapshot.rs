//! A snapshot: the tables as they were between two batches, read while batches go on.
//!
//! Whoever changes a row first keeps what it was (see `pre_images`). The reader takes the live rows
//! and puts the kept ones over them: a row that was removed since comes back, one that was added is
//! left out.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::store::{KvError, Shared};
use crate::value;

/// Live rows taken at a time; a commit waits no longer than this takes.
const ROWS_PER_STEP: usize = 256;

/// The tables as they were. Ends, and lets the next one be taken, when dropped.
pub struct Snapshot {
    shared: Arc<Shared>,
}

/// One row of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its table.
    pub table: u8,
    /// Its key within the table.
    pub key: Vec<u8>,
    /// Its value.
    pub value: Vec<u8>,
}

impl Snapshot {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// The value `key` of `table` had.
    pub fn get(&self, table: u8, key: &[u8]) -> Result<Option<Vec<u8>>, KvError> {
        let key = value::tree_key(table, key);
        let tables = self.shared.tables();
        let live = tables.as_ref().ok_or(KvError::Closed)?.with(|tree| tree.get(&key))?;
        let sealed = match self.shared.pre_images().as_ref() {
            Some(pre_images) => pre_images.then(&key, live)?,
            None => return Err(KvError::SnapshotLost),
        };
        sealed.map(|sealed| value::open(&key, &sealed)).transpose()
    }

    /// All rows, by table and key. After an error it ends.
    pub fn rows(&self) -> Rows<'_> {
        Rows { snapshot: self, after: None, step: VecDeque::new(), ended: false }
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        *self.shared.pre_images() = None;
    }
}

/// All rows of a snapshot, by table and key.
pub struct Rows<'a> {
    snapshot: &'a Snapshot,
    /// The last key of the former step.
    after: Option<Vec<u8>>,
    step: VecDeque<(Vec<u8>, Vec<u8>)>,
    ended: bool,
}

impl Rows<'_> {
    /// Fetches the next rows. Sets `ended` with the last of them.
    fn fetch(&mut self) -> Result<(), KvError> {
        use std::ops::Bound::{Excluded, Unbounded};
        let shared = &self.snapshot.shared;
        // Held over both, so that no batch falls between the live rows and their pre-images.
        let tables = shared.tables();
        let from = self.after.clone().map_or(Unbounded, Excluded);
        let live: Vec<(sled::IVec, sled::IVec)> =
            tables.as_ref().ok_or(KvError::Closed)?.with(|tree| {
                tree.range::<Vec<u8>, _>((from, Unbounded)).take(ROWS_PER_STEP).collect()
            })?;
        self.ended = live.len() < ROWS_PER_STEP;
        let upto = live.last().filter(|_| !self.ended).map(|(key, _)| key.to_vec());
        let mut rows = match shared.pre_images().as_ref() {
            Some(pre_images) => pre_images.range(self.after.as_deref(), upto.as_deref())?,
            None => return Err(KvError::SnapshotLost),
        };
        for (key, sealed) in live {
            rows.entry(key.to_vec()).or_insert_with(|| Some(sealed.to_vec()));
        }
        self.after = upto;
        self.step = rows.into_iter().filter_map(|(key, row)| Some((key, row?))).collect();
        Ok(())
    }
}

impl Iterator for Rows<'_> {
    type Item = Result<Row, KvError>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.step.is_empty() && !self.ended {
            if let Err(error) = self.fetch() {
                self.ended = true;
                return Some(Err(error));
            }
        }
        let (key, sealed) = self.step.pop_front()?;
        let row = value::open(&key, &sealed).and_then(|value| {
            let (table, key) = value::split_key(&key)?;
            Ok(Row { table, key: key.to_vec(), value })
        });
        if row.is_err() {
            self.ended = true;
            self.step.clear();
        }
        Some(row)
    }
}

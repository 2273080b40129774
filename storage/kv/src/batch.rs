//! A batch: changes that are written as a whole or not at all.

use crate::value;

/// Changes to be committed together. A later change of the same key wins.
#[derive(Debug, Default)]
pub struct Batch {
    changes: Vec<Change>,
}

/// One row to be written (`Some`) or removed (`None`), by its key in the tree.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) key: Vec<u8>,
    pub(crate) value: Option<Vec<u8>>,
}

impl Batch {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes `value` under `key` of `table`.
    pub fn put(&mut self, table: u8, key: &[u8], value: &[u8]) {
        self.changes.push(Change { key: value::tree_key(table, key), value: Some(value.to_vec()) });
    }

    /// Removes `key` from `table`, where it is there.
    pub fn delete(&mut self, table: u8, key: &[u8]) {
        self.changes.push(Change { key: value::tree_key(table, key), value: None });
    }

    /// How many changes were asked for.
    pub fn len(&self) -> usize {
        self.changes.len()
    }

    /// Whether no change was asked for.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    pub(crate) fn changes(&self) -> &[Change] {
        &self.changes
    }
}

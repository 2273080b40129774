//! Changes that are not made yet: what one command would do, kept or dropped as a whole.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::{Damage, Read, Row, Table, Write};

/// New value of a key, or its removal.
type Changes = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// Reads through to the tables below, with its own changes on top.
#[derive(Debug)]
pub struct Draft<'a, T> {
    below: &'a mut T,
    changes: BTreeMap<Table, Changes>,
}

impl<'a, T: Write> Draft<'a, T> {
    /// No change yet on top of `below`.
    pub fn new(below: &'a mut T) -> Self {
        Self { below, changes: BTreeMap::new() }
    }

    /// Makes the changes. Dropping the draft instead leaves the tables as they were.
    pub fn keep(self) {
        for (table, changes) in self.changes {
            for (key, value) in changes {
                match value {
                    Some(value) => self.below.put(table, key, value),
                    None => self.below.delete(table, &key),
                }
            }
        }
    }

    /// Whether it changes a row of this table.
    pub fn touches(&self, table: Table) -> bool {
        self.changes.contains_key(&table)
    }

    /// The longest value that keeping it would write, in bytes.
    pub fn longest_value(&self) -> usize {
        let values = self.changes.values().flat_map(BTreeMap::values).flatten();
        values.map(Vec::len).max().unwrap_or(0)
    }
}

impl<T: Read> Read for Draft<'_, T> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Damage> {
        match self.changes.get(&table).and_then(|changes| changes.get(key)) {
            Some(change) => Ok(change.clone()),
            None => self.below.get(table, key),
        }
    }

    fn range(
        &self,
        table: Table,
        from: &[u8],
        to: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Row>, Damage> {
        if to.is_some_and(|to| to <= from) {
            return Ok(Vec::new());
        }
        let bounds = (Bound::Included(from), to.map_or(Bound::Unbounded, Bound::Excluded));
        let changes = self.changes.get(&table);
        let changes = || changes.into_iter().flat_map(|changes| changes.range::<[u8], _>(bounds));
        if changes().next().is_none() {
            return self.below.range(table, from, to, limit);
        }
        // So many of the rows below may be gone; with as many more read, the first `limit` of the
        // merged rows can't lie beyond what was read.
        let gone = changes().filter(|(_, change)| change.is_none()).count();
        let below = self.below.range(table, from, to, limit.saturating_add(gone))?;
        let mut merged: BTreeMap<Vec<u8>, Vec<u8>> = below.into_iter().collect();
        for (key, change) in changes() {
            match change {
                Some(value) => merged.insert(key.clone(), value.clone()),
                None => merged.remove(key),
            };
        }
        Ok(merged.into_iter().take(limit).collect())
    }
}

impl<T: Read> Write for Draft<'_, T> {
    fn put(&mut self, table: Table, key: Vec<u8>, value: Vec<u8>) {
        self.changes.entry(table).or_default().insert(key, Some(value));
    }

    fn delete(&mut self, table: Table, key: &[u8]) {
        self.changes.entry(table).or_default().insert(key.to_vec(), None);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Memory;
    use super::*;

    fn keys(read: &impl Read, from: &[u8], to: Option<&[u8]>, limit: usize) -> Vec<Vec<u8>> {
        let rows = read.range(Table::Tags, from, to, limit).unwrap();
        rows.into_iter().map(|(key, _)| key).collect()
    }

    #[test]
    fn a_draft_reads_as_if_its_changes_were_made_and_dropping_it_changes_nothing() {
        let mut memory = Memory::default();
        for key in [b"a", b"c", b"e", b"g"] {
            memory.put(Table::Tags, key.to_vec(), b"old".to_vec());
        }
        let before = memory.clone();
        let mut draft = Draft::new(&mut memory);
        draft.put(Table::Tags, b"b".to_vec(), b"new".to_vec());
        draft.put(Table::Tags, b"z".to_vec(), b"new".to_vec());
        draft.delete(Table::Tags, b"a");
        draft.delete(Table::Tags, b"e");
        draft.delete(Table::Tags, b"not there");

        let mut made = before.clone();
        made.put(Table::Tags, b"b".to_vec(), b"new".to_vec());
        made.put(Table::Tags, b"z".to_vec(), b"new".to_vec());
        made.delete(Table::Tags, b"a");
        made.delete(Table::Tags, b"e");

        for from in [&b""[..], b"a", b"b", b"d", b"z", b"zz"] {
            for to in [None, Some(&b"a"[..]), Some(b"e"), Some(b"zz")] {
                for limit in [0, 1, 2, 3, usize::MAX] {
                    assert_eq!(keys(&draft, from, to, limit), keys(&made, from, to, limit));
                }
            }
        }
        assert_eq!(draft.get(Table::Tags, b"a").unwrap(), None);
        assert_eq!(draft.get(Table::Tags, b"b").unwrap(), Some(b"new".to_vec()));
        assert_eq!(draft.get(Table::Tags, b"c").unwrap(), Some(b"old".to_vec()));

        draft.keep();
        assert_eq!(memory, made);
        let mut draft = Draft::new(&mut memory);
        draft.delete(Table::Tags, b"b");
        drop(draft);
        assert_eq!(memory, made);
    }
}

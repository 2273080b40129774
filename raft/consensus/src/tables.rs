//! The tables of this replica: what readers see, and what one applied group writes.
//!
//! A [`Group`] collects the rows of all entries that are applied together, on top of what is
//! stored, and is committed as one batch with the position it leads to. A [`View`] shows the tables
//! between two such batches, so a reader sees whole groups only.

use std::collections::BTreeMap;

use bytes::Bytes;
use kv::batch::Batch;
use kv::store::{KvError, Pair, Reader, Store};
use metadata::tables::{Damage, Read, Table, Write};
use prost::Message;

use crate::codec;
use crate::protocol::records;
use crate::raft_types::{RaftLogId, StoredMembership};

/// The table of this crate's own rows. It comes first in a snapshot; metadata's begin at 1.
pub(crate) const OWN_TABLE: u8 = 0;
/// How far the tables are: a [`records::Position`].
const POSITION: &[u8] = b"position";
/// There while a snapshot is being loaded: the tables are then neither the old nor the new ones.
/// Sorts after [`POSITION`], so that a clearing cut short leaves either this row or no position.
const LOADING: &[u8] = b"replacing";

pub(crate) fn damage(error: &KvError) -> Damage {
    Damage(error.to_string())
}

/// The tables between two applied groups.
pub struct View<'a> {
    reader: &'a Reader<'a>,
}

impl Read for View<'_> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Damage> {
        self.reader.get(table as u8, key).map_err(|error| damage(&error))
    }

    fn range(
        &self,
        table: Table,
        from: &[u8],
        to: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Pair>, Damage> {
        self.reader.range(table as u8, from, to, limit).map_err(|error| damage(&error))
    }
}

/// What a read ends with: an answer, or rows that do not read.
struct ReadError(Damage);

impl From<KvError> for ReadError {
    fn from(error: KvError) -> Self {
        Self(damage(&error))
    }
}

/// Calls `work` with the tables as they are between two groups.
pub(crate) fn read<T>(
    store: &Store,
    work: impl FnOnce(&View<'_>) -> Result<T, Damage>,
) -> Result<T, Damage> {
    let read = store.read(|reader| work(&View { reader }).map_err(ReadError));
    read.map_err(|ReadError(damage)| damage)
}

/// Rows written by a group of entries, on top of what is stored.
pub struct Group<'a> {
    store: &'a Store,
    /// `None`: removed.
    written: BTreeMap<(u8, Vec<u8>), Option<Vec<u8>>>,
}

impl<'a> Group<'a> {
    pub(crate) fn new(store: &'a Store) -> Self {
        Self { store, written: BTreeMap::new() }
    }

    /// Whether a row of `table` was written.
    pub(crate) fn touches(&self, table: Table) -> bool {
        let table = table as u8;
        self.written.range((table, Vec::new())..).next().is_some_and(|(key, _)| key.0 == table)
    }

    /// Writes all of it, and where it leads to, as one batch.
    pub(crate) fn commit(
        self,
        last_applied: Option<&RaftLogId>,
        membership: &StoredMembership,
    ) -> Result<(), KvError> {
        let mut batch = Batch::new();
        for ((table, key), value) in &self.written {
            match value {
                Some(value) => batch.put(*table, key, value),
                None => batch.delete(*table, key),
            }
        }
        put_position(&mut batch, last_applied, membership);
        self.store.commit(&batch)
    }

    fn written_in(
        &self,
        table: u8,
        from: &[u8],
        to: Option<&[u8]>,
    ) -> impl Iterator<Item = (&Vec<u8>, Option<&Vec<u8>>)> {
        let before_end = move |key: &[u8]| to.is_none_or(|to| key < to);
        self.written
            .range((table, from.to_vec())..)
            .take_while(move |((of, key), _)| *of == table && before_end(key))
            .map(|((_, key), value)| (key, value.as_ref()))
    }
}

impl Read for Group<'_> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Damage> {
        if let Some(value) = self.written.get(&(table as u8, key.to_vec())) {
            return Ok(value.clone());
        }
        self.store.get(table as u8, key).map_err(|error| damage(&error))
    }

    fn range(
        &self,
        table: Table,
        from: &[u8],
        to: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Pair>, Damage> {
        let table = table as u8;
        let removed = self.written_in(table, from, to).filter(|(_, value)| value.is_none()).count();
        let stored = self
            .store
            .range(table, from, to, limit.saturating_add(removed))
            .map_err(|error| damage(&error))?;
        let mut rows: BTreeMap<Vec<u8>, Vec<u8>> = stored.into_iter().collect();
        for (key, value) in self.written_in(table, from, to) {
            match value {
                Some(value) => rows.insert(key.clone(), value.clone()),
                None => rows.remove(key),
            };
        }
        Ok(rows.into_iter().take(limit).collect())
    }
}

impl Write for Group<'_> {
    fn put(&mut self, table: Table, key: Vec<u8>, value: Vec<u8>) {
        self.written.insert((table as u8, key), Some(value));
    }

    fn delete(&mut self, table: Table, key: &[u8]) {
        self.written.insert((table as u8, key.to_vec()), None);
    }
}

/// How far the tables are; `None` in a table that was never written.
pub(crate) fn position(store: &Store) -> Result<(Option<RaftLogId>, StoredMembership), KvError> {
    decode_position(store.get(OWN_TABLE, POSITION)?)
}

pub(crate) fn decode_position(
    row: Option<Vec<u8>>,
) -> Result<(Option<RaftLogId>, StoredMembership), KvError> {
    let Some(row) = row else { return Ok((None, StoredMembership::default())) };
    let position = records::Position::decode(Bytes::from(row))
        .map_err(|why| KvError::Broken(format!("the position of the tables: {why}")))?;
    Ok(codec::position_from_record(position))
}

/// The position within a snapshot of the tables.
pub(crate) fn position_of(
    snapshot: &kv::snapshot::Snapshot,
) -> Result<(Option<RaftLogId>, StoredMembership), KvError> {
    decode_position(snapshot.get(OWN_TABLE, POSITION)?)
}

pub(crate) fn put_position(
    batch: &mut Batch,
    last_applied: Option<&RaftLogId>,
    membership: &StoredMembership,
) {
    let position = codec::position_to_record(last_applied, membership);
    batch.put(OWN_TABLE, POSITION, &position.encode_to_vec());
}

/// Notes that the tables are being replaced.
pub(crate) fn begin_loading(store: &Store) -> Result<(), KvError> {
    let mut batch = Batch::new();
    batch.put(OWN_TABLE, LOADING, &[1]);
    store.commit(&batch)
}

/// Notes, with the position that is now theirs, that the tables are whole again.
pub(crate) fn finish_loading(
    store: &Store,
    last_applied: Option<&RaftLogId>,
    membership: &StoredMembership,
) -> Result<(), KvError> {
    let mut batch = Batch::new();
    batch.delete(OWN_TABLE, LOADING);
    put_position(&mut batch, last_applied, membership);
    store.commit(&batch)
}

/// Whether a load was cut short.
pub(crate) fn is_loading(store: &Store) -> Result<bool, KvError> {
    Ok(store.get(OWN_TABLE, LOADING)?.is_some())
}

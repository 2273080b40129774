//! The rows of a state in tables on the disk, as a replica reads them.

use kv::batch::Batch;
use kv::store::{KvError, Reader, Store};
use metadata::tables::{Damage, Read, Row, Table};

use crate::state::State;

/// Rows of a batch.
const BATCH: usize = 1_000;

/// A state as it stands in the tables.
pub(crate) struct View<'a>(pub(crate) &'a Reader<'a>);

fn damage(error: &KvError) -> Damage {
    Damage(error.to_string())
}

impl Read for View<'_> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Damage> {
        self.0.get(table as u8, key).map_err(|error| damage(&error))
    }

    fn range(
        &self,
        table: Table,
        from: &[u8],
        to: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Row>, Damage> {
        self.0.range(table as u8, from, to, limit).map_err(|error| damage(&error))
    }
}

/// Copies every row.
pub(crate) fn fill(store: &Store, state: &State) {
    let rows: Vec<_> = state.tables.rows().collect();
    for rows in rows.chunks(BATCH) {
        let mut batch = Batch::new();
        for (table, key, value) in rows {
            batch.put(*table as u8, key, value);
        }
        store.commit(&batch).unwrap();
    }
}

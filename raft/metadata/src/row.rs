//! Rows as values: reading and writing one message under a key.

use crate::codec::{self, Message};
use crate::key;
use crate::tables::{Damage, Read, Row, Table, Write};

/// The row under `key`.
pub(crate) fn find<M: Message>(
    read: &impl Read,
    table: Table,
    key: &[u8],
) -> Result<Option<M>, Damage> {
    match read.get(table, key)? {
        Some(value) => decode(table, &value).map(Some),
        None => Ok(None),
    }
}

/// The message in a row's value.
pub(crate) fn decode<M: Message>(table: Table, value: &[u8]) -> Result<M, Damage> {
    codec::decode(value).map_err(|malformed| Damage(format!("a row of {table:?}: {malformed}")))
}

/// Sets the row under `key`.
pub(crate) fn put(tables: &mut impl Write, table: Table, key: Vec<u8>, row: &impl Message) {
    tables.put(table, key, codec::encode(row));
}

/// A row of an index: the key says it all.
pub(crate) fn mark(tables: &mut impl Write, table: Table, key: Vec<u8>) {
    tables.put(table, key, Vec::new());
}

/// At most `limit` rows whose keys begin with `prefix`.
pub(crate) fn under(
    read: &impl Read,
    table: Table,
    prefix: &[u8],
    limit: usize,
) -> Result<Vec<Row>, Damage> {
    read.range(table, prefix, key::after_prefix(prefix).as_deref(), limit)
}

/// At most `limit` rows whose keys begin with `prefix`, strictly after `prefix` and `last`
/// together.
pub(crate) fn under_after(
    read: &impl Read,
    table: Table,
    (prefix, last): (&[u8], &[u8]),
    limit: usize,
) -> Result<Vec<Row>, Damage> {
    let from =
        if last.is_empty() { prefix.to_vec() } else { key::after(key::join(&[prefix, last])) };
    read.range(table, &from, key::after_prefix(prefix).as_deref(), limit)
}

/// Rows whose keys begin with `prefix`, from `prefix` and `start` together on.
pub(crate) fn from_within(
    read: &impl Read,
    table: Table,
    (prefix, start): (&[u8], &[u8]),
    limit: usize,
) -> Result<Vec<Row>, Damage> {
    let from = key::join(&[prefix, start]);
    read.range(table, &from, key::after_prefix(prefix).as_deref(), limit)
}

/// A number that counts up from 1 and is never given twice.
pub(crate) fn next_number(tables: &mut impl Write, name: &[u8]) -> Result<u64, Damage> {
    let next = match tables.get(Table::Singles, name)? {
        Some(last) => key::split_u64(&last)?.0 + 1,
        None => 1,
    };
    tables.put(Table::Singles, name.to_vec(), next.to_be_bytes().to_vec());
    Ok(next)
}

//! What is in a snapshot file: metadata's own stream, with Raft's position in its header.

use std::io::{Read, Write};

use bytes::Bytes;
use kv::batch::Batch;
use kv::snapshot::Snapshot;
use kv::store::Store;
use metadata::snapshot::{Decoder, Encoder, FORMAT, Header, Part, SnapshotError as StreamError};
use metadata::tables::Table;
use prost::Message;

use crate::codec;
use crate::protocol::records;
use crate::raft_types::SnapshotMeta;
use crate::snapshots::SnapshotError;
use crate::tables;

/// Bytes read or written at a time.
const PIECE_BYTES: usize = 256 * 1024;
/// Rows given to the tables as one batch.
const BATCH_ROWS: usize = 1000;

impl From<StreamError> for SnapshotError {
    fn from(error: StreamError) -> Self {
        Self::Damaged(error.to_string())
    }
}

/// Writes all rows of `snapshot`, whose position is that of `meta`.
pub(crate) fn write(
    to: &mut impl Write,
    meta: &SnapshotMeta,
    cluster_id: &str,
    snapshot: &Snapshot,
) -> Result<(), SnapshotError> {
    let position = codec::position_to_record(meta.last_log_id.as_ref(), &meta.last_membership);
    let header = Header {
        format: FORMAT,
        cluster_id: cluster_id.to_owned(),
        log_index: meta.last_log_id.map_or(0, |id| id.index),
        term: meta.last_log_id.map_or(0, |id| id.leader_id.term),
        consensus: position.encode_to_vec(),
    };
    let mut out = Vec::with_capacity(2 * PIECE_BYTES);
    let mut encoder = Encoder::new(&header, &mut out);
    for row in snapshot.rows() {
        let row = row?;
        if row.table == tables::OWN_TABLE {
            continue;
        }
        let table = Table::from_number(row.table)
            .ok_or_else(|| SnapshotError::Damaged(format!("there is a table {}", row.table)))?;
        encoder.push(table, &row.key, &row.value, &mut out);
        if out.len() >= PIECE_BYTES {
            to.write_all(&out)?;
            out.clear();
        }
    }
    encoder.finish(&mut out);
    Ok(to.write_all(&out)?)
}

/// Reads `from` to its end, calling `take` with each part that was checked.
fn each(
    from: &mut impl Read,
    mut take: impl FnMut(Part) -> Result<(), SnapshotError>,
) -> Result<(), SnapshotError> {
    let mut decoder = Decoder::default();
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let length = from.read(&mut piece)?;
        if length == 0 {
            decoder.finish()?;
            return Ok(());
        }
        decoder.feed(&piece[..length])?.into_iter().try_for_each(&mut take)?;
    }
}

/// What the head of a file says, without looking at the rest.
pub(crate) fn head(from: &mut impl Read) -> Result<SnapshotMeta, SnapshotError> {
    let mut decoder = Decoder::default();
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let length = from.read(&mut piece)?;
        if length == 0 {
            return Err(StreamError::Cut.into());
        }
        if let Some(Part::Header(header)) = decoder.feed(&piece[..length])?.into_iter().next() {
            return meta_of(header);
        }
    }
}

/// Reads a file to its end and finds every sum right.
pub(crate) fn check(from: &mut impl Read) -> Result<(), SnapshotError> {
    each(from, |_| Ok(()))
}

/// Replaces all tables of `store` by those of the file.
///
/// The tables are marked as being replaced until the last row is there: a load that was cut short
/// is found at the next start.
pub(crate) fn load(from: &mut impl Read, store: &Store) -> Result<SnapshotMeta, SnapshotError> {
    tables::begin_loading(store)?;
    store.clear()?;
    tables::begin_loading(store)?;
    let mut meta = None;
    let mut batch = Batch::new();
    each(from, |part| {
        match part {
            Part::Header(header) => meta = Some(meta_of(header)?),
            Part::Row(table, key, value) => batch.put(table as u8, &key, &value),
        }
        if batch.len() >= BATCH_ROWS {
            store.commit(&std::mem::take(&mut batch))?;
        }
        Ok(())
    })?;
    store.commit(&batch)?;
    let meta = meta.ok_or(StreamError::Cut)?;
    tables::finish_loading(store, meta.last_log_id.as_ref(), &meta.last_membership)?;
    Ok(meta)
}

fn meta_of(header: Header) -> Result<SnapshotMeta, SnapshotError> {
    let position = records::Position::decode(Bytes::from(header.consensus))
        .map_err(|error| SnapshotError::Damaged(error.to_string()))?;
    let (last_log_id, last_membership) = codec::position_from_record(position);
    let snapshot_id = crate::snapshots::id_of(last_log_id.as_ref());
    Ok(SnapshotMeta { last_log_id, last_membership, snapshot_id })
}

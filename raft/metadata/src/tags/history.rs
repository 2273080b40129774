//! What happened to a tag: who pushed, deleted or evicted it, when, and where it pointed.
//!
//! The newest push stands in the tag's own row. It is written down here once the tag moves or goes,
//! so that a tag that is pushed once costs nothing. Of each tag the newest events are kept, in a
//! ring; what happened to a tag that is gone is kept for a while.

use oci::digest::Digest;
use oci::name::{RepositoryName, TagName};

use super::{TagRow, deleted, find_in};
use crate::codec::{message, numbered};
use crate::key;
use crate::repositories::{self, RepositoryNumber};
use crate::row;
use crate::tables::{Damage, Read, Table, Write};

/// Events of one tag that are kept, beside its newest push.
pub const EVENTS_MAX: u64 = 64;

/// How long the history of a tag stays that is gone, in milliseconds of cluster time.
pub const GONE_KEPT_MS: u64 = 30 * 24 * 3600 * 1000;

/// Between the tag's name and what follows; no tag has it in its name.
const END_OF_NAME: &[u8] = &[0];

numbered! {
    /// What can happen to a tag.
    pub enum Event {
        /// It came to point at a manifest.
        1 Pushed,
        /// Somebody deleted it, alone or with its manifest.
        2 Deleted,
        /// It went for a newer one, by the repository's tag limit.
        3 Evicted,
        /// Somebody brought it back.
        4 Undeleted,
    }
}

message! {
    /// Something that happened to a tag, under repository, tag and place in the ring.
    pub struct EventRow {
        /// Counts up from 0 by tag.
        1 number: u64,
        /// What.
        2 event: Event,
        /// The manifest it came to point at, or pointed at last.
        3 digest: Digest,
        /// Who did it; of an eviction, who pushed the newer tag or lowered the limit.
        4 actor: String,
        /// When, milliseconds since 1970.
        5 wall_ms: u64,
    }
}

message! {
    /// How far a tag's history is, under repository and tag.
    #[derive(Default)]
    pub struct HeadRow {
        /// The number of its next event.
        1 next: u64,
        /// The cluster time at which the tag last went; 0 where it never did.
        2 gone_ms: u64,
    }
}

/// What happened to the tag, the newest first; nothing where there never was one, or too long ago.
pub fn of(
    read: &impl Read,
    repository: &RepositoryName,
    tag: &TagName,
) -> Result<Vec<EventRow>, Damage> {
    let Some(row) = repositories::find(read, repository)? else { return Ok(Vec::new()) };
    let number = row.number();
    let head = head(read, number, tag)?;
    let current = find_in(read, number, tag)?.filter(|current| !current.recorded);
    let mut events: Vec<EventRow> = Vec::new();
    for (key, value) in row::under(read, Table::TagHistory, &head_key(number, tag), usize::MAX)? {
        if key.len() > head_key(number, tag).len() {
            events.push(row::decode(Table::TagHistory, &value)?);
        }
    }
    events.extend(current.map(|current| pushed(&current, head.next)));
    events.sort_by_key(|event| std::cmp::Reverse(event.number));
    Ok(events)
}

/// Writes down the push that brought the tag where it is, before it moves or goes.
pub(crate) fn note_push(
    tables: &mut impl Write,
    (repository, tag): (RepositoryNumber, &TagName),
    row: &TagRow,
) -> Result<(), Damage> {
    if row.recorded { Ok(()) } else { record(tables, (repository, tag), pushed(row, 0)) }
}

/// Writes an event down, over the oldest where the ring is full.
pub(crate) fn record(
    tables: &mut impl Write,
    (repository, tag): (RepositoryNumber, &TagName),
    event: EventRow,
) -> Result<(), Damage> {
    let head = head(tables, repository, tag)?;
    let event = EventRow { number: head.next, ..event };
    let place = u8::try_from(head.next % EVENTS_MAX).unwrap_or_default();
    let key = key::join(&[&head_key(repository, tag), &[place]]);
    row::put(tables, Table::TagHistory, key, &event);
    let head = HeadRow { next: head.next + 1, ..head };
    row::put(tables, Table::TagHistory, head_key(repository, tag), &head);
    Ok(())
}

/// Notes that the tag is gone since `now_ms`.
pub(crate) fn note_gone(
    tables: &mut impl Write,
    (repository, tag): (RepositoryNumber, &TagName),
    now_ms: u64,
) -> Result<(), Damage> {
    let head = HeadRow { gone_ms: now_ms, ..head(tables, repository, tag)? };
    row::put(tables, Table::TagHistory, head_key(repository, tag), &head);
    Ok(())
}

/// The cluster time from which on the history of a tag that is gone may go.
pub(crate) fn end_ms(
    read: &impl Read,
    (repository, tag): (RepositoryNumber, &TagName),
) -> Result<u64, Damage> {
    Ok(head(read, repository, tag)?.gone_ms.saturating_add(GONE_KEPT_MS))
}

/// Takes the history of a tag away where the tag is gone for long enough.
pub(crate) fn forget(
    tables: &mut impl Write,
    (repository, tag): (RepositoryNumber, &TagName),
    now_ms: u64,
) -> Result<(), Damage> {
    let is_there = find_in(tables, repository, tag)?.is_some()
        || deleted::find_in(tables, repository, tag)?.is_some();
    if is_there || now_ms < end_ms(tables, (repository, tag))? {
        return Ok(());
    }
    remove_some(tables, &head_key(repository, tag), usize::MAX)?;
    Ok(())
}

/// Takes some of a deleted repository's history away; how many rows.
pub(crate) fn remove_some(
    tables: &mut impl Write,
    prefix: &[u8],
    limit: usize,
) -> Result<usize, Damage> {
    let rows = row::under(tables, Table::TagHistory, prefix, limit)?;
    for (key, _) in &rows {
        tables.delete(Table::TagHistory, key);
    }
    Ok(rows.len())
}

fn pushed(row: &TagRow, number: u64) -> EventRow {
    EventRow {
        number,
        event: Event::Pushed,
        digest: row.digest.clone(),
        actor: row.moved_by.clone(),
        wall_ms: row.moved_wall_ms,
    }
}

fn head(read: &impl Read, repository: RepositoryNumber, tag: &TagName) -> Result<HeadRow, Damage> {
    Ok(row::find(read, Table::TagHistory, &head_key(repository, tag))?.unwrap_or_default())
}

pub(crate) fn head_key(repository: RepositoryNumber, tag: &TagName) -> Vec<u8> {
    key::within(repository, &[tag.as_str().as_bytes(), END_OF_NAME])
}

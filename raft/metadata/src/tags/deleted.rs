//! Tags that went, and may come back for a while.
//!
//! Such a tag has a row of its own, and a mark by the manifest it pointed at. As long as that is
//! there a manifest that is deleted is held (`manifests::held`), so that nothing is collected that
//! can be brought back. The end of it comes in cluster time, a bounded number with each entry.

use oci::digest::Digest;
use oci::name::{RepositoryName, TagName};

use super::history::{self, Event, EventRow};
use super::{TagRow, erase, name};
use crate::clocks;
use crate::codec::message;
use crate::key;
use crate::manifests::held;
use crate::moment::Moment;
use crate::page::Listing;
use crate::repositories::{self, RepositoryNumber};
use crate::row;
use crate::settings;
use crate::tables::{Damage, Read, Table, Write};

/// Held manifests that one entry lets go; each may name thousands of digests.
const MANIFESTS_MAX: usize = 4;

/// What ends, as the byte behind time and repository in a key of `HoldEnds`.
pub(crate) const TAG: u8 = 1;
pub(crate) const HISTORY: u8 = 2;
pub(crate) const MANIFEST: u8 = 3;

message! {
    /// A tag that went, under repository and name.
    pub struct DeletedTagRow {
        /// As it was.
        1 tag: TagRow,
        /// The cluster time until which it may come back.
        2 until_ms: u64,
    }
}

/// The tag that went and may still come back, with the wall time until when, in milliseconds since
/// 1970.
pub fn find(
    read: &impl Read,
    repository: &RepositoryName,
    tag: &TagName,
) -> Result<Option<(TagRow, u64)>, Damage> {
    let Some(repository) = repositories::find(read, repository)? else { return Ok(None) };
    let now = clocks::now(read)?;
    let found = find_in(read, repository.number(), tag)?;
    let found = found.filter(|found| found.until_ms > now.cluster_ms);
    Ok(found.map(|found| {
        let left_ms = found.until_ms - now.cluster_ms;
        (found.tag, now.wall_ms.saturating_add(left_ms))
    }))
}

/// Rows of tags that went, by name, from `start` on. Some may be over, or have been pushed again
/// since: whether one may still come back says [`returnable`].
pub fn listing(
    read: &impl Read,
    repository: &RepositoryName,
    start: &str,
    limit: usize,
) -> Result<Listing<(TagName, DeletedTagRow)>, Damage> {
    let Some(repository) = repositories::find(read, repository)? else {
        return Ok(Listing { items: Vec::new(), next: None });
    };
    let prefix = key::within(repository.number(), &[]);
    let within = (prefix.as_slice(), start.as_bytes());
    let rows = row::from_within(read, Table::DeletedTags, within, limit.saturating_add(1))?;
    let items = rows.iter().map(|(key, value)| {
        Ok((name(&key[prefix.len()..])?, row::decode(Table::DeletedTags, value)?))
    });
    Ok(Listing::cut(items.collect::<Result<_, Damage>>()?, limit))
}

/// The tag as [`find`] finds it, where no other stands in its place.
pub fn returnable(
    read: &impl Read,
    repository: &RepositoryName,
    tag: &TagName,
) -> Result<Option<(TagRow, u64)>, Damage> {
    match super::find(read, repository, tag)? {
        Some(_) => Ok(None),
        None => find(read, repository, tag),
    }
}

pub(crate) fn find_in(
    read: &impl Read,
    repository: RepositoryNumber,
    tag: &TagName,
) -> Result<Option<DeletedTagRow>, Damage> {
    row::find(read, Table::DeletedTags, &tag_key(repository, tag))
}

/// Takes a tag away, so that it may come back, and writes down what happened.
pub(crate) fn retire(
    tables: &mut impl Write,
    (repository, tag, row): (RepositoryNumber, &TagName, &TagRow),
    (event, actor): (Event, &str),
    moment: &Moment,
) -> Result<(), Damage> {
    let place = (repository, tag);
    history::note_push(tables, place, row)?;
    let happened = EventRow {
        number: 0,
        event,
        digest: row.digest.clone(),
        actor: actor.to_owned(),
        wall_ms: moment.wall_ms,
    };
    history::record(tables, place, happened)?;
    history::note_gone(tables, place, moment.cluster_ms)?;
    erase(tables, repository, tag, row)?;
    // It may have gone before and come again since.
    let_go(tables, place, moment)?;
    let until_ms = moment.cluster_ms.saturating_add(settings::get(tables)?.undelete_ms());
    if until_ms > moment.cluster_ms {
        let deleted = DeletedTagRow { tag: TagRow { recorded: true, ..row.clone() }, until_ms };
        row::put(tables, Table::DeletedTags, tag_key(repository, tag), &deleted);
        row::mark(tables, Table::HeldTags, held_key(repository, &row.digest, tag));
        ends(tables, until_ms, repository, (TAG, tag.as_str().as_bytes()));
    } else {
        ends_history(tables, place)?;
    }
    Ok(())
}

/// The tag may not come back any more, or has: what only it held is let go.
pub(crate) fn let_go(
    tables: &mut impl Write,
    (repository, tag): (RepositoryNumber, &TagName),
    moment: &Moment,
) -> Result<(), Damage> {
    let Some(DeletedTagRow { tag: row, until_ms }) = find_in(tables, repository, tag)? else {
        return Ok(());
    };
    tables.delete(Table::DeletedTags, &tag_key(repository, tag));
    tables.delete(Table::HeldTags, &held_key(repository, &row.digest, tag));
    let end = end_key(until_ms, repository, (TAG, tag.as_str().as_bytes()));
    tables.delete(Table::HoldEnds, &end);
    held::reconsider(tables, repository, &row.digest, moment)
}

/// Whether a tag that may come back pointed at the manifest.
pub(crate) fn pointed_at(
    read: &impl Read,
    repository: RepositoryNumber,
    digest: &Digest,
) -> Result<bool, Damage> {
    let prefix = key::within(repository, &[&digest.to_bytes()]);
    Ok(!row::under(read, Table::HeldTags, &prefix, 1)?.is_empty())
}

/// Lets go, at most `limit` at a time, what has come to its end.
pub(crate) fn sweep(tables: &mut impl Write, moment: &Moment, limit: usize) -> Result<(), Damage> {
    let to = moment.cluster_ms.saturating_add(1).to_be_bytes();
    let mut manifests = 0;
    for (end, _) in tables.range(Table::HoldEnds, &[], Some(&to), limit)? {
        let (_, rest) = key::split_u64(&end)?;
        let (number, rest) = key::split_u64(rest)?;
        let repository = RepositoryNumber(number);
        let kindless = || Damage("an end of what is held is of no kind".into());
        let (kind, subject) = rest.split_first().ok_or_else(kindless)?;
        match *kind {
            MANIFEST => {
                if manifests == MANIFESTS_MAX {
                    continue;
                }
                manifests += 1;
                tables.delete(Table::HoldEnds, &end);
                held::let_go(tables, repository, &key::split_digest(subject)?.0, moment)?;
            }
            TAG => {
                let place = (repository, &name(subject)?);
                let_go(tables, place, moment)?;
                ends_history(tables, place)?;
            }
            _ => {
                tables.delete(Table::HoldEnds, &end);
                history::forget(tables, (repository, &name(subject)?), moment.cluster_ms)?;
            }
        }
    }
    Ok(())
}

/// Takes some of a deleted repository's tags away that might have come back; how many.
pub(crate) fn remove_some(
    tables: &mut impl Write,
    repository: RepositoryNumber,
    limit: usize,
) -> Result<usize, Damage> {
    let prefix = key::within(repository, &[]);
    let rows = row::under(tables, Table::DeletedTags, &prefix, limit)?;
    for (key, value) in &rows {
        let tag = name(&key[prefix.len()..])?;
        let DeletedTagRow { tag: row, until_ms } = row::decode(Table::DeletedTags, value)?;
        tables.delete(Table::DeletedTags, key);
        tables.delete(Table::HeldTags, &held_key(repository, &row.digest, &tag));
        let end = end_key(until_ms, repository, (TAG, tag.as_str().as_bytes()));
        tables.delete(Table::HoldEnds, &end);
    }
    Ok(rows.len())
}

/// Notes when something ends.
pub(crate) fn ends(
    tables: &mut impl Write,
    at_ms: u64,
    repository: RepositoryNumber,
    what: (u8, &[u8]),
) {
    row::mark(tables, Table::HoldEnds, end_key(at_ms, repository, what));
}

/// Has the history go, later; it stays where the tag has come again by then.
fn ends_history(
    tables: &mut impl Write,
    (repository, tag): (RepositoryNumber, &TagName),
) -> Result<(), Damage> {
    let at_ms = history::end_ms(tables, (repository, tag))?;
    ends(tables, at_ms, repository, (HISTORY, tag.as_str().as_bytes()));
    Ok(())
}

fn end_key(at_ms: u64, repository: RepositoryNumber, (kind, subject): (u8, &[u8])) -> Vec<u8> {
    key::join(&[&at_ms.to_be_bytes(), &repository.0.to_be_bytes(), &[kind], subject])
}

fn tag_key(repository: RepositoryNumber, tag: &TagName) -> Vec<u8> {
    key::within(repository, &[tag.as_str().as_bytes()])
}

fn held_key(repository: RepositoryNumber, digest: &Digest, tag: &TagName) -> Vec<u8> {
    key::within(repository, &[&digest.to_bytes(), tag.as_str().as_bytes()])
}

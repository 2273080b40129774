//! The order in which tags came, and how many of them a repository keeps.
//!
//! With a limit the tag that was first pushed longest ago goes when a new one comes. Pushing a tag
//! again does not renew it. Signatures and fallback tags of referrers neither count nor go.
//!
//! Source: dtr-interface 12.5.

use std::collections::BTreeSet;

use oci::digest::Digest;
use oci::name::{RepositoryName, TagName};

use super::history::Event;
use super::{TagRow, deleted, find_in, name};
use crate::codec::message;
use crate::events::EventType;
use crate::events::writing::{self, Happening};
use crate::key;
use crate::moment::Moment;
use crate::refusal::Refusal;
use crate::repositories::{self, RepositoryNumber, RepositoryRow, counts};
use crate::row;
use crate::ruling::Ruling;
use crate::settings;
use crate::tables::{Damage, Read, Table, Write};

/// A tag limit, at most.
pub const LIMIT_MAX: u64 = 1_000_000;

/// Tags that one entry evicts where the limit was lowered.
const STEP: usize = 32;

/// Tags that a push evicts beyond those it adds, where the limit was lowered.
const BEYOND_MAX: usize = 8;

message! {
    /// A repository that has more tags than its limit, which was lowered; under its number.
    pub struct EvictionRow {
        /// Who lowered it.
        1 actor: String,
    }
}

/// Refuses a limit that cannot be kept: too large a number, or tags that never move but go.
pub(crate) fn check_limit(
    repository: &RepositoryName,
    (tag_limit, immutable_tags): (u64, bool),
) -> Ruling<()> {
    if tag_limit > LIMIT_MAX {
        let setting = "tagLimit".to_owned();
        return Err(Refusal::SettingOutOfBounds { setting, min: 0, max: LIMIT_MAX }.into());
    }
    if tag_limit > 0 && immutable_tags {
        let repository = repository.clone();
        return Err(Refusal::TagLimitOnImmutable { repository }.into());
    }
    Ok(())
}

/// Refuses a push that names more tags than there may be: one of them would be gone at once.
pub(crate) fn check_push<'a>(
    repository: &RepositoryRow,
    tags: impl Iterator<Item = &'a TagName>,
) -> Ruling<()> {
    let counted = tags.filter(|tag| !tag.is_attachment()).count();
    let limit = repository.tag_limit;
    if limit > 0 && u64::try_from(counted).unwrap_or(u64::MAX) > limit {
        return Err(Refusal::TagsOverLimit { limit }.into());
    }
    Ok(())
}

/// Counts a tag that came.
pub(crate) fn enter(
    tables: &mut impl Write,
    repository: RepositoryNumber,
    tag: &TagName,
    row: &TagRow,
) -> Result<(), Damage> {
    if tag.is_attachment() {
        return Ok(());
    }
    row::mark(tables, Table::TagOrder, order_key(repository, tag, row));
    counts::change(tables, repository, |counts| counts.tags += 1)
}

/// Counts a tag that went.
pub(crate) fn leave(
    tables: &mut impl Write,
    repository: RepositoryNumber,
    tag: &TagName,
    row: &TagRow,
) -> Result<(), Damage> {
    if tag.is_attachment() {
        return Ok(());
    }
    tables.delete(Table::TagOrder, &order_key(repository, tag, row));
    counts::change(tables, repository, |counts| counts.tags = counts.tags.saturating_sub(1))
}

/// Evicts what is beyond the limit after a push that set `pushed`, `added` of them new: none of
/// those. Returns the tags that are gone.
pub(crate) fn after_push(
    tables: &mut impl Write,
    repository: &RepositoryRow,
    (pushed, added): (&BTreeSet<&TagName>, usize),
    actor: &str,
    moment: &Moment,
) -> Result<Vec<TagName>, Damage> {
    evict(tables, repository, (pushed, added + BEYOND_MAX), actor, moment)
}

/// Evicts what is beyond a limit that was lowered: some now, the rest with the entries that follow.
pub(crate) fn after_change(
    tables: &mut impl Write,
    repository: &RepositoryRow,
    actor: &str,
    moment: &Moment,
) -> Result<(), Damage> {
    let number = repository.number.to_be_bytes();
    let gone = evict(tables, repository, (&BTreeSet::new(), STEP), actor, moment)?;
    if gone.len() < STEP {
        tables.delete(Table::TagEvictions, &number);
    } else {
        let row = EvictionRow { actor: actor.to_owned() };
        row::put(tables, Table::TagEvictions, number.to_vec(), &row);
    }
    Ok(())
}

/// Evicts some tags of the first repository that has more than its limit; none while the cluster is
/// read-only.
pub(crate) fn sweep(tables: &mut impl Write, moment: &Moment) -> Result<(), Damage> {
    let waiting = tables.range(Table::TagEvictions, &[], None, 1)?;
    let Some((number, value)) = waiting.into_iter().next() else { return Ok(()) };
    if settings::get(tables)?.read_only {
        return Ok(());
    }
    let EvictionRow { actor } = row::decode(Table::TagEvictions, &value)?;
    let repository = RepositoryNumber(key::split_u64(&number)?.0);
    let name = repositories::name_of(tables, repository)?;
    let row = match &name {
        Some(name) => repositories::find(tables, name)?,
        None => None,
    };
    let (Some(name), Some(row)) = (name, row) else {
        tables.delete(Table::TagEvictions, &number);
        return Ok(());
    };
    after_change(tables, &row, &actor, moment)?;
    repositories::touch(tables, &name, &row, moment);
    Ok(())
}

/// Takes away the tags that came first, as many as are beyond the limit and `most` allows, but
/// none of `spared`.
fn evict(
    tables: &mut impl Write,
    repository: &RepositoryRow,
    (spared, most): (&BTreeSet<&TagName>, usize),
    actor: &str,
    moment: &Moment,
) -> Result<Vec<TagName>, Damage> {
    let (number, limit) = (repository.number(), repository.tag_limit);
    let mut gone: Vec<(TagName, Digest)> = Vec::new();
    if limit == 0 {
        return Ok(Vec::new());
    }
    let beyond = counts::of(tables, number)?.tags.saturating_sub(limit);
    let wanted = usize::try_from(beyond).unwrap_or(usize::MAX).min(most);
    if wanted == 0 {
        return Ok(Vec::new());
    }
    let prefix = key::within(number, &[]);
    for (key, _) in row::under(tables, Table::TagOrder, &prefix, wanted + spared.len())? {
        let tag = name(key::split_u64(&key[prefix.len()..])?.1)?;
        if gone.len() == wanted || spared.contains(&tag) {
            continue;
        }
        let row = find_in(tables, number, &tag)?;
        let row = row.ok_or_else(|| Damage(format!("tag {tag} has an order and no row")))?;
        deleted::retire(tables, (number, &tag, &row), (Event::Evicted, actor), moment)?;
        gone.push((tag, row.digest));
    }
    let happened: Vec<Happening<'_>> = gone
        .iter()
        .map(|(tag, digest)| Happening::to_tag(EventType::Delete, tag, digest))
        .collect();
    if let Some(name) = repositories::name_of(tables, number)? {
        writing::note(tables, (&name, repository), actor, &happened, moment)?;
    }
    Ok(gone.into_iter().map(|(tag, _)| tag).collect())
}

fn order_key(repository: RepositoryNumber, tag: &TagName, row: &TagRow) -> Vec<u8> {
    key::within(repository, &[&row.created_index.to_be_bytes(), tag.as_str().as_bytes()])
}

/// Whether one more tag of that name is within the limit.
pub(crate) fn has_room(
    read: &impl Read,
    repository: &RepositoryRow,
    tag: &TagName,
) -> Result<bool, Damage> {
    let limit = repository.tag_limit;
    if limit == 0 || tag.is_attachment() {
        return Ok(true);
    }
    Ok(counts::of(read, repository.number())?.tags < limit)
}

//! Repositories: named places for manifests, tags and the right to read blobs.
//!
//! A repository has a number, never used again, under which its rows stand. Deleting one takes its
//! name away at once; its rows go a few with each entry (`deletion`), while the name may be taken
//! again.

use oci::name::RepositoryName;

use crate::access::{self, Action, Caller};
use crate::codec::{message, numbered};
use crate::key;
use crate::moment::Moment;
use crate::page::Page;
use crate::row;
use crate::ruling::Ruling;
use crate::settings;
use crate::tables::{Damage, Read, Row, Table, Write};

pub mod commands;
pub(crate) mod deletion;
pub mod description;

/// A repository's number, under which its rows stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RepositoryNumber(pub u64);

numbered! {
    /// Who may read without a right of their own.
    pub enum Visibility {
        /// Nobody.
        1 Private,
        /// Everyone, also who did not sign in.
        2 Public,
    }
}

message! {
    /// A repository, under its name.
    pub struct RepositoryRow {
        /// Its rows stand under it; see [`RepositoryRow::number`].
        1 number: u64,
        /// Never used for another repository; shown by the API.
        2 id: [u8; 16],
        /// Who may read.
        3 visibility: Visibility,
        /// Whether a tag, once pushed, stays with its manifest.
        4 immutable_tags: bool,
        /// Milliseconds since 1970.
        5 created_wall_ms: u64,
        /// The log index of the last change to its manifests or tags: what entity tags of lists
        /// show.
        6 revision: u64,
    }
}

impl RepositoryRow {
    /// The number its rows stand under.
    pub fn number(&self) -> RepositoryNumber {
        RepositoryNumber(self.number)
    }
}

/// The repository of that name.
pub fn find(
    read: &impl Read,
    repository: &RepositoryName,
) -> Result<Option<RepositoryRow>, Damage> {
    row::find(read, Table::Repositories, repository.as_str().as_bytes())
}

/// The name of the repository with that number; `None` once it is deleted.
pub fn name_of(
    read: &impl Read,
    number: RepositoryNumber,
) -> Result<Option<RepositoryName>, Damage> {
    let value = read.get(Table::RepositoryNames, &number.0.to_be_bytes())?;
    value.map(|value| name(&value)).transpose()
}

/// The repositories that `caller` may read, after `last`, which need not be one.
///
/// Costs a page, however many others there are: a caller reads its own namespace and what is
/// public.
pub fn page(
    read: &impl Read,
    caller: &Caller,
    last: &str,
    limit: usize,
) -> Result<Page<(RepositoryName, RepositoryRow)>, Damage> {
    let wanted = limit.saturating_add(1);
    let from = if last.is_empty() { Vec::new() } else { key::after(last.as_bytes().to_vec()) };
    if caller.is_admin {
        let rows = read.range(Table::Repositories, &from, None, wanted)?;
        let items = rows.iter().map(named).collect::<Result<_, _>>()?;
        return Ok(Page::cut(items, limit));
    }
    let mut names: Vec<Vec<u8>> = Vec::new();
    for (key, _) in read.range(Table::PublicRepositories, &from, None, wanted)? {
        names.push(key);
    }
    if let Some(account) = &caller.account {
        let namespace = format!("{account}/").into_bytes();
        let end = key::after_prefix(&namespace);
        let from = from.max(namespace);
        for (key, _) in read.range(Table::Repositories, &from, end.as_deref(), wanted)? {
            names.push(key);
        }
    }
    names.sort_unstable();
    names.dedup();
    let mut items = Vec::with_capacity(names.len().min(wanted));
    for bytes in names.into_iter().take(wanted) {
        let name = name(&bytes)?;
        let row = find(read, &name)?.ok_or_else(|| Damage(format!("{name} has no row")))?;
        items.push((name, row));
    }
    Ok(Page::cut(items, limit))
}

/// Repositories in byte order, and where the next page begins.
#[derive(Clone, Debug)]
pub struct Listing {
    /// Names with their rows.
    pub items: Vec<(RepositoryName, RepositoryRow)>,
    /// The first one that is not listed any more.
    pub next: Option<RepositoryName>,
}

/// The repositories whose names begin with `prefix`, from `start` on, which need not be one.
pub fn listing(
    read: &impl Read,
    prefix: &str,
    start: &str,
    limit: usize,
) -> Result<Listing, Damage> {
    let from = start.max(prefix).as_bytes().to_vec();
    let end = if prefix.is_empty() { None } else { key::after_prefix(prefix.as_bytes()) };
    let rows = read.range(Table::Repositories, &from, end.as_deref(), limit.saturating_add(1))?;
    let mut items = rows.iter().map(named).collect::<Result<Vec<_>, _>>()?;
    let next = if items.len() > limit { items.pop().map(|(name, _)| name) } else { None };
    Ok(Listing { items, next })
}

fn named((key, value): &Row) -> Result<(RepositoryName, RepositoryRow), Damage> {
    Ok((name(key)?, row::decode(Table::Repositories, value)?))
}

fn name(bytes: &[u8]) -> Result<RepositoryName, Damage> {
    RepositoryName::parse(key::text(bytes)?)
        .map_err(|error| Damage(format!("a stored repository name: {error}")))
}

/// The repository in which `actor` may write, while the cluster takes writes; a permitted push
/// creates it.
pub(crate) fn permitted(
    tables: &mut impl Write,
    actor: &str,
    repository: &RepositoryName,
    action: Action,
    moment: &Moment,
) -> Ruling<RepositoryRow> {
    let existing = access::permit(tables, actor, repository, action)?;
    settings::check_writable(tables)?;
    match existing {
        Some(row) => Ok(row),
        None => commands::create(tables, repository, Visibility::Private, moment),
    }
}

pub(crate) fn put(tables: &mut impl Write, repository: &RepositoryName, row: &RepositoryRow) {
    row::put(tables, Table::Repositories, repository.as_str().as_bytes().to_vec(), row);
}

/// Notes that manifests or tags of the repository changed in this entry.
pub(crate) fn touch(
    tables: &mut impl Write,
    repository: &RepositoryName,
    row: &RepositoryRow,
    moment: &Moment,
) {
    if row.revision != moment.index {
        put(tables, repository, &RepositoryRow { revision: moment.index, ..row.clone() });
    }
}

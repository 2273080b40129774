//! Repositories: named places for manifests, tags and the right to read blobs.
//!
//! A repository has a number, never used again, under which its rows stand. Deleting one takes its
//! name away at once; its rows go a few with each entry (`deletion`), while the name may be taken
//! again.

use oci::name::RepositoryName;

use crate::access::{self, Action};
use crate::codec::{message, numbered};
use crate::key;
use crate::moment::Moment;
use crate::page::Listing;
use crate::row;
use crate::ruling::Ruling;
use crate::settings;
use crate::tables::{Damage, Read, Row, Table, Write};

pub mod commands;
pub mod counts;
pub(crate) mod deletion;
pub mod description;
pub mod visible;

/// A repository's number, under which its rows stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RepositoryNumber(pub u64);

/// Set in the number under which a repository's held manifests stand; no repository gets so far.
const HELD: u64 = 1 << 63;

impl RepositoryNumber {
    /// The number under which manifests of the repository stand that were deleted and may be needed
    /// again.
    pub(crate) fn held(self) -> Self {
        Self(self.0 | HELD)
    }

    /// The number under which the repository's name stands.
    pub(crate) fn of_names(self) -> Self {
        Self(self.0 & !HELD)
    }

    pub(crate) fn is_held(self) -> bool {
        self.0 & HELD != 0
    }
}

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
        /// How many tags it keeps, the newest by their first push; 0 for all.
        7 tag_limit: u64,
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

/// A name with its repository.
pub type Named = (RepositoryName, RepositoryRow);

/// The repositories whose names begin with `prefix`, from `start` on, which need not be one.
pub fn listing(
    read: &impl Read,
    prefix: &str,
    start: &str,
    limit: usize,
) -> Result<Listing<Named>, Damage> {
    let from = start.max(prefix).as_bytes().to_vec();
    let end = if prefix.is_empty() { None } else { key::after_prefix(prefix.as_bytes()) };
    let rows = read.range(Table::Repositories, &from, end.as_deref(), limit.saturating_add(1))?;
    Ok(Listing::cut(rows.iter().map(named).collect::<Result<_, _>>()?, limit))
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
        None => commands::create(tables, repository, Visibility::Private, actor, moment),
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

//! Tags: names that move from one manifest to another.
//!
//! A tag belongs to one repository and points at one manifest there. Whether it may move is decided
//! here and nowhere else.

use oci::digest::Digest;
use oci::name::{RepositoryName, TagName};

use crate::access::Action;
use crate::codec::{choice, message};
use crate::events::EventType;
use crate::events::writing::{self, Happening};
use crate::key;
use crate::moment::Moment;
use crate::outcome::Answer;
use crate::page::{Listing, Page};
use crate::refusal::Refusal;
use crate::repositories::{self, RepositoryNumber, RepositoryRow};
use crate::row;
use crate::ruling::Ruling;
use crate::tables::{Damage, Read, Table, Write};
use crate::tags::history::Event;

pub mod deleted;
pub mod history;
pub mod order;
pub mod undelete;

message! {
    /// A tag, under its name.
    pub struct TagRow {
        /// The manifest it points at.
        1 digest: Digest,
        /// When it came to point there, milliseconds since 1970.
        2 moved_wall_ms: u64,
        /// When it was first pushed, milliseconds since 1970.
        3 created_wall_ms: u64,
        /// The log index of its first push: the order in which tags came.
        4 created_index: u64,
        /// Who pointed it there.
        5 moved_by: String,
        /// Whether its newest push stands in its history already.
        6 recorded: bool,
    }
}

choice! {
    /// What a client asks of a tag before it moves.
    ///
    /// Source: RFC 9110, "If-Match" and "If-None-Match".
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum Precondition {
        /// `If-Match: *`: the tag exists.
        1 Exists,
        /// `If-Match: "…"`: the tag points at one of these, or already at what is pushed: then the
        /// client repeats a request whose answer it lost.
        2 PointsAt {
            /// One or more.
            1 digests: Vec<Digest>,
        },
        /// `If-None-Match: *`: the tag does not exist.
        3 Missing,
        /// `If-None-Match: "…"`: the tag points at none of these.
        4 PointsElsewhere {
            /// One or more.
            1 digests: Vec<Digest>,
        },
    }
}

impl Precondition {
    /// Whether it holds for a tag that points at `current` while `pushed` is to come there.
    pub fn holds(&self, current: Option<&Digest>, pushed: Option<&Digest>) -> bool {
        match self {
            Self::Exists => current.is_some(),
            Self::Missing => current.is_none(),
            Self::PointsAt { digests } => {
                current.is_some_and(|current| digests.contains(current) || pushed == Some(current))
            }
            Self::PointsElsewhere { digests } => {
                current.is_none_or(|current| !digests.contains(current))
            }
        }
    }
}

message! {
    /// Deletes a tag, which may come back for a while; its manifest stays.
    pub struct TagDelete {
        /// Where.
        1 repository: RepositoryName,
        /// Which tag.
        2 tag: TagName,
        /// Must hold.
        3 precondition: Option<Precondition>,
        /// The account that asks.
        4 actor: String,
    }
}

impl TagDelete {
    pub(crate) fn apply(&self, tables: &mut impl Write, moment: &Moment) -> Ruling {
        let (actor, action) = (&self.actor, Action::Delete);
        let repository = repositories::permitted(tables, actor, &self.repository, action, moment)?;
        let number = repository.number();
        let current = find_in(tables, number, &self.tag)?;
        let current = current.ok_or_else(|| Refusal::TagUnknown { tag: self.tag.clone() })?;
        check_precondition(&self.tag, Some(&current.digest), None, self.precondition.as_ref())?;
        let event = (Event::Deleted, actor.as_str());
        deleted::retire(tables, (number, &self.tag, &current), event, moment)?;
        let deleted = Happening::to_tag(EventType::Delete, &self.tag, &current.digest);
        writing::note(tables, (&self.repository, &repository), actor, &[deleted], moment)?;
        repositories::touch(tables, &self.repository, &repository, moment);
        Ok(Answer::Deleted { tags: vec![self.tag.clone()], more: false })
    }
}

/// The tag of that name.
pub fn find(
    read: &impl Read,
    repository: &RepositoryName,
    tag: &TagName,
) -> Result<Option<TagRow>, Damage> {
    match repositories::find(read, repository)? {
        Some(row) => find_in(read, row.number(), tag),
        None => Ok(None),
    }
}

/// Tags in byte order, strictly after `last`, which need not be a tag.
pub fn page(
    read: &impl Read,
    repository: &RepositoryName,
    last: &str,
    limit: usize,
) -> Result<Page<(TagName, TagRow)>, Damage> {
    let Some(row) = repositories::find(read, repository)? else {
        return Ok(Page { items: Vec::new(), more: false });
    };
    let prefix = key::within(row.number(), &[]);
    let limit_and_one = limit.saturating_add(1);
    let rows = row::under_after(read, Table::Tags, (&prefix, last.as_bytes()), limit_and_one)?;
    let tags = rows
        .iter()
        .map(|(key, value)| Ok((name(&key[prefix.len()..])?, row::decode(Table::Tags, value)?)));
    Ok(Page::cut(tags.collect::<Result<_, Damage>>()?, limit))
}

/// Tags in byte order, from `start` on, which need not be a tag.
pub fn listing(
    read: &impl Read,
    repository: &RepositoryName,
    start: &str,
    limit: usize,
) -> Result<Listing<(TagName, TagRow)>, Damage> {
    let Some(row) = repositories::find(read, repository)? else {
        return Ok(Listing { items: Vec::new(), next: None });
    };
    let prefix = key::within(row.number(), &[]);
    let range = (&prefix[..], start.as_bytes());
    let rows = row::from_within(read, Table::Tags, range, limit.saturating_add(1))?;
    let tags = rows
        .iter()
        .map(|(key, value)| Ok((name(&key[prefix.len()..])?, row::decode(Table::Tags, value)?)));
    Ok(Listing::cut(tags.collect::<Result<_, Damage>>()?, limit))
}

/// The tags that point at a manifest, at most `limit`.
pub fn of_manifest(
    read: &impl Read,
    repository: &RepositoryName,
    digest: &Digest,
    limit: usize,
) -> Result<Vec<TagName>, Damage> {
    match repositories::find(read, repository)? {
        Some(row) => of_manifest_in(read, row.number(), digest, limit),
        None => Ok(Vec::new()),
    }
}

pub(crate) fn find_in(
    read: &impl Read,
    repository: RepositoryNumber,
    tag: &TagName,
) -> Result<Option<TagRow>, Damage> {
    row::find(read, Table::Tags, &tag_key(repository, tag))
}

/// Refuses where the tag may not come to point at `pushed`: by the client's own condition, or since
/// the repository keeps its tags where they are.
pub(crate) fn check_move(
    (repository, row): (&RepositoryName, &RepositoryRow),
    (tag, current): (&TagName, Option<&TagRow>),
    pushed: &Digest,
    precondition: Option<&Precondition>,
) -> Ruling<()> {
    let current = current.map(|current| &current.digest);
    check_precondition(tag, current, Some(pushed), precondition)?;
    let moves = current.is_some_and(|current| current != pushed);
    if moves && row.immutable_tags && !tag.is_attachment() {
        let (repository, tag) = (repository.clone(), tag.clone());
        return Err(Refusal::TagImmutable { repository, tag }.into());
    }
    Ok(())
}

fn check_precondition(
    tag: &TagName,
    current: Option<&Digest>,
    pushed: Option<&Digest>,
    precondition: Option<&Precondition>,
) -> Ruling<()> {
    if precondition.is_none_or(|precondition| precondition.holds(current, pushed)) {
        return Ok(());
    }
    Err(Refusal::PreconditionFailed { tag: tag.clone(), current: current.cloned() }.into())
}

/// Points the tag, which stands at `current`, at `digest`.
pub(crate) fn point(
    tables: &mut impl Write,
    repository: RepositoryNumber,
    (tag, current): (&TagName, Option<&TagRow>),
    (digest, actor): (&Digest, &str),
    moment: &Moment,
) -> Result<(), Damage> {
    if let Some(current) = current {
        history::note_push(tables, (repository, tag), current)?;
        tables.delete(Table::ManifestTags, &index_key(repository, &current.digest, tag));
    }
    let first = current.map(|current| (current.created_wall_ms, current.created_index));
    let (created_wall_ms, created_index) = first.unwrap_or((moment.wall_ms, moment.index));
    let row = TagRow {
        digest: digest.clone(),
        moved_wall_ms: moment.wall_ms,
        created_wall_ms,
        created_index,
        moved_by: actor.to_owned(),
        recorded: false,
    };
    if current.is_none() {
        return enter(tables, repository, tag, &row);
    }
    write(tables, repository, tag, &row);
    Ok(())
}

/// Writes the row of a tag that was not there.
pub(crate) fn enter(
    tables: &mut impl Write,
    repository: RepositoryNumber,
    tag: &TagName,
    row: &TagRow,
) -> Result<(), Damage> {
    write(tables, repository, tag, row);
    order::enter(tables, repository, tag, row)
}

fn write(tables: &mut impl Write, repository: RepositoryNumber, tag: &TagName, row: &TagRow) {
    row::mark(tables, Table::ManifestTags, index_key(repository, &row.digest, tag));
    row::put(tables, Table::Tags, tag_key(repository, tag), row);
}

/// Takes the row of a tag away.
pub(crate) fn erase(
    tables: &mut impl Write,
    repository: RepositoryNumber,
    tag: &TagName,
    row: &TagRow,
) -> Result<(), Damage> {
    tables.delete(Table::Tags, &tag_key(repository, tag));
    tables.delete(Table::ManifestTags, &index_key(repository, &row.digest, tag));
    order::leave(tables, repository, tag, row)
}

/// Takes some tags on a manifest away, so that they may come back, and returns them.
pub(crate) fn retire_some_of(
    tables: &mut impl Write,
    (repository, digest): (RepositoryNumber, &Digest),
    (actor, limit): (&str, usize),
    moment: &Moment,
) -> Result<Vec<TagName>, Damage> {
    let tags = of_manifest_in(tables, repository, digest, limit)?;
    for tag in &tags {
        let row = indexed(tables, repository, tag)?;
        let event = (Event::Deleted, actor);
        deleted::retire(tables, (repository, tag, &row), event, moment)?;
    }
    Ok(tags)
}

/// Takes some tags on a manifest away for ever; how many.
pub(crate) fn remove_some_of(
    tables: &mut impl Write,
    repository: RepositoryNumber,
    digest: &Digest,
    limit: usize,
) -> Result<usize, Damage> {
    let tags = of_manifest_in(tables, repository, digest, limit)?;
    for tag in &tags {
        let row = indexed(tables, repository, tag)?;
        erase(tables, repository, tag, &row)?;
    }
    Ok(tags.len())
}

/// Whether a tag points at the manifest.
pub(crate) fn is_tagged(
    read: &impl Read,
    repository: RepositoryNumber,
    digest: &Digest,
) -> Result<bool, Damage> {
    Ok(!of_manifest_in(read, repository, digest, 1)?.is_empty())
}

fn indexed(
    read: &impl Read,
    repository: RepositoryNumber,
    tag: &TagName,
) -> Result<TagRow, Damage> {
    let row = find_in(read, repository, tag)?;
    row.ok_or_else(|| Damage(format!("tag {tag} stands at its manifest only")))
}

fn of_manifest_in(
    read: &impl Read,
    repository: RepositoryNumber,
    digest: &Digest,
    limit: usize,
) -> Result<Vec<TagName>, Damage> {
    let prefix = key::within(repository, &[&digest.to_bytes()]);
    let rows = row::under(read, Table::ManifestTags, &prefix, limit)?;
    rows.iter().map(|(key, _)| name(&key[prefix.len()..])).collect()
}

fn name(bytes: &[u8]) -> Result<TagName, Damage> {
    TagName::parse(key::text(bytes)?).map_err(|error| Damage(format!("a stored tag name: {error}")))
}

fn tag_key(repository: RepositoryNumber, tag: &TagName) -> Vec<u8> {
    key::within(repository, &[tag.as_str().as_bytes()])
}

fn index_key(repository: RepositoryNumber, digest: &Digest, tag: &TagName) -> Vec<u8> {
    key::within(repository, &[&digest.to_bytes(), tag.as_str().as_bytes()])
}

//! Manifests: what a repository holds of images, indexes and artifacts, and what each names.
//!
//! The bytes of a manifest are a blob like any other; here stand its type and its references. Each
//! reference is a row both ways: by manifest, to remove it again, and by digest, to tell who needs
//! a blob. A blob's `refs` counts its own manifest rows and the rows by digest (B6).

use oci::digest::Digest;
use oci::manifest::Role;
use oci::name::{Reference, RepositoryName};

use crate::blobs;
use crate::codec::message;
use crate::key;
use crate::links;
use crate::moment::Moment;
use crate::page::{Listing, Page};
use crate::repositories::{self, RepositoryNumber};
use crate::row;
use crate::tables::{Damage, Read, Table, Write};
use crate::tags;

pub mod delete;
pub(crate) mod held;
pub mod put;

/// So many references to a manifest are looked through for one by an index.
const EDGES_SEARCHED_MAX: usize = 16;

message! {
    /// A manifest of a repository, under its digest.
    pub struct ManifestRow {
        /// In bytes.
        1 size: u64,
        /// The type it was pushed with, without parameters.
        2 media_type: String,
        /// Its own artifact type, or an image's type of configuration.
        3 artifact_type: Option<String>,
        /// The manifest it refers to, which need not exist.
        4 subject: Option<Digest>,
        /// When it was first pushed, milliseconds since 1970.
        5 pushed_wall_ms: u64,
        /// Who pushed it first.
        6 pushed_by: String,
    }
}

message! {
    /// A reference of a manifest, under its position.
    pub struct ChildRow {
        /// Configuration, layer or child.
        1 role: Role,
        /// What it names.
        2 digest: Digest,
        /// In bytes, as the descriptor says.
        3 size: u64,
        /// Whether it must exist; a foreign layer need not, and is not counted.
        4 required: bool,
    }
}

message! {
    /// That a manifest names a digest, under digest and manifest.
    pub struct EdgeRow {
        /// Whether the digest is a child there: then it can't be deleted before that manifest.
        1 as_child: bool,
    }
}

message! {
    /// A manifest with a subject, under subject and digest.
    pub struct ReferrerRow {
        /// In bytes.
        1 size: u64,
        /// As in [`ManifestRow`].
        2 media_type: String,
        /// As in [`ManifestRow`].
        3 artifact_type: Option<String>,
    }
}

/// The manifest of that digest in the repository.
pub fn find(
    read: &impl Read,
    repository: &RepositoryName,
    digest: &Digest,
) -> Result<Option<ManifestRow>, Damage> {
    match repositories::find(read, repository)? {
        Some(row) => find_in(read, row.number(), digest),
        None => Ok(None),
    }
}

/// A manifest that was asked for by tag or digest.
#[derive(Clone, Debug)]
pub struct Found {
    /// Where.
    pub repository: RepositoryNumber,
    /// Under which digest.
    pub digest: Digest,
    /// What it is.
    pub row: ManifestRow,
}

/// The manifest that a tag points at, or of that digest.
pub fn resolve(
    read: &impl Read,
    repository: &RepositoryName,
    reference: &Reference,
) -> Result<Option<Found>, Damage> {
    let Some(repository) = repositories::find(read, repository)? else { return Ok(None) };
    let repository = repository.number();
    let digest = match reference {
        Reference::Digest(digest) => Some(digest.clone()),
        Reference::Tag(tag) => tags::find_in(read, repository, tag)?.map(|tag| tag.digest),
    };
    let Some(digest) = digest else { return Ok(None) };
    let row = find_in(read, repository, &digest)?;
    Ok(row.map(|row| Found { repository, digest, row }))
}

/// Whether an index of the repository has the manifest as a child, as far as its first references
/// tell: who pulls that image has pulled the index.
pub fn is_part(read: &impl Read, found: &Found) -> Result<bool, Damage> {
    let prefix = key::within(found.repository, &[&found.digest.to_bytes()]);
    for (_, value) in row::under(read, Table::Edges, &prefix, EDGES_SEARCHED_MAX)? {
        let edge: EdgeRow = row::decode(Table::Edges, &value)?;
        if edge.as_child {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The manifests of a repository by digest, after `last`.
pub fn page(
    read: &impl Read,
    repository: &RepositoryName,
    last: Option<&Digest>,
    limit: usize,
) -> Result<Page<(Digest, ManifestRow)>, Damage> {
    let Some(row) = repositories::find(read, repository)? else {
        return Ok(Page { items: Vec::new(), more: false });
    };
    let prefix = key::within(row.number(), &[]);
    digest_page(read, Table::Manifests, &prefix, last, limit)
}

/// The manifests of a repository by digest, from `start` on, which need not be one.
pub fn listing(
    read: &impl Read,
    repository: &RepositoryName,
    start: Option<&Digest>,
    limit: usize,
) -> Result<Listing<(Digest, ManifestRow)>, Damage> {
    let Some(row) = repositories::find(read, repository)? else {
        return Ok(Listing { items: Vec::new(), next: None });
    };
    let prefix = key::within(row.number(), &[]);
    let start = start.map(Digest::to_bytes).unwrap_or_default();
    let rows =
        row::from_within(read, Table::Manifests, (&prefix, &start), limit.saturating_add(1))?;
    let items = rows.iter().map(|(key, value)| {
        let (digest, _) = key::split_digest(&key[prefix.len()..])?;
        Ok((digest, row::decode(Table::Manifests, value)?))
    });
    Ok(Listing::cut(items.collect::<Result<_, Damage>>()?, limit))
}

/// What the manifest names, in its order.
pub fn children(
    read: &impl Read,
    repository: &RepositoryName,
    digest: &Digest,
) -> Result<Vec<ChildRow>, Damage> {
    match repositories::find(read, repository)? {
        Some(row) => children_in(read, row.number(), digest),
        None => Ok(Vec::new()),
    }
}

/// The manifests with `subject`, by digest, after `last`; the subject itself need not exist.
pub fn referrers(
    read: &impl Read,
    repository: &RepositoryName,
    subject: &Digest,
    last: Option<&Digest>,
    limit: usize,
) -> Result<Page<(Digest, ReferrerRow)>, Damage> {
    let Some(row) = repositories::find(read, repository)? else {
        return Ok(Page { items: Vec::new(), more: false });
    };
    let prefix = key::within(row.number(), &[&subject.to_bytes()]);
    digest_page(read, Table::Referrers, &prefix, last, limit)
}

/// The manifests that have `digest` as a child, at most `limit`.
pub fn parents(
    read: &impl Read,
    repository: &RepositoryName,
    digest: &Digest,
    limit: usize,
) -> Result<Vec<Digest>, Damage> {
    match repositories::find(read, repository)? {
        Some(row) => parents_in(read, row.number(), digest, limit),
        None => Ok(Vec::new()),
    }
}

fn digest_page<M: crate::codec::Message>(
    read: &impl Read,
    table: Table,
    prefix: &[u8],
    last: Option<&Digest>,
    limit: usize,
) -> Result<Page<(Digest, M)>, Damage> {
    let last = last.map_or(Vec::new(), Digest::to_bytes);
    let rows = row::under_after(read, table, (prefix, &last), limit.saturating_add(1))?;
    let items = rows.iter().map(|(key, value)| {
        Ok((key::split_digest(&key[prefix.len()..])?.0, row::decode(table, value)?))
    });
    Ok(Page::cut(items.collect::<Result<_, Damage>>()?, limit))
}

pub(crate) fn find_in(
    read: &impl Read,
    repository: RepositoryNumber,
    digest: &Digest,
) -> Result<Option<ManifestRow>, Damage> {
    row::find(read, Table::Manifests, &key::within(repository, &[&digest.to_bytes()]))
}

fn children_in(
    read: &impl Read,
    repository: RepositoryNumber,
    digest: &Digest,
) -> Result<Vec<ChildRow>, Damage> {
    let prefix = key::within(repository, &[&digest.to_bytes()]);
    let rows = row::under(read, Table::Children, &prefix, usize::MAX)?;
    rows.iter().map(|(_, value)| row::decode(Table::Children, value)).collect()
}

fn parents_in(
    read: &impl Read,
    repository: RepositoryNumber,
    digest: &Digest,
    limit: usize,
) -> Result<Vec<Digest>, Damage> {
    let prefix = key::within(repository, &[&digest.to_bytes()]);
    let mut parents = Vec::new();
    for (key, value) in row::under(read, Table::Edges, &prefix, usize::MAX)? {
        let edge: EdgeRow = row::decode(Table::Edges, &value)?;
        if edge.as_child && parents.len() < limit {
            parents.push(key::split_digest(&key[prefix.len()..])?.0);
        }
    }
    Ok(parents)
}

/// The manifests of the repository that name `digest`, itself included, at most `limit`.
pub(crate) fn naming(
    read: &impl Read,
    repository: RepositoryNumber,
    digest: &Digest,
    limit: usize,
) -> Result<Vec<Digest>, Damage> {
    let mut manifests = Vec::new();
    if find_in(read, repository, digest)?.is_some() {
        manifests.push(digest.clone());
    }
    let prefix = key::within(repository, &[&digest.to_bytes()]);
    for (key, _) in row::under(read, Table::Edges, &prefix, limit)? {
        manifests.push(key::split_digest(&key[prefix.len()..])?.0);
    }
    manifests.truncate(limit);
    Ok(manifests)
}

/// Takes a manifest away that has no tags, with everything it names; nothing of it comes back.
pub(crate) fn remove(
    tables: &mut impl Write,
    repository: RepositoryNumber,
    digest: &Digest,
    moment: &Moment,
) -> Result<(), Damage> {
    let digest_key = digest.to_bytes();
    let key = key::within(repository, &[&digest_key]);
    let Some(manifest) = find_in(tables, repository, digest)? else { return Ok(()) };
    for (child_key, value) in row::under(tables, Table::Children, &key, usize::MAX)? {
        tables.delete(Table::Children, &child_key);
        let child: ChildRow = row::decode(Table::Children, &value)?;
        let edge = key::within(repository, &[&child.digest.to_bytes(), &digest_key]);
        // A digest named twice has one row by digest.
        if child.required && tables.get(Table::Edges, &edge)?.is_some() {
            tables.delete(Table::Edges, &edge);
            blobs::unname(tables, &child.digest)?;
            links::unname(tables, repository, &child.digest, moment)?;
        }
    }
    if let Some(subject) = &manifest.subject {
        let referrer = key::within(repository, &[&subject.to_bytes(), &digest_key]);
        tables.delete(Table::Referrers, &referrer);
    }
    tables.delete(Table::Manifests, &key);
    blobs::unname(tables, digest)?;
    links::unname(tables, repository, digest, moment)
}

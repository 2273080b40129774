//! Manifests that were deleted while a tag on them may come back.
//!
//! Their rows stand under a number of their own beside the repository's, where no name leads: so
//! they are gone for everybody, while all that they name stays counted, linked and kept as it is
//! for any other manifest.

use oci::digest::Digest;
use oci::manifest::Role;

use super::{ChildRow, EdgeRow, ReferrerRow, children_in, find_in, parents_in, remove};
use crate::blobs;
use crate::key;
use crate::links;
use crate::moment::Moment;
use crate::refusal::Refusal;
use crate::repositories::RepositoryNumber;
use crate::row;
use crate::ruling::Ruling;
use crate::tables::{Damage, Read, Table, Write};
use crate::tags::deleted::{self, MANIFEST};

/// Manifests, and references of them, that come back with one tag, so that the command takes
/// bounded work.
const BACK_MAX: usize = 200;
const BACK_REFERENCES_MAX: usize = 10_000;

/// Holds a manifest that is about to be removed, where a tag that may come back needs it.
pub(crate) fn keep(
    tables: &mut impl Write,
    repository: RepositoryNumber,
    digest: &Digest,
) -> Result<(), Damage> {
    if is_needed(tables, repository, digest)? {
        copy(tables, (repository, repository.held()), digest)?;
    }
    Ok(())
}

/// Brings a manifest back, and the manifests that it names; those that are there stay.
pub(crate) fn bring_back(
    tables: &mut impl Write,
    repository: RepositoryNumber,
    digest: &Digest,
) -> Ruling<()> {
    let (mut waiting, mut manifests, mut references) = (vec![digest.clone()], 0, 0);
    while let Some(digest) = waiting.pop() {
        if find_in(tables, repository, &digest)?.is_some() {
            continue;
        }
        let children = children_in(tables, repository.held(), &digest)?;
        (manifests, references) = (manifests + 1, references + children.len());
        if manifests > BACK_MAX || references > BACK_REFERENCES_MAX {
            return Err(Refusal::UndeleteTooLarge.into());
        }
        copy(tables, (repository.held(), repository), &digest)?;
        waiting.extend(of_manifests(children));
    }
    Ok(())
}

/// Has a held manifest go soon that nothing needs any more.
pub(crate) fn reconsider(
    tables: &mut impl Write,
    repository: RepositoryNumber,
    digest: &Digest,
    moment: &Moment,
) -> Result<(), Damage> {
    let is_held = find_in(tables, repository.held(), digest)?.is_some();
    if is_held && !is_needed(tables, repository, digest)? {
        let what = (MANIFEST, &digest.to_bytes()[..]);
        deleted::ends(tables, moment.cluster_ms, repository, what);
    }
    Ok(())
}

/// Lets a held manifest go, unless it is needed again.
pub(crate) fn let_go(
    tables: &mut impl Write,
    repository: RepositoryNumber,
    digest: &Digest,
    moment: &Moment,
) -> Result<(), Damage> {
    if is_needed(tables, repository, digest)? {
        return Ok(());
    }
    let children = children_in(tables, repository.held(), digest)?;
    remove(tables, repository.held(), digest, moment)?;
    for child in of_manifests(children) {
        reconsider(tables, repository, &child, moment)?;
    }
    Ok(())
}

/// Whether a tag that may come back points at the manifest, or a held one names it.
pub(crate) fn is_needed(
    read: &impl Read,
    repository: RepositoryNumber,
    digest: &Digest,
) -> Result<bool, Damage> {
    Ok(deleted::pointed_at(read, repository, digest)?
        || !parents_in(read, repository.held(), digest, 1)?.is_empty())
}

fn of_manifests(children: Vec<ChildRow>) -> impl Iterator<Item = Digest> {
    let manifests =
        children.into_iter().filter(|child| child.role == Role::Child && child.required);
    manifests.map(|child| child.digest)
}

/// Writes the rows of a manifest under another number too, and counts them there.
fn copy(
    tables: &mut impl Write,
    (from, to): (RepositoryNumber, RepositoryNumber),
    digest: &Digest,
) -> Result<(), Damage> {
    if find_in(tables, to, digest)?.is_some() {
        return Ok(());
    }
    let own_key = digest.to_bytes();
    let manifest = find_in(tables, from, digest)?;
    let manifest = manifest.ok_or_else(|| Damage(format!("{digest} is neither there nor held")))?;
    let prefix = key::within(from, &[&own_key]);
    for (key, value) in row::under(tables, Table::Children, &prefix, usize::MAX)? {
        let child: ChildRow = row::decode(Table::Children, &value)?;
        let position = &key[prefix.len()..];
        tables.put(Table::Children, key::within(to, &[&own_key, position]), value);
        if child.required {
            copy_edge(tables, (from, to), &child.digest, &own_key)?;
        }
    }
    if let Some(subject) = &manifest.subject {
        let referrer = ReferrerRow {
            size: manifest.size,
            media_type: manifest.media_type.clone(),
            artifact_type: manifest.artifact_type.clone(),
        };
        let key = key::within(to, &[&subject.to_bytes(), &own_key]);
        row::put(tables, Table::Referrers, key, &referrer);
    }
    row::put(tables, Table::Manifests, key::within(to, &[&own_key]), &manifest);
    blobs::name(tables, digest)?;
    links::name(tables, to, digest)
}

/// A digest named twice has one row by digest.
fn copy_edge(
    tables: &mut impl Write,
    (from, to): (RepositoryNumber, RepositoryNumber),
    digest: &Digest,
    manifest: &[u8],
) -> Result<(), Damage> {
    let edge = key::within(to, &[&digest.to_bytes(), manifest]);
    if tables.get(Table::Edges, &edge)?.is_some() {
        return Ok(());
    }
    let former = key::within(from, &[&digest.to_bytes(), manifest]);
    let row: Option<EdgeRow> = row::find(tables, Table::Edges, &former)?;
    let row = row.ok_or_else(|| Damage(format!("{digest} is named without a row by digest")))?;
    row::put(tables, Table::Edges, edge, &row);
    blobs::name(tables, digest)?;
    links::name(tables, to, digest)
}

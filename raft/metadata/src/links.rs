//! Links: which repository may read which blob.
//!
//! A link begins with a commit or mount, as a lease, or with a manifest that names the digest. It
//! stands while a manifest of the repository names the digest or its lease runs, and goes with the
//! last of both. A lease that ran out counts as ended at once, by comparison; its rows are swept
//! later.

use oci::digest::Digest;

use crate::blobs;
use crate::codec::message;
use crate::key;
use crate::moment::Moment;
use crate::quotas;
use crate::repositories::RepositoryNumber;
use crate::row;
use crate::tables::{Damage, Read, Table, Write};

message! {
    /// A repository's hold on a blob.
    pub struct LinkRow {
        /// Rows of this repository that name the digest: its own manifest row, and one for each
        /// manifest that refers to it.
        1 refs: u64,
        /// Cluster time at which the lease ends; 0 without one.
        2 lease_until_ms: u64,
    }
}

impl LinkRow {
    /// Whether the link stands at cluster time `now_ms`.
    pub fn stands(&self, now_ms: u64) -> bool {
        self.refs > 0 || self.lease_until_ms > now_ms
    }
}

/// The link, whether it stands or waits to be swept.
pub(crate) fn find(
    read: &impl Read,
    repository: RepositoryNumber,
    digest: &Digest,
) -> Result<Option<LinkRow>, Damage> {
    row::find(read, Table::Links, &key::within(repository, &[&digest.to_bytes()]))
}

/// Gives the digest a lease in the repository, linking it if need be; never shortens one.
pub(crate) fn lease(
    tables: &mut impl Write,
    repository: RepositoryNumber,
    digest: &Digest,
    until_ms: u64,
) -> Result<(), Damage> {
    let before = find(tables, repository, digest)?;
    let former = before.as_ref().map_or(0, |link| link.lease_until_ms);
    let refs = before.as_ref().map_or(0, |link| link.refs);
    let after = LinkRow { refs, lease_until_ms: former.max(until_ms) };
    save(tables, (repository, digest), before.as_ref(), &after)
}

/// Counts one more row of the repository that names the digest.
pub(crate) fn name(
    tables: &mut impl Write,
    repository: RepositoryNumber,
    digest: &Digest,
) -> Result<(), Damage> {
    let before = find(tables, repository, digest)?;
    let mut after = before.clone().unwrap_or(LinkRow { refs: 0, lease_until_ms: 0 });
    after.refs += 1;
    save(tables, (repository, digest), before.as_ref(), &after)
}

/// Counts one less; the link goes with the last one unless a lease runs.
pub(crate) fn unname(
    tables: &mut impl Write,
    repository: RepositoryNumber,
    digest: &Digest,
    moment: &Moment,
) -> Result<(), Damage> {
    let Some(before) = find(tables, repository, digest)? else {
        return Err(Damage(format!("{digest} is named where it is not linked")));
    };
    let refs = before.refs.checked_sub(1);
    let refs = refs.ok_or_else(|| Damage(format!("{digest} is named more often than counted")))?;
    let after = LinkRow { refs, ..before };
    if after.stands(moment.cluster_ms) {
        save(tables, (repository, digest), Some(&before), &after)
    } else {
        remove(tables, repository, digest, moment)
    }
}

/// Ends the lease at its time: the link stays where a manifest names the digest.
pub(crate) fn end_lease(
    tables: &mut impl Write,
    repository: RepositoryNumber,
    digest: &Digest,
    moment: &Moment,
) -> Result<(), Damage> {
    match find(tables, repository, digest)? {
        Some(before) if before.refs > 0 => {
            let after = LinkRow { lease_until_ms: 0, ..before };
            save(tables, (repository, digest), Some(&before), &after)
        }
        Some(_) => remove(tables, repository, digest, moment),
        None => Ok(()),
    }
}

/// Removes the link with its lease. The caller made sure that no row of the repository names it.
pub(crate) fn remove(
    tables: &mut impl Write,
    repository: RepositoryNumber,
    digest: &Digest,
    moment: &Moment,
) -> Result<(), Damage> {
    let Some(link) = find(tables, repository, digest)? else { return Ok(()) };
    let digest_key = digest.to_bytes();
    let key = key::within(repository, &[&digest_key]);
    tables.delete(Table::Links, &key);
    tables.delete(Table::LooseLinks, &key);
    tables.delete(Table::BlobLinks, &key::join(&[&digest_key, &repository.0.to_be_bytes()]));
    if link.lease_until_ms > 0 {
        tables.delete(Table::LeaseEnds, &key::join(&[&link.lease_until_ms.to_be_bytes(), &key]));
    }
    quotas::take(tables, repository, digest)?;
    blobs::note_idle(tables, digest, moment)
}

/// Writes the link and its rows by digest, by end of lease, and among the loose ones.
fn save(
    tables: &mut impl Write,
    (repository, digest): (RepositoryNumber, &Digest),
    before: Option<&LinkRow>,
    after: &LinkRow,
) -> Result<(), Damage> {
    let digest_key = digest.to_bytes();
    let key = key::within(repository, &[&digest_key]);
    let former = before.map_or(0, |link| link.lease_until_ms);
    if former != after.lease_until_ms {
        if former > 0 {
            tables.delete(Table::LeaseEnds, &key::join(&[&former.to_be_bytes(), &key]));
        }
        if after.lease_until_ms > 0 {
            let end = key::join(&[&after.lease_until_ms.to_be_bytes(), &key]);
            row::mark(tables, Table::LeaseEnds, end);
        }
    }
    if before.is_none() {
        let key = key::join(&[&digest_key, &repository.0.to_be_bytes()]);
        row::mark(tables, Table::BlobLinks, key);
        quotas::add(tables, repository, digest)?;
    }
    let was_loose = before.is_some_and(|link| link.refs == 0);
    match (was_loose, after.refs == 0) {
        (false, true) => row::mark(tables, Table::LooseLinks, key.clone()),
        (true, false) => tables.delete(Table::LooseLinks, &key),
        _ => {}
    }
    row::put(tables, Table::Links, key, after);
    Ok(())
}

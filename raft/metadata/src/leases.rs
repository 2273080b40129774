//! Leases: a promise that a blob stays in a repository until a push has had time to name it.
//!
//! A lease is given by a commit, a mount or a renewal, counts in cluster time, and is part of the
//! link. A leased blob is never condemned (B5).

use oci::digest::Digest;
use oci::name::RepositoryName;

use crate::blobs;
use crate::clocks;
use crate::codec::message;
use crate::key;
use crate::links;
use crate::moment::Moment;
use crate::outcome::Answer;
use crate::quorum;
use crate::refusal::Refusal;
use crate::repositories::{self, RepositoryNumber};
use crate::row;
use crate::ruling::Ruling;
use crate::settings;
use crate::tables::{Damage, Read, Table, Write};

/// One command renews so many leases, at most.
pub const RENEWALS_MAX: usize = 500;

/// One command ends so many leases whose time is over, at most.
const ENDED_MAX: usize = 1_000;

message! {
    /// Renews the leases of blobs that are linked, live and on enough holders.
    pub struct LeaseRenew {
        /// The repository.
        1 repository: RepositoryName,
        /// Which blobs, [`RENEWALS_MAX`] at most.
        2 digests: Vec<Digest>,
    }
}

message! {
    /// Ends many leases whose time is over. Each entry ends some by itself; a cluster at rest has
    /// few entries, and collection is not to wait for them.
    pub struct LeaseSweep {}
}

impl LeaseRenew {
    pub(crate) fn apply(&self, tables: &mut impl Write, moment: &Moment) -> Ruling {
        if self.digests.len() > RENEWALS_MAX {
            return Err(Refusal::out_of_bounds("the leases of one renewal", RENEWALS_MAX).into());
        }
        let row = repositories::find(tables, &self.repository)?;
        let row =
            row.ok_or_else(|| Refusal::RepositoryUnknown { repository: self.repository.clone() })?;
        let until_ms = until_ms(tables, moment)?;
        let quorum = quorum::of(tables)?;
        let mut refused = Vec::new();
        for digest in &self.digests {
            let link = links::find(tables, row.number(), digest)?;
            let linked = link.is_some_and(|link| link.stands(moment.cluster_ms));
            let blob = blobs::find(tables, digest)?;
            if linked && blobs::is_kept(tables, blob.as_ref(), quorum.write)? {
                links::lease(tables, row.number(), digest, until_ms)?;
            } else {
                refused.push(digest.clone());
            }
        }
        Ok(Answer::LeasesRenewed { refused })
    }
}

impl LeaseSweep {
    #[allow(clippy::unused_self)] // Every command is applied alike; there is nothing to ask for.
    pub(crate) fn apply(&self, tables: &mut impl Write, moment: &Moment) -> Ruling {
        let ended = sweep(tables, moment, ENDED_MAX)?;
        Ok(Answer::Removed { removed: ended as u64, more: ended == ENDED_MAX })
    }
}

/// When a lease given now ends.
pub(crate) fn until_ms(read: &impl Read, moment: &Moment) -> Result<u64, Damage> {
    Ok(moment.cluster_ms.saturating_add(life_ms(read)?))
}

fn life_ms(read: &impl Read) -> Result<u64, Damage> {
    Ok(settings::get(read)?.lease_s.saturating_mul(1000))
}

/// The cluster time at which the lease of a blob in a repository ends; `None` where none runs.
pub fn find(
    read: &impl Read,
    repository: &RepositoryName,
    digest: &Digest,
) -> Result<Option<u64>, Damage> {
    let Some(row) = repositories::find(read, repository)? else { return Ok(None) };
    let link = links::find(read, row.number(), digest)?;
    let until_ms = link.map_or(0, |link| link.lease_until_ms);
    Ok((until_ms > clocks::cluster_ms(read)?).then_some(until_ms))
}

/// Whether less than three quarters of the lease are left, or none runs.
pub fn needs_renewal(
    read: &impl Read,
    repository: &RepositoryName,
    digest: &Digest,
) -> Result<bool, Damage> {
    let now_ms = clocks::cluster_ms(read)?;
    let left_ms = find(read, repository, digest)?.map_or(0, |until_ms| until_ms - now_ms);
    Ok(left_ms < life_ms(read)? / 4 * 3)
}

/// Blobs that the repository has by lease only: what an open upload keeps alive. At most `limit`,
/// after `last`.
pub fn unreferenced(
    read: &impl Read,
    repository: &RepositoryName,
    last: Option<&Digest>,
    limit: usize,
) -> Result<Vec<Digest>, Damage> {
    let Some(row) = repositories::find(read, repository)? else { return Ok(Vec::new()) };
    let prefix = key::within(row.number(), &[]);
    let last = last.map_or(Vec::new(), Digest::to_bytes);
    let rows = row::under_after(read, Table::LooseLinks, (&prefix, &last), limit)?;
    let digests = rows.iter().map(|(key, _)| Ok(key::split_digest(&key[prefix.len()..])?.0));
    digests.collect()
}

/// Ends at most `limit` leases whose time has come; how many.
pub(crate) fn sweep(
    tables: &mut impl Write,
    moment: &Moment,
    limit: usize,
) -> Result<usize, Damage> {
    let to = moment.cluster_ms.saturating_add(1).to_be_bytes();
    let ends = tables.range(Table::LeaseEnds, &[], Some(&to), limit)?;
    for (end, _) in &ends {
        let (_, rest) = key::split_u64(end)?;
        let (number, rest) = key::split_u64(rest)?;
        let (digest, _) = key::split_digest(rest)?;
        tables.delete(Table::LeaseEnds, end);
        links::end_lease(tables, RepositoryNumber(number), &digest, moment)?;
    }
    Ok(ends.len())
}

//! Releases: the log indexes at which copies were let go, kept as long as a receipt may count.

use oci::digest::Digest;

use crate::codec::message;
use crate::key;
use crate::members;
use crate::receipts::AGE_MAX_ENTRIES;
use crate::replica::{MemberNumber, ReplicaId};
use crate::row;
use crate::tables::{Damage, Read, Table, Write};

/// Stands for every member: a blob that was deleted is let go by all.
const EVERYONE: MemberNumber = MemberNumber(0);

message! {
    /// The newest release of a digest by a member, or by everyone.
    pub struct ReleaseRow {
        /// The entry that let go.
        1 index: u64,
    }
}

/// Whether `member` was let go of `digest` in an entry after `index`.
pub(crate) fn any_after(
    read: &impl Read,
    digest: &Digest,
    member: MemberNumber,
    index: u64,
) -> Result<bool, Damage> {
    for who in [EVERYONE, member] {
        if find(read, digest, who)?.is_some_and(|release| release.index > index) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Remembers that everyone may unlink `digest`.
pub(crate) fn by_everyone(
    tables: &mut impl Write,
    digest: &Digest,
    index: u64,
) -> Result<(), Damage> {
    record(tables, digest, EVERYONE, index)
}

/// Remembers that `member` may unlink `digest`.
pub(crate) fn by_member(
    tables: &mut impl Write,
    digest: &Digest,
    member: MemberNumber,
    index: u64,
) -> Result<(), Damage> {
    record(tables, digest, member, index)
}

/// Some releases, in the order of the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Releases {
    /// What the replica asked for may unlink, each with the index of the entry that let it go.
    pub found: Vec<(u64, Digest)>,
    /// Where to go on; `None` where there is no more.
    pub next: Option<Vec<u8>>,
}

/// Where the releases of entries after `index` begin.
pub fn after(index: u64) -> Vec<u8> {
    index.saturating_add(1).to_be_bytes().to_vec()
}

/// What a replica was let go of from `from` on; looks at `limit` releases at most. Of several of
/// one digest the newest is told.
pub fn of(
    read: &impl Read,
    replica_id: ReplicaId,
    from: &[u8],
    limit: usize,
) -> Result<Releases, Damage> {
    let own = members::number_of(read, replica_id)?;
    let rows = read.range(Table::ReleaseIndexes, from, None, limit)?;
    let is_full = rows.len() == limit;
    let next = rows.last().filter(|_| is_full).map(|(key, _)| key::after(key.clone()));
    let mut found = Vec::new();
    for (key, _) in &rows {
        let (index, rest) = key::split_u64(key)?;
        let (digest, member) = key::split_digest(rest)?;
        let who = member_of(member)?;
        if who == EVERYONE || Some(who) == own {
            found.push((index, digest));
        }
    }
    Ok(Releases { found, next })
}

fn find(
    read: &impl Read,
    digest: &Digest,
    who: MemberNumber,
) -> Result<Option<ReleaseRow>, Damage> {
    row::find(read, Table::Releases, &key_of(digest, who))
}

fn record(
    tables: &mut impl Write,
    digest: &Digest,
    who: MemberNumber,
    index: u64,
) -> Result<(), Damage> {
    let key = key_of(digest, who);
    if let Some(former) = find(tables, digest, who)? {
        tables.delete(Table::ReleaseIndexes, &key::join(&[&former.index.to_be_bytes(), &key]));
    }
    row::mark(tables, Table::ReleaseIndexes, key::join(&[&index.to_be_bytes(), &key]));
    row::put(tables, Table::Releases, key, &ReleaseRow { index });
    Ok(())
}

/// Forgets at most `limit` releases that no receipt can be older than any more.
pub(crate) fn sweep(tables: &mut impl Write, index: u64, limit: usize) -> Result<(), Damage> {
    let Some(oldest_kept) = (index + 1).checked_sub(AGE_MAX_ENTRIES) else { return Ok(()) };
    let to = oldest_kept.to_be_bytes();
    for (old, _) in tables.range(Table::ReleaseIndexes, &[], Some(&to), limit)? {
        let (_, key) = key::split_u64(&old)?;
        tables.delete(Table::Releases, key);
        tables.delete(Table::ReleaseIndexes, &old);
    }
    Ok(())
}

fn key_of(digest: &Digest, who: MemberNumber) -> Vec<u8> {
    key::join(&[&digest.to_bytes(), &who.0.to_be_bytes()])
}

fn member_of(key: &[u8]) -> Result<MemberNumber, Damage> {
    let number = key.try_into().map_err(|_| Damage("a release's key has no member".to_owned()))?;
    Ok(MemberNumber(u16::from_be_bytes(number)))
}

//! Releases: the log indexes at which copies were let go, kept as long as a receipt may count.

use oci::digest::Digest;

use crate::codec::message;
use crate::key;
use crate::receipts::AGE_MAX_ENTRIES;
use crate::replica::MemberNumber;
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

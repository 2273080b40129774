//! Receipts: a replica's word that it has a blob's bytes on disk, and when that word counts.

use oci::digest::Digest;

use crate::codec::message;
use crate::members;
use crate::membership;
use crate::releases;
use crate::replica::{MemberNumber, ReplicaId};
use crate::tables::{Damage, Read};

/// A receipt this many entries old counts no more; releases are remembered as long.
pub const AGE_MAX_ENTRIES: u64 = 1_000_000;

message! {
    /// Given by a holder under the digest's lock, after file and folder were synced.
    pub struct Receipt {
        /// Who has the bytes.
        1 replica_id: ReplicaId,
        /// That replica's incarnation: a wiped disk has another.
        2 incarnation: String,
        /// The log index the holder had applied when it gave the receipt.
        3 applied_index: u64,
        /// The blob's generation as the holder knew it, 0 for none; for people who read logs.
        4 generation: u64,
    }
}

/// The receipts that count, as members: voters first to be counted, all to be listed as holders.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counted {
    /// Everyone whose receipt counts, sorted.
    pub(crate) holders: Vec<MemberNumber>,
    /// How many of them are voters.
    pub(crate) voters: usize,
}

/// Judges `receipts` for `digest` in the entry at `index`.
pub(crate) fn count(
    read: &impl Read,
    digest: &Digest,
    receipts: &[Receipt],
    index: u64,
) -> Result<Counted, Damage> {
    let mut holders = Vec::with_capacity(receipts.len());
    for receipt in receipts {
        holders.extend(giver(read, digest, receipt, index)?);
    }
    holders.sort_unstable();
    holders.dedup();
    let voters = membership::count_voters(read, &holders)?;
    Ok(Counted { holders, voters })
}

/// The member that gave `receipt`, if the receipt counts: a member with that incarnation gave it,
/// lately, and let the blob not go since.
pub(crate) fn giver(
    read: &impl Read,
    digest: &Digest,
    receipt: &Receipt,
    index: u64,
) -> Result<Option<MemberNumber>, Damage> {
    let Some(member) = members::find(read, receipt.replica_id)? else { return Ok(None) };
    let age = index.checked_sub(receipt.applied_index);
    // A receipt from this entry's own index or later can't be: its giver had not applied it yet.
    let fresh = age.is_some_and(|age| age > 0 && age < AGE_MAX_ENTRIES);
    if member.incarnation != receipt.incarnation || !fresh {
        return Ok(None);
    }
    let released = releases::any_after(read, digest, member.number, receipt.applied_index)?;
    Ok((!released).then_some(member.number))
}

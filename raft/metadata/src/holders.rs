//! Who holds a blob: copies that came, copies in surplus, copies that went bad, files left over.
//!
//! A replica unlinks a file only after a release, and a receipt given before a release counts no
//! more: together they keep the list of holders true (B3, B4).

use oci::digest::Digest;

use crate::adoption;
use crate::blobs::{self, State};
use crate::codec::message;
use crate::members;
use crate::membership;
use crate::moment::Moment;
use crate::outcome::Answer;
use crate::quorum;
use crate::receipts::{self, Receipt};
use crate::refusal::Refusal;
use crate::releases;
use crate::replica::ReplicaId;
use crate::ruling::Ruling;
use crate::tables::{Damage, Read, Write};

message! {
    /// Lists a replica that has pulled a copy.
    pub struct HolderAdd {
        /// Which blob.
        1 digest: Digest,
        /// From the new holder.
        2 receipt: Receipt,
    }
}

message! {
    /// Lets go of a copy in surplus: refused when fewer than RF would stay.
    pub struct HolderDrop {
        /// Which blob.
        1 digest: Digest,
        /// Who need not keep it.
        2 replica_id: ReplicaId,
    }
}

message! {
    /// Says that a member has not the right bytes: its file is missing or damaged.
    ///
    /// Comes before the file is set aside, and is never refused for too few copies, since the copy
    /// is lost already. It holds for one that is not listed, too: a receipt it gave may still be on
    /// its way, and must not count.
    pub struct HolderLost {
        /// Which blob.
        1 digest: Digest,
        /// Whose copy is lost.
        2 replica_id: ReplicaId,
    }
}

message! {
    /// Asks leave to unlink a file that no row lists: refused if the replica is a holder.
    pub struct Forget {
        /// Which file.
        1 digest: Digest,
        /// Whose.
        2 replica_id: ReplicaId,
    }
}

impl HolderAdd {
    pub(crate) fn apply(&self, tables: &mut impl Write, moment: &Moment) -> Ruling {
        let digest = &self.digest;
        let before = blobs::find(tables, digest)?.filter(|blob| blob.state == State::Live);
        let before = before.ok_or_else(|| Refusal::BlobUnknown { digest: digest.clone() })?;
        let giver = receipts::giver(tables, digest, &self.receipt, moment.index)?;
        let Some(giver) = giver else {
            return Err(Refusal::ReceiptStale { digest: digest.clone() }.into());
        };
        let mut after = before.clone();
        after.add_holders(&[giver]);
        blobs::save(tables, digest, Some(&before), &after)?;
        Ok(Answer::Done)
    }
}

impl HolderDrop {
    pub(crate) fn apply(&self, tables: &mut impl Write, moment: &Moment) -> Ruling {
        let (digest, replica_id) = (&self.digest, self.replica_id);
        adoption::check_over(tables)?;
        let member = members::known(tables, replica_id)?;
        let before = blobs::find(tables, digest)?;
        let before = before.ok_or_else(|| Refusal::BlobUnknown { digest: digest.clone() })?;
        let Ok(place) = before.holders.binary_search(&member.number) else {
            return Err(Refusal::HolderUnlisted { digest: digest.clone(), replica_id }.into());
        };
        let mut after = before.clone();
        after.holders.remove(place);
        let left = membership::count_voters(tables, &after.holders)?;
        let needed = quorum::of(tables)?.copies;
        if left < needed {
            let digest = digest.clone();
            let left = u32::try_from(left).unwrap_or(u32::MAX);
            let needed = u32::try_from(needed).unwrap_or(u32::MAX);
            return Err(Refusal::CopiesTooFew { digest, left, needed }.into());
        }
        blobs::save(tables, digest, Some(&before), &after)?;
        releases::by_member(tables, digest, member.number, moment.index)?;
        Ok(Answer::Done)
    }
}

impl HolderLost {
    pub(crate) fn apply(&self, tables: &mut impl Write, moment: &Moment) -> Ruling {
        let digest = &self.digest;
        let member = members::known(tables, self.replica_id)?;
        if let Some(before) = blobs::find(tables, digest)? {
            let mut after = before.clone();
            after.holders.retain(|holder| *holder != member.number);
            blobs::save(tables, digest, Some(&before), &after)?;
        }
        releases::by_member(tables, digest, member.number, moment.index)?;
        Ok(Answer::Done)
    }
}

impl Forget {
    pub(crate) fn apply(&self, tables: &mut impl Write, moment: &Moment) -> Ruling {
        adoption::check_over(tables)?;
        let (digest, replica_id) = (&self.digest, self.replica_id);
        let member = members::known(tables, replica_id)?;
        let blob = blobs::find(tables, digest)?;
        if blob.is_some_and(|blob| blob.holders.binary_search(&member.number).is_ok()) {
            return Err(Refusal::HolderListed { digest: digest.clone(), replica_id }.into());
        }
        releases::by_member(tables, digest, member.number, moment.index)?;
        Ok(Answer::Done)
    }
}

/// Whether the replica is listed as a holder of the blob.
pub fn is_listed(read: &impl Read, digest: &Digest, replica_id: ReplicaId) -> Result<bool, Damage> {
    Ok(!unlisted(read, std::slice::from_ref(digest), replica_id)?.contains(digest))
}

/// Those of `digests` of which the replica is no listed holder.
pub fn unlisted(
    read: &impl Read,
    digests: &[Digest],
    replica_id: ReplicaId,
) -> Result<Vec<Digest>, Damage> {
    let own = members::number_of(read, replica_id)?;
    let mut unlisted = Vec::new();
    for digest in digests {
        let blob = blobs::find(read, digest)?;
        let is_listed = match (&blob, own) {
            (Some(blob), Some(own)) => blob.holders.binary_search(&own).is_ok(),
            _ => false,
        };
        if !is_listed {
            unlisted.push(digest.clone());
        }
    }
    Ok(unlisted)
}

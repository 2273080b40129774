//! Collection: what nothing needs is condemned after a grace time, and deleted a round later.
//!
//! The leader looks for candidates with the read functions here and proposes; apply judges again.

use oci::digest::Digest;

pub mod plan;

use crate::adoption;
use crate::blobs::{self, BlobRow, State};
use crate::clocks;
use crate::codec::{message, numbered};
use crate::key;
use crate::moment::Moment;
use crate::outcome::Answer;
use crate::refusal::Refusal;
use crate::releases;
use crate::row;
use crate::ruling::Ruling;
use crate::settings;
use crate::tables::{Damage, Read, Table, Write};

message! {
    /// Takes a blob out of use that nothing has needed for the grace time.
    pub struct Condemn {
        /// Which blob.
        1 digest: Digest,
    }
}

message! {
    /// Deletes a blob that is still condemned: its holders may unlink it.
    pub struct Delete {
        /// Which blob.
        1 digest: Digest,
        /// As it was condemned.
        2 generation: u64,
    }
}

numbered! {
    /// Why a blob is not condemned.
    pub enum Needed {
        /// Rows name it.
        1 Named,
        /// A repository holds it by a lease.
        2 Leased,
        /// The grace time is not over.
        3 InGrace,
        /// It is condemned already.
        4 Condemned,
    }
}

impl std::fmt::Display for Needed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Named => "manifests name it",
            Self::Leased => "a repository holds it by a lease",
            Self::InGrace => "its grace time is not over",
            Self::Condemned => "it is condemned already",
        })
    }
}

impl Condemn {
    pub(crate) fn apply(&self, tables: &mut impl Write, moment: &Moment) -> Ruling {
        adoption::check_over(tables)?;
        let digest = &self.digest;
        let before = blobs::find(tables, digest)?;
        let before = before.ok_or_else(|| Refusal::BlobUnknown { digest: digest.clone() })?;
        if let Some(reason) = needed(tables, digest, &before, moment.cluster_ms)? {
            return Err(Refusal::BlobNeeded { digest: digest.clone(), reason }.into());
        }
        let generation = before.generation + 1;
        let state = State::Condemned;
        let after = BlobRow { generation, state, idle_since_ms: None, ..before.clone() };
        blobs::save(tables, digest, Some(&before), &after)?;
        Ok(Answer::Condemned { generation })
    }
}

impl Delete {
    pub(crate) fn apply(&self, tables: &mut impl Write, moment: &Moment) -> Ruling {
        adoption::check_over(tables)?;
        let digest = &self.digest;
        let blob = blobs::find(tables, digest)?;
        let blob = blob.ok_or_else(|| Refusal::BlobUnknown { digest: digest.clone() })?;
        if blob.state != State::Condemned || blob.generation != self.generation {
            return Err(Refusal::GenerationPassed { digest: digest.clone() }.into());
        }
        blobs::kept::carry_on(tables, Some(&blob), None)?;
        tables.delete(Table::Blobs, &digest.to_bytes());
        tables.delete(Table::CondemnedBlobs, &digest.to_bytes());
        releases::by_everyone(tables, digest, moment.index)?;
        Ok(Answer::Done)
    }
}

/// What still keeps the blob, if anything does.
fn needed(
    read: &impl Read,
    digest: &Digest,
    blob: &BlobRow,
    now_ms: u64,
) -> Result<Option<Needed>, Damage> {
    if blob.state == State::Condemned {
        return Ok(Some(Needed::Condemned));
    }
    if blob.refs > 0 {
        return Ok(Some(Needed::Named));
    }
    // Without rows that name it, every link is a lease; one that ran out is swept soon.
    if !row::under(read, Table::BlobLinks, &digest.to_bytes(), 1)?.is_empty() {
        return Ok(Some(Needed::Leased));
    }
    let grace_ms = settings::get(read)?.grace_s.saturating_mul(1000);
    let over =
        blob.idle_since_ms.is_some_and(|since_ms| now_ms.saturating_sub(since_ms) >= grace_ms);
    Ok((!over).then_some(Needed::InGrace))
}

/// Blobs that nothing has needed for the grace time, and for `least_s` seconds at least; longest
/// idle first: to be condemned.
pub fn collectable(read: &impl Read, least_s: u64, limit: usize) -> Result<Vec<Digest>, Damage> {
    let Some(latest_ms) = ready_since_ms(read, least_s)? else { return Ok(Vec::new()) };
    let to = latest_ms.saturating_add(1).to_be_bytes();
    let rows = read.range(Table::IdleBlobs, &[], Some(&to), limit)?;
    let digests = rows.iter().map(|(key, _)| {
        let (_, digest) = key::split_u64(key)?;
        Ok(key::split_digest(digest)?.0)
    });
    digests.collect()
}

/// What is idle since this cluster time or longer may go now; `None` while the cluster is younger
/// than the grace time, which is `least_s` seconds at least.
pub fn ready_since_ms(read: &impl Read, least_s: u64) -> Result<Option<u64>, Damage> {
    let grace_ms = settings::get(read)?.grace_s.max(least_s).saturating_mul(1000);
    Ok(clocks::cluster_ms(read)?.checked_sub(grace_ms))
}

/// A blob that is about to be deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doomed {
    /// Which.
    pub digest: Digest,
    /// What `Delete` must name.
    pub generation: u64,
    /// In bytes.
    pub size: u64,
}

/// Condemned blobs by digest, after `last`: to be deleted.
pub fn condemned(
    read: &impl Read,
    last: Option<&Digest>,
    limit: usize,
) -> Result<Vec<Doomed>, Damage> {
    let from = last.map_or(Vec::new(), |last| key::after(last.to_bytes()));
    let rows = read.range(Table::CondemnedBlobs, &from, None, limit)?;
    let mut condemned = Vec::with_capacity(rows.len());
    for (key, _) in rows {
        let (digest, _) = key::split_digest(&key)?;
        let blob = blobs::find(read, &digest)?;
        let blob = blob.ok_or_else(|| Damage(format!("{digest} is condemned but not kept")))?;
        condemned.push(Doomed { digest, generation: blob.generation, size: blob.size });
    }
    Ok(condemned)
}

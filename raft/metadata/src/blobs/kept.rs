//! How much is kept, why, and how much of it is to go, in sums.
//!
//! Every change of a blob's row carries them on, so that the space to be won is known at any moment
//! without a walk over millions of rows. A blob counts once, whatever the number of its copies.

use super::{BlobRow, State};
use crate::codec::message;
use crate::row;
use crate::tables::{Damage, Read, Table, Write};

const KEY: &[u8] = b"kept";

message! {
    /// Some blobs together.
    #[derive(Copy, Default)]
    pub struct SumRow {
        /// How many.
        1 blobs: u64,
        /// The sum of their sizes.
        2 bytes: u64,
    }
}

message! {
    /// All blobs, by what keeps them.
    #[derive(Copy, Default)]
    pub struct KeptRow {
        /// Rows name them: manifests, or manifests that are held for deleted tags.
        1 named: SumRow,
        /// Nothing but leases keeps them.
        2 leased: SumRow,
        /// Nothing keeps them but the grace time, where that is not over.
        3 idle: SumRow,
        /// They are about to be deleted.
        4 condemned: SumRow,
    }
}

impl KeptRow {
    /// All of them together.
    pub fn all(&self) -> SumRow {
        let parts = [self.named, self.leased, self.idle, self.condemned];
        let sum = |of: fn(&SumRow) -> u64| parts.iter().map(of).fold(0, u64::saturating_add);
        SumRow { blobs: sum(|part| part.blobs), bytes: sum(|part| part.bytes) }
    }

    /// The part to which a blob belongs.
    pub(crate) fn part_of(&mut self, blob: &BlobRow) -> &mut SumRow {
        match kind(blob) {
            Kind::Named => &mut self.named,
            Kind::Leased => &mut self.leased,
            Kind::Idle => &mut self.idle,
            Kind::Condemned => &mut self.condemned,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Named,
    Leased,
    Idle,
    Condemned,
}

fn kind(blob: &BlobRow) -> Kind {
    match blob {
        BlobRow { state: State::Condemned, .. } => Kind::Condemned,
        BlobRow { refs: 1.., .. } => Kind::Named,
        BlobRow { idle_since_ms: Some(_), .. } => Kind::Idle,
        BlobRow { .. } => Kind::Leased,
    }
}

/// All blobs, by what keeps them.
pub fn sums(read: &impl Read) -> Result<KeptRow, Damage> {
    Ok(row::find(read, Table::Singles, KEY)?.unwrap_or_default())
}

/// Carries the sums on where a blob comes, goes, or is kept by something else than before.
pub(crate) fn carry_on(
    tables: &mut impl Write,
    before: Option<&BlobRow>,
    after: Option<&BlobRow>,
) -> Result<(), Damage> {
    let counted = |blob: &BlobRow| (kind(blob), blob.size);
    if before.map(counted) == after.map(counted) {
        return Ok(());
    }
    let mut sums = sums(tables)?;
    if let Some(blob) = before {
        let part = sums.part_of(blob);
        // A state from before there were sums has too little in them, not too much.
        part.blobs = part.blobs.saturating_sub(1);
        part.bytes = part.bytes.saturating_sub(blob.size);
    }
    if let Some(blob) = after {
        let part = sums.part_of(blob);
        part.blobs = part.blobs.saturating_add(1);
        part.bytes = part.bytes.saturating_add(blob.size);
    }
    row::put(tables, Table::Singles, KEY.to_vec(), &sums);
    Ok(())
}

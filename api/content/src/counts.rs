//! How well blobs are held and what is under way, in numbers: for people and collectors.
//!
//! Healing looks at the rows of all blobs anyway and counts as it goes; nobody walks them only to
//! show a number.

use std::sync::PoisonError;

use crate::content::Content;

/// What one full pass of healing saw. Only live blobs count: what is condemned is to go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BlobCounts {
    /// Blobs with fewer copies on voters than the cluster wants, the lost ones among them. Copies
    /// of a replica that has been gone for long count as missing, as healing takes it.
    pub under_replicated: u64,
    /// Blobs without a holder, or with holders only that have been gone for long.
    pub lost: u64,
}

/// How one live blob is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    /// Copies that count: on voters that are there.
    pub(crate) copies: usize,
    /// Copies that are there, on voters or others.
    pub(crate) anywhere: usize,
}

impl BlobCounts {
    /// Counts one live blob of which `wanted` copies are to be.
    pub(crate) fn note(&mut self, held: Held, wanted: usize) {
        self.under_replicated += u64::from(held.copies < wanted);
        self.lost += u64::from(held.anywhere == 0);
    }
}

impl Content {
    /// What the last full pass of healing saw; `None` before the first one has ended.
    pub fn blob_counts(&self) -> Option<BlobCounts> {
        *self.shared.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Blobs on this disk that were found damaged and are not mended yet.
    pub fn corrupt_blobs(&self) -> usize {
        self.shared.store.damaged().len()
    }

    /// Uploads that this replica takes bytes for.
    pub fn open_uploads(&self) -> usize {
        self.shared.uploads.len()
    }

    /// Shows what a full pass saw.
    pub(crate) fn publish(&self, counts: BlobCounts) {
        *self.shared.counts.lock().unwrap_or_else(PoisonError::into_inner) = Some(counts);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_is_short_of_copies_on_voters_and_lost_without_any() {
        // (copies on voters, copies anywhere, under-replicated, lost), three being wanted
        let cases = [(3, 3, 0, 0), (4, 4, 0, 0), (2, 2, 1, 0), (0, 1, 1, 0), (0, 0, 1, 1)];
        let mut all = BlobCounts::default();
        for (copies, anywhere, under_replicated, lost) in cases {
            let mut counts = BlobCounts::default();
            counts.note(Held { copies, anywhere }, 3);
            assert_eq!(counts, BlobCounts { under_replicated, lost }, "{copies} {anywhere}");
            all.note(Held { copies, anywhere }, 3);
        }
        assert_eq!(all, BlobCounts { under_replicated: 3, lost: 1 });
    }
}

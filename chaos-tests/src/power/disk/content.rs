//! One file: its synced bytes, and the changes since.

use rand::Rng;
use rand::rngs::StdRng;

use super::Cut;

/// What reaches a disk as a whole.
const PAGE_BYTES: usize = 4096;

/// A change of a file's bytes.
#[derive(Clone, Debug)]
pub(super) enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Truncate(usize),
}

/// The bytes of a file.
#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    synced: Vec<u8>,
    /// Not synced yet, each with its moment.
    since: Vec<(u64, Change)>,
}

impl Content {
    /// Bytes that are synced.
    pub(super) fn of(synced: Vec<u8>) -> Self {
        Self { synced, since: Vec::new() }
    }

    /// Takes note of a change made at the moment `at`.
    pub(super) fn change(&mut self, at: u64, change: Change) {
        self.since.push((at, change));
    }

    /// What was changed before the moment `upto` is synced.
    pub(super) fn sync(&mut self, upto: u64) {
        let covered = self.since.partition_point(|(at, _)| *at < upto);
        for (_, change) in self.since.drain(..covered) {
            change.apply(&mut self.synced, |_| true);
        }
    }

    /// The bytes as the process saw them last.
    pub(super) fn live(&self) -> Vec<u8> {
        let mut bytes = self.synced.clone();
        for (_, change) in &self.since {
            change.apply(&mut bytes, |_| true);
        }
        bytes
    }

    /// What a power cut may leave.
    pub(super) fn cut(&self, cut: Cut, random: &mut StdRng) -> Vec<u8> {
        let live = self.live();
        let (least, most) = (self.synced.len().min(live.len()), self.synced.len().max(live.len()));
        let length = match random.random_range(0..4) {
            0 => least,
            1 => most,
            _ => random.random_range(least..=most),
        };
        let mut bytes = match cut {
            Cut::GrowthLost => live,
            Cut::AnyPage => self.pages(random, most),
        };
        bytes.resize(length, 0);
        bytes
    }

    /// Each page as some of the changes left it, from none to all.
    fn pages(&self, random: &mut StdRng, length: usize) -> Vec<u8> {
        let changes = self.since.len();
        let draw = |_| match random.random_range(0..3) {
            0 => 0,
            1 => changes,
            _ => random.random_range(0..=changes),
        };
        let kept: Vec<usize> = (0..=length / PAGE_BYTES).map(draw).collect();
        let mut bytes = self.synced.clone();
        for (n, (_, change)) in self.since.iter().enumerate() {
            change.apply(&mut bytes, |page| kept.get(page).is_some_and(|kept| n < *kept));
        }
        bytes
    }
}

impl Change {
    /// Changes `bytes`, only the pages that `reaches` says.
    fn apply(&self, bytes: &mut Vec<u8>, reaches: impl Fn(usize) -> bool) {
        match self {
            Self::Truncate(length) => {
                for (at, byte) in bytes.iter_mut().enumerate().skip(*length) {
                    if reaches(at / PAGE_BYTES) {
                        *byte = 0;
                    }
                }
                if reaches(length / PAGE_BYTES) {
                    bytes.resize(*length, 0);
                }
            }
            Self::Write { offset, bytes: written } => {
                bytes.resize(bytes.len().max(offset + written.len()), 0);
                for (at, byte) in (*offset..).zip(written) {
                    if reaches(at / PAGE_BYTES) {
                        bytes[at] = *byte;
                    }
                }
            }
        }
    }
}

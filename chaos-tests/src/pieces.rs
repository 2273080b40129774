//! A large blob that is never held in memory: the same pieces each time, counted, so that none
//! repeats.

use bytes::Bytes;
use futures::stream::{self, Stream, StreamExt};

use crate::image::{Blob, Hasher};

/// Bytes of a piece.
pub const PIECE_BYTES: usize = 1 << 20;

/// A blob of so many pieces.
#[derive(Clone, Debug)]
pub struct Pieces {
    base: Bytes,
    count: u64,
}

impl Pieces {
    /// A blob of `count` MiB that differs with the seed.
    pub fn new(seed: u64, count: u64) -> Self {
        Self { base: Blob::random(seed, PIECE_BYTES).bytes, count }
    }

    fn piece(&self, number: u64) -> Bytes {
        let mut bytes = self.base.to_vec();
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        bytes.into()
    }

    /// Its digest.
    pub fn digest(&self) -> String {
        let mut hasher = Hasher::default();
        for number in 0..self.count {
            hasher.update(&self.piece(number));
        }
        hasher.finish()
    }

    /// Its size in bytes.
    pub fn length(&self) -> u64 {
        self.count * PIECE_BYTES as u64
    }

    /// Its bytes, one piece after the other.
    pub fn stream(self) -> impl Stream<Item = Result<Bytes, std::io::Error>> + Send + 'static {
        stream::iter(0..self.count).map(move |number| Ok(self.piece(number)))
    }
}

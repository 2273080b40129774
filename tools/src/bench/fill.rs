//! Blobs that are pushed: what they are filled with, and their digests, which are known before the
//! clock starts.

use std::sync::Arc;

use oci::digest::Algorithm;
use oci::verifier::Verifier;
use rand::RngCore;

/// A MB of the workloads' names.
pub const MB: u64 = 1 << 20;

/// Every blob begins with so many random bytes, or is shorter.
const HEAD_BYTES: u64 = 4_096;

/// After them the same block comes again and again: zeros, or random bytes.
const ZEROS_BYTES: usize = 256 << 10;
const RANDOM_BYTES: usize = 8 << 20;

/// How blobs are filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// 4,096 random bytes, then zeros.
    Zeros,
    /// Random bytes. They repeat after 8 MiB, from another point in each blob: a registry that
    /// stores whole blobs cannot tell, and the client makes no gigabytes of them.
    Random,
}

/// A blob as it is pushed; its bytes lie in memory once for all blobs of a [`Source`].
#[derive(Clone)]
pub struct Blob {
    /// `sha256:…`.
    pub digest: String,
    /// Its length in bytes.
    pub size: u64,
    head: Vec<u8>,
    block: Arc<[u8]>,
    offset: usize,
}

/// Makes blobs of one fill.
pub struct Source {
    block: Arc<[u8]>,
    turns: bool,
}

impl Source {
    /// Draws the random bytes of a run.
    pub fn new(fill: Fill) -> Self {
        let mut block = vec![0; if fill == Fill::Zeros { ZEROS_BYTES } else { RANDOM_BYTES }];
        if fill == Fill::Random {
            rand::rng().fill_bytes(&mut block);
        }
        Self { block: block.into(), turns: fill == Fill::Random }
    }

    /// A blob that differs from every other one.
    pub fn blob(&self, size: u64) -> Blob {
        let mut head = vec![0; usize::try_from(size.min(HEAD_BYTES)).unwrap_or_default()];
        rand::rng().fill_bytes(&mut head);
        let offset = if self.turns { rand::random_range(0..self.block.len()) } else { 0 };
        let block = self.block.clone();
        let mut blob = Blob { digest: String::new(), size, head, block, offset };
        blob.digest = digest_of(blob.pieces());
        blob
    }
}

impl Blob {
    /// A blob of these few bytes.
    pub fn of(bytes: Vec<u8>) -> Self {
        let digest = digest_of(std::iter::once(&bytes[..]));
        Self { digest, size: bytes.len() as u64, head: bytes, block: Arc::default(), offset: 0 }
    }

    /// A blob that a registry has; only its name and length are known here.
    pub fn named(digest: String, size: u64) -> Self {
        Self { digest, size, head: Vec::new(), block: Arc::default(), offset: 0 }
    }

    /// Its bytes, in order.
    pub fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let mut left = self.size - self.head.len() as u64;
        let mut offset = self.offset;
        let tail = std::iter::from_fn(move || {
            let piece = &self.block[offset.min(self.block.len())..];
            let taken = usize::try_from(left).unwrap_or(usize::MAX).min(piece.len());
            left -= taken as u64;
            offset = 0;
            (taken > 0).then(|| &piece[..taken])
        });
        std::iter::once(&self.head[..]).chain(tail)
    }
}

/// The SHA-256 digest of bytes in pieces.
pub fn digest_of<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> String {
    let mut hash = Verifier::new(&[Algorithm::Sha256]);
    pieces.for_each(|piece| hash.update(piece));
    hash.finish().first().map(ToString::to_string).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(blob: &Blob) -> Vec<u8> {
        blob.pieces().flatten().copied().collect()
    }

    #[test]
    fn a_blob_has_its_size_and_its_digest() {
        for fill in [Fill::Zeros, Fill::Random] {
            let source = Source::new(fill);
            for size in [0, 1, 32, 4_096, 4_097, MB, 9 * MB + 1] {
                let blob = source.blob(size);
                let bytes = bytes(&blob);
                assert_eq!(bytes.len() as u64, size, "{fill:?}");
                assert_eq!(digest_of(std::iter::once(&bytes[..])), blob.digest, "{fill:?} {size}");
            }
        }
    }

    #[test]
    fn zeros_follow_a_random_head_and_random_blobs_differ_all_over() {
        let zeros = Source::new(Fill::Zeros);
        let (one, other) = (bytes(&zeros.blob(MB)), bytes(&zeros.blob(MB)));
        assert!(one[..4_096] != other[..4_096] && one[4_096..].iter().all(|byte| *byte == 0));
        let random = Source::new(Fill::Random);
        let (one, other) = (bytes(&random.blob(MB)), bytes(&random.blob(MB)));
        let same = one.iter().zip(&other).filter(|(one, other)| one == other).count();
        assert!(same < one.len() / 64, "{same} bytes are the same");
    }
}

//! Hashing of a stream, with a state that can be saved and taken up again.
//!
//! A resumed upload re-reads nothing: the state of each hash is written beside the staged bytes.
//! The only place that imports sha2.

use sha2::digest::common::hazmat::{SerializableState, SerializedState};
use sha2::{Digest as _, Sha256, Sha512};

use crate::digest::{Algorithm, Digest};

/// The bytes of a saved [`Verifier`].
pub type SavedState = Vec<u8>;

/// First byte of a saved state. A state of another format is refused.
const FORMAT: u8 = 1;
/// Bytes of the check sum that ends a saved state.
const CHECK_BYTES: usize = 8;

/// A saved state that does not read back: torn, changed or of another format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the saved state of a hash is damaged or of another format; hash the bytes again")]
pub struct StateDamaged;

/// One running hash.
#[derive(Clone)]
enum Hasher {
    Sha256(Sha256),
    Sha512(Sha512),
}

impl Hasher {
    fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha256 => Self::Sha256(Sha256::new()),
            Algorithm::Sha512 => Self::Sha512(Sha512::new()),
        }
    }

    fn algorithm(&self) -> Algorithm {
        match self {
            Self::Sha256(_) => Algorithm::Sha256,
            Self::Sha512(_) => Algorithm::Sha512,
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Sha512(hasher) => hasher.update(bytes),
        }
    }

    fn finish(self) -> Digest {
        let algorithm = self.algorithm();
        let hash = match self {
            Self::Sha256(hasher) => hasher.finalize().to_vec(),
            Self::Sha512(hasher) => hasher.finalize().to_vec(),
        };
        Digest::from_bytes(algorithm, &hash).expect("a hash has the length of its algorithm")
    }

    fn save(&self) -> Vec<u8> {
        match self {
            Self::Sha256(hasher) => hasher.serialize().to_vec(),
            Self::Sha512(hasher) => hasher.serialize().to_vec(),
        }
    }

    /// Reads one state from the front of `bytes` and returns it with what follows.
    fn resume(algorithm: Algorithm, bytes: &[u8]) -> Result<(Self, &[u8]), StateDamaged> {
        match algorithm {
            Algorithm::Sha256 => {
                let (hasher, rest) = resume_one::<Sha256>(bytes)?;
                Ok((Self::Sha256(hasher), rest))
            }
            Algorithm::Sha512 => {
                let (hasher, rest) = resume_one::<Sha512>(bytes)?;
                Ok((Self::Sha512(hasher), rest))
            }
        }
    }
}

fn resume_one<H: SerializableState>(bytes: &[u8]) -> Result<(H, &[u8]), StateDamaged> {
    let mut state = SerializedState::<H>::default();
    let (own, rest) = bytes.split_at_checked(state.len()).ok_or(StateDamaged)?;
    state.copy_from_slice(own);
    Ok((H::deserialize(&state).map_err(|_| StateDamaged)?, rest))
}

/// Hashes a stream by one or more algorithms at once.
#[derive(Clone)]
pub struct Verifier {
    hashers: Vec<Hasher>,
    length: u64,
}

impl Verifier {
    /// Starts at the first byte. An algorithm given twice counts once.
    pub fn new(algorithms: &[Algorithm]) -> Self {
        let mut hashers: Vec<Hasher> = Vec::new();
        for &algorithm in algorithms {
            if !hashers.iter().any(|hasher| hasher.algorithm() == algorithm) {
                hashers.push(Hasher::new(algorithm));
            }
        }
        Self { hashers, length: 0 }
    }

    /// The algorithms that run, in the order they were asked for.
    pub fn algorithms(&self) -> Vec<Algorithm> {
        self.hashers.iter().map(Hasher::algorithm).collect()
    }

    /// Takes the next bytes of the stream.
    pub fn update(&mut self, bytes: &[u8]) {
        // Pieces that stay in the first-level cache while the second algorithm reads them too.
        for piece in bytes.chunks(16 * 1024) {
            for hasher in &mut self.hashers {
                hasher.update(piece);
            }
        }
        self.length += bytes.len() as u64;
    }

    /// Bytes taken so far.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Ends the stream: one digest for each algorithm, in the order they were asked for.
    pub fn finish(self) -> Vec<Digest> {
        self.hashers.into_iter().map(Hasher::finish).collect()
    }

    /// Writes the state down: format, length, each hash, and a check sum over it all.
    pub fn save(&self) -> SavedState {
        let mut state = vec![FORMAT];
        state.extend(self.length.to_le_bytes());
        for hasher in &self.hashers {
            state.push(hasher.algorithm().number());
            state.extend(hasher.save());
        }
        let check = check_sum(&state);
        state.extend(check);
        state
    }

    /// Takes up a saved state.
    ///
    /// # Errors
    ///
    /// [`StateDamaged`] where a bit of it is not as it was saved; the bytes must be hashed again.
    pub fn resume(saved: &[u8]) -> Result<Self, StateDamaged> {
        let body_bytes = saved.len().checked_sub(CHECK_BYTES).ok_or(StateDamaged)?;
        let (body, check) = saved.split_at(body_bytes);
        if check != check_sum(body) {
            return Err(StateDamaged);
        }
        let (format, rest) = body.split_first().ok_or(StateDamaged)?;
        let (length, mut rest) = rest.split_first_chunk::<8>().ok_or(StateDamaged)?;
        if *format != FORMAT {
            return Err(StateDamaged);
        }
        let mut hashers = Vec::new();
        while let Some((number, state)) = rest.split_first() {
            let algorithm = Algorithm::from_number(*number).ok_or(StateDamaged)?;
            let (hasher, after) = Hasher::resume(algorithm, state)?;
            hashers.push(hasher);
            rest = after;
        }
        Ok(Self { hashers, length: u64::from_le_bytes(*length) })
    }
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verifier")
            .field("algorithms", &self.algorithms())
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

fn check_sum(body: &[u8]) -> [u8; CHECK_BYTES] {
    let hash = Sha256::digest(body);
    let mut check = [0; CHECK_BYTES];
    check.copy_from_slice(&hash[..CHECK_BYTES]);
    check
}

/// Hashes bytes that are at hand.
pub fn digest_of(algorithm: Algorithm, bytes: &[u8]) -> Digest {
    let mut hasher = Hasher::new(algorithm);
    hasher.update(bytes);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BOTH: [Algorithm; 2] = [Algorithm::Sha256, Algorithm::Sha512];

    #[test]
    fn known_hashes_come_out() {
        let empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let abc = "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
                   2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f";
        assert_eq!(digest_of(Algorithm::Sha256, b"").as_str(), empty);
        assert_eq!(digest_of(Algorithm::Sha512, b"abc").as_str(), abc);
        assert_eq!(Verifier::new(&[Algorithm::Sha256; 2]).finish().len(), 1);
    }

    #[test]
    fn a_saved_state_with_any_bit_changed_is_refused() {
        let mut verifier = Verifier::new(&BOTH);
        verifier.update(&[7; 1000]);
        let saved = verifier.save();
        for bit in 0..saved.len() * 8 {
            let mut changed = saved.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(Verifier::resume(&changed).is_err(), "bit {bit}");
        }
        for length in 0..saved.len() {
            assert!(Verifier::resume(&saved[..length]).is_err(), "cut to {length}");
        }
    }

    /// A saved state outlives the binary that wrote it, so its form is fixed.
    #[test]
    fn the_saved_form_is_as_it_always_was() {
        let mut verifier = Verifier::new(&BOTH);
        verifier.update(b"holdfast");
        let hex =
            verifier.save().iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
        assert_eq!(hex, include_str!("../golden/verifier-v1.hex").trim());
    }

    proptest! {
        #[test]
        fn a_resumed_stream_hashes_as_an_unbroken_one(
            bytes in prop::collection::vec(any::<u8>(), 0..2000),
            cut in 0_usize..2000,
        ) {
            let cut = cut.min(bytes.len());
            let mut first = Verifier::new(&BOTH);
            first.update(&bytes[..cut]);
            let mut second = Verifier::resume(&first.save()).unwrap();
            prop_assert_eq!(second.length(), cut as u64);
            second.update(&bytes[cut..]);
            prop_assert_eq!(second.length(), bytes.len() as u64);
            let expected: Vec<_> = BOTH.iter().map(|a| digest_of(*a, &bytes)).collect();
            prop_assert_eq!(second.finish(), expected);
        }

        #[test]
        fn resume_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(Verifier::resume(&bytes).is_err());
        }
    }
}

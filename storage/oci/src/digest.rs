//! Digests: the algorithm and the hash by which content is named, as `sha256:<64 hex>`.

use std::fmt::{self, Debug, Display};
use std::str::FromStr;
use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A hash function that may name content.
///
/// Source: OCI image-spec 1.1, "Registered algorithms". No other algorithm is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// SHA-256, the one everybody uses.
    Sha256,
    /// SHA-512, computed only when a client asks for it.
    Sha512,
}

impl Algorithm {
    /// Every algorithm, in the order of their numbers.
    pub const ALL: [Self; 2] = [Self::Sha256, Self::Sha512];

    /// The name before the colon.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    /// How many hex digits a digest has.
    pub fn hex_length(self) -> usize {
        self.byte_length() * 2
    }

    /// How many bytes a hash has.
    pub fn byte_length(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }

    /// The number that stands for the algorithm in keys and files; never given to another.
    pub fn number(self) -> u8 {
        match self {
            Self::Sha256 => 1,
            Self::Sha512 => 2,
        }
    }

    /// The inverse of [`Algorithm::number`].
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.number() == number)
    }

    /// The inverse of [`Algorithm::name`].
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }
}

impl Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a text is no digest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// There is no `algorithm:hex`.
    #[error("a digest is written <algorithm>:<hex>, such as sha256:e3b0…")]
    Malformed,
    /// The algorithm is unknown here.
    #[error("the digest algorithm {0:?} is not supported; use sha256 or sha512")]
    UnsupportedAlgorithm(String),
    /// The hex part is too long, too short or not lower-case hex.
    #[error("a {algorithm} digest has {} lower-case hex digits", algorithm.hex_length())]
    BadHex {
        /// The algorithm the text began with.
        algorithm: Algorithm,
    },
}

/// The name of some bytes: an algorithm and the hash it makes of them.
///
/// Cheap to clone. Ordered by algorithm, then by hash.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest {
    text: Arc<str>,
}

impl Digest {
    /// Reads `algorithm:hex`; hex in lower case only.
    pub fn parse(text: &str) -> Result<Self, DigestError> {
        let (name, hex) = text.split_once(':').ok_or(DigestError::Malformed)?;
        match Algorithm::from_name(name) {
            Some(algorithm) => Self::new(algorithm, hex),
            None if is_algorithm_name(name) && !hex.is_empty() => {
                Err(DigestError::UnsupportedAlgorithm(name.chars().take(40).collect()))
            }
            None => Err(DigestError::Malformed),
        }
    }

    /// Makes a digest of an algorithm and its hash in lower-case hex.
    pub fn new(algorithm: Algorithm, hex: &str) -> Result<Self, DigestError> {
        let lower_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if hex.len() != algorithm.hex_length() || !hex.bytes().all(lower_hex) {
            return Err(DigestError::BadHex { algorithm });
        }
        Ok(Self { text: format!("{algorithm}:{hex}").into() })
    }

    /// Makes a digest of an algorithm and a raw hash; `None` where the length is not the
    /// algorithm's.
    pub fn from_bytes(algorithm: Algorithm, hash: &[u8]) -> Option<Self> {
        if hash.len() != algorithm.byte_length() {
            return None;
        }
        let mut text = String::with_capacity(algorithm.name().len() + 1 + algorithm.hex_length());
        text.push_str(algorithm.name());
        text.push(':');
        for byte in hash {
            for half in [byte >> 4, byte & 15] {
                text.push(char::from(b"0123456789abcdef"[usize::from(half)]));
            }
        }
        Some(Self { text: text.into() })
    }

    /// The algorithm before the colon.
    pub fn algorithm(&self) -> Algorithm {
        if self.text.starts_with("sha512:") { Algorithm::Sha512 } else { Algorithm::Sha256 }
    }

    /// The hash in lower-case hex, without the algorithm.
    pub fn hex(&self) -> &str {
        &self.text[self.algorithm().name().len() + 1..]
    }

    /// The whole text, `algorithm:hex`.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The key form: one byte for the algorithm, then the raw hash. Sorts as digests do.
    pub fn to_bytes(&self) -> Vec<u8> {
        let hex = self.hex().as_bytes();
        let mut key = Vec::with_capacity(1 + hex.len() / 2);
        key.push(self.algorithm().number());
        key.extend(hex.chunks_exact(2).map(|pair| value_of(pair[0]) << 4 | value_of(pair[1])));
        key
    }

    /// The inverse of [`Digest::to_bytes`].
    pub fn from_key(key: &[u8]) -> Option<Self> {
        let (number, hash) = key.split_first()?;
        Self::from_bytes(Algorithm::from_number(*number)?, hash)
    }
}

/// The value of one hex digit that was checked before.
fn value_of(digit: u8) -> u8 {
    if digit.is_ascii_digit() { digit - b'0' } else { digit - b'a' + 10 }
}

/// Source: OCI image-spec 1.1, "Digests": components of `[a-z0-9]+` joined by one of `+._-`.
fn is_algorithm_name(name: &str) -> bool {
    name.split(['+', '.', '_', '-']).all(|part| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    })
}

impl Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        Self::parse(text)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_digest_reads_back_from_its_text_and_its_key() {
        for algorithm in Algorithm::ALL {
            let hash: Vec<u8> = (0..=63).take(algorithm.byte_length()).map(|i: u8| i * 4).collect();
            let digest = Digest::from_bytes(algorithm, &hash).unwrap();
            assert_eq!(Digest::parse(digest.as_str()), Ok(digest.clone()));
            assert_eq!(Digest::from_key(&digest.to_bytes()), Some(digest.clone()));
            assert_eq!(digest.to_bytes()[1..], hash[..]);
            assert_eq!(digest.algorithm(), algorithm);
            assert_eq!(digest.hex().len(), algorithm.hex_length());
            let json = serde_json::to_string(&digest).unwrap();
            assert_eq!(serde_json::from_str::<Digest>(&json).unwrap(), digest);
        }
    }

    #[test]
    fn a_text_that_is_no_digest_is_refused_with_its_reason() {
        let hex = "a".repeat(64);
        let bad_hex = Err(DigestError::BadHex { algorithm: Algorithm::Sha256 });
        let unsupported = |name: &str| Err(DigestError::UnsupportedAlgorithm(name.into()));
        let cases = [
            (String::new(), Err(DigestError::Malformed)),
            (hex.clone(), Err(DigestError::Malformed)),
            (format!("sha256{hex}"), Err(DigestError::Malformed)),
            (format!(":{hex}"), Err(DigestError::Malformed)),
            (format!("SHA256:{hex}"), Err(DigestError::Malformed)),
            (format!(" sha256:{hex}"), Err(DigestError::Malformed)),
            (format!("../x:{hex}"), Err(DigestError::Malformed)),
            ("md5:".into(), Err(DigestError::Malformed)),
            ("sha256:baddigeststring".into(), bad_hex.clone()),
            ("sha256:".into(), bad_hex.clone()),
            (format!("sha256:{}", "A".repeat(64)), bad_hex.clone()),
            (format!("sha256:{}", "g".repeat(64)), bad_hex.clone()),
            (format!("sha256:{}", "é".repeat(32)), bad_hex.clone()),
            (format!("sha256:{hex}a"), bad_hex.clone()),
            (format!("sha256:{}", "a".repeat(63)), bad_hex.clone()),
            (format!("sha256:{hex}:{hex}"), bad_hex.clone()),
            (format!("sha256:{hex}\n"), bad_hex),
            (format!("sha512:{hex}"), Err(DigestError::BadHex { algorithm: Algorithm::Sha512 })),
            (format!("sha384:{}", "a".repeat(96)), unsupported("sha384")),
            (format!("blake3:{hex}"), unsupported("blake3")),
            (format!("multihash+base58:{hex}"), unsupported("multihash+base58")),
        ];
        for (text, expected) in cases {
            assert_eq!(Digest::parse(&text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_key_of_the_wrong_length_or_number_is_refused() {
        let good = Digest::new(Algorithm::Sha256, &"0f".repeat(32)).unwrap().to_bytes();
        for key in [&[][..], &good[..32], &[&good[..], &[0]].concat(), &[3; 33], &[2; 33]] {
            assert_eq!(Digest::from_key(key), None, "{key:?}");
        }
    }

    proptest! {
        #[test]
        fn keys_sort_as_digests_do(a: [u8; 32], b: [u8; 32]) {
            let a = Digest::from_bytes(Algorithm::Sha256, &a).unwrap();
            let b = Digest::from_bytes(Algorithm::Sha256, &b).unwrap();
            prop_assert_eq!(a.cmp(&b), a.to_bytes().cmp(&b.to_bytes()));
        }

        #[test]
        fn parse_never_panics(text in ".{0,200}") {
            let _ = Digest::parse(&text);
        }
    }
}

//! Sealing: secrets in the replicated state are readable only by who has the cluster's sealing key.
//!
//! The proposer seals before it proposes; apply opens nothing. A sealed secret is bound to the row
//! that it lies in: moved to another row it does not open.

pub mod recovery;

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::digest::{SHA256, digest};
use ring::hkdf::{HKDF_SHA256, Salt};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

/// The row of the authority's private key.
pub const CA_KEY: &str = "certificates/ca";
/// The row of the private key of tokens (Ed25519, PKCS#8).
pub const TOKEN_KEY: &str = "certificates/token";

const FORMAT: u8 = 1;
const KEY_BYTES: usize = 32;
const KEY_ID_BYTES: usize = 4;
const HEAD_BYTES: usize = 1 + KEY_ID_BYTES + NONCE_LEN;
const TEXT_PREFIX: &str = "holdfast-sealing-key-1:";

/// Why something sealed does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// It is not in a form that this binary knows.
    #[error("this is not a sealed secret, or a newer version sealed it")]
    Format,
    /// Another key has sealed it.
    #[error("it was sealed with another key than the one in this data folder")]
    OtherKey,
    /// It was changed, or moved from another row.
    #[error("the sealed secret was changed, or does not belong to this row")]
    Forged,
}

/// The key of a cluster, the same on every replica. Wiped when dropped and never shown.
#[derive(Clone)]
pub struct SealingKey {
    key: Zeroizing<[u8; KEY_BYTES]>,
}

impl std::fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SealingKey")
    }
}

impl SealingKey {
    /// A new key.
    pub fn generate() -> Self {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        fill(&mut *key);
        Self { key }
    }

    /// The key of 32 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let key = Zeroizing::new(<[u8; KEY_BYTES]>::try_from(bytes).ok()?);
        Some(Self { key })
    }

    /// The 32 bytes, for a newcomer that has proved that it may have them.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.key.to_vec())
    }

    /// The form in its file.
    pub(crate) fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{TEXT_PREFIX}{}\n", *hex(&*self.key)))
    }

    /// Reads [`SealingKey::to_text`].
    pub(crate) fn from_text(text: &str) -> Option<Self> {
        Self::from_bytes(&unhex(text.trim().strip_prefix(TEXT_PREFIX)?)?)
    }

    /// Seals `secret` for the row `context`.
    pub fn seal(&self, context: &str, secret: &[u8]) -> Vec<u8> {
        let mut nonce = [0; NONCE_LEN];
        fill(&mut nonce);
        let mut sealed = Vec::with_capacity(HEAD_BYTES + secret.len() + 16);
        sealed.push(FORMAT);
        sealed.extend_from_slice(&self.id());
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(secret);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let (head, body) = sealed.split_at_mut(HEAD_BYTES);
        let tag = self
            .cipher()
            .seal_in_place_separate_tag(nonce, associated(head, context), body)
            .expect("a secret is shorter than the cipher's limit of 256 GiB");
        sealed.extend_from_slice(tag.as_ref());
        sealed
    }

    /// Opens what was sealed for the row `context`.
    pub fn open(&self, context: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (head, body) = sealed.split_at_checked(HEAD_BYTES).ok_or(SealError::Format)?;
        if head[0] != FORMAT {
            return Err(SealError::Format);
        }
        if head[1..=KEY_ID_BYTES] != self.id() {
            return Err(SealError::OtherKey);
        }
        let nonce = Nonce::try_assume_unique_for_key(&head[1 + KEY_ID_BYTES..])
            .map_err(|_| SealError::Format)?;
        let mut secret = Zeroizing::new(body.to_vec());
        let length = self
            .cipher()
            .open_in_place(nonce, associated(head, context), &mut secret)
            .map_err(|_| SealError::Forged)?
            .len();
        secret.truncate(length);
        Ok(secret)
    }

    /// A key for one purpose, which says nothing of this one nor of those for other purposes. Who
    /// needs many nonces takes a random number into the purpose instead.
    ///
    /// Source: RFC 5869.
    pub fn derived(&self, purpose: &[&[u8]]) -> Zeroizing<[u8; KEY_BYTES]> {
        let salt = Salt::new(HKDF_SHA256, b"holdfast derived key");
        let pseudorandom = salt.extract(&*self.key);
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        pseudorandom
            .expand(purpose, HKDF_SHA256)
            .and_then(|derived| derived.fill(&mut *key))
            .expect("a key is as long as the hash");
        key
    }

    /// HMAC-SHA256 of `parts` under a key made of this one for `context` alone; each part counts
    /// with its length.
    pub fn keyed_hash(&self, context: &str, parts: &[&[u8]]) -> [u8; KEY_BYTES] {
        let mut named = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &*self.key));
        named.update(b"holdfast keyed hash\0");
        named.update(context.as_bytes());
        let key = hmac::Key::new(hmac::HMAC_SHA256, named.sign().as_ref());
        let mut hash = hmac::Context::with_key(&key);
        for part in parts {
            hash.update(&(part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let mut bytes = [0; KEY_BYTES];
        bytes.copy_from_slice(hash.sign().as_ref());
        bytes
    }

    fn cipher(&self) -> LessSafeKey {
        let key = UnboundKey::new(&CHACHA20_POLY1305, &*self.key);
        LessSafeKey::new(key.expect("the cipher's keys have 32 bytes"))
    }

    /// Tells keys apart without saying anything of them.
    fn id(&self) -> [u8; KEY_ID_BYTES] {
        let mut named = Zeroizing::new(b"holdfast key id".to_vec());
        named.extend_from_slice(&*self.key);
        let mut id = [0; KEY_ID_BYTES];
        id.copy_from_slice(&digest(&SHA256, &named).as_ref()[..KEY_ID_BYTES]);
        id
    }
}

/// Head and row are both bound to the secret.
fn associated(head: &[u8], context: &str) -> Aad<Vec<u8>> {
    Aad::from([head, context.as_bytes()].concat())
}

/// Random bytes of the system. Without any nothing here is safe, so their absence ends the process.
pub(crate) fn fill(bytes: &mut [u8]) {
    SystemRandom::new().fill(bytes).expect("the system gives random numbers");
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> Zeroizing<String> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = Zeroizing::new(String::with_capacity(bytes.len() * 2));
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

/// The bytes of lower-case hexadecimal digits.
pub(crate) fn unhex(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let digit = |byte: &u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    if !text.len().is_multiple_of(2) {
        return None;
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len() / 2));
    for pair in text.as_bytes().chunks_exact(2) {
        bytes.push(digit(&pair[0])? << 4 | digit(&pair[1])?);
    }
    Some(bytes)
}

/// Whether two secrets are the same; how long that takes says nothing of where they differ.
pub(crate) fn same_secret(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len()
        && one.iter().zip(other).fold(0, |differ, (a, b)| std::hint::black_box(differ | (a ^ b)))
            == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_opens_in_its_own_row_only() {
        let key = SealingKey::generate();
        for secret in [&b""[..], b"a", &[7; 5000]] {
            let sealed = key.seal("row/a", secret);
            assert_eq!(key.open("row/a", &sealed).unwrap().as_slice(), secret);
            assert_eq!(key.open("row/b", &sealed).unwrap_err(), SealError::Forged);
            assert_ne!(key.seal("row/a", secret), sealed, "a nonce is never used twice");
        }
    }

    #[test]
    fn a_flipped_bit_anywhere_is_noticed() {
        let key = SealingKey::generate();
        let sealed = key.seal("row", b"secret");
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(key.open("row", &changed).is_err(), "byte {at}");
        }
        for length in 0..sealed.len() {
            assert!(key.open("row", &sealed[..length]).is_err(), "{length} bytes");
        }
        assert_eq!(SealingKey::generate().open("row", &sealed).unwrap_err(), SealError::OtherKey);
    }

    #[test]
    fn the_stored_form_stays_as_it_was() {
        let key = SealingKey::from_text(include_str!("../golden/sealing.key")).unwrap();
        let sealed = unhex(include_str!("../golden/sealed.hex").trim()).unwrap();
        assert_eq!(key.open("certificates/ca", &sealed).unwrap().as_slice(), b"a secret of old");
        assert_eq!(key.to_text().as_str(), include_str!("../golden/sealing.key"));
    }

    #[test]
    fn a_derived_key_is_for_its_purpose_and_its_cluster() {
        let (key, other) = (SealingKey::generate(), SealingKey::generate());
        assert_eq!(key.derived(&[b"a", b"b"]), key.derived(&[b"a", b"b"]));
        assert_ne!(key.derived(&[b"a", b"b"]), key.derived(&[b"a", b"c"]));
        assert_ne!(key.derived(&[b"a"]), other.derived(&[b"a"]));
        assert_ne!(key.derived(&[]).as_slice(), key.to_bytes().as_slice());
    }

    #[test]
    fn a_key_is_not_shown() {
        let key = SealingKey::from_bytes(&[0xab; 32]).unwrap();
        assert_eq!(format!("{key:?}"), "SealingKey");
    }

    #[test]
    fn secrets_are_the_same_only_when_every_byte_is() {
        let cases = [(&b"abc"[..], &b"abc"[..], true), (b"abc", b"abd", false), (b"", b"a", false)];
        for (one, other, same) in cases {
            assert_eq!(same_secret(one, other), same, "{one:?} {other:?}");
        }
    }
}

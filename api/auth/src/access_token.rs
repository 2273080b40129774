//! Access tokens: their text, what is kept of it, and when they were last used.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use metadata::access_tokens::TokenHash;
use metadata::access_tokens::commands::TokenUse;
use oci::digest::Algorithm;
use oci::verifier::digest_of;
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

/// What the text of an access token begins with, so that people and scanners for leaked secrets
/// know one when they see it.
const PREFIX: &str = "hf_";

/// Random bytes of a token.
const SECRET_BYTES: usize = 32;

/// The text's length in bytes: the prefix, and six bits a letter.
const TEXT_BYTES: usize = PREFIX.len() + (SECRET_BYTES * 8).div_ceil(6);

/// A use that is not much later than the one that is known already is not told.
const NEWS_MS: u64 = 5 * 60 * 1000;

/// Uses that wait to be told, at most; those of further tokens are forgotten.
const USES_MAX: usize = 10_000;

/// A new token and what is kept of it.
///
/// # Errors
///
/// The system has no randomness to give.
pub fn draw() -> Result<(Zeroizing<String>, TokenHash), String> {
    let mut secret = Zeroizing::new([0; SECRET_BYTES]);
    let drawn = SystemRandom::new().fill(&mut *secret);
    drawn.map_err(|_| "the system gives no random numbers".to_owned())?;
    let text = Zeroizing::new(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(*secret)));
    let hash = hash(&text);
    Ok((text, hash))
}

/// What is kept of a text in the form of an access token; `None` for any other password.
pub fn hash_of(password: &str) -> Option<TokenHash> {
    let is_one = password.len() == TEXT_BYTES && password.starts_with(PREFIX);
    is_one.then(|| hash(password))
}

pub(crate) fn hash(text: &str) -> TokenHash {
    let mut hash = TokenHash::default();
    // The key form of a digest has its algorithm in front.
    hash.copy_from_slice(&digest_of(Algorithm::Sha256, text.as_bytes()).to_bytes()[1..]);
    hash
}

/// Bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string never fails.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The hash that [`hex`] wrote.
pub fn hash_from(text: &str) -> Option<TokenHash> {
    let mut hash = TokenHash::default();
    if text.len() != 2 * hash.len() || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, pair) in hash.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(hash)
}

/// Uses of access tokens on this replica that the cluster should know of.
#[derive(Debug, Default)]
pub(crate) struct Uses {
    waiting: Mutex<HashMap<TokenHash, u64>>,
}

impl Uses {
    /// Notes a use at `now_ms`, where the last known one is some time ago.
    pub(crate) fn note(&self, hash: TokenHash, known_ms: u64, now_ms: u64) {
        if now_ms < known_ms.saturating_add(NEWS_MS) {
            return;
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < USES_MAX || waiting.contains_key(&hash) {
            waiting.insert(hash, now_ms);
        }
    }

    /// Takes at most `uses_max` of them.
    pub(crate) fn take(&self, uses_max: usize) -> Vec<TokenUse> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let hashes: Vec<TokenHash> = waiting.keys().take(uses_max).copied().collect();
        let uses = hashes.into_iter().filter_map(|hash| {
            let wall_ms = waiting.remove(&hash)?;
            Some(TokenUse { hash, wall_ms })
        });
        uses.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{NEWS_MS, TEXT_BYTES, Uses, draw, hash_from, hash_of, hex};

    #[test]
    fn a_drawn_token_is_known_by_its_form_and_a_password_is_not() {
        let (text, hash) = draw().unwrap();
        let (another, _) = draw().unwrap();
        assert_ne!(*text, *another);
        assert_eq!((text.len(), hash_of(&text)), (TEXT_BYTES, Some(hash)));
        for password in ["", "hf_", "secret", &text[1..], &format!("{}x", *text)] {
            assert_eq!(hash_of(password), None, "{password:?}");
        }
        assert_eq!(hash_from(&hex(&hash)), Some(hash));
        for text in ["", "00", "zz", &"0".repeat(63), &"g".repeat(64)] {
            assert_eq!(hash_from(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_use_is_told_once_in_a_while() {
        let uses = Uses::default();
        uses.note([1; 32], 0, NEWS_MS);
        uses.note([1; 32], 0, NEWS_MS + 1);
        uses.note([2; 32], NEWS_MS, NEWS_MS + 1);
        let told = uses.take(10);
        assert_eq!(told.len(), 1);
        assert_eq!((told[0].hash, told[0].wall_ms), ([1; 32], NEWS_MS + 1));
        assert!(uses.take(10).is_empty());
    }
}

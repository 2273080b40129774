//! The recovery key: printed once by `install`, kept by the operator, needed by `restore`.
//!
//! The cluster's sealing key lies sealed for it in every data folder and goes along with each
//! backup, so that a backup shows nothing in clear and yet can be restored with that one text.

use std::num::NonZeroU32;

use ring::digest::{SHA256, digest};
use ring::pbkdf2::{self, PBKDF2_HMAC_SHA256};
use zeroize::Zeroizing;

use crate::seal::{SealError, SealingKey, fill, hex, same_secret, unhex};

const PREFIX: &str = "hfr1";
const CONTEXT: &str = "recovery";
const KEY_BYTES: usize = 32;
const CHECK_BYTES: usize = 4;
/// Hex digits between two dashes.
const GROUP: usize = 8;

/// A key that opens the sealing key. Wiped when dropped and never shown but by
/// [`RecoveryKey::text`].
pub struct RecoveryKey {
    key: SealingKey,
}

impl std::fmt::Debug for RecoveryKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RecoveryKey")
    }
}

/// A text that is no recovery key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this is no recovery key, or a letter of it is wrong: it reads {PREFIX}-…, as install wrote it"
)]
pub struct RecoveryKeyInvalid;

impl RecoveryKey {
    /// A new key.
    pub fn generate() -> Self {
        Self { key: SealingKey::generate() }
    }

    /// The text for the operator: `hfr1-`, nine groups of eight hexadecimal digits. The last one
    /// lets a slip of the pen be told from a wrong key.
    pub fn text(&self) -> Zeroizing<String> {
        let mut bytes = self.key.to_bytes();
        let check = check(&bytes);
        bytes.extend_from_slice(&check);
        let digits = hex(&bytes);
        let mut text = Zeroizing::new(PREFIX.to_owned());
        for at in (0..digits.len()).step_by(GROUP) {
            text.push('-');
            text.push_str(&digits[at..at + GROUP]);
        }
        text
    }

    /// Reads [`RecoveryKey::text`]; blanks around it and upper case are forgiven.
    pub fn parse(text: &str) -> Result<Self, RecoveryKeyInvalid> {
        let plain = Zeroizing::new(text.trim().to_ascii_lowercase());
        let digits = plain.strip_prefix(PREFIX).ok_or(RecoveryKeyInvalid)?;
        let digits = Zeroizing::new(digits.replace('-', ""));
        let bytes = unhex(&digits).ok_or(RecoveryKeyInvalid)?;
        let (key, found) = bytes.split_at_checked(KEY_BYTES).ok_or(RecoveryKeyInvalid)?;
        if !same_secret(found, &check(key)) {
            return Err(RecoveryKeyInvalid);
        }
        SealingKey::from_bytes(key).map(|key| Self { key }).ok_or(RecoveryKeyInvalid)
    }

    /// Seals the cluster's sealing key for this key.
    pub fn wrap(&self, sealing_key: &SealingKey) -> Vec<u8> {
        self.key.seal(CONTEXT, &sealing_key.to_bytes())
    }

    /// Opens [`RecoveryKey::wrap`].
    pub fn unwrap(&self, sealed: &[u8]) -> Result<SealingKey, SealError> {
        let bytes = self.key.open(CONTEXT, sealed)?;
        SealingKey::from_bytes(&bytes).ok_or(SealError::Format)
    }
}

/// Rounds of PBKDF2 with HMAC-SHA-256: about a third of a second. Source: OWASP Password Storage
/// Cheat Sheet, 2023.
const ROUNDS: u32 = 600_000;
const SALT_BYTES: usize = 16;
const PASSPHRASE_CONTEXT: &str = "passphrase";

/// A key made of a passphrase. Only this leaves the operator's machine, never the passphrase.
pub struct PassphraseKey {
    salt: Vec<u8>,
    rounds: u32,
    key: SealingKey,
}

impl std::fmt::Debug for PassphraseKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PassphraseKey")
    }
}

impl PassphraseKey {
    /// A key of that passphrase with a salt of its own.
    pub fn new(passphrase: &str) -> Self {
        let mut salt = [0; SALT_BYTES];
        fill(&mut salt);
        let key = derived(passphrase, &salt, ROUNDS);
        Self { salt: salt.to_vec(), rounds: ROUNDS, key }
    }

    /// The key that [`PassphraseKey::new`] made with that salt; `None` for fewer rounds or a
    /// shorter salt than it ever takes, or for so many rounds that it would take minutes.
    pub fn derive(passphrase: &str, salt: &[u8], rounds: u32) -> Option<Self> {
        let fits = salt.len() == SALT_BYTES && (ROUNDS..=20 * ROUNDS).contains(&rounds);
        fits.then(|| Self { salt: salt.to_vec(), rounds, key: derived(passphrase, salt, rounds) })
    }

    /// What is sent to the replica that writes the archive: `<salt> <rounds> <key>`.
    pub fn to_text(&self) -> Zeroizing<String> {
        let (salt, key) = (hex(&self.salt), hex(&self.key.to_bytes()));
        Zeroizing::new(format!("{} {} {}", *salt, self.rounds, *key))
    }

    /// Reads [`PassphraseKey::to_text`].
    pub fn from_text(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let (salt, rounds) = (unhex(words.next()?)?, words.next()?.parse().ok()?);
        let key = SealingKey::from_bytes(&unhex(words.next()?)?)?;
        let fits = salt.len() == SALT_BYTES && (ROUNDS..=20 * ROUNDS).contains(&rounds);
        let fits = fits && words.next().is_none();
        fits.then(|| Self { salt: salt.to_vec(), rounds, key })
    }

    /// Its salt.
    pub fn salt(&self) -> &[u8] {
        &self.salt
    }

    /// Its rounds.
    pub fn rounds(&self) -> u32 {
        self.rounds
    }

    /// Seals the cluster's sealing key for this key.
    pub fn wrap(&self, sealing_key: &SealingKey) -> Vec<u8> {
        self.key.seal(PASSPHRASE_CONTEXT, &sealing_key.to_bytes())
    }

    /// Opens [`PassphraseKey::wrap`].
    pub fn unwrap(&self, sealed: &[u8]) -> Result<SealingKey, SealError> {
        let bytes = self.key.open(PASSPHRASE_CONTEXT, sealed)?;
        SealingKey::from_bytes(&bytes).ok_or(SealError::Format)
    }
}

fn derived(passphrase: &str, salt: &[u8], rounds: u32) -> SealingKey {
    let mut bytes = Zeroizing::new([0; KEY_BYTES]);
    // Never zero: both callers give ROUNDS or more.
    let rounds = NonZeroU32::new(rounds).unwrap_or(NonZeroU32::MIN);
    pbkdf2::derive(PBKDF2_HMAC_SHA256, rounds, salt, passphrase.as_bytes(), &mut *bytes);
    SealingKey::from_bytes(&*bytes).expect("a sealing key has 32 bytes")
}

fn check(key: &[u8]) -> [u8; CHECK_BYTES] {
    let mut check = [0; CHECK_BYTES];
    check.copy_from_slice(&digest(&SHA256, key).as_ref()[..CHECK_BYTES]);
    check
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_opens_what_the_key_wrapped() {
        let (recovery, sealing) = (RecoveryKey::generate(), SealingKey::generate());
        let wrapped = recovery.wrap(&sealing);
        let read = RecoveryKey::parse(&format!(" {}\n", recovery.text().to_uppercase())).unwrap();
        assert_eq!(read.unwrap(&wrapped).unwrap().to_bytes(), sealing.to_bytes());
        assert_eq!(RecoveryKey::generate().unwrap(&wrapped).unwrap_err(), SealError::OtherKey);
    }

    #[test]
    fn a_slip_of_the_pen_is_told_from_a_wrong_key() {
        let text = RecoveryKey::generate().text();
        assert_eq!(text.len(), 4 + 9 * 9);
        for (at, letter) in text.char_indices().skip(5).filter(|(_, letter)| *letter != '-') {
            let other = if letter == '0' { "1" } else { "0" };
            let mut wrong = text.to_string();
            wrong.replace_range(at..=at, other);
            assert!(RecoveryKey::parse(&wrong).is_err(), "digit {at}");
        }
        for wrong in ["", "hfr1", "hfr1-00", "hfr2-", &text[..text.len() - 9]] {
            assert!(RecoveryKey::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_passphrase_opens_what_it_wrapped_and_is_not_sent() {
        let (key, sealing) = (PassphraseKey::new("correct horse"), SealingKey::generate());
        let wrapped = PassphraseKey::from_text(&key.to_text()).unwrap().wrap(&sealing);
        assert!(!key.to_text().contains("horse"));
        let again = PassphraseKey::derive("correct horse", key.salt(), key.rounds()).unwrap();
        assert_eq!(again.unwrap(&wrapped).unwrap().to_bytes(), sealing.to_bytes());
        let wrong = PassphraseKey::derive("correct horsf", key.salt(), key.rounds()).unwrap();
        assert_eq!(wrong.unwrap(&wrapped).unwrap_err(), SealError::OtherKey);
        assert!(PassphraseKey::derive("x", key.salt(), 1000).is_none(), "too few rounds");
        assert!(PassphraseKey::derive("x", b"salt", key.rounds()).is_none(), "too short a salt");
        for wrong in ["", "00 600000 00", &format!("{} x", *key.to_text())] {
            assert!(PassphraseKey::from_text(wrong).is_none(), "{wrong}");
        }
        assert_eq!(format!("{key:?}"), "PassphraseKey");
    }

    #[test]
    fn a_recovery_key_is_not_shown() {
        assert_eq!(format!("{:?}", RecoveryKey::generate()), "RecoveryKey");
    }
}

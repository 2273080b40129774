//! `manifest.json`: what an archive says of itself.

use metadata::backup::{Archive, Section};
use serde::{Deserialize, Serialize};

use crate::seal::recovery::{PassphraseKey, RecoveryKey};
use crate::seal::{SealError, SealingKey, hex, unhex};

/// The format that this binary writes and reads.
pub const FORMAT: u32 = 1;

/// The first member of an archive. Names are never reused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: u32,
    /// `backup` or `accounts`.
    pub archive: String,
    /// The version of the program that wrote it.
    pub version: String,
    /// The cluster's own version: what its rows may hold.
    pub cluster_version: u32,
    /// The cluster.
    pub cluster_id: String,
    /// The point of its log that the archive shows.
    pub log_index: u64,
    /// Milliseconds since 1970.
    pub taken_wall_ms: u64,
    /// What is in it.
    pub sections: Vec<String>,
    /// The key that opens the secrets in it, for those who may have it; none where there are no
    /// secrets.
    pub sealing_key: Option<WrappedKey>,
}

/// The sealing key, sealed for each who may open it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrappedKey {
    /// For the recovery key that `install` wrote; hexadecimal.
    pub recovery: String,
    /// For a passphrase, where one was given.
    pub passphrase: Option<WrappedForPassphrase>,
}

/// The sealing key, sealed for a passphrase.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrappedForPassphrase {
    /// Hexadecimal.
    pub salt: String,
    /// Of PBKDF2 with HMAC-SHA-256.
    pub rounds: u32,
    /// Hexadecimal.
    pub sealed: String,
}

/// What opens an archive's secrets.
pub enum Opener {
    /// The recovery key.
    Recovery(RecoveryKey),
    /// A passphrase.
    Passphrase(zeroize::Zeroizing<String>),
}

impl Manifest {
    /// Which archive it is; `None` for one that this version does not know.
    pub fn archive(&self) -> Option<Archive> {
        Archive::from_word(&self.archive)
    }

    /// Whether it has that section.
    pub fn has(&self, section: Section) -> bool {
        self.sections.iter().any(|word| word == section.word())
    }

    /// Opens the sealing key.
    ///
    /// # Errors
    ///
    /// In words: it has none, or `opener` is not the one it was sealed for.
    pub fn open(&self, opener: &Opener) -> Result<SealingKey, String> {
        let wrapped = self.sealing_key.as_ref().ok_or("the archive holds no sealing key")?;
        let bytes = |text: &str| unhex(text).ok_or("the sealed key does not read".to_owned());
        match opener {
            Opener::Recovery(key) => key.unwrap(&bytes(&wrapped.recovery)?).map_err(|why| {
                told(why, "this is not the recovery key of the cluster that was backed up")
            }),
            Opener::Passphrase(text) => {
                let wrapped = wrapped.passphrase.as_ref().ok_or(
                    "the backup was made without --passphrase-file: give --recovery-key-file",
                )?;
                let key = PassphraseKey::derive(text, &bytes(&wrapped.salt)?, wrapped.rounds)
                    .ok_or("the archive asks for a weaker passphrase key than is ever written")?;
                let opened = key.unwrap(&bytes(&wrapped.sealed)?);
                opened.map_err(|why| told(why, "this is not the passphrase of the backup"))
            }
        }
    }
}

fn told(why: SealError, wrong: &str) -> String {
    match why {
        SealError::OtherKey => wrong.to_owned(),
        other => other.to_string(),
    }
}

impl WrappedKey {
    /// Wraps `sealing_key` for a passphrase; `recovery_sealed` is what lies in the data folder.
    pub fn new(
        recovery_sealed: &[u8],
        passphrase: Option<&PassphraseKey>,
        sealing_key: &SealingKey,
    ) -> Self {
        let passphrase = passphrase.map(|key| WrappedForPassphrase {
            salt: hex(key.salt()).to_string(),
            rounds: key.rounds(),
            sealed: hex(&key.wrap(sealing_key)).to_string(),
        });
        Self { recovery: hex(recovery_sealed).to_string(), passphrase }
    }
}

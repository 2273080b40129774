//! `sums.json`: what each member must be, and every byte before this one.

use oci::digest::Algorithm;
use oci::verifier::Verifier;
use serde::{Deserialize, Serialize};

/// The last member. There is one way to write it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sums {
    /// In their order.
    pub(super) members: Vec<Sum>,
    /// Bytes of the archive before this member's header.
    pub(super) bytes_before: u64,
    /// SHA-256 of these, in hexadecimal.
    pub(super) sha256_before: String,
}

/// What a member must be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sum {
    pub(super) name: String,
    pub(super) bytes: u64,
    pub(super) records: u64,
    /// In hexadecimal.
    pub(super) sha256: String,
}

impl Sums {
    pub(super) fn encode(&self) -> Vec<u8> {
        // Strings and numbers always have a JSON form.
        let mut bytes = serde_json::to_vec(self).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    /// Says how `found`, the last member as it was read, differs from what it should be.
    pub(super) fn compare(&self, found: &[u8]) -> Result<(), String> {
        if self.encode() == found {
            return Ok(());
        }
        let Ok(written) = serde_json::from_slice::<Self>(found) else {
            return Err("it does not read".to_owned());
        };
        for (sum, written) in self.members.iter().zip(&written.members) {
            if sum != written {
                return Err(format!("{} is not what was written", sum.name));
            }
        }
        if self.members.len() != written.members.len() {
            return Err(format!(
                "it names {} members, and {} are there",
                written.members.len(),
                self.members.len()
            ));
        }
        Err("the bytes before it are not what was written".to_owned())
    }
}

/// Hashes bytes as they come.
pub(super) struct Hash(Verifier);

impl Hash {
    pub(super) fn new() -> Self {
        Self(Verifier::new(&[Algorithm::Sha256]))
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// How many bytes there were, and their SHA-256 in hexadecimal.
    pub(super) fn finish(self) -> (u64, String) {
        let length = self.0.length();
        let digest = self.0.finish().pop();
        (length, digest.map_or_else(String::new, |digest| digest.hex().to_owned()))
    }

    /// The same of one piece.
    pub(super) fn of(bytes: &[u8]) -> String {
        let mut hash = Self::new();
        hash.update(bytes);
        hash.finish().1
    }
}

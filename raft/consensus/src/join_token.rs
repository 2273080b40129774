//! Join tokens: what an operator carries from a cluster to a new machine.
//!
//! `hf1.<SHA-256 of the cluster's authority>.<id>.<secret>`: the newcomer knows by it that it talks
//! to the right cluster before it says the secret, and the cluster by the secret that it may come
//! in. The cluster keeps a hash of the secret only.

use std::fmt;
use std::str::FromStr;

use ring::digest::{SHA256, digest};
use zeroize::Zeroizing;

use crate::seal::{fill, hex};

const PREFIX: &str = "hf1";
const ID_BYTES: usize = 8;
const SECRET_BYTES: usize = 32;

/// A join token. The secret is wiped when it is dropped, and shown by [`JoinToken::text`] only.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinToken {
    ca_digest: String,
    id: String,
    secret: Zeroizing<String>,
}

impl fmt::Debug for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinToken").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A text that is no join token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no join token: it reads {PREFIX}.….….…, as `holdfast join-token create` wrote it")]
pub struct JoinTokenInvalid;

impl JoinToken {
    /// A new token for the cluster whose authority's certificate has the SHA-256 digest
    /// `ca_digest`.
    ///
    /// It lets nobody in before `JoinTokenCreate` with its id and [`JoinToken::secret_hash`] was
    /// proposed.
    pub fn generate(ca_digest: &str) -> Self {
        let mut id = [0; ID_BYTES];
        fill(&mut id);
        let mut secret = Zeroizing::new([0; SECRET_BYTES]);
        fill(&mut *secret);
        Self { ca_digest: ca_digest.to_owned(), id: hex(&id).to_string(), secret: hex(&*secret) }
    }

    /// The digest of the authority's certificate, hexadecimal.
    pub fn ca_digest(&self) -> &str {
        &self.ca_digest
    }

    /// Names the token; no secret.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What lets a newcomer in.
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// What the cluster keeps of the secret.
    pub fn secret_hash(&self) -> Vec<u8> {
        hash_of(&self.secret)
    }

    /// The whole token, for the operator.
    pub fn text(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{PREFIX}.{}.{}.{}", self.ca_digest, self.id, *self.secret))
    }
}

impl FromStr for JoinToken {
    type Err = JoinTokenInvalid;

    fn from_str(text: &str) -> Result<Self, JoinTokenInvalid> {
        let digits = |text: &str, length: usize| {
            text.len() == length
                && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        };
        let parts: Vec<&str> = text.trim().split('.').collect();
        match parts[..] {
            [PREFIX, ca_digest, id, secret]
                if digits(ca_digest, 64)
                    && digits(id, 2 * ID_BYTES)
                    && digits(secret, 2 * SECRET_BYTES) =>
            {
                Ok(Self {
                    ca_digest: ca_digest.to_owned(),
                    id: id.to_owned(),
                    secret: Zeroizing::new(secret.to_owned()),
                })
            }
            _ => Err(JoinTokenInvalid),
        }
    }
}

/// The SHA-256 hash of a secret. It has 256 random bits, so that nothing slower is needed.
pub(crate) fn hash_of(secret: &str) -> Vec<u8> {
    digest(&SHA256, secret.as_bytes()).as_ref().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_reads_back_as_it_was_written() {
        let token = JoinToken::generate(&"ab".repeat(32));
        assert_eq!(token.text().parse(), Ok(token.clone()));
        assert_eq!(format!(" {}\n", *token.text()).parse(), Ok(token));
    }

    #[test]
    fn what_is_not_a_token_is_refused() {
        let good = JoinToken::generate(&"ab".repeat(32)).text().to_string();
        let cases = [
            String::new(),
            "hf1".to_owned(),
            good.replace("hf1", "hf2"),
            format!("{good}.x"),
            good[..good.len() - 1].to_owned(),
            good.to_uppercase(),
            good.replacen("ab", "zz", 1),
        ];
        for bad in cases {
            assert_eq!(bad.parse::<JoinToken>(), Err(JoinTokenInvalid), "{bad}");
        }
    }

    #[test]
    fn neither_a_token_nor_its_hash_shows_the_secret() {
        let token = JoinToken::generate(&"ab".repeat(32));
        assert!(!format!("{token:?}").contains(token.secret()));
        assert_eq!(token.secret_hash().len(), 32);
        assert_ne!(token.secret_hash(), JoinToken::generate(&"ab".repeat(32)).secret_hash());
    }
}

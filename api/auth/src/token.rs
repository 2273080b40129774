//! Tokens: JSON web tokens signed with the cluster's Ed25519 key.
//!
//! A token proves who asks and narrows what may be done with it; the right itself is judged at the
//! resource, at the time of use (registry-protocol TK6, TK7). Times are compared with the cluster's
//! wall time, never with this machine's clock.

use std::sync::{Arc, Mutex, PoisonError};

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use metadata::access_tokens::TokenHash;
use metadata::accounts::AccountId;
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};

use crate::access_token;
use crate::recent::Recent;
use crate::scope::Scope;

/// Life of a token where nothing else is set.
pub const LIFE_S_DEFAULT: u64 = 300;
/// The shortest life: clients take anything shorter for a minute and would send dead tokens.
pub const LIFE_S_MIN: u64 = 60;
/// How far ahead of our time a token may claim to be issued.
pub const AHEAD_S_MAX: u64 = 60;
/// A token longer than this is not looked at.
const TOKEN_BYTES_MAX: usize = 16 * 1024;
/// Verified tokens that are remembered.
const VERIFIED_MAX: usize = 10_000;

/// What a token says. Times are in seconds since the Unix epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The account's name; empty for the anonymous caller.
    pub sub: String,
    /// The account's id in hexadecimal: names are taken again.
    #[serde(default, rename = "aid", skip_serializing_if = "String::is_empty")]
    pub account_id: String,
    /// The hash, in hexadecimal, of the access token that was shown for it.
    #[serde(default, rename = "pat", skip_serializing_if = "Option::is_none")]
    pub access_token: Option<String>,
    /// The generation of the account's credentials: after another password, older ones open
    /// nothing.
    #[serde(default, rename = "gen", skip_serializing_if = "is_zero")]
    pub generation: u64,
    /// The cluster's id.
    pub aud: String,
    /// Not valid from then on.
    pub exp: u64,
    /// Not valid before.
    pub nbf: u64,
    /// When it was issued.
    pub iat: u64,
    /// What it grants at most.
    #[serde(default)]
    pub access: Vec<Scope>,
    /// Whether it was asked for something in particular, granted or not: such a token manages
    /// nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub narrowed: bool,
    /// The key that the token was signed with, as its header names it.
    #[serde(skip)]
    pub key_id: String,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde asks so
fn is_zero(generation: &u64) -> bool {
    *generation == 0
}

/// Why a token is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenFailure {
    /// No token of this cluster's making, or changed since.
    #[error("the token is forged, damaged, or signed with a key that is no longer known")]
    Forged,
    /// Its time is over.
    #[error("the token has expired; ask for another one")]
    Expired,
    /// It was made for another registry.
    #[error("the token was issued for another registry")]
    Audience,
    /// It claims to be issued in the future.
    #[error("the token claims to be issued in the future; check the clocks of the replicas")]
    FromTheFuture,
}

/// A public key and its name in token headers.
#[derive(Clone)]
pub struct PublicKey {
    /// The key's id.
    pub id: String,
    /// The raw 32 bytes.
    pub bytes: Vec<u8>,
}

/// What a public key is called in token headers.
pub(crate) fn id_of(public_key: &[u8]) -> String {
    access_token::hex(&ring::digest::digest(&ring::digest::SHA256, public_key).as_ref()[..8])
}

/// Signs `claims` with an Ed25519 key in PKCS#8 form.
///
/// # Errors
///
/// The text says what is wrong with the key.
pub fn sign(claims: &Claims, key_id: &str, pkcs8: &[u8]) -> Result<String, String> {
    let header = Header { kid: Some(key_id.to_owned()), ..Header::new(Algorithm::EdDSA) };
    jsonwebtoken::encode(&header, claims, &EncodingKey::from_ed_der(pkcs8))
        .map_err(|error| format!("cannot sign a token: {error}"))
}

/// The id of the key a token names, before anything of it is believed.
pub fn key_id(token: &str) -> Result<String, TokenFailure> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(TokenFailure::Forged);
    }
    let header = jsonwebtoken::decode_header(token).map_err(|_| TokenFailure::Forged)?;
    header.kid.ok_or(TokenFailure::Forged)
}

/// Checks signature and audience, and nothing that depends on the time.
pub fn open(token: &str, key: &PublicKey, audience: &str) -> Result<Claims, TokenFailure> {
    let mut rules = Validation::new(Algorithm::EdDSA);
    rules.validate_exp = false;
    rules.validate_nbf = false;
    rules.set_audience(&[audience]);
    rules.set_required_spec_claims(&["exp", "sub", "aud"]);
    let (id, key) = (key.id.clone(), DecodingKey::from_ed_der(&key.bytes));
    match jsonwebtoken::decode::<Claims>(token, &key, &rules) {
        Ok(data) => Ok(Claims { key_id: id, ..data.claims }),
        Err(error) => match error.kind() {
            ErrorKind::InvalidAudience => Err(TokenFailure::Audience),
            _ => Err(TokenFailure::Forged),
        },
    }
}

impl Claims {
    /// The hash of the access token behind it; one that does not read is behind none that exists.
    pub fn access_token(&self) -> Option<TokenHash> {
        let text = self.access_token.as_ref()?;
        Some(access_token::hash_from(text).unwrap_or_default())
    }

    /// Whether the token was issued for this account.
    pub fn is_of(&self, account: &AccountId) -> bool {
        self.account_id == access_token::hex(account)
    }

    /// Whether the token holds at `now_s`.
    pub fn check_time(&self, now_s: u64) -> Result<(), TokenFailure> {
        if self.exp <= now_s {
            return Err(TokenFailure::Expired);
        }
        if self.iat.max(self.nbf) > now_s + AHEAD_S_MAX {
            return Err(TokenFailure::FromTheFuture);
        }
        Ok(())
    }
}

/// Remembers tokens whose signature was checked: a look-up costs a microsecond, a check 150.
///
/// Keyed by a keyed hash, so that a memory image holds no usable token.
pub struct Verified {
    key: hmac::Key,
    claims: Mutex<Recent<Vec<u8>, Arc<Claims>>>,
}

impl Default for Verified {
    fn default() -> Self {
        Self { key: random_key(), claims: Mutex::new(Recent::new(VERIFIED_MAX)) }
    }
}

impl Verified {
    /// The claims of a token that was checked before.
    pub fn find(&self, token: &str) -> Option<Arc<Claims>> {
        let name = self.name(token);
        let mut claims = self.claims.lock().unwrap_or_else(PoisonError::into_inner);
        claims.get_mut(&name).map(|claims| Arc::clone(claims))
    }

    /// Remembers a token that was checked.
    pub fn keep(&self, token: &str, checked: Arc<Claims>) {
        let name = self.name(token);
        let mut claims = self.claims.lock().unwrap_or_else(PoisonError::into_inner);
        claims.insert(name, checked);
    }

    fn name(&self, token: &str) -> Vec<u8> {
        hmac::sign(&self.key, token.as_bytes()).as_ref().to_vec()
    }
}

/// A key of this process alone, for caches.
pub(crate) fn random_key() -> hmac::Key {
    let mut bytes = [0_u8; 32];
    // Without randomness the keys would be guessable: better no start than that.
    assert!(SystemRandom::new().fill(&mut bytes).is_ok(), "the system gives no random bytes");
    hmac::Key::new(hmac::HMAC_SHA256, &bytes)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ring::rand::SystemRandom;
    use ring::signature::{Ed25519KeyPair, KeyPair};

    use super::{Claims, PublicKey, TokenFailure, Verified, key_id, open, sign};
    use crate::scope::Scope;

    fn pair() -> (Vec<u8>, PublicKey) {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap();
        let bytes = pair.public_key().as_ref().to_vec();
        (pkcs8.as_ref().to_vec(), PublicKey { id: "k1".to_owned(), bytes })
    }

    fn claims() -> Claims {
        Claims {
            sub: "ann".to_owned(),
            aud: "cluster".to_owned(),
            exp: 1_300,
            nbf: 1_000,
            iat: 1_000,
            access: vec![Scope::parse("repository:a/b:pull").unwrap()],
            ..Claims::default()
        }
    }

    #[test]
    fn a_token_says_on_every_replica_what_was_signed() {
        let (secret, public) = pair();
        let token = sign(&claims(), "k1", &secret).unwrap();
        assert_eq!(key_id(&token).unwrap(), "k1");
        let key_id = "k1".to_owned();
        assert_eq!(open(&token, &public, "cluster").unwrap(), Claims { key_id, ..claims() });
    }

    #[test]
    fn forged_and_foreign_tokens_are_refused() {
        let (secret, public) = pair();
        let (_, other) = pair();
        let token = sign(&claims(), "k1", &secret).unwrap();
        assert_eq!(open(&token, &other, "cluster"), Err(TokenFailure::Forged), "another key");
        assert_eq!(open(&token, &public, "other"), Err(TokenFailure::Audience));
        let parts: Vec<&str> = token.split('.').collect();
        let body = sign(&Claims { sub: "root".to_owned(), ..claims() }, "k1", &pair().0).unwrap();
        let body = body.split('.').nth(1).unwrap();
        let swapped = format!("{}.{body}.{}", parts[0], parts[2]);
        assert_eq!(open(&swapped, &public, "cluster"), Err(TokenFailure::Forged), "new body");
        // {"alg":"none"} and {"alg":"HS256","kid":"k1"}
        for header in ["eyJhbGciOiJub25lIn0", "eyJhbGciOiJIUzI1NiIsImtpZCI6ImsxIn0"] {
            let weak = format!("{header}.{}.", parts[1]);
            assert_eq!(open(&weak, &public, "cluster"), Err(TokenFailure::Forged), "{header}");
        }
        for garbage in ["", "a", "a.b", "a.b.c", "....", &"x".repeat(100_000)] {
            assert!(key_id(garbage).is_err() || open(garbage, &public, "cluster").is_err());
        }
    }

    #[test]
    fn the_time_decides_whether_a_token_holds() {
        let cases = [
            (1_000, Ok(())),
            (1_299, Ok(())),
            (1_300, Err(TokenFailure::Expired)),
            (940, Ok(())),
            (939, Err(TokenFailure::FromTheFuture)),
        ];
        for (now_s, expected) in cases {
            assert_eq!(claims().check_time(now_s), expected, "at {now_s}");
        }
    }

    #[test]
    fn a_checked_token_is_remembered() {
        let verified = Verified::default();
        assert!(verified.find("t").is_none());
        verified.keep("t", Arc::new(claims()));
        assert_eq!(verified.find("t").as_deref(), Some(&claims()));
        assert!(verified.find("u").is_none());
    }
}

//! What a browser carries while it is at the provider, for whichever replica it comes back to.
//!
//! It lies in a cookie, encrypted and authenticated by a key that all replicas have, so that a
//! click of somebody unknown costs no entry of the log. Each has a key of its own, derived with
//! the random number at its beginning: however many are made, no nonce is used twice with a key.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use consensus::cluster::Cluster;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// How long somebody may be at the provider.
pub(crate) const LIFE_S: u64 = 600;
/// The text in bytes, at most.
const TEXT_BYTES_MAX: usize = 4096;
const SALT_BYTES: usize = 32;
const PURPOSE: &[u8] = b"openid login state 1";

/// A sign-in that has begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LoginState {
    /// In seconds since 1970.
    pub(crate) begun_s: u64,
    /// Of the settings.
    pub(crate) revision: u64,
    /// Comes back in the address.
    pub(crate) state: String,
    /// Comes back in the token.
    pub(crate) nonce: String,
    /// Proves to the provider that who fetches the token is who began (RFC 7636).
    pub(crate) verifier: String,
    /// Where the browser is sent back to, said again when the token is fetched.
    pub(crate) redirect_uri: String,
    /// Where it goes then.
    pub(crate) return_path: String,
}

impl LoginState {
    /// A new one, with random numbers of its own.
    pub(crate) fn draw(
        (begun_s, revision): (u64, u64),
        redirect_uri: &str,
        return_path: &str,
    ) -> Result<Self, String> {
        let (redirect_uri, return_path) = (redirect_uri.to_owned(), return_path.to_owned());
        let (state, nonce, verifier) = (random_text()?, random_text()?, random_text()?);
        Ok(Self { begun_s, revision, state, nonce, verifier, redirect_uri, return_path })
    }

    /// What the provider is told of the verifier: `S256` of RFC 7636, 4.2.
    pub(crate) fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(digest(&SHA256, self.verifier.as_bytes()))
    }

    /// The text for the cookie.
    pub(crate) fn seal(&self, cluster: &Cluster) -> Result<String, String> {
        let salt = random()?;
        Ok(seal(&salt, &key(cluster, &salt), &serde_json::to_vec(self).unwrap_or_default()))
    }

    /// What a cookie says; `None` where it is not of this cluster's making, or its time is over.
    pub(crate) fn open(cluster: &Cluster, text: &str, now_s: u64) -> Option<Self> {
        let sealed = decode(text)?;
        let (salt, body) = sealed.split_at_checked(SALT_BYTES)?;
        let opened = open(&key(cluster, salt), body)?;
        let state: Self = serde_json::from_slice(&opened).ok()?;
        // A minute ahead: replicas need not agree on the second.
        let is_now = now_s < state.begun_s + LIFE_S && state.begun_s <= now_s + 60;
        is_now.then_some(state)
    }
}

fn key(cluster: &Cluster, salt: &[u8]) -> Zeroizing<[u8; 32]> {
    cluster.derived_key(&[PURPOSE, salt])
}

fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok().filter(|_| text.len() <= TEXT_BYTES_MAX)
}

fn cipher(key: &[u8; 32]) -> Option<LessSafeKey> {
    UnboundKey::new(&CHACHA20_POLY1305, key).ok().map(LessSafeKey::new)
}

/// The key is used for nothing else, so any nonce does.
fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; NONCE_LEN])
}

fn seal(salt: &[u8; SALT_BYTES], key: &[u8; 32], plain: &[u8]) -> String {
    let mut body = plain.to_vec();
    let cipher = cipher(key).expect("the cipher's keys have 32 bytes");
    cipher
        .seal_in_place_append_tag(nonce(), Aad::empty(), &mut body)
        .expect("a state is shorter than the cipher's limit");
    URL_SAFE_NO_PAD.encode([&salt[..], &body].concat())
}

fn open(key: &[u8; 32], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut body = Zeroizing::new(sealed.to_vec());
    let length = cipher(key)?.open_in_place(nonce(), Aad::empty(), &mut body).ok()?.len();
    body.truncate(length);
    Some(body)
}

fn random() -> Result<[u8; SALT_BYTES], String> {
    let mut bytes = [0; SALT_BYTES];
    let drawn = SystemRandom::new().fill(&mut bytes);
    drawn.map_err(|_| "the system gives no random numbers".to_owned())?;
    Ok(bytes)
}

/// 256 random bits, as letters that stand anywhere.
fn random_text() -> Result<String, String> {
    Ok(URL_SAFE_NO_PAD.encode(random()?))
}

#[cfg(test)]
mod tests {
    use super::{LoginState, decode, open, seal};

    #[test]
    fn what_was_changed_or_is_of_another_key_does_not_open() {
        let (salt, key) = ([7; 32], [9; 32]);
        let text = seal(&salt, &key, b"plain");
        let sealed = decode(&text).unwrap();
        assert_eq!(sealed[..32], salt);
        assert_eq!(open(&key, &sealed[32..]).unwrap().as_slice(), b"plain");
        assert!(open(&[8; 32], &sealed[32..]).is_none());
        for at in 32..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(open(&key, &changed[32..]).is_none(), "byte {at}");
        }
        for text in ["", "a", "====", &"A".repeat(5000)] {
            let body = decode(text).and_then(|sealed| open(&key, sealed.get(32..)?));
            assert!(body.is_none(), "{text}");
        }
    }

    #[test]
    fn every_sign_in_has_numbers_of_its_own() {
        let draw = || LoginState::draw((1, 2), "https://r.example/openid/callback", "/").unwrap();
        let (one, other) = (draw(), draw());
        let texts = [&one.state, &one.nonce, &one.verifier, &other.state, &other.nonce];
        let distinct: std::collections::BTreeSet<_> = texts.iter().collect();
        assert_eq!(distinct.len(), texts.len());
        assert!(texts.iter().all(|text| text.len() == 43));
    }

    /// Source: RFC 7636, appendix B.
    #[test]
    fn the_challenge_is_that_of_the_standard() {
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".to_owned();
        let drawn = LoginState::draw((1, 2), "", "").unwrap();
        let state = LoginState { verifier, ..drawn };
        assert_eq!(state.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }
}

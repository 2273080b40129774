//! Certificates and key pairs of the cluster; private parts are sealed by whoever proposed them.

use crate::access::standing;
use crate::codec::message;
use crate::moment::Moment;
use crate::outcome::Answer;
use crate::refusal::Refusal;
use crate::row;
use crate::ruling::Ruling;
use crate::tables::{Damage, Read, Table, Write};

/// Where [`CaRow`] stands.
pub const CA: &[u8] = b"ca";
const TOKEN_KEY: &[u8] = b"token";
const FORMER_TOKEN_KEYS: &[u8] = b"token/former";

/// Former token keys that are kept at a time; whoever rotates faster has to wait.
pub const FORMER_KEYS_MAX: usize = 16;

/// The longest life of a token, in milliseconds: no former key is kept for more.
pub const TOKEN_LIFE_MS_MAX: u64 = 24 * 3600 * 1000;

message! {
    /// The authority that signs the replicas' certificates.
    pub struct CaRow {
        /// Its certificate.
        1 certificate_pem: String,
        /// Its private key, sealed.
        2 sealed_key: Vec<u8>,
    }
}

message! {
    /// The pair that signs and verifies tokens.
    pub struct TokenKeyRow {
        /// Its id, as tokens name it.
        1 id: String,
        /// What verifies.
        2 public_key: Vec<u8>,
        /// What signs, sealed.
        3 sealed_key: Vec<u8>,
        /// Since when, milliseconds since 1970.
        4 created_wall_ms: u64,
    }
}

message! {
    /// What verifies tokens that were signed before the last rotation. What signed them is gone.
    pub struct FormerTokenKey {
        /// Its id, as tokens name it.
        1 id: String,
        /// What verifies.
        2 public_key: Vec<u8>,
        /// Verifies nothing from then on, milliseconds since 1970: the last token has expired.
        3 until_wall_ms: u64,
    }
}

message! {
    /// All of them, the oldest first.
    #[derive(Default)]
    pub struct FormerTokenKeys {
        /// At most [`FORMER_KEYS_MAX`].
        1 keys: Vec<FormerTokenKey>,
    }
}

message! {
    /// Signs tokens with another key from now on.
    pub struct TokenKeyRotate {
        /// The account that asks.
        1 actor: String,
        /// The key that signs now: of two who rotate at once only one does.
        2 former_id: String,
        /// The new one, as in [`TokenKeyRow`].
        3 id: String,
        /// The same.
        4 public_key: Vec<u8>,
        /// The same.
        5 sealed_key: Vec<u8>,
        /// For so long tokens signed before are still taken, in milliseconds; 0 where none is: the
        /// key got into wrong hands.
        6 former_life_ms: u64,
    }
}

impl TokenKeyRotate {
    pub(crate) fn apply(&self, tables: &mut impl Write, moment: &Moment) -> Ruling {
        standing::require_system(tables, &self.actor)?;
        let now = token_key(tables)?.filter(|row| row.id == self.former_id);
        let former = now.ok_or(Refusal::TokenKeyRotated)?;
        if self.former_life_ms > TOKEN_LIFE_MS_MAX {
            let max = usize::try_from(TOKEN_LIFE_MS_MAX).unwrap_or(usize::MAX);
            return Err(Refusal::out_of_bounds("a token's life in milliseconds", max).into());
        }
        let mut keys = former_token_keys(tables)?;
        keys.retain(|key| self.former_life_ms > 0 && key.until_wall_ms > moment.wall_ms);
        if keys.len() >= FORMER_KEYS_MAX {
            return Err(Refusal::out_of_bounds("former token keys", FORMER_KEYS_MAX).into());
        }
        if self.former_life_ms > 0 {
            let until_wall_ms = moment.wall_ms + self.former_life_ms;
            let TokenKeyRow { id, public_key, .. } = former;
            keys.push(FormerTokenKey { id, public_key, until_wall_ms });
        }
        let formers = FormerTokenKeys { keys };
        row::put(tables, Table::Certificates, FORMER_TOKEN_KEYS.to_vec(), &formers);
        let row = TokenKeyRow {
            id: self.id.clone(),
            public_key: self.public_key.clone(),
            sealed_key: self.sealed_key.clone(),
            created_wall_ms: moment.wall_ms,
        };
        put_token_key(tables, &row);
        Ok(Answer::Done)
    }
}

/// Keys that signed tokens before, the oldest first; their time may be over.
pub fn former_token_keys(read: &impl Read) -> Result<Vec<FormerTokenKey>, Damage> {
    let row: Option<FormerTokenKeys> = row::find(read, Table::Certificates, FORMER_TOKEN_KEYS)?;
    Ok(row.unwrap_or_default().keys)
}

/// The cluster's authority.
pub fn ca(read: &impl Read) -> Result<Option<CaRow>, Damage> {
    row::find(read, Table::Certificates, CA)
}

/// The key pair of tokens.
pub fn token_key(read: &impl Read) -> Result<Option<TokenKeyRow>, Damage> {
    row::find(read, Table::Certificates, TOKEN_KEY)
}

/// Whether a row of [`Table::Certificates`] is that of [`former_token_keys`].
pub(crate) fn is_former_token_keys(key: &[u8]) -> bool {
    key == FORMER_TOKEN_KEYS
}

pub(crate) fn put_ca(tables: &mut impl Write, ca: &CaRow) {
    row::put(tables, Table::Certificates, CA.to_vec(), ca);
}

pub(crate) fn put_token_key(tables: &mut impl Write, key: &TokenKeyRow) {
    row::put(tables, Table::Certificates, TOKEN_KEY.to_vec(), key);
}

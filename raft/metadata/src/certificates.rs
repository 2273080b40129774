//! Certificates and key pairs of the cluster; private parts are sealed by whoever proposed them.

use crate::codec::message;
use crate::row;
use crate::tables::{Damage, Read, Table, Write};

const CA: &[u8] = b"ca";
const TOKEN_KEY: &[u8] = b"token";

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

/// The cluster's authority.
pub fn ca(read: &impl Read) -> Result<Option<CaRow>, Damage> {
    row::find(read, Table::Certificates, CA)
}

/// The key pair of tokens.
pub fn token_key(read: &impl Read) -> Result<Option<TokenKeyRow>, Damage> {
    row::find(read, Table::Certificates, TOKEN_KEY)
}

pub(crate) fn put_ca(tables: &mut impl Write, ca: &CaRow) {
    row::put(tables, Table::Certificates, CA.to_vec(), ca);
}

pub(crate) fn put_token_key(tables: &mut impl Write, key: &TokenKeyRow) {
    row::put(tables, Table::Certificates, TOKEN_KEY.to_vec(), key);
}

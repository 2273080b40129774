//! How people may sign in to the whole cluster: with passwords or not, with certificates or not.

use crate::access::standing;
use crate::codec::message;
use crate::outcome::Answer;
use crate::refusal::Refusal;
use crate::row;
use crate::ruling::Ruling;
use crate::tables::{Damage, Read, Table, Write};

const KEY: &[u8] = b"sign_in";

/// The certificates of authorities in PEM, in bytes, at most.
pub const CA_BYTES_MAX: usize = 48 * 1024;

message! {
    /// The settings in force.
    #[derive(Default)]
    pub struct SignInRow {
        /// Passwords open nothing: access tokens and certificates do.
        1 refuses_passwords: bool,
        /// Whoever shows a certificate is the user whose name it bears.
        2 takes_certificates: bool,
        /// The authorities that sign such certificates, in PEM.
        3 client_ca_pem: String,
    }
}

message! {
    /// Sets what is given and leaves the rest.
    #[derive(Default)]
    pub struct SignInSet {
        /// The account that asks; empty for an operator at a replica's machine.
        1 actor: String,
        /// As in [`SignInRow`].
        2 refuses_passwords: Option<bool>,
        /// As in [`SignInRow`].
        3 takes_certificates: Option<bool>,
        /// As in [`SignInRow`].
        4 client_ca_pem: Option<String>,
    }
}

impl SignInSet {
    pub(crate) fn apply(&self, tables: &mut impl Write) -> Ruling {
        if !self.actor.is_empty() {
            standing::require_system(tables, &self.actor)?;
        }
        let row = get(tables)?;
        let row = SignInRow {
            refuses_passwords: self.refuses_passwords.unwrap_or(row.refuses_passwords),
            takes_certificates: self.takes_certificates.unwrap_or(row.takes_certificates),
            client_ca_pem: self.client_ca_pem.clone().unwrap_or(row.client_ca_pem),
        };
        if row.client_ca_pem.len() > CA_BYTES_MAX {
            return Err(Refusal::out_of_bounds("bytes of webTLSClientCA", CA_BYTES_MAX).into());
        }
        if row.takes_certificates && row.client_ca_pem.is_empty() {
            return Err(Refusal::ClientAuthorityMissing.into());
        }
        row::put(tables, Table::Singles, KEY.to_vec(), &row);
        Ok(Answer::Done)
    }
}

/// The settings in force.
pub fn get(read: &impl Read) -> Result<SignInRow, Damage> {
    Ok(row::find(read, Table::Singles, KEY)?.unwrap_or_default())
}

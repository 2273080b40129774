//! Public keys of users: they tie a signature to whoever made it.
//!
//! A key is kept in its bare form, as a `SubjectPublicKeyInfo` in DER, and named by the SHA-256 of
//! that, so that it is the same key out of a certificate or not. It belongs to one user at a time.

use oci::digest::Algorithm;
use oci::verifier::digest_of;

use crate::access::standing;
use crate::accounts::{self, AccountId};
use crate::codec::message;
use crate::key;
use crate::moment::Moment;
use crate::organizations::existing_user;
use crate::outcome::Answer;
use crate::page::Listing;
use crate::refusal::Refusal;
use crate::robots;
use crate::row;
use crate::ruling::Ruling;
use crate::tables::{Damage, Read, Table, Write};

/// Keys of one user, at most.
pub const KEYS_MAX: usize = 100;

/// A key's bytes, at most: RSA with 16,384 bits has fewer.
pub const KEY_BYTES_MAX: usize = 4096;

/// A label in bytes, at most.
pub const LABEL_BYTES_MAX: usize = 1024;

/// The SHA-256 of a key's DER.
pub type KeyId = [u8; 32];

message! {
    /// A user's public key, under its id.
    pub struct PublicKeyRow {
        /// Whose it is.
        1 account: AccountId,
        /// Its `SubjectPublicKeyInfo` in DER.
        2 der: Vec<u8>,
        /// As its owner calls it.
        3 label: String,
        /// Milliseconds since 1970.
        4 created_wall_ms: u64,
    }
}

message! {
    /// Gives a user a public key; one that they have already gets the label.
    pub struct PublicKeyPut {
        /// The user's name.
        1 account: String,
        /// The account that asks.
        2 actor: String,
        /// As in [`PublicKeyRow`]; whoever proposes has read it.
        3 der: Vec<u8>,
        /// As its owner calls it.
        4 label: String,
    }
}

message! {
    /// Calls a user's public key otherwise.
    pub struct PublicKeyUpdate {
        /// The user's name.
        1 account: String,
        /// The account that asks.
        2 actor: String,
        /// The key.
        3 id: KeyId,
        /// As its owner calls it from now on.
        4 label: String,
    }
}

message! {
    /// Takes a public key away from a user.
    pub struct PublicKeyDelete {
        /// The user's name.
        1 account: String,
        /// The account that asks.
        2 actor: String,
        /// The key.
        3 id: KeyId,
    }
}

/// What a key in DER is named by.
pub fn id_of(der: &[u8]) -> KeyId {
    let mut id = KeyId::default();
    // The key form of a digest has its algorithm in front.
    id.copy_from_slice(&digest_of(Algorithm::Sha256, der).to_bytes()[1..]);
    id
}

/// The key with that id, whosever it is.
pub fn find(read: &impl Read, id: &KeyId) -> Result<Option<PublicKeyRow>, Damage> {
    row::find(read, Table::PublicKeys, id)
}

/// Keys of one account by id, from `start` on.
pub fn listing(
    read: &impl Read,
    account: &AccountId,
    start: &[u8],
    limit: usize,
) -> Result<Listing<(KeyId, PublicKeyRow)>, Damage> {
    let wanted = limit.saturating_add(1);
    let keys = row::from_within(read, Table::AccountKeys, (account, start), wanted)?;
    let items = keys.iter().map(|(key, _)| {
        let id = key.last_chunk::<32>().copied();
        let id = id.ok_or_else(|| Damage("a key that should end with an id does not".into()))?;
        let row = find(read, &id)?;
        Ok((id, row.ok_or_else(|| Damage("a public key is listed and not there".into()))?))
    });
    Ok(Listing::cut(items.collect::<Result<_, Damage>>()?, limit))
}

impl PublicKeyPut {
    pub(crate) fn apply(&self, tables: &mut impl Write, moment: &Moment) -> Ruling {
        standing::require_self_or_system(tables, &self.actor, &self.account)?;
        let owner = existing_user(tables, &self.account)?;
        robots::check_place(&self.account, "", false)?;
        check_label(&self.label)?;
        if self.der.is_empty() || self.der.len() > KEY_BYTES_MAX {
            return Err(Refusal::out_of_bounds("bytes of a public key", KEY_BYTES_MAX).into());
        }
        let id = id_of(&self.der);
        let created_wall_ms = match find(tables, &id)? {
            Some(row) if row.account == owner.id => row.created_wall_ms,
            // A deleted user's keys go with the entries that follow.
            Some(row) if accounts::find_by_id(tables, &row.account)?.is_some() => {
                return Err(Refusal::PublicKeyTaken.into());
            }
            former => {
                let held = row::under(tables, Table::AccountKeys, &owner.id, KEYS_MAX)?.len();
                if held >= KEYS_MAX {
                    return Err(Refusal::limit_reached("public keys of this user", KEYS_MAX).into());
                }
                if let Some(former) = former {
                    remove(tables, &id, &former);
                }
                moment.wall_ms
            }
        };
        let (account, der, label) = (owner.id, self.der.clone(), self.label.clone());
        let row = PublicKeyRow { account, der, label, created_wall_ms };
        row::put(tables, Table::PublicKeys, id.to_vec(), &row);
        row::mark(tables, Table::AccountKeys, key::join(&[&account, &id]));
        Ok(Answer::Done)
    }
}

impl PublicKeyUpdate {
    pub(crate) fn apply(&self, tables: &mut impl Write) -> Ruling {
        let row = owned(tables, &self.actor, &self.account, &self.id)?;
        check_label(&self.label)?;
        let row = PublicKeyRow { label: self.label.clone(), ..row };
        row::put(tables, Table::PublicKeys, self.id.to_vec(), &row);
        Ok(Answer::Done)
    }
}

impl PublicKeyDelete {
    pub(crate) fn apply(&self, tables: &mut impl Write) -> Ruling {
        let row = owned(tables, &self.actor, &self.account, &self.id)?;
        remove(tables, &self.id, &row);
        Ok(Answer::Done)
    }
}

/// The key, where it is that user's and `actor` is the user or a system administrator.
fn owned(read: &impl Read, actor: &str, account: &str, id: &KeyId) -> Ruling<PublicKeyRow> {
    standing::require_self_or_system(read, actor, account)?;
    let owner = existing_user(read, account)?;
    let row = find(read, id)?.filter(|row| row.account == owner.id);
    Ok(row.ok_or(Refusal::PublicKeyUnknown)?)
}

fn remove(tables: &mut impl Write, id: &KeyId, row: &PublicKeyRow) {
    tables.delete(Table::PublicKeys, id);
    tables.delete(Table::AccountKeys, &key::join(&[&row.account, id]));
}

/// Takes some keys of a deleted account away; how many.
pub(crate) fn remove_some(
    tables: &mut impl Write,
    account: &AccountId,
    limit: usize,
) -> Result<usize, Damage> {
    let keys = listing(tables, account, &[], limit)?.items;
    for (id, row) in &keys {
        remove(tables, id, row);
    }
    Ok(keys.len())
}

fn check_label(label: &str) -> Ruling<()> {
    if label.len() > LABEL_BYTES_MAX {
        return Err(Refusal::out_of_bounds("bytes of a label", LABEL_BYTES_MAX).into());
    }
    Ok(())
}

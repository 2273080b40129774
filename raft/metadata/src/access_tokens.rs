//! Access tokens: what a user may send in place of their password, until it is revoked.
//!
//! A token is 32 random bytes; only the SHA-256 of its text is kept. That names it, too.

use crate::accounts::{self, AccountId};
use crate::codec::{message, numbered};
use crate::key;
use crate::page::Listing;
use crate::row;
use crate::tables::{Damage, Read, Table, Write};

pub mod commands;

/// The SHA-256 of a token's text.
pub type TokenHash = [u8; 32];

numbered! {
    /// How a token came to be.
    pub enum Origin {
        /// Somebody asked for it.
        1 Manual,
        /// A client took one while signing in.
        2 Auto,
    }
}

message! {
    /// An access token, under its hash.
    pub struct AccessTokenRow {
        /// Whose it is.
        1 account: AccountId,
        /// As its owner calls it.
        2 label: String,
        /// One that is not is refused.
        3 is_active: bool,
        /// Milliseconds since 1970.
        4 created_wall_ms: u64,
        /// The same; 0 for never. Known to some minutes.
        5 last_used_wall_ms: u64,
        /// The client that asked for it.
        6 creator_agent: String,
        /// How it came to be.
        7 origin: Origin,
        /// Refused from then on, milliseconds since 1970; 0 for never.
        8 expires_wall_ms: u64,
        /// What it is good for, as the token endpoint writes scopes; nothing for all that its owner
        /// may.
        9 scopes: Vec<String>,
    }
}

impl AccessTokenRow {
    /// When it was last used, or made where it never was; milliseconds since 1970.
    pub fn touched_wall_ms(&self) -> u64 {
        self.last_used_wall_ms.max(self.created_wall_ms)
    }

    /// Whether it may be used at that time.
    pub fn is_good(&self, wall_ms: u64) -> bool {
        self.is_active && (self.expires_wall_ms == 0 || wall_ms < self.expires_wall_ms)
    }
}

/// The token with that hash.
pub fn find(read: &impl Read, hash: &TokenHash) -> Result<Option<AccessTokenRow>, Damage> {
    row::find(read, Table::AccessTokens, hash)
}

/// The token with that hash and its owner, who is still there.
pub fn find_with_owner(
    read: &impl Read,
    hash: &TokenHash,
) -> Result<Option<(AccessTokenRow, accounts::Named)>, Damage> {
    let Some(token) = find(read, hash)? else { return Ok(None) };
    let owner = accounts::find_by_id(read, &token.account)?;
    Ok(owner.map(|owner| (token, owner)))
}

/// Tokens of one account, or of all, by hash, from `start` on.
pub fn listing(
    read: &impl Read,
    account: Option<&AccountId>,
    start: &[u8],
    limit: usize,
) -> Result<Listing<(TokenHash, AccessTokenRow)>, Damage> {
    let wanted = limit.saturating_add(1);
    let keys = match account {
        Some(account) => row::from_within(read, Table::AccountTokens, (account, start), wanted)?,
        None => read.range(Table::AccessTokens, start, None, wanted)?,
    };
    let items = keys.iter().map(|(key, _)| {
        let hash = last_hash(key)?;
        let row = find(read, &hash)?;
        Ok((hash, row.ok_or_else(|| Damage("a token is listed and not there".into()))?))
    });
    Ok(Listing::cut(items.collect::<Result<_, Damage>>()?, limit))
}

fn last_hash(key: &[u8]) -> Result<TokenHash, Damage> {
    let hash = key.last_chunk::<32>().copied();
    hash.ok_or_else(|| Damage("a key that should end with a hash does not".into()))
}

fn put(tables: &mut impl Write, hash: &TokenHash, row: &AccessTokenRow) {
    row::put(tables, Table::AccessTokens, hash.to_vec(), row);
}

fn remove(tables: &mut impl Write, hash: &TokenHash, row: &AccessTokenRow) {
    tables.delete(Table::AccessTokens, hash);
    tables.delete(Table::AccountTokens, &key::join(&[&row.account, hash]));
}

/// Takes some tokens of a deleted account away; how many.
pub(crate) fn remove_some(
    tables: &mut impl Write,
    account: &AccountId,
    limit: usize,
) -> Result<usize, Damage> {
    let tokens = listing(tables, Some(account), &[], limit)?.items;
    for (hash, row) in &tokens {
        remove(tables, hash, row);
    }
    Ok(tokens.len())
}

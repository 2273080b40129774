//! Making, changing and revoking access tokens, and noting that they were used.

use super::{AccessTokenRow, Origin, TokenHash, find, find_with_owner, listing, put, remove};
use crate::access::standing;
use crate::accounts::AccountId;
use crate::codec::message;
use crate::key;
use crate::moment::Moment;
use crate::organizations::existing_user;
use crate::outcome::Answer;
use crate::page_sessions;
use crate::refusal::Refusal;
use crate::row;
use crate::ruling::Ruling;
use crate::tables::{Read, Table, Write};

/// Tokens of one account, at most.
pub const TOKENS_MAX: usize = 1_000;

/// Those of them that clients took by themselves; a further one takes the place of the one that was
/// used least lately.
pub const AUTO_MAX: usize = 100;

/// A label or a client's name in bytes, at most.
pub const TEXT_BYTES_MAX: usize = 1024;

/// Scopes of one token, at most.
pub const SCOPES_MAX: usize = 64;

/// Tokens that one command looks at or notes, at most.
pub const BATCH_MAX: usize = 1000;

message! {
    /// Makes an access token; its text is shown once and never sent here.
    pub struct AccessTokenCreate {
        /// The SHA-256 of its text.
        1 hash: TokenHash,
        /// Whose it is.
        2 account: String,
        /// The account that asks.
        3 actor: String,
        /// As its owner calls it.
        4 label: String,
        /// The client that asks.
        5 creator_agent: String,
        /// How it comes to be.
        6 origin: Origin,
        /// As in [`AccessTokenRow`].
        7 expires_wall_ms: u64,
        /// As in [`AccessTokenRow`].
        8 scopes: Vec<String>,
    }
}

message! {
    /// Changes what is given of an access token and leaves the rest.
    pub struct AccessTokenUpdate {
        /// The token.
        1 hash: TokenHash,
        /// The account that asks.
        2 actor: String,
        /// As its owner calls it.
        3 label: Option<String>,
        /// Whether it may be used.
        4 is_active: Option<bool>,
    }
}

message! {
    /// Revokes an access token for ever.
    pub struct AccessTokenDelete {
        /// The token.
        1 hash: TokenHash,
        /// The account that asks.
        2 actor: String,
    }
}

message! {
    /// Revokes those of an account's next thousand tokens that were not used for long.
    pub struct AccessTokensDelete {
        /// Whose they are.
        1 account: String,
        /// The account that asks.
        2 actor: String,
        /// Only those last used, or made and never used, before; milliseconds since 1970.
        3 used_before_wall_ms: Option<u64>,
        /// Only those that came to be so.
        4 origin: Option<Origin>,
        /// Looks from this hash on.
        5 start: Vec<u8>,
    }
}

message! {
    /// That a token was used.
    pub struct TokenUse {
        /// The token.
        1 hash: TokenHash,
        /// When, milliseconds since 1970.
        2 wall_ms: u64,
    }
}

message! {
    /// Notes when tokens, or sessions of pages, were last used; those that are gone are passed
    /// over.
    pub struct AccessTokensUsed {
        /// At most a thousand.
        1 uses: Vec<TokenUse>,
    }
}

impl AccessTokenCreate {
    pub(crate) fn apply(&self, tables: &mut impl Write, moment: &Moment) -> Ruling {
        standing::require_keeper(tables, &self.actor, &self.account)?;
        let owner = existing_user(tables, &self.account)?;
        check_text("bytes of a label", &self.label)?;
        check_text("bytes of a client's name", &self.creator_agent)?;
        for scope in &self.scopes {
            check_text("bytes of a scope", scope)?;
        }
        if self.scopes.len() > SCOPES_MAX {
            return Err(Refusal::out_of_bounds("scopes of a token", SCOPES_MAX).into());
        }
        if find(tables, &self.hash)?.is_some() {
            return Err(Refusal::AccessTokenExists.into());
        }
        if self.origin == Origin::Auto {
            make_room(tables, &owner.id)?;
        }
        let held = row::under(tables, Table::AccountTokens, &owner.id, TOKENS_MAX)?.len();
        if held >= TOKENS_MAX {
            return Err(Refusal::limit_reached("access tokens of this account", TOKENS_MAX).into());
        }
        let row = AccessTokenRow {
            account: owner.id,
            label: self.label.clone(),
            is_active: true,
            created_wall_ms: moment.wall_ms,
            last_used_wall_ms: 0,
            creator_agent: self.creator_agent.clone(),
            origin: self.origin,
            expires_wall_ms: self.expires_wall_ms,
            scopes: self.scopes.clone(),
        };
        put(tables, &self.hash, &row);
        row::mark(tables, Table::AccountTokens, key::join(&[&owner.id, &self.hash]));
        Ok(Answer::Done)
    }
}

impl AccessTokenUpdate {
    pub(crate) fn apply(&self, tables: &mut impl Write) -> Ruling {
        let row = owned(tables, &self.hash, &self.actor)?;
        let label = self.label.clone().unwrap_or_else(|| row.label.clone());
        check_text("bytes of a label", &label)?;
        let is_active = self.is_active.unwrap_or(row.is_active);
        put(tables, &self.hash, &AccessTokenRow { label, is_active, ..row });
        Ok(Answer::Done)
    }
}

impl AccessTokenDelete {
    pub(crate) fn apply(&self, tables: &mut impl Write) -> Ruling {
        let row = owned(tables, &self.hash, &self.actor)?;
        remove(tables, &self.hash, &row);
        Ok(Answer::Done)
    }
}

impl AccessTokensDelete {
    pub(crate) fn apply(&self, tables: &mut impl Write) -> Ruling {
        standing::require_keeper(tables, &self.actor, &self.account)?;
        let owner = existing_user(tables, &self.account)?;
        let part = listing(tables, Some(&owner.id), &self.start, BATCH_MAX)?;
        let mut deleted = 0;
        for (hash, row) in &part.items {
            let touched_wall_ms = row.touched_wall_ms();
            let is_old = self.used_before_wall_ms.is_none_or(|before| touched_wall_ms < before);
            if is_old && self.origin.is_none_or(|origin| origin == row.origin) {
                remove(tables, hash, row);
                deleted += 1;
            }
        }
        let next = part.next.map(|(hash, _)| hash.to_vec()).unwrap_or_default();
        Ok(Answer::TokensDeleted { deleted, next })
    }
}

impl AccessTokensUsed {
    pub(crate) fn apply(&self, tables: &mut impl Write) -> Ruling {
        if self.uses.len() > BATCH_MAX {
            return Err(Refusal::out_of_bounds("uses of tokens", BATCH_MAX).into());
        }
        for TokenUse { hash, wall_ms } in &self.uses {
            let Some(row) = find(tables, hash)? else {
                page_sessions::used(tables, hash, *wall_ms)?;
                continue;
            };
            if row.last_used_wall_ms < *wall_ms {
                put(tables, hash, &AccessTokenRow { last_used_wall_ms: *wall_ms, ..row });
            }
        }
        Ok(Answer::Done)
    }
}

/// Takes away the one that was used least lately of those that clients took by themselves, where
/// there are as many as may be.
fn make_room(tables: &mut impl Write, account: &AccountId) -> Ruling<()> {
    let held = listing(tables, Some(account), &[], TOKENS_MAX)?.items;
    let auto = held.iter().filter(|(_, row)| row.origin == Origin::Auto);
    let (count, oldest) = (auto.clone().count(), auto.min_by_key(|(_, row)| row.touched_wall_ms()));
    if let Some((hash, row)) = oldest.filter(|_| count >= AUTO_MAX) {
        remove(tables, hash, row);
    }
    Ok(())
}

/// Takes those away that clients took by themselves.
pub(crate) fn remove_auto(tables: &mut impl Write, account: &AccountId) -> Ruling<()> {
    let held = listing(tables, Some(account), &[], TOKENS_MAX)?.items;
    for (hash, row) in held.iter().filter(|(_, row)| row.origin == Origin::Auto) {
        remove(tables, hash, row);
    }
    Ok(())
}

/// The token, where `actor` owns it or is a system administrator. To everyone else it is unknown.
fn owned(read: &impl Read, hash: &TokenHash, actor: &str) -> Ruling<AccessTokenRow> {
    let found = find_with_owner(read, hash)?;
    let (row, (owner, _)) = found.ok_or(Refusal::AccessTokenUnknown)?;
    match standing::require_keeper(read, actor, &owner) {
        Ok(()) => Ok(row),
        Err(_) => Err(Refusal::AccessTokenUnknown.into()),
    }
}

fn check_text(what: &str, text: &str) -> Ruling<()> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(Refusal::out_of_bounds(what, TEXT_BYTES_MAX).into());
    }
    Ok(())
}

//! Sessions of people who use the pages: signed in on one replica, known on all.
//!
//! A session is 32 random bytes in a cookie; only their SHA-256 is kept, and names it. It ends when
//! it is signed out of, when it was idle for long, at its absolute end, and with everything that
//! ends a sign-in by password: another password, an inactive or deleted account.

use crate::accounts::{self, AccountId, AccountKind, AccountRow};
use crate::codec::message;
use crate::key;
use crate::moment::Moment;
use crate::organizations::existing_user;
use crate::outcome::Answer;
use crate::page::Listing;
use crate::refusal::Refusal;
use crate::row;
use crate::ruling::Ruling;
use crate::tables::{Damage, Read, Table, Write};

/// Sessions of one user, at most; a further one takes the place of that which was used least
/// lately.
pub const SESSIONS_MAX: usize = 100;

/// The longest that one may last, in milliseconds.
pub const LIFE_MS_MAX: u64 = 30 * 24 * 3600 * 1000;

/// A client's name in bytes, at most.
const AGENT_BYTES_MAX: usize = 1024;

/// The SHA-256 of a session's text.
pub type SessionHash = [u8; 32];

message! {
    /// A session, under its hash.
    pub struct PageSessionRow {
        /// Whose it is.
        1 account: AccountId,
        /// The account's when it began; with the next one it is over.
        2 generation: u64,
        /// Milliseconds since 1970.
        3 created_wall_ms: u64,
        /// The same; known to some minutes.
        4 last_used_wall_ms: u64,
        /// Over from then on, milliseconds since 1970.
        5 ends_wall_ms: u64,
        /// Over after so many milliseconds without a use.
        6 idle_ms: u64,
        /// The client that it began with.
        7 creator_agent: String,
    }
}

message! {
    /// Begins a session for a user who has just signed in.
    pub struct PageSessionOpen {
        /// The SHA-256 of its text.
        1 hash: SessionHash,
        /// The user's name.
        2 account: String,
        /// The client that asks.
        3 creator_agent: String,
        /// How long it may last, in milliseconds.
        4 life_ms: u64,
        /// How long it may be idle, in milliseconds.
        5 idle_ms: u64,
    }
}

message! {
    /// Ends a session; one that is over already is no failure.
    pub struct PageSessionEnd {
        /// The session.
        1 hash: SessionHash,
    }
}

impl PageSessionRow {
    /// Whether it is good at `wall_ms` for the account as it is now.
    pub fn is_good(&self, account: &AccountRow, wall_ms: u64) -> bool {
        let idle_until = self.last_used_wall_ms.saturating_add(self.idle_ms);
        account.signs_in()
            && account.id == self.account
            && account.generation == self.generation
            && wall_ms < self.ends_wall_ms.min(idle_until)
    }
}

/// The session with that hash.
pub fn find(read: &impl Read, hash: &SessionHash) -> Result<Option<PageSessionRow>, Damage> {
    row::find(read, Table::PageSessions, hash)
}

/// The session with that hash and its user, who is still there.
pub fn find_with_owner(
    read: &impl Read,
    hash: &SessionHash,
) -> Result<Option<(PageSessionRow, accounts::Named)>, Damage> {
    let Some(session) = find(read, hash)? else { return Ok(None) };
    let owner = accounts::find_by_id(read, &session.account)?;
    Ok(owner.map(|owner| (session, owner)))
}

impl PageSessionOpen {
    pub(crate) fn apply(&self, tables: &mut impl Write, moment: &Moment) -> Ruling {
        let owner = existing_user(tables, &self.account)?;
        if owner.kind != AccountKind::User || !owner.signs_in() {
            return Err(Refusal::CredentialsRevoked { actor: self.account.clone() }.into());
        }
        if self.creator_agent.len() > AGENT_BYTES_MAX {
            return Err(Refusal::out_of_bounds("bytes of a client's name", AGENT_BYTES_MAX).into());
        }
        if self.life_ms.max(self.idle_ms) > LIFE_MS_MAX {
            let max = usize::try_from(LIFE_MS_MAX).unwrap_or(usize::MAX);
            return Err(Refusal::out_of_bounds("a session's life in milliseconds", max).into());
        }
        if find(tables, &self.hash)?.is_some() {
            return Err(Refusal::AccessTokenExists.into());
        }
        make_room(tables, &owner.id)?;
        let row = PageSessionRow {
            account: owner.id,
            generation: owner.generation,
            created_wall_ms: moment.wall_ms,
            last_used_wall_ms: moment.wall_ms,
            ends_wall_ms: moment.wall_ms + self.life_ms,
            idle_ms: self.idle_ms,
            creator_agent: self.creator_agent.clone(),
        };
        row::put(tables, Table::PageSessions, self.hash.to_vec(), &row);
        row::mark(tables, Table::AccountPageSessions, key::join(&[&row.account, &self.hash]));
        row::mark(tables, Table::PageSessionEnds, end_key(&row, &self.hash));
        Ok(Answer::Done)
    }
}

impl PageSessionEnd {
    pub(crate) fn apply(&self, tables: &mut impl Write) -> Ruling {
        if let Some(row) = find(tables, &self.hash)? {
            remove(tables, &self.hash, &row);
        }
        Ok(Answer::Done)
    }
}

/// Notes that a session was used; whether there is one.
pub(crate) fn used(
    tables: &mut impl Write,
    hash: &SessionHash,
    wall_ms: u64,
) -> Result<bool, Damage> {
    let Some(row) = find(tables, hash)? else { return Ok(false) };
    if row.last_used_wall_ms < wall_ms {
        let row = PageSessionRow { last_used_wall_ms: wall_ms, ..row };
        row::put(tables, Table::PageSessions, hash.to_vec(), &row);
    }
    Ok(true)
}

/// Takes some sessions away that have reached their absolute end.
pub(crate) fn sweep(tables: &mut impl Write, wall_ms: u64, limit: usize) -> Result<(), Damage> {
    let to = wall_ms.saturating_add(1).to_be_bytes();
    for (key, _) in tables.range(Table::PageSessionEnds, &[], Some(&to), limit)? {
        let hash = last_hash(&key)?;
        match find(tables, &hash)? {
            Some(row) => remove(tables, &hash, &row),
            None => tables.delete(Table::PageSessionEnds, &key),
        }
    }
    Ok(())
}

/// Takes some sessions of an account away; how many.
pub(crate) fn remove_some(
    tables: &mut impl Write,
    account: &AccountId,
    limit: usize,
) -> Result<usize, Damage> {
    let sessions = listing(tables, account, limit)?.items;
    for (hash, row) in &sessions {
        remove(tables, hash, row);
    }
    Ok(sessions.len())
}

fn listing(
    read: &impl Read,
    account: &AccountId,
    limit: usize,
) -> Result<Listing<(SessionHash, PageSessionRow)>, Damage> {
    let keys = row::under(read, Table::AccountPageSessions, account, limit.saturating_add(1))?;
    let items = keys.iter().map(|(key, _)| {
        let hash = last_hash(key)?;
        let row = find(read, &hash)?;
        Ok((hash, row.ok_or_else(|| Damage("a session is listed and not there".into()))?))
    });
    Ok(Listing::cut(items.collect::<Result<_, Damage>>()?, limit))
}

fn make_room(tables: &mut impl Write, account: &AccountId) -> Ruling<()> {
    let held = listing(tables, account, SESSIONS_MAX)?.items;
    let oldest = held.iter().min_by_key(|(_, row)| row.last_used_wall_ms);
    if let Some((hash, row)) = oldest.filter(|_| held.len() >= SESSIONS_MAX) {
        remove(tables, hash, row);
    }
    Ok(())
}

fn remove(tables: &mut impl Write, hash: &SessionHash, row: &PageSessionRow) {
    tables.delete(Table::PageSessions, hash);
    tables.delete(Table::AccountPageSessions, &key::join(&[&row.account, hash]));
    tables.delete(Table::PageSessionEnds, &end_key(row, hash));
}

/// Where a session stands among the ends.
pub(crate) fn end_key(row: &PageSessionRow, hash: &SessionHash) -> Vec<u8> {
    key::join(&[&row.ends_wall_ms.to_be_bytes(), hash])
}

fn last_hash(key: &[u8]) -> Result<SessionHash, Damage> {
    let hash = key.last_chunk::<32>().copied();
    hash.ok_or_else(|| Damage("a key that should end with a hash does not".into()))
}

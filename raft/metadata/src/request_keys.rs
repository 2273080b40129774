//! Requests that are sent again: what was carried out under a client's key is not done twice.
//!
//! A client that got no answer sends its request once more under the same key, perhaps to another
//! replica. The key travels with the request's command: the entry that carries the command out
//! keeps key and answer, and where they are kept already it gives that answer and changes nothing.
//! What was refused is not kept, since it changed nothing. What the client was told follows in a
//! command of its own, so that the same can be told again.

use crate::accounts::AccountId;
use crate::codec::message;
use crate::key;
use crate::moment::Moment;
use crate::outcome::Answer;
use crate::refusal::Refusal;
use crate::row;
use crate::ruling::Ruling;
use crate::tables::{Damage, Read, Table, Write};

/// How long a key is kept, in cluster time.
pub const KEPT_MS: u64 = 24 * 3600 * 1000;

/// Keys that are kept, at most.
pub const KEYS_MAX: u64 = 100_000;

/// Keys of one account, at most: nobody takes all the room.
pub const KEYS_OF_ACCOUNT_MAX: u64 = 10_000;

/// The body of an answer in bytes, at most; a longer one is not kept.
pub const BODY_BYTES_MAX: usize = 4096;

const COUNT: &[u8] = b"request_keys";

message! {
    /// Under which key a request comes, and which request it is.
    pub struct RequestKey {
        /// Who sent it; nobody sees another's keys.
        1 account: AccountId,
        /// A keyed hash of the key that the client chose.
        2 key: [u8; 32],
        /// A keyed hash of method, path, query and body. Keyed, since a body may hold a password.
        3 request: [u8; 32],
    }
}

message! {
    /// A request that was carried out, under its account and key.
    pub struct RequestKeyRow {
        /// [`RequestKey::request`].
        1 request: [u8; 32],
        /// What came of its command.
        2 answer: Answer,
        /// The cluster time until which it is kept.
        3 until_ms: u64,
        /// The HTTP status that the client was told; 0 where that is not known.
        4 status: u32,
        /// And the body.
        5 body: Vec<u8>,
    }
}

message! {
    /// How many keys an account has.
    pub struct AccountKeysRow {
        /// So many.
        1 keys: u64,
    }
}

message! {
    /// Says what the client was told, by the replica that told it.
    pub struct RequestAnswered {
        /// Of which request.
        1 key: RequestKey,
        /// The HTTP status.
        2 status: u32,
        /// The body.
        3 body: Vec<u8>,
    }
}

impl RequestAnswered {
    pub(crate) fn apply(&self, tables: &mut impl Write, moment: &Moment) -> Ruling {
        if self.body.len() > BODY_BYTES_MAX {
            return Err(Refusal::out_of_bounds("the bytes of a kept answer", BODY_BYTES_MAX).into());
        }
        let kept = kept(tables, &self.key, moment.cluster_ms)?;
        if let Some(row) = kept.filter(|row| row.request == self.key.request && row.status == 0) {
            let (status, body) = (self.status, self.body.clone());
            let row = RequestKeyRow { status, body, ..row };
            row::put(tables, Table::RequestKeys, row_key(&self.key), &row);
        }
        Ok(Answer::Done)
    }
}

/// What is kept of a request with that key at this cluster time.
pub fn kept(
    read: &impl Read,
    key: &RequestKey,
    cluster_ms: u64,
) -> Result<Option<RequestKeyRow>, Damage> {
    let row: Option<RequestKeyRow> = row::find(read, Table::RequestKeys, &row_key(key))?;
    Ok(row.filter(|row| row.until_ms > cluster_ms))
}

/// The answer that is kept for a command; `None` where it is to be carried out.
pub(crate) fn judge(
    read: &impl Read,
    key: &RequestKey,
    moment: &Moment,
) -> Result<Option<Result<Answer, Refusal>>, Damage> {
    if let Some(row) = kept(read, key, moment.cluster_ms)? {
        let is_same = row.request == key.request;
        return Ok(Some(if is_same { Ok(row.answer) } else { Err(Refusal::RequestKeyReused) }));
    }
    let own = of_account(read, &key.account)?;
    Ok(match (own >= KEYS_OF_ACCOUNT_MAX, in_all(read)? >= KEYS_MAX) {
        (true, _) => Some(Err(Refusal::RequestKeysFull { max: KEYS_OF_ACCOUNT_MAX })),
        (_, true) => Some(Err(Refusal::RequestKeysFull { max: KEYS_MAX })),
        _ => None,
    })
}

/// Keeps the answer to a command that was carried out just now.
pub(crate) fn keep(
    tables: &mut impl Write,
    key: &RequestKey,
    answer: &Answer,
    moment: &Moment,
) -> Result<(), Damage> {
    // One whose time is over may stand there still.
    forget(tables, &key.account, &key.key)?;
    let until_ms = moment.cluster_ms.saturating_add(KEPT_MS);
    let (request, answer) = (key.request, answer.clone());
    let row = RequestKeyRow { request, answer, until_ms, status: 0, body: Vec::new() };
    row::put(tables, Table::RequestKeys, row_key(key), &row);
    row::mark(tables, Table::RequestKeyEnds, end_key(until_ms, &key.account, &key.key));
    count(tables, &key.account, true)
}

/// Takes away, at most `limit` at a time, what need not be kept any more.
pub(crate) fn sweep(tables: &mut impl Write, moment: &Moment, limit: usize) -> Result<(), Damage> {
    let to = moment.cluster_ms.saturating_add(1).to_be_bytes();
    for (end, _) in tables.range(Table::RequestKeyEnds, &[], Some(&to), limit)? {
        let (_, rest) = key::split_u64(&end)?;
        let broken = || Damage("an end of a request's key is of another length".into());
        let (account, rest) = rest.split_first_chunk::<16>().ok_or_else(broken)?;
        let key: &[u8; 32] = rest.try_into().map_err(|_| broken())?;
        forget(tables, account, key)?;
    }
    Ok(())
}

/// How many keys an account has.
pub(crate) fn of_account(read: &impl Read, account: &AccountId) -> Result<u64, Damage> {
    let row: Option<AccountKeysRow> = row::find(read, Table::RequestKeys, account)?;
    Ok(row.map_or(0, |row| row.keys))
}

/// How many there are.
pub(crate) fn in_all(read: &impl Read) -> Result<u64, Damage> {
    match read.get(Table::Singles, COUNT)? {
        Some(count) => Ok(key::split_u64(&count)?.0),
        None => Ok(0),
    }
}

fn forget(tables: &mut impl Write, account: &AccountId, name: &[u8; 32]) -> Result<(), Damage> {
    let at = key::join(&[account, name]);
    let row: Option<RequestKeyRow> = row::find(tables, Table::RequestKeys, &at)?;
    let Some(row) = row else { return Ok(()) };
    tables.delete(Table::RequestKeys, &at);
    tables.delete(Table::RequestKeyEnds, &end_key(row.until_ms, account, name));
    count(tables, account, false)
}

/// Counts one more, or one less.
fn count(tables: &mut impl Write, account: &AccountId, is_more: bool) -> Result<(), Damage> {
    let change = |count: u64| if is_more { count + 1 } else { count.saturating_sub(1) };
    let keys = change(of_account(tables, account)?);
    if keys == 0 {
        tables.delete(Table::RequestKeys, account);
    } else {
        row::put(tables, Table::RequestKeys, account.to_vec(), &AccountKeysRow { keys });
    }
    let all = change(in_all(tables)?);
    tables.put(Table::Singles, COUNT.to_vec(), all.to_be_bytes().to_vec());
    Ok(())
}

fn row_key(key: &RequestKey) -> Vec<u8> {
    key::join(&[&key.account, &key.key])
}

pub(crate) fn end_key(until_ms: u64, account: &AccountId, name: &[u8; 32]) -> Vec<u8> {
    key::join(&[&until_ms.to_be_bytes(), account, name])
}

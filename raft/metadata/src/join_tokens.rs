//! Join tokens: permission for a new replica to become a member, with an end and a number of uses.

use crate::codec::message;
use crate::key;
use crate::moment::Moment;
use crate::outcome::Answer;
use crate::refusal::Refusal;
use crate::row;
use crate::ruling::Ruling;
use crate::tables::{Damage, Read, Table, Write};

/// Expired tokens stay listed this long, so that "expired" can be told from "unknown".
const EXPIRED_KEPT_MS: u64 = 7 * 24 * 3600 * 1000;

message! {
    /// Makes a join token; the secret itself is shown once and never sent here.
    pub struct JoinTokenCreate {
        /// Names the token.
        1 id: String,
        /// Hash of its secret.
        2 secret_hash: Vec<u8>,
        /// Refused from then on, milliseconds since 1970.
        3 expires_wall_ms: u64,
        /// How many replicas may join with it; at least one.
        4 uses: u32,
    }
}

message! {
    /// Ends a join token.
    pub struct JoinTokenRevoke {
        /// The token.
        1 id: String,
    }
}

message! {
    /// A join token.
    pub struct JoinTokenRow {
        /// Hash of its secret.
        1 secret_hash: Vec<u8>,
        /// Refused from then on, milliseconds since 1970.
        2 expires_wall_ms: u64,
        /// How many replicas may still join with it.
        3 uses_left: u32,
        /// Milliseconds since 1970.
        4 created_wall_ms: u64,
    }
}

impl JoinTokenCreate {
    pub(crate) fn apply(&self, tables: &mut impl Write, moment: &Moment) -> Ruling {
        if self.uses == 0 || self.secret_hash.is_empty() || self.id.is_empty() {
            return Err(Refusal::JoinTokenUnfit { id: self.id.clone() }.into());
        }
        if find(tables, &self.id)?.is_some() {
            return Err(Refusal::JoinTokenExists { id: self.id.clone() }.into());
        }
        forget_expired(tables, moment.wall_ms)?;
        let row = JoinTokenRow {
            secret_hash: self.secret_hash.clone(),
            expires_wall_ms: self.expires_wall_ms,
            uses_left: self.uses,
            created_wall_ms: moment.wall_ms,
        };
        put(tables, &self.id, &row);
        Ok(Answer::Done)
    }
}

impl JoinTokenRevoke {
    pub(crate) fn apply(&self, tables: &mut impl Write) -> Ruling {
        if find(tables, &self.id)?.is_none() {
            return Err(Refusal::JoinTokenUnknown { id: self.id.clone() }.into());
        }
        tables.delete(Table::JoinTokens, self.id.as_bytes());
        Ok(Answer::Done)
    }
}

/// The token of that id.
pub fn find(read: &impl Read, id: &str) -> Result<Option<JoinTokenRow>, Damage> {
    row::find(read, Table::JoinTokens, id.as_bytes())
}

/// All tokens by id.
pub fn list(read: &impl Read) -> Result<Vec<(String, JoinTokenRow)>, Damage> {
    let rows = read.range(Table::JoinTokens, &[], None, usize::MAX)?;
    let tokens = rows.into_iter().map(|(key, value)| {
        Ok((key::text(&key)?.to_owned(), row::decode(Table::JoinTokens, &value)?))
    });
    tokens.collect()
}

/// The token, if its secret is the right one. A wrong secret looks like an unknown token.
pub(crate) fn checked(read: &impl Read, id: &str, secret_hash: &[u8]) -> Ruling<JoinTokenRow> {
    let row = find(read, id)?.filter(|row| row.secret_hash == secret_hash);
    Ok(row.ok_or_else(|| Refusal::JoinTokenUnknown { id: id.to_owned() })?)
}

/// Takes one use off the token.
pub(crate) fn take_use(
    tables: &mut impl Write,
    id: &str,
    token: JoinTokenRow,
    moment: &Moment,
) -> Ruling<()> {
    if token.expires_wall_ms <= moment.wall_ms {
        return Err(Refusal::JoinTokenExpired { id: id.to_owned() }.into());
    }
    let Some(uses_left) = token.uses_left.checked_sub(1) else {
        return Err(Refusal::JoinTokenUsedUp { id: id.to_owned() }.into());
    };
    put(tables, id, &JoinTokenRow { uses_left, ..token });
    Ok(())
}

fn put(tables: &mut impl Write, id: &str, row: &JoinTokenRow) {
    row::put(tables, Table::JoinTokens, id.as_bytes().to_vec(), row);
}

fn forget_expired(tables: &mut impl Write, wall_ms: u64) -> Result<(), Damage> {
    for (id, row) in list(tables)? {
        if row.expires_wall_ms.saturating_add(EXPIRED_KEPT_MS) <= wall_ms {
            tables.delete(Table::JoinTokens, id.as_bytes());
        }
    }
    Ok(())
}

//! What belonged to a deleted account goes a few rows with each entry, so that no entry takes long.
//!
//! Nothing of it can be reached from the moment of the deletion on: every way there leads over the
//! account's row. Its name stays taken until the last row is gone, so that nobody finds what was
//! another's.

use super::{AccountId, AccountKind, AccountRow, remove};
use crate::access_tokens;
use crate::codec::message;
use crate::key;
use crate::moment::Moment;
use crate::organizations;
use crate::page_sessions;
use crate::public_keys;
use crate::repositories;
use crate::robots;
use crate::row;
use crate::tables::{Damage, Table, Write};
use crate::teams;

/// Memberships, teams, tokens or repositories that one entry removes.
const STEPS_MAX: usize = 32;

message! {
    /// A deleted account whose rows still go, under its name.
    pub struct DeletedAccountRow {
        /// The account's.
        1 id: AccountId,
        /// User or organization.
        2 kind: AccountKind,
    }
}

/// Takes the account away and leaves the rest to [`sweep`].
pub(crate) fn begin(tables: &mut impl Write, name: &str, row: &AccountRow) -> Result<(), Damage> {
    if row.kind == AccountKind::Organization {
        robots::begin_deletion(tables, name)?;
    }
    remove(tables, name, row)?;
    let going = DeletedAccountRow { id: row.id, kind: row.kind };
    row::put(tables, Table::DeletedAccounts, name.as_bytes().to_vec(), &going);
    Ok(())
}

/// Takes some rows of the first deleted account away.
pub(crate) fn sweep(tables: &mut impl Write, moment: &Moment) -> Result<(), Damage> {
    let going = tables.range(Table::DeletedAccounts, &[], None, 1)?;
    let Some((key, value)) = going.into_iter().next() else { return Ok(()) };
    let (name, row): (_, DeletedAccountRow) =
        (key::text(&key)?, row::decode(Table::DeletedAccounts, &value)?);

    let mut left = STEPS_MAX;
    left -= repositories::commands::remove_some(tables, (name, left), "", moment)?;
    match row.kind {
        AccountKind::User | AccountKind::Robot => {
            left -= access_tokens::remove_some(tables, &row.id, left)?;
            left -= page_sessions::remove_some(tables, &row.id, left)?;
            left -= public_keys::remove_some(tables, &row.id, left)?;
            left -= organizations::leave_some(tables, &row.id, left)?;
        }
        AccountKind::Organization => {
            left -= teams::remove_some(tables, &row.id, left)?;
            left -= organizations::remove_some(tables, &row.id, left)?;
        }
    }
    if left > 0 {
        tables.delete(Table::DeletedAccounts, &key);
    }
    Ok(())
}

//! Keys of requests: each with its end, counted, and no more than may be.

use std::collections::BTreeMap;

use super::indexes::{Keys, compare};
use super::{Violation, rows};
use crate::request_keys::{self, AccountKeysRow, KEYS_MAX, KEYS_OF_ACCOUNT_MAX, RequestKeyRow};
use crate::row;
use crate::tables::{Damage, Read, Table};

pub(super) fn check(read: &impl Read, found: &mut Vec<Violation>) -> Result<(), Damage> {
    let (mut ends, mut all) = (Keys::new(), 0);
    let (mut counted, mut told) = (BTreeMap::new(), BTreeMap::new());
    for (key, value) in rows(read, Table::RequestKeys)? {
        let broken = || Damage("a request's key is of another length".into());
        let (account, name) = key.split_first_chunk::<16>().ok_or_else(broken)?;
        if name.is_empty() {
            let row: AccountKeysRow = row::decode(Table::RequestKeys, &value)?;
            told.insert(*account, row.keys);
            continue;
        }
        let row: RequestKeyRow = row::decode(Table::RequestKeys, &value)?;
        let name: &[u8; 32] = name.try_into().map_err(|_| broken())?;
        ends.extend([request_keys::end_key(row.until_ms, account, name)]);
        *counted.entry(*account).or_insert(0) += 1;
        all += 1;
    }
    let most = counted.values().max().copied().unwrap_or(0);
    if counted != told || all != request_keys::in_all(read)? {
        let what = format!("{all} keys of requests are counted as {told:?}");
        found.push(Violation { rule: "index", what });
    }
    if all > KEYS_MAX || most > KEYS_OF_ACCOUNT_MAX {
        let what = format!("{all} keys of requests are kept, {most} of one account");
        found.push(Violation { rule: "index", what });
    }
    compare(read, Table::RequestKeyEnds, &ends, found)
}

//! Events and the audit log: numbered without gaps, dated in order, bounded, and chained.

use super::indexes::{Keys, compare};
use super::{Violation, rows};
use crate::audit::{self, AuditRow};
use crate::events::{self, EventRow, Kind, listing};
use crate::key;
use crate::row;
use crate::tables::{Damage, Read, Table};

pub(super) fn check(read: &impl Read, found: &mut Vec<Violation>) -> Result<(), Damage> {
    check_events(read, found)?;
    check_audit(read, found)
}

fn wrong(found: &mut Vec<Violation>, what: String) {
    found.push(Violation { rule: "journal", what });
}

fn check_events(read: &impl Read, found: &mut Vec<Violation>) -> Result<(), Damage> {
    let kept = events::kept(read)?;
    let (mut expected, mut before, mut indexes) = (kept.first, (0, 0), Keys::new());
    for (key, value) in rows(read, Table::Events)? {
        let (number, event): (u64, EventRow) =
            (key::split_u64(&key)?.0, row::decode(Table::Events, &value)?);
        if number != expected {
            wrong(found, format!("event {number} stands where {expected} should"));
        }
        if event.wall_ms < before.0 || event.cluster_ms < before.1 {
            wrong(found, format!("event {number} is dated before the one that came before it"));
        }
        if !Kind::ALL.contains(&event.kind()) {
            wrong(found, format!("event {number} is of a kind that no list looks for"));
        }
        indexes.extend(listing::keys_of(number, &event));
        before = (event.wall_ms, event.cluster_ms);
        expected = number + 1;
    }
    if expected != kept.last + 1 || kept.count() > events::EVENTS_MAX {
        wrong(found, format!("events end before {expected}, not with {}", kept.last));
    }
    compare(read, Table::EventIndexes, &indexes, found)
}

fn check_audit(read: &impl Read, found: &mut Vec<Violation>) -> Result<(), Damage> {
    let chain = audit::chain(read)?;
    let (mut expected, mut hash, mut before_ms) = (chain.first, chain.anchor, 0);
    for (key, value) in rows(read, Table::AuditRecords)? {
        let AuditRow { record, hash: stored } = row::decode(Table::AuditRecords, &value)?;
        let number = key::split_u64(&key)?.0;
        if number != expected || record.number != number {
            wrong(found, format!("audit record {number} stands where {expected} should"));
        }
        hash = record.hash(&hash);
        if hash != stored {
            wrong(found, format!("audit record {number} is not what its hash was made of"));
        }
        if record.wall_ms < before_ms {
            wrong(found, format!("audit record {number} is dated before the one before it"));
        }
        (expected, before_ms) = (number + 1, record.wall_ms);
    }
    if expected != chain.last + 1 || hash != chain.head {
        wrong(found, format!("the audit log ends before {expected}, not with {}", chain.last));
    }
    if chain.first == 1 && chain.anchor != audit::BEGINNING {
        wrong(found, "the audit log has its first record and goes on from another".to_owned());
    }
    if chain.count() > audit::RECORDS_MAX {
        wrong(found, format!("the audit log has {} records", chain.count()));
    }
    Ok(())
}

//! P4: a tag that may not change does not.
//!
//! A tag counts as pinned where every push of it was made under the condition that it did not exist
//! before. However many race for it on however many replicas, all looks must show one digest.

use std::collections::{BTreeMap, BTreeSet};

use super::Violation;
use crate::history::{Call, Condition, Event, Outcome};

/// Pinned tags that showed more than one digest.
pub fn violations(events: &[Event]) -> Vec<Violation> {
    let mut pinned: BTreeMap<&str, bool> = BTreeMap::new();
    let mut shown: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for event in events {
        match (&event.call, &event.outcome) {
            (Call::Push { tag, digest, condition, .. }, outcome) => {
                *pinned.entry(tag).or_insert(true) &= *condition == Condition::Absent;
                if *outcome == Outcome::Done {
                    shown.entry(tag).or_default().insert(digest);
                }
            }
            (Call::Look { tag }, Outcome::Points(Some(digest))) => {
                shown.entry(tag).or_default().insert(digest);
            }
            _ => {}
        }
    }
    let pinned = pinned.into_iter().filter(|(_, pinned)| *pinned);
    let moved = pinned.filter_map(|(tag, _)| shown.get(tag).map(|shown| (tag, shown)));
    let moved = moved.filter(|(_, shown)| shown.len() > 1);
    moved.map(|(tag, shown)| format!("P4: pinned tag {tag} was each of {shown:?}")).collect()
}

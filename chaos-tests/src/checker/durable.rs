//! P1: what was acknowledged can be read, whole and right, from every replica.
//!
//! The sweep at the end of a run fetches every manifest that was acknowledged, and every blob that
//! it names, from each replica; here the last fetch of each is judged. What was never fetched
//! counts as lost: a sweep that was forgotten must not look like a success.

use std::collections::{BTreeMap, BTreeSet};

use super::Violation;
use crate::history::{Call, Event, Outcome};

/// What one of these replicas could not give back at the end.
pub fn violations(events: &[Event], replicas: &[usize]) -> Vec<Violation> {
    let mut last: BTreeMap<(usize, &str), &Event> = BTreeMap::new();
    for event in events {
        if let Call::Fetch { digest } = &event.call {
            let known = last.entry((event.replica, digest)).or_insert(event);
            if event.end_us >= known.end_us {
                *known = event;
            }
        }
    }
    let mut found = Vec::new();
    for (digest, pushed_us) in acknowledged(events) {
        for replica in replicas {
            let fetch = last.get(&(*replica, digest)).filter(|it| it.start_us >= pushed_us);
            let outcome = fetch.map(|event| &event.outcome);
            if outcome != Some(&Outcome::Bytes(digest.to_owned())) {
                found
                    .push(format!("P1: {digest} was acknowledged; replica {replica}: {outcome:?}"));
            }
        }
    }
    found
}

/// Every manifest and blob that an acknowledgement stands for, and when it was given.
pub fn acknowledged(events: &[Event]) -> BTreeSet<(&str, u64)> {
    let mut first: BTreeMap<&str, u64> = BTreeMap::new();
    for event in events.iter().filter(|event| event.is_acknowledged_push()) {
        if let Call::Push { digest, blobs, .. } = &event.call {
            for each in blobs.iter().chain([digest]) {
                let known = first.entry(each).or_insert(event.end_us);
                *known = event.end_us.min(*known);
            }
        }
    }
    first.into_iter().collect()
}

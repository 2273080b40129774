//! P3: a command takes effect once.
//!
//! Clients move a tag under the condition that it still points where they saw it. Of all who saw
//! the same digest, one may be told that it has moved the tag: a second winner means that a command
//! was applied on a state which another had changed, or was applied twice.

use std::collections::BTreeMap;

use super::Violation;
use crate::history::{Call, Condition, Event, Outcome};

/// Digests that more than one push has replaced, going by what the clients were told.
pub fn violations(events: &[Event]) -> Vec<Violation> {
    let mut winners: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for event in events {
        let Call::Push { tag, digest, condition, .. } = &event.call else {
            continue;
        };
        let from = match condition {
            Condition::None => continue,
            Condition::Absent => "absent",
            Condition::At(digest) => digest,
        };
        if event.outcome == Outcome::Done {
            let told = winners.entry((tag, from)).or_default();
            // A client that repeats its own push is told the same again.
            if !told.contains(&digest.as_str()) {
                told.push(digest);
            }
        }
    }
    let many = winners.into_iter().filter(|(_, told)| told.len() > 1);
    many.map(|((tag, from), told)| format!("P3: tag {tag} left {from} for each of {told:?}"))
        .collect()
}

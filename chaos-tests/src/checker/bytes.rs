//! P9: bytes served hash to the digest asked for, or the connection is cut.

use super::Violation;
use crate::history::{Call, Event, Outcome};

/// Fetches that came to a good end with other bytes.
pub fn violations(events: &[Event]) -> Vec<Violation> {
    let mut found = Vec::new();
    for event in events {
        if let (Call::Fetch { digest }, Outcome::Bytes(came)) = (&event.call, &event.outcome)
            && digest != came
        {
            found.push(format!("P9: replica {} gave {came} for {digest}", event.replica));
        }
    }
    found
}

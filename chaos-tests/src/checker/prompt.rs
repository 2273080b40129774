//! P8: an election is waited for and no request hangs.
//!
//! After a replica was killed, a push must be acknowledged again within five seconds; and no call
//! may stand for longer than the ten seconds for which an election is waited for, and a few more to
//! answer.

use super::Violation;
use crate::history::{Call, Event};

/// How soon after a kill a push must be acknowledged.
const WRITES_BACK_US_MAX: u64 = 5_000_000;
/// How long any call may take.
const CALL_US_MAX: u64 = 15_000_000;

/// Pauses and calls that were too long.
pub fn violations(events: &[Event]) -> Vec<Violation> {
    let mut found = Vec::new();
    let last_us = events.iter().map(|event| event.end_us).max().unwrap_or(0);
    for event in events {
        let took = event.end_us.saturating_sub(event.start_us);
        // A fetch moves as many bytes as the blob has: only its first answer could be judged.
        if took > CALL_US_MAX && !matches!(event.call, Call::Fetch { .. }) {
            found.push(format!("P8: {:?} at replica {} took {took} us", event.call, event.replica));
        }
        if matches!(event.call, Call::Kill { .. }) {
            let back_us = writes_back(events, event.end_us);
            let pause = back_us.unwrap_or(last_us).saturating_sub(event.end_us);
            if pause > WRITES_BACK_US_MAX {
                found.push(format!("P8: no push was acknowledged for {pause} us after a kill"));
            }
        }
    }
    found
}

/// When the first push that began after this moment was acknowledged.
pub fn writes_back(events: &[Event], killed_us: u64) -> Option<u64> {
    let pushes = events.iter().filter(|it| it.is_acknowledged_push() && it.start_us >= killed_us);
    pushes.map(|it| it.end_us).min()
}

//! P8: an election is waited for and no request hangs.
//!
//! After a replica was killed, a push must be acknowledged again within five seconds; and no call
//! may stand for longer than the ten seconds for which an election is waited for, and a few more to
//! answer. Time for which the machine itself stood still does not count.

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
        let took = running_us(events, event.start_us, event.end_us);
        // A fetch moves as many bytes as the blob has: only its first answer could be judged.
        let is_judged = !matches!(event.call, Call::Fetch { .. } | Call::Stall);
        if took > CALL_US_MAX && is_judged {
            found.push(format!("P8: {:?} at replica {} took {took} us", event.call, event.replica));
        }
        if matches!(event.call, Call::Kill { .. }) {
            let back_us = writes_back(events, event.end_us);
            let pause = running_us(events, event.end_us, back_us.unwrap_or(last_us));
            if pause > WRITES_BACK_US_MAX {
                found.push(format!("P8: no push was acknowledged for {pause} us after a kill"));
            }
        }
    }
    found
}

/// How long the machine ran between two moments.
fn running_us(events: &[Event], from_us: u64, to_us: u64) -> u64 {
    let stalls = events.iter().filter(|event| matches!(event.call, Call::Stall));
    let within =
        stalls.map(|stall| stall.end_us.min(to_us).saturating_sub(stall.start_us.max(from_us)));
    to_us.saturating_sub(from_us).saturating_sub(within.sum())
}

/// When the first push that began after this moment was acknowledged.
pub fn writes_back(events: &[Event], killed_us: u64) -> Option<u64> {
    let pushes = events.iter().filter(|it| it.is_acknowledged_push() && it.start_us >= killed_us);
    pushes.map(|it| it.end_us).min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Outcome, from_lines};

    /// Seven seconds of which the machine stood still for `stalled_us`, in the middle.
    fn paused(stalled_us: u64) -> Vec<Event> {
        let mut events = from_lines(include_str!("../../histories/p8-long-pause.jsonl")).unwrap();
        let (start_us, call) = (4_000_000, Call::Stall);
        let end_us = start_us + stalled_us;
        let outcome = Outcome::Done;
        events.push(Event { client: u32::MAX, replica: 0, start_us, end_us, call, outcome });
        events
    }

    #[test]
    fn only_what_the_machine_stood_still_is_taken_off() {
        assert_eq!(violations(&paused(1_500_000)).len(), 1);
        assert_eq!(violations(&paused(2_500_000)), Vec::<Violation>::new());
    }

    #[test]
    fn a_stall_before_or_after_excuses_nothing() {
        for start_us in [0, 7_000_100] {
            let mut events = paused(0);
            let stall = events.last_mut().unwrap();
            (stall.start_us, stall.end_us) = (start_us, start_us + 900);
            assert_eq!(violations(&events).len(), 1, "{start_us}");
        }
    }
}

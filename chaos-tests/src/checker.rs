//! Checkers: one for each promise that a client can see, from a history to its violations.
//!
//! A checker that accepts everything proves nothing: each is shown a recorded bad history under
//! `histories/` that it must reject, and a good one that it must accept.

pub mod bytes;
pub mod durable;
pub mod once;
pub mod pinned;
pub mod prompt;
pub mod register;

use crate::history::Event;

/// A promise broken, in a sentence that names client, tag, digest or replica.
pub type Violation = String;

/// Everything that one history says against the promises that need no sweep at the end.
pub fn judge(events: &[Event]) -> Vec<Violation> {
    let mut violations = register::violations(events);
    violations.extend(once::violations(events));
    violations.extend(pinned::violations(events));
    violations.extend(prompt::violations(events));
    violations.extend(bytes::violations(events));
    violations
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::from_lines;

    type Checker = fn(&[Event]) -> Vec<Violation>;

    fn lost_on_three(events: &[Event]) -> Vec<Violation> {
        durable::violations(events, &[0, 1, 2])
    }

    /// A promise, the checker of it, and the recorded history that breaks it.
    const BAD: &[(&str, Checker, &str)] = &[
        ("P1 a blob is gone", lost_on_three, include_str!("../histories/p1-lost-blob.jsonl")),
        ("P1 never swept", lost_on_three, include_str!("../histories/p1-unswept.jsonl")),
        ("P2 stale", register::violations, include_str!("../histories/p2-stale-look.jsonl")),
        ("P2 flicker", register::violations, include_str!("../histories/p2-flicker.jsonl")),
        ("P2 unborn", register::violations, include_str!("../histories/p2-never-pushed.jsonl")),
        ("P2 vanished", register::violations, include_str!("../histories/p2-vanished.jsonl")),
        ("P3 twice", register::violations, include_str!("../histories/p3-late-duplicate.jsonl")),
        ("P3 two winners", once::violations, include_str!("../histories/p3-two-winners.jsonl")),
        ("P4 moved", pinned::violations, include_str!("../histories/p4-pin-moved.jsonl")),
        ("P8 long pause", prompt::violations, include_str!("../histories/p8-long-pause.jsonl")),
        ("P8 hanging", prompt::violations, include_str!("../histories/p8-hanging.jsonl")),
        ("P9 bad bytes", bytes::violations, include_str!("../histories/p9-wrong-bytes.jsonl")),
    ];

    #[test]
    fn every_checker_rejects_the_history_that_breaks_its_promise() {
        for (name, checker, text) in BAD {
            let events = from_lines(text).unwrap();
            assert!(!checker(&events).is_empty(), "{name} was accepted");
        }
    }

    #[test]
    fn every_checker_accepts_a_history_that_keeps_all_promises() {
        let events = from_lines(include_str!("../histories/good.jsonl")).unwrap();
        assert_eq!(judge(&events), Vec::<Violation>::new());
        assert_eq!(lost_on_three(&events), Vec::<Violation>::new());
    }
}

//! P2: a tag reads as one register, on whichever replica it is asked.
//!
//! Every push brings a digest of its own, so each value is written at most once, and
//! linearizability is a comparison of intervals instead of a search. For a digest, take the
//! earliest end (`known`) and the latest start (`last`) of all calls that wrote or saw it. Where
//! `known` comes before `last`, the tag must have had this digest for all the time between: no two
//! such zones may overlap, and no other digest's calls may lie wholly inside one.
//!
//! Source: Gibbons and Korach, "Testing shared memories", 1997, for registers whose values are
//! unique.

use std::collections::BTreeMap;

use super::Violation;
use crate::history::{Call, Event, Outcome};

/// The calls on one value of one tag, summed up.
#[derive(Clone, Debug)]
struct Value {
    digest: Option<String>,
    /// When the first call that wrote or saw it had ended.
    known_us: u64,
    /// When the last call that wrote or saw it began.
    last_us: u64,
    /// When it was written, from the start of the call; `None` where nobody tried.
    written_us: Option<u64>,
    /// When the earliest look that saw it ended.
    seen_us: Option<u64>,
    /// Whether the write of it was acknowledged.
    acknowledged: bool,
}

/// Everything that does not fit one register for each tag.
pub fn violations(events: &[Event]) -> Vec<Violation> {
    let mut found = Vec::new();
    for (tag, values) in values_by_tag(events) {
        let values: Vec<Value> = values.into_values().filter(Value::took_effect).collect();
        found.extend(values.iter().filter_map(|value| value.seen_before_written(&tag)));
        found.extend(overlaps(&tag, &values));
    }
    found
}

fn values_by_tag(events: &[Event]) -> BTreeMap<String, BTreeMap<Option<String>, Value>> {
    let mut tags: BTreeMap<String, BTreeMap<Option<String>, Value>> = BTreeMap::new();
    for event in events {
        match (&event.call, &event.outcome) {
            (Call::Push { tag, digest, .. }, Outcome::Done | Outcome::Unknown) => {
                let values = tags.entry(tag.clone()).or_insert_with(never_written);
                let digest = Some(digest.clone());
                values.entry(digest.clone()).or_insert_with(|| Value::of(digest)).write(event);
            }
            (Call::Look { tag }, Outcome::Points(digest)) => {
                let values = tags.entry(tag.clone()).or_insert_with(never_written);
                values
                    .entry(digest.clone())
                    .or_insert_with(|| Value::of(digest.clone()))
                    .see(event);
            }
            _ => {}
        }
    }
    tags
}

/// Before everything, every tag pointed at nothing.
fn never_written() -> BTreeMap<Option<String>, Value> {
    let nothing = Value { written_us: Some(0), known_us: 0, ..Value::of(None) };
    BTreeMap::from([(None, nothing)])
}

fn overlaps(tag: &str, values: &[Value]) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut lasting: Vec<&Value> = values.iter().filter(|value| value.lasts()).collect();
    lasting.sort_by_key(|value| value.known_us);
    for pair in lasting.windows(2) {
        // Sorted by where they begin: where any two overlap, two neighbours do.
        if pair[1].known_us < pair[0].last_us {
            found.push(format!("P2: tag {tag} was {} and {} at one time", pair[0], pair[1]));
        }
    }
    for value in values.iter().filter(|value| !value.lasts()) {
        // The zone that began last before this value was first begun is the only one to hold it.
        let place = lasting.partition_point(|other| other.known_us < value.last_us);
        let around = place.checked_sub(1).map(|before| lasting[before]);
        if let Some(other) = around.filter(|other| value.known_us < other.last_us) {
            found.push(format!("P2: tag {tag} was {value} while it was {other}"));
        }
    }
    found
}

impl Value {
    fn of(digest: Option<String>) -> Self {
        Self {
            digest,
            known_us: u64::MAX,
            last_us: 0,
            written_us: None,
            seen_us: None,
            acknowledged: false,
        }
    }

    fn write(&mut self, event: &Event) {
        // Repeated pushes of one digest count as one write that lasted from the first to the last.
        let start = event.start_us;
        self.written_us = Some(self.written_us.map_or(start, |before| before.min(start)));
        if event.outcome == Outcome::Done {
            self.acknowledged = true;
            self.known_us = self.known_us.min(event.end_us);
        }
        self.last_us = self.last_us.max(event.start_us);
    }

    fn see(&mut self, event: &Event) {
        self.seen_us = Some(self.seen_us.map_or(event.end_us, |before| before.min(event.end_us)));
        self.known_us = self.known_us.min(event.end_us);
        self.last_us = self.last_us.max(event.start_us);
    }

    /// A push whose answer was lost and that nobody saw may never have happened.
    fn took_effect(&self) -> bool {
        self.acknowledged || self.seen_us.is_some() || self.digest.is_none()
    }

    fn lasts(&self) -> bool {
        self.known_us < self.last_us
    }

    fn seen_before_written(&self, tag: &str) -> Option<Violation> {
        let seen = self.seen_us?;
        match self.written_us {
            Some(written) if written <= seen => None,
            _ => Some(format!("P2: tag {tag} showed {self}, which nobody had pushed yet")),
        }
    }
}

impl std::fmt::Display for Value {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let digest = self.digest.as_deref().unwrap_or("absent");
        let digest = digest.get(..19).unwrap_or(digest);
        write!(out, "{digest} ({}..{} us)", self.known_us, self.last_us)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `(start, end, what)`: `w1` pushes 1, `u1` pushes 1 with a lost answer, `r1` sees 1, `r0`
    /// nothing.
    fn judged(calls: &[(u64, u64, &str)]) -> usize {
        let event = |(start_us, end_us, what): &(u64, u64, &str)| {
            let (kind, digest) = what.split_at(1);
            let tag = "t".to_owned();
            let push = Call::Push {
                tag: tag.clone(),
                digest: digest.to_owned(),
                blobs: vec![],
                condition: crate::history::Condition::None,
            };
            let seen = Some(digest.to_owned()).filter(|it| it != "0");
            let (call, outcome) = match kind {
                "w" => (push, Outcome::Done),
                "u" => (push, Outcome::Unknown),
                _ => (Call::Look { tag }, Outcome::Points(seen)),
            };
            Event { client: 0, replica: 0, start_us: *start_us, end_us: *end_us, call, outcome }
        };
        violations(&calls.iter().map(event).collect::<Vec<_>>()).len()
    }

    #[test]
    fn intervals_decide() {
        type Case<'a> = (&'a str, &'a [(u64, u64, &'a str)], bool);
        let cases: &[Case<'_>] = &[
            ("one push, then seen", &[(10, 20, "w1"), (30, 40, "r1")], true),
            ("seen while it is pushed", &[(10, 50, "w1"), (15, 20, "r1")], true),
            (
                "seen, then not, while pushed",
                &[(10, 90, "w1"), (15, 20, "r1"), (30, 40, "r0")],
                false,
            ),
            ("absent after the answer", &[(10, 20, "w1"), (30, 40, "r0")], false),
            ("absent during the push", &[(10, 50, "w1"), (20, 40, "r0")], true),
            ("old after new was answered", &[(1, 2, "w1"), (3, 4, "w2"), (5, 6, "r1")], false),
            ("old while new is pushed", &[(1, 2, "w1"), (3, 9, "w2"), (5, 6, "r1")], true),
            (
                "new, then old, while pushed",
                &[(1, 2, "w1"), (3, 99, "w2"), (5, 6, "r2"), (7, 8, "r1")],
                false,
            ),
            (
                "two pushes at once, either wins",
                &[(1, 9, "w1"), (2, 8, "w2"), (10, 11, "r1")],
                true,
            ),
            (
                "two pushes at once, both win",
                &[(1, 9, "w1"), (2, 8, "w2"), (10, 11, "r1"), (12, 13, "r2")],
                false,
            ),
            ("a lost answer that never took", &[(1, 2, "w1"), (3, 4, "u2"), (5, 6, "r1")], true),
            (
                "a lost answer that took late",
                &[(1, 2, "w1"), (3, 4, "u2"), (5, 6, "r1"), (7, 8, "r2")],
                true,
            ),
            (
                "a lost answer that took and went",
                &[(1, 2, "w1"), (3, 4, "u2"), (7, 8, "r2"), (9, 10, "r1")],
                false,
            ),
            ("seen before anyone pushed it", &[(5, 6, "r1"), (10, 20, "w1")], false),
            ("seen, pushed by nobody", &[(5, 6, "r1")], false),
            (
                "a whole push inside another's time",
                &[(1, 2, "w1"), (3, 4, "w2"), (5, 6, "w3"), (7, 8, "r2")],
                false,
            ),
        ];
        for (name, calls, good) in cases {
            assert_eq!(judged(calls) == 0, *good, "{name}");
        }
    }
}

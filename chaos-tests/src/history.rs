//! Histories: what every client asked, when, and what it was told.
//!
//! One line of JSON an event, so that a history can be kept, read by a person and judged again.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Call {
    /// A manifest was pushed under a tag, after its blobs.
    Push {
        /// The tag.
        tag: String,
        /// The manifest.
        digest: String,
        /// Every blob that it names.
        #[serde(default)]
        blobs: Vec<String>,
        /// What the tag had to point at.
        #[serde(default)]
        condition: Condition,
    },
    /// A tag was looked up.
    Look {
        /// The tag.
        tag: String,
    },
    /// A manifest or blob was read by its digest, to the end.
    Fetch {
        /// What was asked for.
        digest: String,
    },
    /// The replica was killed.
    Kill {
        /// Whether it led.
        leader: bool,
    },
    /// The replica was started again.
    Start,
    /// The machine ran nothing: neither replicas nor clients.
    Stall,
}

/// Under which condition a push may move its tag.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// Always.
    #[default]
    None,
    /// Only where the tag does not exist.
    Absent,
    /// Only where the tag points at this digest.
    At(String),
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Acknowledged: it has happened.
    Done,
    /// The tag points at this, or does not exist.
    Points(Option<String>),
    /// Bytes came, and hash to this.
    Bytes(String),
    /// Refused with this status: it has not happened.
    Refused(u16),
    /// It has surely not happened: nobody was reached.
    Unreached,
    /// It may have happened, or may happen yet: the answer was lost.
    Unknown,
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Who asked.
    pub client: u32,
    /// Who was asked, by its place in the cluster.
    pub replica: usize,
    /// When the call began, in microseconds since the history did.
    pub start_us: u64,
    /// When its answer was there.
    pub end_us: u64,
    /// What was done.
    pub call: Call,
    /// What came of it.
    pub outcome: Outcome,
}

/// A history that many clients write at once.
#[derive(Clone, Debug)]
pub struct Recorder {
    began: Instant,
    events: Arc<Mutex<Vec<Event>>>,
}

impl Default for Recorder {
    fn default() -> Self {
        Self { began: Instant::now(), events: Arc::default() }
    }
}

impl Recorder {
    /// Microseconds since the history began.
    pub fn now_us(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Adds what was begun at `start_us` and has just ended.
    pub fn add(&self, who: (u32, usize), start_us: u64, call: Call, outcome: Outcome) {
        let (client, replica) = who;
        let event = Event { client, replica, start_us, end_us: self.now_us(), call, outcome };
        self.events.lock().unwrap_or_else(PoisonError::into_inner).push(event);
    }

    /// Everything so far, in the order in which it ended.
    pub fn events(&self) -> Vec<Event> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many pushes were acknowledged so far.
    pub fn acknowledged(&self) -> usize {
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        events.iter().filter(|event| event.is_acknowledged_push()).count()
    }
}

impl Event {
    /// Whether this is a push that was answered with success.
    pub fn is_acknowledged_push(&self) -> bool {
        matches!(self.call, Call::Push { .. }) && self.outcome == Outcome::Done
    }
}

/// Writes events as lines of JSON.
pub fn to_lines(events: &[Event]) -> Result<String> {
    let lines: Result<Vec<String>, _> = events.iter().map(serde_json::to_string).collect();
    Ok(lines?.join("\n") + "\n")
}

/// Reads lines of JSON; empty ones and those that begin with `#` are for people.
pub fn from_lines(text: &str) -> Result<Vec<Event>> {
    let lines = text.lines().enumerate();
    let lines = lines.filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
    lines
        .map(|(at, line)| serde_json::from_str(line).with_context(|| format!("line {}", at + 1)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        let recorder = Recorder::default();
        let push = Call::Push {
            tag: "a".into(),
            digest: "sha256:1".into(),
            blobs: vec!["sha256:2".into()],
            condition: Condition::At("sha256:0".into()),
        };
        recorder.add((1, 2), 0, push, Outcome::Done);
        recorder.add((1, 0), 5, Call::Look { tag: "a".into() }, Outcome::Points(None));
        recorder.add((0, 0), 6, Call::Kill { leader: true }, Outcome::Done);
        let events = recorder.events();
        assert_eq!(from_lines(&to_lines(&events).unwrap()).unwrap(), events);
        assert_eq!(recorder.acknowledged(), 1);
        assert!(from_lines("{\"client\":1}").is_err());
    }
}

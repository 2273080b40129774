//! `[raft]`: timing and size of the replicated log. The defaults suit one data centre.

use serde::{Deserialize, Serialize};

use super::limits::within;

/// `[raft]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Raft {
    /// Milliseconds between two signs of life of the leader.
    pub heartbeat_ms: u64,
    /// A replica that heard no leader for at least this many milliseconds asks for an election.
    pub election_ms_min: u64,
    /// The upper end of that time, from which each replica draws its own.
    pub election_ms_max: u64,
    /// A snapshot is written when the log since the last one exceeds this many bytes, or half of
    /// the last snapshot where that is more.
    pub snapshot_log_bytes_min: u64,
}

impl Default for Raft {
    fn default() -> Self {
        Self {
            heartbeat_ms: 250,
            election_ms_min: 700,
            election_ms_max: 1_200,
            snapshot_log_bytes_min: 64 << 20,
        }
    }
}

impl Raft {
    /// Checks the section.
    pub fn check(&self) -> Result<(), String> {
        within("raft.heartbeat_ms", self.heartbeat_ms, 20, 10_000)?;
        within("raft.snapshot_log_bytes_min", self.snapshot_log_bytes_min, 4_096, 1 << 40)?;
        let enough = self.election_ms_min >= self.heartbeat_ms.saturating_mul(2)
            && self.election_ms_max > self.election_ms_min
            && self.election_ms_max <= 60_000;
        if !enough {
            return Err(format!(
                "`raft.election_ms_min` is {} and `raft.election_ms_max` {}: the first must be at \
                 least twice `raft.heartbeat_ms` ({}), the second greater than the first and at \
                 most 60000",
                self.election_ms_min, self.election_ms_max, self.heartbeat_ms
            ));
        }
        Ok(())
    }
}

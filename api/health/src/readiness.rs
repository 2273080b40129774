//! Whether this replica should be sent requests, in one sentence.

use serde::{Deserialize, Serialize};

use crate::checks::Part;
use crate::facts::Health;

/// Entries behind which a replica counts as catching up.
const BEHIND_ENTRIES_MAX: u64 = 100;

/// The answer of `/_ping` and `/health`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ping {
    /// The parts that fail, joined by `; `; empty where all is well.
    #[serde(rename = "Error")]
    pub error: String,
    /// Whether there is none.
    #[serde(rename = "Healthy")]
    pub healthy: bool,
}

impl Ping {
    /// From the sentences for what fails.
    pub fn of(failing: &[(Part, String)]) -> Self {
        let sentences = failing.iter().map(|(part, cause)| format!("{}: {cause}", part.name()));
        let error = sentences.collect::<Vec<_>>().join("; ");
        Self { healthy: error.is_empty(), error }
    }
}

/// What is asked of the replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// All of its work.
    Everything,
    /// Pulls by digest, which go on for a while without a majority.
    Reads,
}

/// Everything that fails now: what the checks found, and what is known at once.
pub fn failing(health: &Health, asked: Asked) -> Vec<(Part, String)> {
    let context = &health.context;
    let mut failing = health.checks.all_failed();
    let mut metadata = |cause: String| {
        failing.retain(|(part, _)| *part != Part::Metadata);
        failing.push((Part::Metadata, cause));
    };
    if let Err(without_ms) = context.cluster.quorum_ok() {
        metadata(format!("no majority of the cluster has answered for {} s", without_ms / 1_000));
    } else if let Some(behind) = behind(health) {
        metadata(format!("this replica is catching up: {behind} entries behind"));
    }
    if context.is_draining() {
        metadata("this replica is shutting down".to_owned());
    }
    if asked == Asked::Reads && reads_go_on(health) {
        failing.retain(|(part, _)| *part != Part::Metadata);
    }
    failing
}

/// Whether only the majority is missing, and not for too long.
fn reads_go_on(health: &Health) -> bool {
    let context = &health.context;
    let stale_max_ms = context.limits.stale_reads_max.as_millis();
    let without_ms = context.cluster.quorum_ok().err();
    !context.is_draining() && without_ms.is_some_and(|ms| u128::from(ms) < stale_max_ms)
}

fn behind(health: &Health) -> Option<u64> {
    let status = health.context.cluster.status();
    let own = status.replicas.iter().find(|replica| replica.replica_id == status.replica_id)?;
    (own.lag > BEHIND_ENTRIES_MAX).then_some(own.lag)
}

#[cfg(test)]
mod tests {
    use super::Ping;
    use crate::checks::Part;

    #[test]
    fn the_answer_has_the_fields_that_balancers_and_terraform_read() {
        let well = serde_json::to_string(&Ping::of(&[])).unwrap();
        assert_eq!(well, r#"{"Error":"","Healthy":true}"#);
        let ill = Ping::of(&[
            (Part::Storage, "disk full".to_owned()),
            (Part::Metadata, "no majority".to_owned()),
        ]);
        let ill = serde_json::to_string(&ill).unwrap();
        let expected = r#"{"Error":"storage: disk full; metadata: no majority","Healthy":false}"#;
        assert_eq!(ill, expected);
    }
}

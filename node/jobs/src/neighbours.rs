//! Other workers, and since when nothing was heard of each.
//!
//! Cluster time moves on with entries only: while all others are idle, a worker that died with a
//! job would have its lease for ever. So each runner watches by its own clock, and asks once a
//! lease must be over; the state machine decides.

use std::collections::BTreeMap;
use std::time::Duration;

use metadata::jobs::workers::{IDLE_LEASE_MS, LEASE_MS};
use metadata::replica::ReplicaId;
use tokio::time::Instant;

use crate::sight::Sight;

/// A worker with jobs says something every four seconds.
const QUIET: Duration = Duration::from_secs(5);
/// So much longer than a lease a worker is waited for.
const SPARE: Duration = Duration::from_millis(500);

/// What was last seen of each worker's lease, and when first.
#[derive(Debug, Default)]
pub(crate) struct Neighbours {
    seen: BTreeMap<ReplicaId, (u64, Instant)>,
}

/// How the others are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Silence {
    /// One that has jobs says nothing: cluster time has to move on for its lease to end, and the
    /// first entry of a new leader moves it by nothing.
    pub(crate) is_quiet: bool,
    /// One that is not said to be dead must be.
    pub(crate) is_over: bool,
}

impl Neighbours {
    /// How workers other than `own` are.
    pub(crate) fn look(&mut self, sight: &Sight, own: ReplicaId) -> Silence {
        let (now, mut silence) = (Instant::now(), Silence::default());
        for (replica_id, worker) in sight.workers.iter().filter(|(id, _)| *id != own) {
            let until_ms = worker.lease_until_ms;
            let seen = self.seen.entry(*replica_id).or_insert((until_ms, now));
            if seen.0 != until_ms {
                *seen = (until_ms, now);
            }
            let has_jobs = sight.held_by(*replica_id).next().is_some();
            let lease_ms = if has_jobs { LEASE_MS } else { IDLE_LEASE_MS };
            let silent_for = now - seen.1;
            silence.is_quiet |= has_jobs && silent_for > QUIET;
            let is_over = silent_for > Duration::from_millis(lease_ms) + SPARE;
            silence.is_over |= is_over && !worker.is_dead;
        }
        self.seen.retain(|id, _| sight.worker(*id).is_some());
        silence
    }
}

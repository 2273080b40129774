//! What time it is for the cluster: the median of its members' clocks.
//!
//! The log carries the wall time of its last entry only, and stands still while nobody writes. So
//! the members' clocks, as they were last heard, are asked here, once a second; in between, this
//! machine's monotonic clock carries on.

use std::sync::{Arc, Mutex, PoisonError};

use consensus::cluster::Cluster;
use consensus::status::ClusterStatus;
use wire::clock::Clock;

/// For so long a measurement is carried on.
const MEASURED_EVERY_MS: u64 = 1_000;
/// A member's clock that was heard longer ago does not count.
const HEARD_MS_MAX: u64 = 30_000;

/// The cluster's wall time.
pub struct WallTime {
    clock: Arc<dyn Clock>,
    measured: Mutex<Option<Measured>>,
}

#[derive(Clone, Copy)]
struct Measured {
    wall_ms: u64,
    at_ms: u64,
}

impl WallTime {
    /// Nothing is measured yet.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, measured: Mutex::new(None) }
    }

    /// Milliseconds since the Unix epoch.
    pub fn now_ms(&self, cluster: &Cluster) -> u64 {
        let now_ms = self.clock.monotonic_ms();
        let mut measured = self.measured.lock().unwrap_or_else(PoisonError::into_inner);
        let age_ms = |measured: &Measured| now_ms.saturating_sub(measured.at_ms);
        if let Some(measured) = measured.filter(|measured| age_ms(measured) < MEASURED_EVERY_MS) {
            return measured.wall_ms + age_ms(&measured);
        }
        let offset_ms = median(offsets(&cluster.status()));
        let wall_ms = self.clock.wall_ms().saturating_add_signed(offset_ms);
        *measured = Some(Measured { wall_ms, at_ms: now_ms });
        wall_ms
    }
}

/// The members' clocks, as far as they were heard lately, less this one's; 0 for itself.
fn offsets(status: &ClusterStatus) -> Vec<i64> {
    let heard = status
        .replicas
        .iter()
        .filter(|one| one.last_contact_ms.is_some_and(|ago_ms| ago_ms < HEARD_MS_MAX));
    heard.map(|one| one.clock_offset_ms).collect()
}

/// The middle one; of an even number the earlier, so that no token comes from the future.
fn median(mut offsets_ms: Vec<i64>) -> i64 {
    offsets_ms.sort_unstable();
    let middle = offsets_ms.len().saturating_sub(1) / 2;
    offsets_ms.get(middle).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn one_wrong_clock_of_three_does_not_move_the_time() {
        let cases: [(&[i64], i64); 6] = [
            (&[], 0),
            (&[0], 0),
            (&[0, 500], 0),
            (&[0, 3_600_000, 12], 12),
            (&[0, -3_600_000, -12], -12),
            (&[0, 1, 2, 3, 4], 2),
        ];
        for (offsets_ms, expected) in cases {
            assert_eq!(median(offsets_ms.to_vec()), expected, "{offsets_ms:?}");
        }
    }
}

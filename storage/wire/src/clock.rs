//! Time, as a trait that a simulation can stand in for.

use std::time::{SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// Where the time comes from.
pub trait Clock: Send + Sync {
    /// Milliseconds since some fixed moment of this process; never goes back.
    fn monotonic_ms(&self) -> u64;

    /// Milliseconds since the Unix epoch; may jump whenever the machine's clock is set.
    fn wall_ms(&self) -> u64;
}

/// The machine's own clocks.
///
/// The monotonic one is tokio's, so it stands still where a test has paused the runtime's time.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// A clock whose monotonic time starts at 0 now.
    pub fn new() -> Self {
        Self { started: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn monotonic_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn wall_ms(&self) -> u64 {
        // A clock before 1970 reads as 0: certificates and tokens then fail with words of their
        // own.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Clock, SystemClock};

    #[tokio::test(start_paused = true)]
    async fn monotonic_time_follows_the_paused_runtime() {
        let clock = SystemClock::new();
        assert_eq!(clock.monotonic_ms(), 0);
        tokio::time::advance(Duration::from_millis(1500)).await;
        assert_eq!(clock.monotonic_ms(), 1500);
    }

    #[test]
    fn wall_time_is_after_this_was_written() {
        assert!(SystemClock::new().wall_ms() > 1_700_000_000_000);
    }
}

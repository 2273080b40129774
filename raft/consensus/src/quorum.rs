//! Whether a majority answers, and how long to wait for one.
//!
//! A leader without a majority stays leader and its writes hang, so neither says that the cluster
//! is gone. What says it is the time since a majority last confirmed anything to this replica: a
//! read round, a write, or the probe that asks for a round where nothing else does. Time in which
//! this process stood still (stopped, or its machine asleep) does not count: it heard nothing
//! because it did not listen.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::cluster::{Failure, Unavailable};

/// A call may try for so long although no majority has answered for longer than it would wait.
const LAST_TRY: Duration = Duration::from_millis(700);
/// How often a process that runs says so to itself.
const TICK: Duration = Duration::from_millis(200);
/// Without a tick for so long it stood still.
const STANDSTILL_MS: u64 = 1_000;
/// Nothing ticks yet.
const NO_TICK: u64 = u64::MAX;

/// Remembers when a majority last answered.
#[derive(Debug)]
pub(crate) struct Quorum {
    started: Instant,
    /// Milliseconds after `started`.
    answered_ms: AtomicU64,
    /// When this process was last seen to run, likewise.
    ticked_ms: AtomicU64,
    wait: Duration,
}

impl Quorum {
    /// A majority counts as there until it has been silent for `wait` from now on.
    pub(crate) fn new(wait: Duration) -> Arc<Self> {
        let (answered_ms, ticked_ms) = (AtomicU64::new(0), AtomicU64::new(NO_TICK));
        Arc::new(Self { started: Instant::now(), answered_ms, ticked_ms, wait })
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Notes that a majority has just answered.
    pub(crate) fn answered(&self) {
        self.answered_ms.fetch_max(self.now_ms(), Ordering::Relaxed);
    }

    /// Ticks for as long as the process runs.
    pub(crate) async fn tick_on(self: Arc<Self>) {
        loop {
            self.tick();
            tokio::time::sleep(TICK).await;
        }
    }

    fn tick(&self) {
        let now_ms = self.now_ms();
        let stood_ms = self.stood_still_ms(now_ms);
        if stood_ms > 0 {
            let later = |answered_ms: u64| Some((answered_ms + stood_ms).min(now_ms));
            let order = (Ordering::AcqRel, Ordering::Acquire);
            // It always has a later time to give.
            let _ = self.answered_ms.fetch_update(order.0, order.1, later);
        }
        // Last, so that nobody sees the tick without what it forgives.
        self.ticked_ms.store(now_ms, Ordering::Release);
    }

    /// For how long this process has just stood still, where the tick after it is still to come.
    fn stood_still_ms(&self, now_ms: u64) -> u64 {
        match self.ticked_ms.load(Ordering::Acquire) {
            NO_TICK => 0,
            ticked_ms => Some(now_ms.saturating_sub(ticked_ms))
                .filter(|gap_ms| *gap_ms > STANDSTILL_MS)
                .unwrap_or(0),
        }
    }

    /// When a majority last answered, after `started`, moved on by a standstill since.
    fn answered_after(&self) -> Duration {
        let now_ms = self.now_ms();
        let stood_ms = self.stood_still_ms(now_ms);
        let answered_ms = self.answered_ms.load(Ordering::Acquire);
        Duration::from_millis((answered_ms + stood_ms).min(now_ms))
    }

    /// For how long no majority has answered.
    pub(crate) fn silent(&self) -> Duration {
        self.started.elapsed().saturating_sub(self.answered_after())
    }

    /// The milliseconds of silence, once they are too many.
    pub(crate) fn judge(&self) -> Result<(), u64> {
        let silent = self.silent();
        if silent < self.wait {
            return Ok(());
        }
        Err(u64::try_from(silent.as_millis()).unwrap_or(u64::MAX))
    }

    /// Until when a call that `began` then may wait, as things stand: for its whole wait, but not
    /// longer than a lost majority is waited for, and always long enough for one try.
    pub(crate) fn until(&self, began: Instant) -> Instant {
        let lost = self.started + self.answered_after() + self.wait;
        lost.max(began + LAST_TRY).min(began + self.wait.max(LAST_TRY))
    }

    /// What to say when the wait is over.
    pub(crate) fn failure(&self) -> Failure {
        Failure::unavailable(match self.judge() {
            Ok(()) => Unavailable::NoLeader,
            Err(_) => Unavailable::NoMajority,
        })
    }

    /// Runs `work` until it ends or the wait for a majority is over.
    pub(crate) async fn within<T>(&self, work: impl Future<Output = T>) -> Result<T, Failure> {
        let began = Instant::now();
        let mut work = std::pin::pin!(work);
        loop {
            let until = self.until(began);
            if let Ok(done) = tokio::time::timeout_at(until, &mut work).await {
                return Ok(done);
            }
            // A majority that has answered meanwhile gives more time.
            if self.until(began) <= until {
                return Err(self.failure());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAIT: Duration = Duration::from_secs(10);

    async fn ends_after(quorum: &Quorum) -> Duration {
        let began = Instant::now();
        assert!(quorum.within(std::future::pending::<()>()).await.is_err());
        began.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_waits_as_long_as_a_majority_may_come_back() {
        // (silence before the call in s, how long the call waits in ms)
        for (silent_s, waits_ms) in [(0, 10_000), (4, 6000), (9, 1000), (10, 700), (3600, 700)] {
            let quorum = Quorum::new(WAIT);
            tokio::time::advance(Duration::from_secs(silent_s)).await;
            let waited = ends_after(&quorum).await.as_millis();
            assert!(waited.abs_diff(waits_ms) <= 2, "{silent_s} s: {waited}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_majority_that_answers_meanwhile_gives_a_call_its_whole_wait() {
        let quorum = Quorum::new(WAIT);
        tokio::time::advance(Duration::from_secs(8)).await;
        let other = quorum.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            other.answered();
        });
        let waited = ends_after(&quorum).await.as_secs();
        assert!((9..=10).contains(&waited), "{waited}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_standstill_is_no_silence() {
        let quorum = Quorum::new(WAIT);
        quorum.tick();
        quorum.answered();
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert_eq!(quorum.judge(), Ok(()), "before the first tick after it");
        quorum.tick();
        assert_eq!(quorum.judge(), Ok(()), "after it");
        assert!(quorum.silent() < Duration::from_millis(STANDSTILL_MS), "{:?}", quorum.silent());
        // Whoever runs and hears nothing is cut off.
        for _ in 0..60 {
            tokio::time::advance(TICK).await;
            quorum.tick();
        }
        assert!(quorum.judge().is_err(), "{:?}", quorum.silent());
    }

    #[tokio::test(start_paused = true)]
    async fn the_failure_names_what_is_missing() {
        let quorum = Quorum::new(WAIT);
        let reason = |quorum: &Quorum| match quorum.failure() {
            Failure::Unavailable { reason, .. } => reason,
            other => panic!("{other}"),
        };
        assert_eq!(reason(&quorum), Unavailable::NoLeader);
        tokio::time::advance(WAIT).await;
        assert_eq!(reason(&quorum), Unavailable::NoMajority);
        quorum.answered();
        assert_eq!(quorum.judge(), Ok(()));
    }
}

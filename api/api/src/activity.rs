//! What a connection is doing, and since when.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::time::Instant;

/// A request's head has to be there this long after its first byte; the first one this long after
/// the connection was made.
const HEAD_MAX: Duration = Duration::from_secs(10);
/// A connection without a request for this long is closed.
const IDLE_MAX: Duration = Duration::from_mins(2);
/// Looked at again after this long at the latest.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// What a connection is doing.
#[derive(Debug)]
pub struct Activity {
    state: Mutex<State>,
    /// HTTP/2 sends bytes of its own between requests: only idle time counts there.
    has_frames: bool,
}

#[derive(Clone, Copy, Debug)]
struct State {
    in_flight: usize,
    served_any: bool,
    /// When the last request ended, or the connection began.
    idle_since: Instant,
    /// When the first byte came after that.
    head_since: Option<Instant>,
}

impl Activity {
    /// A connection that begins now.
    pub fn new(has_frames: bool) -> Self {
        let idle_since = Instant::now();
        let state = State { in_flight: 0, served_any: false, idle_since, head_since: None };
        Self { state: Mutex::new(state), has_frames }
    }

    /// Bytes came in.
    pub fn read(&self) {
        self.change(|state| {
            if state.in_flight == 0 && state.head_since.is_none() {
                state.head_since = Some(Instant::now());
            }
        });
    }

    /// A request's head is complete.
    pub fn begin(&self) {
        self.change(|state| {
            state.in_flight += 1;
            state.served_any = true;
            state.head_since = None;
        });
    }

    /// The last byte of an answer was handed over, or the request was given up.
    pub fn end(&self) {
        self.change(|state| {
            state.in_flight = state.in_flight.saturating_sub(1);
            state.idle_since = Instant::now();
            state.head_since = None;
        });
    }

    /// How long to wait before looking again; `None` where the connection's time is over.
    pub fn time_left(&self) -> Option<Duration> {
        let state = *self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.in_flight > 0 {
            return Some(LOOK_AGAIN);
        }
        let idle_max = if state.served_any { IDLE_MAX } else { HEAD_MAX };
        let idle_until = state.idle_since + idle_max;
        let head_until = state.head_since.filter(|_| !self.has_frames).map(|at| at + HEAD_MAX);
        let until = head_until.map_or(idle_until, |head_until| head_until.min(idle_until));
        let left = until.saturating_duration_since(Instant::now());
        (!left.is_zero()).then(|| left.min(LOOK_AGAIN))
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::advance;

    use super::Activity;

    #[tokio::test(start_paused = true)]
    async fn a_first_request_has_ten_seconds() {
        let activity = Activity::new(false);
        advance(Duration::from_secs(9)).await;
        assert!(activity.time_left().is_some());
        advance(Duration::from_secs(2)).await;
        assert_eq!(activity.time_left(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_trickles_in_is_cut_and_an_idle_connection_later() {
        let activity = Activity::new(false);
        activity.begin();
        advance(Duration::from_secs(500)).await;
        assert!(activity.time_left().is_some(), "a body may take any time");
        activity.end();
        advance(Duration::from_secs(119)).await;
        assert!(activity.time_left().is_some(), "idle");
        activity.end();
        advance(Duration::from_secs(30)).await;
        activity.read();
        advance(Duration::from_secs(6)).await;
        activity.read();
        assert!(activity.time_left().is_some());
        advance(Duration::from_secs(5)).await;
        assert_eq!(activity.time_left(), None, "eleven seconds after the first byte");
    }

    #[tokio::test(start_paused = true)]
    async fn frames_between_requests_are_no_head() {
        let activity = Activity::new(true);
        activity.begin();
        activity.end();
        activity.read();
        advance(Duration::from_secs(100)).await;
        assert!(activity.time_left().is_some());
        advance(Duration::from_secs(21)).await;
        assert_eq!(activity.time_left(), None);
    }
}

//! What a connection is doing, and until when it may.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::bounds::Bounds;

/// While requests are under way, other tasks may change what is known here: it is looked at again
/// after this long.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// An answer of which nothing was taken for so many times the bound ends its connection, whatever
/// else is under way on it.
const ONE_ANSWER_FACTOR: u32 = 10;
/// Smaller writes are signs of life of HTTP/2, not answers.
const WRITE_BYTES_MIN: usize = 64;

/// What a connection is doing.
#[derive(Debug)]
pub struct Activity {
    state: Mutex<State>,
    /// HTTP/2 sends bytes of its own between requests: only idle time counts there.
    has_frames: bool,
    bounds: Bounds,
}

#[derive(Debug)]
struct State {
    in_flight: usize,
    served_any: bool,
    /// Bytes wait to be written.
    is_stalled: bool,
    /// When the last request ended, or the connection began.
    idle_since: Instant,
    /// When the first byte came after that.
    head_since: Option<Instant>,
    /// Answers whose head is ready and whose body is not sent.
    answers: Vec<Answer>,
    next_id: u64,
}

#[derive(Debug)]
struct Answer {
    id: u64,
    /// When some of it was taken last.
    moved_at: Instant,
    /// Waits for bytes of ours, not for the client.
    is_fetching: bool,
}

impl Activity {
    /// A connection that begins now, or goes on with its next request.
    pub fn new(has_frames: bool, bounds: Bounds) -> Self {
        let state = State {
            in_flight: 0,
            served_any: false,
            is_stalled: false,
            idle_since: Instant::now(),
            head_since: None,
            answers: Vec::new(),
            next_id: 0,
        };
        Self { state: Mutex::new(state), has_frames, bounds }
    }

    /// Bytes came in.
    pub fn read(&self) {
        let mut state = self.lock();
        if state.in_flight == 0 && state.head_since.is_none() {
            state.head_since = Some(Instant::now());
        }
    }

    /// So many bytes of an answer, or of signs of life, went out.
    pub fn wrote(&self, bytes: usize) {
        let mut state = self.lock();
        if state.in_flight == 0 && bytes >= WRITE_BYTES_MIN {
            state.idle_since = Instant::now();
        }
        if !self.has_frames && bytes > 0 {
            // Of a large piece the client may take a little at a time.
            for answer in &mut state.answers {
                answer.moved_at = Instant::now();
            }
        }
    }

    /// Bytes wait to be taken by the client, or no more.
    pub fn stalls(&self, is_stalled: bool) {
        self.lock().is_stalled = is_stalled;
    }

    /// A request's head is complete.
    pub fn begin(&self) {
        let mut state = self.lock();
        state.in_flight += 1;
        state.served_any = true;
        state.head_since = None;
    }

    /// The last byte of an answer was handed over, or the request was given up.
    pub fn end(&self) {
        let mut state = self.lock();
        state.in_flight = state.in_flight.saturating_sub(1);
        state.idle_since = Instant::now();
        state.head_since = None;
    }

    /// The body of an answer is ready to be sent; the id is for what comes of it.
    pub fn answer(&self) -> u64 {
        let mut state = self.lock();
        let id = state.next_id;
        state.next_id += 1;
        state.answers.push(Answer { id, moved_at: Instant::now(), is_fetching: false });
        id
    }

    /// The client has room for more of an answer: there was a piece, or it has to be fetched first.
    pub fn answer_wanted(&self, id: u64, is_fetching: bool) {
        if let Some(answer) = self.lock().answers.iter_mut().find(|answer| answer.id == id) {
            answer.moved_at = Instant::now();
            answer.is_fetching = is_fetching;
        }
    }

    /// Whether answers go out in frames, those of several requests in turn.
    pub fn has_frames(&self) -> bool {
        self.has_frames
    }

    /// An answer is sent, or nobody wants it.
    pub fn answer_ended(&self, id: u64) {
        self.lock().answers.retain(|answer| answer.id != id);
    }

    /// Since when no request has been under way, all bytes have been written and none of the next
    /// one has come, once there was one.
    pub fn quiet_since(&self) -> Option<Instant> {
        let state = self.lock();
        let is_busy = state.in_flight > 0 || state.head_since.is_some() || state.is_stalled;
        (state.served_any && !is_busy).then_some(state.idle_since)
    }

    /// When to look again; `None` where the connection's time is over.
    pub fn deadline(&self) -> Option<Instant> {
        let (state, now) = (self.lock(), Instant::now());
        let until = if state.in_flight > 0 {
            state.answers_until(self.bounds.stall_max).map_or(now + LOOK_AGAIN, |until| {
                if until > now { until.min(now + LOOK_AGAIN) } else { until }
            })
        } else {
            let idle_max =
                if state.served_any { self.bounds.idle_max } else { self.bounds.head_max };
            let head_since = state.head_since.filter(|_| !self.has_frames);
            let idle_until = state.idle_since + idle_max;
            head_since.map_or(idle_until, |at| idle_until.min(at + self.bounds.head_max))
        };
        (until > now).then_some(until)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Until when the client has to take something of its answers; `None` where the next step is
    /// ours.
    fn answers_until(&self, stall_max: Duration) -> Option<Instant> {
        let waiting = || self.answers.iter().filter(|answer| !answer.is_fetching);
        let moved_at = || waiting().map(|answer| answer.moved_at);
        let one_until = moved_at().min()? + stall_max * ONE_ANSWER_FACTOR;
        let all_wait = waiting().count() == self.in_flight;
        let all_until = moved_at().max().filter(|_| all_wait).map(|at| at + stall_max);
        Some(all_until.map_or(one_until, |until| until.min(one_until)))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::advance;

    use super::Activity;
    use crate::bounds::Bounds;

    fn activity(has_frames: bool) -> Activity {
        Activity::new(has_frames, Bounds::default())
    }

    async fn seconds(count: u64) {
        advance(Duration::from_secs(count)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_first_request_has_ten_seconds() {
        let activity = activity(false);
        seconds(9).await;
        assert!(activity.deadline().is_some());
        seconds(2).await;
        assert_eq!(activity.deadline(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_trickles_in_is_cut_and_an_idle_connection_later() {
        let activity = activity(false);
        activity.begin();
        seconds(500).await;
        assert!(activity.deadline().is_some(), "a body may take any time");
        activity.end();
        seconds(119).await;
        assert!(activity.deadline().is_some(), "idle");
        activity.end();
        seconds(30).await;
        activity.read();
        seconds(6).await;
        activity.read();
        assert!(activity.deadline().is_some());
        seconds(5).await;
        assert_eq!(activity.deadline(), None, "eleven seconds after the first byte");
    }

    #[tokio::test(start_paused = true)]
    async fn frames_between_requests_are_no_head() {
        let activity = activity(true);
        activity.begin();
        activity.end();
        activity.read();
        seconds(100).await;
        activity.wrote(17);
        assert!(activity.deadline().is_some());
        seconds(21).await;
        assert_eq!(activity.deadline(), None, "signs of life keep nothing open");
    }

    #[tokio::test(start_paused = true)]
    async fn a_piece_of_an_answer_may_be_taken_a_little_at_a_time() {
        let stall_max = Bounds::default().stall_max.as_secs();
        let activity = activity(false);
        activity.begin();
        let id = activity.answer();
        activity.answer_wanted(id, false);
        for _ in 0..10 {
            seconds(stall_max - 1).await;
            activity.wrote(1);
            assert!(activity.deadline().is_some());
        }
        seconds(stall_max + 1).await;
        assert_eq!(activity.deadline(), None, "nothing was taken");
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_on_its_way_after_its_request_is_no_idle_time() {
        let activity = activity(true);
        activity.begin();
        activity.end();
        seconds(100).await;
        activity.wrote(16_000);
        seconds(100).await;
        assert!(activity.deadline().is_some());
        seconds(21).await;
        assert_eq!(activity.deadline(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_nobody_takes_ends_the_connection() {
        let activity = activity(true);
        activity.begin();
        let id = activity.answer();
        seconds(59).await;
        activity.answer_wanted(id, false);
        seconds(59).await;
        assert!(activity.deadline().is_some());
        seconds(2).await;
        assert_eq!(activity.deadline(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn while_bytes_are_fetched_the_client_is_not_to_blame() {
        let activity = activity(true);
        activity.begin();
        let id = activity.answer();
        activity.answer_wanted(id, true);
        seconds(500).await;
        assert!(activity.deadline().is_some());
        activity.answer_wanted(id, false);
        seconds(61).await;
        assert_eq!(activity.deadline(), None);
        activity.answer_ended(id);
        activity.end();
        assert!(activity.deadline().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn one_answer_left_lying_beside_others_ends_the_connection_later() {
        let activity = activity(true);
        activity.begin();
        activity.answer();
        activity.begin();
        seconds(599).await;
        assert!(activity.deadline().is_some(), "the second request is being worked on");
        seconds(2).await;
        assert_eq!(activity.deadline(), None);
    }
}

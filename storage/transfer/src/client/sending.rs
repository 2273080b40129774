//! Watching over a request's body: who stands still, the peer or the source?

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::time::Instant;

use crate::body::BoxBody;

/// What is known of a body on its way. Dropping it stops the body.
pub(super) struct Watch {
    state: Arc<Mutex<State>>,
}

struct State {
    /// When the peer's turn began; `None` while the source is waited for.
    peers_turn_since: Option<Instant>,
    source_failure: Option<String>,
    over: bool,
    waker: Option<Waker>,
}

impl Default for Watch {
    fn default() -> Self {
        let state = State {
            peers_turn_since: Some(Instant::now()),
            source_failure: None,
            over: false,
            waker: None,
        };
        Self { state: Arc::new(Mutex::new(state)) }
    }
}

impl Watch {
    /// What the source of the body said, if it failed.
    pub(super) fn source_failure(&self) -> Option<String> {
        locked(&self.state).source_failure.clone()
    }

    /// Returns once the peer has neither taken bytes nor answered for `idle_max`.
    pub(super) async fn stalled(&self, idle_max: Duration) {
        loop {
            let since = locked(&self.state).peers_turn_since;
            match since {
                Some(since) if since.elapsed() >= idle_max => return,
                Some(since) => tokio::time::sleep_until(since + idle_max).await,
                None => tokio::time::sleep(idle_max).await,
            }
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut state = locked(&self.state);
        state.over = true;
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
    }
}

/// A body whose progress a [`Watch`] sees.
pub(super) struct Sending {
    inner: BoxBody,
    state: Arc<Mutex<State>>,
}

impl Sending {
    pub(super) fn watched(inner: BoxBody, watch: &Watch) -> BoxBody {
        Self { inner, state: Arc::clone(&watch.state) }.boxed_unsync()
    }
}

impl Body for Sending {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(cx);
        let mut state = locked(&self.state);
        if state.over && !matches!(polled, Poll::Ready(None)) {
            return Poll::Ready(Some(Err(io::Error::other("the request is over"))));
        }
        match &polled {
            Poll::Pending => {
                state.peers_turn_since = None;
                state.waker = Some(cx.waker().clone());
            }
            Poll::Ready(frame) => {
                state.peers_turn_since = Some(Instant::now());
                if let Some(Err(error)) = frame {
                    state.source_failure = Some(error.to_string());
                }
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

//! Watching over a request's body: who stands still, the peer or the source?

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Empty};
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
    waker: Option<Waker>,
    /// What is left to send. It stands here so that it goes with the request: a connection whose
    /// peer takes nothing asks its body for nothing, and would keep what waits in it.
    body: Option<BoxBody>,
}

impl Default for Watch {
    fn default() -> Self {
        let state = State {
            peers_turn_since: Some(Instant::now()),
            source_failure: None,
            waker: None,
            body: None,
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
        // An end that nobody has asked for yet is an end all the same.
        let ended = state.body.as_mut().is_some_and(|body| {
            let mut now = Context::from_waker(Waker::noop());
            matches!(Pin::new(body).poll_frame(&mut now), Poll::Ready(None))
        });
        state.body = ended.then(spent);
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
    }
}

/// A body whose progress a [`Watch`] sees.
pub(super) struct Sending {
    state: Arc<Mutex<State>>,
}

impl Sending {
    pub(super) fn watched(inner: BoxBody, watch: &Watch) -> BoxBody {
        locked(&watch.state).body = Some(inner);
        Self { state: Arc::clone(&watch.state) }.boxed_unsync()
    }
}

impl Body for Sending {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let mut state = locked(&self.state);
        let Some(body) = &mut state.body else {
            return Poll::Ready(Some(Err(io::Error::other("the request is over"))));
        };
        let polled = Pin::new(body).poll_frame(cx);
        match &polled {
            Poll::Pending => {
                state.peers_turn_since = None;
                state.waker = Some(cx.waker().clone());
            }
            Poll::Ready(frame) => {
                state.peers_turn_since = Some(Instant::now());
                match frame {
                    Some(Err(error)) => state.source_failure = Some(error.to_string()),
                    Some(Ok(_)) => {}
                    // Asked for again, here or by the watch, a stream may panic after its end.
                    None => state.body = Some(spent()),
                }
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        locked(&self.state).body.as_ref().is_some_and(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        locked(&self.state).body.as_ref().map_or_else(SizeHint::default, Body::size_hint)
    }
}

/// What stands in for a body that was sent to its end.
fn spent() -> BoxBody {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_watch_may_end_after_its_body_did() {
        let pieces = futures::stream::unfold(Some(Bytes::from_static(b"all")), |piece| async {
            piece.map(|piece| (io::Result::Ok(Frame::data(piece)), None))
        });
        let watch = Watch::default();
        let body = http_body_util::StreamBody::new(pieces).boxed_unsync();
        let mut sending = Sending::watched(body, &watch);
        assert!(matches!(sending.frame().await, Some(Ok(_))));
        assert!(sending.frame().await.is_none());
        drop(watch);
        assert!(sending.frame().await.is_none(), "an ended body stays ended");
    }
}

//! The two bodies of a request under way: both keep its connection busy until they end.
//!
//! A client that is refused in the middle of its body sees "broken pipe" instead of the reason when
//! the connection closes on it. So what is left of a body that was not read to its end is read by a
//! task of its own for a short while (registry-protocol H19). A body nobody has begun to read is
//! left alone where the client waits for "100 Continue": the first read is what asks it to send.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;

use crate::activity::Activity;
use crate::inflow::Inflow;

/// What is read of a refused body: more than the largest manifest, so that a client which sends all
/// of a manifest before it looks for an answer still sees the reason.
const DRAINED_BYTES_MAX: usize = 8 * 1024 * 1024;
/// For how long it is read.
const DRAINED_FOR: Duration = Duration::from_secs(2);

/// What HTTP/2 is given of an answer at once: by what it takes is judged whether the client takes
/// anything, and it may hold several of them ready.
const FRAMED_BYTES_MAX: usize = 128 * 1024;

/// One request under way on a connection.
pub struct UnderWay(Arc<Activity>);

impl UnderWay {
    /// A request begins.
    pub fn begin(activity: &Arc<Activity>) -> Self {
        activity.begin();
        Self(Arc::clone(activity))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// The body of an answer.
pub struct AnswerBody {
    body: Body,
    /// Of the piece that is given out in parts; never empty.
    rest: Option<Bytes>,
    id: u64,
    under_way: UnderWay,
}

impl AnswerBody {
    /// The request ends when the body is dropped.
    pub fn new(body: Body, under_way: UnderWay) -> Self {
        let id = under_way.0.answer();
        Self { body, rest: None, id, under_way }
    }
}

impl AnswerBody {
    /// What of a piece is given out now; the rest is kept.
    fn part_of(&mut self, mut piece: Bytes) -> Bytes {
        let part = piece.split_to(piece.len().min(FRAMED_BYTES_MAX));
        self.rest = Some(piece).filter(|rest| !rest.is_empty());
        part
    }
}

impl HttpBody for AnswerBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if let Some(rest) = self.rest.take() {
            self.under_way.0.answer_wanted(self.id, false);
            return Poll::Ready(Some(Ok(Frame::data(self.part_of(rest)))));
        }
        let polled = Pin::new(&mut self.body).poll_frame(task);
        self.under_way.0.answer_wanted(self.id, polled.is_pending());
        polled.map_ok(|frame| match frame.into_data() {
            Ok(piece) if self.under_way.0.has_frames() => Frame::data(self.part_of(piece)),
            Ok(piece) => Frame::data(piece),
            Err(other) => other,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = self.body.size_hint();
        let rest = self.rest.as_ref().map_or(0, Bytes::len) as u64;
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper + rest);
        }
        hint.set_lower(hint.lower() + rest);
        hint
    }
}

impl Drop for AnswerBody {
    fn drop(&mut self) {
        self.under_way.0.answer_ended(self.id);
    }
}

/// The body of a request.
pub struct RequestBytes {
    /// Taken when it has ended, or is read on by a task of its own.
    open: Option<Open>,
    expects_continue: bool,
    is_read: bool,
}

struct Open {
    incoming: Incoming,
    inflow: Option<Arc<Inflow>>,
    _under_way: UnderWay,
}

impl RequestBytes {
    /// Nothing is read yet. What is read is taken off `inflow`, where it was counted.
    pub fn new(
        incoming: Incoming,
        expects_continue: bool,
        inflow: Option<Arc<Inflow>>,
        under_way: UnderWay,
    ) -> Self {
        if incoming.is_end_stream() {
            return Self { open: None, expects_continue, is_read: true };
        }
        if let Some(inflow) = &inflow {
            inflow.body_begins();
        }
        let open = Open { incoming, inflow, _under_way: under_way };
        Self { open: Some(open), expects_continue, is_read: false }
    }
}

impl Open {
    fn poll(&mut self, task: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.incoming).poll_frame(task);
        if let (Some(inflow), Poll::Ready(Some(Ok(frame)))) = (&self.inflow, &polled) {
            inflow.consumed(frame.data_ref().map_or(0, Bytes::len));
        }
        polled
    }

    async fn drain(mut self) {
        let mut read = 0;
        while read <= DRAINED_BYTES_MAX {
            let next = std::future::poll_fn(|task| self.poll(task)).await;
            let Some(Ok(frame)) = next else { return };
            read += frame.data_ref().map_or(0, Bytes::len);
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if let Some(inflow) = &self.inflow {
            inflow.body_ends();
        }
    }
}

impl HttpBody for RequestBytes {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        self.is_read = true;
        let Some(open) = &mut self.open else { return Poll::Ready(None) };
        let polled = open.poll(task);
        if matches!(polled, Poll::Ready(None | Some(Err(_)))) {
            self.open = None;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.open.as_ref().is_none_or(|open| open.incoming.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.open.as_ref().map_or(SizeHint::with_exact(0), |open| open.incoming.size_hint())
    }
}

impl Drop for RequestBytes {
    fn drop(&mut self) {
        let is_untouched = self.expects_continue && !self.is_read;
        let Some(open) = self.open.take() else { return };
        if open.incoming.is_end_stream() || is_untouched {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(tokio::time::timeout(DRAINED_FOR, open.drain()));
        }
    }
}

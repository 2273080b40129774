//! A body that is counted while it is sent.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use axum::body::Body;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

use crate::context::Context;

/// An answer's body; the request is under way until it is dropped.
pub struct CountedBody {
    body: Body,
    context: Arc<Context>,
}

impl CountedBody {
    /// Counts `body` among what is under way.
    pub fn new(body: Body, context: Arc<Context>) -> Self {
        context.traffic.under_way(1);
        Self { body, context }
    }
}

impl Drop for CountedBody {
    fn drop(&mut self) {
        self.context.traffic.under_way(-1);
        if !self.body.is_end_stream() {
            // Normal for clients that fetch a blob in parts and close early.
            tracing::debug!("the client closed before the answer's end");
        }
    }
}

impl HttpBody for CountedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        task: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(task);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            self.context.traffic.sent(frame.data_ref().map_or(0, Bytes::len));
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

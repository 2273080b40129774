//! The body of a request: bounded in idle time, and counted.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt};
use http_body::Body as HttpBody;
use tokio::time::{Instant, Sleep};

use crate::context::Context;
use crate::problem::Problem;

/// A request's body as a stream of its bytes.
pub struct RequestBody {
    /// Never locked: the mutex lets handlers share a reference to a call between threads, which a
    /// bare body forbids.
    body: Option<Mutex<Body>>,
    context: Arc<Context>,
    idle_max: Duration,
    idle: Pin<Box<Sleep>>,
    is_read: bool,
}

impl RequestBody {
    /// Nothing is read yet.
    pub fn new(body: Body, context: Arc<Context>) -> Self {
        let idle_max = context.limits.body_idle_max;
        let idle = Box::pin(tokio::time::sleep(idle_max));
        Self { body: Some(Mutex::new(body)), context, idle_max, idle, is_read: false }
    }

    /// All of it, where it has at most `bytes_max` bytes; `None` where it has more.
    ///
    /// # Errors
    ///
    /// [`Problem::BodyBroken`] where it breaks off.
    pub async fn read_all(mut self, bytes_max: usize) -> Result<Option<Bytes>, Problem> {
        let mut all = BytesMut::new();
        while let Some(piece) = self.next().await {
            let piece = piece.map_err(|error| Problem::BodyBroken { cause: error.to_string() })?;
            if all.len() + piece.len() > bytes_max {
                return Ok(None);
            }
            all.extend_from_slice(&piece);
        }
        Ok(Some(all.freeze()))
    }
}

impl Stream for RequestBody {
    type Item = io::Result<Bytes>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        task: &mut TaskContext<'_>,
    ) -> Poll<Option<io::Result<Bytes>>> {
        let this = &mut *self;
        if !this.is_read {
            this.is_read = true;
            this.idle.as_mut().reset(Instant::now() + this.idle_max);
        }
        loop {
            let Some(body) = &mut this.body else { return Poll::Ready(None) };
            let body = body.get_mut().unwrap_or_else(PoisonError::into_inner);
            match Pin::new(body).poll_frame(task) {
                Poll::Ready(Some(Ok(frame))) => {
                    this.idle.as_mut().reset(Instant::now() + this.idle_max);
                    let Ok(bytes) = frame.into_data() else { continue };
                    this.context.traffic.received(bytes.len());
                    return Poll::Ready(Some(Ok(bytes)));
                }
                Poll::Ready(Some(Err(error))) => {
                    this.body = None;
                    return Poll::Ready(Some(Err(io::Error::other(error))));
                }
                Poll::Ready(None) => {
                    this.body = None;
                    return Poll::Ready(None);
                }
                Poll::Pending => break,
            }
        }
        if this.idle.as_mut().poll(task).is_ready() {
            this.body = None;
            let idle = format!("no byte of the body came for {} s", this.idle_max.as_secs());
            return Poll::Ready(Some(Err(io::Error::new(io::ErrorKind::TimedOut, idle))));
        }
        Poll::Pending
    }
}

//! A connection's bytes, watched: what comes in is counted, and a client that takes nothing is
//! given up.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;
use wire::stream::BoxStream;

use crate::activity::Activity;
use crate::inflow::{Intake, READ_BYTES_MAX};

/// A connection's bytes.
pub struct WatchedStream {
    stream: BoxStream,
    /// What was read of it before: comes first.
    early: Vec<u8>,
    activity: Arc<Activity>,
    /// Where frames are counted: on HTTP/2.
    intake: Option<Intake>,
    /// A write that waits for longer fails.
    stall_max: Duration,
    stalled: Option<Pin<Box<Sleep>>>,
}

impl WatchedStream {
    /// Notes what comes in with `activity`, and with `intake` where that is counted.
    pub fn new(
        stream: BoxStream,
        early: Vec<u8>,
        activity: Arc<Activity>,
        intake: Option<Intake>,
        stall_max: Duration,
    ) -> Self {
        Self { stream, early, activity, intake, stall_max, stalled: None }
    }

    /// The bare bytes again; `None` where some wait to be read or written.
    pub fn into_stream(self) -> Option<BoxStream> {
        (self.early.is_empty() && self.stalled.is_none()).then_some(self.stream)
    }

    fn poll_bytes(
        &mut self,
        task: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.early.is_empty() {
            return Pin::new(&mut self.stream).poll_read(task, into);
        }
        let length = self.early.len().min(into.remaining());
        into.put_slice(&self.early[..length]);
        self.early.drain(..length);
        if self.early.is_empty() {
            self.early = Vec::new();
        }
        Poll::Ready(Ok(()))
    }

    fn watch<T>(
        &mut self,
        polled: Poll<io::Result<T>>,
        task: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            if self.stalled.take().is_some() {
                self.activity.stalls(false);
            }
            return polled;
        }
        if self.stalled.is_none() {
            self.activity.stalls(true);
        }
        let stall_max = self.stall_max;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(stall_max)));
        if stalled.as_mut().poll(task).is_ready() {
            let text = "the client takes no bytes";
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, text)));
        }
        Poll::Pending
    }

    fn watch_write(
        &mut self,
        polled: Poll<io::Result<usize>>,
        task: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(bytes)) = &polled {
            self.activity.wrote(*bytes);
        }
        self.watch(polled, task)
    }
}

impl AsyncRead for WatchedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = into.filled().len();
        if let Some(intake) = &mut this.intake {
            ready!(intake.poll_room(task));
        }
        if this.intake.is_some() && into.remaining() > READ_BYTES_MAX {
            let mut part = ReadBuf::new(into.initialize_unfilled_to(READ_BYTES_MAX));
            ready!(this.poll_bytes(task, &mut part))?;
            let came = part.filled().len();
            into.advance(came);
        } else {
            ready!(this.poll_bytes(task, into))?;
        }
        let came = &into.filled()[before..];
        if !came.is_empty() {
            this.activity.read();
            if let Some(intake) = &mut this.intake {
                intake.came(came)?;
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for WatchedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(task, bytes);
        self.watch_write(polled, task)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(task, pieces);
        self.watch_write(polled, task)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_flush(task);
        self.watch(polled, task)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_shutdown(task);
        self.watch(polled, task)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::WatchedStream;
    use crate::activity::Activity;
    use crate::bounds::Bounds;

    fn watched(stream: tokio::io::DuplexStream, early: &[u8]) -> WatchedStream {
        let bounds = Bounds::default();
        let activity = Arc::new(Activity::new(false, bounds));
        WatchedStream::new(Box::new(stream), early.to_vec(), activity, None, bounds.stall_max)
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_is_given_up() {
        let (ours, mut theirs) = tokio::io::duplex(8);
        let mut ours = watched(ours, b"");
        ours.write_all(b"12345678").await.unwrap();
        let error = ours.write_all(b"9").await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
        let mut read = [0; 8];
        theirs.read_exact(&mut read).await.unwrap();
        ours.write_all(b"9").await.unwrap();
    }

    #[tokio::test]
    async fn what_was_read_early_comes_first() {
        let (ours, mut theirs) = tokio::io::duplex(64);
        theirs.write_all(b"last").await.unwrap();
        drop(theirs);
        let mut ours = watched(ours, b"first, ");
        let mut three = [0; 3];
        ours.read_exact(&mut three).await.unwrap();
        let mut rest = String::new();
        ours.read_to_string(&mut rest).await.unwrap();
        assert_eq!((&three, rest.as_str()), (b"fir", "st, last"));
    }
}

//! Bodies of requests and answers, and the guard against those that stand still.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt};
use http_body::{Body, Frame};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use tokio::sync::oneshot;
use tokio::time::{Instant, Sleep};

/// So much of a body that nobody wants is read and thrown away …
const DRAINED_BYTES_MAX: usize = 16 * 1024 * 1024;
/// … for so long at most.
const DRAINED_FOR_MAX: Duration = Duration::from_secs(2);

/// Bytes as they come. An error says that the rest will not come.
pub type ByteStream = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

/// A body of any kind.
pub type BoxBody = UnsyncBoxBody<Bytes, io::Error>;

/// A stream of nothing.
pub fn no_bytes() -> ByteStream {
    Box::pin(futures::stream::empty())
}

/// A stream of bytes that are there already.
pub fn whole(bytes: Bytes) -> ByteStream {
    Box::pin(futures::stream::once(async move { Ok(bytes) }))
}

/// A body without bytes.
pub(crate) fn empty() -> BoxBody {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

/// A body of bytes that are there already.
pub(crate) fn full(bytes: Bytes) -> BoxBody {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

/// A body of bytes as they come.
pub(crate) fn streamed(bytes: impl Stream<Item = io::Result<Bytes>> + Send + 'static) -> BoxBody {
    StreamBody::new(bytes.map_ok(Frame::data)).boxed_unsync()
}

/// The bytes of `body` as they come; an error where none comes for `idle_max` although they are
/// awaited.
pub(crate) fn bytes_of<B>(body: B, idle_max: Duration) -> ByteStream
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let data = http_body_util::BodyDataStream::new(body)
        .map(|piece| piece.map_err(|error| io::Error::new(io::ErrorKind::UnexpectedEof, error)));
    Box::pin(IdleGuard { inner: Box::pin(data), idle_max, alarm: None })
}

/// Resolves when the body has ended, or whoever read it has dropped it.
pub(crate) type Ended = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The bytes of a request's body. Where they are dropped before their end, the rest is read and
/// thrown away for a moment: a peer that is still sending would otherwise see its connection break,
/// and not the answer that says why.
pub(crate) fn lingering<B>(body: B, idle_max: Duration) -> (ByteStream, Ended)
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (tell, told) = oneshot::channel();
    let bytes = Lingering { inner: Some(bytes_of(body, idle_max)), ended: Some(tell) };
    let ended = async move {
        // An error says that the other half was dropped: that is an end as well.
        let _ = told.await;
    };
    (Box::pin(bytes), Box::pin(ended))
}

struct Lingering {
    /// `None` once it has ended.
    inner: Option<ByteStream>,
    ended: Option<oneshot::Sender<()>>,
}

impl Stream for Lingering {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(inner) = self.inner.as_mut() else { return Poll::Ready(None) };
        let polled = inner.as_mut().poll_next(cx);
        if matches!(polled, Poll::Ready(None | Some(Err(_)))) {
            self.inner = None;
            self.ended = None;
        }
        polled
    }
}

impl Drop for Lingering {
    fn drop(&mut self) {
        let Some(mut rest) = self.inner.take() else { return };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            let drain = async {
                let mut left = DRAINED_BYTES_MAX;
                while let Some(Ok(piece)) = rest.next().await {
                    let Some(now_left) = left.checked_sub(piece.len()) else { return };
                    left = now_left;
                }
            };
            // Whichever comes first; the connection is closed after that.
            let _ = tokio::time::timeout(DRAINED_FOR_MAX, drain).await;
        });
    }
}

/// Ends a stream that is waited for and does not move. Time in which nobody waits does not count.
struct IdleGuard {
    inner: ByteStream,
    idle_max: Duration,
    alarm: Option<Pin<Box<Sleep>>>,
}

impl Stream for IdleGuard {
    type Item = io::Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let guard = self.get_mut();
        if let Poll::Ready(item) = guard.inner.as_mut().poll_next(cx) {
            guard.alarm = None;
            return Poll::Ready(item);
        }
        let idle_max = guard.idle_max;
        let alarm = guard
            .alarm
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(Instant::now() + idle_max)));
        alarm.as_mut().poll(cx).map(|()| {
            Some(Err(io::Error::new(
                io::ErrorKind::TimedOut,
                format!("no byte for {} s", idle_max.as_secs()),
            )))
        })
    }
}

/// Gathers a body of at most `max_bytes`.
pub(crate) async fn gathered(mut bytes: ByteStream, max_bytes: usize) -> io::Result<Vec<u8>> {
    let mut whole = Vec::new();
    while let Some(piece) = bytes.try_next().await? {
        if whole.len() + piece.len() > max_bytes {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the answer is too long"));
        }
        whole.extend_from_slice(&piece);
    }
    Ok(whole)
}

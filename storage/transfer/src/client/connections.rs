//! A small pool of connections to each peer, and one request over one of them.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response, Uri};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wire::stream::BoxStream;

use crate::body::{BoxBody, bytes_of, gathered};
use crate::client::Limits;
use crate::client::sending::{Sending, Watch};
use crate::failure::TransferFailure;
use crate::peer_dial::PeerDial;
use crate::protocol::{ANSWER_BYTES_MAX, Outcome};

/// An idle connection is kept for so long.
const KEPT: Duration = Duration::from_secs(20);
/// So many idle connections are kept to one peer. A new one costs both sides milliseconds of public
/// key work, many times what a small request does; an idle one some 40 KiB for [`KEPT`].
const KEPT_MAX: usize = 128;
/// What HTTP buffers of one connection.
const BUFFER_BYTES_MAX: usize = 256 * 1024;

/// Which bound a request counts against.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Send,
    Read,
    Call,
}

/// An answer whose body is still to come, and the place among the requests that it takes until
/// then.
pub(super) struct Answer {
    pub(super) response: Response<Incoming>,
    pub(super) place: OwnedSemaphorePermit,
}

pub(super) struct Connections {
    pool: Pool<Connector, BoxBody>,
    places: Mutex<HashMap<String, [Arc<Semaphore>; 3]>>,
    pub(super) limits: Limits,
}

impl Connections {
    pub(super) fn new(dial: Arc<dyn PeerDial>, limits: Limits) -> Self {
        let pool = Pool::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(KEPT)
            .pool_max_idle_per_host(KEPT_MAX)
            .http1_max_buf_size(BUFFER_BYTES_MAX)
            .build(Connector { dial });
        Self { pool, places: Mutex::default(), limits }
    }

    /// Sends a request whose URI has `replica_id` for its host, and waits for the head of the
    /// answer.
    pub(super) async fn send(
        &self,
        replica_id: &str,
        kind: Kind,
        request: Request<BoxBody>,
    ) -> Result<Answer, TransferFailure> {
        let place = self.place(replica_id, kind).await?;
        let watch = Watch::default();
        let request = request.map(|body| Sending::watched(body, &watch));
        tokio::select! {
            answer = self.pool.request(request) => match answer {
                Ok(response) => Ok(Answer { response, place }),
                Err(error) => Err(match watch.source_failure() {
                    Some(cause) => TransferFailure::Source { cause },
                    None => unreachable(replica_id, &error),
                }),
            },
            () = watch.stalled(self.limits.idle_max) => Err(TransferFailure::Unreachable {
                replica_id: replica_id.to_owned(),
                cause: format!("it stood still for {} s", self.limits.idle_max.as_secs()),
            }),
        }
    }

    /// Sends a request and reads the outcome that the answer is.
    pub(super) async fn call<T, F>(
        &self,
        replica_id: &str,
        kind: Kind,
        request: Request<BoxBody>,
    ) -> Result<T, F>
    where
        T: DeserializeOwned,
        F: DeserializeOwned + From<TransferFailure>,
    {
        let answer = self.send(replica_id, kind, request).await?;
        self.outcome(replica_id, answer).await?
    }

    /// Reads the outcome that `answer` is; the outer failure is the connection's.
    pub(super) async fn outcome<T, F>(
        &self,
        replica_id: &str,
        answer: Answer,
    ) -> Result<Result<T, F>, TransferFailure>
    where
        T: DeserializeOwned,
        F: DeserializeOwned,
    {
        let status = answer.response.status();
        let bytes = bytes_of(answer.response.into_body(), self.limits.idle_max);
        let text = gathered(bytes, ANSWER_BYTES_MAX)
            .await
            .map_err(|error| unreachable(replica_id, &error))?;
        match serde_json::from_slice(&text) {
            Ok(Outcome::Done(done)) => Ok(Ok(done)),
            Ok(Outcome::Failed(failed)) => Ok(Err(failed)),
            Err(error) => Err(TransferFailure::Malformed {
                text: format!("its answer ({status}) cannot be read: {error}"),
            }),
        }
    }

    async fn place(
        &self,
        replica_id: &str,
        kind: Kind,
    ) -> Result<OwnedSemaphorePermit, TransferFailure> {
        let places = {
            let mut all = self.places.lock().unwrap_or_else(PoisonError::into_inner);
            let peer = all.entry(replica_id.to_owned()).or_insert_with(|| {
                let limits = &self.limits;
                [limits.sent_bodies_max, limits.reads_max, limits.calls_max]
                    .map(|max| Arc::new(Semaphore::new(max)))
            });
            Arc::clone(&peer[kind as usize])
        };
        let busy = || TransferFailure::Unreachable {
            replica_id: replica_id.to_owned(),
            cause: "too many requests to it are under way".to_owned(),
        };
        match tokio::time::timeout(self.limits.idle_max, places.acquire_owned()).await {
            Ok(Ok(place)) => Ok(place),
            _ => Err(busy()),
        }
    }
}

/// The URI of `path` at a peer.
pub(super) fn uri(replica_id: &str, path: &str) -> String {
    format!("http://{replica_id}{path}")
}

/// A request without a body, or with the one given.
pub(super) fn request(
    builder: http::request::Builder,
    body: BoxBody,
) -> Result<Request<BoxBody>, TransferFailure> {
    builder.body(body).map_err(|error| TransferFailure::Malformed { text: error.to_string() })
}

/// Everything that the chain of causes says.
pub(super) fn unreachable(
    replica_id: &str,
    error: &(dyn std::error::Error + 'static),
) -> TransferFailure {
    let mut cause = error.to_string();
    let mut below = error.source();
    while let Some(error) = below {
        let text = error.to_string();
        if !cause.contains(&text) {
            cause = format!("{cause}: {text}");
        }
        below = error.source();
    }
    TransferFailure::Unreachable { replica_id: replica_id.to_owned(), cause }
}

/// Dials a peer for the pool; the host of the URI is the peer's id.
#[derive(Clone)]
struct Connector {
    dial: Arc<dyn PeerDial>,
}

impl tower::Service<Uri> for Connector {
    type Response = TokioIo<PeerStream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<TokioIo<PeerStream>>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let dial = Arc::clone(&self.dial);
        Box::pin(async move {
            let replica_id = uri.host().unwrap_or_default();
            Ok(TokioIo::new(PeerStream(dial.dial(replica_id).await?)))
        })
    }
}

/// A peer connection as the pool wants it.
struct PeerStream(BoxStream);

impl Connection for PeerStream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for PeerStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for PeerStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

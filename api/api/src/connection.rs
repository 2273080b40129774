//! One connection: TLS, HTTP/1.1 or HTTP/2, its bounds, and how it ends.

use std::convert::Infallible;
use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use edge::answer;
use edge::context::Context;
use edge::origin::Connected;
use futures::FutureExt;
use http::StatusCode;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::sync::watch;
use tower::Service;
use wire::server_tls::ServerTls;
use wire::stream::BoxStream;

use crate::activity::Activity;
use crate::guarded::{GuardedBody, UnderWay};
use crate::stall::WatchedStream;
use crate::windows::{Budget, Windows};

/// Bytes of a request's head that are buffered; what is refused with an answer is far less.
const HEAD_BUFFER_BYTES: usize = 128 * 1024;
/// Headers of a request over HTTP/2, in bytes by its own count.
const HEADER_LIST_BYTES_MAX: u32 = 48 * 1024;
/// Requests at once on an HTTP/2 connection.
const STREAMS_MAX: u32 = 250;
/// Bytes of an answer that HTTP/2 buffers for a stream.
const SEND_BUFFER_BYTES: usize = 1024 * 1024;
/// A connection whose time is over may say goodbye for so long.
const GOODBYE_MAX: Duration = Duration::from_secs(1);

/// What every connection of a listener shares.
pub struct Shared {
    /// The replica.
    pub context: Arc<Context>,
    /// What answers.
    pub router: Router,
    /// `None`: plain HTTP.
    pub tls: Option<Arc<ServerTls>>,
    /// Windows of HTTP/2.
    pub budget: Budget,
    /// Turns true when the replica stops.
    pub draining: watch::Receiver<bool>,
}

/// Serves one connection to its end.
pub async fn serve(shared: Arc<Shared>, stream: BoxStream, from: std::net::SocketAddr) {
    let (stream, protocol) = match &shared.tls {
        None => (stream, None),
        Some(tls) => match tls.accept(stream).await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::debug!(client = %from, "TLS handshake failed: {error}");
                return;
            }
        },
    };
    shared.context.traffic.connection_handled();
    let is_http2 = protocol.as_deref() == Some(b"h2");
    let windows = is_http2.then(|| shared.budget.draw());
    let activity = Arc::new(Activity::new(is_http2));
    let io = TokioIo::new(WatchedStream::new(stream, Arc::clone(&activity)));
    let connected = Connected { address: from, tls: shared.tls.is_some() };
    let service = service_fn(|request: http::Request<Incoming>| {
        let under_way = UnderWay::begin(Arc::clone(&activity));
        answer(shared.router.clone(), request, connected, under_way)
    });
    let builder = builder(windows.as_ref());
    let mut connection = pin!(builder.serve_connection(io, service));
    let mut draining = shared.draining.clone();
    let mut is_closing = *draining.borrow();
    if is_closing {
        connection.as_mut().graceful_shutdown();
    }
    while let Some(left) = activity.time_left() {
        tokio::select! {
            ended = &mut connection => {
                log_end(ended);
                return;
            }
            () = tokio::time::sleep(left) => {}
            changed = draining.changed(), if !is_closing => {
                is_closing = true;
                if changed.is_ok() || *draining.borrow() {
                    connection.as_mut().graceful_shutdown();
                }
            }
        }
    }
    connection.as_mut().graceful_shutdown();
    let goodbye = poll_fn(|task| connection.as_mut().poll(task));
    let _ = tokio::time::timeout(GOODBYE_MAX, goodbye).await;
}

/// The bounds of both versions.
fn builder(windows: Option<&Windows>) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        // The time for a head is kept by `Activity`: hyper's counts idle time as well.
        .header_read_timeout(None)
        .max_buf_size(HEAD_BUFFER_BYTES)
        .half_close(false);
    let mut http2 = builder.http2();
    http2
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEADER_LIST_BYTES_MAX)
        .max_send_buf_size(SEND_BUFFER_BYTES);
    if let Some(windows) = windows {
        http2
            .initial_connection_window_size(windows.connection_bytes())
            .initial_stream_window_size(windows.stream_bytes());
    }
    builder
}

async fn answer(
    mut router: Router,
    request: http::Request<Incoming>,
    connected: Connected,
    under_way: UnderWay,
) -> Result<http::Response<GuardedBody>, Infallible> {
    let mut request: Request = request.map(Body::new);
    request.extensions_mut().insert(connected);
    let answered = AssertUnwindSafe(router.call(request)).catch_unwind().await;
    let response: Response = match answered {
        Ok(Ok(response)) => response,
        // The panic itself is in the log already.
        Err(_) => answer::empty(StatusCode::INTERNAL_SERVER_ERROR),
    };
    Ok(response.map(|body| GuardedBody::new(body, under_way)))
}

/// A client that goes away in the middle of an answer is normal.
fn log_end(ended: Result<(), Box<dyn std::error::Error + Send + Sync>>) {
    if let Err(error) = ended {
        tracing::debug!("connection ended: {error}");
    }
}

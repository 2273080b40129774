//! One connection: TLS, HTTP/1.1 or HTTP/2, its bounds, and how it ends.
//!
//! Between two requests of HTTP/1.1, a connection that has been quiet for a moment is taken back
//! from the HTTP library, whose buffers are most of what an idle one would cost, and handed to it
//! again with the first byte of the next request.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use edge::context::Context;
use edge::origin::Connected;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::sync::watch;
use tokio::time::{Instant, Sleep, timeout};
use wire::client_certificate::ShownCertificate;
use wire::server_tls::{Accepted, ServerTls};
use wire::stream::BoxStream;

use crate::activity::Activity;
use crate::answers::{Answers, Door};
use crate::bounds::Bounds;
use crate::inflow::{Inflow, Intake, Unread};
use crate::opening::Opening;
use crate::stall::WatchedStream;
use crate::windows::Budget;

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
/// A client that goes on at once finds its buffers where they were.
const QUIET_MAX: Duration = Duration::from_millis(500);

/// What every connection of a listener shares.
pub struct Shared {
    /// The replica.
    pub context: Arc<Context>,
    /// What answers.
    pub door: Door,
    /// `None`: plain HTTP.
    pub tls: Option<Arc<ServerTls>>,
    /// Windows of HTTP/2.
    pub budget: Budget,
    /// What came in over HTTP/2 and is not read.
    pub unread: Arc<Unread>,
    /// Time and memory.
    pub bounds: Bounds,
    /// Turns true when the replica stops.
    pub draining: watch::Receiver<bool>,
}

/// Serves one connection to its end.
pub async fn serve(shared: Arc<Shared>, stream: BoxStream, from: SocketAddr) {
    // Boxed, as all that does not last as long as the connection: its room is free again then.
    let Some((mut stream, said, certificate)) = Box::pin(shake_hands(&shared, stream, from)).await
    else {
        return;
    };
    shared.context.traffic.connection_handled();
    let agreed = Agreed { said, certificate };
    let mut draining = shared.draining.clone();
    let mut patience = shared.bounds.head_max;
    let mut opening = Opening::default();
    loop {
        let begun = tokio::select! {
            begun = timeout(patience, opening.begin(&mut stream)) => begun,
            // There is no request that could be finished.
            _ = draining.wait_for(|draining| *draining) => return,
        };
        if !matches!(begun, Ok(Ok(true))) {
            return;
        }
        let next = Next { shared: &shared, stream, opening, agreed: &agreed, from };
        match Box::pin(next.serve()).await {
            Some(quiet) => (stream, opening) = quiet,
            None => return,
        }
        patience = shared.bounds.idle_max.saturating_sub(QUIET_MAX);
    }
}

/// Shakes hands where the listener speaks TLS; says which protocol was agreed on.
async fn shake_hands(shared: &Shared, stream: BoxStream, from: SocketAddr) -> Option<Accepted> {
    let Some(tls) = &shared.tls else { return Some((stream, None, None)) };
    match tls.accept(stream).await {
        Ok(accepted) => Some(accepted),
        Err(error) => {
            tracing::debug!(client = %from, "TLS handshake failed: {error}");
            None
        }
    }
}

/// What came of the handshake.
struct Agreed {
    /// The protocol.
    said: Option<Vec<u8>>,
    /// What the client has shown.
    certificate: Option<ShownCertificate>,
}

/// The next request of a connection, and all that follow without a pause.
struct Next<'a> {
    shared: &'a Shared,
    stream: BoxStream,
    opening: Opening,
    agreed: &'a Agreed,
    from: SocketAddr,
}

impl Next<'_> {
    /// Gives the connection back where it is quiet, with what has come of the next request; nothing
    /// where it has ended.
    async fn serve(mut self) -> Option<(BoxStream, Opening)> {
        let head_max = self.shared.bounds.head_max;
        let is_http2 = match self.agreed.said.as_deref() {
            Some(said) => said == b"h2",
            None => timeout(head_max, self.opening.is_http2(&mut self.stream)).await.ok()?.ok()?,
        };
        if is_http2 {
            self.serve_http2().await;
            return None;
        }
        self.serve_http1().await
    }

    async fn serve_http1(self) -> Option<(BoxStream, Opening)> {
        let shared = self.shared;
        let (activity, answers) = self.answers(false, None);
        let io = self.watched(&activity, None);
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            // The time for a head is kept by `Activity`: hyper's counts idle time as well.
            .header_read_timeout(None)
            .max_buf_size(HEAD_BUFFER_BYTES)
            .half_close(false);
        let mut connection = Box::new(builder.serve_connection(io, answers));
        let ended = drive(&mut *connection, &activity, &shared.draining, true).await;
        if ended != Ended::Quiet {
            return None;
        }
        let parts = connection.into_parts();
        // All answers are written, or it would not be quiet.
        let stream = parts.io.into_inner().into_stream()?;
        Some((stream, Opening::with(&parts.read_buf)))
    }

    async fn serve_http2(self) {
        let shared = self.shared;
        let windows = self.shared.budget.draw();
        let inflow = Inflow::new(Arc::clone(&self.shared.unread), windows.connection_bytes());
        let inflow = Arc::new(inflow);
        let (activity, answers) = self.answers(true, Some(Arc::clone(&inflow)));
        let io = self.watched(&activity, Some(Intake::new(inflow)));
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS_MAX)
            .max_header_list_size(HEADER_LIST_BYTES_MAX)
            .max_send_buf_size(SEND_BUFFER_BYTES)
            .initial_connection_window_size(windows.connection_bytes())
            .initial_stream_window_size(windows.stream_bytes());
        let mut connection = Box::new(builder.serve_connection(io, answers));
        drive(&mut *connection, &activity, &shared.draining, false).await;
    }

    fn answers(&self, has_frames: bool, inflow: Option<Arc<Inflow>>) -> (Arc<Activity>, Answers) {
        let activity = Arc::new(Activity::new(has_frames, self.shared.bounds));
        let connected = Connected { address: self.from, tls: self.shared.tls.is_some() };
        let door = self.shared.door.clone();
        let certificate = self.agreed.certificate.clone();
        let there = Arc::clone(&activity);
        let answers = Answers { door, connected, certificate, activity: there, inflow };
        (activity, answers)
    }

    fn watched(self, activity: &Arc<Activity>, intake: Option<Intake>) -> TokioIo<WatchedStream> {
        activity.read();
        let (activity, stall_max) = (Arc::clone(activity), self.shared.bounds.stall_max);
        let early = self.opening.into_bytes();
        TokioIo::new(WatchedStream::new(self.stream, early, activity, intake, stall_max))
    }
}

/// A connection of either version of HTTP.
trait Connection {
    fn poll_end(&mut self, task: &mut TaskContext<'_>) -> Poll<hyper::Result<()>>;
    /// Takes no more requests.
    fn say_goodbye(&mut self);
}

impl Connection for http1::Connection<TokioIo<WatchedStream>, Answers> {
    fn poll_end(&mut self, task: &mut TaskContext<'_>) -> Poll<hyper::Result<()>> {
        Pin::new(self).poll(task)
    }

    fn say_goodbye(&mut self) {
        Pin::new(self).graceful_shutdown();
    }
}

impl Connection for http2::Connection<TokioIo<WatchedStream>, Answers, TokioExecutor> {
    fn poll_end(&mut self, task: &mut TaskContext<'_>) -> Poll<hyper::Result<()>> {
        Pin::new(self).poll(task)
    }

    fn say_goodbye(&mut self) {
        Pin::new(self).graceful_shutdown();
    }
}

/// Why a connection is driven no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    Closed,
    /// Its time is over.
    Late,
    /// All is done that was asked; there may be more later.
    Quiet,
}

/// Drives a connection to its end, or as far as its time goes, or until it is quiet.
async fn drive(
    connection: &mut impl Connection,
    activity: &Activity,
    draining: &watch::Receiver<bool>,
    may_be_quiet: bool,
) -> Ended {
    let mut draining = draining.clone();
    let mut is_closing = false;
    let mut timer = pin!(tokio::time::sleep(QUIET_MAX));
    let ended = loop {
        let step = poll_fn(|task| {
            if let Poll::Ready(ended) = connection.poll_end(task) {
                log_end(ended);
                return Poll::Ready(Ended::Closed);
            }
            poll_time(activity, may_be_quiet && !is_closing, timer.as_mut(), task)
        });
        tokio::select! {
            ended = step => break ended,
            _ = draining.wait_for(|draining| *draining), if !is_closing => {
                is_closing = true;
                connection.say_goodbye();
            }
        }
    };
    if ended == Ended::Late {
        connection.say_goodbye();
        let _ = timeout(GOODBYE_MAX, poll_fn(|task| connection.poll_end(task))).await;
    }
    ended
}

/// Ready when the connection's time is over or it has been quiet for long enough.
///
/// The timer goes off too early rather than being set anew with each request.
fn poll_time(
    activity: &Activity,
    may_be_quiet: bool,
    mut timer: Pin<&mut Sleep>,
    task: &mut TaskContext<'_>,
) -> Poll<Ended> {
    loop {
        let Some(mut until) = activity.deadline() else { return Poll::Ready(Ended::Late) };
        if let Some(since) = activity.quiet_since().filter(|_| may_be_quiet) {
            until = until.min(since + QUIET_MAX);
            if until <= Instant::now() {
                return Poll::Ready(Ended::Quiet);
            }
        }
        if until < timer.deadline() || timer.is_elapsed() {
            timer.as_mut().reset(until);
        }
        if timer.as_mut().poll(task).is_pending() {
            return Poll::Pending;
        }
    }
}

/// A client that goes away in the middle of an answer is normal.
fn log_end(ended: hyper::Result<()>) {
    if let Err(error) = ended {
        tracing::debug!("connection ended: {error}");
    }
}

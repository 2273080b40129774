//! The peer port: Raft over HTTP/2, blobs over HTTP/1.1, both with mutual TLS.
//!
//! Which of the two it is, is agreed on in the handshake. Raft stays on the runtime of its own;
//! blobs go to the one of the clients, so that a layer never delays a heartbeat.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use consensus::cluster::Cluster;
use consensus::service::PeerService;
use http::{Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tower::Service;
use wire::listen::Listen;
use wire::peer_identity::PeerIdentity;
use wire::peer_tls::PeerTls;
use wire::stream::BoxStream;

/// Connections of all peers together; a blob on its way takes one.
const CONNECTIONS_MAX: usize = 4_096;

/// How often a connection's peer is looked up again: a struck key is cut off.
const LISTED_EVERY: Duration = Duration::from_secs(2);

/// After a failed accept, since the cause is mostly that no descriptor is free.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

const STREAM_WINDOW_BYTES: u32 = 1024 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 4 * 1024 * 1024;

type Body = UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;

/// What answers peers.
#[derive(Clone)]
pub struct Answering {
    /// Decides who is let in.
    pub tls: Arc<PeerTls>,
    /// Answers Raft.
    pub raft: PeerService,
    /// Answers for blobs.
    pub transfer: Arc<transfer::service::Service>,
    /// Where blobs are moved.
    pub bulk: Handle,
}

impl Answering {
    /// Answers for `cluster` and `transfer`; blobs move on the runtime `bulk`.
    pub fn new(cluster: &Cluster, transfer: transfer::service::Service, bulk: Handle) -> Self {
        Self {
            tls: cluster.peer_tls(),
            raft: cluster.peer_service(),
            transfer: Arc::new(transfer),
            bulk,
        }
    }
}

/// Listens until it is dropped; runs on the runtime of Raft.
pub async fn listen(listener: impl Listen, answering: Answering) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, from)) => {
                let answering = answering.clone();
                tokio::spawn(async move {
                    if let Err(error) = answer(stream, answering).await {
                        tracing::debug!(%from, error, "a peer's connection ended");
                    }
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "no peer connection could be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn answer(stream: BoxStream, answering: Answering) -> Result<(), String> {
    let accepted = answering.tls.accept(stream).await;
    let (stream, peer, protocol) = accepted.map_err(|error| error.to_string())?;
    if protocol.as_deref() == Some(b"h2") {
        return serve(stream, peer, answering).await;
    }
    let bulk = answering.bulk.clone();
    let served = bulk.spawn(serve(stream, peer, answering)).await;
    served.map_err(|error| error.to_string())?
}

async fn serve(
    stream: BoxStream,
    peer: Option<PeerIdentity>,
    answering: Answering,
) -> Result<(), String> {
    let tls = Arc::clone(&answering.tls);
    let known = peer.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let (answering, peer) = (answering.clone(), known.clone());
        async move { Ok::<_, Infallible>(dispatch(request, peer, answering).await) }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http2()
        .timer(TokioTimer::new())
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES);
    builder.http1().timer(TokioTimer::new());
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let mut look = tokio::time::interval(LISTED_EVERY);
    loop {
        tokio::select! {
            ended = &mut connection => return ended.map_err(|error| error.to_string()),
            _ = look.tick() => {
                if peer.as_ref().is_some_and(|peer| !tls.still_listed(peer)) {
                    return Err("its key was struck".into());
                }
            }
        }
    }
}

async fn dispatch(
    mut request: Request<Incoming>,
    peer: Option<PeerIdentity>,
    mut answering: Answering,
) -> Response<Body> {
    if request.uri().path().starts_with("/transfer/") {
        let Some(peer) = peer else { return refuse() };
        let response = answering.transfer.handle(&peer, request).await;
        return response.map(|body| body.map_err(Into::into).boxed_unsync());
    }
    request.extensions_mut().insert(peer);
    match answering.raft.call(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

fn refuse() -> Response<Body> {
    let text = Full::new(Bytes::from_static(b"a peer shows its certificate\n"));
    let mut response = Response::new(text.map_err(|never| match never {}).boxed_unsync());
    *response.status_mut() = StatusCode::FORBIDDEN;
    response
}

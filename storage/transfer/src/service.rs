//! Answering peers: what they stage here, read from here, have fetched here, or forward to here.

mod answer;
mod blobs;
mod owned;
mod staging;
mod together;
mod turns;

use std::sync::Arc;
use std::time::Duration;

use ::blobs::lock::{Guard, Locks};
use ::blobs::store::BlobStore;
use ::blobs::upload::UploadError;
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body::Body;
use oci::digest::{Algorithm, Digest};
use wire::peer_identity::PeerIdentity;

use crate::body::{BoxBody, ByteStream, Ended, lingering};
use crate::client::Client;
use crate::failure::TransferFailure;
use crate::owner::UploadOwner;
use crate::protocol::{BLOBS, OWNED, STAGED, TOGETHER, query_value};
use crate::receipt::{Receipt, ReceiptSource};

use answer::at_once;
use turns::Turns;

/// A body of which no byte came for so long is given up. It is long, since behind it may be a
/// client that pushes from a slow line; a later request on the same upload takes its place at once.
const BODY_IDLE_MAX: Duration = Duration::from_secs(15 * 60);

/// Answers the transfer requests of peers.
///
/// The listener hands over every request whose path begins with `/transfer/` and whose connection
/// has proved to be a member's.
#[derive(Clone)]
pub struct Service {
    shared: Arc<Shared>,
}

struct Shared {
    store: Arc<BlobStore>,
    client: Client,
    receipts: Arc<dyn ReceiptSource>,
    owner: Arc<dyn UploadOwner>,
    turns: Turns,
    pulls: Locks<Digest>,
}

/// A request taken apart.
struct Asked {
    method: Method,
    /// Behind the prefix of its kind.
    path: String,
    query: String,
    headers: http::HeaderMap,
    body: ByteStream,
    body_ended: Ended,
}

impl Service {
    /// Serves `store`; fetches from other replicas by `client`.
    pub fn new(
        store: Arc<BlobStore>,
        client: Client,
        receipts: Arc<dyn ReceiptSource>,
        owner: Arc<dyn UploadOwner>,
    ) -> Self {
        let (turns, pulls) = (Turns::default(), Locks::default());
        Self { shared: Arc::new(Shared { store, client, receipts, owner, turns, pulls }) }
    }

    /// Answers one request of `peer`.
    pub async fn handle<B>(&self, peer: &PeerIdentity, request: Request<B>) -> Response<BoxBody>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (head, body) = request.into_parts();
        let (peer, path) = (&peer.replica_id, head.uri.path());
        tracing::debug!(peer, method = %head.method, path, "a peer asks");
        let (body, body_ended) = lingering(body, BODY_IDLE_MAX);
        let asked = |path: &str| Asked {
            method: head.method.clone(),
            path: path.to_owned(),
            query: head.uri.query().unwrap_or_default().to_owned(),
            headers: head.headers.clone(),
            body,
            body_ended,
        };
        let shared = Arc::clone(&self.shared);
        if let Some(rest) = path.strip_prefix(STAGED) {
            staging::answer(shared, asked(rest)).await
        } else if let Some(rest) = path.strip_prefix(BLOBS) {
            blobs::answer(shared, asked(rest)).await
        } else if let Some(rest) = path.strip_prefix(OWNED) {
            owned::answer(shared, asked(rest)).await
        } else if path == TOGETHER {
            together::answer(shared, asked("")).await
        } else {
            at_once::<(), _>(&Err(not_understood("there is nothing at this path")))
        }
    }
}

impl Shared {
    /// A receipt for a blob whose lock is held, if it is here.
    fn receipt(&self, locked: &Guard<Digest>) -> Result<Receipt, TransferFailure> {
        let digest = locked.key();
        let size = self.store.size_of(digest);
        match size.map_err(|error| TransferFailure::disk("looking for a blob", &error))? {
            Some(_) => Ok(self.receipts.position(digest)),
            None => Err(TransferFailure::BlobUnknown),
        }
    }
}

fn not_understood(text: &str) -> TransferFailure {
    TransferFailure::Malformed { text: text.to_owned() }
}

fn digest(text: &str) -> Result<Digest, TransferFailure> {
    Digest::parse(text).map_err(|error| not_understood(&error.to_string()))
}

/// The algorithms that a query names.
fn algorithms(query: &str) -> Result<Vec<Algorithm>, TransferFailure> {
    let names = query_value(query, "algorithms").unwrap_or_default();
    let known = |name: &str| Algorithm::ALL.into_iter().find(|algorithm| algorithm.name() == name);
    let algorithms: Option<Vec<Algorithm>> = names.split(',').map(known).collect();
    algorithms.ok_or_else(|| not_understood("a digest algorithm is not known"))
}

impl From<UploadError> for TransferFailure {
    fn from(error: UploadError) -> Self {
        match error {
            UploadError::Unknown => Self::UploadUnknown,
            UploadError::Mismatch { .. } => Self::DigestMismatch,
            UploadError::NoSpace(_) => Self::NoRoom,
            UploadError::Io(error) => Self::disk("writing an upload", &error),
        }
    }
}

#[cfg(test)]
mod tests;

//! Reading a peer's blobs, giving it one, and having it fetch one.

use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::Stream;
use http::{Request, Response, header};
use hyper::body::Incoming;
use oci::digest::Digest;
use tokio::sync::OwnedSemaphorePermit;

use crate::body::{ByteStream, bytes_of, empty, streamed};
use crate::client::Client;
use crate::client::connections::{Kind, request, uri};
use crate::failure::TransferFailure;
use crate::protocol::BLOBS;
use crate::receipt::Receipt;

impl Client {
    /// The size of a blob that the peer holds; `None` where it holds none of that digest.
    pub async fn blob_size(
        &self,
        replica_id: &str,
        digest: &Digest,
    ) -> Result<Option<u64>, TransferFailure> {
        let builder = Request::get(uri(replica_id, &format!("{BLOBS}{digest}/size")));
        match self.connections.call(replica_id, Kind::Call, request(builder, empty())?).await {
            Err(TransferFailure::BlobUnknown) => Ok(None),
            answer => answer.map(Some),
        }
    }

    /// The bytes `range` of a blob, clipped to it, and the size of the whole blob.
    ///
    /// The peer's bytes are not to be believed before they were hashed. Should the peer stop on the
    /// way, the stream ends in an error.
    pub async fn blob_read(
        &self,
        replica_id: &str,
        digest: &Digest,
        range: Range<u64>,
    ) -> Result<(u64, ByteStream), TransferFailure> {
        let path = format!("{BLOBS}{digest}?from={}&to={}", range.start, range.end);
        let asked = request(Request::get(uri(replica_id, &path)), empty())?;
        let answer = self.connections.send(replica_id, Kind::Read, asked).await?;
        let Some(size_bytes) = whole_size(&answer.response) else {
            let outcome = self.connections.outcome::<(), TransferFailure>(replica_id, answer);
            return Err(outcome.await?.err().unwrap_or_else(|| TransferFailure::Malformed {
                text: "it answered without a blob's bytes".to_owned(),
            }));
        };
        let bytes = bytes_of(answer.response.into_body(), self.connections.limits.idle_max);
        Ok((size_bytes, Box::pin(Placed { bytes, _place: answer.place })))
    }

    /// Gives the peer a blob of `size_bytes`, whole. It forgets the upload `instead_of`, of which
    /// it was told and which has no bytes there.
    pub async fn blob_put(
        &self,
        replica_id: &str,
        digest: &Digest,
        size_bytes: u64,
        instead_of: Option<&str>,
        body: ByteStream,
    ) -> Result<Receipt, TransferFailure> {
        let mut path = format!("{BLOBS}{digest}?size={size_bytes}");
        if let Some(id) = instead_of {
            path.push_str(&format!("&upload={id}"));
        }
        let asked = request(Request::put(uri(replica_id, &path)), streamed(body))?;
        self.connections.call(replica_id, Kind::Send, asked).await
    }

    /// Has the peer fetch a copy of a blob from the replica `from`; it holds one already, or
    /// verifies what it gets.
    pub async fn blob_pull(
        &self,
        replica_id: &str,
        digest: &Digest,
        from: &str,
    ) -> Result<Receipt, TransferFailure> {
        let builder = Request::post(uri(replica_id, &format!("{BLOBS}{digest}/pull?from={from}")));
        self.connections.call(replica_id, Kind::Call, request(builder, empty())?).await
    }

    /// A fresh receipt for a blob that the peer holds.
    ///
    /// # Errors
    ///
    /// [`TransferFailure::BlobUnknown`] where it holds none.
    pub async fn blob_receipt(
        &self,
        replica_id: &str,
        digest: &Digest,
    ) -> Result<Receipt, TransferFailure> {
        let builder = Request::post(uri(replica_id, &format!("{BLOBS}{digest}/receipt")));
        self.connections.call(replica_id, Kind::Call, request(builder, empty())?).await
    }
}

impl Client {
    /// As [`Client::blob_receipt`], for a blob of `size_bytes` that the peer has hashed lately.
    ///
    /// # Errors
    ///
    /// [`TransferFailure::BlobUnknown`] where it holds none, or does not vouch for it.
    pub async fn blob_vouched(
        &self,
        replica_id: &str,
        digest: &Digest,
        size_bytes: u64,
    ) -> Result<Receipt, TransferFailure> {
        let path = format!("{BLOBS}{digest}/receipt?vouched={size_bytes}");
        let builder = Request::post(uri(replica_id, &path));
        self.connections.call(replica_id, Kind::Call, request(builder, empty())?).await
    }
}

/// The size of the whole blob, where the answer is a blob's bytes: `bytes 0-4/5` or `bytes */5`.
fn whole_size(response: &Response<Incoming>) -> Option<u64> {
    if !response.status().is_success() {
        return None;
    }
    let range = response.headers().get(header::CONTENT_RANGE)?.to_str().ok()?;
    range.rsplit_once('/')?.1.parse().ok()
}

/// A body that keeps its place among the requests until it is dropped.
struct Placed {
    bytes: ByteStream,
    _place: OwnedSemaphorePermit,
}

impl Stream for Placed {
    type Item = std::io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.bytes.as_mut().poll_next(cx)
    }
}

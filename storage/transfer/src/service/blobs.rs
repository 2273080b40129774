//! Blobs that are here: read by peers, taken from them, fetched when they say so.

use std::io;
use std::sync::Arc;

use ::blobs::upload::UploadError;
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use http::{Method, Response, StatusCode, header};
use oci::digest::Digest;
use rand::RngCore;

use crate::body::{BoxBody, ByteStream, streamed};
use crate::failure::TransferFailure;
use crate::protocol::{WHOLE_BYTES_MAX, query_value};
use crate::receipt::Receipt;
use crate::service::answer::{at_once, when_done};
use crate::service::staging::{Broken, feed, sealed};
use crate::service::{Asked, Shared, digest, not_understood};

pub(super) async fn answer(shared: Arc<Shared>, asked: Asked) -> Response<BoxBody> {
    let Asked { method, path, query, body, body_ended, .. } = asked;
    let (name, verb) = path.split_once('/').unwrap_or((&path, ""));
    let digest = match digest(name) {
        Ok(digest) => digest,
        Err(failure) => return at_once::<(), _>(&Err(failure)),
    };
    match (method, verb) {
        (Method::GET, "") => match read(&shared, &digest, &query).await {
            Ok(response) => response,
            Err(failure) => at_once::<(), _>(&Err(failure)),
        },
        (Method::PUT, "") => {
            let work = async move { take(&shared, &digest, &query, body).await };
            when_done(work, body_ended).await
        }
        (Method::GET, "size") => at_once(&size(&shared, &digest)),
        (Method::POST, "receipt") => {
            let work = async move { vouched(&shared, &digest, &query).await };
            when_done(work, body_ended).await
        }
        (Method::POST, "pull") => {
            let work = async move {
                let from = query_value(&query, "from")
                    .ok_or_else(|| not_understood("whom to pull from is missing"))?;
                pull(&shared, &digest, from).await
            };
            when_done(work, body_ended).await
        }
        _ => at_once::<(), _>(&Err(not_understood("no such method for a blob"))),
    }
}

fn size(shared: &Shared, digest: &Digest) -> Result<u64, TransferFailure> {
    let size = shared.store.size_of(digest);
    size.map_err(|error| TransferFailure::disk("looking for a blob", &error))?
        .ok_or(TransferFailure::BlobUnknown)
}

/// A receipt; where a size is named, only for a blob of that size that was hashed lately.
async fn vouched(
    shared: &Shared,
    digest: &Digest,
    query: &str,
) -> Result<Receipt, TransferFailure> {
    let locked = shared.store.lock(digest).await;
    if let Some(size) = query_value(query, "vouched") {
        let size = size.parse().map_err(|_| not_understood("the size is no number"))?;
        let vouched = shared.store.keeps(&locked, size).await;
        if !vouched.map_err(|error| TransferFailure::disk("looking for a blob", &error))? {
            return Err(TransferFailure::BlobUnknown);
        }
    }
    shared.receipt(&locked)
}

/// The bytes `from..to`, clipped to the blob.
async fn read(
    shared: &Shared,
    digest: &Digest,
    query: &str,
) -> Result<Response<BoxBody>, TransferFailure> {
    let number = |key| query_value(query, key).and_then(|text| text.parse::<u64>().ok());
    let (Some(from), Some(to)) = (number("from"), number("to")) else {
        return Err(not_understood("the range is missing"));
    };
    let size_bytes = size(shared, digest)?;
    let to = to.min(size_bytes);
    if from > to {
        return Err(TransferFailure::RangeInvalid { size_bytes });
    }
    let read = shared.store.read(digest, from..to).await.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::InvalidData => TransferFailure::BlobUnknown,
        _ => TransferFailure::disk("reading a blob", &error),
    })?;
    let range = match to.checked_sub(1).filter(|last| *last >= from) {
        Some(last) => format!("bytes {from}-{last}/{size_bytes}"),
        None => format!("bytes */{size_bytes}"),
    };
    let response = Response::builder()
        .status(StatusCode::PARTIAL_CONTENT)
        .header(header::CONTENT_TYPE, "application/octet-stream")
        .header(header::CONTENT_LENGTH, to - from)
        .header(header::CONTENT_RANGE, range)
        .body(streamed(read));
    response.map_err(|error| TransferFailure::Fault { text: error.to_string() })
}

/// Keeps a blob that a peer sends whole, instead of the upload that it may name.
async fn take(
    shared: &Shared,
    digest: &Digest,
    query: &str,
    body: ByteStream,
) -> Result<Receipt, TransferFailure> {
    let broken = TransferFailure::BodyBroken { offset: 0 };
    let size = query_value(query, "size").and_then(|size| size.parse().ok());
    let receipt = match size {
        Some(size) if size <= WHOLE_BYTES_MAX => {
            let bytes = gathered(body, size).await.ok_or(broken)?;
            let locked = shared.store.lock(digest).await;
            shared.store.put_locked(&locked, bytes).await?;
            shared.receipt(&locked)?
        }
        _ => keep(shared, "put", digest, body, broken).await?,
    };
    if let Some(id) = query_value(query, "upload") {
        shared.store.forget_announced(id);
    }
    Ok(receipt)
}

/// All bytes of a body that has `size` of them; `None` where it has not.
async fn gathered(mut body: ByteStream, size: usize) -> Option<Bytes> {
    let mut bytes = BytesMut::new();
    while let Some(piece) = body.next().await {
        let piece = piece.ok()?;
        if piece.len() > size - bytes.len() {
            return None;
        }
        bytes.extend_from_slice(&piece);
    }
    (bytes.len() == size).then(|| bytes.freeze())
}

/// Fetches a blob from the replica `from`, unless it is here.
async fn pull(shared: &Shared, digest: &Digest, from: &str) -> Result<Receipt, TransferFailure> {
    // Two that ask for the same one get it once.
    let _pulling = shared.pulls.lock(digest).await;
    {
        let locked = shared.store.lock(digest).await;
        match shared.receipt(&locked) {
            Err(TransferFailure::BlobUnknown) => {}
            answer => return answer,
        }
    }
    let (_, bytes) = shared.client.blob_read(from, digest, 0..u64::MAX).await?;
    let broken = TransferFailure::Unreachable {
        replica_id: from.to_owned(),
        cause: "its bytes ended too early".to_owned(),
    };
    keep(shared, "pull", digest, bytes, broken).await
}

/// Writes `bytes` and seals them as `digest`; `broken` where they end too early.
async fn keep(
    shared: &Shared,
    purpose: &str,
    digest: &Digest,
    bytes: ByteStream,
    broken: TransferFailure,
) -> Result<Receipt, TransferFailure> {
    let id = format!("{purpose}-{:016x}{:016x}", rand::rng().next_u64(), rand::rng().next_u64());
    let mut upload = shared.store.create_upload(&id, &[digest.algorithm()]).await?;
    let failure = match feed(&mut upload, bytes, None).await {
        Ok(()) => return sealed(shared, upload, digest).await,
        Err(Broken::Body | Broken::Superseded) => broken,
        Err(Broken::Disk(error)) => error.into(),
    };
    // Half a blob is of no use to anybody.
    match upload.cancel().await {
        Ok(()) | Err(UploadError::Unknown) => {}
        Err(error) => tracing::warn!(%error, upload = id, "half a blob was not removed"),
    }
    Err(failure)
}

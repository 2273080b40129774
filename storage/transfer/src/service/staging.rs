//! Uploads that another replica receives and stages here at the same time.

use std::sync::Arc;

use ::blobs::upload::{Upload, UploadError};
use bytes::Bytes;
use futures::StreamExt;
use http::{Method, Response};
use oci::digest::Digest;

use crate::body::{BoxBody, ByteStream};
use crate::failure::TransferFailure;
use crate::protocol::{OFFSET, number_header, query_value};
use crate::receipt::Receipt;
use crate::service::answer::{at_once, when_done};
use crate::service::turns::Turn;
use crate::service::{Asked, Shared, algorithms, digest, not_understood};

pub(super) async fn answer(shared: Arc<Shared>, asked: Asked) -> Response<BoxBody> {
    let Asked { method, path: id, query, headers, body, body_ended } = asked;
    match method {
        Method::PATCH => {
            let work = async move {
                let offset = number_header(&headers, OFFSET)?
                    .ok_or_else(|| not_understood("the offset is missing"))?;
                append(&shared, &id, offset, &query, body).await
            };
            when_done(work, body_ended).await
        }
        Method::GET => when_done(status(shared, id), body_ended).await,
        Method::PUT => when_done(seal(shared, id, query), body_ended).await,
        Method::DELETE => when_done(cancel(shared, id), body_ended).await,
        _ => at_once::<(), _>(&Err(not_understood("no such method for a staged upload"))),
    }
}

async fn append(
    shared: &Shared,
    id: &str,
    offset: u64,
    query: &str,
    body: ByteStream,
) -> Result<u64, TransferFailure> {
    let turn = shared.turns.take(id);
    let mut upload = if offset == 0 && query_value(query, "algorithms").is_some() {
        // Its first bytes: only the second replica was told of it before.
        shared.store.open_or_create_upload(id, &algorithms(query)?).await?
    } else {
        shared.store.open_upload(id).await?
    };
    if upload.offset() != offset {
        return Err(TransferFailure::OffsetMismatch { offset: upload.offset() });
    }
    let fed = feed(&mut upload, body, Some(&turn)).await;
    // What arrived stays, whatever happened to the rest.
    upload.save().await?;
    let offset = upload.offset();
    match fed {
        Ok(()) => Ok(offset),
        Err(Broken::Body) => Err(TransferFailure::BodyBroken { offset }),
        Err(Broken::Superseded) => Err(TransferFailure::Superseded { offset }),
        Err(Broken::Disk(error)) => Err(error.into()),
    }
}

/// Why a body did not come to its end.
pub(super) enum Broken {
    Body,
    Superseded,
    Disk(UploadError),
}

/// Writes `body` to `upload` until it ends or a later request takes the turn.
pub(super) async fn feed(
    upload: &mut Upload,
    mut body: ByteStream,
    turn: Option<&Turn>,
) -> Result<(), Broken> {
    let over = async {
        match turn {
            Some(turn) => turn.over().await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(over);
    loop {
        let piece: Bytes = tokio::select! {
            biased;
            () = &mut over => return Err(Broken::Superseded),
            piece = body.next() => match piece {
                Some(Ok(piece)) => piece,
                Some(Err(_)) => return Err(Broken::Body),
                None => return Ok(()),
            },
        };
        upload.append(piece).await.map_err(Broken::Disk)?;
    }
}

async fn status(shared: Arc<Shared>, id: String) -> Result<u64, TransferFailure> {
    let _turn = shared.turns.take(&id);
    if shared.store.is_announced(&id) {
        return Ok(0);
    }
    Ok(shared.store.open_upload(&id).await?.offset())
}

async fn seal(shared: Arc<Shared>, id: String, query: String) -> Result<Receipt, TransferFailure> {
    let digest = digest(query_value(&query, "digest").unwrap_or_default())?;
    let _turn = shared.turns.take(&id);
    match shared.store.open_upload(&id).await {
        Ok(upload) => sealed(&shared, upload, &digest).await,
        // It was sealed before, and the answer was lost.
        Err(UploadError::Unknown) => {
            let locked = shared.store.lock(&digest).await;
            shared.receipt(&locked).map_err(|failure| match failure {
                TransferFailure::BlobUnknown => TransferFailure::UploadUnknown,
                failure => failure,
            })
        }
        Err(error) => Err(error.into()),
    }
}

/// Seals `upload` and gives the receipt before anybody else has the digest's lock.
pub(super) async fn sealed(
    shared: &Shared,
    upload: Upload,
    digest: &Digest,
) -> Result<Receipt, TransferFailure> {
    let locked = shared.store.lock(digest).await;
    upload.seal_locked(&locked).await?;
    shared.receipt(&locked)
}

async fn cancel(shared: Arc<Shared>, id: String) -> Result<(), TransferFailure> {
    let _turn = shared.turns.take(&id);
    match shared.store.cancel_upload(&id).await {
        Ok(()) | Err(UploadError::Unknown) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

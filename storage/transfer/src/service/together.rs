//! Parcels that came in one request: each is answered for itself.

use std::sync::Arc;

use bytes::BytesMut;
use futures::StreamExt;
use futures::future::join_all;
use http::{Method, Response};

use crate::body::{BoxBody, ByteStream};
use crate::failure::TransferFailure;
use crate::parcels::{Done, Parcel, RECEIVED_BYTES_MAX, unpacked};
use crate::protocol::Outcome;
use crate::service::answer::{at_once, when_done};
use crate::service::{Asked, Shared, not_understood};

pub(super) async fn answer(shared: Arc<Shared>, asked: Asked) -> Response<BoxBody> {
    let Asked { method, body, body_ended, .. } = asked;
    if method != Method::POST {
        return at_once::<(), _>(&Err(not_understood("parcels are posted")));
    }
    when_done(async move { taken(&shared, body).await }, body_ended).await
}

async fn taken(
    shared: &Shared,
    mut body: ByteStream,
) -> Result<Vec<Outcome<Done, TransferFailure>>, TransferFailure> {
    let mut bytes = BytesMut::new();
    while let Some(piece) = body.next().await {
        let piece = piece.map_err(|_| TransferFailure::BodyBroken { offset: 0 })?;
        if bytes.len() + piece.len() > RECEIVED_BYTES_MAX {
            return Err(not_understood("the parcels are too long together"));
        }
        bytes.extend_from_slice(&piece);
    }
    // Side by side: the disk syncs many files in little more time than one.
    let parcels = unpacked(bytes.freeze())?.into_iter().map(|parcel| one(shared, parcel));
    Ok(join_all(parcels).await.into_iter().map(Outcome::from).collect())
}

async fn one(shared: &Shared, parcel: Parcel) -> Result<Done, TransferFailure> {
    match parcel {
        Parcel::Announce { upload, algorithms } => {
            shared.store.announce_upload(&upload, &algorithms)?;
            Ok(Done::Announced)
        }
        Parcel::Keep { digest, bytes, instead_of } => {
            let receipt = {
                let locked = shared.store.lock(&digest).await;
                shared.store.put_locked(&locked, bytes).await?;
                shared.receipt(&locked)?
            };
            if let Some(upload) = instead_of {
                shared.store.forget_announced(&upload);
            }
            Ok(Done::Kept(receipt))
        }
    }
}

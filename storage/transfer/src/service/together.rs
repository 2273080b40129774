//! Parcels that came in one request: each is answered for itself.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use futures::StreamExt;
use futures::future::join_all;
use http::{Method, Response};
use tokio::time::timeout;

use crate::body::{BoxBody, ByteStream};
use crate::failure::TransferFailure;
use crate::parcels::{Done, Parcel, RECEIVED_BYTES_MAX, unpacked};
use crate::protocol::Outcome;
use crate::service::answer::{at_once, log_fault, when_done};
use crate::service::{Asked, Shared, not_understood};

/// A blob that others are busy with, such as a large one being sealed, must not hold up those that
/// came with it.
const LOCK_WAIT_MAX: Duration = Duration::from_secs(5);

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
    let outcomes = join_all(parcels).await;
    outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).for_each(log_fault);
    Ok(outcomes.into_iter().map(Outcome::from).collect())
}

async fn one(shared: &Shared, parcel: Parcel) -> Result<Done, TransferFailure> {
    match parcel {
        Parcel::Announce { upload, algorithms } => {
            shared.store.announce_upload(&upload, &algorithms)?;
            Ok(Done::Announced)
        }
        Parcel::Keep { digest, bytes, instead_of } => {
            let receipt = {
                let locked = timeout(LOCK_WAIT_MAX, shared.store.lock(&digest)).await;
                let locked = locked.map_err(|_| TransferFailure::Fault {
                    text: format!("somebody else holds {digest} for too long"),
                })?;
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

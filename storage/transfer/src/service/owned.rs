//! Requests of the registry API that another replica forwards to the owner of the upload.

use std::sync::Arc;

use http::{HeaderMap, Method, Response};

use crate::body::BoxBody;
use crate::failure::TransferFailure;
use crate::owner::{OwnedUpload, OwnerFailure};
use crate::protocol::{
    ACCOUNT, OFFSET, ORIGIN, REPOSITORY, VOUCHER, bytes_header, number_header, query_value,
    text_header,
};
use crate::service::answer::{at_once, when_done};
use crate::service::{Asked, Shared, algorithms, digest, not_understood};

pub(super) async fn answer(shared: Arc<Shared>, asked: Asked) -> Response<BoxBody> {
    let Asked { method, path, query, headers, body, body_ended } = asked;
    let (upload, start) = match head(path, &headers) {
        Ok(head) => head,
        Err(failure) => return at_once::<(), _>(&Err(failure)),
    };
    let owner = Arc::clone(&shared.owner);
    match method {
        Method::PATCH => {
            let work = async move { owner.append(&upload, start, body).await };
            when_done(work, body_ended).await
        }
        Method::POST if upload.id.is_empty() => {
            let work = async move {
                let algorithms = algorithms(&query).map_err(|failure| misread(&failure))?;
                owner.open(&upload, &algorithms).await
            };
            when_done(work, body_ended).await
        }
        Method::POST => when_done(async move { owner.holds(&upload).await }, body_ended).await,
        Method::GET => when_done(async move { owner.status(&upload).await }, body_ended).await,
        Method::PUT => {
            let work = async move {
                let digest = digest(query_value(&query, "digest").unwrap_or_default())
                    .map_err(|failure| misread(&failure))?;
                owner.finish(&upload, start, body, &digest).await
            };
            when_done(work, body_ended).await
        }
        Method::DELETE => when_done(async move { owner.cancel(&upload).await }, body_ended).await,
        _ => at_once::<(), _>(&Err(misread(&not_understood("no such method for an upload")))),
    }
}

fn head(id: String, headers: &HeaderMap) -> Result<(OwnedUpload, Option<u64>), OwnerFailure> {
    let repository = text_header(headers, REPOSITORY).map_err(|failure| misread(&failure))?;
    let account = text_header(headers, ACCOUNT).map_err(|failure| misread(&failure))?;
    let start = number_header(headers, OFFSET).map_err(|failure| misread(&failure))?;
    let voucher = bytes_header(headers, VOUCHER);
    let origin = bytes_header(headers, ORIGIN);
    Ok((OwnedUpload { id, repository, account, voucher, origin }, start))
}

/// A request that the other replica should not have sent.
fn misread(failure: &TransferFailure) -> OwnerFailure {
    OwnerFailure::Fault { text: failure.to_string() }
}

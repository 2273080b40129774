//! Uploads: how a blob comes in, at once, as a stream, or chunk by chunk.
//!
//! An upload belongs to the cluster: its `Location` is the same path on every replica, and any of
//! them takes the next request.
//!
//! Source: OCI distribution-spec 1.1, "Pushing blobs"; registry-protocol UP1–UP19.

use std::pin::Pin;

use axum::response::Response;
use consensus::cluster::Freshness;
use content::content::{ByteStream, Committed, UploadMeta};
use content::failure::ContentFailure;
use content::upload_id::UploadId;
use edge::answer;
use edge::caller::Need;
use edge::form::upload_range;
use edge::problem::Problem;
use http::StatusCode;
use http::header::{CONTENT_RANGE, HeaderName, LOCATION, RANGE};
use metadata::access::Action;
use metadata::refusal::Refusal;
use metadata::{quotas, settings};
use oci::digest::{Algorithm, Digest, DigestError};
use oci::name::RepositoryName;
use oci::verifier::digest_of;

use crate::blobs::set_length;
use crate::caching::DOCKER_CONTENT_DIGEST;
use crate::call::{Call, scope};
use crate::content_range::Chunk;
use crate::mounts;

const DOCKER_UPLOAD_UUID: HeaderName = HeaderName::from_static("docker-upload-uuid");

/// `POST …/blobs/uploads/`: mounts, takes a whole blob, or opens an upload.
pub async fn start(call: Call, repository: RepositoryName) -> Result<Response, Problem> {
    let from = mounts::source(&call.query);
    let mut scope = scope(&repository, Action::Push);
    if let Some(from) = &from {
        scope.push_str(&format!(" repository:{from}:pull"));
    }
    let mount = call.query.first("mount").map(Digest::parse).transpose()?;
    let announced = call.query.first("digest").map(Digest::parse).transpose()?;
    let algorithms = algorithms(&call, announced.as_ref())?;
    let caller = call.caller(Need::Fresh, Some(scope)).await?;
    let permitted = caller.permit(&call.context, &repository, Action::Push).await?;
    check_writable(&call, &repository, permitted.exists).await?;

    if let Some(digest) = mount
        && mounts::try_mount(&call, &caller, &repository, from, &digest).await?
    {
        return Ok(created(&repository, &digest));
    }
    let blob = announced.filter(|digest| carries_blob(&call, digest));
    let (account, voucher) = (caller.account().to_owned(), caller.voucher());
    let meta = UploadMeta { repository, account, voucher };
    if blob.is_some() {
        check_layer_length(&call, None)?;
        check_room(&call, &meta, blob.as_ref(), None).await?;
    }
    let content = &call.context.content;
    let id = content.open_upload(&meta, &algorithms).await?;
    match blob {
        Some(digest) => finish(call, &id, &meta, &digest).await,
        None => Ok(accepted(&meta.repository, &id, 0)),
    }
}

/// `PATCH <location>`: appends a chunk, or a whole stream.
pub async fn append(call: Call, repository: RepositoryName, id: &str) -> Result<Response, Problem> {
    let (id, meta, start) = enter(&call, repository, id).await?;
    check_room(&call, &meta, None, start).await?;
    let content = call.context.content.clone();
    let appended = content.append(&id, &meta, start, stream_of(call)).await;
    let offset = appended.map_err(|failure| located(failure, &meta.repository, &id))?;
    Ok(accepted(&meta.repository, &id, offset))
}

/// `PUT <location>?digest=…`: closes the upload, with or without a last chunk.
pub async fn close(call: Call, repository: RepositoryName, id: &str) -> Result<Response, Problem> {
    let digest = closing_digest(&call)?;
    let (id, meta, start) = enter(&call, repository, id).await?;
    check_room(&call, &meta, Some(&digest), start).await?;
    let content = call.context.content.clone();
    let finished = content.finish(&id, &meta, start, stream_of(call), &digest).await;
    finished.map_err(|failure| located(failure, &meta.repository, &id))?;
    Ok(created(&meta.repository, &digest))
}

/// `GET <location>`: how far the upload is.
pub async fn status(call: Call, repository: RepositoryName, id: &str) -> Result<Response, Problem> {
    let (id, meta, _) = enter(&call, repository, id).await?;
    let offset = call.context.content.status(&id, &meta).await?;
    let mut response = describe(StatusCode::NO_CONTENT, &meta.repository, &id, offset);
    response.headers_mut().remove(http::header::CONTENT_LENGTH);
    Ok(response)
}

/// `DELETE <location>`: forgets the upload and its bytes.
pub async fn cancel(call: Call, repository: RepositoryName, id: &str) -> Result<Response, Problem> {
    let (id, meta, _) = enter(&call, repository, id).await?;
    call.context.content.cancel(&id, &meta).await?;
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

/// Lets the caller in to an upload; reads its id and where the chunk begins.
async fn enter(
    call: &Call,
    repository: RepositoryName,
    id: &str,
) -> Result<(UploadId, UploadMeta, Option<u64>), Problem> {
    let start = chunk_start(call)?;
    let admitted = call.admit(Need::Fresh, &repository, Action::Push).await?;
    let id = UploadId::parse(id).ok_or(ContentFailure::UploadUnknown)?;
    let (account, voucher) = (admitted.caller.account().to_owned(), admitted.caller.voucher());
    check_layer_length(call, start)?;
    Ok((id, UploadMeta { repository, account, voucher }, start))
}

/// The first byte of the chunk, where the request has a `Content-Range`.
fn chunk_start(call: &Call) -> Result<Option<u64>, Problem> {
    let Some(header) = call.headers().get(CONTENT_RANGE) else { return Ok(None) };
    let text = String::from_utf8_lossy(header.as_bytes());
    let malformed = || Problem::ChunkMalformed { given: text.chars().take(64).collect() };
    let chunk = Chunk::parse(&text).ok_or_else(malformed)?;
    match call.content_length() {
        Some(length) if length != chunk.length() => {
            Err(Problem::LengthDiffers { length, range: chunk.length() })
        }
        _ => Ok(Some(chunk.first)),
    }
}

/// Refuses by what the head of the request says, before a byte of the body is taken: the upload
/// stays where it is. What no head says is counted while the bytes come.
fn check_layer_length(call: &Call, start: Option<u64>) -> Result<(), Problem> {
    let bytes = call.content_length().unwrap_or(0).saturating_add(start.unwrap_or(0));
    match call.context.content.layer_bytes_max() {
        Some(bytes_max) if bytes > bytes_max => Err(ContentFailure::TooLarge { bytes_max }.into()),
        _ => Ok(()),
    }
}

/// The one digest an upload is closed with.
fn closing_digest(call: &Call) -> Result<Digest, Problem> {
    let mut digests = call.query.all("digest");
    match (digests.next(), digests.next()) {
        (Some(digest), None) => Ok(Digest::parse(digest)?),
        _ => Err(Problem::DigestParameter),
    }
}

/// What is hashed while the bytes come: sha256 always, sha512 where it was announced.
fn algorithms(call: &Call, announced: Option<&Digest>) -> Result<Vec<Algorithm>, Problem> {
    let mut algorithms = vec![Algorithm::Sha256];
    let hint = match call.query.first("digest-algorithm") {
        Some(name) => {
            let unknown = || DigestError::UnsupportedAlgorithm(name.to_owned());
            Some(Algorithm::from_name(name).ok_or_else(unknown)?)
        }
        None => None,
    };
    for algorithm in hint.into_iter().chain(announced.map(Digest::algorithm)) {
        if !algorithms.contains(&algorithm) {
            algorithms.push(algorithm);
        }
    }
    Ok(algorithms)
}

/// Whether a POST with a digest brings the blob itself: not where its body is announced as empty
/// and the blob is not (UP13).
fn carries_blob(call: &Call, digest: &Digest) -> bool {
    call.content_length() != Some(0) || *digest == digest_of(digest.algorithm(), b"")
}

async fn finish(
    call: Call,
    id: &UploadId,
    meta: &UploadMeta,
    digest: &Digest,
) -> Result<Response, Problem> {
    let content = call.context.content.clone();
    let finished = content.finish(id, meta, None, stream_of(call), digest).await;
    let Committed { digest, .. } =
        finished.map_err(|failure| located(failure, &meta.repository, id))?;
    Ok(created(&meta.repository, &digest))
}

/// Refuses early what the state machine would refuse after all bytes were sent.
async fn check_writable(
    call: &Call,
    repository: &RepositoryName,
    exists: bool,
) -> Result<(), Problem> {
    let read = call.context.cluster.read(Freshness::Local, |view| settings::get(view));
    if read.await?.read_only {
        return Err(Refusal::ReadOnly.into());
    }
    if !exists && repository.components().count() != 2 {
        return Err(Refusal::RepositoryNameUnfit { repository: repository.clone() }.into());
    }
    Ok(())
}

/// The same for bytes that come now: while the registry takes any, and as far as the head of the
/// request says how many they are.
async fn check_room(
    call: &Call,
    UploadMeta { repository, account, .. }: &UploadMeta,
    digest: Option<&Digest>,
    start: Option<u64>,
) -> Result<(), Problem> {
    let bytes = call.content_length().unwrap_or(0).saturating_add(start.unwrap_or(0));
    let read = call.context.cluster.read(Freshness::Local, |view| {
        if settings::get(view)?.read_only {
            return Ok(Some(Refusal::ReadOnly));
        }
        quotas::refusal(view, (repository.namespace(), account), (digest, bytes))
    });
    read.await?.map_or(Ok(()), |refusal| Err(refusal.into()))
}

fn stream_of(call: Call) -> ByteStream {
    Box::pin(call.body) as Pin<Box<_>>
}

/// A failure that the client mends by looking where the upload stands.
fn located(failure: ContentFailure, repository: &RepositoryName, id: &UploadId) -> Problem {
    match failure {
        ContentFailure::OffsetMismatch { offset } | ContentFailure::Superseded { offset } => {
            Problem::ChunkMisplaced { location: location(repository, id), offset }
        }
        other => other.into(),
    }
}

fn location(repository: &RepositoryName, id: &UploadId) -> String {
    format!("/v2/{repository}/blobs/uploads/{id}")
}

fn describe(
    status: StatusCode,
    repository: &RepositoryName,
    id: &UploadId,
    offset: u64,
) -> Response {
    let mut response = answer::empty(status);
    let headers = response.headers_mut();
    answer::set(headers, LOCATION, &location(repository, id));
    answer::set(headers, RANGE, &upload_range(offset));
    answer::set(headers, DOCKER_UPLOAD_UUID, &id.to_string());
    answer::set(headers, http::header::CACHE_CONTROL, "no-store");
    set_length(&mut response, 0);
    response
}

fn accepted(repository: &RepositoryName, id: &UploadId, offset: u64) -> Response {
    describe(StatusCode::ACCEPTED, repository, id, offset)
}

fn created(repository: &RepositoryName, digest: &Digest) -> Response {
    let mut response = answer::empty(StatusCode::CREATED);
    let headers = response.headers_mut();
    answer::set(headers, LOCATION, &format!("/v2/{repository}/blobs/{digest}"));
    answer::set(headers, DOCKER_CONTENT_DIGEST, digest.as_str());
    set_length(&mut response, 0);
    response
}

//! Blobs: `GET`, `HEAD` and `DELETE` of `/v2/<name>/blobs/<digest>`.
//!
//! Source: OCI distribution-spec 1.1, "Pulling blobs"; registry-protocol BL1–BL8.

use axum::body::Body;
use axum::response::Response;
use consensus::cluster::{Failure, Freshness, Unavailable};
use edge::answer;
use edge::caller::Need;
use edge::conditional::EntityTags;
use edge::problem::Problem;
use http::header::{ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, IF_RANGE, RANGE};
use http::{HeaderMap, StatusCode};
use metadata::access::Action;
use metadata::blobs::commands::BlobUnlink;
use metadata::blobs::{self, BlobRow};
use metadata::leases::{self, LeaseRenew};
use metadata::outcome::Answer;
use oci::digest::Digest;
use oci::name::RepositoryName;
use rand::Rng;

use crate::caching::{self, AskedBy};
use crate::call::{Admitted, Call};
use crate::multipart::Parts;
use crate::ranges::{self, Asked};

/// The bytes of a blob, or some of them.
pub async fn get(call: Call, repository: RepositoryName, text: &str) -> Result<Response, Problem> {
    let digest = Digest::parse(text)?;
    let admitted = call.admit(Need::FreshOrLastKnown, &repository, Action::Pull).await?;
    let blob = readable(&call, &admitted, &repository, &digest).await?;
    if caching::is_fresh(call.headers(), digest.as_str()) {
        return Ok(caching::not_modified(|headers| describe(headers, &digest, &admitted)));
    }
    let mut response = match asked(&call, &digest, blob.size) {
        Asked::Nothing => return Err(Problem::RangeOutside { size: blob.size }),
        Asked::Whole => {
            let mut response = answer::empty(StatusCode::OK);
            let bytes = call.context.content.read(&digest, blob.size, 0..blob.size).await?;
            *response.body_mut() = Body::from_stream(bytes);
            set_length(&mut response, blob.size);
            response
        }
        Asked::One(range) => {
            let mut response = answer::empty(StatusCode::PARTIAL_CONTENT);
            let (first, last) = (range.start, range.end - 1);
            let part = format!("bytes {first}-{last}/{}", blob.size);
            let length = range.end - range.start;
            let bytes = call.context.content.read(&digest, blob.size, range).await?;
            *response.body_mut() = Body::from_stream(bytes);
            answer::set(response.headers_mut(), CONTENT_RANGE, &part);
            set_length(&mut response, length);
            response
        }
        Asked::Several(ranges) => several(&call, &digest, blob.size, ranges),
    };
    describe(response.headers_mut(), &digest, &admitted);
    Ok(response)
}

/// Whether the repository has the blob. To a caller who may push, 200 is a promise that it need not
/// be uploaded: given only where enough copies are there, and its lease is renewed.
pub async fn head(call: Call, repository: RepositoryName, text: &str) -> Result<Response, Problem> {
    let digest = Digest::parse(text)?;
    let admitted = call.admit(Need::FreshOrLastKnown, &repository, Action::Pull).await?;
    let may_push = admitted.caller.covers(&repository, Action::Push)
        && admitted.caller.permit(&call.context, &repository, Action::Push).await.is_ok();
    let blob = if may_push {
        promised(&call, &admitted, &repository, &digest).await?
    } else {
        readable(&call, &admitted, &repository, &digest).await?
    };
    if caching::is_fresh(call.headers(), digest.as_str()) {
        return Ok(caching::not_modified(|headers| describe(headers, &digest, &admitted)));
    }
    let mut response = answer::empty(StatusCode::OK);
    set_length(&mut response, blob.size);
    describe(response.headers_mut(), &digest, &admitted);
    Ok(response)
}

/// Takes the blob out of the repository; the bytes go later, when nothing else needs them.
pub async fn delete(
    call: Call,
    repository: RepositoryName,
    text: &str,
) -> Result<Response, Problem> {
    let digest = Digest::parse(text)?;
    let admitted = call.admit(Need::Fresh, &repository, Action::Delete).await?;
    let actor = admitted.caller.account().to_owned();
    let unlink = BlobUnlink { repository, digest, actor };
    let voucher = admitted.caller.voucher();
    call.context.cluster.propose_for(voucher, unlink.into()).await?;
    let mut response = answer::empty(StatusCode::ACCEPTED);
    set_length(&mut response, 0);
    Ok(response)
}

/// The blob, where the repository may read it.
async fn readable(
    call: &Call,
    admitted: &Admitted,
    repository: &RepositoryName,
    digest: &Digest,
) -> Result<BlobRow, Problem> {
    let cluster = &call.context.cluster;
    let read = cluster.read(Freshness::Local, |view| blobs::readable(view, repository, digest));
    match read.await? {
        Some(blob) => Ok(blob),
        None => Err(unknown(admitted, repository, digest)),
    }
}

/// The blob, where a client may be told not to upload it; its lease is made to last.
async fn promised(
    call: &Call,
    admitted: &Admitted,
    repository: &RepositoryName,
    digest: &Digest,
) -> Result<BlobRow, Problem> {
    // No promise without a majority.
    if admitted.caller.is_stale {
        return Err(no_majority());
    }
    let cluster = &call.context.cluster;
    let read = cluster.read(Freshness::Local, |view| {
        let blob = blobs::kept(view, repository, digest)?;
        Ok((blob, leases::needs_renewal(view, repository, digest)?))
    });
    let (blob, needs_renewal) = read.await?;
    let blob = blob.ok_or_else(|| unknown(admitted, repository, digest))?;
    if needs_renewal {
        let digests = vec![digest.clone()];
        let renew = LeaseRenew { repository: repository.clone(), digests };
        match cluster.propose(renew.into()).await? {
            Answer::LeasesRenewed { refused } if refused.is_empty() => {}
            _ => return Err(unknown(admitted, repository, digest)),
        }
    }
    Ok(blob)
}

/// 404, or 503 where nobody can tell whether it is so still.
fn unknown(admitted: &Admitted, repository: &RepositoryName, digest: &Digest) -> Problem {
    if admitted.caller.is_stale {
        return no_majority();
    }
    Problem::BlobUnknown { repository: repository.clone(), digest: digest.clone() }
}

pub(crate) fn no_majority() -> Problem {
    Failure::unavailable(Unavailable::NoMajority).into()
}

/// The range, unless `If-Range` names another version than this one.
fn asked(call: &Call, digest: &Digest, size: u64) -> Asked {
    let other = EntityTags::parse(call.headers(), IF_RANGE)
        .is_some_and(|tags| !tags.matches(digest.as_str()));
    if other { Asked::Whole } else { ranges::asked(call.header(RANGE), size) }
}

fn several(call: &Call, digest: &Digest, size: u64, ranges: Vec<std::ops::Range<u64>>) -> Response {
    let boundary = format!("holdfast-{:016x}", rand::rng().random::<u64>());
    let parts = Parts { digest: digest.clone(), size, ranges, boundary };
    let mut response = answer::empty(StatusCode::PARTIAL_CONTENT);
    set_length(&mut response, parts.length());
    answer::set(response.headers_mut(), CONTENT_TYPE, &parts.content_type());
    *response.body_mut() = parts.body(call.context.content.clone());
    response
}

fn describe(headers: &mut HeaderMap, digest: &Digest, admitted: &Admitted) {
    caching::content(headers, digest, AskedBy::Digest, admitted.permitted);
    answer::set(headers, ACCEPT_RANGES, "bytes");
    if !headers.contains_key(CONTENT_TYPE) {
        answer::set(headers, CONTENT_TYPE, "application/octet-stream");
    }
    warn_if_stale(headers, admitted);
}

/// Says that rights and content are those last known.
pub(crate) fn warn_if_stale(headers: &mut HeaderMap, admitted: &Admitted) {
    if admitted.caller.is_stale {
        answer::warn(headers, STALE);
    }
}

/// What people are told when no majority answers and content is served all the same.
pub(crate) const STALE: &str =
    "no majority of the cluster answers; answered by what this replica last knew";

pub(crate) fn set_length(response: &mut Response, bytes: u64) {
    answer::set(response.headers_mut(), CONTENT_LENGTH, &bytes.to_string());
}

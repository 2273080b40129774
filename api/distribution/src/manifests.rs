//! Manifests: `GET` and `HEAD` of `/v2/<name>/manifests/<reference>`.
//!
//! The bytes are answered as they were pushed, with the type they were pushed with; nothing is ever
//! converted, and `Accept` is not looked at.
//!
//! Source: OCI distribution-spec 1.1, "Pulling manifests"; registry-protocol MG1–MG7.

use axum::body::Body;
use axum::response::Response;
use consensus::cluster::Freshness;
use edge::answer;
use edge::caller::Need;
use edge::problem::Problem;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use metadata::access::Action;
use metadata::manifests::{self, Found};
use oci::name::{NameError, Reference, RepositoryName};

use crate::blobs::{no_majority, set_length, warn_if_stale};
use crate::caching::{self, AskedBy};
use crate::call::{Admitted, Call};

pub mod delete;
pub mod publish;
pub mod put;

/// A manifest by tag or by digest.
pub async fn get(call: Call, repository: RepositoryName, text: &str) -> Result<Response, Problem> {
    let reference = wanted(&repository, text)?;
    let (need, asked) = match &reference {
        // Where a tag points is not known without a majority.
        Reference::Tag(_) => (Need::Fresh, AskedBy::Tag),
        Reference::Digest(_) => (Need::FreshOrLastKnown, AskedBy::Digest),
    };
    let admitted = call.admit(need, &repository, Action::Pull).await?;
    let Some((Found { repository: number, digest, row }, is_pull)) =
        find(&call, &repository, &reference).await?
    else {
        return Err(unknown(&admitted, repository, text));
    };
    let describe = |headers: &mut HeaderMap| {
        caching::content(headers, &digest, asked, admitted.permitted);
        warn_if_stale(headers, &admitted);
    };
    if caching::is_fresh(call.headers(), digest.as_str()) {
        return Ok(caching::not_modified(describe));
    }
    let mut response = answer::empty(StatusCode::OK);
    if !call.is_head() {
        let bytes = call.context.content.read_small(&digest, row.size).await?;
        *response.body_mut() = Body::from(bytes);
        if is_pull {
            call.context.uses.pulled(number);
        }
        let tag = match &reference {
            Reference::Tag(tag) => Some(tag),
            Reference::Digest(_) => None,
        };
        call.context.pulls.note(&repository, tag, &digest, admitted.caller.identity.id);
    }
    set_length(&mut response, row.size);
    answer::set(response.headers_mut(), CONTENT_TYPE, &row.media_type);
    describe(response.headers_mut());
    Ok(response)
}

/// What is asked for. A tag against the grammar can't exist.
fn wanted(repository: &RepositoryName, text: &str) -> Result<Reference, Problem> {
    Reference::parse(text).map_err(|error| match error {
        NameError::Digest(error) => Problem::Digest(error),
        _ => Problem::ManifestUnknown {
            repository: repository.clone(),
            reference: text.chars().take(oci::name::TAG_BYTES_MAX).collect(),
        },
    })
}

/// The manifest, and whether getting it is to pull an image: not where it is a part of an index, of
/// which the client has counted as pulling already.
async fn find(
    call: &Call,
    repository: &RepositoryName,
    reference: &Reference,
) -> Result<Option<(Found, bool)>, Problem> {
    let may_be_part = matches!(reference, Reference::Digest(_)) && !call.is_head();
    let read = call.context.cluster.read(Freshness::Local, |view| {
        let Some(found) = manifests::resolve(view, repository, reference)? else { return Ok(None) };
        let is_part = may_be_part && manifests::is_part(view, &found)?;
        Ok(Some((found, !is_part)))
    });
    Ok(read.await?)
}

/// 404, or 503 where nobody can tell whether it is so still.
fn unknown(admitted: &Admitted, repository: RepositoryName, text: &str) -> Problem {
    if admitted.caller.is_stale {
        return no_majority();
    }
    Problem::ManifestUnknown { repository, reference: text.to_owned() }
}

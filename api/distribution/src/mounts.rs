//! Mounts: a blob of one repository made readable in another, without its bytes being sent.
//!
//! Source: OCI distribution-spec 1.1, "Mounting a blob from another repository"; registry-protocol
//! MO1–MO6.

use consensus::cluster::{Failure, Freshness};
use edge::caller::Caller;
use edge::problem::Problem;
use edge::query::Query;
use metadata::access::{self, Action};
use metadata::blobs;
use metadata::blobs::commands::BlobMount;
use metadata::leases;
use metadata::refusal::Refusal;
use oci::digest::Digest;
use oci::name::RepositoryName;

use crate::call::Call;

/// Where the blob is to come from, as far as it reads as a name: a malformed one is no mount.
pub fn source(query: &Query) -> Option<RepositoryName> {
    query.first("from").and_then(|from| RepositoryName::parse(from).ok())
}

/// Whether the blob was mounted. If it can't be, for whatever reason, the client uploads it; the
/// reason is not told, since it would tell what other repositories hold.
pub async fn try_mount(
    call: &Call,
    caller: &Caller,
    repository: &RepositoryName,
    from: Option<RepositoryName>,
    digest: &Digest,
) -> Result<bool, Problem> {
    if from.is_none() && call.query.first("from").is_some() {
        return Ok(false);
    }
    let who = caller.as_metadata();
    let cluster = &call.context.cluster;
    let found = cluster.read(Freshness::Local, |view| {
        let source = match &from {
            Some(from) => {
                access::judge(view, &who, from, Action::Pull)?.allowed.then(|| from.clone())
            }
            None => blobs::readable_anywhere(view, &who, digest)?,
        };
        let Some(source) = source else { return Ok(None) };
        if blobs::kept(view, &source, digest)?.is_none() {
            return Ok(None);
        }
        let is_there = blobs::kept(view, repository, digest)?.is_some()
            && !leases::needs_renewal(view, repository, digest)?;
        Ok(Some((source, is_there)))
    });
    let Some((source, is_there)) = found.await? else { return Ok(false) };
    // A token that was not given for the source narrows like a missing right does. Without a source
    // the client cannot know what to ask a token for: then the account's rights alone decide, but
    // for an access token that was narrowed on purpose.
    let must_cover = from.is_some_and(|from| from != *repository) || caller.identity.is_scoped();
    let is_narrowed =
        must_cover && caller.permit(&call.context, &source, Action::Pull).await.is_err();
    if is_narrowed {
        return Ok(false);
    }
    if is_there {
        return Ok(true);
    }
    let (repository, digest) = (repository.clone(), digest.clone());
    let actor = caller.account().to_owned();
    let mount = BlobMount { repository, from: Some(source), digest, actor };
    match cluster.propose_for(caller.voucher(), mount.into()).await {
        Ok(_) => Ok(true),
        Err(Failure::Refused(Refusal::BlobUnknown { .. })) => Ok(false),
        Err(failure) => Err(failure.into()),
    }
}

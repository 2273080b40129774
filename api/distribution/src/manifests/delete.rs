//! `DELETE /v2/<name>/manifests/<reference>`: a tag alone, or a manifest with all its tags.
//!
//! Source: OCI distribution-spec 1.1, "Deleting manifests"; registry-protocol MD1–MD5, H14.

use axum::response::Response;
use consensus::cluster::{Failure, Freshness};
use edge::answer;
use edge::caller::Need;
use edge::conditional::EntityTags;
use edge::manifest_deletion::{self, Gone};
use edge::problem::Problem;
use http::header::IF_MATCH;
use http::{HeaderMap, StatusCode};
use metadata::access::Action;
use metadata::manifests::delete::ManifestDelete;
use metadata::refusal::Refusal;
use metadata::settings;
use metadata::tags::{Precondition, TagDelete};
use oci::name::{Reference, RepositoryName, TagName};

use crate::blobs::set_length;
use crate::call::Call;
use crate::manifests::{put, wanted};

/// Tags that a remark names.
const TAGS_NAMED_MAX: usize = 50;

/// 202; what was deleted is gone for every request that begins after it, on every replica.
pub async fn delete(
    call: Call,
    repository: RepositoryName,
    text: &str,
) -> Result<Response, Problem> {
    let reference = wanted(&repository, text)?;
    let precondition = precondition(call.headers())?;
    let admitted = call.admit(Need::Fresh, &repository, Action::Delete).await?;
    let cluster = &call.context.cluster;
    if cluster.read(Freshness::Local, |view| settings::get(view)).await?.read_only {
        return Err(Refusal::ReadOnly.into());
    }
    let actor = admitted.caller.account().to_owned();
    let unknown =
        Problem::ManifestUnknown { repository: repository.clone(), reference: text.to_owned() };
    let deleted = match reference {
        Reference::Tag(tag) => {
            let delete = TagDelete { repository, tag, precondition, actor };
            let deleted = cluster.propose_for(admitted.caller.voucher(), delete.into()).await;
            // The tag was named; nothing else is gone.
            deleted.map(|_| Gone::default())
        }
        Reference::Digest(digest) => {
            let delete = ManifestDelete { repository, digest, actor };
            manifest_deletion::run(cluster, &admitted.caller, delete).await
        }
    };
    let gone = match deleted {
        Ok(gone) => gone,
        Err(Failure::Refused(Refusal::TagUnknown { .. })) => return Err(unknown),
        Err(failure) => return Err(failure.into()),
    };
    let mut response = answer::empty(StatusCode::ACCEPTED);
    set_length(&mut response, 0);
    if gone.count > 0 {
        answer::warn(response.headers_mut(), &remark(&gone));
    }
    Ok(response)
}

fn precondition(headers: &HeaderMap) -> Result<Option<Precondition>, Problem> {
    Ok(match EntityTags::parse(headers, IF_MATCH) {
        None => None,
        Some(EntityTags::Any) => Some(Precondition::Exists),
        Some(EntityTags::These(texts)) => {
            Some(Precondition::PointsAt { digests: put::digests(&texts)? })
        }
    })
}

/// `skopeo delete repo:tag` deletes by digest, and with it every tag on the manifest.
fn remark(gone: &Gone) -> String {
    let said = "these tags pointed at the manifest and are gone with it";
    named(said, &gone.named, gone.count)
}

/// What is said of `count` tags, of which the first are named, as many as a header may hold.
pub(crate) fn named(said: &str, tags: &[TagName], count: usize) -> String {
    let names: Vec<&str> = tags.iter().take(TAGS_NAMED_MAX).map(TagName::as_str).collect();
    let more = count.saturating_sub(names.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{said}: {}{more}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use oci::name::TagName;

    use super::{Gone, remark};

    #[test]
    fn the_remark_names_the_tags_that_went_but_not_without_end() {
        let tags: Vec<_> = (0..60).map(|n| TagName::parse(&format!("t{n}")).unwrap()).collect();
        let gone = |named: &[TagName], count| remark(&Gone { named: named.to_vec(), count });
        assert!(gone(&tags[..2], 2).ends_with(": t0, t1"));
        assert!(gone(&tags, 60).ends_with("t49 and 10 more"));
        assert!(gone(&tags, 300).ends_with("t49 and 250 more"));
    }
}

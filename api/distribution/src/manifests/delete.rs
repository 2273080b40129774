//! `DELETE /v2/<name>/manifests/<reference>`: a tag alone, or a manifest with all its tags.
//!
//! Source: OCI distribution-spec 1.1, "Deleting manifests"; registry-protocol MD1–MD5, H14.

use axum::response::Response;
use consensus::cluster::{Failure, Freshness};
use edge::answer;
use edge::caller::Need;
use edge::conditional::EntityTags;
use edge::problem::Problem;
use http::header::IF_MATCH;
use http::{HeaderMap, StatusCode};
use metadata::access::Action;
use metadata::command::Command;
use metadata::manifests::delete::ManifestDelete;
use metadata::outcome::Answer;
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
    let by_digest = matches!(reference, Reference::Digest(_));
    let unknown =
        Problem::ManifestUnknown { repository: repository.clone(), reference: text.to_owned() };
    let command: Command = match reference {
        Reference::Tag(tag) => TagDelete { repository, tag, precondition, actor }.into(),
        Reference::Digest(digest) => ManifestDelete { repository, digest, actor }.into(),
    };
    let tags = match cluster.propose_for(admitted.caller.voucher(), command).await {
        Ok(Answer::Deleted { tags }) => tags,
        Ok(_) => Vec::new(),
        Err(Failure::Refused(Refusal::TagUnknown { .. })) => return Err(unknown),
        Err(failure) => return Err(failure.into()),
    };
    let mut response = answer::empty(StatusCode::ACCEPTED);
    set_length(&mut response, 0);
    if by_digest && !tags.is_empty() {
        answer::warn(response.headers_mut(), &remark(&tags));
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
fn remark(tags: &[TagName]) -> String {
    named("these tags pointed at the manifest and are gone with it", tags)
}

/// What is said of some tags, which are named, as many as a header may hold.
pub(crate) fn named(said: &str, tags: &[TagName]) -> String {
    let names: Vec<&str> = tags.iter().take(TAGS_NAMED_MAX).map(TagName::as_str).collect();
    let more = tags.len().saturating_sub(TAGS_NAMED_MAX);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{said}: {}{more}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use oci::name::TagName;

    use super::remark;

    #[test]
    fn the_remark_names_the_tags_that_went_but_not_without_end() {
        let tags: Vec<_> = (0..60).map(|n| TagName::parse(&format!("t{n}")).unwrap()).collect();
        assert!(remark(&tags[..2]).ends_with(": t0, t1"));
        assert!(remark(&tags).ends_with("t49 and 10 more"));
    }
}

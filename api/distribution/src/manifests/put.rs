//! `PUT /v2/<name>/manifests/<reference>`: keeps a manifest and points tags at it.
//!
//! Source: OCI distribution-spec 1.1, "Pushing manifests"; registry-protocol 7.2, MP1–MP9, H14–H16.

use axum::response::Response;
use bytes::Bytes;
use edge::answer;
use edge::caller::Need;
use edge::conditional::EntityTags;
use edge::problem::Problem;
use http::header::{CONTENT_TYPE, ETAG, HeaderName, IF_MATCH, IF_NONE_MATCH, LOCATION};
use http::{HeaderMap, StatusCode};
use metadata::access::Action;
use metadata::refusal::Refusal;
use metadata::tags::Precondition;
use oci::digest::{Algorithm, Digest};
use oci::manifest::Manifest;
use oci::name::{Reference, RepositoryName, TagName};
use oci::verifier::digest_of;

use crate::blobs::set_length;
use crate::caching::DOCKER_CONTENT_DIGEST;
use crate::call::Call;
use crate::manifests::delete;
use crate::manifests::publish::{self, Pushed};

const OCI_SUBJECT: HeaderName = HeaderName::from_static("oci-subject");
const OCI_TAG: HeaderName = HeaderName::from_static("oci-tag");
/// Tags named by one `OCI-Tag` line.
const TAGS_PER_LINE: usize = 10;

/// Answers 201 once W holders have the bytes on disk and a majority has the metadata.
pub async fn put(call: Call, repository: RepositoryName, text: &str) -> Result<Response, Problem> {
    let reference = Reference::parse(text)?;
    let named = named_tags(&call)?;
    if matches!(reference, Reference::Tag(_)) && !named.is_empty() {
        return Err(Problem::Parameter(
            "?tag= goes with a digest; this path names a tag already".to_owned(),
        ));
    }
    let admitted = call.admit(Need::Fresh, &repository, Action::Push).await?;
    publish::check_writable(&call.context, &repository, admitted.permitted).await?;
    let (actor, voucher) = (admitted.caller.account().to_owned(), admitted.caller.voucher());
    let precondition = precondition(call.headers(), !named.is_empty(), &reference)?;
    let context = call.context.clone();
    let host = context.names.host(&call.parts);
    let declared = call.header(CONTENT_TYPE).map(str::to_owned);
    let bytes = read(call).await?;
    let digest = checked_digest(&reference, &bytes)?;
    let manifest = Manifest::parse(&bytes, declared.as_deref())?;
    let tags = match reference {
        Reference::Tag(tag) => vec![tag],
        Reference::Digest(_) => named.clone(),
    };
    let subject = manifest.subject.as_ref().map(|subject| subject.digest.clone());
    let by = (actor, voucher);
    let pushed = Pushed { repository, digest, manifest, bytes, tags, precondition, by };
    let published = publish::publish(&context, &pushed).await;
    let evicted = published.map_err(|problem| naming(host, problem))?;
    publish::count(&context, &pushed).await;
    let mut response = created(&pushed, subject.as_ref(), &named);
    if !evicted.is_empty() {
        let remark = delete::named(
            "the tag limit of the repository took these tags away",
            &evicted,
            evicted.len(),
        );
        answer::warn(response.headers_mut(), &remark);
    }
    Ok(response)
}

/// An immutable repository is named as the client wrote it, host first.
fn naming(host: String, problem: Problem) -> Problem {
    match problem {
        Problem::Refused(Refusal::TagImmutable { repository, tag }) => {
            Problem::TagImmutable { host, repository, tag }
        }
        other => other,
    }
}

/// The tags of `?tag=`, each once.
fn named_tags(call: &Call) -> Result<Vec<TagName>, Problem> {
    let tags_max = call.context.limits.tags_per_put_max;
    if call.query.all("tag").count() > tags_max {
        return Err(Problem::TooManyTags { tags_max });
    }
    let mut tags = Vec::new();
    for text in call.query.all("tag") {
        let tag = TagName::parse(text)?;
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    Ok(tags)
}

/// What the client asks of the tags before they move; nothing to ask where none does.
fn precondition(
    headers: &HeaderMap,
    names_tags: bool,
    reference: &Reference,
) -> Result<Option<Precondition>, Problem> {
    if matches!(reference, Reference::Digest(_)) && !names_tags {
        return Ok(None);
    }
    if let Some(tags) = EntityTags::parse(headers, IF_MATCH) {
        return Ok(Some(match tags {
            EntityTags::Any => Precondition::Exists,
            EntityTags::These(texts) => Precondition::PointsAt { digests: digests(&texts)? },
        }));
    }
    Ok(match EntityTags::parse(headers, IF_NONE_MATCH) {
        None => None,
        Some(EntityTags::Any) => Some(Precondition::Missing),
        Some(EntityTags::These(texts)) => {
            Some(Precondition::PointsElsewhere { digests: digests(&texts)? })
        }
    })
}

pub(crate) fn digests(texts: &[String]) -> Result<Vec<Digest>, Problem> {
    texts.iter().map(|text| Ok(Digest::parse(text)?)).collect()
}

/// The body, as far as a manifest may go.
async fn read(call: Call) -> Result<Bytes, Problem> {
    let bytes_max = call.context.limits.manifest_bytes_max;
    let too_large = Problem::ManifestTooLarge { bytes_max };
    if call.content_length().is_some_and(|length| length > bytes_max as u64) {
        return Err(too_large);
    }
    call.body.read_all(bytes_max).await?.ok_or(too_large)
}

/// The digest the manifest is kept under: that of the path, or, by tag, sha256.
fn checked_digest(reference: &Reference, bytes: &[u8]) -> Result<Digest, Problem> {
    match reference {
        Reference::Tag(_) => Ok(digest_of(Algorithm::Sha256, bytes)),
        Reference::Digest(expected) if digest_of(expected.algorithm(), bytes) == *expected => {
            Ok(expected.clone())
        }
        Reference::Digest(expected) => Err(Problem::DigestMismatch { expected: expected.clone() }),
    }
}

fn created(pushed: &Pushed, subject: Option<&Digest>, named: &[TagName]) -> Response {
    let mut response = answer::empty(StatusCode::CREATED);
    set_length(&mut response, 0);
    let headers = response.headers_mut();
    let digest = &pushed.digest;
    let location = format!("/v2/{}/manifests/{digest}", pushed.repository);
    answer::set(headers, LOCATION, &location);
    answer::set(headers, DOCKER_CONTENT_DIGEST, digest.as_str());
    answer::set(headers, ETAG, &format!("\"{digest}\""));
    if let Some(subject) = subject {
        answer::set(headers, OCI_SUBJECT, subject.as_str());
    }
    for line in named.chunks(TAGS_PER_LINE) {
        let line: Vec<&str> = line.iter().map(TagName::as_str).collect();
        answer::add(headers, OCI_TAG, &line.join(", "));
    }
    response
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use http::header::{IF_MATCH, IF_NONE_MATCH};
    use metadata::tags::Precondition;
    use oci::digest::Algorithm;
    use oci::name::Reference;
    use oci::verifier::digest_of;

    use super::{checked_digest, precondition};

    #[test]
    fn conditions_become_preconditions_of_tags() {
        let tag = Reference::parse("v1").unwrap();
        let digest = digest_of(Algorithm::Sha256, b"x");
        let by_digest = Reference::Digest(digest.clone());
        let quoted = format!("\"{digest}\"");
        let these = vec![digest.clone()];
        let cases = [
            (&tag, IF_MATCH, "*", false, Some(Precondition::Exists)),
            (
                &tag,
                IF_MATCH,
                quoted.as_str(),
                false,
                Some(Precondition::PointsAt { digests: these.clone() }),
            ),
            (&tag, IF_NONE_MATCH, "*", false, Some(Precondition::Missing)),
            (&by_digest, IF_NONE_MATCH, "*", false, None),
            (&by_digest, IF_NONE_MATCH, "*", true, Some(Precondition::Missing)),
            (
                &by_digest,
                IF_NONE_MATCH,
                quoted.as_str(),
                true,
                Some(Precondition::PointsElsewhere { digests: these }),
            ),
        ];
        for (reference, name, value, names_tags, expected) in cases {
            let mut headers = HeaderMap::new();
            headers.insert(name.clone(), value.parse().unwrap());
            let read = precondition(&headers, names_tags, reference).unwrap();
            assert_eq!(read, expected, "{name}: {value}");
        }
        let mut garbage = HeaderMap::new();
        garbage.insert(IF_MATCH, "\"x\"".parse().unwrap());
        assert!(precondition(&garbage, false, &tag).is_err());
    }

    #[test]
    fn a_manifest_is_kept_under_the_digest_of_its_path_or_sha256() {
        let wide = digest_of(Algorithm::Sha512, b"x");
        let tag = Reference::parse("v1").unwrap();
        assert_eq!(checked_digest(&tag, b"x").unwrap(), digest_of(Algorithm::Sha256, b"x"));
        assert_eq!(checked_digest(&Reference::Digest(wide.clone()), b"x").unwrap(), wide);
        assert!(checked_digest(&Reference::Digest(wide), b"y").is_err());
    }
}

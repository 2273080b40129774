//! How a problem is answered on `/v2`: status and code of the distribution specification.
//!
//! Only the codes of the specification stand in a 4XX. `MANIFEST_INVALID` is for format alone: some
//! clients take it as "try another manifest format" (H5).
//!
//! Source: OCI distribution-spec 1.1, "Error codes"; registry-protocol 2.2.

use axum::body::Body;
use axum::response::Response;
use content::failure::ContentFailure;
use http::StatusCode;
use metadata::refusal::Refusal;
use oci::manifest::ManifestError;
use oci::name::NameError;
use serde_json::{Map, Value, json};

use crate::form::{self, ErrorItem, Form};
use crate::problem::Problem;
use crate::request_log::RequestId;

/// The answer to a request of the registry; without a body to HEAD.
pub fn respond(problem: &Problem, request: &RequestId, is_head: bool) -> Response {
    form::log(problem, request);
    let form = form_of(problem);
    let message = form::message(problem);
    let errors = if let Problem::Refused(Refusal::ManifestBlobsUnknown { digests }) = problem {
        let each = digests.iter().map(|digest| ErrorItem {
            code: form.code,
            message: format!("the manifest names {digest}, which is not here; push it first"),
            detail: Some(json!({ "digest": digest })),
        });
        each.collect()
    } else {
        let detail = detail(problem, form, request);
        vec![ErrorItem { code: form.code, message, detail }]
    };
    let mut response = form::response(problem, form.status, errors);
    if is_head {
        *response.body_mut() = Body::empty();
    }
    response
}

fn form_of(problem: &Problem) -> Form {
    use StatusCode as S;
    match problem {
        Problem::PathUnknown | Problem::FeatureMissing { .. } | Problem::SpoolGone => {
            Form::new(S::NOT_FOUND, "NAME_UNKNOWN")
        }
        Problem::MethodNotAllowed { .. } | Problem::TrustDataNotKept => {
            Form::new(S::METHOD_NOT_ALLOWED, "UNSUPPORTED")
        }
        Problem::Name(NameError::Repository(_) | NameError::RepositoryTooLong) => {
            Form::new(S::BAD_REQUEST, "NAME_INVALID")
        }
        Problem::Name(NameError::Tag(_)) => Form::new(S::BAD_REQUEST, "MANIFEST_INVALID"),
        Problem::Name(NameError::Digest(_))
        | Problem::Digest(_)
        | Problem::DigestParameter
        | Problem::DigestMismatch { .. } => Form::new(S::BAD_REQUEST, "DIGEST_INVALID"),
        #[rustfmt::skip]
        Problem::PageNumber { .. } | Problem::Parameter(_) | Problem::VisibilityUnknown { .. }
        | Problem::Account(_) | Problem::TagUnknown { .. }
        | Problem::Json(_) => Form::new(S::BAD_REQUEST, "UNSUPPORTED"),
        Problem::HeadTooLarge { what: "headers", .. } => {
            Form::new(S::REQUEST_HEADER_FIELDS_TOO_LARGE, "UNSUPPORTED")
        }
        Problem::HeadTooLarge { .. } | Problem::TooManyTags { .. } => {
            Form::new(S::URI_TOO_LONG, "UNSUPPORTED")
        }
        Problem::BodyTooLarge { .. } => Form::new(S::PAYLOAD_TOO_LARGE, "SIZE_INVALID"),
        Problem::BodyBroken { .. } | Problem::LengthDiffers { .. } => {
            Form::new(S::BAD_REQUEST, "SIZE_INVALID")
        }
        Problem::Unauthorized { .. } => Form::new(S::UNAUTHORIZED, "UNAUTHORIZED"),
        Problem::TooManyAttempts { .. } => too_many("TOO_MANY_ATTEMPTS"),
        Problem::TooManyRequests(_) => too_many("TOO_MANY_REQUESTS"),
        Problem::Denied { reason, .. } => denied(form::word(*reason)),
        Problem::NotAuthorized => denied("ADMIN_REQUIRED"),
        Problem::PasswordIncorrect { .. } => denied("PASSWORD_INCORRECT"),
        Problem::RepositoryUnknown { .. } => Form::new(S::NOT_FOUND, "NAME_UNKNOWN"),
        Problem::RepositoryNotCreated { .. } => denied("REPOSITORY_NOT_CREATED"),
        Problem::TagImmutable { .. } => Form::new(S::CONFLICT, "DENIED").because("TAG_IMMUTABLE"),
        Problem::ManifestUnknown { .. } => Form::new(S::NOT_FOUND, "MANIFEST_UNKNOWN"),
        Problem::BlobUnknown { .. } => Form::new(S::NOT_FOUND, "BLOB_UNKNOWN"),
        Problem::RangeOutside { .. } => Form::new(S::RANGE_NOT_SATISFIABLE, "SIZE_INVALID"),
        Problem::ChunkMalformed { .. } => Form::new(S::BAD_REQUEST, "BLOB_UPLOAD_INVALID"),
        Problem::ChunkMisplaced { .. } => {
            Form::new(S::RANGE_NOT_SATISFIABLE, "BLOB_UPLOAD_INVALID")
        }
        Problem::Manifest(ManifestError::TooLarge(_)) | Problem::ManifestTooLarge { .. } => {
            Form::new(S::PAYLOAD_TOO_LARGE, "MANIFEST_INVALID")
        }
        Problem::Manifest(_) => Form::new(S::BAD_REQUEST, "MANIFEST_INVALID"),
        Problem::Refused(refusal) => form_of_refusal(refusal),
        Problem::Content(failure) => form_of_content(failure),
        Problem::Unsafe(_) => Form::new(S::CONFLICT, "DENIED"),
        Problem::Busy { .. } => Form::new(S::SERVICE_UNAVAILABLE, "UNAVAILABLE").because("BUSY"),
        Problem::Unavailable { reason, .. } => Form::new(S::SERVICE_UNAVAILABLE, "UNAVAILABLE")
            .because(form::unavailable_word(*reason)),
        Problem::Fault(_) => Form::new(S::INTERNAL_SERVER_ERROR, "UNKNOWN"),
    }
}

/// A right that is missing.
fn denied(reason: &'static str) -> Form {
    Form::new(StatusCode::FORBIDDEN, "DENIED").because(reason)
}

/// A caller's own limit (CL7).
fn too_many(reason: &'static str) -> Form {
    Form::new(StatusCode::TOO_MANY_REQUESTS, "TOOMANYREQUESTS").because(reason)
}

/// Refusals that no request of this surface can lead to are faults here.
fn form_of_refusal(refusal: &Refusal) -> Form {
    use {Refusal as R, StatusCode as S};
    let unsupported = Form::new(S::METHOD_NOT_ALLOWED, "UNSUPPORTED");
    match refusal {
        R::ReadOnly => unsupported.because("READ_ONLY"),
        R::Denied { reason, .. } => denied(form::word(*reason)),
        R::CredentialsRevoked { .. } => denied("CREDENTIALS_REVOKED"),
        R::LimitReached { .. } => Form::new(S::CONFLICT, "DENIED").because("LIMIT_REACHED"),
        R::TooMuch { .. } => Form::new(S::BAD_REQUEST, "UNSUPPORTED"),
        // A push to a namespace whose former owner's things are still being removed.
        R::AccountGoing { .. } => Form::new(S::CONFLICT, "DENIED").because("ACCOUNT_BEING_DELETED"),
        #[rustfmt::skip]
        R::AccountNameInvalid { .. } | R::AccountNameReserved { .. }
        | R::RepositoryNameUnfit { .. } => Form::new(S::BAD_REQUEST, "NAME_INVALID"),
        R::RepositoryUnknown { .. } => Form::new(S::NOT_FOUND, "NAME_UNKNOWN"),
        R::BlobUnknown { .. } => Form::new(S::NOT_FOUND, "BLOB_UNKNOWN"),
        R::BlobReferenced { .. } => unsupported.because("BLOB_REFERENCED"),
        R::SizeMismatch { .. } | R::ManifestTooLarge => {
            Form::new(S::BAD_REQUEST, "MANIFEST_INVALID")
        }
        R::ReceiptsTooFew { .. } | R::ReceiptStale { .. } | R::HoldersTooFew { .. } => {
            Form::new(S::SERVICE_UNAVAILABLE, "UNAVAILABLE").because("TOO_FEW_HOLDERS")
        }
        R::ManifestBlobsUnknown { .. } => Form::new(S::BAD_REQUEST, "MANIFEST_BLOB_UNKNOWN"),
        R::ManifestUnknown { .. } | R::TagUnknown { .. } => {
            Form::new(S::NOT_FOUND, "MANIFEST_UNKNOWN")
        }
        R::ManifestHasParents { .. } => unsupported.because("MANIFEST_REFERENCED"),
        R::TagImmutable { .. } => Form::new(S::CONFLICT, "DENIED").because("TAG_IMMUTABLE"),
        R::TagsOverLimit { .. } => denied("TAG_LIMIT"),
        R::QuotaExceeded { .. } => denied("QUOTA_EXCEEDED"),
        R::PreconditionFailed { .. } => {
            Form::new(S::PRECONDITION_FAILED, "DENIED").because("PRECONDITION_FAILED")
        }
        // One a line, they would bury the arms that say something.
        #[rustfmt::skip]
        R::SessionClosed { .. } | R::NumberClosed { .. } | R::LifeOver { .. }
        | R::IncarnationUnknown { .. } | R::MemberUnknown { .. } | R::ReplicaIdTaken { .. }
        | R::KeyStruck { .. } | R::MachineTaken { .. } | R::MemberIsVoter { .. }
        | R::MembersExhausted | R::JoinTokenUnknown { .. } | R::JoinTokenExpired { .. }
        | R::JoinTokenUsedUp { .. } | R::JoinTokenExists { .. } | R::JoinTokenUnfit { .. }
        | R::ClusterExists { .. } | R::SettingOutOfBounds { .. } | R::AccountIsOrganization { .. }
        | R::LastAdministrator { .. } | R::RepositoryExists { .. } | R::BlobNeeded { .. }
        | R::GenerationPassed { .. } | R::HolderListed { .. } | R::HolderUnlisted { .. }
        | R::CopiesTooFew { .. } | R::ClusterFull { .. } | R::AccountExists { .. }
        | R::NotAuthorized { .. } | R::AccountUnknown { .. } | R::AccountIsUser { .. }
        | R::GroupMemberUnknown { .. } | R::TeamUnknown | R::TeamExists { .. }
        | R::TeamNameInvalid { .. } | R::TeamElsewhere { .. } | R::PasswordChanged { .. }
        | R::AccessTokenUnknown | R::AccessTokenExists | R::UndeleteTooLarge | R::AdoptionOpen
        | R::TagLimitOnImmutable { .. } | R::TagLimitReached { .. } | R::TagNotDeleted { .. }
        | R::TagExists { .. } | R::DirectoryNotReady { .. } | R::SyncRunning { .. } | R::SyncOver
        | R::AccountIsSystem { .. } | R::RecoveryAdministrator { .. } | R::PublicKeyUnknown
        | R::PublicKeyTaken | R::TokenKeyRotated | R::ClientAuthorityMissing | R::PasswordsRefused
        | R::RobotUnfit { .. } | R::Outsider { .. } | R::OpenIdNotReady { .. } | R::ClusterNotAlone
        | R::OpenIdNotAdmitted { .. } | R::RequestKeyReused | R::RequestKeysFull { .. }
        | R::JobUnknown | R::JobHoldOver | R::JobUnfit { .. } | R::CronUnknown { .. }
        | R::ActionConfigUnknown { .. } | R::WorkerUnknown { .. } | R::MemberIsLast { .. }
        | R::VersionUnknown { .. } => Form::new(S::INTERNAL_SERVER_ERROR, "UNKNOWN"),
    }
}

fn form_of_content(failure: &ContentFailure) -> Form {
    use StatusCode as S;
    let unavailable = Form::new(S::SERVICE_UNAVAILABLE, "UNAVAILABLE");
    match failure {
        ContentFailure::UploadUnknown => Form::new(S::NOT_FOUND, "BLOB_UPLOAD_UNKNOWN"),
        ContentFailure::OffsetMismatch { .. } | ContentFailure::Superseded { .. } => {
            Form::new(S::RANGE_NOT_SATISFIABLE, "BLOB_UPLOAD_INVALID")
        }
        ContentFailure::DigestMismatch { .. } => Form::new(S::BAD_REQUEST, "DIGEST_INVALID"),
        ContentFailure::BodyBroken { .. } => Form::new(S::BAD_REQUEST, "SIZE_INVALID"),
        ContentFailure::TooLarge { .. } => Form::new(S::PAYLOAD_TOO_LARGE, "SIZE_INVALID"),
        ContentFailure::TooManyUploads { .. } => too_many("TOO_MANY_UPLOADS"),
        ContentFailure::NoRoom => {
            Form::new(S::INSUFFICIENT_STORAGE, "UNAVAILABLE").because("NO_ROOM")
        }
        ContentFailure::TooFewHolders { .. } => unavailable.because("TOO_FEW_HOLDERS"),
        ContentFailure::BlobUnreachable { .. } => unavailable.because("BLOB_UNREACHABLE"),
        ContentFailure::OwnerUnreachable => unavailable.because("UPLOAD_OWNER_UNREACHABLE"),
        ContentFailure::Busy { .. } => unavailable.because("BUSY"),
        ContentFailure::Later { why, .. } => unavailable.because(form::owner_word(*why)),
        ContentFailure::Cluster(_) | ContentFailure::Fault(_) => {
            Form::new(S::INTERNAL_SERVER_ERROR, "UNKNOWN")
        }
    }
}

/// What a program may want to know beyond the code.
fn detail(problem: &Problem, form: Form, request: &RequestId) -> Option<Value> {
    let mut detail = Map::new();
    if let Some(reason) = form.reason {
        detail.insert("reason".to_owned(), json!(reason));
    }
    let more = match problem {
        Problem::BlobUnknown { digest, .. } | Problem::DigestMismatch { expected: digest } => {
            json!({ "digest": digest })
        }
        Problem::ManifestUnknown { reference, .. } => json!({ "reference": reference }),
        Problem::Refused(Refusal::PreconditionFailed { tag, current }) => {
            json!({ "tag": tag.as_str(), "current": current })
        }
        Problem::Refused(Refusal::BlobReferenced { digest, manifests }) => {
            json!({ "digest": digest, "manifests": manifests })
        }
        Problem::Refused(Refusal::ManifestHasParents { digest, parents }) => {
            json!({ "digest": digest, "manifests": parents })
        }
        Problem::Refused(Refusal::QuotaExceeded { namespace, used, limit, asked }) => {
            json!({ "namespace": namespace, "used": used, "limit": limit, "asked": asked })
        }
        Problem::Refused(Refusal::TagsOverLimit { limit }) => json!({ "limit": limit }),
        _ if form.status == StatusCode::INTERNAL_SERVER_ERROR => {
            json!({ "request_id": request.0 })
        }
        _ => Value::Null,
    };
    if let Value::Object(more) = more {
        detail.extend(more);
    }
    (!detail.is_empty()).then_some(Value::Object(detail))
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use http_body_util::BodyExt;
    use metadata::refusal::Refusal;
    use oci::digest::Algorithm;
    use oci::name::{RepositoryName, TagName};
    use oci::verifier::digest_of;
    use serde_json::{Value, json};

    use super::respond;
    use crate::problem::Problem;
    use crate::request_log::RequestId;

    async fn shown(problem: Problem) -> (StatusCode, Value) {
        let response = respond(&problem, &RequestId("r1".to_owned()), false);
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap())
    }

    #[tokio::test]
    async fn each_missing_digest_is_an_error_of_its_own() {
        let digests: Vec<_> =
            [b"a", b"b"].iter().map(|b| digest_of(Algorithm::Sha256, *b)).collect();
        let problem = Refusal::ManifestBlobsUnknown { digests: digests.clone() }.into();
        let (status, document) = shown(problem).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        let errors = document["errors"].as_array().unwrap();
        assert_eq!(errors.len(), 2);
        for (error, digest) in errors.iter().zip(&digests) {
            assert_eq!(error["code"], "MANIFEST_BLOB_UNKNOWN");
            assert_eq!(error["detail"]["digest"], json!(digest));
        }
    }

    #[tokio::test]
    async fn an_immutable_tag_is_said_in_the_known_words() {
        let repository = RepositoryName::parse("ns/repo").unwrap();
        let tag = TagName::parse("latest").unwrap();
        let host = "reg.example.com:7001".to_owned();
        let (status, document) = shown(Problem::TagImmutable { host, repository, tag }).await;
        assert_eq!(status, StatusCode::CONFLICT);
        assert_eq!(document["errors"][0]["code"], "DENIED");
        let words = "tag=latest cannot be overwritten because reg.example.com:7001/ns/repo is an \
                     immutable repository";
        assert_eq!(document["errors"][0]["message"], words);
    }

    #[tokio::test]
    async fn a_fault_shows_its_id_and_not_its_cause() {
        let (status, document) = shown(Problem::Fault("secret path".to_owned())).await;
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(document["errors"][0]["detail"]["request_id"], "r1");
        assert!(!document.to_string().contains("secret path"));
    }

    #[tokio::test]
    async fn head_gets_no_body_and_a_503_says_when() {
        let reason = consensus::cluster::Unavailable::NoMajority;
        let problem = Problem::Unavailable { reason, retry_after_s: 5 };
        let response = respond(&problem, &RequestId("r1".to_owned()), true);
        assert_eq!(response.headers()["retry-after"], "5");
        assert!(response.into_body().collect().await.unwrap().to_bytes().is_empty());
        let (_, document) = shown(problem).await;
        assert_eq!(document["errors"][0]["detail"]["reason"], "NO_QUORUM");
    }
}

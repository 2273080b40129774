//! How a problem is answered outside of `/v2`: status and code of the management API.
//!
//! Clients match on the code, never on the text.
//!
//! Source: dtr-interface 1.1.

use axum::response::Response;
use content::failure::ContentFailure;
use http::StatusCode;
use metadata::refusal::Refusal;
use serde_json::{Value, json};

use crate::form::{self, ErrorItem, Form};
use crate::problem::{AccountProblem, Problem};
use crate::request_log::RequestId;

/// The answer to a request of the management API.
pub fn respond(problem: &Problem, request: &RequestId) -> Response {
    form::log(problem, request);
    let form = form_of(problem);
    let message = form::message(problem);
    let detail = detail(form, request);
    form::response(problem, form.status, vec![ErrorItem { code: form.code, message, detail }])
}

fn form_of(problem: &Problem) -> Form {
    use StatusCode as S;
    let invalid = Form::new(S::BAD_REQUEST, "INVALID_PARAMETERS");
    match problem {
        Problem::PathUnknown => Form::new(S::NOT_FOUND, "NOT_FOUND"),
        Problem::FeatureMissing { .. } => Form::new(S::NOT_FOUND, "NOT_AVAILABLE"),
        Problem::MethodNotAllowed { .. } | Problem::TrustDataNotKept => {
            Form::new(S::METHOD_NOT_ALLOWED, "NOT_ALLOWED")
        }
        Problem::Name(_) => Form::new(S::BAD_REQUEST, "INVALID_REPOSITORY_NAME"),
        Problem::Digest(_) | Problem::DigestParameter | Problem::DigestMismatch { .. } => {
            Form::new(S::BAD_REQUEST, "INVALID_DIGEST")
        }
        Problem::VisibilityUnknown { .. } => {
            Form::new(S::BAD_REQUEST, "INVALID_REPOSITORY_VISIBILITY")
        }
        Problem::PageNumber { .. }
        | Problem::Parameter(_)
        | Problem::BodyBroken { .. }
        | Problem::ChunkMalformed { .. }
        | Problem::LengthDiffers { .. }
        | Problem::Manifest(_) => invalid,
        Problem::Json(_) => Form::new(S::BAD_REQUEST, "INVALID_JSON"),
        Problem::HeadTooLarge { what: "headers", .. } => {
            Form::new(S::REQUEST_HEADER_FIELDS_TOO_LARGE, "INVALID_PARAMETERS")
        }
        Problem::HeadTooLarge { .. } | Problem::TooManyTags { .. } => {
            Form::new(S::URI_TOO_LONG, "INVALID_PARAMETERS")
        }
        Problem::BodyTooLarge { .. } | Problem::ManifestTooLarge { .. } => {
            Form::new(S::PAYLOAD_TOO_LARGE, "INVALID_PARAMETERS")
        }
        Problem::Unauthorized { .. } => Form::new(S::UNAUTHORIZED, "NOT_AUTHENTICATED"),
        Problem::TooManyAttempts { .. } | Problem::TooManyRequests(_) => {
            Form::new(S::TOO_MANY_REQUESTS, "TOO_MANY_REQUESTS")
        }
        Problem::Denied { .. } | Problem::NotAuthorized | Problem::RepositoryNotCreated { .. } => {
            Form::new(S::FORBIDDEN, "NOT_AUTHORIZED")
        }
        Problem::PasswordIncorrect { .. } => Form::new(S::FORBIDDEN, "PASSWORD_INCORRECT"),
        Problem::RepositoryUnknown { .. } => Form::new(S::NOT_FOUND, "NO_SUCH_REPOSITORY"),
        Problem::Account(problem) => form_of_account(problem),
        Problem::TagImmutable { .. } => Form::new(S::CONFLICT, "NOT_ALLOWED"),
        Problem::ManifestUnknown { .. } => Form::new(S::NOT_FOUND, "NO_SUCH_REF"),
        Problem::BlobUnknown { .. } => Form::new(S::NOT_FOUND, "NO_SUCH_LAYER"),
        Problem::RangeOutside { .. } | Problem::ChunkMisplaced { .. } => {
            Form::new(S::RANGE_NOT_SATISFIABLE, "INVALID_PARAMETERS")
        }
        Problem::Refused(refusal) => form_of_refusal(refusal),
        Problem::Content(failure) => form_of_content(failure),
        Problem::Busy { .. } => Form::new(S::SERVICE_UNAVAILABLE, "UNAVAILABLE"),
        Problem::Unavailable { reason, .. } => {
            Form::new(S::SERVICE_UNAVAILABLE, form::unavailable_word(*reason))
        }
        Problem::Fault(_) => Form::new(S::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR"),
    }
}

fn form_of_account(problem: &AccountProblem) -> Form {
    use StatusCode as S;
    match problem {
        AccountProblem::RepositoryNotShared { .. } => {
            Form::new(S::BAD_REQUEST, "REPOSITORY_NOT_ORGANIZATION_OWNED")
        }
        AccountProblem::NamespaceAccessUnknown { .. } => {
            Form::new(S::NOT_FOUND, "NO_SUCH_NAMESPACE_TEAM_ACCESS")
        }
        AccountProblem::PasswordNeeded => Form::new(S::FORBIDDEN, "NOT_AUTHORIZED"),
        AccountProblem::UserUnknown { .. } => Form::new(S::NOT_FOUND, "NO_SUCH_USER"),
    }
}

fn form_of_refusal(refusal: &Refusal) -> Form {
    use StatusCode as S;
    let fault = Form::new(S::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR");
    match refusal {
        Refusal::ReadOnly => Form::new(S::METHOD_NOT_ALLOWED, "NOT_ALLOWED"),
        Refusal::Denied { .. } => Form::new(S::FORBIDDEN, "NOT_AUTHORIZED"),
        Refusal::SettingOutOfBounds { .. } => Form::new(S::BAD_REQUEST, "INVALID_SETTINGS"),
        Refusal::NotAuthorized { .. } => Form::new(S::FORBIDDEN, "NOT_AUTHORIZED"),
        Refusal::AccountUnknown { .. } => Form::new(S::NOT_FOUND, "NO_SUCH_ACCOUNT"),
        Refusal::GroupMemberUnknown { .. } => Form::new(S::NOT_FOUND, "NO_SUCH_MEMBER"),
        Refusal::TeamUnknown => Form::new(S::NOT_FOUND, "NO_SUCH_TEAM"),
        Refusal::TeamExists { .. } => Form::new(S::BAD_REQUEST, "TEAM_EXISTS"),
        Refusal::TeamElsewhere { .. } => Form::new(S::BAD_REQUEST, "TEAM_NOT_IN_ORGANIZATION"),
        Refusal::AccountIsUser { .. } => Form::new(S::BAD_REQUEST, "NAMESPACE_NOT_ORGANIZATION"),
        Refusal::PasswordChanged { .. } => Form::new(S::FORBIDDEN, "PASSWORD_INCORRECT"),
        Refusal::AccessTokenUnknown => Form::new(S::NOT_FOUND, "NO_SUCH_API_TOKEN"),
        // The last administrator stays, however it is tried.
        Refusal::LastAdministrator { .. } => Form::new(S::METHOD_NOT_ALLOWED, "NOT_ALLOWED"),
        Refusal::AccountNameInvalid { .. }
        | Refusal::TeamNameInvalid { .. }
        | Refusal::JoinTokenUnfit { .. }
        | Refusal::ManifestTooLarge
        | Refusal::SizeMismatch { .. } => Form::new(S::BAD_REQUEST, "INVALID_PARAMETERS"),
        Refusal::AccountExists { .. } | Refusal::AccountGoing { .. } => {
            Form::new(S::BAD_REQUEST, "ACCOUNT_EXISTS")
        }
        Refusal::AccountIsOrganization { .. } => Form::new(S::NOT_FOUND, "NO_SUCH_USER"),
        Refusal::RepositoryExists { .. } => Form::new(S::BAD_REQUEST, "REPOSITORY_EXISTS"),
        Refusal::RepositoryNameUnfit { .. } => Form::new(S::BAD_REQUEST, "INVALID_REPOSITORY_NAME"),
        Refusal::RepositoryUnknown { .. } => Form::new(S::NOT_FOUND, "NO_SUCH_REPOSITORY"),
        Refusal::JoinTokenUnknown { .. }
        | Refusal::JoinTokenExpired { .. }
        | Refusal::JoinTokenUsedUp { .. } => Form::new(S::NOT_FOUND, "NO_SUCH_JOIN_TOKEN"),
        Refusal::MemberUnknown { .. } => Form::new(S::NOT_FOUND, "NO_SUCH_REPLICA"),
        Refusal::BlobUnknown { .. } => Form::new(S::NOT_FOUND, "NO_SUCH_LAYER"),
        Refusal::ManifestUnknown { .. } => Form::new(S::NOT_FOUND, "NO_SUCH_REF"),
        Refusal::TagUnknown { .. } => Form::new(S::NOT_FOUND, "NO_SUCH_TAG"),
        Refusal::TagImmutable { .. }
        | Refusal::BlobReferenced { .. }
        | Refusal::ManifestHasParents { .. }
        | Refusal::MemberIsVoter { .. }
        | Refusal::ManifestBlobsUnknown { .. } => Form::new(S::CONFLICT, "NOT_ALLOWED"),
        Refusal::PreconditionFailed { .. } => {
            Form::new(S::PRECONDITION_FAILED, "PRECONDITION_FAILED")
        }
        Refusal::ReceiptsTooFew { .. }
        | Refusal::ReceiptStale { .. }
        | Refusal::HoldersTooFew { .. } => Form::new(S::SERVICE_UNAVAILABLE, "UNAVAILABLE"),
        // One a line, they would bury the arms that say something.
        #[rustfmt::skip]
        Refusal::SessionClosed { .. } | Refusal::NumberClosed { .. } | Refusal::LifeOver { .. }
        | Refusal::IncarnationUnknown { .. } | Refusal::ReplicaIdTaken { .. }
        | Refusal::KeyStruck { .. } | Refusal::MachineTaken { .. } | Refusal::MembersExhausted
        | Refusal::JoinTokenExists { .. } | Refusal::AccessTokenExists
        | Refusal::ClusterExists { .. } | Refusal::BlobNeeded { .. }
        | Refusal::GenerationPassed { .. } | Refusal::HolderListed { .. }
        | Refusal::HolderUnlisted { .. } | Refusal::CopiesTooFew { .. }
        | Refusal::ClusterFull { .. } => fault,
    }
}

fn form_of_content(failure: &ContentFailure) -> Form {
    use StatusCode as S;
    match failure {
        ContentFailure::UploadUnknown => Form::new(S::NOT_FOUND, "NOT_FOUND"),
        ContentFailure::OffsetMismatch { .. }
        | ContentFailure::Superseded { .. }
        | ContentFailure::DigestMismatch { .. }
        | ContentFailure::BodyBroken { .. } => Form::new(S::BAD_REQUEST, "INVALID_PARAMETERS"),
        ContentFailure::TooLarge { .. } => Form::new(S::PAYLOAD_TOO_LARGE, "INVALID_PARAMETERS"),
        ContentFailure::TooManyUploads { .. } => {
            Form::new(S::TOO_MANY_REQUESTS, "TOO_MANY_REQUESTS")
        }
        ContentFailure::NoRoom => Form::new(S::INSUFFICIENT_STORAGE, "NO_ROOM"),
        ContentFailure::TooFewHolders { .. }
        | ContentFailure::BlobUnreachable { .. }
        | ContentFailure::Later { .. }
        | ContentFailure::OwnerUnreachable
        | ContentFailure::Busy { .. } => Form::new(S::SERVICE_UNAVAILABLE, "UNAVAILABLE"),
        ContentFailure::Cluster(_) | ContentFailure::Fault(_) => {
            Form::new(S::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR")
        }
    }
}

fn detail(form: Form, request: &RequestId) -> Option<Value> {
    let is_fault = form.status == StatusCode::INTERNAL_SERVER_ERROR;
    is_fault.then(|| json!({ "request_id": request.0 }))
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use http_body_util::BodyExt;
    use serde_json::Value;

    use super::respond;
    use crate::problem::Problem;
    use crate::request_log::RequestId;

    #[tokio::test]
    async fn no_quorum_has_its_code_and_a_time() {
        let reason = consensus::cluster::Unavailable::NoMajority;
        let problem = Problem::Unavailable { reason, retry_after_s: 5 };
        let response = respond(&problem, &RequestId("r1".to_owned()));
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()["retry-after"], "5");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let document: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(document["errors"][0]["code"], "NO_QUORUM");
    }
}

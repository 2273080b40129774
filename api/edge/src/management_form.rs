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

/// What a person is told of it.
pub fn message(problem: &Problem) -> String {
    form::message(problem)
}

/// The status by which a problem is answered.
pub fn status(problem: &Problem) -> StatusCode {
    form_of(problem).status
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
        Problem::SpoolGone => Form::new(StatusCode::PRECONDITION_FAILED, "PRECONDITION_FAILED"),
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
        Problem::TagUnknown { .. } => Form::new(S::NOT_FOUND, "NO_SUCH_TAG"),
        Problem::BlobUnknown { .. } => Form::new(S::NOT_FOUND, "NO_SUCH_LAYER"),
        Problem::RangeOutside { .. } | Problem::ChunkMisplaced { .. } => {
            Form::new(S::RANGE_NOT_SATISFIABLE, "INVALID_PARAMETERS")
        }
        Problem::Refused(refusal) => form_of_refusal(refusal),
        Problem::Content(failure) => form_of_content(failure),
        Problem::Unsafe(_) => Form::new(S::CONFLICT, "UNSAFE"),
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
        AccountProblem::PasswordNeeded
        | AccountProblem::OtherSite
        | AccountProblem::RobotManages
        | AccountProblem::SignInRefused(_)
        | AccountProblem::CsrfTokenMissing => Form::new(S::FORBIDDEN, "NOT_AUTHORIZED"),
        AccountProblem::CacheUnknown { .. } => Form::new(S::BAD_REQUEST, "INVALID_USER_SETTINGS"),
        AccountProblem::AnswerLost => Form::new(S::CONFLICT, "IDEMPOTENCY_ANSWER_LOST"),
        AccountProblem::UserUnknown { .. } => Form::new(S::NOT_FOUND, "NO_SUCH_USER"),
    }
}

fn form_of_refusal(refusal: &Refusal) -> Form {
    use {Refusal as R, StatusCode as S};
    match refusal {
        #[rustfmt::skip]
        R::Denied { .. } | R::NotAuthorized { .. } | R::PasswordsRefused | R::Outsider { .. }
        | R::OpenIdNotAdmitted { .. } | R::CredentialsRevoked { .. }
        => Form::new(S::FORBIDDEN, "NOT_AUTHORIZED"),
        #[rustfmt::skip]
        R::ReadOnly | R::LastAdministrator { .. } | R::AccountIsSystem { .. }
        | R::RecoveryAdministrator { .. } => Form::new(S::METHOD_NOT_ALLOWED, "NOT_ALLOWED"),
        R::SyncRunning { .. } | R::SyncOver => Form::new(S::CONFLICT, "SYNC_RUNNING"),
        R::SettingOutOfBounds { .. } | R::ClientAuthorityMissing => {
            Form::new(S::BAD_REQUEST, "INVALID_SETTINGS")
        }
        #[rustfmt::skip]
        R::TagLimitOnImmutable { .. } | R::TagsOverLimit { .. } | R::TagLimitReached { .. }
        | R::TagNotDeleted { .. } | R::TagExists { .. } | R::UndeleteTooLarge | R::RequestKeyReused
        | R::QuotaExceeded { .. } | R::RequestKeysFull { .. } => form_of_rule(refusal),
        #[rustfmt::skip]
        R::AccountUnknown { .. } | R::AccountIsUser { .. } | R::AccountIsOrganization { .. }
        | R::AccountExists { .. } | R::AccountGoing { .. } | R::GroupMemberUnknown { .. }
        | R::TeamUnknown | R::TeamExists { .. } | R::TeamElsewhere { .. }
        | R::PasswordChanged { .. } => form_of_account_refusal(refusal),
        #[rustfmt::skip]
        R::JobUnknown | R::CronUnknown { .. } | R::ActionConfigUnknown { .. } | R::PublicKeyUnknown
        | R::WorkerUnknown { .. } | R::AccessTokenUnknown | R::JoinTokenUnknown { .. }
        | R::JoinTokenExpired { .. } | R::JoinTokenUsedUp { .. } => unknown(refusal),
        R::PublicKeyTaken => Form::new(S::BAD_REQUEST, "PUBLIC_KEY_EXISTS"),
        #[rustfmt::skip]
        R::AccountNameInvalid { .. } | R::AccountNameReserved { .. }
        | R::TeamNameInvalid { .. } | R::JoinTokenUnfit { .. } | R::RobotUnfit { .. }
        | R::ManifestTooLarge | R::DirectoryNotReady { .. } | R::OpenIdNotReady { .. }
        | R::SizeMismatch { .. } | R::TooMuch { .. } | R::JobUnfit { .. }
        => Form::new(S::BAD_REQUEST, "INVALID_PARAMETERS"),
        R::RepositoryExists { .. } => Form::new(S::BAD_REQUEST, "REPOSITORY_EXISTS"),
        R::RepositoryNameUnfit { .. } => Form::new(S::BAD_REQUEST, "INVALID_REPOSITORY_NAME"),
        R::RepositoryUnknown { .. } => Form::new(S::NOT_FOUND, "NO_SUCH_REPOSITORY"),
        R::MemberUnknown { .. } => Form::new(S::NOT_FOUND, "NO_SUCH_REPLICA"),
        R::BlobUnknown { .. } => Form::new(S::NOT_FOUND, "NO_SUCH_LAYER"),
        R::ManifestUnknown { .. } => Form::new(S::NOT_FOUND, "NO_SUCH_REF"),
        R::TagUnknown { .. } => Form::new(S::NOT_FOUND, "NO_SUCH_TAG"),
        #[rustfmt::skip]
        R::TagImmutable { .. } | R::BlobReferenced { .. } | R::TokenKeyRotated
        | R::ManifestHasParents { .. } | R::MemberIsVoter { .. } | R::ManifestBlobsUnknown { .. }
        | R::MemberIsLast { .. } | R::LimitReached { .. } => Form::new(S::CONFLICT, "NOT_ALLOWED"),
        R::PreconditionFailed { .. } => Form::new(S::PRECONDITION_FAILED, "PRECONDITION_FAILED"),
        #[rustfmt::skip]
        R::ReceiptsTooFew { .. } | R::ReceiptStale { .. } | R::HoldersTooFew { .. }
        => Form::new(S::SERVICE_UNAVAILABLE, "UNAVAILABLE"),
        // One a line, they would bury the arms that say something.
        #[rustfmt::skip]
        R::SessionClosed { .. } | R::NumberClosed { .. } | R::LifeOver { .. } | R::AdoptionOpen
        | R::IncarnationUnknown { .. } | R::ReplicaIdTaken { .. } | R::KeyStruck { .. }
        | R::MachineTaken { .. } | R::MembersExhausted | R::JoinTokenExists { .. }
        | R::AccessTokenExists | R::ClusterExists { .. } | R::BlobNeeded { .. }
        | R::GenerationPassed { .. } | R::HolderListed { .. } | R::HolderUnlisted { .. }
        | R::CopiesTooFew { .. } | R::ClusterFull { .. } | R::JobHoldOver | R::ClusterNotAlone
        | R::VersionUnknown { .. } => Form::new(S::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR"),
    }
}

/// One of a kind is not there that [`form_of_refusal`] names.
fn unknown(refusal: &Refusal) -> Form {
    let code = match refusal {
        Refusal::JobUnknown => "NO_SUCH_JOB",
        Refusal::JoinTokenUnknown { .. }
        | Refusal::JoinTokenExpired { .. }
        | Refusal::JoinTokenUsedUp { .. } => "NO_SUCH_JOIN_TOKEN",
        Refusal::CronUnknown { .. } => "NO_SUCH_CRON",
        Refusal::ActionConfigUnknown { .. } => "NO_SUCH_ACTION_CONFIG",
        Refusal::WorkerUnknown { .. } => "NO_SUCH_WORKER",
        Refusal::AccessTokenUnknown => "NO_SUCH_API_TOKEN",
        _ => "NO_SUCH_PUBLIC_KEY",
    };
    Form::new(StatusCode::NOT_FOUND, code)
}

/// Refusals by the rules of repositories, namespaces and keys of requests, which
/// [`form_of_refusal`] names.
fn form_of_rule(refusal: &Refusal) -> Form {
    use StatusCode as S;
    match refusal {
        Refusal::TagLimitOnImmutable { .. } => Form::new(S::BAD_REQUEST, "INVALID_SETTINGS"),
        Refusal::TagNotDeleted { .. } => Form::new(S::NOT_FOUND, "NO_SUCH_TAG"),
        Refusal::TagExists { .. } => Form::new(S::CONFLICT, "TAG_EXISTS"),
        Refusal::QuotaExceeded { .. } => Form::new(S::FORBIDDEN, "QUOTA_EXCEEDED"),
        Refusal::RequestKeyReused => Form::new(S::UNPROCESSABLE_ENTITY, "IDEMPOTENCY_KEY_REUSED"),
        Refusal::RequestKeysFull { .. } => Form::new(S::TOO_MANY_REQUESTS, "TOO_MANY_REQUESTS"),
        _ => Form::new(S::CONFLICT, "NOT_ALLOWED"),
    }
}

/// Refusals about accounts, teams and members, which [`form_of_refusal`] names.
fn form_of_account_refusal(refusal: &Refusal) -> Form {
    use StatusCode as S;
    match refusal {
        Refusal::AccountUnknown { .. } => Form::new(S::NOT_FOUND, "NO_SUCH_ACCOUNT"),
        Refusal::AccountIsUser { .. } => Form::new(S::BAD_REQUEST, "NAMESPACE_NOT_ORGANIZATION"),
        Refusal::AccountIsOrganization { .. } => Form::new(S::NOT_FOUND, "NO_SUCH_USER"),
        Refusal::AccountExists { .. } | Refusal::AccountGoing { .. } => {
            Form::new(S::BAD_REQUEST, "ACCOUNT_EXISTS")
        }
        Refusal::PasswordChanged { .. } => Form::new(S::FORBIDDEN, "PASSWORD_INCORRECT"),
        Refusal::GroupMemberUnknown { .. } => Form::new(S::NOT_FOUND, "NO_SUCH_MEMBER"),
        Refusal::TeamExists { .. } => Form::new(S::BAD_REQUEST, "TEAM_EXISTS"),
        Refusal::TeamElsewhere { .. } => Form::new(S::BAD_REQUEST, "TEAM_NOT_IN_ORGANIZATION"),
        _ => Form::new(S::NOT_FOUND, "NO_SUCH_TEAM"),
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

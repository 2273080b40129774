//! What both forms of a failed answer share: the headers, and the error document.

use axum::body::Body;
use axum::response::Response;
use consensus::cluster::Unavailable;
use content::failure::ContentFailure;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_RANGE, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, RANGE,
    RETRY_AFTER, WWW_AUTHENTICATE,
};
use http::{HeaderMap, StatusCode};
use metadata::access::Reason;
use serde::Serialize;
use serde_json::Value;
use transfer::owner::Why;

use crate::answer;
use crate::problem::Problem;
use crate::rates::Exceeded;
use crate::request_log::RequestId;

/// When to try again where nothing else says so.
const RETRY_AFTER_S: u32 = 5;

/// A status and a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Form {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    /// Our own stable word for it, where the code says too little.
    pub(crate) reason: Option<&'static str>,
}

impl Form {
    pub(crate) fn new(status: StatusCode, code: &'static str) -> Self {
        Self { status, code, reason: None }
    }

    pub(crate) fn because(self, reason: &'static str) -> Self {
        Self { reason: Some(reason), ..self }
    }
}

/// One error of the document.
#[derive(Debug, Serialize)]
pub(crate) struct ErrorItem {
    pub(crate) code: &'static str,
    pub(crate) message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) detail: Option<Value>,
}

#[derive(Serialize)]
struct Document {
    errors: Vec<ErrorItem>,
}

/// The whole answer.
pub(crate) fn response(problem: &Problem, status: StatusCode, errors: Vec<ErrorItem>) -> Response {
    let body = serde_json::to_string(&Document { errors }).unwrap_or_default();
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    set_headers(problem, status, headers);
    response
}

/// What a person reads; of a fault only that it is in the log.
pub(crate) fn message(problem: &Problem) -> String {
    match problem {
        Problem::Fault(_) => {
            "something failed on this replica; its log says what, under this request id".to_owned()
        }
        other => other.to_string(),
    }
}

/// Logs a fault, once, with what caused it.
pub(crate) fn log(problem: &Problem, request: &RequestId) {
    match problem {
        Problem::Fault(cause) => tracing::error!(request_id = %request.0, "{cause}"),
        other => tracing::debug!("{other}"),
    }
}

/// The word for a missing right.
pub(crate) fn word(reason: Reason) -> &'static str {
    match reason {
        Reason::Permitted => "PERMITTED",
        Reason::SignInRequired => "SIGN_IN_REQUIRED",
        Reason::ReadRequired => "READ_REQUIRED",
        Reason::WriteRequired => "WRITE_REQUIRED",
        Reason::AdminRequired => "ADMIN_REQUIRED",
        Reason::RepositoryMissing => "REPOSITORY_MISSING",
        Reason::CreateOnPushOff => "REPOSITORY_NOT_CREATED",
        Reason::AccountInactive => "ACCOUNT_INACTIVE",
    }
}

/// The word for what is missing when the cluster can't answer.
pub(crate) fn unavailable_word(reason: Unavailable) -> &'static str {
    match reason {
        Unavailable::NoMajority => "NO_QUORUM",
        Unavailable::NoLeader => "NO_LEADER",
        Unavailable::Unknown => "OUTCOME_UNKNOWN",
        Unavailable::CatchingUp => "CATCHING_UP",
        Unavailable::ShuttingDown => "SHUTTING_DOWN",
    }
}

/// The word for what the replica lacks that carried the request out: the same as if it had been
/// asked itself.
pub(crate) fn owner_word(why: Why) -> &'static str {
    match why {
        Why::NoMajority => unavailable_word(Unavailable::NoMajority),
        Why::NoLeader => unavailable_word(Unavailable::NoLeader),
        Why::OutcomeUnknown => unavailable_word(Unavailable::Unknown),
        Why::CatchingUp => unavailable_word(Unavailable::CatchingUp),
        Why::ShuttingDown => unavailable_word(Unavailable::ShuttingDown),
        Why::TooFewHolders => "TOO_FEW_HOLDERS",
        Why::BlobUnreachable => "BLOB_UNREACHABLE",
        Why::OwnerUnreachable => "UPLOAD_OWNER_UNREACHABLE",
        Why::Busy => "BUSY",
    }
}

/// The `Range` of an upload of so many bytes: `0-0` where there is none yet.
///
/// Source: registry-protocol UP1, UP2.
pub fn upload_range(offset: u64) -> String {
    format!("0-{}", offset.saturating_sub(1))
}

fn set_headers(problem: &Problem, status: StatusCode, headers: &mut HeaderMap) {
    let mut set = |name: HeaderName, value: &str| answer::set(headers, name, value);
    match problem {
        Problem::Unauthorized { challenge, .. } => set(WWW_AUTHENTICATE, challenge),
        Problem::MethodNotAllowed { allow } => set(ALLOW, allow),
        Problem::RangeOutside { size } => set(CONTENT_RANGE, &format!("bytes */{size}")),
        Problem::ChunkMisplaced { location, offset } => {
            set(LOCATION, location);
            set(RANGE, &upload_range(*offset));
        }
        Problem::TooManyAttempts { retry_after_s }
        | Problem::TooManyRequests(Exceeded { retry_after_s, .. })
        | Problem::Unavailable { retry_after_s, .. }
        | Problem::Content(ContentFailure::Later { retry_after_s, .. }) => {
            set(RETRY_AFTER, &retry_after_s.to_string());
        }
        _ if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) => {
            set(RETRY_AFTER, &RETRY_AFTER_S.to_string());
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::upload_range;

    #[test]
    fn an_uploads_range_is_inclusive_and_never_negative() {
        let cases = [(0, "0-0"), (1, "0-0"), (2, "0-1"), (1024, "0-1023")];
        for (offset, expected) in cases {
            assert_eq!(upload_range(offset), expected, "{offset} bytes");
        }
    }
}

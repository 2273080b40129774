//! Answers: an outcome as JSON, at once or with signs of life until it is there.

use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use http::{Response, StatusCode, header};
use serde::Serialize;

use crate::body::{BoxBody, Ended, full, streamed};
use crate::failure::TransferFailure;
use crate::owner::OwnerFailure;
use crate::protocol::{Outcome, SIGN_OF_LIFE};

/// What an answer may fail with.
pub(super) trait Failure: Serialize + Clone + Send + 'static {
    /// The status that goes with it.
    fn status(&self) -> StatusCode;

    /// What is to blame here, for the log; `None` where nothing is.
    fn fault(&self) -> Option<&str>;
}

impl Failure for TransferFailure {
    fn status(&self) -> StatusCode {
        TransferFailure::status(self)
    }

    fn fault(&self) -> Option<&str> {
        match self {
            Self::Fault { text } => Some(text),
            _ => None,
        }
    }
}

impl Failure for OwnerFailure {
    fn status(&self) -> StatusCode {
        match self {
            Self::UploadUnknown => StatusCode::NOT_FOUND,
            Self::OffsetMismatch { .. } | Self::Superseded { .. } => StatusCode::CONFLICT,
            Self::BodyBroken { .. } => StatusCode::BAD_REQUEST,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::DigestMismatch | Self::Refused { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Self::NoRoom => StatusCode::INSUFFICIENT_STORAGE,
            Self::TooManyUploads { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::Fault { .. } => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unreachable { .. } => StatusCode::BAD_GATEWAY,
        }
    }

    fn fault(&self) -> Option<&str> {
        // The owner has logged its faults itself.
        None
    }
}

/// The answer for what is known already.
pub(super) fn at_once<T: Serialize + Clone, F: Failure>(
    result: &Result<T, F>,
) -> Response<BoxBody> {
    let status = match result {
        Ok(_) => StatusCode::OK,
        Err(failure) => failure.status(),
    };
    json(status, full(text_of(result)))
}

/// The answer for `work`. Where that takes long after the request's body has ended, the answer
/// begins before it is known, and shows a blank now and then: so the peer can tell work from a dead
/// connection.
pub(super) async fn when_done<T, F>(
    work: impl Future<Output = Result<T, F>> + Send + 'static,
    body_ended: Ended,
) -> Response<BoxBody>
where
    T: Serialize + Clone + Send + 'static,
    F: Failure,
{
    when_done_within(SIGN_OF_LIFE, work, body_ended).await
}

pub(super) async fn when_done_within<T, F>(
    sign_of_life: Duration,
    work: impl Future<Output = Result<T, F>> + Send + 'static,
    body_ended: Ended,
) -> Response<BoxBody>
where
    T: Serialize + Clone + Send + 'static,
    F: Failure,
{
    let mut work: Pin<Box<dyn Future<Output = Result<T, F>> + Send>> = Box::pin(work);
    let patience = async {
        body_ended.await;
        tokio::time::sleep(sign_of_life).await;
    };
    tokio::select! {
        biased;
        result = &mut work => return at_once(&result),
        () = patience => {}
    }
    let signs = stream::unfold(Some(work), move |work| async move {
        let mut work = work?;
        tokio::select! {
            biased;
            result = &mut work => Some((Ok(text_of(&result)), None)),
            () = tokio::time::sleep(sign_of_life) => {
                Some((Ok(Bytes::from_static(b" ")), Some(work)))
            }
        }
    });
    json(StatusCode::OK, streamed(signs))
}

fn text_of<T: Serialize + Clone, F: Failure>(result: &Result<T, F>) -> Bytes {
    if let Err(failure) = result {
        log_fault(failure);
    }
    // Numbers, texts and structs of them: writing those as JSON does not fail.
    serde_json::to_vec(&Outcome::from(result.clone())).unwrap_or_default().into()
}

/// Logs what is to blame here, if anything is.
pub(super) fn log_fault(failure: &impl Failure) {
    if let Some(fault) = failure.fault() {
        tracing::error!(fault, "a peer's request failed here");
    }
}

fn json(status: StatusCode, body: BoxBody) -> Response<BoxBody> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let kind = header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http_body_util::BodyExt;

    use super::*;

    const SIGN: Duration = Duration::from_secs(5);

    #[tokio::test(start_paused = true)]
    async fn long_work_shows_signs_of_life_and_short_work_does_not() {
        for (seconds, signs) in [(0, 0), (4, 0), (6, 0), (11, 1), (26, 4)] {
            let work = async move {
                tokio::time::sleep(Duration::from_secs(seconds)).await;
                Ok::<_, TransferFailure>(7)
            };
            let response = when_done_within(SIGN, work, Box::pin(async {})).await;
            assert_eq!(response.status(), StatusCode::OK);
            let text = response.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(text.split(|byte| *byte == b' ').count() - 1, signs, "{seconds} s");
            let outcome: Outcome<u64, TransferFailure> = serde_json::from_slice(&text).unwrap();
            assert_eq!(outcome, Outcome::Done(7));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn no_answer_begins_while_the_body_is_still_coming() {
        let work = async {
            tokio::time::sleep(Duration::from_secs(60)).await;
            Err::<(), _>(TransferFailure::NoRoom)
        };
        let response = when_done_within(SIGN, work, Box::pin(std::future::pending())).await;
        assert_eq!(response.status(), StatusCode::INSUFFICIENT_STORAGE);
    }

    #[test]
    fn the_form_of_an_answer_stays_as_it_was() {
        let receipt = crate::receipt::Receipt {
            replica_id: "r".to_owned(),
            incarnation: "i".to_owned(),
            applied_index: 42,
            generation: 3,
        };
        let as_sent =
            r#"{"done":{"applied_index":42,"generation":3,"incarnation":"i","replica_id":"r"}}"#;
        let cases: [(Result<serde_json::Value, TransferFailure>, &str); 4] = [
            (Ok(serde_json::to_value(receipt).unwrap()), as_sent),
            (Ok(serde_json::Value::Null), r#"{"done":null}"#),
            (
                Err(TransferFailure::OffsetMismatch { offset: 5 }),
                r#"{"failed":{"kind":"offset_mismatch","offset":5}}"#,
            ),
            (Err(TransferFailure::BlobUnknown), r#"{"failed":{"kind":"blob_unknown"}}"#),
        ];
        for (result, text) in cases {
            assert_eq!(text_of(&result), text.as_bytes());
        }
    }
}

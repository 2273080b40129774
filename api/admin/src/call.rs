//! One request, as the handlers of this surface get it.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use edge::body::RequestBody;
use edge::caller::{Admission, Caller, ChallengeKind, Need};
use edge::context::Context;
use edge::management_form;
use edge::problem::Problem;
use edge::request_log::RequestId;
use http::request::Parts;
use serde::de::DeserializeOwned;

/// A request of the management API.
pub struct Call {
    /// The replica.
    pub context: Arc<Context>,
    /// Method, path and headers.
    pub parts: Parts,
    body: Body,
}

impl Call {
    /// Takes a request apart.
    pub fn new(context: Arc<Context>, request: Request) -> Self {
        let (parts, body) = request.into_parts();
        Self { context, parts, body }
    }

    /// Lets in system administrators only.
    ///
    /// Borrows no more than it reads: a body can't be shared between threads, so a reference to the
    /// whole call would tie the handler to one.
    pub fn administrator(
        &self,
        need: Need,
    ) -> impl Future<Output = Result<Caller, Problem>> + Send {
        let (context, parts) = (&self.context, &self.parts);
        async move {
            let admission = Admission { need, challenge: ChallengeKind::Basic, scope: None };
            let caller = Caller::admit(context, parts, admission).await?;
            caller.permit_system()?;
            Ok(caller)
        }
    }

    /// The JSON document of the body; an empty body reads as `{}`.
    pub async fn json<T: DeserializeOwned>(self) -> Result<T, Problem> {
        let bytes_max = self.context.limits.form_bytes_max;
        let body = RequestBody::new(self.body, self.context);
        let bytes = body.read_all(bytes_max).await?;
        let bytes = bytes.ok_or(Problem::BodyTooLarge { bytes_max: bytes_max as u64 })?;
        let bytes = if bytes.is_empty() { b"{}".as_slice() } else { &bytes };
        serde_json::from_slice(bytes).map_err(|error| Problem::Json(error.to_string()))
    }
}

/// Runs a handler and presents what went wrong.
pub(crate) async fn answered<F>(
    context: Arc<Context>,
    request: Request,
    handle: impl FnOnce(Call) -> F,
) -> Response
where
    F: Future<Output = Result<Response, Problem>>,
{
    let id = RequestId::of(request.extensions());
    let answer = handle(Call::new(context, request)).await;
    answer.unwrap_or_else(|problem| management_form::respond(&problem, &id))
}

//! One request, as the handlers of this surface get it.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{RawPathParams, Request};
use edge::body::RequestBody;
use edge::caller::{Admission, Caller, ChallengeKind, Need};
use edge::context::Context;
use edge::problem::Problem;
use edge::query::Query;
use http::request::Parts;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

/// A body that is there within this time came with its request.
const AT_ONCE_MS: u64 = 1_000;

/// A request of the management API.
pub struct Call {
    /// The replica.
    pub context: Arc<Context>,
    /// Method, path and headers.
    pub parts: Parts,
    /// What is asked behind the `?`.
    pub query: Query,
    places: Vec<(String, String)>,
    body: Body,
}

impl Call {
    /// Takes a request apart. `params` are what stands in the places of its path's template.
    pub fn new(context: Arc<Context>, params: &RawPathParams, request: Request) -> Self {
        let (parts, body) = request.into_parts();
        let places = params.iter().map(|(name, text)| (name.to_owned(), text.to_owned()));
        let query = Query::parse(parts.uri.query());
        Self { context, query, places: places.collect(), parts, body }
    }

    /// What stands in a place of the path, `{ns}` for example; empty where the template has no such
    /// place.
    pub fn place(&self, name: &str) -> &str {
        let found = self.places.iter().find(|(place, _)| place == name);
        found.map(|(_, text)| text.as_str()).unwrap_or_default()
    }

    /// Lets in system administrators only.
    ///
    /// Borrows no more than it reads: a body can't be shared between threads, so a reference to the
    /// whole call would tie the handler to one.
    pub fn administrator(
        &self,
        need: Need,
    ) -> impl Future<Output = Result<Caller, Problem>> + Send + use<> {
        let caller = self.admit(need);
        async move { caller.await?.into_administrator() }
    }

    /// Lets in everybody who signed in, with all that their account may do.
    pub fn signed_in(&self) -> impl Future<Output = Result<Caller, Problem>> + Send + use<> {
        let caller = self.admit(Need::Fresh);
        async move {
            let caller = caller.await?;
            caller.permit_whole()?;
            Ok(caller)
        }
    }

    /// Lets in everybody, signed in or not.
    pub fn anyone(&self) -> impl Future<Output = Result<Caller, Problem>> + Send + use<> {
        self.admit(Need::Fresh)
    }

    fn admit(&self, need: Need) -> impl Future<Output = Result<Caller, Problem>> + Send + use<> {
        let (context, parts) = (Arc::clone(&self.context), self.parts.clone());
        async move {
            let admission = Admission { need, challenge: ChallengeKind::Basic, scope: None };
            Caller::admit(&context, &parts, admission).await
        }
    }

    /// The fields of a form that a page sends. Whoever sends it is let in afterwards.
    pub async fn form(self) -> Result<Query, Problem> {
        let bytes_max = self.context.limits.form_bytes_max;
        let bytes = RequestBody::new(self.body, self.context).read_all(bytes_max).await?;
        let bytes = bytes.ok_or(Problem::BodyTooLarge { bytes_max: bytes_max as u64 })?;
        Ok(Query::parse(Some(&String::from_utf8_lossy(&bytes))))
    }

    /// The JSON document of the body; an empty body reads as `{}`.
    ///
    /// Who sends it slowly is let in anew: what they came with may have been taken back since.
    pub async fn json<T: DeserializeOwned>(self) -> Result<T, Problem> {
        let again = self.admit(Need::Fresh);
        let (context, begun_ms) = (self.context.clone(), self.context.clock.monotonic_ms());
        let bytes_max = self.context.limits.form_bytes_max;
        let body = RequestBody::new(self.body, self.context);
        let bytes = body.read_all(bytes_max).await?;
        if context.clock.monotonic_ms().saturating_sub(begun_ms) > AT_ONCE_MS {
            again.await?;
        }
        let bytes = bytes.ok_or(Problem::BodyTooLarge { bytes_max: bytes_max as u64 })?;
        let bytes = if bytes.is_empty() { b"{}".as_slice() } else { &bytes };
        serde_json::from_slice(bytes).map_err(|error| Problem::Json(place_of(&error)))
    }
}

/// What is wrong with a document, and where. The reader's own text would repeat the value, which
/// may be a password.
fn place_of(error: &serde_json::Error) -> String {
    let what = match error.classify() {
        Category::Data => "a field is missing, or is of another type than it should be",
        Category::Eof => "the document ends too early",
        Category::Syntax | Category::Io => "this is no JSON",
    };
    format!("{what}: line {}, column {}", error.line(), error.column())
}

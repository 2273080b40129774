//! An id for each request: in its answer, in every log line of its handling, and in the body of a
//! fault.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use consensus::origin;
use http::header::HeaderName;
use rand::Rng;
use tracing::{Instrument, Level};

use crate::answer;
use crate::context::Context;
use crate::counted::CountedBody;
use crate::origin::Connected;
use crate::traffic::Surface;

/// Where the id stands in an answer.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A request's id: 16 hexadecimal digits; an extension of the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(pub String);

impl RequestId {
    fn random() -> Self {
        Self(format!("{:016x}", rand::rng().random::<u64>()))
    }

    /// The id of the request with these extensions.
    pub fn of(extensions: &http::Extensions) -> Self {
        extensions.get::<Self>().cloned().unwrap_or_else(|| Self("-".to_owned()))
    }
}

/// A path as the log tells it: short, and without an access token that stands in the place of its
/// hash.
fn told(path: &str) -> String {
    let parts = path.split('/').map(|part| if part.starts_with("hf_") { "hf_…" } else { part });
    parts.collect::<Vec<_>>().join("/").chars().take(300).collect()
}

/// Names, counts and logs one request.
///
/// The path is logged, the query is not: nothing secret belongs there, but clients err.
pub async fn observe<F: Future<Output = Response>>(
    context: &Arc<Context>,
    mut request: Request,
    handle: impl FnOnce(Request) -> F,
) -> Response {
    let id = RequestId::random();
    request.extensions_mut().insert(id.clone());
    let method = request.method().clone();
    let path = told(request.uri().path());
    let connected = request.extensions().get::<Connected>();
    let address = connected.map(|connected| connected.address.ip());
    let client = address.map_or_else(String::new, |address| address.to_string());
    let span = tracing::info_span!("request", id = %id.0, %method, path, client);

    let begun_ms = context.clock.monotonic_ms();
    let handled = origin::of_request(address, id.0.clone(), handle(request));
    let mut response = handled.instrument(span.clone()).await;
    let took_ms = context.clock.monotonic_ms().saturating_sub(begun_ms);
    let took = Duration::from_millis(took_ms);

    let status = response.status();
    let surface = Surface::of(&path);
    context.traffic.answered(surface, &method, status, took);
    span.in_scope(|| {
        if surface == Surface::Health {
            tracing::event!(Level::DEBUG, status = status.as_u16(), took_ms);
        } else {
            tracing::event!(Level::INFO, status = status.as_u16(), took_ms);
        }
    });
    answer::set(response.headers_mut(), X_REQUEST_ID, &id.0);
    response.map(|body| Body::new(CountedBody::new(body, Arc::clone(context))))
}

//! The way in: reads the path, hands the request to its noun, and presents what went wrong.

use std::sync::Arc;

use axum::extract::Request;
use axum::response::Response;
use edge::body::RequestBody;
use edge::context::Context;
use edge::problem::Problem;
use edge::query::Query;
use edge::registry_form;
use edge::request_log::RequestId;
use http::Method;
use http::header::{HeaderName, HeaderValue};

use crate::call::Call;
use crate::route::{Route, RouteError};
use crate::{blobs, catalog, manifests, ping, referrers, tags, tokens, uploads};

const DISTRIBUTION_API_VERSION: HeaderName =
    HeaderName::from_static("docker-distribution-api-version");

/// Whether a path belongs to this surface.
pub fn serves(path: &str) -> bool {
    path == "/v2" || path.starts_with("/v2/") || path == "/auth/token"
}

/// Answers any request under `/v2`, and `/auth/token`.
pub async fn serve(context: Arc<Context>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let id = RequestId::of(&parts.extensions);
    let is_head = parts.method == Method::HEAD;
    let is_registry = parts.uri.path() != "/auth/token";
    let answered = match Route::parse(parts.uri.path()) {
        Ok(route) => {
            let body = RequestBody::new(body, Arc::clone(&context));
            let query = Query::parse(parts.uri.query());
            dispatch(route, Call { context, parts, query, body }).await
        }
        Err(RouteError::Trust) => Err(Problem::TrustDataNotKept),
        Err(RouteError::Unknown) => Err(Problem::PathUnknown),
        Err(RouteError::Name(error)) => Err(Problem::Name(error)),
    };
    let mut response =
        answered.unwrap_or_else(|problem| registry_form::respond(&problem, &id, is_head));
    if is_registry {
        let version = HeaderValue::from_static("registry/2.0");
        response.headers_mut().insert(DISTRIBUTION_API_VERSION, version);
    }
    response
}

async fn dispatch(route: Route, call: Call) -> Result<Response, Problem> {
    if let Some(repository) = route.repository() {
        call.check_length(repository)?;
    }
    let allow = route.methods();
    let method = call.parts.method.clone();
    match (route, method.as_str()) {
        // What takes bytes in has large futures; they are not to lie in that of every request.
        (Route::Ping, "GET" | "HEAD") => ping::get(call).await,
        (Route::Catalog, "GET") => catalog::get(call).await,
        (Route::Token, "GET") => tokens::get(call).await,
        (Route::Token, "POST") => tokens::post(call).await,
        (Route::Tags(name), "GET") => tags::list(call, name).await,
        (Route::Referrers(name, digest), "GET") => referrers::list(call, name, &digest).await,
        (Route::Manifest(name, reference), "GET" | "HEAD") => {
            manifests::get(call, name, &reference).await
        }
        (Route::Manifest(name, reference), "PUT") => {
            Box::pin(manifests::put::put(call, name, &reference)).await
        }
        (Route::Manifest(name, reference), "DELETE") => {
            manifests::delete::delete(call, name, &reference).await
        }
        (Route::Blob(name, digest), "GET") => blobs::get(call, name, &digest).await,
        (Route::Blob(name, digest), "HEAD") => blobs::head(call, name, &digest).await,
        (Route::Blob(name, digest), "DELETE") => blobs::delete(call, name, &digest).await,
        (Route::Uploads(name), "POST") => Box::pin(uploads::start(call, name)).await,
        (Route::Upload(name, id), "PATCH") => uploads::append(call, name, &id).await,
        (Route::Upload(name, id), "PUT") => Box::pin(uploads::close(call, name, &id)).await,
        (Route::Upload(name, id), "GET") => uploads::status(call, name, &id).await,
        (Route::Upload(name, id), "DELETE") => uploads::cancel(call, name, &id).await,
        _ => Err(Problem::MethodNotAllowed { allow }),
    }
}

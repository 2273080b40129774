//! All surfaces side by side, behind the layers that every request goes through.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware;
use axum::response::Response;
use edge::answer;
use edge::context::Context;
use edge::request_log;
use health::facts::Health;
use http::StatusCode;

use crate::shield;

/// The router of one replica.
pub fn router(context: &Arc<Context>, health: Arc<Health>) -> Router {
    Router::new()
        .fallback(rest)
        .with_state(Arc::clone(context))
        .merge(health::surface::router(health))
        .merge(admin::surface::router(Arc::clone(context)))
        .layer(middleware::from_fn_with_state(Arc::clone(context), shield::check_head))
        .layer(middleware::from_fn_with_state(Arc::clone(context), request_log::observe))
        .layer(middleware::from_fn(shield::set_headers))
}

/// The registry, whose paths are read from their right end, and everything that is not served.
async fn rest(state: State<Arc<Context>>, request: Request) -> Response {
    let path = request.uri().path();
    if distribution::surface::serves(path) {
        return distribution::surface::serve(state, request).await;
    }
    if admin::surface::serves(path) {
        return admin::surface::unknown(&request);
    }
    let body = "there is nothing under this path\n".to_owned();
    answer::text(StatusCode::NOT_FOUND, "text/plain; charset=utf-8", body)
}

/// Every route of every surface: methods and path template.
pub fn routes() -> impl Iterator<Item = (&'static str, &'static str)> {
    let surfaces = [distribution::route::ROUTES, health::surface::ROUTES, admin::surface::ROUTES];
    surfaces.into_iter().flatten().copied()
}

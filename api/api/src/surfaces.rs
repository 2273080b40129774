//! All surfaces side by side, behind what every request goes through.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use edge::answer;
use edge::context::Context;
use edge::origin::Connected;
use edge::request_log;
use health::facts::Health;
use http::header::CONTENT_LENGTH;
use http::{HeaderValue, StatusCode};
use http_body::Body as _;
use tower::Service;

use crate::shield;

/// Everything that one replica answers.
///
/// The registry's paths are read from their right end and most requests are for them, so they do
/// not go through a router of patterns, nor through layers that box each answer anew.
pub struct Surfaces {
    context: Arc<Context>,
    /// Health and administration.
    patterns: Router,
}

impl Surfaces {
    /// The surfaces of one replica.
    pub fn new(context: &Arc<Context>, health: Arc<Health>) -> Arc<Self> {
        let patterns = Router::new()
            .fallback(unknown)
            .merge(health::surface::router(health))
            .merge(admin::surface::router(Arc::clone(context)));
        Arc::new(Self { context: Arc::clone(context), patterns })
    }

    /// Answers a request. Its extensions say what it is [`Connected`] by.
    pub async fn answer(&self, request: Request) -> Response {
        let connected = request.extensions().get::<Connected>();
        let is_secure = connected.is_some_and(|connected| connected.tls);
        let handle = |request| self.handle(request);
        let mut response = request_log::observe(&self.context, request, handle).await;
        shield::set_headers(response.headers_mut(), is_secure);
        response
    }

    async fn handle(&self, request: Request) -> Response {
        if let Some(refused) = shield::check_head(&self.context.limits, &request) {
            return refused;
        }
        if distribution::surface::serves(request.uri().path()) {
            return distribution::surface::serve(Arc::clone(&self.context), request).await;
        }
        let answered: Result<Response, Infallible> = self.patterns.clone().call(request).await;
        match answered {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}

/// The answer to `HEAD`: says how long the body would be and has none, which HTTP/2 would send.
pub(crate) fn head_only(mut response: Response) -> Response {
    let length = response.body().size_hint().exact();
    let headers = response.headers_mut();
    if let Some(length) = length.filter(|length| *length > 0) {
        headers.entry(CONTENT_LENGTH).or_insert_with(|| HeaderValue::from(length));
    }
    response.map(|_| Body::empty())
}

/// Everything that is not served.
async fn unknown(request: Request) -> Response {
    if admin::surface::serves(request.uri().path()) {
        return admin::surface::unknown(&request);
    }
    let body = "there is nothing under this path\n".to_owned();
    answer::text(StatusCode::NOT_FOUND, "text/plain; charset=utf-8", body)
}

/// Every route of every surface: methods and path template.
pub fn routes() -> impl Iterator<Item = (&'static str, &'static str)> {
    let surfaces = [distribution::route::ROUTES, health::surface::ROUTES];
    let managed = admin::surface::ROUTES.iter().map(|(methods, path, _)| (*methods, *path));
    surfaces.into_iter().flatten().copied().chain(managed)
}

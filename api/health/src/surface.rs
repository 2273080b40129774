//! The routes of this surface.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::get;
use edge::answer;
use edge::caller::{Admission, Caller, ChallengeKind, Need};
use edge::management_form;
use edge::origin::Connected;
use edge::query::Query;
use edge::request_log::RequestId;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY};
use http::{HeaderValue, StatusCode};

use crate::facts::Health;
use crate::readiness::{self, Asked, Ping};
use crate::{metrics, page};

/// Every route of this surface and its methods, as docs/api.md lists them.
pub const ROUTES: &[(&str, &str)] = &[
    ("GET", "/_ping"),
    ("GET", "/health"),
    ("GET", "/load_balancer_status"),
    ("GET", "/nginx_status"),
    ("GET", "/ca"),
    ("GET", "/metrics"),
];

/// The paths that the plain-HTTP port answers even where it redirects everything else.
pub const OPEN_PATHS: [&str; 4] = ["/_ping", "/health", "/load_balancer_status", "/nginx_status"];

/// The routes over one replica.
pub fn router(health: Arc<Health>) -> Router {
    Router::new()
        .route("/_ping", get(ping))
        .route("/health", get(ping))
        .route("/load_balancer_status", get(load_balancer_status))
        .route("/nginx_status", get(nginx_status))
        .route("/ca", get(ca))
        .route("/metrics", get(metrics_text))
        .with_state(health)
}

async fn ping(State(health): State<Arc<Health>>, request: Request) -> Response {
    let query = Query::parse(request.uri().query());
    let reads = query.first("reads").is_some_and(|value| value != "0");
    let asked = if reads { Asked::Reads } else { Asked::Everything };
    let ping = Ping::of(&readiness::failing(&health, asked));
    answer::json(status_of(ping.healthy), &ping)
}

async fn load_balancer_status(State(health): State<Arc<Health>>) -> Response {
    let failing = readiness::failing(&health, Asked::Everything);
    let status = health.context.cluster.status();
    let version = &health.facts.version;
    let html = page::render(&page::Shown { failing: &failing, status: &status, version });
    let mut response = text(status_of(failing.is_empty()), "text/html; charset=utf-8", html);
    let policy = HeaderValue::from_static(page::CONTENT_SECURITY_POLICY);
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    response
}

/// The text of nginx's `stub_status`, which collectors know how to read.
async fn nginx_status(State(health): State<Arc<Health>>) -> Response {
    let connections = health.context.traffic.connections();
    let waiting = (connections.open - connections.in_flight).max(0);
    let body = format!(
        "Active connections: {} \nserver accepts handled requests\n {} {} {} \n\
         Reading: 0 Writing: {} Waiting: {waiting} \n",
        connections.open,
        connections.accepted,
        connections.handled,
        connections.requests,
        connections.in_flight
    );
    text(StatusCode::OK, "text/plain", body)
}

async fn ca(State(health): State<Arc<Health>>) -> Response {
    let pem = (health.facts.server_ca)();
    if pem.is_empty() {
        let body = "the certificate of this registry is signed by a public authority\n";
        return text(StatusCode::NOT_FOUND, "text/plain", body.to_owned());
    }
    text(StatusCode::OK, "application/x-pem-file", pem)
}

async fn metrics_text(State(health): State<Arc<Health>>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let from = Connected::of(&parts).address.ip();
    if !from.is_loopback() {
        let admission =
            Admission { need: Need::FreshIfQuick, challenge: ChallengeKind::Basic, scope: None };
        let caller = Caller::admit(&health.context, &parts, admission).await;
        if let Err(problem) = caller.and_then(|caller| caller.permit_system()) {
            return management_form::respond(&problem, &RequestId::of(&parts.extensions));
        }
    }
    text(StatusCode::OK, "text/plain; version=0.0.4", metrics::render(&health))
}

fn status_of(healthy: bool) -> StatusCode {
    if healthy { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

fn text(status: StatusCode, media_type: &'static str, body: String) -> Response {
    let mut response = answer::text(status, media_type, body);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

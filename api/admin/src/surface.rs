//! The routes of this surface.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use axum::routing::{delete, get, post};
use edge::context::Context;
use edge::management_form;
use edge::problem::Problem;
use edge::request_log::RequestId;

use crate::call::answered;
use crate::{accounts, cluster_status, join_tokens, repositories, settings};

/// Every route of this surface and its methods, as docs/api.md lists them.
pub const ROUTES: &[(&str, &str)] = &[
    ("GET", "/api/v0/meta/cluster_status"),
    ("GET, POST", "/api/v0/meta/settings"),
    ("GET, POST", "/api/v0/join_tokens"),
    ("DELETE", "/api/v0/join_tokens/{id}"),
    ("GET", "/api/v0/repositories"),
    ("GET, POST", "/api/v0/repositories/{ns}"),
    ("GET, PATCH, DELETE", "/api/v0/repositories/{ns}/{repo}"),
    ("POST", "/enzi/v0/accounts"),
];

type Replica = State<Arc<Context>>;

/// Whether a path belongs to this surface.
pub fn serves(path: &str) -> bool {
    path.starts_with("/api/") || path.starts_with("/enzi/")
}

/// The routes over one replica.
pub fn router(context: Arc<Context>) -> Router {
    Router::new()
        .route(
            "/api/v0/meta/cluster_status",
            get(async |State(context): Replica, request: Request| {
                answered(context, request, cluster_status::get).await
            })
            .fallback(async |request: Request| not_allowed(&request, "GET")),
        )
        .route(
            "/api/v0/meta/settings",
            get(async |State(context): Replica, request: Request| {
                answered(context, request, settings::get).await
            })
            .post(async |State(context): Replica, request: Request| {
                answered(context, request, settings::set).await
            })
            .fallback(async |request: Request| not_allowed(&request, "GET, POST")),
        )
        .route(
            "/api/v0/join_tokens",
            get(async |State(context): Replica, request: Request| {
                answered(context, request, join_tokens::list).await
            })
            .post(async |State(context): Replica, request: Request| {
                answered(context, request, join_tokens::create).await
            })
            .fallback(async |request: Request| not_allowed(&request, "GET, POST")),
        )
        .route(
            "/api/v0/join_tokens/{id}",
            delete(async |State(context): Replica, Path(id): Path<String>, request: Request| {
                answered(context, request, |call| join_tokens::revoke(call, id)).await
            })
            .fallback(async |request: Request| not_allowed(&request, "DELETE")),
        )
        .route(
            "/enzi/v0/accounts",
            post(async |State(context): Replica, request: Request| {
                answered(context, request, accounts::create).await
            })
            .fallback(async |request: Request| not_allowed(&request, "POST")),
        )
        .merge(of_repositories())
        .with_state(context)
}

fn of_repositories() -> Router<Arc<Context>> {
    type Named = Path<(String, String)>;
    Router::new()
        .route(
            "/api/v0/repositories",
            get(async |State(context): Replica, request: Request| {
                answered(context, request, |call| repositories::list(call, None)).await
            })
            .fallback(async |request: Request| not_allowed(&request, "GET")),
        )
        .route(
            "/api/v0/repositories/{ns}",
            get(async |State(context): Replica, Path(ns): Path<String>, request: Request| {
                answered(context, request, |call| repositories::list(call, Some(ns))).await
            })
            .post(async |State(context): Replica, Path(ns): Path<String>, request: Request| {
                answered(context, request, |call| repositories::create(call, ns)).await
            })
            .fallback(async |request: Request| not_allowed(&request, "GET, POST")),
        )
        .route(
            "/api/v0/repositories/{ns}/{repo}",
            get(async |State(context): Replica, Path((ns, repo)): Named, request: Request| {
                answered(context, request, |call| repositories::get(call, ns, repo)).await
            })
            .patch(async |State(context): Replica, Path((ns, repo)): Named, request: Request| {
                answered(context, request, |call| repositories::update(call, ns, repo)).await
            })
            .delete(async |State(context): Replica, Path((ns, repo)): Named, request: Request| {
                answered(context, request, |call| repositories::delete(call, ns, repo)).await
            })
            .fallback(async |request: Request| not_allowed(&request, "GET, PATCH, DELETE")),
        )
}

/// The answer to a path of this surface that is not served.
pub fn unknown(request: &Request) -> Response {
    management_form::respond(&Problem::PathUnknown, &RequestId::of(request.extensions()))
}

fn not_allowed(request: &Request, allow: &'static str) -> Response {
    let problem = Problem::MethodNotAllowed { allow };
    management_form::respond(&problem, &RequestId::of(request.extensions()))
}

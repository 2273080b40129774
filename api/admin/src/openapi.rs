//! `/api/v0/openapi.json`: the whole of this surface as an `OpenAPI` document, made from the
//! operations listed here.
//!
//! Each route has one entry in a file of the folder `openapi`, and a test names the route that
//! lacks one. The tests of the surfaces hold every answer they see against its shape here, so that
//! the document can't say other than what is answered.

use std::sync::LazyLock;

use axum::response::Response;
use edge::answer;
use edge::credentials::SESSION_COOKIE;
use edge::problem::Problem;
use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::call::Call;

mod accounts;
mod backups;
mod directory;
mod jobs;
mod journals;
mod openid;
mod operation;
mod repositories;
mod shape;
mod shapes;
mod sign_in;
mod system;

use operation::Operation;

/// It does not change while a replica runs.
static DOCUMENT: LazyLock<String> = LazyLock::new(|| document().to_string());

/// Shows it, to everybody: what can be asked is no secret, and it is asked for before signing in.
pub async fn get(call: Call) -> Result<Response, Problem> {
    call.anyone().await?;
    Ok(answer::text(StatusCode::OK, "application/json", DOCUMENT.clone()))
}

/// Every route's entry.
fn operations() -> Vec<Operation> {
    let mut all = accounts::operations();
    all.extend(repositories::operations());
    all.extend(journals::operations());
    all.extend(sign_in::operations());
    all.extend(directory::operations());
    all.extend(openid::operations());
    all.extend(jobs::operations());
    all.extend(system::operations());
    all.extend(backups::operations());
    all
}

/// The document.
pub fn document() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for operation in operations() {
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        path[operation.method.to_lowercase()] = operation.rendered();
    }
    let shapes = shapes::all().into_iter().map(|(name, shape)| (name.to_owned(), shape));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Holdfast",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The management API of a Holdfast registry. Clients match on `code` of \
                            an error, never on its text; unknown fields of a request are passed \
                            over.",
        },
        "servers": [{ "url": "/" }],
        "security": [{ "basic": [] }, { "bearer": [] }, { "session": [] }],
        "paths": paths,
        "components": {
            "schemas": shapes.collect::<Map<String, Value>>(),
            "securitySchemes": {
                "basic": {
                    "type": "http",
                    "scheme": "basic",
                    "description": "account and password; an access token does in its place",
                },
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "a token of `GET /auth/token`, asked for without a scope",
                },
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": SESSION_COOKIE,
                    "description": "what `POST /api/v0/session` sets; changes need `csrfToken` in \
                                    the header `X-CSRF-Token` besides",
                },
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::operation::{is_known, places};
    use super::{document, operations, shapes};
    use crate::surface::ROUTES;

    #[test]
    fn every_route_has_its_entry_and_every_entry_its_route() {
        let routes = ROUTES.iter().flat_map(|(methods, path, _)| {
            methods.split(", ").map(move |method| format!("{method} {path}"))
        });
        let routes: BTreeSet<String> = routes.collect();
        let entries = operations();
        let described = entries.iter().map(|it| format!("{} {}", it.method, it.path));
        let described: BTreeSet<String> = described.collect();
        let lacking: Vec<_> = routes.difference(&described).collect();
        assert!(lacking.is_empty(), "without an entry in admin/src/openapi: {lacking:#?}");
        let stale: Vec<_> = described.difference(&routes).collect();
        assert!(stale.is_empty(), "described, but nothing answers it: {stale:#?}");
        assert_eq!(entries.len(), described.len(), "a route is described twice");
    }

    #[test]
    fn every_place_of_a_path_is_explained() {
        for (_, path, _) in ROUTES {
            for place in places(path) {
                assert!(is_known(place), "{{{place}}} of {path} is missing in PLACES");
            }
        }
    }

    #[test]
    fn names_are_given_once_and_lead_somewhere() {
        let names: Vec<&str> = shapes::all().into_iter().map(|(name, _)| name).collect();
        assert_eq!(BTreeSet::from_iter(&names).len(), names.len(), "a shape has two forms");
        let text = document().to_string();
        let prefix = "\"$ref\":\"#/components/schemas/";
        let named = text.split(prefix).skip(1).map(|rest| rest.split('"').next().unwrap());
        let named: BTreeSet<&str> = named.collect();
        assert_eq!(named, BTreeSet::from_iter(names), "named and there, there and named");
        let document = document();
        let paths = document["paths"].as_object().unwrap();
        let operations = paths.values().flat_map(|path| path.as_object().unwrap().values());
        let ids: Vec<&Value> = operations.map(|operation| &operation["operationId"]).collect();
        let distinct: BTreeSet<String> = ids.iter().map(ToString::to_string).collect();
        assert_eq!(distinct.len(), ids.len(), "an operationId is given twice");
    }
}

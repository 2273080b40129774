//! `/api/v0/accounts/language`: the language that this registry speaks.
//!
//! Source: dtr-interface 2.1, 3.2.

use axum::response::Response;
use edge::answer;
use edge::problem::Problem;
use http::StatusCode;
use serde_json::json;

use crate::call::Call;

/// Every text of this registry is English.
const LANGUAGE: &str = "en";

/// Says it, also to those who did not sign in: the page where they do so asks.
pub async fn get(call: Call) -> Result<Response, Problem> {
    call.anyone().await?;
    Ok(answer::json(StatusCode::OK, &json!({ "language": LANGUAGE })))
}

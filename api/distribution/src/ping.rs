//! `GET /v2/`: is this a registry, and are these credentials good?

use axum::response::Response;
use edge::answer;
use edge::caller::Need;
use edge::problem::Problem;
use http::StatusCode;
use serde_json::json;

use crate::call::Call;

/// 200 to anyone who signed in; 401 with the challenge to others, since several clients take the
/// challenge from this answer alone. Grants nothing and waits for no majority.
///
/// Source: registry-protocol PI1.
pub async fn get(call: Call) -> Result<Response, Problem> {
    let caller = call.caller(Need::LastKnown, None).await?;
    // A token of the anonymous caller is genuine too.
    if caller.identity.token.is_none() {
        caller.permit_signed_in()?;
    }
    Ok(answer::json(StatusCode::OK, &json!({})))
}

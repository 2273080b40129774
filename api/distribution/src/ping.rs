//! `GET /v2/`: is this a registry, and are these credentials good?

use auth::credentials::Credentials;
use axum::response::Response;
use edge::answer;
use edge::caller::Need;
use edge::credentials;
use edge::problem::Problem;
use http::StatusCode;
use serde_json::json;

use crate::blobs::STALE;
use crate::call::Call;

/// 200 to anyone who signed in; 401 with the challenge to others, since several clients take the
/// challenge from this answer alone. Grants nothing.
///
/// What was taken back opens not even this, once that was answered: only a replica that is cut off
/// goes on by what it last knew (P5). The challenge waits for nobody.
///
/// Source: registry-protocol PI1.
pub async fn get(call: Call) -> Result<Response, Problem> {
    let need = match credentials::of(&call.parts) {
        Credentials::None => Need::LastKnown,
        _ => Need::FreshOrLastKnown,
    };
    let caller = call.caller(need, None).await?;
    // A token of the anonymous caller is genuine too.
    if caller.identity.token.is_none() {
        caller.permit_signed_in()?;
    }
    let mut response = answer::json(StatusCode::OK, &json!({}));
    if caller.is_stale {
        answer::warn(response.headers_mut(), STALE);
    }
    Ok(response)
}

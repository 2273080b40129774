//! `/api/v0/join_tokens`: permission for new replicas to join.

use axum::response::Response;
use consensus::cluster::Freshness;
use consensus::join_token::JoinToken;
use edge::answer;
use edge::caller::Need;
use edge::problem::Problem;
use http::StatusCode;
use metadata::certificates;
use metadata::join_tokens::{self, JoinTokenCreate, JoinTokenRevoke};
use serde::{Deserialize, Serialize};
use serde_json::json;
use wire::certificate::digest_of;

use crate::call::Call;
use crate::moment;

/// Life where none is asked for, and the longest.
const EXPIRES_IN_S_DEFAULT: u64 = 3_600;
const EXPIRES_IN_S_MAX: u64 = 30 * 24 * 3_600;
/// Uses where none are asked for, and the most.
const USES_DEFAULT: u32 = 1;
const USES_MAX: u32 = 100;
/// Tokens that are listed.
const LISTED_MAX: usize = 1_000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    /// How many replicas may join with it.
    uses: Option<u32>,
    /// Its life in seconds.
    expires_in: Option<u64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    id: String,
    uses_left: u32,
    expires_at: String,
}

/// Makes a token; this answer is the only place where it is ever shown.
pub async fn create(call: Call) -> Result<Response, Problem> {
    let caller = call.administrator(Need::Fresh).await?;
    let context = call.context.clone();
    let asked: Asked = call.json().await?;
    let uses = asked.uses.unwrap_or(USES_DEFAULT);
    let expires_in_s = asked.expires_in.unwrap_or(EXPIRES_IN_S_DEFAULT);
    if uses == 0 || uses > USES_MAX || expires_in_s == 0 || expires_in_s > EXPIRES_IN_S_MAX {
        return Err(Problem::Parameter(format!(
            "uses must be 1 to {USES_MAX}, expiresIn 1 to {EXPIRES_IN_S_MAX} seconds"
        )));
    }
    let cluster = &context.cluster;
    let ca = cluster.read(Freshness::Local, |view| certificates::ca(view)).await?;
    let ca = ca.ok_or_else(|| Problem::Fault("the cluster has no authority".to_owned()))?;
    let ca_digest = digest_of(&ca.certificate_pem).map_err(|e| Problem::Fault(e.to_string()))?;
    let token = JoinToken::generate(&ca_digest);
    let wall_ms = context.clock.wall_ms().max(cluster.wall_ms().await?);
    let expires_wall_ms = wall_ms + expires_in_s * 1_000;
    let (id, secret_hash) = (token.id().to_owned(), token.secret_hash());
    let create = JoinTokenCreate { id, secret_hash, expires_wall_ms, uses };
    cluster.propose_for(caller.voucher(), create.into()).await?;
    let expires_at = moment::to_second(expires_wall_ms);
    let shown = json!({
        "token": token.text().as_str(), "id": token.id(), "uses": uses, "expiresAt": expires_at,
    });
    Ok(answer::json(StatusCode::CREATED, &shown))
}

/// The tokens there are, without their secrets.
pub async fn list(call: Call) -> Result<Response, Problem> {
    call.administrator(Need::Fresh).await?;
    let cluster = &call.context.cluster;
    let rows = cluster.read(Freshness::Local, |view| join_tokens::list(view)).await?;
    let listed = rows.into_iter().take(LISTED_MAX).map(|(id, row)| Listed {
        id,
        uses_left: row.uses_left,
        expires_at: moment::to_second(row.expires_wall_ms),
    });
    let listed: Vec<Listed> = listed.collect();
    Ok(answer::json(StatusCode::OK, &json!({ "joinTokens": listed })))
}

/// Ends a token.
pub async fn revoke(call: Call) -> Result<Response, Problem> {
    let caller = call.administrator(Need::Fresh).await?;
    let id = call.place("id").to_owned();
    let cluster = &call.context.cluster;
    cluster.propose_for(caller.voucher(), JoinTokenRevoke { id }.into()).await?;
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

//! `POST /api/v0/admin/tokens/rotate`: the tokens of the token endpoint are signed with a new key.

use axum::response::Response;
use edge::answer;
use edge::caller::Need;
use edge::problem::Problem;
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use crate::call::Call;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    drop_former: Option<bool>,
}

/// Nobody is signed out: what was signed before is taken until it expires. Where `dropFormer` is
/// given, it is not: clients ask for another token by themselves.
pub async fn rotate(call: Call) -> Result<Response, Problem> {
    let caller = call.administrator(Need::Fresh).await?;
    let (actor, context) = (caller.account().to_owned(), call.context.clone());
    let asked: Asked = call.json().await?;
    let rotation = context.auth.rotation(actor, asked.drop_former.unwrap_or(false)).await?;
    let key_id = rotation.id.clone();
    context.cluster.propose_for(caller.voucher(), rotation.into()).await?;
    Ok(answer::json(StatusCode::OK, &json!({ "keyID": key_id })))
}

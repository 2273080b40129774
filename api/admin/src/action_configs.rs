//! What jobs of an action are told where they are not told otherwise, `/api/v0/action_configs`.
//!
//! Source: dtr-interface 2.6, 3.1, 3.2.

use std::collections::BTreeMap;

use axum::response::Response;
use consensus::cluster::Freshness;
use edge::answer;
use edge::caller::Need;
use edge::problem::Problem;
use http::StatusCode;
use metadata::jobs::action_configs::{
    self as kept, ActionConfigDelete, ActionConfigRow, ActionConfigSet,
};
use metadata::refusal::Refusal;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::call::Call;
use crate::job_form::{named, parameters, shown_parameters};
use crate::reading::{read, read_changed};
use crate::reference::uuid;

#[derive(Deserialize)]
struct Asked {
    action: Option<String>,
    parameters: Option<BTreeMap<String, Value>>,
}

/// All of them.
pub async fn list(call: Call) -> Result<Response, Problem> {
    call.administrator(Need::Fresh).await?;
    let rows = call.context.cluster.read(Freshness::Local, |view| kept::list(view)).await?;
    let listed: Vec<Value> = rows.iter().map(|(action, row)| shown(action, row)).collect();
    Ok(answer::json(StatusCode::OK, &json!({ "actionConfigs": listed })))
}

/// Makes or replaces that of an action; 202 with it.
pub async fn set(call: Call) -> Result<Response, Problem> {
    let caller = call.administrator(Need::Fresh).await?;
    let (actor, cluster) = (caller.account().to_owned(), call.context.cluster.clone());
    let asked: Asked = call.json().await?;
    let (action, parameters) = (named(asked.action)?, parameters(asked.parameters)?);
    let set = ActionConfigSet { actor, action: action.clone(), parameters };
    cluster.propose_for(caller.voucher(), set.into()).await?;
    let made = read_changed(&cluster, |view| {
        let found = kept::find(view, &action)?;
        Ok(shown(&action, &found.ok_or_else(|| unknown(&action))?))
    });
    Ok(answer::json(StatusCode::ACCEPTED, &made.await?))
}

/// Shows one.
pub async fn get(call: Call) -> Result<Response, Problem> {
    call.administrator(Need::Fresh).await?;
    let action = call.place("action").to_owned();
    let found = read(&call.context.cluster, Freshness::Local, |view| {
        let found = kept::find(view, &action)?;
        Ok(shown(&action, &found.ok_or_else(|| unknown(&action))?))
    });
    Ok(answer::json(StatusCode::OK, &found.await?))
}

/// Takes one away: jobs are told what their kind takes by itself.
pub async fn delete(call: Call) -> Result<Response, Problem> {
    let caller = call.administrator(Need::Fresh).await?;
    let (actor, action) = (caller.account().to_owned(), call.place("action").to_owned());
    let cluster = &call.context.cluster;
    cluster.propose_for(caller.voucher(), ActionConfigDelete { actor, action }.into()).await?;
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

fn unknown(action: &str) -> Refusal {
    Refusal::ActionConfigUnknown { action: action.to_owned() }
}

fn shown(action: &str, row: &ActionConfigRow) -> Value {
    json!({
        "id": uuid(&row.id),
        "action": action,
        "parameters": shown_parameters(&row.parameters),
    })
}

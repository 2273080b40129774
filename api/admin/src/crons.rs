//! Crons: jobs that come again and again, `/api/v0/crons`.
//!
//! Source: dtr-interface 2.6, 3.1, 3.2.

use axum::response::Response;
use consensus::cluster::Freshness;
use edge::answer;
use edge::caller::Need;
use edge::problem::Problem;
use http::StatusCode;
use metadata::jobs::crons::{self, CronDelete, CronRow, CronSet};
use metadata::refusal::Refusal;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::call::Call;
use crate::job_form::{AskedSpec, add, shown_spec};
use crate::moment::to_millisecond;
use crate::reading::{read, read_changed};
use crate::reference::uuid;

#[derive(Deserialize)]
struct Asked {
    schedule: Option<String>,
    #[serde(flatten)]
    spec: AskedSpec,
}

/// All of them.
pub async fn list(call: Call) -> Result<Response, Problem> {
    call.administrator(Need::Fresh).await?;
    let rows = call.context.cluster.read(Freshness::Local, |view| crons::list(view)).await?;
    let listed: Vec<Value> = rows.iter().map(shown).collect();
    Ok(answer::json(StatusCode::OK, &json!({ "crons": listed })))
}

/// Makes or replaces the cron of an action; 202 with it.
pub async fn set(call: Call) -> Result<Response, Problem> {
    let caller = call.administrator(Need::Fresh).await?;
    let (actor, cluster) = (caller.account().to_owned(), call.context.cluster.clone());
    let Asked { schedule, spec } = call.json().await?;
    let spec = spec.into_spec()?;
    let (action, schedule) = (spec.action.clone(), schedule.unwrap_or_default());
    let set = CronSet { actor, spec, schedule };
    cluster.propose_for(caller.voucher(), set.into()).await?;
    let made = read_changed(&cluster, |view| {
        let found = crons::find(view, &action)?;
        Ok(shown(&found.ok_or(Refusal::CronUnknown { action })?))
    });
    Ok(answer::json(StatusCode::ACCEPTED, &made.await?))
}

/// Shows one.
pub async fn get(call: Call) -> Result<Response, Problem> {
    call.administrator(Need::Fresh).await?;
    let action = call.place("action").to_owned();
    let found = read(&call.context.cluster, Freshness::Local, |view| {
        let found = crons::find(view, &action)?;
        Ok(shown(&found.ok_or(Refusal::CronUnknown { action })?))
    });
    Ok(answer::json(StatusCode::OK, &found.await?))
}

/// Takes one away; jobs that it made stay.
pub async fn delete(call: Call) -> Result<Response, Problem> {
    let caller = call.administrator(Need::Fresh).await?;
    let (actor, action) = (caller.account().to_owned(), call.place("action").to_owned());
    let cluster = &call.context.cluster;
    cluster.propose_for(caller.voucher(), CronDelete { actor, action }.into()).await?;
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

pub(crate) fn shown(cron: &CronRow) -> Value {
    let mut document = shown_spec(&cron.spec);
    let own = json!({
        "id": uuid(&cron.id),
        "schedule": cron.schedule,
        "nextRun": to_millisecond(cron.next_wall_ms),
    });
    add(&mut document, own);
    Value::Object(document)
}

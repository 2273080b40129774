//! Workers: which replica does jobs, and how many of what, `/api/v0/workers`.
//!
//! Source: dtr-interface 2.6, 3.2, 16.

use std::collections::BTreeMap;

use axum::response::Response;
use consensus::cluster::Freshness;
use edge::answer;
use edge::caller::Need;
use edge::problem::Problem;
use http::StatusCode;
use metadata::clocks;
use metadata::jobs::workers::{self as kept, WorkerCapacitySet};
use metadata::refusal::Refusal;
use metadata::replica::ReplicaId;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::call::Call;
use crate::job_form::{amounts, shown_amounts};
use crate::moment::to_millisecond;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    capacity_map: Option<BTreeMap<String, u32>>,
}

/// All of them.
pub async fn list(call: Call) -> Result<Response, Problem> {
    call.administrator(Need::Fresh).await?;
    let read = call
        .context
        .cluster
        .read(Freshness::Local, |view| Ok((kept::list(view)?, clocks::now(view)?)));
    let (rows, now) = read.await?;
    let shown = rows.into_iter().map(|(replica_id, row)| {
        // The lease is counted in cluster time; people are shown what that is on their clocks.
        let left_ms = row.lease_until_ms.saturating_sub(now.cluster_ms);
        let expires_ms = if left_ms > 0 { now.wall_ms + left_ms } else { row.beaten_wall_ms };
        json!({
            "id": replica_id.to_string(),
            "status": if row.is_dead { "dead" } else { "running" },
            "capacityMap": shown_amounts(&row.capacity),
            "heartbeatExpiration": to_millisecond(expires_ms),
        })
    });
    let shown: Vec<Value> = shown.collect();
    Ok(answer::json(StatusCode::OK, &json!({ "workers": shown })))
}

/// Says what jobs may take of one; 202.
pub async fn set_capacity(call: Call) -> Result<Response, Problem> {
    let caller = call.administrator(Need::Fresh).await?;
    let (actor, cluster) = (caller.account().to_owned(), call.context.cluster.clone());
    let Ok(replica_id) = ReplicaId::parse(call.place("worker")) else {
        let worker = call.place("worker").chars().take(64).collect();
        return Err(Refusal::WorkerUnknown { worker }.into());
    };
    let asked: Asked = call.json().await?;
    let missing = || Problem::Parameter("capacityMap is needed: how much of what".to_owned());
    let capacity = amounts(asked.capacity_map.ok_or_else(missing)?);
    let set = WorkerCapacitySet { actor, replica_id, capacity };
    cluster.propose_for(caller.voucher(), set.into()).await?;
    Ok(answer::empty(StatusCode::ACCEPTED))
}

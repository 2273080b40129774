//! `/api/v0/meta/settings`: what holds for the whole cluster.
//!
//! Source: dtr-interface 3.3.

use axum::response::Response;
use consensus::cluster::Freshness;
use edge::answer;
use edge::caller::Need;
use edge::problem::Problem;
use http::StatusCode;
use metadata::settings::{self, SettingsSet};
use serde::{Deserialize, Serialize};

use crate::call::Call;

/// What GET answers.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Settings {
    dtr_host: String,
    create_repository_on_push: bool,
    read_only_registry: bool,
    #[serde(rename = "replicaID")]
    replica_id: String,
}

/// What POST takes; absent and `null` leave a setting, unknown fields are passed over.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Change {
    create_repository_on_push: Option<bool>,
    read_only_registry: Option<bool>,
}

/// The settings in force.
pub async fn get(call: Call) -> Result<Response, Problem> {
    call.administrator(Need::Fresh).await?;
    let cluster = &call.context.cluster;
    let row = cluster.read(Freshness::Local, |view| settings::get(view)).await?;
    let settings = Settings {
        dtr_host: call.context.names.external_host().to_owned(),
        create_repository_on_push: row.create_repository_on_push,
        read_only_registry: row.read_only,
        replica_id: cluster.replica_id().to_string(),
    };
    Ok(answer::json(StatusCode::OK, &settings))
}

/// Sets what is given; 202, as clients of the old product expect.
pub async fn set(call: Call) -> Result<Response, Problem> {
    call.administrator(Need::Fresh).await?;
    let cluster = call.context.cluster.clone();
    let change: Change = call.json().await?;
    let set = SettingsSet {
        create_repository_on_push: change.create_repository_on_push,
        read_only: change.read_only_registry,
        ..SettingsSet::default()
    };
    if set != SettingsSet::default() {
        cluster.propose(set.into()).await?;
    }
    Ok(answer::empty(StatusCode::ACCEPTED))
}

//! Users, under `/enzi/v0/accounts`.
//!
//! Source: dtr-interface 4.

use auth::password;
use axum::response::Response;
use consensus::cluster::Freshness;
use edge::answer;
use edge::caller::Need;
use edge::problem::Problem;
use http::StatusCode;
use metadata::accounts::{self, UserCreate};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::call::Call;

/// What POST takes; absent fields have their zero value.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    #[serde(default)]
    name: String,
    is_org: Option<bool>,
    is_admin: Option<bool>,
    password: Option<String>,
}

/// An account as this API shows it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Account {
    id: String,
    name: String,
    full_name: String,
    is_org: bool,
    is_admin: bool,
    is_active: bool,
    is_imported: bool,
    on_demand: bool,
    otp_enabled: bool,
    members_count: u32,
    teams_count: u32,
}

/// Creates a user.
pub async fn create(call: Call) -> Result<Response, Problem> {
    call.administrator(Need::Fresh).await?;
    let cluster = call.context.cluster.clone();
    let asked: Asked = call.json().await?;
    if asked.is_org == Some(true) {
        return Err(Problem::Parameter(
            "an organization comes into being with the first push to it".to_owned(),
        ));
    }
    let name = asked.name;
    let password = Zeroizing::new(asked.password.unwrap_or_default());
    let password_hash = password::hash(password).await.map_err(Problem::Parameter)?;
    let is_admin = asked.is_admin.unwrap_or(false);
    // Whether the name is free is decided with the creation: another replica may be asked too.
    let create = UserCreate { name: name.clone(), password_hash, is_admin };
    cluster.propose(create.into()).await?;
    // It was applied at the leader; this replica may be behind.
    let row = cluster.read(Freshness::Linearizable, |view| accounts::find(view, &name)).await?;
    let id = row.map(|row| row.id).unwrap_or_default();
    let account = Account {
        id: id.iter().map(|byte| format!("{byte:02x}")).collect(),
        name,
        full_name: String::new(),
        is_org: false,
        is_admin,
        is_active: true,
        is_imported: false,
        on_demand: false,
        otp_enabled: false,
        members_count: 0,
        teams_count: 0,
    };
    Ok(answer::json(StatusCode::CREATED, &account))
}

//! Syncing with the directory, and which teams and owners follow it.
//!
//! Source: dtr-interface 4.

use std::sync::Arc;

use axum::response::Response;
use consensus::cluster::Freshness;
use directory::member_sync::MemberSyncOpts;
use edge::answer;
use edge::caller::Need;
use edge::problem::Problem;
use http::StatusCode;
use metadata::directory::commands::MemberSyncSet;
use metadata::directory::{self as kept, RunRow};
use metadata::tables::Read;
use metadata::teams::TeamId;
use serde_json::{Value, json};

use crate::call::Call;
use crate::ldap_settings::problem;
use crate::moment::to_second;
use crate::reading::read;
use crate::reference;

/// Begins a sync; 202, and `GET` says what comes of it. 409 while one goes on.
pub async fn begin(call: Call) -> Result<Response, Problem> {
    call.administrator(Need::Fresh).await?;
    let context = Arc::clone(&call.context);
    let run = context.auth.directory().begin_sync().await.map_err(problem)?;
    Ok(answer::json(StatusCode::ACCEPTED, &shown(&run, true)))
}

/// The sync that goes on, or the last one.
pub async fn status(call: Call) -> Result<Response, Problem> {
    call.administrator(Need::Fresh).await?;
    let cluster = &call.context.cluster;
    let read = cluster
        .read(Freshness::Local, |view| Ok((kept::run(view)?, metadata::clocks::cluster_ms(view)?)));
    let document = match read.await? {
        (Some(run), now_ms) => shown(&run, run.lease_until_ms > now_ms),
        (None, _) => json!({ "state": "never" }),
    };
    Ok(answer::json(StatusCode::OK, &document))
}

fn shown(run: &RunRow, is_going: bool) -> Value {
    let report: Value = serde_json::from_str(&run.report).unwrap_or(Value::Null);
    let state = match run.ended_wall_ms {
        0 if is_going => "running",
        0 => "interrupted",
        _ if report["error"].is_string() => "failed",
        _ => "done",
    };
    let ended_at = (run.ended_wall_ms > 0).then(|| to_second(run.ended_wall_ms));
    json!({
        "state": state,
        "replicaID": run.replica_id.to_string(),
        "startedAt": to_second(run.begun_wall_ms),
        "endedAt": ended_at,
        "report": report,
    })
}

/// How an organization's owners follow the directory.
pub async fn get_owners(call: Call) -> Result<Response, Problem> {
    shown_of(call, false).await
}

/// Says how; 200 with it.
pub async fn set_owners(call: Call) -> Result<Response, Problem> {
    set(call, false).await
}

/// How a team follows the directory.
pub async fn get_team(call: Call) -> Result<Response, Problem> {
    shown_of(call, true).await
}

/// Says how; 200 with it.
pub async fn set_team(call: Call) -> Result<Response, Problem> {
    set(call, true).await
}

async fn shown_of(call: Call, is_team: bool) -> Result<Response, Problem> {
    call.administrator(Need::Fresh).await?;
    let place = Place::of(&call, is_team);
    let read = read(&call.context.cluster, Freshness::Local, |view| {
        let (_, organization, team) = place.find(view)?;
        Ok(kept::member_sync(view, &team.unwrap_or(organization))?)
    });
    Ok(answer::json(StatusCode::OK, &MemberSyncOpts::of_row(&read.await?)))
}

async fn set(call: Call, is_team: bool) -> Result<Response, Problem> {
    let caller = call.administrator(Need::Fresh).await?;
    let (actor, voucher) = (caller.account().to_owned(), caller.voucher());
    let (place, cluster) = (Place::of(&call, is_team), call.context.cluster.clone());
    let read = read(&cluster, Freshness::Local, |view| place.find(view));
    let (organization, _, team) = read.await?;
    let opts: MemberSyncOpts = call.json().await?;
    let sync = opts.into_row().map_err(Problem::Parameter)?;
    let shown = MemberSyncOpts::of_row(&sync);
    let set = MemberSyncSet { actor, organization, team, sync };
    cluster.propose_for(voucher, set.into()).await?;
    Ok(answer::json(StatusCode::OK, &shown))
}

/// What a path names: an organization, and perhaps one of its teams.
struct Place {
    organization: String,
    team: Option<String>,
}

impl Place {
    fn of(call: &Call, is_team: bool) -> Self {
        let team = is_team.then(|| call.place("team").to_owned());
        Self { organization: call.place("org").to_owned(), team }
    }

    fn find(&self, read: &impl Read) -> Result<(String, [u8; 16], Option<TeamId>), Problem> {
        let (name, row) = reference::organization(read, &self.organization)??;
        let team = match &self.team {
            Some(team) => Some(reference::team(read, (&name, &row.id), team)??.row.id),
            None => None,
        };
        Ok((name, row.id, team))
    }
}

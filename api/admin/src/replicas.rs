//! `/api/v0/replicas/{replica}`: draining a member and removing it.
//!
//! A member that answers is drained first: its content moves to the others, and only then it
//! leaves. A dead one leaves at once, unless it is the last that holds something.

use axum::response::Response;
use consensus::status::{ClusterStatus, ReplicaStatus};
use content::departure::Departure;
use edge::answer;
use edge::caller::{Caller, Need};
use edge::context::Context;
use edge::problem::Problem;
use http::StatusCode;
use metadata::members::MemberDrain;
use metadata::refusal::Refusal;
use metadata::replica::ReplicaId;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::call::Call;
use crate::cluster_status::is_unreachable;

/// Replicas report once a second. One that was silent for longer is not counted on: it may be a
/// while until it is called unreachable.
const HEARD_MS_MAX: u64 = 2_500;

/// Digests that stand in a refusal.
const SHOWN_MAX: usize = 5;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    /// Whether its content is to move to the others.
    is_draining: Option<bool>,
}

/// How a member stands, and what it holds that others do not.
pub async fn get(call: Call) -> Result<Response, Problem> {
    call.administrator(Need::Fresh).await?;
    let (context, replica) = (call.context.clone(), replica_of(&call)?);
    shown(&context, replica).await
}

/// Begins to drain a member, or has it stay after all.
pub async fn update(call: Call) -> Result<Response, Problem> {
    let caller = call.administrator(Need::Fresh).await?;
    let (context, replica_id) = (call.context.clone(), replica_of(&call)?);
    let asked: Asked = call.json().await?;
    if let Some(is_draining) = asked.is_draining {
        if is_draining {
            let status = context.cluster.status();
            member(&status, replica_id)?;
            require_majority_without(&status, replica_id)?;
        }
        let drain = MemberDrain { replica_id, is_draining };
        context.cluster.propose_for(caller.voucher(), drain.into()).await?;
    }
    shown(&context, replica_id).await
}

/// Removes a member for ever.
pub async fn remove(call: Call) -> Result<Response, Problem> {
    let caller = call.administrator(Need::Fresh).await?;
    let (context, replica) = (call.context.clone(), replica_of(&call)?);
    let force = matches!(call.query.first("force"), Some("true" | "1"));
    drop(call);
    require_safe(&context, &caller, replica, force).await?;
    context.cluster.remove_member(replica).await?;
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

fn replica_of(call: &Call) -> Result<ReplicaId, Problem> {
    let text = call.place("replica");
    ReplicaId::parse(text).map_err(|error| Problem::Parameter(error.to_string()))
}

fn member(status: &ClusterStatus, replica_id: ReplicaId) -> Result<&ReplicaStatus, Problem> {
    let found = status.replicas.iter().find(|one| one.replica_id == replica_id);
    found.ok_or_else(|| Refusal::MemberUnknown { replica_id }.into())
}

async fn shown(context: &Context, replica: ReplicaId) -> Result<Response, Problem> {
    let departure = context.content.departure_of(replica).await?;
    let status = context.cluster.status();
    let document = document(&status, member(&status, replica)?, &departure);
    Ok(answer::json(StatusCode::OK, &document))
}

fn document(status: &ClusterStatus, one: &ReplicaStatus, departure: &Departure) -> Value {
    let last: Vec<String> = departure.last_digests.iter().map(ToString::to_string).collect();
    json!({
        "replicaID": one.replica_id.to_string(),
        "address": &one.address,
        "health": one.ailing.as_deref().unwrap_or("OK"),
        "isReachable": !is_unreachable(one),
        "isVoter": status.voters.contains(&one.replica_id),
        "isDraining": one.is_draining,
        "othersAnswer": require_majority_without(status, one.replica_id).is_ok(),
        "blobsHeld": departure.held,
        "blobsToCopy": departure.to_copy,
        "lastCopies": departure.last_copies,
        "lastDigests": last,
    })
}

/// Refuses what would cost content, or the majority.
async fn require_safe(
    context: &Context,
    caller: &Caller,
    replica: ReplicaId,
    force: bool,
) -> Result<(), Problem> {
    let (cluster, status) = (&context.cluster, context.cluster.status());
    if replica == cluster.replica_id() && status.replicas.len() > 1 {
        return Err(Problem::Unsafe(format!(
            "replica {replica} was asked to remove itself: ask another one (--url)"
        )));
    }
    let one = member(&status, replica)?;
    let is_dead = is_unreachable(one);
    if status.replicas.len() == 1 {
        return Err(Refusal::MemberIsLast { replica_id: replica }.into());
    }
    require_majority_without(&status, replica)?;
    if !is_dead && !one.is_draining {
        return Err(Problem::Unsafe(format!(
            "replica {replica} answers, so its content moves to the others first: drain it \
             (PATCH with isDraining), as `holdfast remove` does"
        )));
    }
    let departure = context.content.departure_of(replica).await?;
    if !is_dead && departure.to_copy > 0 {
        let left = departure.to_copy;
        return Err(Problem::Unsafe(format!(
            "replica {replica} is being drained: {left} of its blobs have yet to be copied"
        )));
    }
    if departure.last_copies > 0 && !force {
        return Err(Problem::Unsafe(last_holder(replica, &departure)));
    }
    if departure.last_copies > 0 {
        tracing::warn!(
            %replica,
            blobs = departure.last_copies,
            by = caller.account(),
            "a replica is removed by force, and the only copies of blobs with it"
        );
    }
    Ok(())
}

/// The others must be a majority that works before and after.
fn require_majority_without(status: &ClusterStatus, replica: ReplicaId) -> Result<(), Problem> {
    let rest: Vec<ReplicaId> =
        status.voters.iter().copied().filter(|voter| *voter != replica).collect();
    let answers = |id: &&ReplicaId| {
        let seen = status.replicas.iter().find(|one| one.replica_id == **id);
        seen.is_some_and(|seen| {
            let lately = seen.last_contact_ms.is_some_and(|ms| ms < HEARD_MS_MAX);
            lately && !is_unreachable(seen)
        })
    };
    let there = rest.iter().filter(answers).count();
    if !rest.is_empty() && there * 2 > rest.len() {
        return Ok(());
    }
    let voters = rest.len();
    Err(Problem::Unsafe(format!(
        "without replica {replica} only {there} of {voters} voters would answer, which is no \
         majority: bring back or remove those that are dead first"
    )))
}

fn last_holder(replica: ReplicaId, departure: &Departure) -> String {
    let shown = departure.last_digests.iter().take(SHOWN_MAX).map(ToString::to_string);
    let shown = shown.collect::<Vec<_>>().join(", ");
    let more = if departure.last_copies > SHOWN_MAX as u64 { ", …" } else { "" };
    format!(
        "replica {replica} is the last that holds {} blobs ({shown}{more}): bring it back, or give \
         them up by force",
        departure.last_copies
    )
}

#[cfg(test)]
mod tests {
    use consensus::status::Role;

    use super::*;

    fn id(number: u64) -> ReplicaId {
        ReplicaId::from_u64(number).unwrap()
    }

    /// Voters 1 to `reasons.len()`, each with why it is not well.
    fn status(reasons: &[Option<&str>]) -> ClusterStatus {
        let one = |(at, reason): (usize, Option<&str>)| ReplicaStatus {
            replica_id: id(at as u64 + 1),
            number: 1,
            address: String::new(),
            host_name: String::new(),
            role: Role::Follower,
            ailing: reason.map(str::to_owned),
            last_log: 0,
            applied: 0,
            lag: 0,
            last_contact_ms: Some(1_000),
            version: String::new(),
            disk_free_bytes: 0,
            clock_offset_ms: 0,
            reported_wall_ms: None,
            started_wall_ms: 0,
            connected_to: vec![],
            certificate_expires_wall_ms: 0,
            takes_blobs: true,
            is_draining: false,
        };
        let replicas: Vec<ReplicaStatus> = reasons.iter().copied().enumerate().map(one).collect();
        ClusterStatus {
            cluster_id: String::new(),
            replica_id: id(1),
            leader: None,
            term: 1,
            committed: 1,
            voters: replicas.iter().map(|one| one.replica_id).collect(),
            learners: vec![],
            failures_tolerated: 0,
            no_majority_ms: None,
            replicas,
        }
    }

    #[test]
    fn the_rest_is_a_majority_that_answers() {
        let dead = Some("Unable to reach replica: no answer");
        let full = Some("storage: the disk is full");
        // (how the voters are, which leaves, whether it may)
        let cases: [(&[Option<&str>], u64, bool); 8] = [
            (&[None, None, None], 3, true),
            (&[None, None, dead], 3, true),
            (&[None, None, dead], 2, false),
            (&[None, None], 2, true),
            (&[None], 1, false),
            (&[None, None, None, dead, dead], 3, false),
            (&[None, None, None, dead, dead], 5, true),
            (&[None, full, None], 3, true),
        ];
        for (reasons, leaves, may) in cases {
            let judged = require_majority_without(&status(reasons), id(leaves));
            assert_eq!(judged.is_ok(), may, "{reasons:?} without {leaves}: {judged:?}");
        }
    }
}

//! Collection as people look at it: how much could go, what would go and why, and why a blob stays;
//! `/api/v0/gc`.
//!
//! It is run as the job `onlinegc`, by hand or by a cron, like any other job.
//!
//! Source: dtr-interface 17.

use axum::response::Response;
use consensus::cluster::{Cluster, Freshness};
use edge::answer;
use edge::caller::Need;
use edge::problem::Problem;
use http::StatusCode;
use metadata::blobs::kept::{self, KeptRow, SumRow};
use metadata::clocks::{self, ClockRow};
use metadata::collection::plan;
use metadata::jobs::actions::{COLLECTION, COLLECTIONS};
use metadata::jobs::{self, JobRow, crons};
use metadata::refusal::Refusal;
use metadata::replica::ReplicaId;
use metadata::settings::{self, SettingsRow};
use metadata::tables::{Damage, Read};
use oci::digest::Digest;
use oci::name::RepositoryName;
use serde_json::{Value, json};

use crate::call::Call;
use crate::crons::shown as shown_cron;
use crate::job_form::shown as shown_job;
use crate::moment::to_millisecond;

mod listing;

pub use listing::list as plan;

/// Idle blobs that are looked at in one read, and how often for one answer.
const LOOKED_AT_ONCE: usize = 500;
const LOOKS_MAX: usize = 40;
/// Jobs that are looked through for the last collection.
const JOBS_MAX: usize = 1_000;

/// What the answer is made of.
struct Seen {
    sums: KeptRow,
    settings: SettingsRow,
    schedule: Option<Value>,
    running: Option<Value>,
    last: Option<Value>,
}

/// How much could go, how it is set, and what runs and ran.
pub async fn get(call: Call) -> Result<Response, Problem> {
    call.administrator(Need::Fresh).await?;
    let cluster = &call.context.cluster;
    let min_s = call.context.content.collection_grace_min().as_secs();
    let seen = cluster.read(Freshness::Local, |view| {
        let held = jobs::held(view)?;
        let running = held.iter().find(|job| is_collection(job)).map(shown_job);
        let schedule = crons::find(view, COLLECTION)?.as_ref().map(shown_cron);
        let last = last_run(view)?.as_ref().map(shown_job);
        let (sums, settings) = (kept::sums(view)?, settings::get(view)?);
        Ok(Seen { sums, settings, schedule, running, last })
    });
    let seen = seen.await?;
    let (ready, is_whole) = ready(cluster, min_s).await?;
    let sums = &seen.sums;
    let reclaimable = SumRow {
        blobs: ready.blobs.saturating_add(sums.condemned.blobs),
        bytes: ready.bytes.saturating_add(sums.condemned.bytes),
    };
    let mut document = json!({
        "kept": sum(sums.all()),
        "named": sum(sums.named),
        "leased": sum(sums.leased),
        "idle": sum(sums.idle),
        "condemned": sum(sums.condemned),
        "reclaimable": sum(reclaimable),
        "graceSeconds": seen.settings.grace_s.max(min_s),
        "undeleteWindowSeconds": seen.settings.undelete_s(),
        "schedule": seen.schedule,
        "running": seen.running,
        "lastRun": seen.last,
    });
    document["reclaimable"]["isAtLeast"] = json!(!is_whole);
    Ok(answer::json(StatusCode::OK, &document))
}

/// Why one blob stays, or that it goes.
pub async fn explain(call: Call) -> Result<Response, Problem> {
    call.administrator(Need::Fresh).await?;
    let digest = Digest::parse(call.place("digest")).map_err(Problem::Digest)?;
    let cluster = &call.context.cluster;
    let min_s = call.context.content.collection_grace_min().as_secs();
    let found = cluster.read(Freshness::Local, |view| {
        let Some(found) = plan::explain(view, min_s, &digest)? else { return Ok(None) };
        let holders = metadata::blobs::holders(view, &found.blob)?;
        Ok(Some((found, holders, clocks::now(view)?)))
    });
    let found = found.await?;
    let (found, holders, now) = found.ok_or(Refusal::BlobUnknown { digest: digest.clone() })?;
    let places = found.places.iter().map(|place| {
        json!({
            "repository": place.repository.as_ref().map(RepositoryName::as_str),
            "references": place.refs,
            "leaseUntil": until(&now, Some(place.lease_until_ms).filter(|ms| *ms > 0)),
            "isHeldForUndelete": place.is_held,
        })
    });
    let document = json!({
        "digest": digest.as_str(),
        "size": found.blob.size,
        "goesWithTheNextRun": found.goes(now.cluster_ms),
        "references": found.blob.refs,
        "graceUntil": until(&now, found.grace_until_ms),
        "repositories": places.collect::<Vec<Value>>(),
        "hasMoreRepositories": found.more,
        "holders": holders.iter().map(ToString::to_string).collect::<Vec<_>>(),
    });
    Ok(answer::json(StatusCode::OK, &document))
}

/// The replica that collects now.
pub(crate) fn worker(read: &impl Read) -> Result<Option<ReplicaId>, Damage> {
    let held = jobs::held(read)?;
    Ok(held.iter().find(|job| is_collection(job)).and_then(|job| job.worker))
}

fn is_collection(job: &JobRow) -> bool {
    COLLECTIONS.contains(&job.spec.action.as_str())
}

/// The newest collection that is over, as far as it is found among the newest jobs.
fn last_run(read: &impl Read) -> Result<Option<JobRow>, Damage> {
    let newest = jobs::listing(read, &[], JOBS_MAX)?.into_iter().map(|(_, job)| job);
    Ok(newest.into_iter().find(|job| is_collection(job) && job.status.is_over()))
}

/// What the next run takes, and whether that is all: there may be more than is looked at.
async fn ready(cluster: &Cluster, min_s: u64) -> Result<(SumRow, bool), Problem> {
    let (mut sum, mut last) = (SumRow::default(), Vec::new());
    for _ in 0..LOOKS_MAX {
        let part =
            cluster.read(Freshness::Local, |view| plan::idle(view, min_s, &last, LOOKED_AT_ONCE));
        let part = part.await?;
        // Longest idle first: behind the first that is not ready none is.
        let mut in_order = part.blobs.iter();
        let ready = in_order.by_ref().take_while(|it| it.standing == plan::Standing::Ready);
        let (before, mut blobs) = (part.blobs.len(), 0);
        for blob in ready {
            blobs += 1;
            sum.bytes = sum.bytes.saturating_add(blob.size);
        }
        sum.blobs += blobs as u64;
        match part.next {
            Some(next) if blobs == before => last = next,
            _ => return Ok((sum, true)),
        }
    }
    Ok((sum, false))
}

fn sum(sum: SumRow) -> Value {
    json!({ "blobs": sum.blobs, "bytes": sum.bytes })
}

/// A moment of cluster time as the clock on the wall shows it: as far ahead, or behind, as it is.
pub(crate) fn until(now: &ClockRow, cluster_ms: Option<u64>) -> Value {
    cluster_ms.map_or(Value::Null, |cluster_ms| {
        let ahead = now.wall_ms.saturating_add(cluster_ms);
        json!(to_millisecond(ahead.saturating_sub(now.cluster_ms)))
    })
}

#[cfg(test)]
mod tests {
    use metadata::clocks::ClockRow;
    use serde_json::{Value, json};

    use super::until;

    #[test]
    fn cluster_time_is_shown_as_far_from_now_as_it_is() {
        let now = ClockRow { cluster_ms: 5_000, wall_ms: 1_771_114_762_035 };
        assert_eq!(until(&now, Some(5_000)), json!("2026-02-15T00:19:22.035Z"));
        assert_eq!(until(&now, Some(6_000)), json!("2026-02-15T00:19:23.035Z"));
        assert_eq!(until(&now, Some(4_000)), json!("2026-02-15T00:19:21.035Z"));
        assert_eq!(until(&now, None), Value::Null);
    }
}

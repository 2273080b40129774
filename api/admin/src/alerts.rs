//! `GET /api/v0/meta/alerts`: what an administrator should know of, each in a sentence that says
//! what to do.
//!
//! Source: dtr-interface 2.5.

use std::collections::BTreeSet;

use axum::response::Response;
use consensus::cluster::Freshness;
use consensus::status::{ClusterStatus, ReplicaStatus};
use content::counts::BlobCounts;
use edge::answer;
use edge::caller::Need;
use edge::problem::Problem;
use http::StatusCode;
use metadata::backup::{self, LastBackup};
use metadata::{adoption, settings};
use serde::Serialize;

use crate::call::Call;
use crate::cluster_status::is_unreachable;

/// Clocks further apart than this are to be set right; from 30 s on nobody can join.
const CLOCKS_APART_MS_MAX: u64 = 10_000;
/// A certificate with less left was not renewed, which begins in the last third of its 90 days.
const CERTIFICATE_LEFT_MS_MIN: u64 = 3 * 24 * 3_600 * 1_000;
/// A backup is told to be old from then on.
const BACKUP_AGE_MS_MAX: u64 = 7 * 24 * 3_600 * 1_000;

/// Needs looking after soon.
const WARNING: &str = "warning";
/// Something is lost, or one failure more would stop the cluster.
const DANGER: &str = "danger";

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Alert {
    id: String,
    class: &'static str,
    message: String,
}

impl Alert {
    fn new(id: impl Into<String>, class: &'static str, message: impl Into<String>) -> Self {
        Self { id: id.into(), class, message: message.into() }
    }
}

/// What is known beside the replicas.
struct Beside {
    is_read_only: bool,
    is_adopting: bool,
    last_backup: Option<LastBackup>,
    /// `None` before this replica has counted.
    blobs: Option<BlobCounts>,
    /// On the disk of the replica asked.
    corrupt_blobs: usize,
    wall_ms: u64,
}

/// All of them, the gravest first.
pub async fn get(call: Call) -> Result<Response, Problem> {
    call.administrator(Need::Fresh).await?;
    let (cluster, content) = (&call.context.cluster, &call.context.content);
    let read = cluster.read(Freshness::Local, |view| {
        let is_adopting = adoption::open(view)?.is_some();
        Ok((settings::get(view)?.read_only, is_adopting, backup::last(view)?))
    });
    let (is_read_only, is_adopting, last_backup) = read.await?;
    let beside = Beside {
        is_read_only,
        is_adopting,
        last_backup,
        blobs: content.blob_counts(),
        corrupt_blobs: content.corrupt_blobs(),
        wall_ms: call.context.clock.wall_ms(),
    };
    Ok(answer::json(StatusCode::OK, &all(&cluster.status(), &beside)))
}

fn all(status: &ClusterStatus, beside: &Beside) -> Vec<Alert> {
    let mut alerts = of_the_cluster(status, beside);
    alerts.extend(of_blobs(beside));
    for one in &status.replicas {
        alerts.extend(of_replica(one, beside.wall_ms));
    }
    alerts.sort_by_key(|alert| alert.class != DANGER);
    alerts
}

/// A backup is missing, or the last one is old.
fn of_backup(beside: &Beside) -> Option<Alert> {
    let message = match &beside.last_backup {
        None => "No backup of this cluster was ever made: run `holdfast backup`.",
        Some(last) if beside.wall_ms.saturating_sub(last.taken_wall_ms) > BACKUP_AGE_MS_MAX => {
            "The last backup is older than a week: run `holdfast backup`."
        }
        Some(_) => return None,
    };
    Some(Alert::new("backup-missing", WARNING, message))
}

fn of_the_cluster(status: &ClusterStatus, beside: &Beside) -> Vec<Alert> {
    let mut alerts = Vec::new();
    if beside.is_read_only {
        let message = "The registry is read-only: pulls go on, pushes and deletions are refused. \
                       Turn the setting readOnlyRegistry off to take pushes again.";
        alerts.push(Alert::new("read-only", WARNING, message));
    }
    if beside.is_adopting {
        let message = "After a restore or a repair content is being found again, and nothing is \
                       collected. See what is missing by `holdfast content adopt`, and end it by \
                       `--finish`.";
        alerts.push(Alert::new("adoption", WARNING, message));
    }
    alerts.extend(of_backup(beside));
    if status.voters.len() == 2 {
        let message = "Two replicas tolerate no failure: if either stops, nothing can be pushed. \
                       Join a third one.";
        alerts.push(Alert::new("two-replicas", WARNING, message));
    }
    let versions: BTreeSet<&str> = status
        .replicas
        .iter()
        .map(|one| one.version.as_str())
        .filter(|it| !it.is_empty())
        .collect();
    if versions.len() > 1 {
        let versions = versions.into_iter().collect::<Vec<_>>().join(", ");
        let message = format!(
            "The replicas run different versions ({versions}): finish the upgrade, one replica \
             after the other."
        );
        alerts.push(Alert::new("versions", WARNING, message));
    }
    alerts
}

fn of_blobs(beside: &Beside) -> Vec<Alert> {
    let mut alerts = Vec::new();
    let counts = beside.blobs.unwrap_or_default();
    if counts.lost > 0 {
        let message = format!(
            "{} blobs have no copy that can be reached: bring back the replicas that are away, or \
             push the images again.",
            counts.lost
        );
        alerts.push(Alert::new("blobs-lost", DANGER, message));
    }
    let few = counts.under_replicated.saturating_sub(counts.lost);
    if few > 0 {
        let message = format!(
            "{few} blobs have fewer copies than they should. They are being copied; where the \
             number stays, look at the disks and at replicas that are away."
        );
        alerts.push(Alert::new("blobs-few-copies", WARNING, message));
    }
    if beside.corrupt_blobs > 0 {
        let message = format!(
            "{} blobs on this replica's disk do not hash to their names and are fetched anew: \
             check the disk.",
            beside.corrupt_blobs
        );
        alerts.push(Alert::new("blobs-corrupt", DANGER, message));
    }
    alerts
}

fn of_replica(one: &ReplicaStatus, wall_ms: u64) -> Vec<Alert> {
    let (id, host, mut alerts) = (one.replica_id, &one.host_name, Vec::new());
    let who = format!("Replica {id} on {host}");
    if let Some(reason) = &one.ailing {
        let (class, advice) = if is_unreachable(one) {
            (DANGER, "Start it, mend the network, or remove it and join another.")
        } else {
            (WARNING, "")
        };
        let message = format!("{who}: {reason}. {advice}");
        alerts.push(Alert::new(format!("replica-{id}-health"), class, message.trim_end()));
    }
    if !one.takes_blobs {
        let message = format!(
            "{who} takes no new content: its disk is nearly full. Free some room or add disk."
        );
        alerts.push(Alert::new(format!("replica-{id}-disk"), WARNING, message));
    }
    let apart_ms = one.clock_offset_ms.unsigned_abs();
    if apart_ms > CLOCKS_APART_MS_MAX {
        let message = format!(
            "{who} has a clock that is {} s apart from that of the replica asked: set both by NTP.",
            apart_ms / 1_000
        );
        alerts.push(Alert::new(format!("replica-{id}-clock"), WARNING, message));
    }
    let left_ms = one.certificate_expires_wall_ms.saturating_sub(wall_ms);
    if one.certificate_expires_wall_ms > 0 && left_ms < CERTIFICATE_LEFT_MS_MIN {
        let message = format!(
            "{who} has a certificate that runs out soon, and has not renewed it: its log says why."
        );
        alerts.push(Alert::new(format!("replica-{id}-certificate"), WARNING, message));
    }
    if one.is_draining {
        let message = format!(
            "{who} is being drained, and gets nothing new: finish with `holdfast remove`, or have \
             it stay with --cancel."
        );
        alerts.push(Alert::new(format!("replica-{id}-draining"), WARNING, message));
    }
    alerts
}

#[cfg(test)]
mod tests {
    use consensus::status::Role;
    use metadata::replica::ReplicaId;

    use super::*;

    const NOW_MS: u64 = 1_771_149_601_000;
    const DAY_MS: u64 = 24 * 3_600 * 1_000;

    fn replica() -> ReplicaStatus {
        ReplicaStatus {
            replica_id: ReplicaId::parse("5eb9459a7832").unwrap(),
            number: 1,
            address: "node1.example.com:4443".to_owned(),
            host_name: "node1".to_owned(),
            role: Role::Follower,
            ailing: None,
            last_log: 5,
            applied: 5,
            lag: 0,
            last_contact_ms: Some(7),
            version: "1.0.0".to_owned(),
            disk_free_bytes: 9,
            clock_offset_ms: -3,
            reported_wall_ms: Some(NOW_MS),
            started_wall_ms: 0,
            connected_to: vec![],
            certificate_expires_wall_ms: NOW_MS + 80 * DAY_MS,
            takes_blobs: true,
            is_draining: false,
        }
    }

    fn status(replicas: Vec<ReplicaStatus>, voters: usize) -> ClusterStatus {
        ClusterStatus {
            cluster_id: String::new(),
            replica_id: replicas[0].replica_id,
            leader: None,
            term: 1,
            committed: 5,
            voters: vec![replicas[0].replica_id; voters],
            learners: vec![],
            failures_tolerated: 1,
            no_majority_ms: None,
            replicas,
        }
    }

    fn beside() -> Beside {
        let blobs = Some(BlobCounts::default());
        let (is_read_only, is_adopting, corrupt_blobs) = (false, false, 0);
        let last_backup = Some(LastBackup { taken_wall_ms: NOW_MS, log_index: 1, size_bytes: 1 });
        Beside { is_read_only, is_adopting, last_backup, blobs, corrupt_blobs, wall_ms: NOW_MS }
    }

    fn ids(alerts: &[Alert]) -> Vec<&str> {
        alerts.iter().map(|alert| alert.id.trim_start_matches("replica-5eb9459a7832-")).collect()
    }

    #[test]
    fn a_replica_that_is_well_raises_nothing_and_each_ill_one_alert() {
        type Change = fn(&mut ReplicaStatus);
        let cases: [(Change, &[&str]); 10] = [
            (|_| (), &[]),
            (|one| one.ailing = Some("Unable to reach replica: x".into()), &["health"]),
            (
                |one| one.ailing = Some("Replica reported health too long ago: t".into()),
                &["health"],
            ),
            (
                |one| one.ailing = Some("Replica is catching up: 200 entries behind".into()),
                &["health"],
            ),
            (|one| one.takes_blobs = false, &["disk"]),
            (|one| one.clock_offset_ms = -11_000, &["clock"]),
            (|one| one.certificate_expires_wall_ms = NOW_MS + DAY_MS, &["certificate"]),
            (|one| one.certificate_expires_wall_ms = 1, &["certificate"]),
            (|one| one.certificate_expires_wall_ms = 0, &[]),
            (|one| one.is_draining = true, &["draining"]),
        ];
        for (change, expected) in cases {
            let mut one = replica();
            change(&mut one);
            let alerts = all(&status(vec![one], 3), &beside());
            assert_eq!(ids(&alerts), expected);
            assert!(alerts.iter().all(|alert| alert.message.contains("on node1")), "{alerts:?}");
        }
    }

    #[test]
    fn what_ails_the_whole_is_told_and_the_gravest_first() {
        let newer = ReplicaStatus { version: "1.1.0".to_owned(), ..replica() };
        let blobs = Some(BlobCounts { under_replicated: 7, lost: 2 });
        let ill = Beside {
            is_read_only: true,
            is_adopting: true,
            last_backup: None,
            blobs,
            corrupt_blobs: 1,
            wall_ms: NOW_MS,
        };
        let alerts = all(&status(vec![replica(), newer], 2), &ill);
        let expected = [
            "blobs-lost",
            "blobs-corrupt",
            "read-only",
            "adoption",
            "backup-missing",
            "two-replicas",
            "versions",
            "blobs-few-copies",
        ];
        assert_eq!(ids(&alerts), expected);
        assert!(alerts[7].message.starts_with("5 blobs"), "{:?}", alerts[7]);
        let of_a_week = |age_ms| {
            let last = LastBackup { taken_wall_ms: NOW_MS - age_ms, log_index: 1, size_bytes: 1 };
            of_backup(&Beside { last_backup: Some(last), ..beside() })
        };
        assert_eq!(of_a_week(BACKUP_AGE_MS_MAX), None);
        assert!(of_a_week(BACKUP_AGE_MS_MAX + 1).is_some());
        let uncounted = Beside { blobs: None, ..beside() };
        assert!(all(&status(vec![replica()], 1), &uncounted).is_empty());
    }
}

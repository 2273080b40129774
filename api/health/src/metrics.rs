//! `/metrics`: what Prometheus collects.

use std::fmt::Write as _;

use consensus::status::ClusterStatus;
use content::content::Content;
use content::counts::BlobCounts;

use crate::facts::Health;

/// Everything in Prometheus' text form.
pub fn render(health: &Health) -> String {
    let mut out = String::with_capacity(16 * 1024);
    health.context.traffic.render(&mut out);
    let status = health.context.cluster.status();
    raft(&status, &mut out);
    replicas(&status, &mut out);
    if let Ok(disk) = (health.facts.disk)() {
        gauge(
            &mut out,
            "holdfast_disk_free_bytes",
            "Free on the disk of the content.",
            disk.free_bytes,
        );
        gauge(&mut out, "holdfast_disk_bytes", "Size of that disk.", disk.total_bytes);
    }
    content(&health.context.content, &mut out);
    let is_well = u64::from(health.checks.all_failed().is_empty());
    gauge(&mut out, "holdfast_healthy", "Whether every part of this replica answers.", is_well);
    let _ = writeln!(out, "# TYPE holdfast_build_info gauge");
    let version = &health.facts.version;
    let _ = writeln!(out, "holdfast_build_info{{version=\"{version}\"}} 1");
    out
}

fn raft(status: &ClusterStatus, out: &mut String) {
    let own = status.replicas.iter().find(|one| one.replica_id == status.replica_id);
    let (applied, lag) = own.map_or((0, 0), |own| (own.applied, own.lag));
    let is_leader = u64::from(status.leader == Some(status.replica_id));
    gauge(out, "holdfast_raft_term", "The term.", status.term);
    gauge(out, "holdfast_raft_committed_index", "Agreed on up to here.", status.committed);
    gauge(out, "holdfast_raft_applied_index", "Applied up to here.", applied);
    gauge(out, "holdfast_raft_lag_entries", "Entries yet to apply.", lag);
    gauge(out, "holdfast_raft_leader", "Whether this replica leads.", is_leader);
    gauge(
        out,
        "holdfast_raft_has_leader",
        "Whether a leader is known.",
        u64::from(status.leader.is_some()),
    );
    gauge(out, "holdfast_raft_voters", "Those who vote.", status.voters.len() as u64);
    gauge(out, "holdfast_raft_learners", "Those who only follow.", status.learners.len() as u64);
    let tolerated = status.failures_tolerated as u64;
    gauge(out, "holdfast_raft_failures_tolerated", "Voters that may fail.", tolerated);
    let has_quorum = u64::from(status.no_majority_ms.is_none());
    gauge(out, "holdfast_raft_quorum", "Whether a majority answers.", has_quorum);
}

/// Blobs and uploads; what healing has not counted yet is left out rather than called zero.
fn content(content: &Content, out: &mut String) {
    if let Some(BlobCounts { under_replicated, lost }) = content.blob_counts() {
        let name = "holdfast_blobs_under_replicated";
        gauge(out, name, "Blobs with fewer copies than wanted.", under_replicated);
        gauge(out, "holdfast_blobs_lost", "Blobs of which no copy is there.", lost);
    }
    let corrupt = content.corrupt_blobs() as u64;
    gauge(out, "holdfast_blobs_corrupt", "Damaged blobs on this disk, not mended yet.", corrupt);
    let uploads = content.open_uploads() as u64;
    gauge(out, "holdfast_uploads_open", "Uploads this replica takes bytes for.", uploads);
}

fn replicas(status: &ClusterStatus, out: &mut String) {
    let _ = writeln!(out, "# TYPE holdfast_replica_healthy gauge");
    for one in &status.replicas {
        let (id, is_well) = (one.replica_id, u8::from(one.ailing.is_none()));
        let _ = writeln!(out, "holdfast_replica_healthy{{replica=\"{id}\"}} {is_well}");
    }
    let _ = writeln!(out, "# TYPE holdfast_replica_applied_index gauge");
    for one in &status.replicas {
        let (id, applied) = (one.replica_id, one.applied);
        let _ = writeln!(out, "holdfast_replica_applied_index{{replica=\"{id}\"}} {applied}");
    }
}

fn gauge(out: &mut String, name: &str, help: &str, value: u64) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}");
}

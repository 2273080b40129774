//! `GET /api/v0/meta/cluster_status`: how the cluster is, as the replica asked sees it.
//!
//! The tables of the old product's database are rendered from the state of Raft, so that parsers go
//! on working; what is ours stands under `raft`. Answered from local knowledge, without a majority
//! too.
//!
//! Source: dtr-interface 6.

use axum::response::Response;
use consensus::cluster::Freshness;
use consensus::status::{ClusterStatus, ReplicaStatus};
use content::counts::BlobCounts;
use edge::answer;
use edge::caller::Need;
use edge::problem::Problem;
use http::StatusCode;
use metadata::blobs::kept::{self, KeptRow};
use metadata::replica::ReplicaId;
use metadata::{bootstrap, settings};
use serde_json::{Map, Value, json};

use crate::call::Call;
use crate::gc;
use crate::moment::{self, NEVER};

/// The upper election time-out in seconds, rounded up.
const HEARTBEAT_TIMEOUT_S: u32 = 2;

/// What the document needs beside the status.
struct Beside {
    cluster_version: u32,
    is_read_only: bool,
    /// `None` before this replica has counted.
    blobs: Option<BlobCounts>,
    /// On the disk of the replica asked.
    corrupt_blobs: usize,
    /// What is kept, and how much of it nothing needs.
    kept: KeptRow,
    /// Who collects now.
    collector: Option<ReplicaId>,
}

/// The whole document.
pub async fn get(call: Call) -> Result<Response, Problem> {
    let caller = call.administrator(Need::FreshIfQuick).await?;
    let (cluster, content) = (&call.context.cluster, &call.context.content);
    let (blobs, corrupt_blobs) = (content.blob_counts(), content.corrupt_blobs());
    let read = cluster.read(Freshness::Local, |view| {
        let cluster_version = bootstrap::cluster(view)?.map_or(0, |cluster| cluster.version);
        let is_read_only = settings::get(view)?.read_only;
        let (kept, collector) = (kept::sums(view)?, gc::worker(view)?);
        Ok(Beside { cluster_version, is_read_only, blobs, corrupt_blobs, kept, collector })
    });
    let document = render(&cluster.status(), &read.await?);
    let mut response = answer::json(StatusCode::OK, &document);
    if caller.is_stale {
        let remark = "no majority of the cluster answers; you are judged by the rights last known";
        answer::warn(response.headers_mut(), remark);
    }
    Ok(response)
}

fn render(status: &ClusterStatus, beside: &Beside) -> Value {
    let issues = current_issues(status);
    let servers: Vec<Value> = status.replicas.iter().map(|one| server(status, one)).collect();
    let by_replica = |of: &dyn Fn(&ReplicaStatus) -> Value| -> Map<String, Value> {
        status.replicas.iter().map(|one| (one.replica_id.to_string(), of(one))).collect()
    };
    json!({
        "rethink_system_tables": {
            "cluster_config": [
                { "id": "heartbeat", "heartbeat_timeout_secs": HEARTBEAT_TIMEOUT_S },
            ],
            "current_issues": &issues,
            "db_config": [{ "id": &status.cluster_id, "name": "dtr2" }],
            "server_status": servers,
        },
        "current_issues": &issues,
        "replica_health": by_replica(&|one| json!(one.ailing.as_deref().unwrap_or("OK"))),
        "replica_timestamp": by_replica(&|one| {
            json!(one.reported_wall_ms.map_or_else(|| NEVER.to_owned(), moment::to_second))
        }),
        "replica_readonly": by_replica(&|one| json!(beside.is_read_only || !one.takes_blobs)),
        "gc_lock_holder": beside.collector.map_or_else(String::new, |it| it.to_string()),
        "raft": raft(status, beside, &by_replica(&|one| replica(one))),
    })
}

fn server_name(replica_id: impl std::fmt::Display) -> String {
    format!("dtr_rethinkdb_{replica_id}")
}

fn server(status: &ClusterStatus, one: &ReplicaStatus) -> Value {
    let (host, port) = one.address.rsplit_once(':').unwrap_or((&one.address, "0"));
    let port: u16 = port.parse().unwrap_or(0);
    let connected = one.connected_to.iter().filter(|peer| **peer != one.replica_id);
    let connected: Map<String, Value> =
        connected.map(|peer| (server_name(peer), json!(true))).collect();
    json!({
        "id": server_id(status, one),
        "name": server_name(one.replica_id),
        "network": {
            "canonical_addresses": [{ "host": host, "port": port }],
            "cluster_port": port,
            "reql_port": 0,
            "http_admin_port": "<no http admin>",
            "connected_to": connected,
            "hostname": &one.host_name,
            "time_connected": moment::to_millisecond(one.started_wall_ms),
        },
    })
}

/// An id in the form of a UUID, which parsers expect: the cluster's, with the replica's as its
/// node.
fn server_id(status: &ClusterStatus, one: &ReplicaStatus) -> String {
    let prefix = status.cluster_id.get(..24).unwrap_or("00000000-0000-0000-0000-");
    format!("{prefix}{}", one.replica_id)
}

fn current_issues(status: &ClusterStatus) -> Vec<Value> {
    let silent = status.replicas.iter().filter(|one| is_unreachable(one));
    let mut issues: Vec<Value> = silent
        .map(|one| {
            let name = server_name(one.replica_id);
            json!({
                "critical": true,
                "description": format!("the following servers are not reachable: {name}"),
                "type": "server_disconnected",
            })
        })
        .collect();
    if let Some(without_ms) = status.no_majority_ms {
        let without_s = without_ms / 1_000;
        issues.push(json!({
            "critical": true,
            "description": format!("no majority of the voters has answered for {without_s} s"),
            "type": "no_quorum",
        }));
    }
    issues
}

/// Judged by the reason that is shown, so that the two never contradict each other.
pub(crate) fn is_unreachable(one: &ReplicaStatus) -> bool {
    let reason = one.ailing.as_deref().unwrap_or_default();
    reason.starts_with("Unable to reach replica")
        || reason.starts_with("Replica reported health too long ago")
}

fn raft(status: &ClusterStatus, beside: &Beside, replicas: &Map<String, Value>) -> Value {
    let ids = |ids: &[metadata::replica::ReplicaId]| -> Vec<String> {
        ids.iter().map(ToString::to_string).collect()
    };
    json!({
        "cluster_id": &status.cluster_id,
        "cluster_version": beside.cluster_version,
        "leader": status.leader.map_or_else(String::new, |leader| leader.to_string()),
        "term": status.term,
        "committed": status.committed,
        "voters": ids(&status.voters),
        "learners": ids(&status.learners),
        "failures_tolerated": status.failures_tolerated,
        "replicas": replicas,
        "under_replicated_blobs": beside.blobs.map(|blobs| blobs.under_replicated),
        "lost_blobs": beside.blobs.map(|blobs| blobs.lost),
        "corrupt_blobs": beside.corrupt_blobs,
        "kept_bytes": beside.kept.all().bytes,
        "unneeded_bytes": beside.kept.idle.bytes.saturating_add(beside.kept.condemned.bytes),
    })
}

fn replica(one: &ReplicaStatus) -> Value {
    json!({
        "address": &one.address,
        "role": one.role.name(),
        "last_log": one.last_log,
        "applied": one.applied,
        "lag": one.lag,
        "last_contact_ms": one.last_contact_ms,
        "version": &one.version,
        "disk_free_bytes": one.disk_free_bytes,
        "clock_offset_ms": one.clock_offset_ms,
        "cert_expires_at": moment::to_second(one.certificate_expires_wall_ms),
        "is_draining": one.is_draining,
    })
}

#[cfg(test)]
mod tests {
    use consensus::status::{ClusterStatus, ReplicaStatus, Role};
    use content::counts::BlobCounts;
    use metadata::blobs::kept::{KeptRow, SumRow};
    use metadata::replica::ReplicaId;
    use serde_json::{Value, json};

    use super::{Beside, render};

    fn beside(is_read_only: bool) -> Beside {
        let blobs = Some(BlobCounts { under_replicated: 7, lost: 2 });
        let sum = |bytes| SumRow { blobs: 1, bytes };
        let kept = KeptRow { named: sum(70), leased: sum(5), idle: sum(3), condemned: sum(2) };
        let collector = None;
        Beside { cluster_version: 1, is_read_only, blobs, corrupt_blobs: 1, kept, collector }
    }

    fn one(id: &str, ailing: Option<&str>) -> ReplicaStatus {
        ReplicaStatus {
            replica_id: ReplicaId::parse(id).unwrap(),
            number: 1,
            address: "node1.example.com:4443".to_owned(),
            host_name: "node1".to_owned(),
            role: Role::Follower,
            ailing: ailing.map(str::to_owned),
            last_log: 5,
            applied: 4,
            lag: 1,
            last_contact_ms: Some(7),
            version: "1.0.0".to_owned(),
            disk_free_bytes: 9,
            clock_offset_ms: -3,
            reported_wall_ms: Some(1_771_149_601_000),
            started_wall_ms: 1_771_114_762_035,
            connected_to: vec![ReplicaId::parse("56b65e8c1404").unwrap()],
            certificate_expires_wall_ms: 1_778_889_600_000,
            takes_blobs: true,
            is_draining: false,
        }
    }

    fn status() -> ClusterStatus {
        ClusterStatus {
            cluster_id: "5d7d3b0e-3a0c-4c1f-9d1c-6f5f3d1f2a10".to_owned(),
            replica_id: ReplicaId::parse("5eb9459a7832").unwrap(),
            leader: Some(ReplicaId::parse("5eb9459a7832").unwrap()),
            term: 7,
            committed: 5,
            voters: vec![ReplicaId::parse("5eb9459a7832").unwrap()],
            learners: vec![],
            failures_tolerated: 0,
            no_majority_ms: None,
            replicas: vec![
                one("5eb9459a7832", None),
                one("56b65e8c1404", Some("Unable to reach replica: connection refused")),
            ],
        }
    }

    #[test]
    fn the_document_has_the_fields_of_the_old_product() {
        let document = render(&status(), &beside(false));
        let tables = &document["rethink_system_tables"];
        assert_eq!(tables["cluster_config"][0]["heartbeat_timeout_secs"], 2);
        assert_eq!(tables["db_config"][0]["name"], "dtr2");
        let server = &tables["server_status"][0];
        assert_eq!(server["name"], "dtr_rethinkdb_5eb9459a7832");
        assert_eq!(server["id"], "5d7d3b0e-3a0c-4c1f-9d1c-5eb9459a7832");
        let network = &server["network"];
        let address = json!([{ "host": "node1.example.com", "port": 4443 }]);
        assert_eq!(network["canonical_addresses"], address);
        assert_eq!(network["connected_to"], json!({ "dtr_rethinkdb_56b65e8c1404": true }));
        assert_eq!(network["time_connected"], "2026-02-15T00:19:22.035Z");
        assert_eq!(document["replica_health"]["5eb9459a7832"], "OK");
        assert_eq!(document["replica_timestamp"]["5eb9459a7832"], "2026-02-15T10:00:01Z");
        assert_eq!(document["raft"]["leader"], "5eb9459a7832");
        assert_eq!(document["raft"]["replicas"]["5eb9459a7832"]["clock_offset_ms"], -3);
        assert_eq!(document["gc_lock_holder"], "");
        assert_eq!(document["raft"]["kept_bytes"], 80);
        assert_eq!(document["raft"]["unneeded_bytes"], 5);
        let collector = ReplicaId::parse("5eb9459a7832").ok();
        let document = render(&status(), &Beside { collector, ..beside(false) });
        assert_eq!(document["gc_lock_holder"], "5eb9459a7832");
    }

    #[test]
    fn blobs_are_shown_as_they_were_counted_and_not_before() {
        let shown = |beside: &Beside| {
            let raft = &render(&status(), beside)["raft"];
            ["under_replicated_blobs", "lost_blobs", "corrupt_blobs"].map(|key| raft[key].clone())
        };
        assert_eq!(shown(&beside(false)), [json!(7), json!(2), json!(1)]);
        let uncounted = Beside { blobs: None, ..beside(false) };
        assert_eq!(shown(&uncounted), [Value::Null, Value::Null, json!(1)]);
    }

    #[test]
    fn a_dead_replica_is_an_issue_in_both_places() {
        let document = render(&status(), &beside(true));
        let expected = "the following servers are not reachable: dtr_rethinkdb_56b65e8c1404";
        assert_eq!(document["current_issues"][0]["description"], expected);
        let tables = &document["rethink_system_tables"];
        assert_eq!(tables["current_issues"], document["current_issues"]);
        assert_eq!(document["replica_readonly"]["5eb9459a7832"], true);
    }
}

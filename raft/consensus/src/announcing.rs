//! Telling the cluster where this replica is reached and which version it runs, where its
//! membership row says something else.

use std::sync::Arc;
use std::time::Duration;

use metadata::bootstrap::CLUSTER_VERSION;
use metadata::command::Command;
use metadata::members::{MemberRow, MemberUpdate};

use crate::replica::Replica;

/// Between two looks at the row.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Between two tries to have it changed.
const TELL_EVERY: Duration = Duration::from_secs(5);

/// Runs until the row is right, or the replica stops.
pub(crate) async fn run(replica: Arc<Replica>) {
    tokio::select! {
        () = tell(&replica) => {}
        () = replica.stopping() => {}
    }
}

async fn tell(replica: &Arc<Replica>) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let Some(row) = newest_row(replica).await else { continue };
        let Some(update) = wanted(&row, &replica.advertise, &replica.version) else { return };
        tracing::info!(address = replica.advertise, "the cluster is told what changed here");
        if let Err(error) = replica.clone().propose(Command::from(update)).await {
            tracing::debug!(%error, "address and version of this replica are not entered yet");
            tokio::time::sleep(TELL_EVERY).await;
        }
    }
}

/// The row as the cluster has it, not as an earlier life of this replica knew it.
async fn newest_row(replica: &Replica) -> Option<MemberRow> {
    replica.barrier().await.ok()?;
    replica.directory.find(replica.identity.replica_id)
}

/// What of `row` is to change, if anything is; an empty address leaves it.
fn wanted(row: &MemberRow, advertise: &str, version: &str) -> Option<MemberUpdate> {
    let differs = |now: &str, known: &str| (now != known).then(|| now.to_owned());
    let address = differs(advertise, &row.address).filter(|address| !address.is_empty());
    let version = differs(version, &row.version);
    let replica_id = row.replica_id;
    let supports = (row.supports != CLUSTER_VERSION).then_some(CLUSTER_VERSION);
    let changes = address.is_some() || version.is_some() || supports.is_some();
    changes.then_some(MemberUpdate { replica_id, address, version, supports })
}

#[cfg(test)]
mod tests {
    use metadata::replica::{MemberNumber, ReplicaId};

    use super::*;

    #[test]
    fn only_what_changed_is_told() {
        let row = MemberRow {
            replica_id: ReplicaId::from_u64(3).unwrap(),
            number: MemberNumber(3),
            public_key: String::new(),
            address: "node3.example:4443".to_owned(),
            host_name: String::new(),
            machine_id: String::new(),
            incarnation: String::new(),
            version: "0.1.0".to_owned(),
            joined_wall_ms: 0,
            was_voter: true,
            is_removed: false,
            is_draining: false,
            supports: CLUSTER_VERSION,
        };
        let (moved, newer) = ("node3.example:5443", "0.2.0");
        // (advertised address, version, what is told)
        let cases = [
            ("node3.example:4443", "0.1.0", None),
            ("", "0.1.0", None),
            (moved, "0.1.0", Some((Some(moved), None))),
            ("node3.example:4443", newer, Some((None, Some(newer)))),
            (moved, newer, Some((Some(moved), Some(newer)))),
        ];
        for (advertise, version, told) in cases {
            let found = wanted(&row, advertise, version);
            let found = found.as_ref().map(|it| (it.address.as_deref(), it.version.as_deref()));
            assert_eq!(found, told, "{advertise} {version}");
        }
    }
}

//! One of each command and refusal of a cluster's operation, for the golden files.

use metadata::command::Command;
use metadata::members::MemberDrain;
use metadata::refusal::Refusal;
use metadata::repair::ClusterRepair;

use crate::cluster::id;

pub(crate) fn commands() -> Vec<Command> {
    let replica_id = id(2);
    let repair = ClusterRepair {
        replica_id,
        cluster_id: "decaf".into(),
        ca_certificate_pem: "pem".into(),
        sealed_ca_key: vec![1],
        last_log: 300,
        applied: 299,
    };
    vec![MemberDrain { replica_id, is_draining: true }.into(), repair.into()]
}

pub(crate) fn refusals() -> Vec<Refusal> {
    vec![
        Refusal::MemberIsLast { replica_id: id(2) },
        Refusal::ClusterNotAlone,
        Refusal::VersionUnknown { supports: 1, version: 2 },
    ]
}

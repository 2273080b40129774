//! After the loss of a majority: one replica goes on alone, as a cluster of its own.
//!
//! The command comes from `emergency-repair`, which has written it and a membership of one into the
//! log of the replica that the operator chose. What the others had and this one has not is lost;
//! they join anew and bring their content along. Until the operator says that this is over, nothing
//! is collected: a manifest that is missing here may still be known by its blobs alone.

use crate::adoption::{self, AdoptionRow};
use crate::bootstrap::{self, ClusterRow};
use crate::certificates::{self, CaRow};
use crate::codec::message;
use crate::members;
use crate::membership;
use crate::moment::Moment;
use crate::outcome::Answer;
use crate::refusal::Refusal;
use crate::replica::ReplicaId;
use crate::ruling::Ruling;
use crate::tables::Write;

message! {
    /// Makes the replica a cluster of one, under another id and authority. Comes without a session.
    pub struct ClusterRepair {
        /// Who goes on.
        1 replica_id: ReplicaId,
        /// The cluster's new id.
        2 cluster_id: String,
        /// Certificate of its new authority.
        3 ca_certificate_pem: String,
        /// The authority's private key, sealed.
        4 sealed_ca_key: Vec<u8>,
        /// The last entry of the log that the replica had: what came after it may be lost.
        5 last_log: u64,
        /// The last of those that it had carried out before.
        6 applied: u64,
    }
}

impl ClusterRepair {
    pub(crate) fn apply(&self, tables: &mut impl Write, moment: &Moment) -> Ruling {
        let Some(cluster) = bootstrap::cluster(tables)? else {
            return Err(Refusal::ClusterNotAlone.into());
        };
        if cluster.cluster_id == self.cluster_id {
            return Ok(Answer::Done);
        }
        // The membership of one stands in the log before this; without it nothing is repaired.
        if membership::voters(tables)?.voters != [self.replica_id] {
            return Err(Refusal::ClusterNotAlone.into());
        }
        members::known(tables, self.replica_id)?;
        for member in members::list(tables)? {
            if member.replica_id == self.replica_id {
                members::keeps_content(tables, member);
            } else {
                members::strike(tables, member)?;
            }
        }
        membership::refresh(tables)?;
        let ca = CaRow {
            certificate_pem: self.ca_certificate_pem.clone(),
            sealed_key: self.sealed_ca_key.clone(),
        };
        certificates::put_ca(tables, &ca);
        let begun = AdoptionRow {
            former_cluster_id: cluster.cluster_id.clone(),
            log_index: self.last_log,
            begun_wall_ms: moment.wall_ms,
        };
        adoption::put(tables, &begun);
        let cluster_id = self.cluster_id.clone();
        bootstrap::put_cluster(tables, &ClusterRow { cluster_id, ..cluster });
        Ok(Answer::Done)
    }
}

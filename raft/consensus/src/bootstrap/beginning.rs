//! The first start of a cluster: this replica becomes the only voter and proposes the first entry.

use std::collections::BTreeSet;

use metadata::command::Command;
use metadata::replica::ReplicaId;

use crate::bootstrap::FirstEntry;
use crate::replica::Replica;
use crate::start::StartError;

/// The first entry, where it still waits in the data folder.
pub(crate) async fn first_command(replica: &Replica) -> Result<Option<Command>, StartError> {
    let first = FirstEntry::read(&replica.root)?;
    Ok(first.map(|first| first.command().clone()))
}

/// Makes this replica the only voter, unless it is one already, and has `first` agreed on.
///
/// May be cut short anywhere and done again: `first` changes nothing the second time.
pub(crate) async fn begin(replica: &Replica, first: Command) -> Result<(), StartError> {
    let failed = |error: &dyn std::fmt::Display| StartError::Raft(error.to_string());
    let voters = BTreeSet::from([replica.identity.replica_id].map(ReplicaId::as_u64));
    if !replica.raft.is_initialized().await.map_err(|error| failed(&error))? {
        replica.raft.initialize(voters).await.map_err(|error| failed(&error))?;
    }
    replica.proposals.propose_first(&first).await.map_err(|error| failed(&error))?;
    FirstEntry::remove(&replica.root)?;
    tracing::info!(cluster = replica.identity.cluster_id, "the cluster has begun");
    Ok(())
}

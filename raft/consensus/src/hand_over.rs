//! Handing leadership over before a leader stops, so that writes pause for no election time-out.

use std::time::Duration;

use metadata::replica::ReplicaId;
use openraft::ServerState;

use crate::peers::Lane;
use crate::protocol::peer;
use crate::replica::Replica;

/// One candidate is given so long.
const ONE_MAX: Duration = Duration::from_millis(500);
/// How often, and how many times, a voter with the whole log is looked for.
const CANDIDATE_EVERY: Duration = Duration::from_millis(20);
const CANDIDATE_LOOKS: usize = 50;
/// For so long a replica that led goes on voting for its successor.
const SUCCESSOR_MAX: Duration = Duration::from_secs(2);
/// In all; followers keep faith with a silent leader for the time of its lease.
const TRIES_MAX: usize = 5;

/// Has another voter elected where this replica leads one; goes on leading where none can be.
pub(crate) async fn hand_over(replica: &Replica) {
    let own = replica.identity.replica_id.as_u64();
    if replica.raft.metrics().borrow().state != ServerState::Leader {
        return;
    }
    for attempt in 0..TRIES_MAX {
        let Some(candidates) = wait_for_candidates(replica, own).await else { break };
        if candidates.is_empty() {
            break;
        }
        // Silent from now on, so that the lease of the others runs out.
        replica.raft.runtime_config().heartbeat(false);
        let candidate = candidates[attempt % candidates.len()];
        let name = ReplicaId::from_u64(candidate).map(|id| id.to_string()).unwrap_or_default();
        tracing::info!(candidate = name, "handing leadership over");
        let request = peer::StandRequest {
            sender: Some(replica.peers.sender()),
            term: replica.raft.metrics().borrow().current_term,
        };
        let mut client = replica.peers.client(candidate, Lane::Control);
        let asked = tokio::time::timeout(ONE_MAX, client.stand(request)).await;
        if matches!(asked, Ok(Ok(_))) && succeeded(replica, own, ONE_MAX).await {
            return;
        }
    }
    if replica.raft.metrics().borrow().state == ServerState::Leader {
        replica.raft.runtime_config().heartbeat(true);
    } else {
        // A candidate has ended this leadership and is not elected yet: it needs this replica's
        // vote.
        succeeded(replica, own, SUCCESSOR_MAX).await;
    }
}

/// Whether another replica leads before `wait` is over.
async fn succeeded(replica: &Replica, own: u64, wait: Duration) -> bool {
    let mut metrics = replica.raft.metrics();
    let other = metrics.wait_for(|now| now.current_leader.is_some_and(|leader| leader != own));
    matches!(tokio::time::timeout(wait, other).await, Ok(Ok(_)))
}

/// Waits a moment for what is under way to be replicated; see [`candidates`].
async fn wait_for_candidates(replica: &Replica, own: u64) -> Option<Vec<u64>> {
    let others = replica.voters().iter().any(|voter| voter.as_u64() != own);
    for _ in 0..CANDIDATE_LOOKS {
        let found = candidates(replica, own)?;
        if !others || !found.is_empty() {
            return Some(found);
        }
        tokio::time::sleep(CANDIDATE_EVERY).await;
    }
    Some(Vec::new())
}

/// The other voters that have the whole log; `None` where this replica does not lead.
fn candidates(replica: &Replica, own: u64) -> Option<Vec<u64>> {
    let metrics = replica.raft.metrics().borrow().clone();
    if metrics.state != ServerState::Leader {
        return None;
    }
    let matched = metrics.replication.unwrap_or_default();
    let whole = |voter: &u64| {
        let matched = matched.get(voter).copied().flatten();
        matched.map(|id| id.index) == metrics.last_log_index
    };
    let voters = metrics.membership_config.voter_ids().filter(|voter| *voter != own);
    Some(voters.filter(whole).collect())
}

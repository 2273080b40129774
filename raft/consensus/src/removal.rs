//! Removing a member: its vote first, then its key.
//!
//! Whoever is asked has the leader take the vote, and then proposes that the key be struck. In
//! between the leader must not give the vote back, as it does to every learner that keeps up.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use metadata::command::Command;
use metadata::entry::Origin;
use metadata::members::MemberRemove;
use metadata::replica::ReplicaId;
use openraft::{ChangeMembers, ServerState};
use tokio::time::Instant;

use crate::cluster::Failure;
use crate::hand_over::hand_over;
use crate::peers::Lane;
use crate::proposals::Behalf;
use crate::protocol::peer;
use crate::replica::Replica;

/// Between tries.
const RETRY: Duration = Duration::from_millis(100);
/// A change of the membership that is not through by then is asked for again.
const CHANGE_MAX: Duration = Duration::from_secs(3);
/// A removal that has not come to its end by then is given up, and its member may vote again.
const LEAVING_MAX: Duration = Duration::from_secs(30);

/// Members that this replica, as the leader, was asked to let go.
#[derive(Default)]
pub(crate) struct Leaving {
    members: Mutex<Vec<(u64, Instant)>>,
}

impl Leaving {
    fn note(&self, member: u64) {
        let mut members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        members.retain(|(noted, _)| *noted != member);
        members.push((member, Instant::now()));
    }

    pub(crate) fn current(&self) -> BTreeSet<u64> {
        let mut members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        members.retain(|(_, since)| since.elapsed() < LEAVING_MAX);
        members.iter().map(|(member, _)| *member).collect()
    }
}

/// Takes the vote of `member`, by whoever leads, and has its key struck.
pub(crate) async fn remove(
    replica: Arc<Replica>,
    member: MemberRemove,
    origin: Option<Origin>,
) -> Result<(), Failure> {
    let demoted = replica.quorum.within(async {
        while !demoted_once(&replica, member.replica_id).await {
            tokio::time::sleep(RETRY).await;
        }
    });
    demoted.await?;
    replica
        .propose_for(Behalf { origin, ..Behalf::default() }, Command::from(member))
        .await
        .map(|_| ())
}

async fn demoted_once(replica: &Arc<Replica>, member: ReplicaId) -> bool {
    use peer::demote_response::Outcome;
    let Some(leader) = replica.leader() else { return false };
    if leader == replica.identity.replica_id.as_u64() {
        return matches!(demote(replica, member).await, Outcome::Done(_));
    }
    let sender = Some(replica.peers.sender());
    let request = peer::DemoteRequest { sender, replica_id: member.to_string() };
    let mut client = replica.peers.client(leader, Lane::Commands);
    let answer = tokio::time::timeout(CHANGE_MAX, client.demote(request)).await;
    matches!(answer, Ok(Ok(answer)) if matches!(answer.get_ref().outcome, Some(Outcome::Done(_))))
}

/// Takes the vote of `member`. A leader that is to go itself hands over first.
pub(crate) async fn demote(
    replica: &Arc<Replica>,
    member: ReplicaId,
) -> peer::demote_response::Outcome {
    use peer::demote_response::Outcome;
    let not_leader = || Outcome::NotLeader(replica.leader_name());
    if replica.raft.metrics().borrow().state != ServerState::Leader {
        return not_leader();
    }
    if member == replica.identity.replica_id {
        hand_over(replica).await;
        return not_leader();
    }
    replica.leaving.note(member.as_u64());
    if !replica.voters().contains(&member) {
        return Outcome::Done(true);
    }
    let change = ChangeMembers::RemoveVoters(BTreeSet::from([member.as_u64()]));
    let changed = replica.raft.change_membership(change, true);
    match tokio::time::timeout(CHANGE_MAX, changed).await {
        Ok(Ok(_)) => Outcome::Done(true),
        Ok(Err(error)) => Outcome::NotYet(error.to_string()),
        Err(_) => Outcome::NotYet("the change of the membership is not through yet".to_owned()),
    }
}

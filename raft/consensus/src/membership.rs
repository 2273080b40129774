//! Newcomers become learners and then voters, those who were removed leave: done by the leader.
//!
//! The membership rows say who belongs to the cluster. The leader brings Raft's own membership in
//! line with them, one step at a time.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use metadata::replica::ReplicaId;
use openraft::{ChangeMembers, EmptyNode, ServerState};

use crate::copies;
use crate::raft_types::Metrics;
use crate::replica::Replica;

/// How often the leader compares.
const EVERY: Duration = Duration::from_millis(250);
/// A change that is not through by then is looked at again.
const CHANGE_MAX: Duration = Duration::from_secs(5);
/// Looking through all blobs again costs something.
const COPIES_RETRY: Duration = Duration::from_secs(2);
/// A learner that lags less than this becomes a voter.
const LAG_MAX: u64 = 100;

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// Finish the change that is under way.
    Settle(BTreeSet<u64>),
    /// Let it follow.
    Learn(u64),
    /// Let it vote.
    Vote(u64),
    /// Take it out.
    Leave(u64),
}

/// Compares Raft's membership with `members`; one step, or none when all is well.
fn next_step(
    own: u64,
    members: &BTreeSet<u64>,
    leaving: &BTreeSet<u64>,
    metrics: &Metrics,
) -> Option<Step> {
    let membership = metrics.membership_config.membership();
    let sets = membership.get_joint_config();
    // A leader fell in the middle of a change: the last set is the one it was going to.
    if let [_, .., last] = sets.as_slice() {
        return Some(Step::Settle(last.clone()));
    }
    // Before the cluster's first entry there are no rows yet.
    if !members.contains(&own) {
        return None;
    }
    let nodes: BTreeSet<u64> = membership.nodes().map(|(id, _)| *id).collect();
    if let Some(gone) = nodes.iter().find(|node| !members.contains(node)) {
        return Some(Step::Leave(*gone));
    }
    if let Some(new) = members.iter().find(|member| !nodes.contains(member)) {
        return Some(Step::Learn(*new));
    }
    let last = metrics.last_log_index.unwrap_or(0);
    let replication = metrics.replication.as_ref()?;
    let near = |learner: &u64| {
        let matched = replication.get(learner).copied().flatten();
        matched.is_some_and(|matched| matched.index + LAG_MAX > last)
    };
    membership.learner_ids().filter(|id| !leaving.contains(id)).find(near).map(Step::Vote)
}

/// Runs until the replica stops; does something only while it leads.
pub(crate) async fn run(replica: Arc<Replica>) {
    let own = replica.identity.replica_id.as_u64();
    loop {
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = replica.stopping() => return,
        }
        let metrics = replica.raft.metrics().borrow().clone();
        if metrics.state != ServerState::Leader {
            continue;
        }
        let rows = replica.directory.rows();
        let members = rows.iter().map(|row| row.replica_id.as_u64()).collect();
        let mut leaving = replica.leaving.current();
        let draining = rows.iter().filter(|row| row.is_draining);
        leaving.extend(draining.map(|row| row.replica_id.as_u64()));
        let Some(step) = next_step(own, &members, &leaving, &metrics) else { continue };
        if let Step::Vote(learner) = step
            && !may_vote(&replica, &metrics, learner).await
        {
            tokio::time::sleep(COPIES_RETRY).await;
            continue;
        }
        tracing::info!(?step, "changing the membership");
        match tokio::time::timeout(CHANGE_MAX, take(&replica, step)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the membership was not changed"),
            Err(_) => tracing::warn!("a change of the membership is not through yet"),
        }
    }
}

/// Where one more voter means one more failure tolerated, every blob must have the copies for it.
async fn may_vote(replica: &Replica, metrics: &Metrics, learner: u64) -> bool {
    let Some(learner) = ReplicaId::from_u64(learner) else { return false };
    let voters = metrics.membership_config.voter_ids().count();
    match copies::suffice_with(&replica.tables, voters, learner).await {
        Ok(suffice) => suffice,
        Err(error) => {
            tracing::warn!(%error, "whether blobs have enough copies is not known");
            false
        }
    }
}

async fn take(replica: &Replica, step: Step) -> Result<(), String> {
    let raft = &replica.raft;
    let changed = match step {
        Step::Settle(voters) => raft.change_membership(voters, false).await,
        Step::Learn(node) => raft.add_learner(node, EmptyNode {}, false).await,
        Step::Vote(node) => {
            let voters = BTreeSet::from([node]);
            raft.change_membership(ChangeMembers::AddVoterIds(voters), true).await
        }
        Step::Leave(node) => {
            let nodes = BTreeSet::from([node]);
            let is_voter =
                raft.metrics().borrow().membership_config.voter_ids().any(|voter| voter == node);
            if is_voter {
                raft.change_membership(ChangeMembers::RemoveVoters(nodes), false).await
            } else {
                raft.change_membership(ChangeMembers::RemoveNodes(nodes), false).await
            }
        }
    };
    changed.map(|_| ()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use openraft::{LogId, Membership, StoredMembership};

    use super::*;

    fn metrics(voters: &[&[u64]], learners: &[u64], matched: &[(u64, u64)]) -> Metrics {
        let sets: Vec<BTreeSet<u64>> =
            voters.iter().map(|set| set.iter().copied().collect()).collect();
        let nodes: BTreeSet<u64> = sets.iter().flatten().chain(learners).copied().collect();
        let mut metrics = Metrics::new_initial(1);
        metrics.membership_config =
            Arc::new(StoredMembership::new(None, Membership::new(sets, nodes)));
        metrics.last_log_index = Some(1000);
        let log_id = |index| LogId::new(openraft::CommittedLeaderId::new(1, 1), index);
        let matched = matched.iter().map(|(id, index)| (*id, Some(log_id(*index))));
        metrics.replication = Some(matched.collect());
        metrics
    }

    #[test]
    fn the_membership_goes_towards_the_rows_one_step_at_a_time() {
        let step = |members: &[u64], leaving: &[u64], metrics: &Metrics| {
            let [members, leaving] = [members, leaving].map(|ids| ids.iter().copied().collect());
            next_step(1, &members, &leaving, metrics)
        };
        let now = metrics(&[&[1, 2]], &[], &[]);
        assert_eq!(step(&[1, 2], &[], &now), None, "all well");
        let now = metrics(&[&[1]], &[], &[]);
        assert_eq!(step(&[], &[], &now), None, "no rows yet");
        let now = metrics(&[&[1]], &[], &[]);
        assert_eq!(step(&[1, 2], &[], &now), Some(Step::Learn(2)), "a newcomer learns");
        let now = metrics(&[&[1]], &[2], &[(2, 900)]);
        assert_eq!(step(&[1, 2], &[], &now), None, "a learner far behind waits");
        let now = metrics(&[&[1]], &[2], &[]);
        assert_eq!(step(&[1, 2], &[], &now), None, "a learner that was never heard waits");
        let now = metrics(&[&[1]], &[2], &[(2, 901)]);
        assert_eq!(step(&[1, 2], &[], &now), Some(Step::Vote(2)), "a learner close behind votes");
        let now = metrics(&[&[1]], &[2], &[(2, 1000)]);
        assert_eq!(
            step(&[1, 2], &[2], &now),
            None,
            "one that is being removed does not get its vote back"
        );
        let now = metrics(&[&[1, 2]], &[], &[]);
        assert_eq!(
            step(&[1, 3], &[], &now),
            Some(Step::Leave(2)),
            "one that was removed leaves first"
        );
        let now = metrics(&[&[1], &[1, 2]], &[], &[]);
        assert_eq!(
            step(&[1, 2, 3], &[], &now),
            Some(Step::Settle([1, 2].into())),
            "a change under way is finished first"
        );
    }
}

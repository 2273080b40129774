//! Standing for election, with a poll first.
//!
//! The library's own elections are off: it has no pre-vote, and a replica that was cut off would
//! stop everyone's writes when it comes back. A replica that hears from no leader first asks the
//! others whether they would vote for it, which changes nothing, and stands only with a majority of
//! yes.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use openraft::ServerState;
use rand::Rng;
use tokio::time::Instant;

use crate::codec;
use crate::peers::{Lane, Peers};
use crate::protocol::peer;
use crate::raft_types::{Metrics, Raft, RaftLogId};
use crate::start::Tuning;

/// How often the clock is looked at.
const TICK: Duration = Duration::from_millis(40);
/// A poll without an answer by then is a no.
const POLL_MAX: Duration = Duration::from_millis(300);
/// Between tries of a candidate that the leader asked to stand.
const ASKED_WAIT: Duration = Duration::from_millis(200);
/// Beyond the lease of the library, so that a yes in a poll is a yes in the election.
const LEASE_MARGIN: Duration = Duration::from_millis(20);

/// When a leader was last heard.
#[derive(Debug)]
pub(crate) struct Contact {
    started: Instant,
    /// Milliseconds after `started`, plus one; 0: never.
    heard_ms: AtomicU64,
}

impl Contact {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { started: Instant::now(), heard_ms: AtomicU64::new(0) })
    }

    /// Notes that a leader was heard, or a candidate was given the vote, just now.
    pub(crate) fn touch(&self) {
        let now_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX - 1);
        self.heard_ms.fetch_max(now_ms + 1, Ordering::Relaxed);
    }

    /// For how long no leader was heard; since the start where none ever was.
    pub(crate) fn silent(&self) -> Duration {
        let heard = self.heard_ms.load(Ordering::Relaxed).saturating_sub(1);
        self.started.elapsed().saturating_sub(Duration::from_millis(heard))
    }

    /// Whether a leader was heard at all.
    pub(crate) fn ever(&self) -> bool {
        self.heard_ms.load(Ordering::Relaxed) > 0
    }
}

/// How standing for election ended.
enum Stood {
    /// Someone leads.
    Decided,
    /// Nobody does, yet.
    Undecided,
    /// This replica has stopped.
    Stopped,
}

/// Stands for election when it is time.
pub(crate) struct Elections {
    pub(crate) raft: Raft,
    pub(crate) peers: Peers,
    pub(crate) contact: Arc<Contact>,
    pub(crate) own: u64,
    pub(crate) tuning: Tuning,
}

impl Elections {
    pub(crate) fn new(
        (raft, peers): (Raft, Peers),
        contact: Arc<Contact>,
        own: u64,
        tuning: Tuning,
    ) -> Self {
        Self { raft, peers, contact, own, tuning }
    }

    /// Whether this replica would vote for a candidate whose log ends at `last`.
    pub(crate) fn would_vote(&self, last: Option<RaftLogId>) -> bool {
        let lease = Duration::from_millis(self.tuning.election_ms_max) + LEASE_MARGIN;
        let leads_well = {
            let metrics = self.raft.metrics();
            let now = metrics.borrow();
            let acknowledged = now.millis_since_quorum_ack.map(Duration::from_millis);
            now.state == ServerState::Leader && acknowledged.is_some_and(|since| since < lease)
        };
        let hears_one = self.contact.ever() && self.contact.silent() < lease;
        let own_last = self.raft.data_metrics().borrow().last_log;
        !leads_well && !hears_one && last >= own_last
    }
}

impl Elections {
    /// Runs until the replica stops.
    pub(crate) async fn run(self: Arc<Self>) {
        let mut patience = self.patience();
        loop {
            tokio::time::sleep(TICK).await;
            let metrics = self.raft.metrics().borrow().clone();
            if metrics.running_state.is_err() {
                return;
            }
            let voters = voter_sets(&metrics);
            let is_voter = voters.iter().any(|set| set.contains(&self.own));
            if metrics.state == ServerState::Leader || !is_voter {
                continue;
            }
            let alone = voters.iter().all(|set| set.len() == 1 && set.contains(&self.own));
            if !alone && self.contact.silent() < patience {
                continue;
            }
            if alone || self.poll(&voters).await {
                let wait = random_ms(self.tuning.election_ms_min / 2, self.tuning.election_ms_max);
                self.stand(wait).await;
                patience = self.patience();
            } else {
                // A no costs nothing, so it is asked again soon.
                tokio::time::sleep(random_ms(60, 160)).await;
            }
        }
    }

    fn patience(&self) -> Duration {
        random_ms(self.tuning.election_ms_min, self.tuning.election_ms_max)
    }

    /// Asks all voters whether they would vote for this replica.
    async fn poll(&self, voters: &[BTreeSet<u64>]) -> bool {
        let last = self.raft.data_metrics().borrow().last_log;
        let term = self.raft.metrics().borrow().current_term;
        let asked: BTreeSet<u64> =
            voters.iter().flatten().copied().filter(|voter| *voter != self.own).collect();
        let mut answers: FuturesUnordered<_> = asked
            .into_iter()
            .map(|voter| async move { (voter, self.ask(voter, term, last).await) })
            .collect();
        let mut yes = BTreeSet::from([self.own]);
        while !is_majority(voters, &yes) {
            match answers.next().await {
                Some((voter, true)) => {
                    yes.insert(voter);
                }
                Some((_, false)) => {}
                None => return false,
            }
        }
        true
    }

    async fn ask(&self, voter: u64, term: u64, last: Option<RaftLogId>) -> bool {
        let request = peer::PollRequest {
            sender: Some(self.peers.sender()),
            term,
            last: last.as_ref().map(codec::log_id_to_record),
        };
        let mut client = self.peers.client(voter, Lane::Control);
        match tokio::time::timeout(POLL_MAX, client.poll(request)).await {
            Ok(Ok(answer)) => answer.into_inner().would_vote,
            Ok(Err(_)) | Err(_) => false,
        }
    }

    /// Stands for election and waits until someone is elected, but no longer than `wait`.
    async fn stand(&self, wait: Duration) -> Stood {
        tracing::info!("standing for election");
        let before = self.raft.metrics().borrow().current_term;
        if self.raft.trigger().elect().await.is_err() {
            return Stood::Stopped;
        }
        let over = |now: &Metrics| now.current_term > before && now.current_leader.is_some();
        let mut metrics = self.raft.metrics();
        match tokio::time::timeout(wait, metrics.wait_for(over)).await {
            Ok(Ok(_)) => Stood::Decided,
            Ok(Err(_)) => Stood::Stopped,
            Err(_) => Stood::Undecided,
        }
    }

    /// Stands because the leader asked for it. The others keep faith with that leader for the time
    /// of its lease, so it may take more than one try.
    pub(crate) async fn stand_as_asked(&self) {
        let lease = Duration::from_millis(self.tuning.election_ms_max);
        let began = Instant::now();
        while began.elapsed() <= lease {
            match self.stand(ASKED_WAIT).await {
                Stood::Undecided => {}
                Stood::Decided | Stood::Stopped => return,
            }
        }
    }
}

/// The sets of voters, each of which must agree by majority.
pub(crate) fn voter_sets(metrics: &Metrics) -> Vec<BTreeSet<u64>> {
    metrics.membership_config.membership().get_joint_config().clone()
}

pub(crate) fn is_majority(voters: &[BTreeSet<u64>], yes: &BTreeSet<u64>) -> bool {
    !voters.is_empty() && voters.iter().all(|set| set.intersection(yes).count() * 2 > set.len())
}

pub(crate) fn random_ms(from: u64, to: u64) -> Duration {
    Duration::from_millis(rand::rng().random_range(from..to.max(from + 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_majority_is_one_of_each_set() {
        let set = |ids: &[u64]| ids.iter().copied().collect::<BTreeSet<u64>>();
        type Case<'a> = (&'a [&'a [u64]], &'a [u64], bool);
        // (voters, who says yes, whether it is enough)
        let cases: [Case<'_>; 8] = [
            (&[&[1]], &[1], true),
            (&[&[1, 2]], &[1], false),
            (&[&[1, 2, 3]], &[1, 3], true),
            (&[&[1, 2, 3, 4]], &[1, 2], false),
            (&[&[1, 2, 3], &[1, 4, 5]], &[1, 2], false),
            (&[&[1, 2, 3], &[1, 4, 5]], &[1, 2, 4], true),
            (&[&[1, 2, 3]], &[1, 9, 8], false),
            (&[], &[1], false),
        ];
        for (voters, yes, enough) in cases {
            let voters: Vec<_> = voters.iter().map(|ids| set(ids)).collect();
            assert_eq!(is_majority(&voters, &set(yes)), enough, "{voters:?} {yes:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn contact_tells_for_how_long_no_leader_was_heard() {
        let contact = Contact::new();
        assert!(!contact.ever());
        tokio::time::advance(Duration::from_millis(900)).await;
        assert_eq!(contact.silent(), Duration::from_millis(900));
        contact.touch();
        tokio::time::advance(Duration::from_millis(30)).await;
        assert!(contact.ever());
        assert_eq!(contact.silent(), Duration::from_millis(30));
    }
}

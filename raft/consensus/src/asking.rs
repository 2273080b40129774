//! Asking the leader from which log index on a read sees all that was acknowledged before.

use std::sync::Arc;
use std::time::Duration;

use openraft::ServerState;
use tokio::runtime::Handle;

use crate::barrier::Rounds;
use crate::peers::{Lane, Peers};
use crate::proposals::LeaderNow;
use crate::protocol::peer;
use crate::quorum::Quorum;
use crate::raft_types::Raft;

/// A round is given up after so long and tried again, perhaps with another leader.
const ROUND_MAX: Duration = Duration::from_secs(1);

/// What a round needs.
pub(crate) struct Asking {
    pub(crate) own: u64,
    pub(crate) raft: Raft,
    pub(crate) peers: Peers,
    pub(crate) leader: LeaderNow,
    pub(crate) leader_rounds: Rounds,
    pub(crate) quorum: Arc<Quorum>,
}

impl Asking {
    /// Rounds that ask whoever leads.
    pub(crate) fn rounds(self, runtime: &Handle) -> Rounds {
        let asking = Arc::new(self);
        Rounds::new(runtime, move || {
            let asking = asking.clone();
            async move {
                let index = tokio::time::timeout(ROUND_MAX, asking.once()).await.ok().flatten()?;
                asking.quorum.answered();
                Some(index)
            }
        })
    }

    async fn once(&self) -> Option<u64> {
        use peer::read_index_response::Outcome;
        let leader = (self.leader)()?;
        if leader == self.own {
            let leads = self.raft.metrics().borrow().state == ServerState::Leader;
            return if leads { self.leader_rounds.next().await } else { None };
        }
        let request = peer::ReadIndexRequest { sender: Some(self.peers.sender()) };
        let mut client = self.peers.client(leader, Lane::Control);
        match client.read_index(request).await.ok()?.into_inner().outcome? {
            Outcome::Index(index) => Some(index),
            Outcome::NotLeader(_) | Outcome::NoMajority(_) => None,
        }
    }
}

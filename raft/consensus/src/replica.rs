//! One running replica: its Raft, its tables, its links to the others, and the tasks between them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use metadata::command::Command;
use metadata::outcome::Answer;
use metadata::replica::ReplicaId;
use openraft::ServerState;
use tokio::runtime::Handle;
use tokio::sync::watch;
use wire::clock::Clock;

use crate::barrier::Rounds;
use crate::batches::Batches;
use crate::cluster::{Failure, Unavailable};
use crate::directory::Directory;
use crate::elections::{Contact, Elections};
use crate::identity::Identity;
use crate::log_storage::LogStorage;
use crate::machine::Tables;
use crate::peers::Peers;
use crate::proposals::Behalf;
use crate::proposals::Proposals;
use crate::quorum::Quorum;
use crate::raft_types::{Raft, RaftVote};
use crate::removal::Leaving;
use crate::reports::{Report, Reports};
use crate::seal::SealingKey;
use crate::snapshots::{SnapshotError, Snapshots};
use crate::start::Tuning;
use crate::status::Role;

/// Takes calls and proposals.
const OPEN: u8 = 0;
/// Finishes what it has, takes nothing new.
const DRAINING: u8 = 1;
/// Answers nothing any more.
const CLOSED: u8 = 2;

/// Everything a running replica has.
pub(crate) struct Replica {
    pub(crate) identity: Identity,
    /// The data folder.
    pub(crate) root: std::path::PathBuf,
    pub(crate) runtime: Handle,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) tuning: Tuning,
    pub(crate) version: String,
    /// See [`crate::start::StartOptions::advertise`].
    pub(crate) advertise: String,
    pub(crate) started_wall_ms: u64,
    /// See [`Replica::certificate_expires_wall_ms`].
    pub(crate) certificate_expiry: AtomicU64,
    /// Rings where the certificate is to be renewed before its time.
    pub(crate) renewal: tokio::sync::Notify,
    pub(crate) disk_free: Arc<dyn Fn() -> u64 + Send + Sync>,
    pub(crate) sealing: SealingKey,
    pub(crate) raft: Raft,
    pub(crate) log: LogStorage,
    pub(crate) tables: Arc<Tables>,
    pub(crate) snapshots: Arc<Snapshots>,
    pub(crate) directory: Arc<Directory>,
    pub(crate) peers: Peers,
    pub(crate) contact: Arc<Contact>,
    pub(crate) elections: Arc<Elections>,
    pub(crate) quorum: Arc<Quorum>,
    pub(crate) reports: Arc<Reports>,
    /// Members whose vote is not given back.
    pub(crate) leaving: Leaving,
    pub(crate) batches: Batches,
    pub(crate) proposals: Proposals,
    /// Rounds in which a majority confirms this replica as the leader.
    pub(crate) leader_rounds: Rounds,
    /// Rounds in which this replica learns, from the leader, how far to apply before it reads.
    pub(crate) read_rounds: Rounds,
    pub(crate) stage: AtomicU8,
    pub(crate) stop: watch::Sender<bool>,
    /// What is closed and noted at the very end.
    pub(crate) ending: tokio::sync::Mutex<Option<crate::assembly::Ending>>,
}

impl Replica {
    /// See [`crate::cluster::Cluster::propose`]. Goes on to the end even where its caller has gone.
    pub(crate) async fn propose(self: Arc<Self>, command: Command) -> Result<Answer, Failure> {
        self.propose_for(Behalf::default(), command).await
    }

    /// The same for somebody's request.
    pub(crate) async fn propose_for(
        self: Arc<Self>,
        behalf: Behalf,
        command: Command,
    ) -> Result<Answer, Failure> {
        if !self.takes_proposals() {
            return Err(Failure::unavailable(Unavailable::ShuttingDown));
        }
        let runtime = self.runtime.clone();
        let proposed = runtime.spawn(async move { self.proposals.propose(&command, behalf).await });
        proposed.await.unwrap_or_else(|_| Err(Failure::unavailable(Unavailable::ShuttingDown)))
    }

    /// See [`crate::cluster::Cluster::barrier`].
    pub(crate) async fn barrier(&self) -> Result<(), Failure> {
        if self.is_closed() {
            return Err(Failure::unavailable(Unavailable::ShuttingDown));
        }
        let waited = self.quorum.within(async {
            let index = self.read_rounds.next().await?;
            self.tables.applied_to(index).await;
            Some(())
        });
        waited.await?.ok_or_else(|| Failure::unavailable(Unavailable::ShuttingDown))
    }

    pub(crate) fn role(&self) -> Role {
        Role::of(self.raft.metrics().borrow().state)
    }

    /// The leader, while it is heard.
    pub(crate) fn leader(&self) -> Option<u64> {
        leader_of(&self.raft, &self.contact, &self.tuning)
    }

    pub(crate) fn leader_name(&self) -> String {
        let leader = self.leader().and_then(ReplicaId::from_u64);
        leader.map(|leader| leader.to_string()).unwrap_or_default()
    }

    pub(crate) fn voters(&self) -> Vec<ReplicaId> {
        let metrics = self.raft.metrics();
        let voters = metrics.borrow().membership_config.voter_ids().collect::<Vec<_>>();
        voters.into_iter().filter_map(ReplicaId::from_u64).collect()
    }

    /// Notes a sign of life of the leader that `vote` names, unless it is one of the past.
    pub(crate) fn hear_leader(&self, vote: &RaftVote) {
        if vote.is_committed() && *vote >= self.raft.metrics().borrow().vote {
            self.contact.touch();
        }
    }

    /// What this replica says of itself now.
    pub(crate) fn own_report(&self) -> Report {
        let metrics = self.raft.metrics().borrow().clone();
        let (mut ailments, takes_blobs) = self.reports.own();
        if let Err(silent_ms) = self.quorum.judge() {
            ailments.push(crate::status::Ailment {
                part: "metadata".to_owned(),
                cause: format!(
                    "no majority of the cluster has answered for {} s",
                    silent_ms / 1000
                ),
            });
        }
        Report {
            version: self.version.clone(),
            role: Role::of(metrics.state),
            term: metrics.current_term,
            leader: self.leader().and_then(ReplicaId::from_u64),
            last_log: metrics.last_log_index.unwrap_or(0),
            committed: metrics.last_applied.map_or(0, |applied| applied.index),
            applied: *self.tables.applied.borrow(),
            wall_ms: self.clock.wall_ms(),
            disk_free_bytes: (self.disk_free)(),
            ailments,
            connected_to: self.reports.lately(Duration::from_millis(self.tuning.silent_ms)),
            certificate_expires_wall_ms: self.certificate_expires_wall_ms(),
            takes_blobs,
            started_wall_ms: self.started_wall_ms,
            address: self.advertise.clone(),
        }
    }
}

impl Replica {
    /// When this replica's certificate runs out.
    pub(crate) fn certificate_expires_wall_ms(&self) -> u64 {
        self.certificate_expiry.load(Ordering::Relaxed)
    }

    pub(crate) fn set_certificate_expires_wall_ms(&self, wall_ms: u64) {
        self.certificate_expiry.store(wall_ms, Ordering::Relaxed);
    }

    pub(crate) fn takes_proposals(&self) -> bool {
        self.stage.load(Ordering::Acquire) == OPEN
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.stage.load(Ordering::Acquire) == CLOSED
    }

    /// Ends when the replica is to stop.
    pub(crate) async fn stopping(&self) {
        let mut stop = self.stop.subscribe();
        // The sender lives as long as `self`.
        let _ = stop.wait_for(|stop| *stop).await;
    }

    /// See [`crate::cluster::Cluster::halted`].
    pub(crate) async fn halted(&self) -> String {
        let mut metrics = self.raft.metrics();
        let failed = async {
            match metrics.wait_for(|now| now.running_state.is_err()).await {
                Ok(now) => format!("{:?}", now.running_state),
                Err(_) => "raft has ended".to_owned(),
            }
        };
        let why = tokio::select! {
            biased;
            why = self.tables.stopped() => why.to_string(),
            why = failed => why,
        };
        if self.is_closed() {
            // It was asked to stop; that is no failure.
            return std::future::pending().await;
        }
        why
    }

    pub(crate) async fn write_snapshot(&self) -> Result<(), SnapshotError> {
        crate::snapshots::write_and_purge(&self.raft, &self.tables, &self.snapshots).await
    }

    /// Drains, hands leadership over, closes and says goodbye.
    pub(crate) async fn shutdown(self: Arc<Self>) {
        if self.stage.compare_exchange(OPEN, DRAINING, Ordering::AcqRel, Ordering::Acquire).is_err()
        {
            return;
        }
        crate::hand_over::hand_over(&self).await;
        self.stage.store(CLOSED, Ordering::Release);
        self.stop.send_replace(true);
        if let Err(error) = self.raft.shutdown().await {
            tracing::warn!(%error, "raft did not stop in order");
        }
        if let Some(ending) = self.ending.lock().await.take() {
            ending.run(&self.tables).await;
        }
    }
}

/// The leader that `raft` follows, as long as it is heard.
pub(crate) fn leader_of(raft: &Raft, contact: &Contact, tuning: &Tuning) -> Option<u64> {
    let metrics = raft.metrics();
    let now = metrics.borrow();
    let leader = now.current_leader?;
    if leader == now.id {
        return (now.state == ServerState::Leader).then_some(leader);
    }
    let heard =
        contact.ever() && contact.silent() < Duration::from_millis(2 * tuning.election_ms_max);
    heard.then_some(leader)
}

#[cfg(test)]
impl Replica {
    /// Ends as a killed process does: nothing handed over, closed or noted.
    pub(crate) async fn abandon(&self) {
        self.stage.store(CLOSED, Ordering::Release);
        self.stop.send_replace(true);
        let _ = self.raft.shutdown().await;
    }
}

//! The cluster as everyone above sees it: propose a command, read the tables, ask how it is.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use metadata::audit::deed::is_told_with_its_origin;
use metadata::command::Command;
use metadata::entry::Origin;
use metadata::members::{MemberRemove, MemberRow};
use metadata::outcome::Answer;
use metadata::refusal::Refusal;
use metadata::replica::ReplicaId;
use metadata::tables::Damage;
use metadata::vouchers::Voucher;
use tokio::sync::watch;
use wire::clock::Clock;
use wire::peer_identity::PeerIdentity;
use wire::peer_tls::PeerTls;
use wire::stream::BoxStream;
use zeroize::Zeroizing;

use crate::origin;
use crate::proposals::Behalf;
use crate::replica::Replica;
use crate::seal::SealError;
use crate::service::PeerService;
use crate::status::{Ailment, ClusterStatus, Role};
use crate::tables::View;

/// Free bytes that an archive leaves to log and snapshots.
const SPOOL_SPARED_BYTES: u64 = 256 * 1024 * 1024;

/// Why the cluster did not do what it was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Failure {
    /// The caller's to mend; nothing was changed.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The same may succeed later.
    #[error("{reason}")]
    Unavailable {
        /// What is missing.
        reason: Unavailable,
        /// When to try again.
        retry_after_s: u32,
    },
    /// Ours to mend.
    #[error("{0}")]
    Fault(String),
}

/// What is missing when the cluster can't answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// Fewer than a majority of the voters answer, so nothing can be agreed on.
    #[error("no majority of the cluster answers; writes and tag reads wait for one")]
    NoMajority,
    /// No leader was found in time.
    #[error("the cluster is electing a leader")]
    NoLeader,
    /// A command was sent and no answer came: it may have been carried out or not.
    #[error("the outcome of the command is not known; it may have been carried out")]
    Unknown,
    /// This replica is loading a snapshot.
    #[error("this replica is catching up")]
    CatchingUp,
    /// This replica is stopping.
    #[error("this replica is shutting down")]
    ShuttingDown,
}

impl Failure {
    /// As [`Failure::Unavailable`], to be tried again after some seconds that fit the reason.
    pub fn unavailable(reason: Unavailable) -> Self {
        let retry_after_s = match reason {
            Unavailable::NoMajority => 5,
            Unavailable::NoLeader | Unavailable::Unknown | Unavailable::CatchingUp => 2,
            Unavailable::ShuttingDown => 1,
        };
        Self::Unavailable { reason, retry_after_s }
    }
}

impl From<Damage> for Failure {
    fn from(damage: Damage) -> Self {
        Self::Fault(damage.to_string())
    }
}

/// How new what is read must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// All that was acknowledged anywhere before the read began. Needs a majority.
    Linearizable,
    /// What this replica has applied. Always there.
    Local,
}

/// A handle of this replica's part in the cluster. Cheap to clone.
#[derive(Clone)]
pub struct Cluster {
    pub(crate) replica: Arc<Replica>,
}

impl Cluster {
    /// Has `command` agreed on and carried out, wherever the leader is, exactly once.
    ///
    /// # Errors
    ///
    /// [`Failure::Refused`] where the state machine refused it. [`Failure::Unavailable`] where no
    /// leader was found within 10 s, or at once where no majority has answered for 10 s; with
    /// [`Unavailable::Unknown`] the command may have been carried out, or may never be: it is not
    /// retried any more.
    ///
    /// Within a request ([`crate::origin`]) the command tells the audit log who asks.
    pub async fn propose(&self, command: Command) -> Result<Answer, Failure> {
        let origin = self.told_with(&command).await?;
        let behalf = Behalf { origin, ..Behalf::default() };
        self.replica.clone().propose_for(behalf, command).await
    }

    /// The same on somebody's behalf: refused where what they showed (`voucher`; `None` for the
    /// replica itself) holds no more at the moment when the command is carried out.
    ///
    /// # Errors
    ///
    /// As [`Cluster::propose`], and [`Refusal::CredentialsRevoked`]. The first command of a request
    /// that comes under a key of its client ([`origin::comes_under`]) is carried out once under
    /// that key, whichever replica is asked: [`Refusal::RequestKeyReused`],
    /// [`Refusal::RequestKeysFull`].
    pub async fn propose_for(
        &self,
        voucher: Option<Voucher>,
        command: Command,
    ) -> Result<Answer, Failure> {
        let origin = self.told_with(&command).await?;
        let request_key = if voucher.is_some() { origin::take_key() } else { None };
        let behalf = Behalf { origin, voucher, request_key };
        self.replica.clone().propose_for(behalf, command).await
    }

    /// What is told with a command: nothing with one that the audit log does not keep.
    async fn told_with(&self, command: &Command) -> Result<Option<Origin>, Failure> {
        if !origin::is_known() {
            return Ok(None);
        }
        let read = self.replica.tables.read(|view| is_told_with_its_origin(view, command));
        Ok(if read.await? { origin::told() } else { None })
    }

    /// Waits until this replica has applied all that was acknowledged anywhere before the call.
    pub async fn barrier(&self) -> Result<(), Failure> {
        self.replica.barrier().await
    }

    /// Reads the tables; `work` sees them between two applied groups.
    pub async fn read<T>(
        &self,
        freshness: Freshness,
        work: impl FnOnce(&View<'_>) -> Result<T, Damage>,
    ) -> Result<T, Failure> {
        if freshness == Freshness::Linearizable {
            self.barrier().await?;
        }
        self.replica.tables.read(work).await
    }

    /// This replica's id.
    pub fn replica_id(&self) -> ReplicaId {
        self.replica.identity.replica_id
    }

    /// The id of this replica's data folder: another one under the same replica id is not believed.
    pub fn incarnation(&self) -> &str {
        &self.replica.identity.incarnation
    }

    /// The cluster's id.
    pub fn cluster_id(&self) -> &str {
        &self.replica.identity.cluster_id
    }

    /// The last log index that this replica has applied; 0 before the first.
    pub fn applied_index(&self) -> u64 {
        *self.replica.tables.applied.borrow()
    }

    /// Follows [`Cluster::applied_index`].
    pub fn watch_applied(&self) -> watch::Receiver<u64> {
        self.replica.tables.applied.subscribe()
    }

    /// What this replica is at the moment.
    pub fn role(&self) -> Role {
        self.replica.role()
    }

    /// The leader that this replica follows or is, if it hears from one.
    pub fn leader(&self) -> Option<ReplicaId> {
        self.replica.leader().and_then(ReplicaId::from_u64)
    }

    /// All members as this replica knows them, by number, without those that were removed.
    pub fn members(&self) -> Vec<MemberRow> {
        self.replica.directory.rows()
    }

    /// Those who vote.
    pub fn voters(&self) -> Vec<ReplicaId> {
        self.replica.voters()
    }
}

/// Where archives wait to be fetched.
impl Cluster {
    /// The folder, which may not be there yet.
    pub fn spool_folder(&self) -> PathBuf {
        self.replica.root.join("spool")
    }

    /// Whether the disk would bear an archive of the tables, as far as their newest snapshot tells
    /// how large one is.
    pub fn has_room_for_spool(&self) -> bool {
        let newest = self.replica.snapshots.newest().map_or(0, |stored| stored.size_bytes);
        (self.replica.disk_free)() > newest.saturating_mul(2).saturating_add(SPOOL_SPARED_BYTES)
    }
}

/// How it is.
impl Cluster {
    /// Whether a majority answers; otherwise for how many milliseconds none has.
    ///
    /// # Errors
    ///
    /// The milliseconds, once they are more than P8 allows (10 s).
    pub fn quorum_ok(&self) -> Result<(), u64> {
        self.replica.quorum.judge()
    }

    /// For how long no majority has answered this replica, while it ran. It asks every second.
    pub fn majority_silent(&self) -> Duration {
        self.replica.quorum.silent()
    }

    /// What this replica knows of the cluster's health. Answers without a majority.
    pub fn status(&self) -> ClusterStatus {
        crate::status::gather(&self.replica)
    }
}

impl Cluster {
    /// Tells the other replicas what ails this one; an empty list when nothing does.
    pub fn report_health(&self, ailments: Vec<Ailment>) {
        self.replica.reports.set_ailments(ailments);
    }

    /// Tells the other replicas whether this one takes new blobs (its disk has room).
    pub fn report_takes_blobs(&self, takes_blobs: bool) {
        self.replica.reports.set_takes_blobs(takes_blobs);
    }

    /// The cluster's own time in milliseconds: never jumps, stands still without a leader.
    pub async fn cluster_ms(&self) -> Result<u64, Failure> {
        self.replica.tables.read(|view| metadata::clocks::cluster_ms(view)).await
    }

    /// The wall time the cluster agreed on last, in Unix milliseconds.
    pub async fn wall_ms(&self) -> Result<u64, Failure> {
        self.replica.tables.read(|view| metadata::clocks::wall_ms(view)).await
    }

    /// The clock of this replica.
    pub fn clock(&self) -> Arc<dyn Clock> {
        self.replica.clock.clone()
    }

    /// Seals a secret for a row; `context` is the row's key and is asked for again when it is
    /// opened.
    pub fn seal(&self, context: &str, secret: &[u8]) -> Vec<u8> {
        self.replica.sealing.seal(context, secret)
    }

    /// A hash of `parts` for the use `context`, the same on every replica of this cluster: whoever
    /// reads it, in a copy of the tables say, can't try out what it was made of.
    pub fn keyed_hash(&self, context: &str, parts: &[&[u8]]) -> [u8; 32] {
        self.replica.sealing.keyed_hash(context, parts)
    }

    /// Opens what [`Cluster::seal`] sealed on any replica.
    pub fn open_sealed(
        &self,
        context: &str,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, SealError> {
        self.replica.sealing.open(context, sealed)
    }

    /// A key of this cluster for one purpose, the same on every replica; `purpose` is its parts one
    /// after the other.
    pub fn derived_key(&self, purpose: &[&[u8]]) -> Zeroizing<[u8; 32]> {
        self.replica.sealing.derived(purpose)
    }

    /// Connects to a peer, with mutual TLS, for one of the protocols `alpn`.
    pub async fn dial_peer(&self, replica_id: &str, alpn: &[&str]) -> io::Result<BoxStream> {
        self.replica.peers.dial(replica_id, alpn).await
    }

    /// Shakes hands with whoever opened `stream` on the peer port.
    pub fn peer_tls(&self) -> Arc<PeerTls> {
        self.replica.peers.tls()
    }

    /// Renews this replica's certificate soon, before its time.
    pub fn renew_certificate(&self) {
        self.replica.renewal.notify_one();
    }

    /// Whether a connection of `peer` may live on.
    pub fn still_listed(&self, peer: &PeerIdentity) -> bool {
        self.replica.peers.tls().still_listed(peer)
    }

    /// Answers the calls of peers.
    pub fn peer_service(&self) -> PeerService {
        PeerService::new(&self.replica)
    }

    /// Why this replica can't go on, once it can't: its log or its tables failed. It must be
    /// restarted.
    pub async fn halted(&self) -> String {
        self.replica.halted().await
    }

    /// Writes a snapshot file now, and lets go of the log below the one before it.
    pub async fn write_snapshot(&self) -> Result<(), Failure> {
        self.replica.write_snapshot().await.map_err(|why| Failure::Fault(why.to_string()))
    }

    /// Removes a member: takes its vote, then strikes its key. Its id is never used again.
    ///
    /// # Errors
    ///
    /// [`Failure::Refused`] where there is no such member.
    pub async fn remove_member(&self, replica_id: ReplicaId) -> Result<(), Failure> {
        let remove = MemberRemove { replica_id };
        let origin = origin::told();
        let removal = crate::removal::remove(self.replica.clone(), remove, origin);
        let removed = self.replica.runtime.spawn(removal).await;
        removed.unwrap_or_else(|_| Err(Failure::unavailable(Unavailable::ShuttingDown)))
    }

    /// Stops in order: no new proposals, leadership handed over, files closed, goodbye noted.
    pub async fn shutdown(&self) {
        let stopped = self.replica.runtime.spawn(self.replica.clone().shutdown());
        // It ends early only where the runtime does.
        let _ = stopped.await;
    }
}

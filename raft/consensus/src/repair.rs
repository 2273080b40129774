//! `emergency-repair`: a majority is lost, and one replica goes on alone with what it has.
//!
//! It runs while the replica is stopped. What it does to the folder is little: two entries are put
//! at the end of the log, a membership of one and a [`ClusterRepair`], and the keys and the
//! identity are those of a new cluster, so that no replica of the old one can talk into it. The
//! next start carries the whole log out, all that this replica ever accepted, and those two.
//!
//! The note `repairing` lies in the folder from the first change to the last: as long as it does,
//! nothing starts there but this again. `repaired` tells the first start how far it has to come
//! before it answers anybody.

mod asking;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use metadata::command::Command;
use metadata::entry::{Entry, FORMAT, Proposal, Stamp};
use metadata::members::MemberRow;
use metadata::repair::ClusterRepair;
use metadata::replica::ReplicaId;
use openraft::EntryPayload;
use wire::certificate::{self, ReplicaNames};
use wire::dial::Dial;

pub use asking::{Asked, Said};

use crate::assembly::Ending;
use crate::bootstrap::{host_of, new_cluster_id};
use crate::codec;
use crate::folder::{FolderError, remove_if_there};
use crate::identity::{Identity, Keys};
use crate::log::{LogId, LogStore, Vote, wait};
use crate::opening::Opened;
use crate::raft_types::{EntryBytes, RaftMembership, Types};
use crate::replica::Replica;
use crate::seal::{self, fill};
use crate::start::StartError;
use crate::tables;

/// There while a folder is being repaired; see the module.
pub(crate) const REPAIRING: &str = "repairing";
/// Holds the index of the last entry that the first start has to carry out.
pub(crate) const REPAIRED: &str = "repaired";

/// A log is carried out at some thousand entries a second.
const REACH_MAX: Duration = Duration::from_secs(600);

/// Where a replica stands, for an operator who chooses among several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// The term of its vote.
    pub term: u64,
    /// The last entry of its log.
    pub last_log: u64,
    /// The term of that entry: the log whose last term is higher is the newer one.
    pub last_term: u64,
    /// The last entry that it has carried out.
    pub applied: u64,
}

/// A stopped replica, opened to be repaired. Its folder is locked meanwhile.
pub struct Repair {
    opened: Opened,
    position: Position,
    voters: BTreeSet<u64>,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repaired {
    /// The id of the new cluster.
    pub cluster_id: String,
    /// The replica, under its old id.
    pub replica_id: ReplicaId,
    /// The certificate of the new authority.
    pub ca_pem: String,
    /// The last entry that the replica had.
    pub last_log: u64,
}

/// Why nothing was repaired.
#[derive(Debug, thiserror::Error)]
pub enum RepairError {
    /// The folder does not open: another replica's may.
    #[error("{0}")]
    Start(#[from] StartError),
    /// The log or a file in the folder cannot be written.
    #[error("{0}")]
    Failed(String),
}

impl From<FolderError> for RepairError {
    fn from(error: FolderError) -> Self {
        Self::Start(error.into())
    }
}

fn failed(error: impl std::fmt::Display) -> RepairError {
    RepairError::Failed(error.to_string())
}

impl Repair {
    /// Opens the folder of a stopped replica: every sum of its log and its snapshots is checked.
    /// Blocks.
    ///
    /// # Errors
    ///
    /// A replica runs on it, or its log, its tables or its keys do not open.
    pub fn open(root: &Path) -> Result<Self, RepairError> {
        let opened = Opened::open(root)?;
        let store = opened.log.store().clone();
        let (applied, membership) = tables::position(&opened.tables.store).map_err(failed)?;
        let mut voters: BTreeSet<u64> = membership.membership().voter_ids().collect();
        let from = applied.map_or(0, |id| id.index + 1);
        if let Some(last) = last_membership(store.as_ref(), from)? {
            voters = last.voter_ids().collect();
        }
        for stored in opened.snapshots.newest_first() {
            stored.file.check().map_err(failed)?;
        }
        let last = store.last().unwrap_or_default();
        let position = Position {
            term: store.read_vote().map_or(0, |vote| vote.term),
            last_log: last.index,
            last_term: last.term,
            applied: applied.map_or(0, |id| id.index),
        };
        Ok(Self { opened, position, voters })
    }

    /// Where it stands.
    pub fn position(&self) -> Position {
        self.position
    }

    /// Whose folder it is.
    pub fn replica_id(&self) -> ReplicaId {
        self.opened.identity.replica_id
    }

    /// The cluster that lost its majority.
    pub fn cluster_id(&self) -> &str {
        &self.opened.identity.cluster_id
    }

    /// The other members, as this replica last knew them.
    pub fn others(&self) -> Vec<MemberRow> {
        let own = self.replica_id();
        self.opened.directory.rows().into_iter().filter(|row| row.replica_id != own).collect()
    }

    /// Asks every other member how it is, all at the same time.
    pub async fn ask(&self, dial: Arc<dyn Dial>) -> Vec<Asked> {
        asking::ask(&self.opened, &self.others(), dial).await
    }

    /// Why the cluster must not be repaired, if it must not: it lives, or could.
    pub fn objection(&self, asked: &[Asked]) -> Option<String> {
        asking::objection(self.replica_id(), &self.voters, asked)
    }

    /// Closes the folder as it is.
    pub async fn close(self) {
        let Opened { life, folder, tables, log, .. } = self.opened;
        drop(log);
        Ending { life, folder }.run(&tables).await;
    }
}

/// The change itself.
impl Repair {
    /// Makes the replica a cluster of one; `wall_ms` is the time, in Unix milliseconds.
    ///
    /// Cut short it can be done again; nothing starts in the folder before.
    pub async fn carry_out(self, wall_ms: u64) -> Result<Repaired, RepairError> {
        let own = self.opened.identity.replica_id;
        let keys = self.opened.folder.keys()?;
        let cluster_id = new_cluster_id();
        let ca = certificate::make_ca(&cluster_id, wall_ms).map_err(failed)?;
        let folder = &self.opened.folder;
        folder.write(REPAIRING, format!("{cluster_id}\n").as_bytes())?;
        let repair = ClusterRepair {
            replica_id: own,
            cluster_id: cluster_id.clone(),
            ca_certificate_pem: ca.certificate_pem.clone(),
            sealed_ca_key: self.opened.sealing.seal(seal::CA_KEY, ca.key_pem.as_bytes()),
            last_log: self.position.last_log,
            applied: self.position.applied,
        };
        let upto = self.append(&repair.into(), wall_ms)?;
        let names = ReplicaNames {
            cluster_id: &cluster_id,
            replica_id: &own.to_string(),
            hosts: &[host_of(&self.opened.identity.address).map_err(failed)?],
        };
        let csr = certificate::csr(&keys.key_pem).map_err(failed)?;
        let certificate_pem = certificate::issue(&ca, &csr, &names, wall_ms).map_err(failed)?;
        let ca_pem = ca.certificate_pem;
        let keys = Keys { ca_pem: ca_pem.clone(), certificate_pem, ..keys };
        keys.write(folder)?;
        let identity = &self.opened.identity;
        let identity =
            Identity { cluster_id: cluster_id.clone(), members: vec![], ..identity.clone() };
        identity.write(folder)?;
        folder.write(REPAIRED, format!("{upto}\n").as_bytes())?;
        folder.remove(REPAIRING)?;
        let last_log = self.position.last_log;
        self.close().await;
        Ok(Repaired { cluster_id, replica_id: own, ca_pem, last_log })
    }

    /// Puts the membership of one and `command` at the end of the log; durable when it returns.
    fn append(&self, command: &Command, wall_ms: u64) -> Result<u64, RepairError> {
        let store = self.opened.log.store().as_ref();
        let own = self.opened.identity.replica_id.as_u64();
        let last = store.last().unwrap_or_default();
        let term = last.term.max(store.read_vote().map_or(0, |vote| vote.term)) + 1;
        let alone = BTreeSet::from([own]);
        let membership = RaftMembership::new(vec![alone.clone()], alone);
        let mut random = [0; 16];
        fill(&mut random);
        let proposal = Proposal {
            session: 0,
            number: 0,
            lowest_open: 0,
            random,
            command: command.encode(),
            origin: None,
            voucher: None,
            request_key: None,
        };
        let stamp = Stamp { elapsed_ms: 0, wall_ms };
        let entry = Entry { format: FORMAT, stamp, proposals: vec![proposal] };
        let payloads: [EntryPayload<Types>; 2] = [
            EntryPayload::Membership(membership),
            EntryPayload::Normal(EntryBytes(entry.encode().into())),
        ];
        let first = store.last().map_or(0, |last| last.index + 1);
        let id = |index| LogId { term, leader: own, index };
        let entries = payloads.iter().zip(first..);
        let entries = entries.map(|(payload, index)| (id(index), codec::payload_to_bytes(payload)));
        let entries: Vec<_> = entries.collect();
        let upto = first + 1;
        let vote = Vote { term, leader: own, committed: true };
        wait(|done| store.save_vote(vote, done)).map_err(failed)?;
        wait(|done| store.append(entries, done)).map_err(failed)?;
        Ok(upto)
    }
}

/// The newest membership in the log from `from` on.
fn last_membership(store: &dyn LogStore, from: u64) -> Result<Option<RaftMembership>, RepairError> {
    const PART_BYTES: u64 = 1024 * 1024;
    let mut found = None;
    let mut next = from.max(store.purged().map_or(0, |purged| purged.index + 1));
    loop {
        let part = store.read(next, u64::MAX, PART_BYTES).map_err(failed)?;
        let Some((last, _)) = part.last() else { return Ok(found) };
        next = last.index + 1;
        for (id, payload) in part {
            let entry = codec::entry_from_bytes(codec::log_id_from_store(id), payload);
            if let EntryPayload::Membership(membership) = entry.map_err(failed)?.payload {
                found = Some(membership);
            }
        }
    }
}

/// Refuses to start a folder whose repair was cut short.
pub(crate) fn require_whole(root: &Path) -> Result<(), StartError> {
    if !root.join(REPAIRING).exists() {
        return Ok(());
    }
    Err(StartError::Raft(format!(
        "an emergency repair of {} was cut short: run `holdfast emergency-repair` again",
        root.display()
    )))
}

/// The index that the first start after a repair has to reach; `None` at every other start.
pub(crate) fn to_reach(folder: &Path) -> Option<u64> {
    std::fs::read_to_string(folder.join(REPAIRED)).ok()?.trim().parse().ok()
}

/// What the first start after a repair does before anybody is answered: it carries out the whole
/// log and writes a snapshot of what came of it.
pub(crate) async fn begin(replica: &Replica) -> Result<(), StartError> {
    let Some(upto) = to_reach(&replica.root) else { return Ok(()) };
    tracing::warn!(upto, "the first start after an emergency repair");
    let reached = tokio::time::timeout(REACH_MAX, replica.tables.applied_to(upto)).await;
    let late = || StartError::Tables("the repaired log was not carried out".to_owned());
    reached.map_err(|_| late())?;
    replica.write_snapshot().await.map_err(|error| StartError::Tables(error.to_string()))?;
    remove_if_there(&replica.root.join(REPAIRED))?;
    Ok(())
}

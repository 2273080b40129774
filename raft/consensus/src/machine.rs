//! The state machine as the consensus library drives it: groups of entries in, outcomes out.

use std::sync::{Arc, Mutex, PoisonError};

use kv::store::{KvError, Store};
use metadata::apply::Position;
use metadata::entry;
use metadata::replica::ReplicaId;
use metadata::tables::{Damage, Table};
use openraft::storage::RaftStateMachine;
use openraft::{
    AnyError, EntryPayload, OptionalSend, RaftSnapshotBuilder, Snapshot, StorageIOError,
};
use tokio::sync::{RwLock, watch};

use crate::cluster::{Failure, Unavailable};
use crate::directory::Directory;
use crate::raft_types::{
    Applied, Entry, RaftLogId, RaftMembership, SnapshotMeta, StorageError, StoredMembership, Types,
};
use crate::snapshots::{SnapshotFile, Snapshots};
use crate::tables::{self, Group, View};

/// What stops the state machine for good.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum MachineError {
    /// Rows do not read: the tables are to be made anew from snapshot and log.
    #[error("{0}")]
    Damaged(String),
    /// An entry that this version can't carry out.
    #[error("{0}")]
    Halted(String),
}

impl From<KvError> for MachineError {
    fn from(error: KvError) -> Self {
        Self::Damaged(error.to_string())
    }
}

impl From<Damage> for MachineError {
    fn from(damage: Damage) -> Self {
        Self::Damaged(damage.to_string())
    }
}

/// The stored tables, shared by the state machine, which writes them, and by readers.
pub(crate) struct Tables {
    pub(crate) store: Store,
    /// Taken for writing while a received snapshot replaces the tables.
    gate: RwLock<()>,
    /// The last applied index; 0 before the first.
    pub(crate) applied: watch::Sender<u64>,
    directory: Arc<Directory>,
    /// Why the state machine has stopped, once it has.
    stopped: watch::Sender<Option<MachineError>>,
    /// What a reader found damaged, once one did.
    distrusted: watch::Sender<Option<String>>,
}

impl Tables {
    pub(crate) fn new(store: Store, directory: Arc<Directory>) -> Result<Self, MachineError> {
        let (last_applied, _) = tables::position(&store)?;
        tables::read(&store, |view| directory.refresh(view))?;
        Ok(Self {
            store,
            gate: RwLock::new(()),
            applied: watch::Sender::new(last_applied.map_or(0, |id| id.index)),
            directory,
            stopped: watch::Sender::new(None),
            distrusted: watch::Sender::new(None),
        })
    }

    /// Calls `work` with the tables between two groups.
    pub(crate) async fn read<T>(
        &self,
        work: impl FnOnce(&View<'_>) -> Result<T, Damage>,
    ) -> Result<T, Failure> {
        let wait = std::time::Duration::from_secs(5);
        let Ok(_gate) = tokio::time::timeout(wait, self.gate.read()).await else {
            return Err(Failure::unavailable(Unavailable::CatchingUp));
        };
        let read = tables::read(&self.store, work);
        read.inspect_err(|damage| self.distrust(damage)).map_err(Failure::from)
    }

    /// Notes a damaged row that a reader has found. The replica goes on: what else it has may be
    /// right, and where every replica stumbles over the same row, stopping them all would mend
    /// nothing.
    fn distrust(&self, damage: &Damage) {
        tracing::error!(%damage, "a row does not read; the next start makes the tables anew");
        self.distrusted.send_replace(Some(damage.to_string()));
    }

    /// Waits until a reader has found a damaged row, and says which.
    pub(crate) async fn distrusted(&self) -> String {
        let mut distrusted = self.distrusted.subscribe();
        let why = distrusted.wait_for(Option::is_some).await.ok().and_then(|why| why.clone());
        match why {
            Some(why) => why,
            // The sender lives as long as `self`.
            None => std::future::pending().await,
        }
    }

    /// Waits until `index` is applied.
    pub(crate) async fn applied_to(&self, index: u64) {
        let mut applied = self.applied.subscribe();
        // The sender lives as long as `self`.
        let _ = applied.wait_for(|applied| *applied >= index).await;
    }

    /// Waits until the state machine has stopped, and says why.
    pub(crate) async fn stopped(&self) -> MachineError {
        let mut stopped = self.stopped.subscribe();
        let why = stopped.wait_for(Option::is_some).await.ok().and_then(|why| why.clone());
        match why {
            Some(why) => why,
            // The sender lives as long as `self`.
            None => std::future::pending().await,
        }
    }

    /// Carries out `entries` and keeps what comes of it as one batch.
    fn apply(
        &self,
        entries: Vec<Entry>,
        membership: &mut StoredMembership,
    ) -> Result<(Vec<Applied>, Option<RaftLogId>), MachineError> {
        let mut group = Group::new(&self.store);
        let mut answers = Vec::with_capacity(entries.len());
        let mut last = None;
        for entry in entries {
            last = Some(entry.log_id);
            answers.push(apply_one(&mut group, entry, membership)?);
        }
        let members_changed = group.touches(Table::Members);
        group.commit(last.as_ref(), membership)?;
        if members_changed {
            tables::read(&self.store, |view| self.directory.refresh(view))?;
        }
        if let Some(last) = last {
            self.applied.send_replace(last.index);
        }
        Ok((answers, last))
    }

    /// Replaces the tables by a snapshot's.
    fn load(&self, snapshots: &Snapshots, file: &SnapshotFile) -> Result<(), MachineError> {
        let damaged = |why: crate::snapshots::SnapshotError| MachineError::Damaged(why.to_string());
        let file = snapshots.adopt(file).map_err(damaged)?;
        let meta = file.load_into(&self.store).map_err(damaged)?;
        tables::read(&self.store, |view| self.directory.refresh(view))?;
        self.applied.send_replace(meta.last_log_id.map_or(0, |id| id.index));
        Ok(())
    }

    fn stop(&self, error: &MachineError) {
        tracing::error!(%error, "the state machine has stopped");
        self.stopped.send_replace(Some(error.clone()));
    }
}

fn apply_one(
    group: &mut Group<'_>,
    entry: Entry,
    membership: &mut StoredMembership,
) -> Result<Applied, MachineError> {
    let id = entry.log_id;
    match entry.payload {
        EntryPayload::Blank => Ok(Applied::default()),
        EntryPayload::Normal(bytes) => {
            let halted = |why: &dyn std::fmt::Display| {
                MachineError::Halted(format!("log entry {}: {why}", id.index))
            };
            let entry = entry::Entry::read(&bytes.0).map_err(|why| halted(&why))?;
            let position = Position { log_index: id.index, term: id.leader_id.term };
            let outcomes = metadata::apply::apply(group, position, &entry);
            outcomes.map(Applied).map_err(|why| halted(&why))
        }
        EntryPayload::Membership(new) => {
            let (voters, learners) = members_of(&new);
            metadata::membership::voters_changed(group, &voters, &learners)?;
            *membership = StoredMembership::new(Some(id), new);
            Ok(Applied::default())
        }
    }
}

/// Voters, of both sets while the membership changes, and learners.
fn members_of(membership: &RaftMembership) -> (Vec<ReplicaId>, Vec<ReplicaId>) {
    let voters = membership.voter_ids().filter_map(ReplicaId::from_u64).collect();
    let learners = membership.learner_ids().filter_map(ReplicaId::from_u64).collect();
    (voters, learners)
}

/// What work on the tables comes to.
type Worked<T> = Result<T, MachineError>;

/// The library's view of the tables and the snapshot files.
pub(crate) struct Machine {
    tables: Arc<Tables>,
    snapshots: Arc<Snapshots>,
    membership: Arc<Mutex<StoredMembership>>,
}

impl Machine {
    pub(crate) fn new(
        tables: Arc<Tables>,
        snapshots: Arc<Snapshots>,
    ) -> Result<Self, MachineError> {
        let (_, membership) = tables::position(&tables.store)?;
        Ok(Self { tables, snapshots, membership: Arc::new(Mutex::new(membership)) })
    }

    /// Runs `work` where it may block, and ends the state machine where it fails.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl Send + 'static + FnOnce(&Tables, &mut StoredMembership) -> Worked<T>,
    ) -> Result<T, StorageError> {
        let (tables, membership) = (self.tables.clone(), self.membership.clone());
        let done = tokio::task::spawn_blocking(move || {
            let mut membership = membership.lock().unwrap_or_else(PoisonError::into_inner);
            work(&tables, &mut membership).inspect_err(|error| tables.stop(error))
        });
        match done.await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) => Err(storage_error(&error)),
            Err(ended) => {
                let error = MachineError::Halted(format!("applying ended early: {ended}"));
                self.tables.stop(&error);
                Err(storage_error(&error))
            }
        }
    }
}

fn storage_error(error: &MachineError) -> StorageError {
    StorageIOError::write_state_machine(AnyError::error(error)).into()
}

fn snapshot_error(error: impl std::fmt::Display) -> StorageError {
    StorageIOError::write_snapshot(None, AnyError::error(error)).into()
}

impl RaftStateMachine<Types> for Machine {
    type SnapshotBuilder = Builder;

    async fn applied_state(
        &mut self,
    ) -> Result<(Option<RaftLogId>, StoredMembership), StorageError> {
        self.blocking(|tables, _| Ok(tables::position(&tables.store)?)).await
    }

    async fn apply<I>(&mut self, entries: I) -> Result<Vec<Applied>, StorageError>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries: Vec<Entry> = entries.into_iter().collect();
        self.blocking(move |tables, membership| tables.apply(entries, membership))
            .await
            .map(|(answers, _)| answers)
    }

    async fn get_snapshot_builder(&mut self) -> Builder {
        Builder { tables: self.tables.clone(), snapshots: self.snapshots.clone() }
    }

    async fn begin_receiving_snapshot(&mut self) -> Result<Box<SnapshotFile>, StorageError> {
        // Ours are received by `snapshot_transfer`, which names the file itself.
        Ok(Box::new(SnapshotFile::default()))
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta,
        snapshot: Box<SnapshotFile>,
    ) -> Result<(), StorageError> {
        let _gate = self.tables.gate.write().await;
        let (snapshots, last_membership) = (self.snapshots.clone(), meta.last_membership.clone());
        self.blocking(move |tables, membership| {
            tables.load(&snapshots, &snapshot)?;
            *membership = last_membership;
            Ok(())
        })
        .await
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot<Types>>, StorageError> {
        Ok(self.snapshots.newest().map(|stored| stored.to_raft()))
    }
}

/// Announces the snapshot that was written last, or writes one.
pub(crate) struct Builder {
    tables: Arc<Tables>,
    snapshots: Arc<Snapshots>,
}

impl RaftSnapshotBuilder<Types> for Builder {
    async fn build_snapshot(&mut self) -> Result<Snapshot<Types>, StorageError> {
        if let Some(stored) = self.snapshots.take_announced() {
            return Ok(stored.to_raft());
        }
        let (tables, snapshots) = (self.tables.clone(), self.snapshots.clone());
        let written = tokio::task::spawn_blocking(move || snapshots.write(&tables.store));
        let stored = written.await.map_err(snapshot_error)?.map_err(snapshot_error)?;
        Ok(stored.to_raft())
    }
}

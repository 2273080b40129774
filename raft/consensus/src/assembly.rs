//! Puts a replica together from its data folder: log, tables, Raft, and the tasks around it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64};
use std::time::Duration;

use kv::life::Life;
use openraft::{Config, SnapshotPolicy};
use tokio::sync::{Mutex, watch};
use wire::clock::Clock;

use crate::asking::Asking;
use crate::barrier::Rounds;
use crate::batches::{Batches, Writer};
use crate::cluster::Cluster;
use crate::elections::{Contact, Elections};
use crate::folder::Folder;
use crate::machine::{Machine, MachineError, Tables};
use crate::network::Network;
use crate::opening::Opened;
use crate::peers::Peers;
use crate::proposals::{LeaderNow, Proposals};
use crate::quorum::Quorum;
use crate::raft_types::Raft;
use crate::removal::Leaving;
use crate::replica::{Replica, leader_of};
use crate::reports::{self, Reports};
use crate::start::{StartError, StartOptions, Tuning};
use crate::{announcing, membership, snapshots};

/// A majority is asked for a sign as often, where nothing else asked.
const PROBE: Duration = Duration::from_secs(1);

/// What a replica closes at its end.
pub(crate) struct Ending {
    pub(crate) life: Life,
    pub(crate) folder: Folder,
}

impl Ending {
    /// Closes the tables and notes the goodbye.
    pub(crate) async fn run(self, tables: &Arc<Tables>) {
        let tables = tables.clone();
        let closed = tokio::task::spawn_blocking(move || {
            if let Err(error) = tables.store.close() {
                tracing::warn!(%error, "the tables did not close in order");
                return;
            }
            if let Err(error) = self.life.goodbye() {
                tracing::warn!(%error, "the goodbye was not noted; the tables will be made anew");
            }
            drop(self.folder);
        });
        // It ends early only where the runtime does.
        let _ = closed.await;
    }
}

fn raft_config(opened: &Opened, tuning: &Tuning) -> Result<Config, StartError> {
    let config = Config {
        cluster_name: opened.identity.cluster_id.clone(),
        heartbeat_interval: tuning.heartbeat_ms,
        election_timeout_min: tuning.election_ms_min,
        election_timeout_max: tuning.election_ms_max,
        install_snapshot_timeout: tuning.snapshot_idle_ms,
        // Ours; see `elections` and `snapshots`.
        enable_elect: false,
        snapshot_policy: SnapshotPolicy::Never,
        max_in_snapshot_log_to_keep: u64::MAX,
        ..Config::default()
    };
    config.validate().map_err(|error| StartError::Raft(error.to_string()))
}

/// Starts the replica of `options.folder` on the current runtime.
pub(crate) async fn assemble(options: StartOptions) -> Result<Cluster, StartError> {
    let folder = options.folder.clone();
    crate::repair::require_whole(&folder)?;
    let opened = tokio::task::spawn_blocking(move || Opened::open(&folder));
    let opened = opened.await.map_err(|ended| StartError::Raft(ended.to_string()))??;
    let own = opened.identity.replica_id.as_u64();
    let peers = Peers::new(
        &opened.identity,
        options.dial.clone(),
        opened.tls.clone(),
        opened.directory.clone(),
    );
    let config = Arc::new(raft_config(&opened, &options.tuning)?);
    let snapshot_idle = Duration::from_millis(options.tuning.snapshot_idle_ms);
    let network = Network { peers: peers.clone(), own, snapshot_idle };
    let machine = Machine::new(opened.tables.clone(), opened.snapshots.clone())
        .map_err(|error| StartError::Tables(error.to_string()))?;
    let raft = Raft::new(own, config, network, opened.log.clone(), machine)
        .await
        .map_err(|error| StartError::Raft(error.to_string()))?;
    let replica = Arc::new(build(options, opened, raft, peers));
    spawn_tasks(&replica);
    if let Some(first) = crate::bootstrap::first_command(&replica).await? {
        crate::bootstrap::begin(&replica, first).await?;
    }
    crate::repair::begin(&replica).await?;
    Ok(Cluster { replica })
}

fn build(options: StartOptions, opened: Opened, raft: Raft, peers: Peers) -> Replica {
    let Opened { folder, life, identity, sealing, directory, tables, snapshots, log, .. } = opened;
    let StartOptions { runtime, clock, tuning, advertise, version, disk_free, .. } = options;
    let own = identity.replica_id.as_u64();
    let quorum = Quorum::new(Duration::from_millis(tuning.leader_wait_ms));
    let (reports, contact) = (Reports::new(), Contact::new());
    let leader: LeaderNow = {
        let (raft, contact, tuning) = (raft.clone(), contact.clone(), tuning.clone());
        Arc::new(move || leader_of(&raft, &contact, &tuning))
    };
    let wall_ms = median_clock(&reports, &clock, &tuning);
    let writer =
        Writer { raft: raft.clone(), clock: clock.clone(), wall_ms, quorum: quorum.clone() };
    let batches = Batches::new(&runtime, writer);
    let leader_rounds = leader_rounds(&runtime, &raft, &quorum);
    let asking = Asking {
        own,
        raft: raft.clone(),
        peers: peers.clone(),
        leader: leader.clone(),
        leader_rounds: leader_rounds.clone(),
        quorum: quorum.clone(),
    };
    let elections =
        Elections::new((raft.clone(), peers.clone()), contact.clone(), own, tuning.clone());
    let who = (identity.replica_id, identity.incarnation.clone());
    Replica {
        root: folder.path().to_owned(),
        started_wall_ms: clock.wall_ms(),
        certificate_expiry: AtomicU64::new(opened.certificate_expires_wall_ms),
        renewal: tokio::sync::Notify::new(),
        proposals: Proposals::new(who, batches.clone(), peers.clone(), quorum.clone(), leader),
        read_rounds: asking.rounds(&runtime),
        elections: Arc::new(elections),
        stage: AtomicU8::new(0),
        stop: watch::Sender::new(false),
        ending: Mutex::new(Some(Ending { life, folder })),
        identity,
        runtime,
        clock,
        tuning,
        version,
        advertise,
        disk_free,
        sealing,
        raft,
        log,
        tables,
        snapshots,
        directory,
        peers,
        contact,
        quorum,
        reports,
        leaving: Leaving::default(),
        batches,
        leader_rounds,
    }
}

/// The median of the members' clocks, in Unix milliseconds.
fn median_clock(
    reports: &Arc<Reports>,
    clock: &Arc<dyn Clock>,
    tuning: &Tuning,
) -> Arc<dyn Fn() -> u64 + Send + Sync> {
    let (reports, clock) = (reports.clone(), clock.clone());
    let lately = Duration::from_millis(tuning.silent_ms);
    Arc::new(move || reports.median_wall_ms(clock.wall_ms(), lately))
}

/// Rounds in which a majority confirms to the leader that it still leads.
fn leader_rounds(runtime: &tokio::runtime::Handle, raft: &Raft, quorum: &Arc<Quorum>) -> Rounds {
    let (raft, quorum) = (raft.clone(), quorum.clone());
    Rounds::new(runtime, move || {
        let (raft, quorum) = (raft.clone(), quorum.clone());
        async move {
            let (read_log_id, _) = raft.get_read_log_id().await.ok()?;
            quorum.answered();
            Some(read_log_id.map_or(0, |id| id.index))
        }
    })
}

fn spawn_tasks(replica: &Arc<Replica>) {
    let runtime = &replica.runtime;
    runtime.spawn(replica.elections.clone().run());
    runtime.spawn(reports::exchange(replica.clone()));
    runtime.spawn(membership::run(replica.clone()));
    runtime.spawn(crate::identity::renewal::run(replica.clone()));
    runtime.spawn(snapshots::run(replica.clone()));
    runtime.spawn(probe(replica.clone()));
    runtime.spawn(tick(replica.clone()));
    runtime.spawn(note_damage(replica.clone()));
    runtime.spawn(announcing::run(replica.clone()));
}

/// Keeps asking whether a majority answers, so that P8 does not depend on someone else asking.
async fn probe(replica: Arc<Replica>) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(PROBE) => {}
            () = replica.stopping() => return,
        }
        if replica.quorum.silent() >= PROBE / 2 {
            // The round itself notes that a majority has answered.
            let _ = tokio::time::timeout(PROBE, replica.read_rounds.next()).await;
        }
    }
}

/// Tells silence of the others from a standstill of this process.
async fn tick(replica: Arc<Replica>) {
    tokio::select! {
        () = replica.quorum.clone().tick_on() => {}
        () = replica.stopping() => {}
    }
}

/// Leaves a note for the next start where the tables turn out to be damaged.
async fn note_damage(replica: Arc<Replica>) {
    let why = tokio::select! {
        error = replica.tables.stopped() => match error {
            MachineError::Damaged(why) => why,
            MachineError::Halted(_) => return,
        },
        why = replica.tables.distrusted() => why,
        () = replica.stopping() => return,
    };
    if let Err(error) = crate::recovery::distrust(&replica.root, &why) {
        tracing::error!(%error, "the damage could not be noted for the next start");
    }
}

//! Starting a replica over its data folder.

use std::path::PathBuf;
use std::sync::Arc;

use metadata::bootstrap::CLUSTER_VERSION;
use tokio::runtime::Handle;
use wire::clock::Clock;
use wire::dial::Dial;

use crate::cluster::Cluster;

/// The times and sizes that a test or an operator may change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tuning {
    /// A leader is heard at least this often; a single append may take as long.
    pub heartbeat_ms: u64,
    /// A replica that has not heard from a leader for a random time from here …
    pub election_ms_min: u64,
    /// … to here asks whether it should stand for election; a leader's lease is as long.
    pub election_ms_max: u64,
    /// For so long a call waits for a leader, and for so long without a majority it is not yet
    /// lost.
    pub leader_wait_ms: u64,
    /// The log may grow by as many bytes before a snapshot is written (or by half of the last
    /// snapshot).
    pub snapshot_log_bytes_min: u64,
    /// A snapshot that makes no progress for so long is given up.
    pub snapshot_idle_ms: u64,
    /// How often replicas tell each other how they are.
    pub status_ms: u64,
    /// A peer whose link was silent for so long counts as unreachable.
    pub silent_ms: u64,
    /// How long this replica's certificate is good for; it is renewed in the last third.
    pub certificate_life_ms: u64,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            heartbeat_ms: 250,
            election_ms_min: 700,
            election_ms_max: 1200,
            leader_wait_ms: 10_000,
            snapshot_log_bytes_min: 64 * 1024 * 1024,
            snapshot_idle_ms: 60_000,
            status_ms: 1000,
            silent_ms: 5000,
            certificate_life_ms: 90 * 24 * 3600 * 1000,
        }
    }
}

/// What a replica is started with.
pub struct StartOptions {
    /// The data folder, which holds an identity (`install` or `join` wrote it).
    pub folder: PathBuf,
    /// Everything of Raft and between peers runs here.
    pub runtime: Handle,
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
    /// How peers are reached.
    pub dial: Arc<dyn Dial>,
    /// Times and sizes.
    pub tuning: Tuning,
    /// `host:port` under which the others reach this replica now; where the cluster has recorded
    /// another, it is told.
    pub advertise: String,
    /// This program's version, for the others to see.
    pub version: String,
    /// Free bytes on the disk of the data folder.
    pub disk_free: Arc<dyn Fn() -> u64 + Send + Sync>,
}

/// Why a replica does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data folder is locked, of another version, or holds no identity.
    #[error(transparent)]
    Folder(#[from] crate::folder::FolderError),
    /// The log does not open.
    #[error("the log: {0}")]
    Log(String),
    /// The tables can't be made from snapshot and log.
    #[error("the tables: {0}")]
    Tables(String),
    /// Certificates or keys of the folder do not fit.
    #[error("the keys of this replica: {0}")]
    Keys(String),
    /// A newer version of holdfast has raised the state.
    #[error(
        "the state has version {found}, and this version of holdfast knows versions up to \
         {CLUSTER_VERSION}: start the version that the other replicas run; there is no way back"
    )]
    Version {
        /// The version of the state.
        found: u32,
    },
    /// Raft does not start.
    #[error("{0}")]
    Raft(String),
}

/// Starts the replica of `options.folder`.
///
/// It takes part in the cluster as soon as its [`crate::service::PeerService`] is reachable for
/// peers.
pub async fn start(options: StartOptions) -> Result<Cluster, StartError> {
    let runtime = options.runtime.clone();
    let started = runtime.spawn(crate::assembly::assemble(options)).await;
    started.unwrap_or_else(|ended| Err(StartError::Raft(format!("the start ended early: {ended}"))))
}

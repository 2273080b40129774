//! Opens what a data folder holds: who this replica is, its log, its snapshots and its tables.

use std::path::Path;
use std::sync::Arc;

use kv::life::{Life, former_end, machine_boot_id};
use kv::store::Store;
use metadata::bootstrap::{self, CLUSTER_VERSION};
use wire::peer_tls::PeerTls;

use crate::directory::{Directory, Known};
use crate::folder::Folder;
use crate::identity::Identity;
use crate::log::LogStore;
use crate::log::durable::{DurableLog, Options};
use crate::log_storage::LogStorage;
use crate::machine::Tables;
use crate::recovery::Sources;
use crate::seal::SealingKey;
use crate::snapshots::Snapshots;
use crate::start::StartError;
use crate::tables;

/// An opened data folder.
pub(crate) struct Opened {
    pub(crate) folder: Folder,
    pub(crate) life: Life,
    pub(crate) identity: Identity,
    pub(crate) sealing: SealingKey,
    pub(crate) certificate_expires_wall_ms: u64,
    pub(crate) directory: Arc<Directory>,
    pub(crate) tls: Arc<PeerTls>,
    pub(crate) log: LogStorage,
    pub(crate) snapshots: Arc<Snapshots>,
    pub(crate) tables: Arc<Tables>,
}

impl Opened {
    /// Opens everything; makes the tables anew where they can't be believed. May block for long.
    pub(crate) fn open(root: &Path) -> Result<Self, StartError> {
        let folder = Folder::open(root)?;
        let identity = folder.identity()?;
        let keys = folder.keys()?;
        let known = identity
            .members
            .iter()
            .map(|member| Known { replica_id: member.replica_id, address: member.address.clone() });
        let directory = Directory::new(identity.replica_id, known.collect());
        let bad_keys = |error: &dyn std::fmt::Display| StartError::Keys(error.to_string());
        let certificate_expires_wall_ms =
            keys.expires_wall_ms().map_err(|error| bad_keys(&error))?;
        let rules = directory.clone();
        let tls = PeerTls::new(
            &keys.ca_pem,
            &keys.certificate_pem,
            &keys.key_pem,
            &identity.cluster_id,
            rules,
        )
        .map_err(|error| bad_keys(&error))?;
        let no_tables = |error: &dyn std::fmt::Display| StartError::Tables(error.to_string());
        let boot_id = machine_boot_id().map_err(|error| no_tables(&error))?;
        let former = former_end(&folder.boot(), &boot_id).map_err(|error| no_tables(&error))?;
        let log = DurableLog::open(&folder.log(), Options::default())
            .map_err(|error| StartError::Log(error.to_string()))?;
        let log: Arc<dyn LogStore> = Arc::new(log);
        let snapshots = Snapshots::open(&folder.snapshots(), &identity.cluster_id)
            .map_err(|error| no_tables(&error))?;
        let sources = Sources {
            root,
            tables: folder.tables(),
            former,
            log: log.as_ref(),
            snapshots: &snapshots,
        };
        let store = sources.open().map_err(StartError::Tables)?;
        require_known(&store)?;
        let tables = Tables::new(store, directory.clone()).map_err(|error| no_tables(&error))?;
        // Only now: cut short before, the next start must judge as this one did.
        let life = Life::begin(&folder.boot(), &boot_id).map_err(|error| no_tables(&error))?;
        Ok(Self {
            certificate_expires_wall_ms,
            sealing: keys.sealing_key,
            folder,
            life,
            identity,
            directory,
            tls: Arc::new(tls),
            log: LogStorage::new(log),
            snapshots: Arc::new(snapshots),
            tables: Arc::new(tables),
        })
    }
}

/// Refuses a state that a newer binary has raised: this one would drop what it does not know.
fn require_known(store: &Store) -> Result<(), StartError> {
    let read = tables::read(store, |view| bootstrap::cluster(view));
    let cluster = read.map_err(|damage| StartError::Tables(damage.to_string()))?;
    match cluster {
        Some(cluster) if cluster.version > CLUSTER_VERSION => {
            Err(StartError::Version { found: cluster.version })
        }
        _ => Ok(()),
    }
}

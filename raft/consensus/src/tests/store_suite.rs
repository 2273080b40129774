//! The consensus library's own tests of a log and a state machine.

use std::sync::Arc;

use openraft::testing::{StoreBuilder, Suite};
use tempfile::TempDir;

use crate::directory::Directory;
use crate::log::durable::{DurableLog, Options};
use crate::log::memory::{Flush, MemoryLog};
use crate::log_storage::LogStorage;
use crate::machine::{Machine, Tables};
use crate::raft_types::{StorageError, Types};
use crate::snapshots::Snapshots;
use metadata::replica::ReplicaId;

/// Makes stores over a log on disk, or in memory.
struct Builder {
    on_disk: bool,
}

impl StoreBuilder<Types, LogStorage, Machine, TempDir> for Builder {
    async fn build(&self) -> Result<(TempDir, LogStorage, Machine), StorageError> {
        let folder = tempfile::tempdir().unwrap();
        let log = if self.on_disk {
            let log = DurableLog::open(&folder.path().join("log"), Options::default()).unwrap();
            LogStorage::new(Arc::new(log))
        } else {
            LogStorage::new(Arc::new(MemoryLog::new(Flush::AtOnce)))
        };
        let store = kv::store::Store::open(&folder.path().join("tables")).unwrap();
        let directory = Directory::new(ReplicaId::from_u64(1).unwrap(), Vec::new());
        let tables = Arc::new(Tables::new(store, directory).unwrap());
        let snapshots = Arc::new(Snapshots::open(&folder.path().join("snapshots"), "c").unwrap());
        let machine = Machine::new(tables, snapshots).unwrap();
        Ok((folder, log, machine))
    }
}

#[test]
fn log_and_state_machine_pass_the_librarys_own_suite() {
    for on_disk in [true, false] {
        Suite::test_all(Builder { on_disk }).unwrap();
    }
}

//! Opening the tables, or making them anew from the newest snapshot file where they can't be
//! believed.
//!
//! The durable state of a replica is its newest snapshot file and its log. The tables are a cache
//! of both that survives a killed process, not a power cut; what they lack of the log is applied
//! again once Raft starts.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use kv::life::FormerEnd;
use kv::store::{KvError, Store};

use crate::log::LogStore;
use crate::snapshots::Snapshots;
use crate::tables;

/// A file that says, to the next start, that the tables were found damaged.
const DISTRUST: &str = "tables.distrust";

/// Notes, durably, that the tables below `root` are to be made anew at the next start.
pub(crate) fn distrust(root: &Path, why: &str) -> io::Result<()> {
    fs::write(root.join(DISTRUST), why)?;
    fs::File::open(root.join(DISTRUST))?.sync_all()?;
    fs::File::open(root)?.sync_all()
}

/// Why stored tables are not used.
enum Distrust {
    /// They are to be made anew.
    Because(String),
    /// Another process uses them: nothing may be touched.
    InUse(String),
}

impl From<KvError> for Distrust {
    fn from(error: KvError) -> Self {
        match error {
            KvError::InUse { .. } => Self::InUse(error.to_string()),
            other => Self::Because(other.to_string()),
        }
    }
}

/// What the tables are opened from.
pub(crate) struct Sources<'a> {
    pub(crate) root: &'a Path,
    pub(crate) tables: PathBuf,
    pub(crate) former: FormerEnd,
    pub(crate) log: &'a dyn LogStore,
    pub(crate) snapshots: &'a Snapshots,
}

impl Sources<'_> {
    /// Opens the tables, whole and far enough for the log.
    pub(crate) fn open(&self) -> Result<Store, String> {
        let store = match self.believable() {
            Ok(store) => return Ok(store),
            Err(Distrust::InUse(why)) => return Err(why),
            Err(Distrust::Because(why)) => {
                tracing::warn!(why, "making the tables anew from snapshot and log");
                self.rebuild().map_err(|error| error.to_string())?
            }
        };
        self.reaches_the_log(&store)?;
        let note = self.root.join(DISTRUST);
        match fs::remove_file(note) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error.to_string()),
        }
        Ok(store)
    }

    /// The stored tables, or why they can't be believed.
    fn believable(&self) -> Result<Store, Distrust> {
        let because = |why: &str| Err(Distrust::Because(why.to_owned()));
        if !self.former.keeps_unsynced() {
            return because("the machine went down without a goodbye");
        }
        if let Ok(why) = fs::read_to_string(self.root.join(DISTRUST)) {
            return because(&why);
        }
        let store = Store::open(&self.tables)?;
        if tables::is_loading(&store)? {
            return because("loading a snapshot was cut short");
        }
        self.reaches_the_log(&store).map_err(Distrust::Because)?;
        Ok(store)
    }

    /// Whether the log begins no later than where the tables end.
    fn reaches_the_log(&self, store: &Store) -> Result<(), String> {
        let (applied, _) = tables::position(store).map_err(|error| error.to_string())?;
        let Some(purged) = self.log.purged() else { return Ok(()) };
        if applied.is_some_and(|applied| applied.index >= purged.index) {
            return Ok(());
        }
        let reached =
            applied.map_or_else(|| "nothing".to_owned(), |id| format!("entry {}", id.index));
        Err(format!(
            "the log begins after entry {}, but tables and snapshot files hold {reached}: \
             this replica can't catch up under its id. Check the disk, then rejoin the cluster \
             with this data folder; the replica keeps its blobs",
            purged.index
        ))
    }

    fn rebuild(&self) -> Result<Store, KvError> {
        let broken = |error: &dyn std::fmt::Display| KvError::Broken(error.to_string());
        Store::discard(&self.tables).map_err(|error| broken(&error))?;
        let store = Store::open(&self.tables)?;
        for stored in self.snapshots.newest_first() {
            match stored.file.load_into(&store) {
                Ok(_) => return Ok(store),
                Err(error) => {
                    let file = stored.file.path().display();
                    tracing::error!(%file, %error, "a snapshot does not load");
                    store.clear()?;
                }
            }
        }
        Ok(store)
    }
}

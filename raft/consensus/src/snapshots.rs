//! Snapshot files: the whole state at one index, the base of what the log then adds.
//!
//! A file is written from a read snapshot of the tables while entries go on being applied, synced,
//! and only then given its final name; Raft hears of it after that. The last two are kept, and the
//! log is let go only up to the older of them: a follower that was given it finds all that comes
//! after in the log, and should the newest not read, the one before it and the log make the same
//! tables.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kv::store::{KvError, Store};
use openraft::Snapshot;

use crate::machine::Tables;
use crate::raft_types::{Raft, RaftLogId, SnapshotMeta, Types};
use crate::replica::Replica;
use crate::snapshot_file;

/// How often the size of the log is looked at.
const EVERY: Duration = Duration::from_millis(500);
/// Another reader of the tables may take as long …
const SNAPSHOT_WAIT: Duration = Duration::from_secs(600);
/// … and is looked for this often.
const SNAPSHOT_PAUSE: Duration = Duration::from_millis(100);
/// Files kept.
const KEPT: usize = 2;
pub(crate) const ENDING: &str = "snapshot";

/// Why a snapshot was not written or does not load.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SnapshotError {
    /// The file system refused.
    #[error("snapshot file: {0}")]
    Io(#[from] io::Error),
    /// The tables refused.
    #[error("tables: {0}")]
    Tables(#[from] KvError),
    /// The file is not what was written.
    #[error("snapshot file: {0}")]
    Damaged(String),
    /// Raft has stopped.
    #[error("raft has stopped")]
    Stopped,
}

/// A finished file; what the consensus library hands around as a snapshot's data.
#[derive(Clone, Debug, Default)]
pub(crate) struct SnapshotFile {
    path: PathBuf,
}

impl SnapshotFile {
    /// Replaces all tables of `store` by those of the file.
    pub(crate) fn load_into(&self, store: &Store) -> Result<SnapshotMeta, SnapshotError> {
        snapshot_file::load(&mut File::open(&self.path)?, store)
    }

    /// Reads the file to its end and finds every sum right.
    pub(crate) fn check(&self) -> Result<(), SnapshotError> {
        snapshot_file::check(&mut File::open(&self.path)?)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// A finished file and what it says it holds.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) meta: SnapshotMeta,
    pub(crate) file: SnapshotFile,
    pub(crate) size_bytes: u64,
}

impl Stored {
    pub(crate) fn index(&self) -> u64 {
        self.meta.last_log_id.map_or(0, |id| id.index)
    }

    pub(crate) fn to_raft(&self) -> Snapshot<Types> {
        Snapshot { meta: self.meta.clone(), snapshot: Box::new(self.file.clone()) }
    }
}

/// The snapshot files of this replica.
pub(crate) struct Snapshots {
    folder: PathBuf,
    cluster_id: String,
    /// Finished files, the oldest first.
    stored: Mutex<Vec<Stored>>,
    /// A file that was written and that the library is to hear of next.
    announced: Mutex<Option<Stored>>,
}

/// What a snapshot is called; names order as the states do.
pub(crate) fn id_of(last: Option<&RaftLogId>) -> String {
    let (index, term, leader) =
        last.map_or((0, 0, 0), |id| (id.index, id.leader_id.term, id.leader_id.node_id));
    format!("{index:020}-{term:010}-{leader:012x}")
}

impl Snapshots {
    /// Finds the finished files in `folder` and sweeps unfinished ones.
    pub(crate) fn open(folder: &Path, cluster_id: &str) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let mut paths = Vec::new();
        for file in fs::read_dir(folder)? {
            let path = file?.path();
            if path.extension().is_some_and(|ending| ending == ENDING) {
                paths.push(path);
            } else {
                fs::remove_file(path)?;
            }
        }
        paths.sort();
        let mut stored = Vec::new();
        for path in paths {
            match stored_at(&path) {
                Ok(one) => stored.push(one),
                Err(error) => {
                    tracing::error!(file = %path.display(), %error, "a snapshot does not read");
                }
            }
        }
        let (stored, announced) = (Mutex::new(stored), Mutex::default());
        let (folder, cluster_id) = (folder.to_owned(), cluster_id.to_owned());
        Ok(Self { folder, cluster_id, stored, announced })
    }

    fn list(&self) -> std::sync::MutexGuard<'_, Vec<Stored>> {
        self.stored.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest file.
    pub(crate) fn newest(&self) -> Option<Stored> {
        self.list().last().cloned()
    }

    /// All files, the newest first.
    pub(crate) fn newest_first(&self) -> Vec<Stored> {
        self.list().iter().rev().cloned().collect()
    }

    /// The index up to which the log may be let go.
    pub(crate) fn purgeable(&self) -> Option<u64> {
        let list = self.list();
        list.len().checked_sub(KEPT).map(|older| list[older].index())
    }

    /// The file the library was told to ask for.
    pub(crate) fn take_announced(&self) -> Option<Stored> {
        self.announced.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn announce(&self, stored: Stored) {
        *self.announced.lock().unwrap_or_else(PoisonError::into_inner) = Some(stored);
    }

    /// Writes the tables as they are now to a file. Blocks; entries go on being applied.
    pub(crate) fn write(&self, store: &Store) -> Result<Stored, SnapshotError> {
        let snapshot = patient(store)?;
        let (last_log_id, last_membership) = crate::tables::position_of(&snapshot)?;
        let snapshot_id = id_of(last_log_id.as_ref());
        let meta = SnapshotMeta { last_log_id, last_membership, snapshot_id };
        let mut incoming = self.begin(&meta.snapshot_id)?;
        snapshot_file::write(&mut incoming.file, &meta, &self.cluster_id, &snapshot)?;
        incoming.finish()
    }

    /// Begins a file that is complete once it is finished, and gone if it never is.
    pub(crate) fn begin(&self, snapshot_id: &str) -> io::Result<Incoming<'_>> {
        let path = self.folder.join(format!("{snapshot_id}.{:08x}.part", rand::random::<u32>()));
        let file = BufWriter::with_capacity(1024 * 1024, File::create_new(&path)?);
        Ok(Incoming { snapshots: self, path, file, finished: false })
    }

    /// The file as one of this replica's own; copied where it lies elsewhere.
    pub(crate) fn adopt(&self, file: &SnapshotFile) -> Result<SnapshotFile, SnapshotError> {
        if file.path.parent() == Some(&self.folder) {
            return Ok(file.clone());
        }
        let mut incoming = self.begin("copy")?;
        io::copy(&mut File::open(&file.path)?, &mut incoming.file)?;
        Ok(incoming.finish()?.file)
    }

    /// Enters a finished file and removes those before the last two.
    fn enter(&self, stored: Stored) -> io::Result<()> {
        let mut list = self.list();
        list.retain(|one| one.file.path != stored.file.path);
        list.push(stored);
        list.sort_by(|a, b| a.file.path.cmp(&b.file.path));
        while list.len() > KEPT {
            let oldest = list.remove(0);
            fs::remove_file(&oldest.file.path)?;
        }
        Ok(())
    }
}

/// The tables as they are now, as soon as no other snapshot of them is read: there is one at a
/// time, which lives as long as writing it to a file takes. Blocks.
pub(crate) fn patient(store: &Store) -> Result<kv::snapshot::Snapshot, KvError> {
    let began = std::time::Instant::now();
    loop {
        match store.snapshot() {
            Err(KvError::SnapshotOpen) if began.elapsed() < SNAPSHOT_WAIT => {
                std::thread::sleep(SNAPSHOT_PAUSE);
            }
            taken => return taken,
        }
    }
}

fn stored_at(path: &Path) -> Result<Stored, SnapshotError> {
    let mut file = File::open(path)?;
    let size_bytes = file.metadata()?.len();
    let meta = snapshot_file::head(&mut file)?;
    Ok(Stored { meta, file: SnapshotFile { path: path.to_owned() }, size_bytes })
}

/// A file that is being written.
pub(crate) struct Incoming<'a> {
    snapshots: &'a Snapshots,
    path: PathBuf,
    pub(crate) file: BufWriter<File>,
    finished: bool,
}

impl Incoming<'_> {
    /// Checks and syncs the file, gives it its final name and syncs that.
    pub(crate) fn finish(mut self) -> Result<Stored, SnapshotError> {
        self.file.flush()?;
        self.file.get_ref().sync_all()?;
        snapshot_file::check(&mut File::open(&self.path)?)?;
        let found = stored_at(&self.path)?;
        let path = self.snapshots.folder.join(format!("{}.{ENDING}", found.meta.snapshot_id));
        fs::rename(&self.path, &path)?;
        File::open(&self.snapshots.folder)?.sync_all()?;
        self.finished = true;
        let stored = Stored { file: SnapshotFile { path }, ..found };
        self.snapshots.enter(stored.clone())?;
        Ok(stored)
    }
}

impl Drop for Incoming<'_> {
    fn drop(&mut self) {
        if !self.finished {
            // Swept at the next start where it does not go now.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Writes a file, tells Raft, and lets go of the log below the file before it.
pub(crate) async fn write_and_purge(
    raft: &Raft,
    tables: &Arc<Tables>,
    snapshots: &Arc<Snapshots>,
) -> Result<(), SnapshotError> {
    let (of, to) = (tables.clone(), snapshots.clone());
    let written = tokio::task::spawn_blocking(move || to.write(&of.store)).await;
    let stored = written.map_err(|_| SnapshotError::Stopped)??;
    let index = stored.index();
    tracing::info!(index, size_bytes = stored.size_bytes, "wrote a snapshot");
    snapshots.announce(stored);
    raft.trigger().snapshot().await.map_err(|_| SnapshotError::Stopped)?;
    let mut metrics = raft.metrics();
    let heard = metrics.wait_for(|now| now.snapshot.is_some_and(|id| id.index >= index));
    // It is heard at once, except where a received one overtook it.
    let _ = tokio::time::timeout(Duration::from_secs(5), heard).await;
    if let Some(upto) = snapshots.purgeable() {
        raft.trigger().purge_log(upto).await.map_err(|_| SnapshotError::Stopped)?;
    }
    Ok(())
}

/// Writes a file whenever the log has grown enough, until the replica stops.
pub(crate) async fn run(replica: Arc<Replica>) {
    let mut failures: u32 = 0;
    loop {
        let pause = EVERY * 2_u32.pow(failures.min(8));
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = replica.stopping() => return,
        }
        let newest = replica.snapshots.newest();
        let (since, size_bytes) = newest.map_or((0, 0), |one| (one.index() + 1, one.size_bytes));
        let limit = replica.tuning.snapshot_log_bytes_min.max(size_bytes / 2);
        if replica.log.size_bytes_since(since) <= limit {
            continue;
        }
        match replica.write_snapshot().await {
            Ok(()) => failures = 0,
            Err(error) => {
                failures += 1;
                tracing::error!(%error, "a snapshot was not written; the log grows meanwhile");
            }
        }
    }
}

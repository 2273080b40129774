//! The log on disk: our own, in files that are written at their end and removed as a whole.
//!
//! - What waits is written at once and then synced once; only then is anybody told of it.
//! - Every record bears a checksum and a stamp (`record`), by which a torn tail is told from
//!   damage.
//! - What is found at the start is synced before anybody hears of it: it may have lain in the page
//!   cache of a process that was killed.
//! - After a failed write or fsync nothing more is written: what the disk holds is unknown. The
//!   process ends, but where the disk is merely full: then only Raft does.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use bytes::Bytes;

use super::record::Record;
use super::writer::{Inner, Shared, Writer};
use super::{Done, LogId, LogStore, Vote, files, replay, rules};

/// What is done about a failed write or fsync.
pub type OnFailure = Arc<dyn Fn(&io::Error) + Send + Sync>;

/// Bounds of the log on disk.
#[derive(Clone)]
pub struct Options {
    /// A file of the log is closed beyond this size.
    pub file_bytes_max: u64,
    /// Told of a failed write or fsync, after which the disk can't be believed. By default it
    /// aborts, unless the disk is full.
    pub on_failure: OnFailure,
}

impl Default for Options {
    fn default() -> Self {
        Self { file_bytes_max: 8 * 1024 * 1024, on_failure: Arc::new(abort) }
    }
}

fn abort(error: &io::Error) {
    if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
        // The log takes nothing more in this life, so Raft ends and whoever runs it is told.
        tracing::error!(%error, "the log can't be written: the disk is full");
        return;
    }
    tracing::error!(%error, "the log can't be written or synced: stopping at once, nothing that \
         was acknowledged is lost; free space on the disk or check it, then start again");
    std::process::abort();
}

/// Why a log does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Bytes that were once durable are not what they were.
    #[error("{0}")]
    Damaged(String),
    /// Another process has it open.
    #[error("the log in {0} is in use by another process; stop it first")]
    InUse(String),
    /// The file system refused.
    #[error("the log: {0}")]
    Io(#[from] io::Error),
}

pub(super) fn damaged(folder: &Path, what: &str) -> OpenError {
    OpenError::Damaged(format!(
        "the log in {} is damaged: {what}. The disk lost what it had acknowledged, so this replica \
         can't vote under its id any more. Check the disk, then rejoin the cluster with this data \
         folder: the replica gets a new id and keeps its blobs",
        folder.display()
    ))
}

/// A log as it lies on the disk, read without being opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Looked {
    /// The last entry that was purged.
    pub purged: Option<LogId>,
    /// The last entry.
    pub last: Option<LogId>,
    /// How far it is known to be committed.
    pub committed: Option<LogId>,
    /// The vote.
    pub vote: Option<Vote>,
    /// Bytes of its files.
    pub bytes: u64,
    /// What was torn at the end, in words: nobody was told of it, and the next start cuts it.
    pub torn: Option<String>,
}

/// Reads the log in `folder` and checks every sum; changes nothing.
///
/// # Errors
///
/// As [`DurableLog::open`].
pub fn look(folder: &Path) -> Result<Looked, OpenError> {
    let found = replay::look(folder)?;
    let state = found.index.state;
    Ok(Looked {
        purged: state.purged,
        last: state.last,
        committed: state.committed,
        vote: state.vote,
        bytes: found.bytes,
        torn: found.torn,
    })
}

/// The log and the vote in files of one folder. Locks the folder while it lives.
pub struct DurableLog {
    shared: Arc<Shared>,
    writer: Option<JoinHandle<()>>,
    _lock: File,
}

impl DurableLog {
    /// Opens the log in `folder`, which is created where it is missing.
    ///
    /// # Errors
    ///
    /// [`OpenError::Damaged`] says what to do.
    pub fn open(folder: &Path, options: Options) -> Result<Self, OpenError> {
        if !folder.exists() {
            fs::create_dir_all(folder)?;
            folder.parent().map_or(Ok(()), files::sync_folder)?;
        }
        let lock = File::create(folder.join("LOCK"))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => OpenError::InUse(folder.display().to_string()),
            TryLockError::Error(error) => OpenError::Io(error),
        })?;
        let found = replay::replay(folder)?;
        if let Some((_, newest)) = found.files.last_key_value() {
            newest.sync_data()?;
        }
        let shared = Arc::new(Shared::new(found.index, found.files));
        let writer = Writer::new(Arc::clone(&shared), folder.into(), found.end, options);
        let writer = thread::Builder::new().name("log".into()).spawn(|| writer.run())?;
        Ok(Self { shared, writer: Some(writer), _lock: lock })
    }

    fn write(&self, inner: &mut Inner, record: Option<Record>, done: Done) -> io::Result<()> {
        self.shared.write(inner, record.into_iter().collect(), Some(done))
    }
}

impl Drop for DurableLog {
    fn drop(&mut self) {
        self.shared.end();
        if let Some(writer) = self.writer.take() {
            // It ends by itself or has panicked, which was said then.
            let _ = writer.join();
        }
    }
}

impl LogStore for DurableLog {
    fn append(&self, entries: Vec<(LogId, Bytes)>, done: Done) -> io::Result<()> {
        let mut inner = self.shared.lock();
        rules::append(inner.index.state.last, &entries)?;
        let records = entries.into_iter().map(|(id, payload)| Record::Entry(id, payload));
        self.shared.write(&mut inner, records.collect(), Some(done))
    }

    fn truncate_since(&self, since: LogId, done: Done) -> io::Result<()> {
        let mut inner = self.shared.lock();
        let state = inner.index.state;
        rules::truncate(state.purged, state.committed, since)?;
        let has_it = state.last.is_some_and(|last| last.index >= since.index);
        self.write(&mut inner, has_it.then_some(Record::Truncate(since.index)), done)
    }

    fn purge_upto(&self, upto: LogId, done: Done) -> io::Result<()> {
        let mut inner = self.shared.lock();
        let is_news = inner.index.state.purged.is_none_or(|purged| purged.index < upto.index);
        self.write(&mut inner, is_news.then_some(Record::Purge(upto)), done)
    }

    fn read(&self, from: u64, to: u64, limit_bytes: u64) -> io::Result<Vec<(LogId, Bytes)>> {
        let inner = self.shared.lock();
        let (slots, open) = (inner.index.range(from, to, limit_bytes), inner.files.clone());
        drop(inner);
        slots.into_iter().map(|slot| Ok((slot.id, files::payload(&open, slot)?))).collect()
    }

    fn last(&self) -> Option<LogId> {
        self.shared.lock().index.state.last
    }

    fn purged(&self) -> Option<LogId> {
        self.shared.lock().index.state.purged
    }

    fn save_vote(&self, vote: Vote, done: Done) -> io::Result<()> {
        let mut inner = self.shared.lock();
        rules::vote(inner.index.state.vote, vote)?;
        self.write(&mut inner, Some(Record::Vote(vote)), done)
    }

    fn read_vote(&self) -> Option<Vote> {
        self.shared.lock().index.state.vote
    }

    fn save_committed(&self, committed: Option<LogId>) -> io::Result<()> {
        let mut inner = self.shared.lock();
        let state = inner.index.state;
        match committed.filter(|id| rules::commits(state.committed, state.last, *id)) {
            Some(id) => self.shared.write(&mut inner, vec![Record::Commit(id)], None),
            None => Ok(()),
        }
    }

    fn committed(&self) -> Option<LogId> {
        self.shared.lock().index.state.committed
    }

    fn size_bytes_since(&self, index: u64) -> u64 {
        self.shared.lock().index.bytes_since(index)
    }
}

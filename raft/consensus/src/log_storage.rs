//! Our log as the consensus library wants to see it.

use std::fmt::Debug;
use std::io;
use std::ops::{Bound, RangeBounds};
use std::sync::Arc;

use openraft::storage::{LogFlushed, RaftLogStorage};
use openraft::{
    AnyError, ErrorSubject, ErrorVerb, LogState, OptionalSend, RaftLogReader, StorageIOError,
};
use tokio::sync::oneshot;

use crate::codec;
use crate::log::{Done, LogStore};
use crate::raft_types::{Entry, RaftLogId, RaftVote, StorageError, Types};

/// Payloads sent in one append; an entry above it goes alone.
const APPEND_BYTES_MAX: u64 = 1024 * 1024;

/// The log and the vote of this replica.
#[derive(Clone)]
pub(crate) struct LogStorage {
    store: Arc<dyn LogStore>,
}

// The library chose the size of its error; it is made once, when the replica ends.
#[allow(clippy::result_large_err)]
impl LogStorage {
    pub(crate) fn new(store: Arc<dyn LogStore>) -> Self {
        Self { store }
    }

    /// The log itself, while no Raft runs over it.
    pub(crate) fn store(&self) -> &Arc<dyn LogStore> {
        &self.store
    }

    /// Bytes that the log holds from `index` on.
    pub(crate) fn size_bytes_since(&self, index: u64) -> u64 {
        self.store.size_bytes_since(index)
    }

    /// The first index that the log has, or would have. A log begins with 0, and in the library's
    /// own tests with 1.
    fn first(&self) -> Result<u64, StorageError> {
        match self.store.purged() {
            Some(purged) => Ok(purged.index + 1),
            None => Ok(u64::from(self.read(0, 1, u64::MAX)?.is_empty())),
        }
    }

    fn read(&self, from: u64, to: u64, limit_bytes: u64) -> Result<Vec<Entry>, StorageError> {
        let rows = self.store.read(from, to, limit_bytes).map_err(|why| read_error(&why))?;
        let decode = |(id, payload)| codec::entry_from_bytes(codec::log_id_from_store(id), payload);
        rows.into_iter()
            .map(decode)
            .collect::<Result<_, _>>()
            .map_err(|why| StorageIOError::read_logs(AnyError::new(&why)).into())
    }
}

fn read_error(why: &io::Error) -> StorageError {
    StorageIOError::read_logs(AnyError::new(why)).into()
}

fn write_error(subject: ErrorSubject<u64>, why: &io::Error) -> StorageError {
    StorageIOError::new(subject, ErrorVerb::Write, AnyError::new(why)).into()
}

/// Starts a change and waits until it is durable.
async fn durable(
    subject: ErrorSubject<u64>,
    change: impl FnOnce(Done) -> io::Result<()> + Send,
) -> Result<(), StorageError> {
    let (tell, told) = oneshot::channel();
    let done: Done = Box::new(move |outcome| {
        let _ = tell.send(outcome);
    });
    let outcome = match change(done) {
        Ok(()) => told.await.unwrap_or_else(|_| Err(io::Error::other("the log has ended"))),
        Err(why) => Err(why),
    };
    outcome.map_err(|why| write_error(subject, &why))
}

impl RaftLogReader<Types> for LogStorage {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Result<Vec<Entry>, StorageError> {
        let from = match range.start_bound() {
            Bound::Included(index) => *index,
            Bound::Excluded(index) => index + 1,
            Bound::Unbounded => 0,
        };
        let to = match range.end_bound() {
            Bound::Included(index) => index + 1,
            Bound::Excluded(index) => *index,
            Bound::Unbounded => u64::MAX,
        };
        self.read(from.max(self.first()?), to, u64::MAX)
    }

    async fn limited_get_log_entries(
        &mut self,
        start: u64,
        end: u64,
    ) -> Result<Vec<Entry>, StorageError> {
        self.read(start, end, APPEND_BYTES_MAX)
    }
}

impl RaftLogStorage<Types> for LogStorage {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<Types>, StorageError> {
        Ok(LogState {
            last_purged_log_id: self.store.purged().map(codec::log_id_from_store),
            last_log_id: self.store.last().map(codec::log_id_from_store),
        })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &RaftVote) -> Result<(), StorageError> {
        let vote = codec::vote_to_store(vote);
        durable(ErrorSubject::Vote, |done| self.store.save_vote(vote, done)).await
    }

    async fn read_vote(&mut self) -> Result<Option<RaftVote>, StorageError> {
        Ok(self.store.read_vote().map(codec::vote_from_store))
    }

    async fn save_committed(&mut self, committed: Option<RaftLogId>) -> Result<(), StorageError> {
        let committed = committed.as_ref().map(codec::log_id_to_store);
        self.store.save_committed(committed).map_err(|why| write_error(ErrorSubject::Logs, &why))
    }

    /// Never beyond the last entry: after a power cut the note may have outlived what it speaks of.
    async fn read_committed(&mut self) -> Result<Option<RaftLogId>, StorageError> {
        let committed = self.store.committed().min(self.store.last());
        Ok(committed.map(codec::log_id_from_store))
    }

    async fn append<I>(
        &mut self,
        entries: I,
        callback: LogFlushed<Types>,
    ) -> Result<(), StorageError>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let encode = |entry: Entry| {
            (codec::log_id_to_store(&entry.log_id), codec::payload_to_bytes(&entry.payload))
        };
        // What was purged is applied: it need not come again, and does not fit in any more.
        let purged = self.store.purged();
        let missing = |entry: &Entry| purged.is_none_or(|purged| entry.log_id.index > purged.index);
        let entries: Vec<_> = entries.into_iter().filter(missing).map(encode).collect();
        if entries.is_empty() {
            callback.log_io_completed(Ok(()));
            return Ok(());
        }
        let done: Done = Box::new(move |outcome| callback.log_io_completed(outcome));
        self.store.append(entries, done).map_err(|why| write_error(ErrorSubject::Logs, &why))
    }

    async fn truncate(&mut self, log_id: RaftLogId) -> Result<(), StorageError> {
        let since = codec::log_id_to_store(&log_id);
        durable(ErrorSubject::Logs, |done| self.store.truncate_since(since, done)).await
    }

    async fn purge(&mut self, log_id: RaftLogId) -> Result<(), StorageError> {
        let upto = codec::log_id_to_store(&log_id);
        durable(ErrorSubject::Logs, |done| self.store.purge_upto(upto, done)).await
    }
}

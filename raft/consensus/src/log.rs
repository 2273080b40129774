//! The Raft log of one replica: what was accepted, and the vote, durable before either is answered
//! for.
//!
//! [`LogStore`] is what consensus asks of it. [`durable::DurableLog`] keeps it on disk;
//! [`memory::MemoryLog`] keeps it in memory and, on demand, forgets what was not flushed, so that a
//! simulation can cut the power of a replica.
//!
//! The types here are ours: nothing of the consensus library shows.

use std::fmt;
use std::io;

use bytes::Bytes;

pub mod durable;
mod files;
mod index;
pub mod memory;
mod record;
mod replay;
mod rules;
mod writer;

#[cfg(test)]
mod tests;

/// Names one entry: the term and the replica whose entry it is, and its place in the log.
///
/// Ordered by term, then leader, then index, as Raft compares logs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogId {
    /// The term in which a leader made the entry.
    pub term: u64,
    /// The number of that leader.
    pub leader: u64,
    /// The entry's place; consecutive, from 0.
    pub index: u64,
}

impl fmt::Display for LogId {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}-{}-{}", self.term, self.leader, self.index)
    }
}

/// Whom this replica follows or has promised its vote, and in which term.
///
/// Ordered by term, then leader; a committed one is newer than the same uncommitted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Vote {
    /// The term of the vote.
    pub term: u64,
    /// The number of the replica voted for.
    pub leader: u64,
    /// Whether a majority granted the vote, so that `leader` does lead.
    pub committed: bool,
}

/// Told once, when what was asked is durable. In the order of the calls, from a thread of the
/// log's.
///
/// It must not block and must not call the log.
pub type Done = Box<dyn FnOnce(io::Result<()>) + Send>;

/// The log and the vote of one replica.
///
/// Calls that change something take effect at once for every later read and are durable once `Done`
/// was told. All come from one caller at a time, reads may run beside them. A call that makes no
/// sense (an append that leaves a gap, a truncation below what is committed) answers an error of
/// kind `InvalidInput` at once, changes nothing, and tells its `Done` nothing.
pub trait LogStore: Send + Sync + 'static {
    /// Adds `entries`, consecutive and right after [`LogStore::last`].
    fn append(&self, entries: Vec<(LogId, Bytes)>, done: Done) -> io::Result<()>;

    /// Forgets the entry `since` and all after it.
    fn truncate_since(&self, since: LogId, done: Done) -> io::Result<()>;

    /// Forgets all entries up to and including `upto`, which may lie beyond the last.
    fn purge_upto(&self, upto: LogId, done: Done) -> io::Result<()>;

    /// Entries of `from..to` in order, until their payloads have more than `limit_bytes`; at least
    /// one where there is one. An index that is not there ends the answer.
    fn read(&self, from: u64, to: u64, limit_bytes: u64) -> io::Result<Vec<(LogId, Bytes)>>;

    /// The last entry, or what was purged last where no entry is left.
    fn last(&self) -> Option<LogId>;

    /// The last entry that was purged.
    fn purged(&self) -> Option<LogId>;

    /// Keeps `vote` in place of the former one, which must not be newer.
    fn save_vote(&self, vote: Vote, done: Done) -> io::Result<()>;

    /// The vote kept last.
    fn read_vote(&self) -> Option<Vote>;

    /// Notes how far the log is known to be committed. Not durable by itself: it goes to the disk
    /// with whatever is synced next, and after a power cut an older value may be read.
    fn save_committed(&self, committed: Option<LogId>) -> io::Result<()>;

    /// What was noted last, never beyond [`LogStore::last`].
    fn committed(&self) -> Option<LogId>;

    /// Bytes that the log takes from the entry `index` on, roughly: the measure of when a snapshot
    /// is due.
    fn size_bytes_since(&self, index: u64) -> u64;
}

/// Calls `change` with a [`Done`] and waits for it. Not for async callers.
///
/// # Errors
///
/// That of the call, or of the disk.
pub fn wait(change: impl FnOnce(Done) -> io::Result<()>) -> io::Result<()> {
    let (tell, told) = std::sync::mpsc::sync_channel(1);
    change(Box::new(move |outcome| {
        // The receiver waits below; a failed send has nobody to tell.
        let _ = tell.send(outcome);
    }))?;
    told.recv().unwrap_or_else(|_| Err(io::Error::other("the log ended without an answer")))
}

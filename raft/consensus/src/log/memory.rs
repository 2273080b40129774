//! The log in memory, for simulation: what was not flushed is lost when the power is cut.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::{Done, LogId, LogStore, Vote, rules};

/// When a change becomes durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flush {
    /// With the call that makes it.
    AtOnce,
    /// When [`MemoryLog::flush`] is called, as a disk that takes its time.
    OnDemand,
}

/// A log without a disk.
pub struct MemoryLog {
    flush: Flush,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What reads see.
    live: Content,
    /// What a power cut leaves.
    durable: Content,
    /// Changes of `live` that are not in `durable`, oldest first.
    pending: VecDeque<(Change, Option<Done>)>,
}

#[derive(Clone, Default)]
struct Content {
    entries: BTreeMap<u64, (LogId, Bytes)>,
    last: Option<LogId>,
    purged: Option<LogId>,
    committed: Option<LogId>,
    vote: Option<Vote>,
}

#[derive(Clone)]
enum Change {
    Append(Vec<(LogId, Bytes)>),
    Truncate(LogId),
    Purge(LogId),
    Vote(Vote),
    Commit(LogId),
}

impl Content {
    fn apply(&mut self, change: Change) {
        match change {
            Change::Append(entries) => {
                for (id, payload) in entries {
                    self.entries.insert(id.index, (id, payload));
                    self.last = Some(id);
                }
            }
            Change::Truncate(since) => {
                self.entries.split_off(&since.index);
                let last = self.entries.last_key_value().map(|(_, (id, _))| *id);
                self.last = last.or(self.purged);
            }
            Change::Purge(upto) => {
                self.entries = self.entries.split_off(&(upto.index + 1));
                self.purged = self.purged.max(Some(upto));
                self.last = self.last.max(self.purged);
            }
            Change::Vote(vote) => self.vote = Some(vote),
            Change::Commit(id) => self.committed = Some(id),
        }
    }
}

impl MemoryLog {
    /// An empty log.
    pub fn new(flush: Flush) -> Self {
        Self { flush, state: Mutex::default() }
    }

    /// Makes every pending change durable and tells their callers, in order.
    pub fn flush(&self) {
        self.flush_first(usize::MAX);
    }

    /// Makes the first `changes` pending changes durable and tells their callers, in order.
    pub fn flush_first(&self, changes: usize) {
        let told = {
            let mut state = self.state();
            let count = changes.min(state.pending.len());
            let flushed: Vec<_> = state.pending.drain(..count).collect();
            let keep = |(change, done)| {
                state.durable.apply(change);
                done
            };
            flushed.into_iter().filter_map(keep).collect::<Vec<_>>()
        };
        // Without the lock: a caller may go on at once.
        for done in told {
            done(Ok(()));
        }
    }

    /// How many changes are not durable yet.
    pub fn pending(&self) -> usize {
        self.state().pending.len()
    }

    /// Cuts the power: what is not durable is gone, but for the first `survivors` of it, which
    /// happened to reach the disk. Nobody is told of either.
    pub fn cut_power(&self, survivors: usize) {
        let mut state = self.state();
        let count = survivors.min(state.pending.len());
        let survived: Vec<_> = state.pending.drain(..count).collect();
        for (change, _) in survived {
            state.durable.apply(change);
        }
        state.pending.clear();
        state.live = state.durable.clone();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(
        &self,
        check: impl FnOnce(&Content) -> io::Result<()>,
        change: Change,
        done: Option<Done>,
    ) -> io::Result<()> {
        let mut state = self.state();
        check(&state.live)?;
        state.live.apply(change.clone());
        state.pending.push_back((change, done));
        drop(state);
        if self.flush == Flush::AtOnce {
            self.flush();
        }
        Ok(())
    }
}

impl LogStore for MemoryLog {
    fn append(&self, entries: Vec<(LogId, Bytes)>, done: Done) -> io::Result<()> {
        let copy = entries.clone();
        self.change(|now| rules::append(now.last, &copy), Change::Append(entries), Some(done))
    }

    fn truncate_since(&self, since: LogId, done: Done) -> io::Result<()> {
        let check = |now: &Content| rules::truncate(now.purged, now.committed, since);
        self.change(check, Change::Truncate(since), Some(done))
    }

    fn purge_upto(&self, upto: LogId, done: Done) -> io::Result<()> {
        self.change(|_| Ok(()), Change::Purge(upto), Some(done))
    }

    fn read(&self, from: u64, to: u64, limit_bytes: u64) -> io::Result<Vec<(LogId, Bytes)>> {
        let state = self.state();
        let (mut entries, mut bytes) = (Vec::new(), 0);
        for (index, (at, entry)) in (from..).zip(state.live.entries.range(from..to.max(from))) {
            if *at != index {
                break;
            }
            bytes += entry.1.len() as u64;
            entries.push(entry.clone());
            if bytes > limit_bytes {
                break;
            }
        }
        Ok(entries)
    }

    fn last(&self) -> Option<LogId> {
        self.state().live.last
    }

    fn purged(&self) -> Option<LogId> {
        self.state().live.purged
    }

    fn save_vote(&self, vote: Vote, done: Done) -> io::Result<()> {
        self.change(|now| rules::vote(now.vote, vote), Change::Vote(vote), Some(done))
    }

    fn read_vote(&self) -> Option<Vote> {
        self.state().live.vote
    }

    fn save_committed(&self, committed: Option<LogId>) -> io::Result<()> {
        let mut state = self.state();
        let news = |id: &LogId| rules::commits(state.live.committed, state.live.last, *id);
        if let Some(id) = committed.filter(news) {
            state.live.apply(Change::Commit(id));
            state.pending.push_back((Change::Commit(id), None));
        }
        Ok(())
    }

    fn committed(&self) -> Option<LogId> {
        self.state().live.committed
    }

    fn size_bytes_since(&self, index: u64) -> u64 {
        let state = self.state();
        state.live.entries.range(index..).map(|(_, (_, payload))| payload.len() as u64).sum()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn entry(index: u64) -> (LogId, Bytes) {
        (LogId { term: 1, leader: 1, index }, Bytes::from(vec![7; 10]))
    }

    #[test]
    fn a_power_cut_takes_what_was_not_flushed_and_tells_nobody() {
        let log = MemoryLog::new(Flush::OnDemand);
        let told = Arc::new(AtomicUsize::new(0));
        for index in 1..=6 {
            let told = Arc::clone(&told);
            let done = Box::new(move |outcome: io::Result<()>| {
                outcome.unwrap();
                assert_eq!(
                    told.fetch_add(1, Ordering::SeqCst) + 1,
                    usize::try_from(index).unwrap()
                );
            });
            log.append(vec![entry(index)], done).unwrap();
        }
        assert_eq!((log.pending(), told.load(Ordering::SeqCst)), (6, 0));
        log.flush_first(3);
        assert_eq!(log.last(), Some(entry(6).0), "reads see what is not durable yet");
        log.cut_power(1);
        assert_eq!(told.load(Ordering::SeqCst), 3);
        assert_eq!(log.last(), Some(entry(4).0), "one of three happened to survive");
        assert_eq!(log.read(1, 9, u64::MAX).unwrap().len(), 4);
    }
}

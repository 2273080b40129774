//! The thread that writes the log: all that waits goes to the disk at once, behind one sync.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::durable::Options;
use super::files::{self, Open};
use super::index::Index;
use super::record::{Record, State};
use super::{Done, LogId};

/// Payloads that are written with one sync; what is beyond waits for the next.
const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What callers and the writer share.
pub(super) struct Shared {
    inner: Mutex<Inner>,
    arrived: Condvar,
}

/// The log as readers see it, written or not, and what waits to be written.
pub(super) struct Inner {
    pub(super) index: Index,
    pub(super) files: Open,
    waiting: VecDeque<Job>,
    ended: bool,
}

/// Records to be written together, and who is told.
struct Job {
    records: Vec<Record>,
    /// `None` where nobody waits: it goes with the next one that somebody waits for.
    done: Option<Done>,
    /// What the log is after it.
    state: State,
}

impl Shared {
    pub(super) fn new(index: Index, files: Open) -> Self {
        let inner = Inner { index, files, waiting: VecDeque::new(), ended: false };
        Self { inner: Mutex::new(inner), arrived: Condvar::new() }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Carries out `records` for readers and leaves them to the writer.
    pub(super) fn write(
        &self,
        inner: &mut Inner,
        records: Vec<Record>,
        done: Option<Done>,
    ) -> io::Result<()> {
        if inner.ended {
            return Err(io::Error::other("the log's writer has ended"));
        }
        for record in &records {
            inner.index.apply(record, None);
        }
        if done.is_some() {
            self.arrived.notify_one();
        }
        inner.waiting.push_back(Job { records, done, state: inner.index.state });
        Ok(())
    }

    /// Lets the writer end once all is written.
    pub(super) fn end(&self) {
        self.lock().ended = true;
        self.arrived.notify_one();
    }

    /// What waits, up to the bound. Waits for it; nothing at the end.
    fn next(&self) -> Vec<Job> {
        let mut inner = self.lock();
        while !inner.ended && !inner.waiting.iter().any(|job| job.done.is_some()) {
            inner = self.arrived.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
        let (mut jobs, mut bytes) = (Vec::new(), 0);
        while bytes < BATCH_BYTES_MAX
            && let Some(job) = inner.waiting.pop_front()
        {
            bytes += job.records.iter().map(payload_bytes).sum::<usize>();
            jobs.push(job);
        }
        jobs
    }
}

fn payload_bytes(record: &Record) -> usize {
    match record {
        Record::Entry(_, payload) => payload.len(),
        _ => 0,
    }
}

/// The end of the log on disk.
pub(super) struct Writer {
    shared: Arc<Shared>,
    folder: PathBuf,
    options: Options,
    /// The newest file by the offset it begins at; `None` before the first.
    file: Option<(u64, Arc<File>)>,
    /// The offset of the end. Everything below it is synced.
    end: u64,
    /// What the records up to the end make.
    state: State,
}

impl Writer {
    /// Goes on behind what is in `shared`, all of which is synced and ends at `end`.
    pub(super) fn new(shared: Arc<Shared>, folder: PathBuf, end: u64, options: Options) -> Self {
        let inner = shared.lock();
        let state = inner.index.state;
        let file = inner.files.last_key_value().map(|(start, file)| (*start, Arc::clone(file)));
        drop(inner);
        Self { shared, folder, options, file, end, state }
    }

    /// Writes until the end, or until something fails.
    pub(super) fn run(mut self) {
        let mut outcome = self.remove_purged();
        while outcome.is_ok() {
            let jobs = self.shared.next();
            if jobs.is_empty() {
                return;
            }
            outcome = self.write(&jobs);
            for done in jobs.into_iter().filter_map(|job| job.done) {
                done(self.report(&outcome));
            }
        }
        // Nothing that was asked for meanwhile is answered as if it were done.
        let _ = self.report(&outcome);
        let waiting = {
            let mut inner = self.shared.lock();
            inner.ended = true;
            std::mem::take(&mut inner.waiting)
        };
        for done in waiting.into_iter().filter_map(|job| job.done) {
            done(self.report(&outcome));
        }
    }

    /// Ends the process where something failed: what the disk holds after it is unknown.
    fn report(&self, outcome: &io::Result<()>) -> io::Result<()> {
        outcome.as_ref().copied().map_err(|error| {
            (self.options.on_failure)(error);
            io::Error::new(error.kind(), error.to_string())
        })
    }

    fn write(&mut self, jobs: &[Job]) -> io::Result<()> {
        let (file, mut bytes) = self.newest_file()?;
        let mut placed: Vec<(LogId, u64)> = Vec::new();
        let mut purges = false;
        for record in jobs.iter().flat_map(|job| &job.records) {
            if let Record::Entry(id, _) = record {
                placed.push((*id, self.end + bytes.len() as u64));
            }
            purges |= matches!(record, Record::Purge(_));
            record.encode(self.end, &mut bytes);
        }
        if !bytes.is_empty() {
            (&*file).write_all(&bytes)?;
            // Whatever its kind: which bytes a failed fsync lost is unknown, also for want of room.
            file.sync_data().map_err(|error| io::Error::other(format!("fsync: {error}")))?;
        }
        self.end += bytes.len() as u64;
        self.state = jobs.last().map_or(self.state, |job| job.state);
        let mut inner = self.shared.lock();
        for (id, offset) in placed {
            inner.index.written(id, offset);
        }
        drop(inner);
        if purges { self.remove_purged() } else { Ok(()) }
    }

    /// The file to go on with, and what must be written to it first.
    fn newest_file(&mut self) -> io::Result<(Arc<File>, Vec<u8>)> {
        let mut bytes = Vec::new();
        if let Some((start, file)) = &self.file
            && self.end - start < self.options.file_bytes_max
        {
            return Ok((Arc::clone(file), bytes));
        }
        let file = files::create(&self.folder, self.end)?;
        self.shared.lock().files.insert(self.end, Arc::clone(&file));
        self.file = Some((self.end, Arc::clone(&file)));
        Record::State(self.state).encode(self.end, &mut bytes);
        Ok((file, bytes))
    }

    /// Removes the files in front of the first entry that is left.
    fn remove_purged(&self) -> io::Result<()> {
        let mut inner = self.shared.lock();
        let Some((newest, _)) = self.file else {
            return Ok(());
        };
        if inner.index.state.purged != self.state.purged {
            // One that is not durable yet came behind it, and this will be done with that.
            return Ok(());
        }
        let first = inner.index.first_offset().unwrap_or(newest);
        let first_file =
            inner.files.range(..=first).next_back().map_or(newest, |(start, _)| *start);
        let kept = inner.files.split_off(&first_file);
        let gone = std::mem::replace(&mut inner.files, kept);
        drop(inner);
        // Oldest first, each durably: a power cut must not bring back one in front of a gap.
        for start in gone.into_keys() {
            files::remove(&self.folder, &files::path(&self.folder, start))?;
        }
        Ok(())
    }
}

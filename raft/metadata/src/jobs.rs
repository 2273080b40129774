//! Jobs: work that the cluster does by itself, on one replica at a time, whichever that is.
//!
//! A job waits in a queue until a worker ([`workers`], one a replica) claims it ([`running`]). The
//! claim gives it a number, its fencing, that is higher than every one before; whatever is changed
//! on the job's behalf names it, so that a worker that was taken for dead and is not changes
//! nothing any more. A worker whose lease ends loses its jobs: they wait again, under the same id.
//!
//! Cluster time counts leases and deadlines; wall time says when a job is due ([`crons`]).
//!
//! Source: dtr-interface 16.

use crate::codec::{message, numbered};
use crate::key;
use crate::replica::ReplicaId;
use crate::row;
use crate::tables::{Damage, Read, Table, Write};

pub mod action_configs;
pub mod actions;
mod calendar;
pub mod commands;
pub mod crons;
pub mod history;
pub mod logs;
pub mod running;
pub mod schedule;
pub mod spec;
pub mod workers;

use logs::LogState;
use spec::JobSpec;

/// Jobs that wait, at most.
pub const WAITING_MAX: u64 = 1_000;

const KEY: &[u8] = b"jobs";

const BY_ID: u8 = b'i';
const WAITING: u8 = b'q';
const HELD: u8 = b'r';
const OVER: u8 = b'e';

/// Names a job for ever.
pub type JobId = [u8; 16];

numbered! {
    /// Where a job stands.
    pub enum JobStatus {
        /// Nobody has claimed it yet.
        1 Waiting,
        /// A worker does it.
        2 Running,
        /// It came to its end.
        3 Done,
        /// It failed.
        4 Error,
        /// A worker does it and has been asked to stop.
        5 CancelRequest,
        /// It was stopped, or never begun.
        6 Cancel,
        /// It waits again: the lease of its worker ended.
        7 WorkerDead,
        /// It waits again: its worker was stopped in order and gave it back.
        8 WorkerShutdown,
        /// It waits again: its worker began a new life and knows nothing of it.
        9 WorkerResurrection,
    }
}

impl JobStatus {
    /// Every status, with its word in the API.
    pub const WORDS: &'static [(Self, &'static str)] = &[
        (Self::Waiting, "waiting"),
        (Self::Running, "running"),
        (Self::Done, "done"),
        (Self::Error, "error"),
        (Self::CancelRequest, "cancel_request"),
        (Self::Cancel, "cancel"),
        (Self::WorkerDead, "worker_dead"),
        (Self::WorkerShutdown, "worker_shutdown"),
        (Self::WorkerResurrection, "worker_resurrection"),
    ];

    /// Its word in the API.
    pub fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(status, _)| *status == self).map_or("", |(_, word)| word)
    }

    /// Whether a worker may claim it.
    pub fn waits(self) -> bool {
        matches!(
            self,
            Self::Waiting | Self::WorkerDead | Self::WorkerShutdown | Self::WorkerResurrection
        )
    }

    /// Whether a worker has it.
    pub fn is_held(self) -> bool {
        matches!(self, Self::Running | Self::CancelRequest)
    }

    /// Whether nothing comes any more.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Error | Self::Cancel)
    }
}

message! {
    /// A job.
    pub struct JobRow {
        /// Names it.
        1 id: JobId,
        /// What is to be done.
        2 spec: JobSpec,
        /// Where it stands.
        3 status: JobStatus,
        /// Not before then, milliseconds since 1970.
        4 scheduled_wall_ms: u64,
        /// When it last changed, milliseconds since 1970.
        5 updated_wall_ms: u64,
        /// On whose behalf: the account that asked, or set the cron; empty for the cluster.
        6 actor: String,
        /// The job that failed and that this one tries again.
        7 retry_from: Option<JobId>,
        /// How often it is tried again after this.
        8 retries_left: u32,
        /// Whether a cron made it.
        9 is_by_cron: bool,
        /// Who has it, or had it last.
        10 worker: Option<ReplicaId>,
        /// The number of its last claim; 0 before the first.
        11 fencing: u64,
        /// When that was, milliseconds since 1970.
        12 begun_wall_ms: u64,
        /// When it is told to stop, in cluster time; 0 for never.
        13 deadline_ms: u64,
        /// How often its worker was lost.
        14 losses: u32,
        /// When it was over, in cluster time; 0 before.
        15 ended_ms: u64,
        /// Why it failed, or what it said last.
        16 message: String,
        /// What was written down of it.
        17 log: LogState,
    }
}

message! {
    /// Counts over all jobs.
    #[derive(Default)]
    pub struct JobsRow {
        /// Those that wait.
        1 waiting: u64,
        /// Those that are over.
        2 over: u64,
        /// Bytes of all logs.
        3 log_bytes: u64,
        /// The highest fencing that was given.
        4 last_fencing: u64,
    }
}

/// Counts over all jobs.
pub fn counts(read: &impl Read) -> Result<JobsRow, Damage> {
    Ok(row::find(read, Table::Singles, KEY)?.unwrap_or_default())
}

fn put_counts(tables: &mut impl Write, counts: &JobsRow) {
    row::put(tables, Table::Singles, KEY.to_vec(), counts);
}

/// The job of that id.
pub fn find(read: &impl Read, id: &JobId) -> Result<Option<JobRow>, Damage> {
    match read.get(Table::JobIndexes, &key::join(&[&[BY_ID], id]))? {
        Some(scheduled) => {
            let (scheduled_wall_ms, _) = key::split_u64(&scheduled)?;
            row::find(read, Table::Jobs, &job_key(scheduled_wall_ms, id))
        }
        None => Ok(None),
    }
}

/// Jobs, those scheduled last first, after the one that `after` leads to (empty for all): at most
/// `limit`, each with what leads to it.
pub fn listing(
    read: &impl Read,
    after: &[u8],
    limit: usize,
) -> Result<Vec<(Vec<u8>, JobRow)>, Damage> {
    let from = if after.is_empty() { Vec::new() } else { key::after(after.to_vec()) };
    let rows = read.range(Table::Jobs, &from, None, limit)?.into_iter();
    rows.map(|(key, value)| Ok((key, row::decode(Table::Jobs, &value)?))).collect()
}

/// Jobs that wait and are due by `wall_ms`, those scheduled first in front; at most `limit`.
pub fn due(read: &impl Read, wall_ms: u64, limit: usize) -> Result<Vec<JobRow>, Damage> {
    let end = key::join(&[&[WAITING], &wall_ms.saturating_add(1).to_be_bytes()]);
    let rows = read.range(Table::JobIndexes, &[WAITING], Some(&end), limit)?;
    rows.iter().map(|(key, _)| led_to(read, key)).collect()
}

/// Jobs that workers have: as many as all workers may have at once.
pub fn held(read: &impl Read) -> Result<Vec<JobRow>, Damage> {
    let rows = row::under(read, Table::JobIndexes, &[HELD], usize::MAX)?;
    rows.iter().map(|(key, _)| led_to(read, key)).collect()
}

/// The jobs that were over first; at most `limit`.
pub(crate) fn oldest_over(read: &impl Read, limit: usize) -> Result<Vec<JobRow>, Damage> {
    let rows = row::under(read, Table::JobIndexes, &[OVER], limit)?;
    rows.iter().map(|(key, _)| led_to(read, key)).collect()
}

fn led_to(read: &impl Read, key: &[u8]) -> Result<JobRow, Damage> {
    let id = key.last_chunk().ok_or_else(|| Damage("a job's index is too short".to_owned()))?;
    find(read, id)?.ok_or_else(|| Damage("a job's index leads nowhere".to_owned()))
}

/// Where the index leads to a job by its status.
pub(crate) fn place_of(job: &JobRow) -> Vec<u8> {
    if job.status.waits() {
        key::join(&[&[WAITING], &job.scheduled_wall_ms.to_be_bytes(), &job.id])
    } else if job.status.is_held() {
        key::join(&[&[HELD], &job.id])
    } else {
        key::join(&[&[OVER], &job.ended_ms.to_be_bytes(), &job.id])
    }
}

/// Where the index leads to a job by its id.
pub(crate) fn id_key(id: &JobId) -> Vec<u8> {
    key::join(&[&[BY_ID], id])
}

/// Later schedules first in byte order.
fn job_key(scheduled_wall_ms: u64, id: &JobId) -> Vec<u8> {
    key::join(&[&(u64::MAX - scheduled_wall_ms).to_be_bytes(), id])
}

/// A new job enters the queue.
pub(crate) fn add(tables: &mut impl Write, job: &JobRow) -> Result<(), Damage> {
    let scheduled = job.scheduled_wall_ms.to_be_bytes().to_vec();
    tables.put(Table::JobIndexes, id_key(&job.id), scheduled);
    row::mark(tables, Table::JobIndexes, place_of(job));
    row::put(tables, Table::Jobs, job_key(job.scheduled_wall_ms, &job.id), job);
    let mut counts = counts(tables)?;
    count(&mut counts, job, true);
    put_counts(tables, &counts);
    Ok(())
}

/// A job becomes another one of the same id and schedule.
pub(crate) fn change(
    tables: &mut impl Write,
    before: &JobRow,
    after: &JobRow,
) -> Result<(), Damage> {
    let (old, new) = (place_of(before), place_of(after));
    if old != new {
        tables.delete(Table::JobIndexes, &old);
        row::mark(tables, Table::JobIndexes, new);
    }
    row::put(tables, Table::Jobs, job_key(after.scheduled_wall_ms, &after.id), after);
    let mut counts = counts(tables)?;
    count(&mut counts, before, false);
    count(&mut counts, after, true);
    put_counts(tables, &counts);
    Ok(())
}

/// A job goes, with its log.
pub(crate) fn remove(tables: &mut impl Write, job: &JobRow) -> Result<(), Damage> {
    logs::remove(tables, &job.id)?;
    tables.delete(Table::JobIndexes, &id_key(&job.id));
    tables.delete(Table::JobIndexes, &place_of(job));
    tables.delete(Table::Jobs, &job_key(job.scheduled_wall_ms, &job.id));
    let mut counts = counts(tables)?;
    count(&mut counts, job, false);
    put_counts(tables, &counts);
    Ok(())
}

/// Counts a job in or out.
pub(crate) fn count(counts: &mut JobsRow, job: &JobRow, is_in: bool) {
    let add = |sum: &mut u64, number: u64| {
        *sum = if is_in { sum.saturating_add(number) } else { sum.saturating_sub(number) };
    };
    add(&mut counts.waiting, u64::from(job.status.waits()));
    add(&mut counts.over, u64::from(job.status.is_over()));
    add(&mut counts.log_bytes, job.log.bytes);
}

/// The next fencing, higher than all before.
pub(crate) fn next_fencing(tables: &mut impl Write) -> Result<u64, Damage> {
    let mut counts = counts(tables)?;
    counts.last_fencing += 1;
    put_counts(tables, &counts);
    Ok(counts.last_fencing)
}

//! Workers: each replica does jobs, as many as it has room for, while its lease lasts.
//!
//! A worker renews its lease and tells what its jobs wrote down in one command. One that has jobs
//! does so every few seconds, an idle one rarely: nothing waits for its lease.

use super::commands::end;
use super::running::{self, JobHold};
use super::spec::{Amount, check_capacity};
use super::{JobRow, JobStatus, change, held, logs};
use crate::access::standing;
use crate::clocks;
use crate::codec::message;
use crate::key;
use crate::members;
use crate::moment::Moment;
use crate::outcome::Answer;
use crate::refusal::Refusal;
use crate::replica::ReplicaId;
use crate::row;
use crate::ruling::Ruling;
use crate::tables::{Damage, Read, Table, Write};

/// How long a worker that has jobs is believed to live without a word, in milliseconds.
pub const LEASE_MS: u64 = 15_000;
/// The same of one that has none.
pub const IDLE_LEASE_MS: u64 = 100_000;
/// Jobs that a worker has at once, at most.
pub const RUNNING_MAX: usize = 8;
/// Lines that one command tells, at most.
pub const LINES_MAX: usize = 500;
/// Their bytes, at most.
pub const LINE_BYTES_MAX: usize = 64 * 1024;
/// So often a job may lose its worker: one that takes each down with it has to end.
pub const LOSSES_MAX: u32 = 5;

message! {
    /// A worker, under its replica's id.
    pub struct WorkerRow {
        /// Drawn when the replica started: another one knows nothing of the former's jobs.
        1 life: [u8; 16],
        /// What jobs may take of it; by rising name.
        2 capacity: Vec<Amount>,
        /// Until when it is believed to live, in cluster time.
        3 lease_until_ms: u64,
        /// When it last said so, milliseconds since 1970.
        4 beaten_wall_ms: u64,
        /// Whether its lease ended, or it was stopped.
        5 is_dead: bool,
    }
}

message! {
    /// What a job wrote down.
    pub struct JobNote {
        /// Which, as it was claimed.
        1 hold: JobHold,
        /// In order.
        2 lines: Vec<String>,
    }
}

message! {
    /// A worker lives on, and its jobs wrote this.
    pub struct WorkerBeat {
        /// Which.
        1 replica_id: ReplicaId,
        /// As in [`WorkerRow`].
        2 life: [u8; 16],
        /// What of a job is told that it has no more is dropped.
        3 notes: Vec<JobNote>,
    }
}

message! {
    /// A worker stops in order: what it has not finished is for others.
    pub struct WorkerLeave {
        /// Which.
        1 replica_id: ReplicaId,
        /// As in [`WorkerRow`].
        2 life: [u8; 16],
    }
}

message! {
    /// Says what jobs may take of a worker.
    pub struct WorkerCapacitySet {
        /// The account that asks.
        1 actor: String,
        /// Which.
        2 replica_id: ReplicaId,
        /// By rising name.
        3 capacity: Vec<Amount>,
    }
}

impl WorkerBeat {
    pub(crate) fn apply(&self, tables: &mut impl Write, moment: &Moment) -> Ruling {
        members::known(tables, self.replica_id)?;
        self.check()?;
        sweep(tables, moment)?;
        let row = find(tables, self.replica_id)?;
        if row.as_ref().is_some_and(|row| row.life != self.life) {
            lose(tables, moment, self.replica_id, JobStatus::WorkerResurrection)?;
        }
        for JobNote { hold, lines } in &self.notes {
            if let Some(before) = running::held_by(tables, hold)? {
                let mut after = before.clone();
                logs::append(tables, &mut after, lines)?;
                change(tables, &before, &after)?;
            }
        }
        let has_jobs = held(tables)?.iter().any(|job| job.worker == Some(self.replica_id));
        let lease_ms = if has_jobs { LEASE_MS } else { IDLE_LEASE_MS };
        let capacity = row.map_or_else(default_capacity, |row| row.capacity);
        let lease_until_ms = moment.cluster_ms.saturating_add(lease_ms);
        let (life, beaten_wall_ms) = (self.life, moment.wall_ms);
        let row = WorkerRow { life, capacity, lease_until_ms, beaten_wall_ms, is_dead: false };
        put(tables, self.replica_id, &row);
        Ok(Answer::Done)
    }

    fn check(&self) -> Ruling<()> {
        let lines = || self.notes.iter().flat_map(|note| &note.lines);
        let bytes = lines().map(String::len).sum::<usize>();
        if self.notes.len() > RUNNING_MAX || lines().count() > LINES_MAX {
            return Err(Refusal::out_of_bounds("lines of one command", LINES_MAX).into());
        }
        if bytes > LINE_BYTES_MAX {
            let what = "bytes of the lines of one command";
            return Err(Refusal::out_of_bounds(what, LINE_BYTES_MAX).into());
        }
        Ok(())
    }
}

impl WorkerLeave {
    pub(crate) fn apply(&self, tables: &mut impl Write, moment: &Moment) -> Ruling {
        let row = own(tables, self.replica_id, &self.life)?;
        lose(tables, moment, self.replica_id, JobStatus::WorkerShutdown)?;
        let lease_until_ms = moment.cluster_ms;
        put(tables, self.replica_id, &WorkerRow { lease_until_ms, is_dead: true, ..row });
        Ok(Answer::Done)
    }
}

impl WorkerCapacitySet {
    pub(crate) fn apply(&self, tables: &mut impl Write) -> Ruling {
        standing::require_system(tables, &self.actor)?;
        check_capacity(&self.capacity)?;
        let replica_id = self.replica_id;
        let row = find(tables, replica_id)?.ok_or_else(|| unknown(replica_id))?;
        put(tables, replica_id, &WorkerRow { capacity: self.capacity.clone(), ..row });
        Ok(Answer::Done)
    }
}

/// What a new worker has.
fn default_capacity() -> Vec<Amount> {
    let one = |name: &str| Amount { name: name.to_owned(), amount: 1 };
    vec![one("scan"), one("scanCheck")]
}

/// The worker of that replica.
pub fn find(read: &impl Read, replica_id: ReplicaId) -> Result<Option<WorkerRow>, Damage> {
    row::find(read, Table::Workers, &key_of(replica_id))
}

/// All of them, by id: at most one for each member.
pub fn list(read: &impl Read) -> Result<Vec<(ReplicaId, WorkerRow)>, Damage> {
    let rows = read.range(Table::Workers, &[], None, usize::MAX)?.into_iter();
    let rows = rows.map(|(key, value)| {
        let replica_id = ReplicaId::from_u64(key::split_u64(&key)?.0);
        let replica_id =
            replica_id.ok_or_else(|| Damage("a worker's key is no replica's".to_owned()))?;
        Ok((replica_id, row::decode(Table::Workers, &value)?))
    });
    rows.collect()
}

/// The worker that says so of itself, while it is believed.
pub(super) fn own(read: &impl Read, replica_id: ReplicaId, life: &[u8; 16]) -> Ruling<WorkerRow> {
    let row = find(read, replica_id)?.filter(|row| row.life == *life && !row.is_dead);
    Ok(row.ok_or_else(|| unknown(replica_id))?)
}

fn unknown(replica_id: ReplicaId) -> Refusal {
    Refusal::WorkerUnknown { worker: replica_id.to_string() }
}

/// Takes their jobs from workers whose leases ended.
pub(super) fn sweep(tables: &mut impl Write, moment: &Moment) -> Ruling<()> {
    for (replica_id, row) in list(tables)? {
        if !row.is_dead && row.lease_until_ms <= moment.cluster_ms {
            lose(tables, moment, replica_id, JobStatus::WorkerDead)?;
            put(tables, replica_id, &WorkerRow { is_dead: true, ..row });
        }
    }
    Ok(())
}

/// A member that is removed has no worker.
pub(crate) fn forget(tables: &mut impl Write, replica_id: ReplicaId) -> Ruling<()> {
    let now = clocks::now(tables)?;
    let (cluster_ms, wall_ms) = (now.cluster_ms, now.wall_ms);
    let moment = Moment { index: 0, cluster_ms, wall_ms, random: [0; 16] };
    lose(tables, &moment, replica_id, JobStatus::WorkerDead)?;
    tables.delete(Table::Workers, &key_of(replica_id));
    Ok(())
}

/// What a worker has waits again, for whatever reason.
fn lose(
    tables: &mut impl Write,
    moment: &Moment,
    replica_id: ReplicaId,
    status: JobStatus,
) -> Ruling<()> {
    let of_it = held(tables)?.into_iter().filter(|job| job.worker == Some(replica_id));
    for job in of_it.collect::<Vec<_>>() {
        give_back(tables, moment, &job, status)?;
    }
    Ok(())
}

fn give_back(
    tables: &mut impl Write,
    moment: &Moment,
    job: &JobRow,
    status: JobStatus,
) -> Ruling<()> {
    let worker = job.worker.map(|worker| worker.to_string()).unwrap_or_default();
    let said = match status {
        JobStatus::WorkerShutdown => format!("worker {worker} was stopped and gave it back"),
        JobStatus::WorkerResurrection => format!("worker {worker} began a new life"),
        _ => format!("worker {worker} is dead: its lease ended"),
    };
    let is_lost = status != JobStatus::WorkerShutdown;
    let losses = job.losses + u32::from(is_lost);
    let mut after = JobRow { losses, updated_wall_ms: moment.wall_ms, ..job.clone() };
    logs::say(tables, &mut after, &said)?;
    if job.status == JobStatus::CancelRequest {
        return end(tables, moment, job, JobRow { status: JobStatus::Cancel, ..after });
    }
    if losses >= LOSSES_MAX {
        let message = format!("its worker was lost {LOSSES_MAX} times");
        return end(tables, moment, job, JobRow { status: JobStatus::Error, message, ..after });
    }
    after.status = status;
    Ok(change(tables, job, &after)?)
}

pub(super) fn put(tables: &mut impl Write, replica_id: ReplicaId, row: &WorkerRow) {
    row::put(tables, Table::Workers, key_of(replica_id), row);
}

fn key_of(replica_id: ReplicaId) -> Vec<u8> {
    replica_id.as_u64().to_be_bytes().to_vec()
}

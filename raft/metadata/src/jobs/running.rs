//! Jobs that run: claimed by one worker at a time under a number that only grows, and ended by
//! that worker only.

use super::commands::{end, new_id};
use super::spec::{Amount, bound};
use super::workers::{self, LEASE_MS, RUNNING_MAX, WorkerRow};
use super::{
    JobId, JobRow, JobStatus, actions, add, change, crons, due, find, held, logs, next_fencing,
};
use crate::certificates::TokenKeyRotate;
use crate::codec::{choice, message, numbered};
use crate::moment::Moment;
use crate::outcome::Answer;
use crate::refusal::Refusal;
use crate::replica::ReplicaId;
use crate::ruling::Ruling;
use crate::tables::{Damage, Read, Write};

/// Jobs of the queue that one claim looks at, at most.
const LOOKED_MAX: usize = 200;
/// Actions that a worker says it knows, at most.
const ACTIONS_MAX: usize = 100;
/// Lines that end a job, at most.
pub const LAST_LINES_MAX: usize = workers::LINES_MAX;
/// A failed job is tried again so much later, for each time that it failed.
const RETRY_AFTER_MS: u64 = 5_000;

message! {
    /// A job as it was claimed: whoever claims it after has a higher fencing.
    #[derive(Copy)]
    pub struct JobHold {
        /// Which.
        1 id: JobId,
        /// The number of the claim.
        2 fencing: u64,
    }
}

message! {
    /// Gives a worker the first job in the queue that it can do, if there is one.
    pub struct JobClaim {
        /// The worker.
        1 replica_id: ReplicaId,
        /// As in [`WorkerRow`].
        2 life: [u8; 16],
        /// What it can do: an older version knows less.
        3 actions: Vec<String>,
    }
}

numbered! {
    /// How a job came to its end.
    pub enum Ending {
        /// It did what it was to do.
        1 Done,
        /// It could not.
        2 Failed,
        /// It stopped because it was told to.
        3 Stopped,
    }
}

choice! {
    /// What a job changes with its end, in the same entry: so it takes effect once, though its
    /// worker may die at any moment.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum JobEffect {
        /// Tokens are signed with another key.
        1 TokenKeyRotate {
            /// How.
            1 rotate: TokenKeyRotate,
        },
    }
}

message! {
    /// Ends a job.
    pub struct JobEnd {
        /// Which, as it was claimed.
        1 hold: JobHold,
        /// How.
        2 ending: Ending,
        /// Why it failed, or what came of it; cut where it is long.
        3 message: String,
        /// What it wrote down last.
        4 lines: Vec<String>,
        /// What it changes with that, where it is done. Refused, it does not end.
        5 effect: Option<JobEffect>,
    }
}

impl JobClaim {
    pub(crate) fn apply(&self, tables: &mut impl Write, moment: &Moment) -> Ruling {
        bound("actions of a worker", self.actions.len(), ACTIONS_MAX)?;
        workers::sweep(tables, moment)?;
        let worker = workers::own(tables, self.replica_id, &self.life)?;
        let held = held(tables)?;
        let has = held.iter().filter(|job| job.worker == Some(self.replica_id)).count();
        let waiting =
            if has < RUNNING_MAX { due(tables, moment.wall_ms, LOOKED_MAX)? } else { Vec::new() };
        let mut fitting = waiting.into_iter().filter(|job| self.can_do(job, &worker, &held));
        let Some(job) = fitting.next() else { return Ok(Answer::JobClaimed { hold: None }) };
        let hold = self.take(tables, moment, &job)?;
        // An idle worker's lease is long; nobody is to wait for that.
        let lease_until_ms = moment.cluster_ms.saturating_add(LEASE_MS);
        let beaten_wall_ms = moment.wall_ms;
        let worker = WorkerRow { lease_until_ms, beaten_wall_ms, ..worker };
        workers::put(tables, self.replica_id, &worker);
        Ok(Answer::JobClaimed { hold: Some(hold) })
    }

    fn can_do(&self, job: &JobRow, worker: &WorkerRow, held: &[JobRow]) -> bool {
        let action = &job.spec.action;
        self.actions.contains(action)
            && !held.iter().any(|other| actions::exclude_each_other(action, &other.spec.action))
            && job.spec.capacity.iter().all(|wanted| {
                let own = held.iter().filter(|job| job.worker == Some(self.replica_id));
                let taken = own.map(|job| u64::from(amount(&job.spec.capacity, &wanted.name)));
                let there = u64::from(amount(&worker.capacity, &wanted.name));
                taken.sum::<u64>() + u64::from(wanted.amount) <= there
            })
    }

    fn take(&self, tables: &mut impl Write, moment: &Moment, before: &JobRow) -> Ruling<JobHold> {
        let fencing = next_fencing(tables)?;
        let deadline_ms = match before.spec.deadline_s {
            0 => 0,
            seconds => moment.cluster_ms.saturating_add(seconds.saturating_mul(1000)),
        };
        let mut job = JobRow {
            status: JobStatus::Running,
            worker: Some(self.replica_id),
            fencing,
            begun_wall_ms: moment.wall_ms,
            updated_wall_ms: moment.wall_ms,
            deadline_ms,
            ..before.clone()
        };
        let said = format!("claimed by worker {}, fencing {fencing}", self.replica_id);
        logs::say(tables, &mut job, &said)?;
        change(tables, before, &job)?;
        Ok(JobHold { id: job.id, fencing })
    }
}

impl JobEnd {
    pub(crate) fn apply(&self, tables: &mut impl Write, moment: &Moment) -> Ruling {
        bound("lines of one command", self.lines.len(), LAST_LINES_MAX)?;
        let before = check(tables, &self.hold)?;
        if let (Ending::Done, Some(effect)) = (self.ending, &self.effect) {
            match effect {
                JobEffect::TokenKeyRotate { rotate } => drop(rotate.apply(tables, moment)?),
            }
        }
        let mut job = before.clone();
        job.status = match (self.ending, before.status) {
            (Ending::Done, _) => JobStatus::Done,
            (Ending::Stopped, _) | (Ending::Failed, JobStatus::CancelRequest) => JobStatus::Cancel,
            (Ending::Failed, _) => JobStatus::Error,
        };
        logs::cut(&self.message).clone_into(&mut job.message);
        logs::append(tables, &mut job, &self.lines)?;
        let said = match job.status {
            JobStatus::Done => "done".to_owned(),
            JobStatus::Cancel => "stopped".to_owned(),
            _ => format!("failed: {}", job.message),
        };
        logs::say(tables, &mut job, &said)?;
        let is_tried_again = job.status == JobStatus::Error && job.retries_left > 0;
        if is_tried_again {
            try_again(tables, moment, &job)?;
        }
        end(tables, moment, &before, job)?;
        Ok(Answer::Done)
    }
}

/// A job that failed comes again, under an id of its own.
fn try_again(tables: &mut impl Write, moment: &Moment, failed: &JobRow) -> Ruling<()> {
    let times = u64::from(failed.spec.retries - failed.retries_left) + 1;
    let id = new_id(moment);
    let job = JobRow {
        id,
        status: JobStatus::Waiting,
        scheduled_wall_ms: moment.wall_ms.saturating_add(times * RETRY_AFTER_MS),
        updated_wall_ms: moment.wall_ms,
        retry_from: Some(failed.id),
        retries_left: failed.retries_left - 1,
        worker: None,
        fencing: 0,
        begun_wall_ms: 0,
        deadline_ms: 0,
        losses: 0,
        ended_ms: 0,
        message: String::new(),
        log: logs::LogState::default(),
        spec: failed.spec.clone(),
        actor: failed.actor.clone(),
        is_by_cron: failed.is_by_cron,
    };
    add(tables, &job)?;
    crons::follow_retry(tables, failed, id)?;
    Ok(())
}

/// The job, where it is held under this claim still.
pub(super) fn held_by(read: &impl Read, hold: &JobHold) -> Result<Option<JobRow>, Damage> {
    let job = find(read, &hold.id)?;
    Ok(job.filter(|job| job.status.is_held() && job.fencing == hold.fencing))
}

/// Refuses what a worker asks on behalf of a job that is no longer its own.
pub(crate) fn check(read: &impl Read, hold: &JobHold) -> Ruling<JobRow> {
    Ok(held_by(read, hold)?.ok_or(Refusal::JobHoldOver)?)
}

fn amount(of: &[Amount], name: &str) -> u32 {
    of.iter().find(|amount| amount.name == name).map_or(0, |amount| amount.amount)
}

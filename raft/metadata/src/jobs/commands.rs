//! What administrators ask of jobs: one at once, its end, its removal.

use super::spec::JobSpec;
use super::{
    JobId, JobRow, JobStatus, WAITING_MAX, action_configs, add, change, counts, find, history,
    logs, remove,
};
use crate::access::standing;
use crate::codec::message;
use crate::moment::Moment;
use crate::outcome::Answer;
use crate::refusal::Refusal;
use crate::ruling::Ruling;
use crate::tables::{Read, Write};

/// So far ahead a job may be scheduled, in milliseconds: a hundred years.
const AHEAD_MS_MAX: u64 = 100 * 366 * 24 * 3600 * 1000;

message! {
    /// Puts a job into the queue.
    pub struct JobCreate {
        /// The account that asks.
        1 actor: String,
        /// What is to be done.
        2 spec: JobSpec,
        /// Not before then, milliseconds since 1970; 0 for at once.
        3 scheduled_wall_ms: u64,
    }
}

message! {
    /// Ends a job: one that waits at once, one that runs as soon as it stops. One that is over
    /// stays as it is.
    pub struct JobCancel {
        /// The account that asks.
        1 actor: String,
        /// Which.
        2 id: JobId,
    }
}

message! {
    /// Ends a job and takes it away with its log.
    pub struct JobDelete {
        /// The account that asks.
        1 actor: String,
        /// Which.
        2 id: JobId,
    }
}

impl JobCreate {
    pub(crate) fn apply(&self, tables: &mut impl Write, moment: &Moment) -> Ruling {
        standing::require_system(tables, &self.actor)?;
        if self.scheduled_wall_ms > moment.wall_ms.saturating_add(AHEAD_MS_MAX) {
            let what = "scheduledAt is a hundred years ahead at most".to_owned();
            return Err(Refusal::JobUnfit { what }.into());
        }
        let id = enter(
            tables,
            moment,
            New {
                spec: self.spec.clone(),
                actor: self.actor.clone(),
                scheduled_wall_ms: self.scheduled_wall_ms.max(moment.wall_ms),
                is_by_cron: false,
            },
        )?;
        Ok(Answer::JobCreated { id })
    }
}

impl JobCancel {
    pub(crate) fn apply(&self, tables: &mut impl Write, moment: &Moment) -> Ruling {
        standing::require_system(tables, &self.actor)?;
        let job = existing(tables, &self.id)?;
        if job.status.is_over() {
            return Ok(Answer::Done);
        }
        let mut after = JobRow { updated_wall_ms: moment.wall_ms, ..job.clone() };
        logs::say(tables, &mut after, &format!("cancelled by {}", self.actor))?;
        if job.status.is_held() {
            after.status = JobStatus::CancelRequest;
            change(tables, &job, &after)?;
        } else {
            end(tables, moment, &job, JobRow { status: JobStatus::Cancel, ..after })?;
        }
        Ok(Answer::Done)
    }
}

impl JobDelete {
    pub(crate) fn apply(&self, tables: &mut impl Write) -> Ruling {
        standing::require_system(tables, &self.actor)?;
        let job = existing(tables, &self.id)?;
        // A worker that has it finds it gone and stops; nothing of it counts any more.
        remove(tables, &job)?;
        Ok(Answer::Done)
    }
}

/// A job that comes to be.
pub(super) struct New {
    pub(super) spec: JobSpec,
    pub(super) actor: String,
    pub(super) scheduled_wall_ms: u64,
    pub(super) is_by_cron: bool,
}

/// Puts a job into the queue, where it fits and there is room.
pub(super) fn enter(tables: &mut impl Write, moment: &Moment, new: New) -> Ruling<JobId> {
    let defaults = action_configs::find(tables, &new.spec.action)?;
    let defaults = defaults.map(|row| row.parameters).unwrap_or_default();
    let spec = new.spec.with_defaults(&defaults);
    spec.check()?;
    check_room(tables)?;
    let job = JobRow {
        id: new_id(moment),
        status: JobStatus::Waiting,
        scheduled_wall_ms: new.scheduled_wall_ms,
        updated_wall_ms: moment.wall_ms,
        actor: new.actor,
        retry_from: None,
        retries_left: spec.retries,
        is_by_cron: new.is_by_cron,
        worker: None,
        fencing: 0,
        begun_wall_ms: 0,
        deadline_ms: 0,
        losses: 0,
        ended_ms: 0,
        message: String::new(),
        log: logs::LogState::default(),
        spec,
    };
    add(tables, &job)?;
    Ok(job.id)
}

/// Refuses where as many jobs wait as may.
fn check_room(read: &impl Read) -> Ruling<()> {
    if counts(read)?.waiting < WAITING_MAX {
        return Ok(());
    }
    let max = usize::try_from(WAITING_MAX).unwrap_or(usize::MAX);
    Err(Refusal::limit_reached("waiting jobs", max).into())
}

/// Drawn by the proposer, and no other entry's even if it were drawn twice.
pub(super) fn new_id(moment: &Moment) -> JobId {
    let mut id = moment.random;
    for (byte, mixed) in id[8..].iter_mut().zip(moment.index.to_be_bytes()) {
        *byte ^= mixed;
    }
    id
}

/// A job is over.
pub(super) fn end(
    tables: &mut impl Write,
    moment: &Moment,
    before: &JobRow,
    after: JobRow,
) -> Ruling<()> {
    let ended_ms = moment.cluster_ms;
    change(tables, before, &JobRow { ended_ms, updated_wall_ms: moment.wall_ms, ..after })?;
    history::make_room(tables, moment.cluster_ms)?;
    Ok(())
}

pub(super) fn existing(read: &impl Read, id: &JobId) -> Ruling<JobRow> {
    Ok(find(read, id)?.ok_or(Refusal::JobUnknown)?)
}

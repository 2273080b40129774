//! Crons: jobs that come again and again, in UTC.
//!
//! A cron knows the moment at which it is due next. Whoever sees that moment pass, on whatever
//! replica, proposes to fire it and names the moment; the first to come moves it on, so that the
//! others change nothing. What was missed while there was no majority comes once, not as often as
//! it was missed; and while the job of the last time is not over, none is made.

use super::actions::LDAP_SYNC;
use super::commands::{New, enter};
use super::schedule::{self, Schedule};
use super::spec::JobSpec;
use super::{JobId, JobRow, find as find_job};
use crate::access::standing;
use crate::codec::message;
use crate::directory;
use crate::key;
use crate::moment::Moment;
use crate::outcome::Answer;
use crate::refusal::Refusal;
use crate::row;
use crate::ruling::{Ruling, Stop};
use crate::tables::{Damage, Read, Table, Write};

/// What the directory is synced by where nothing is said.
const SYNC_SCHEDULE: &str = "@hourly";

message! {
    /// A cron, under its action: there is one for each.
    pub struct CronRow {
        /// Names it.
        1 id: [u8; 16],
        /// What is to be done.
        2 spec: JobSpec,
        /// When, as [`Schedule::parse`] reads it.
        3 schedule: String,
        /// When it is due next, milliseconds since 1970.
        4 next_wall_ms: u64,
        /// The job that it made last.
        5 last_job: Option<JobId>,
        /// Who set it; empty for the cluster.
        6 actor: String,
        /// How often no job was made since the former was not over, or there was no room.
        7 skipped: u64,
    }
}

message! {
    /// Makes or replaces the cron of an action.
    pub struct CronSet {
        /// The account that asks.
        1 actor: String,
        /// What is to be done.
        2 spec: JobSpec,
        /// When.
        3 schedule: String,
    }
}

message! {
    /// Takes the cron of an action away; jobs that it made stay.
    pub struct CronDelete {
        /// The account that asks.
        1 actor: String,
        /// Which.
        2 action: String,
    }
}

message! {
    /// Makes the job of a cron whose time has come; nothing where another did.
    pub struct CronFire {
        /// Which.
        1 action: String,
        /// The moment that has come, milliseconds since 1970.
        2 due_wall_ms: u64,
    }
}

impl CronSet {
    pub(crate) fn apply(&self, tables: &mut impl Write, moment: &Moment) -> Ruling {
        standing::require_system(tables, &self.actor)?;
        refuse_directory(&self.spec.action)?;
        self.spec.check()?;
        let next_wall_ms = next(&self.schedule, moment)?;
        let before = find(tables, &self.spec.action)?;
        let row = CronRow {
            id: before.as_ref().map_or(moment.random, |row| row.id),
            spec: self.spec.clone(),
            schedule: self.schedule.trim().to_owned(),
            next_wall_ms,
            last_job: before.and_then(|row| row.last_job),
            actor: self.actor.clone(),
            skipped: 0,
        };
        put(tables, &row);
        Ok(Answer::Done)
    }
}

impl CronDelete {
    pub(crate) fn apply(&self, tables: &mut impl Write) -> Ruling {
        standing::require_system(tables, &self.actor)?;
        refuse_directory(&self.action)?;
        if find(tables, &self.action)?.is_none() {
            return Err(Refusal::CronUnknown { action: self.action.clone() }.into());
        }
        tables.delete(Table::Crons, self.action.as_bytes());
        Ok(Answer::Done)
    }
}

impl CronFire {
    pub(crate) fn apply(&self, tables: &mut impl Write, moment: &Moment) -> Ruling {
        let found = find(tables, &self.action)?;
        let is_due = |cron: &CronRow| {
            cron.next_wall_ms == self.due_wall_ms && cron.next_wall_ms <= moment.wall_ms
        };
        let Some(cron) = found.filter(is_due) else { return Ok(Answer::Done) };
        let next_wall_ms = next(&cron.schedule, moment)?;
        let former = match &cron.last_job {
            Some(id) => find_job(tables, id)?,
            None => None,
        };
        if former.is_none_or(|job| job.status.is_over()) {
            let new = New {
                spec: cron.spec.clone(),
                actor: cron.actor.clone(),
                scheduled_wall_ms: self.due_wall_ms,
                is_by_cron: true,
            };
            match enter(tables, moment, new) {
                Ok(id) => {
                    put(tables, &CronRow { next_wall_ms, last_job: Some(id), ..cron });
                    return Ok(Answer::JobCreated { id });
                }
                // It has no room, or was told too much since: the next time it may go.
                Err(Stop::Refused(_)) => {}
                Err(damaged) => return Err(damaged),
            }
        }
        let skipped = cron.skipped + 1;
        put(tables, &CronRow { next_wall_ms, skipped, ..cron });
        Ok(Answer::Done)
    }
}

/// The cron of that action.
pub fn find(read: &impl Read, action: &str) -> Result<Option<CronRow>, Damage> {
    row::find(read, Table::Crons, action.as_bytes())
}

/// All of them, by action: at most one for each action there is.
pub fn list(read: &impl Read) -> Result<Vec<CronRow>, Damage> {
    let rows = read.range(Table::Crons, &[], None, usize::MAX)?;
    rows.iter().map(|(_, value)| row::decode(Table::Crons, value)).collect()
}

/// The directory is synced as its settings say, as long as people sign in by it.
pub(crate) fn follow_directory(tables: &mut impl Write, moment: &Moment) -> Ruling<()> {
    let Some(ldap) = directory::ldap_in_use(tables)? else {
        tables.delete(Table::Crons, LDAP_SYNC.as_bytes());
        return Ok(());
    };
    let said = if ldap.schedule.is_empty() { SYNC_SCHEDULE } else { &ldap.schedule };
    let schedule = schedule::with_seconds(said).map_err(|what| Refusal::JobUnfit { what })?;
    let before = find(tables, LDAP_SYNC)?;
    if before.as_ref().is_some_and(|row| row.schedule == schedule) {
        return Ok(());
    }
    let row = CronRow {
        id: before.as_ref().map_or(moment.random, |row| row.id),
        spec: JobSpec::of(LDAP_SYNC),
        next_wall_ms: next(&schedule, moment)?,
        schedule,
        last_job: before.and_then(|row| row.last_job),
        actor: String::new(),
        skipped: 0,
    };
    put(tables, &row);
    Ok(())
}

/// A job that a cron made is tried again: until that is over the cron makes none.
pub(super) fn follow_retry(
    tables: &mut impl Write,
    failed: &JobRow,
    next: JobId,
) -> Result<(), Damage> {
    if let Some(cron) = find(tables, &failed.spec.action)?
        && cron.last_job == Some(failed.id)
    {
        put(tables, &CronRow { last_job: Some(next), ..cron });
    }
    Ok(())
}

fn next(schedule: &str, moment: &Moment) -> Ruling<u64> {
    let unfit = |what: String| Refusal::JobUnfit { what };
    let schedule = Schedule::parse(schedule).map_err(unfit)?;
    let never = || unfit("the schedule never comes".to_owned());
    Ok(schedule.next_after(moment.wall_ms).ok_or_else(never)?)
}

fn refuse_directory(action: &str) -> Ruling<()> {
    if action != LDAP_SYNC {
        return Ok(());
    }
    let what = "the directory is synced by syncSchedule of its settings: set that one".to_owned();
    Err(Refusal::JobUnfit { what }.into())
}

fn put(tables: &mut impl Write, row: &CronRow) {
    row::put(tables, Table::Crons, key::join(&[row.spec.action.as_bytes()]), row);
}

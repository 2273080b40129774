//! Jobs: each is where its status says, held by one worker that lives, under a claim of its own.

use std::collections::BTreeSet;

use super::indexes::{Keys, compare};
use super::{Violation, rows};
use crate::jobs::logs::LogRow;
use crate::jobs::workers::{self, RUNNING_MAX};
use crate::jobs::{self, JobRow, JobsRow, WAITING_MAX, history};
use crate::key;
use crate::row;
use crate::tables::{Damage, Read, Table};

pub(super) fn check(read: &impl Read, found: &mut Vec<Violation>) -> Result<(), Damage> {
    let (mut indexes, mut fencings) = (Keys::new(), BTreeSet::new());
    let stored = jobs::counts(read)?;
    let mut counts = JobsRow { last_fencing: stored.last_fencing, ..JobsRow::default() };
    let mut all = Vec::new();
    for (_, value) in rows(read, Table::Jobs)? {
        let job: JobRow = row::decode(Table::Jobs, &value)?;
        indexes.insert(jobs::id_key(&job.id));
        indexes.insert(jobs::place_of(&job));
        jobs::count(&mut counts, &job, true);
        if job.fencing > 0 && !fencings.insert(job.fencing) || job.fencing > stored.last_fencing {
            wrong(found, format!("fencing {} was given twice, or never", job.fencing));
        }
        check_holder(read, &job, found)?;
        all.push(job);
    }
    if counts != stored {
        wrong(found, format!("jobs are counted as {stored:?} and are {counts:?}"));
    }
    if counts.waiting > WAITING_MAX + 7 * RUNNING_MAX as u64 || counts.over > history::OVER_MAX {
        wrong(found, format!("there are more jobs than may be: {counts:?}"));
    }
    check_logs(read, &all, found)?;
    compare(read, Table::JobIndexes, &indexes, found)
}

fn wrong(found: &mut Vec<Violation>, what: String) {
    found.push(Violation { rule: "job", what });
}

/// A job that is held has a worker that is not dead; one that is not has an end or none.
fn check_holder(read: &impl Read, job: &JobRow, found: &mut Vec<Violation>) -> Result<(), Damage> {
    let worker = match job.worker {
        Some(replica_id) => workers::find(read, replica_id)?,
        None => None,
    };
    if job.status.is_held() && worker.is_none_or(|worker| worker.is_dead) {
        wrong(found, format!("a job is {} and its worker is dead", job.status.word()));
    }
    let classes = [job.status.waits(), job.status.is_held(), job.status.is_over()];
    if classes.iter().filter(|is_it| **is_it).count() != 1 {
        wrong(found, format!("a job that is {} is in no place", job.status.word()));
    }
    Ok(())
}

fn check_logs(read: &impl Read, all: &[JobRow], found: &mut Vec<Violation>) -> Result<(), Damage> {
    let mut lines = 0_u64;
    for (key, value) in rows(read, Table::JobLogs)? {
        let log: LogRow = row::decode(Table::JobLogs, &value)?;
        lines += log.lines.len() as u64;
        let id: Option<&[u8; 16]> = key.first_chunk();
        let job = id.and_then(|id| all.iter().find(|job| job.id == *id));
        let (first, _) = key::split_u64(key.get(16..).unwrap_or_default())?;
        if job.is_none_or(|job| first + log.lines.len() as u64 > job.log.lines) {
            wrong(found, format!("lines from {first} on are of no job, or of no line of it"));
        }
    }
    let counted: u64 = all.iter().map(|job| job.log.lines).sum();
    if lines != counted {
        wrong(found, format!("{counted} lines are counted and {lines} are there"));
    }
    Ok(())
}

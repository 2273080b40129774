//! How long jobs that are over are kept: so many, or so long, where the operator says so; and
//! bounded whatever they say.

use super::logs::ALL_BYTES_MAX;
use super::{counts, oldest_over, remove};
use crate::codec::message;
use crate::events;
use crate::events::retention;
use crate::moment::Moment;
use crate::outcome::Answer;
use crate::refusal::Refusal;
use crate::row;
use crate::ruling::Ruling;
use crate::settings::SECONDS_MAX;
use crate::tables::{Damage, Read, Table, Write};

/// Jobs that are over and kept, at most.
pub const OVER_MAX: u64 = 10_000;

/// Jobs that one command takes away, at most: each may have some twenty rows of log.
const SWEPT_MAX: usize = 32;

/// Events that one command takes away, at most.
const EVENTS_SWEPT_MAX: usize = 500;

const KEY: &[u8] = b"job_history";

message! {
    /// What holds for keeping jobs.
    #[derive(Default)]
    pub struct HistoryRow {
        /// Whether the rest of it counts.
        1 is_on: bool,
        /// Jobs that are kept once they are over; 0 for [`OVER_MAX`].
        2 kept_max: u64,
        /// How long one is kept, in seconds; 0 for as long as there is room.
        3 age_max_s: u64,
    }
}

message! {
    /// Sets what is given and leaves the rest.
    #[derive(Default)]
    pub struct HistorySet {
        /// As in [`HistoryRow`].
        1 is_on: Option<bool>,
        /// As in [`HistoryRow`]; at most [`OVER_MAX`].
        2 kept_max: Option<u64>,
        /// As in [`HistoryRow`].
        3 age_max_s: Option<u64>,
    }
}

message! {
    /// Takes some jobs away that are no longer kept.
    pub struct JobsCompact {}
}

message! {
    /// Takes some events away that are no longer kept.
    pub struct EventsCompact {}
}

impl HistorySet {
    pub(crate) fn apply(&self, tables: &mut impl Write) -> Ruling<()> {
        check("jobHistoryToKeep", self.kept_max, OVER_MAX)?;
        check("jobHistoryMaxAge", self.age_max_s, SECONDS_MAX)?;
        let before = get(tables)?;
        let after = HistoryRow {
            is_on: self.is_on.unwrap_or(before.is_on),
            kept_max: self.kept_max.unwrap_or(before.kept_max),
            age_max_s: self.age_max_s.unwrap_or(before.age_max_s),
        };
        row::put(tables, Table::Singles, KEY.to_vec(), &after);
        Ok(())
    }
}

impl JobsCompact {
    #[allow(clippy::unused_self)] // Every command is applied alike; there is nothing to ask for.
    pub(crate) fn apply(&self, tables: &mut impl Write, moment: &Moment) -> Ruling {
        let removed = sweep(tables, moment.cluster_ms, SWEPT_MAX)?;
        Ok(Answer::Removed { removed: removed as u64, more: removed == SWEPT_MAX })
    }
}

impl EventsCompact {
    #[allow(clippy::unused_self)] // Every command is applied alike; there is nothing to ask for.
    pub(crate) fn apply(&self, tables: &mut impl Write, moment: &Moment) -> Ruling {
        let before = events::kept(tables)?.count();
        retention::sweep(tables, moment, EVENTS_SWEPT_MAX)?;
        let removed = before.saturating_sub(events::kept(tables)?.count());
        Ok(Answer::Removed { removed, more: removed == EVENTS_SWEPT_MAX as u64 })
    }
}

/// What holds for keeping jobs.
pub fn get(read: &impl Read) -> Result<HistoryRow, Damage> {
    Ok(row::find(read, Table::Singles, KEY)?.unwrap_or_default())
}

/// Makes room for a job that is over now: never more is kept than there may be, so that few go at
/// once.
pub(crate) fn make_room(tables: &mut impl Write, cluster_ms: u64) -> Result<(), Damage> {
    sweep(tables, cluster_ms, 4).map(drop)
}

/// Takes some jobs away that are no longer kept; how many.
fn sweep(tables: &mut impl Write, cluster_ms: u64, limit: usize) -> Result<usize, Damage> {
    let HistoryRow { is_on, kept_max, age_max_s } = get(tables)?;
    let most = if is_on && kept_max > 0 { kept_max } else { OVER_MAX };
    let age_max_ms = if is_on { age_max_s.saturating_mul(1000) } else { 0 };
    let mut removed = 0;
    for job in oldest_over(tables, limit)? {
        let counts = counts(tables)?;
        let is_old = age_max_ms > 0 && job.ended_ms.saturating_add(age_max_ms) <= cluster_ms;
        if !is_old && counts.over <= most && counts.log_bytes <= ALL_BYTES_MAX {
            break;
        }
        remove(tables, &job)?;
        removed += 1;
    }
    Ok(removed)
}

fn check(setting: &str, value: Option<u64>, max: u64) -> Ruling<()> {
    match value {
        Some(value) if value > max => {
            Err(Refusal::SettingOutOfBounds { setting: setting.to_owned(), min: 0, max }.into())
        }
        _ => Ok(()),
    }
}

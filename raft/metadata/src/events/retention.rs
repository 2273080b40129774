//! How long events are kept, where the operator says so: so many, or so long, whichever is less.
//!
//! What is over goes some with each entry, so that no entry takes long.

use super::{EVENTS_MAX, keep, kept, writing};
use crate::codec::message;
use crate::moment::Moment;
use crate::refusal::Refusal;
use crate::row;
use crate::ruling::Ruling;
use crate::settings::SECONDS_MAX;
use crate::tables::{Damage, Read, Table, Write};

const KEY: &[u8] = b"event_retention";

message! {
    /// What holds for keeping events.
    #[derive(Default)]
    pub struct RetentionRow {
        /// Whether the rest of it counts.
        1 is_on: bool,
        /// Events of the whole cluster that are kept; 0 for [`EVENTS_MAX`].
        2 kept_max: u64,
        /// How long one is kept, in seconds; 0 for as long as there is room.
        3 age_max_s: u64,
    }
}

message! {
    /// Sets what is given and leaves the rest.
    #[derive(Default)]
    pub struct RetentionSet {
        /// As in [`RetentionRow`].
        1 is_on: Option<bool>,
        /// As in [`RetentionRow`]; at most [`EVENTS_MAX`].
        2 kept_max: Option<u64>,
        /// As in [`RetentionRow`].
        3 age_max_s: Option<u64>,
    }
}

impl RetentionSet {
    pub(crate) fn apply(&self, tables: &mut impl Write) -> Ruling<()> {
        check("events_kept_max", self.kept_max, EVENTS_MAX)?;
        check("event_age_max_s", self.age_max_s, SECONDS_MAX)?;
        let before = get(tables)?;
        let after = RetentionRow {
            is_on: self.is_on.unwrap_or(before.is_on),
            kept_max: self.kept_max.unwrap_or(before.kept_max),
            age_max_s: self.age_max_s.unwrap_or(before.age_max_s),
        };
        row::put(tables, Table::Singles, KEY.to_vec(), &after);
        Ok(())
    }
}

fn check(setting: &str, value: Option<u64>, max: u64) -> Ruling<()> {
    match value {
        Some(value) if value > max => {
            Err(Refusal::SettingOutOfBounds { setting: setting.to_owned(), min: 0, max }.into())
        }
        _ => Ok(()),
    }
}

/// What holds for keeping events.
pub fn get(read: &impl Read) -> Result<RetentionRow, Damage> {
    Ok(row::find(read, Table::Singles, KEY)?.unwrap_or_default())
}

/// Takes some events away that are over.
pub(crate) fn sweep(tables: &mut impl Write, moment: &Moment, limit: usize) -> Result<(), Damage> {
    let retention = get(tables)?;
    if !retention.is_on {
        return Ok(());
    }
    let most = if retention.kept_max == 0 { EVENTS_MAX } else { retention.kept_max };
    let age_max_ms = retention.age_max_s * 1000;
    let since_ms = if age_max_ms == 0 { 0 } else { moment.cluster_ms.saturating_sub(age_max_ms) };
    let mut kept = kept(tables)?;
    let before = kept.first;
    for _ in 0..limit {
        let is_over = kept.count() > most || writing::oldest_is_before(tables, &kept, since_ms)?;
        if !is_over {
            break;
        }
        writing::remove_oldest(tables, &mut kept)?;
    }
    if kept.first != before {
        keep(tables, &kept);
    }
    Ok(())
}

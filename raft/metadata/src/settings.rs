//! Settings of the whole cluster; what differs by replica stands in its own file instead.

use crate::codec::message;
use crate::events::retention::RetentionSet;
use crate::jobs::history::HistorySet;
use crate::outcome::Answer;
use crate::refusal::Refusal;
use crate::row;
use crate::ruling::Ruling;
use crate::tables::{Damage, Read, Table, Write};

const KEY: &[u8] = b"settings";

/// A lease lives at least an hour: a push that was told "this layer is here" must be able to end.
pub const LEASE_MIN_S: u64 = 3600;

/// Twenty years: longer than any window wanted, short enough to add to a clock.
pub const SECONDS_MAX: u64 = 20 * 365 * 24 * 3600;

message! {
    /// The settings in force.
    pub struct SettingsRow {
        /// A push to a repository that does not exist creates it.
        1 create_repository_on_push: bool,
        /// Pulls go on, pushes and deletions are refused.
        2 read_only: bool,
        /// How long a blob nothing needs stays before it is collected, in seconds.
        3 grace_s: u64,
        /// How long a lease lives, in seconds.
        4 lease_s: u64,
        /// Copies of each blob, where more are wanted than the number of voters gives; 0 for that.
        5 copies_min: u32,
        /// How long a tag that went may come back, in seconds; 0 for never, `None` where nobody set
        /// it. See [`SettingsRow::undelete_s`].
        6 undelete: Option<u64>,
    }
}

/// A day.
const UNDELETE_DEFAULT_S: u64 = 24 * 3600;

impl SettingsRow {
    /// How long a tag that was deleted or evicted may come back, in seconds.
    pub fn undelete_s(&self) -> u64 {
        self.undelete.unwrap_or(UNDELETE_DEFAULT_S)
    }

    pub(crate) fn undelete_ms(&self) -> u64 {
        self.undelete_s().saturating_mul(1000)
    }
}

impl Default for SettingsRow {
    fn default() -> Self {
        Self {
            create_repository_on_push: false,
            read_only: false,
            grace_s: 24 * 3600,
            lease_s: 24 * 3600,
            copies_min: 0,
            undelete: None,
        }
    }
}

message! {
    /// Sets what is given and leaves the rest.
    #[derive(Default)]
    pub struct SettingsSet {
        /// As in [`SettingsRow`].
        1 create_repository_on_push: Option<bool>,
        /// As in [`SettingsRow`].
        2 read_only: Option<bool>,
        /// As in [`SettingsRow`].
        3 grace_s: Option<u64>,
        /// As in [`SettingsRow`]; at least [`LEASE_MIN_S`].
        4 lease_s: Option<u64>,
        /// As in [`SettingsRow`].
        5 copies_min: Option<u32>,
        /// As [`SettingsRow::undelete_s`]; for tags that go from now on.
        6 undelete_s: Option<u64>,
        /// What holds for keeping events; it has a row of its own.
        7 events: Option<RetentionSet>,
        /// What holds for keeping jobs; likewise.
        8 jobs: Option<HistorySet>,
    }
}

impl SettingsSet {
    pub(crate) fn apply(&self, tables: &mut impl Write) -> Ruling {
        let mut row = get(tables)?;
        check("collectionGraceSeconds", self.grace_s, 0)?;
        check("lease_s", self.lease_s, LEASE_MIN_S)?;
        check("undeleteWindowSeconds", self.undelete_s, 0)?;
        row.create_repository_on_push =
            self.create_repository_on_push.unwrap_or(row.create_repository_on_push);
        row.read_only = self.read_only.unwrap_or(row.read_only);
        row.grace_s = self.grace_s.unwrap_or(row.grace_s);
        row.lease_s = self.lease_s.unwrap_or(row.lease_s);
        row.copies_min = self.copies_min.unwrap_or(row.copies_min);
        row.undelete = self.undelete_s.or(row.undelete);
        put(tables, &row);
        if let Some(events) = &self.events {
            events.apply(tables)?;
        }
        if let Some(jobs) = &self.jobs {
            jobs.apply(tables)?;
        }
        Ok(Answer::Done)
    }
}

fn check(setting: &str, seconds: Option<u64>, min: u64) -> Ruling<()> {
    match seconds {
        Some(seconds) if seconds < min || seconds > SECONDS_MAX => {
            let setting = setting.to_owned();
            Err(Refusal::SettingOutOfBounds { setting, min, max: SECONDS_MAX }.into())
        }
        _ => Ok(()),
    }
}

/// The settings in force.
pub fn get(read: &impl Read) -> Result<SettingsRow, Damage> {
    Ok(row::find(read, Table::Singles, KEY)?.unwrap_or_default())
}

pub(crate) fn put(tables: &mut impl Write, settings: &SettingsRow) {
    row::put(tables, Table::Singles, KEY.to_vec(), settings);
}

/// Refuses while the cluster is read-only.
pub(crate) fn check_writable(read: &impl Read) -> Ruling<()> {
    if get(read)?.read_only { Err(Refusal::ReadOnly.into()) } else { Ok(()) }
}

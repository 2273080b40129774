//! What is remembered of the last backup, for the alert and the audit log.

use crate::access::standing;
use crate::codec::message;
use crate::moment::Moment;
use crate::outcome::Answer;
use crate::row;
use crate::ruling::Ruling;
use crate::tables::{Damage, Read, Table, Write};

const KEY: &[u8] = b"last_backup";

message! {
    /// An archive was written.
    pub struct BackupNote {
        /// The account that asked.
        1 actor: String,
        /// Which, as [`super::Archive::word`] says.
        2 archive: String,
        /// The point of the log that it shows.
        3 log_index: u64,
        /// Its length.
        4 size_bytes: u64,
    }
}

message! {
    /// The last backup.
    pub struct LastBackup {
        /// Milliseconds since 1970.
        1 taken_wall_ms: u64,
        /// The point of the log that it shows.
        2 log_index: u64,
        /// Its length.
        3 size_bytes: u64,
    }
}

impl BackupNote {
    pub(crate) fn apply(&self, tables: &mut impl Write, moment: &Moment) -> Ruling {
        standing::require_system(tables, &self.actor)?;
        if self.archive == super::Archive::Backup.word() {
            let (log_index, size_bytes) = (self.log_index, self.size_bytes);
            let taken = LastBackup { taken_wall_ms: moment.wall_ms, log_index, size_bytes };
            row::put(tables, Table::Singles, KEY.to_vec(), &taken);
        }
        Ok(Answer::Done)
    }
}

/// The last backup; `None` where none was ever taken of this cluster.
pub fn last(read: &impl Read) -> Result<Option<LastBackup>, Damage> {
    row::find(read, Table::Singles, KEY)
}

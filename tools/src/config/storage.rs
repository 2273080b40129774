//! `[storage]`: where content lives and how much of the disk it may take.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::limits::within;

/// `[storage]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Storage {
    /// Holds blobs and unfinished uploads; without it `content` in the data folder. One filesystem,
    /// since an upload is adopted by a rename.
    pub folder: Option<PathBuf>,
    /// Below a tenth of the disk, or this many free bytes where that is less, no new content is
    /// taken here.
    pub free_min_bytes: u64,
    /// An upload that saw no byte for this many seconds is forgotten.
    pub upload_idle_max_s: u64,
    /// Collection run by this replica takes nothing that was needed less than so many seconds ago,
    /// and a shorter grace time can't be set here; 0 lets the cluster's setting alone decide.
    pub collection_grace_min_s: u64,
    /// Every file of content is hashed once in so many seconds, so that rot is found; 0 for never.
    pub scrub_every_s: u64,
    /// Accepts a filesystem that loses its files with the machine's power (tmpfs) or that another
    /// machine serves (NFS): for tests.
    pub allow_volatile: bool,
}

impl Default for Storage {
    fn default() -> Self {
        Self {
            folder: None,
            free_min_bytes: 10 << 30,
            upload_idle_max_s: 24 * 3_600,
            collection_grace_min_s: 3_600,
            scrub_every_s: 14 * 24 * 3_600,
            allow_volatile: false,
        }
    }
}

impl Storage {
    /// Checks the section.
    pub fn check(&self) -> Result<(), String> {
        let year_s = 365 * 24 * 3_600;
        within("storage.collection_grace_min_s", self.collection_grace_min_s, 0, year_s)?;
        within("storage.scrub_every_s", self.scrub_every_s, 0, year_s)?;
        within("storage.upload_idle_max_s", self.upload_idle_max_s, 60, 30 * 24 * 3_600)
    }
}

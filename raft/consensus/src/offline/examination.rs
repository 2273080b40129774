//! A stopped replica's folder, looked through from end to end and left as it is.
//!
//! What is found is told in [`Finding`]s, each with what to do. The tables are read from a copy,
//! since opening them writes.

use std::path::{Path, PathBuf};

use metadata::replica::ReplicaId;

use super::looking;
use crate::folder::{FORMAT, Folder, FolderError};
use crate::identity::Identity;
use crate::log::durable::Looked;
use crate::repair::Position;

/// How grave something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// As it should be.
    Good,
    /// The next start deals with it, or it is to be looked at soon.
    Notice,
    /// The replica does not start with it, or must not.
    Bad,
}

/// Something that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What: `log`, `tables`, `snapshot` and so on.
    pub part: &'static str,
    /// How it is.
    pub grade: Grade,
    /// What was found.
    pub what: String,
    /// What to do; empty where there is nothing to do.
    pub advice: String,
}

impl Finding {
    pub(super) fn good(part: &'static str, what: impl Into<String>) -> Self {
        Self { part, grade: Grade::Good, what: what.into(), advice: String::new() }
    }

    pub(super) fn notice(part: &'static str, what: impl Into<String>, advice: &str) -> Self {
        Self { part, grade: Grade::Notice, what: what.into(), advice: advice.to_owned() }
    }

    pub(super) fn bad(part: &'static str, what: impl Into<String>, advice: &str) -> Self {
        Self { part, grade: Grade::Bad, what: what.into(), advice: advice.to_owned() }
    }
}

/// A snapshot file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotFacts {
    /// Its name.
    pub name: String,
    /// The entry whose state it holds; `None` where its head does not read.
    pub index: Option<u64>,
    /// In bytes.
    pub size_bytes: u64,
    /// Whether every sum in it is right.
    pub is_sound: bool,
}

/// All that was found.
#[derive(Clone, Debug, Default)]
pub struct Examination {
    /// The folder.
    pub folder: PathBuf,
    /// The number of its format.
    pub format: Option<u32>,
    /// Its cluster.
    pub cluster_id: Option<String>,
    /// Its replica.
    pub replica_id: Option<ReplicaId>,
    /// Where the cluster reaches it.
    pub address: Option<String>,
    /// Its log, where that reads.
    pub log: Option<Looked>,
    /// Its snapshot files, the oldest first.
    pub snapshots: Vec<SnapshotFacts>,
    /// The last entry that its tables hold, where they were read.
    pub applied: Option<u64>,
    /// The version of the state in the tables.
    pub cluster_version: Option<u32>,
    /// When its certificate runs out, in Unix milliseconds.
    pub certificate_until_ms: Option<u64>,
    /// What was looked at, in order.
    pub findings: Vec<Finding>,
}

impl Examination {
    /// The gravest of all findings.
    pub fn grade(&self) -> Grade {
        self.findings.iter().map(|finding| finding.grade).max().unwrap_or(Grade::Good)
    }

    /// Where the replica stands, to be compared with others.
    pub fn position(&self) -> Position {
        let log = self.log.clone().unwrap_or_default();
        let last = log.last.unwrap_or_default();
        let newest = self.snapshots.iter().filter(|one| one.is_sound).filter_map(|one| one.index);
        Position {
            term: log.vote.map_or(0, |vote| vote.term),
            last_log: last.index,
            last_term: last.term,
            applied: self.applied.or(newest.max()).unwrap_or(0),
        }
    }
}

/// Looks through the folder `path`; `wall_ms` is the time, in Unix milliseconds. The tables are
/// copied into the empty folder `scratch` to be read, or not read where there is none. Blocks, for
/// as long as reading all of it takes.
///
/// # Errors
///
/// It is no data folder, or a replica runs on it.
pub fn examine(
    path: &Path,
    scratch: Option<&Path>,
    wall_ms: u64,
) -> Result<Examination, FolderError> {
    let folder = Folder::look_stopped(path)?;
    let mut found = Examination { folder: path.to_owned(), ..Examination::default() };
    format(&folder, &mut found)?;
    identity(&folder, &mut found);
    looking::notes(&folder, &mut found);
    let life = looking::life(&folder, &mut found);
    looking::log(&folder, &mut found);
    looking::snapshots(&folder, &mut found);
    let sealing = looking::keys(&folder, &mut found, wall_ms);
    looking::tables(&folder, scratch, (life, sealing), &mut found);
    looking::reach(&mut found);
    Ok(found)
}

fn format(folder: &Folder, found: &mut Examination) -> Result<(), FolderError> {
    let text = folder.read("VERSION")?.unwrap_or_default();
    found.format = String::from_utf8_lossy(&text).trim().parse().ok();
    found.findings.push(match found.format {
        Some(FORMAT) => Finding::good("format", format!("{FORMAT}")),
        Some(newer) if newer > FORMAT => Finding::bad(
            "format",
            format!("{newer}, and this version knows formats up to {FORMAT}"),
            "look at it with the version of holdfast that wrote it; there is no way back",
        ),
        _ => Finding::bad("format", "the file VERSION does not hold a number", looking::REJOIN),
    });
    Ok(())
}

fn identity(folder: &Folder, found: &mut Examination) {
    let finding = match Identity::find(folder) {
        Ok(Some(identity)) => {
            found.cluster_id = Some(identity.cluster_id.clone());
            found.replica_id = Some(identity.replica_id);
            found.address = Some(identity.address.clone());
            let (id, number) = (identity.replica_id, identity.number);
            Finding::good(
                "identity",
                format!("replica {id}, number {number}, of cluster {}", identity.cluster_id),
            )
        }
        Ok(None) => Finding::bad(
            "identity",
            "there is none: an installation or a join has not come to its end",
            "run that `holdfast install` or `holdfast join` again",
        ),
        Err(error) => Finding::bad("identity", error.to_string(), looking::REJOIN),
    };
    found.findings.push(finding);
}

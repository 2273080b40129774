//! The parts of a folder, each read as a start would read it, and nothing changed.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use kv::life::{FormerEnd, former_end, machine_boot_id};
use kv::store::Store;
use metadata::adoption;
use metadata::bootstrap::{self, CLUSTER_VERSION};
use metadata::certificates;
use wire::certificate;

use super::examination::{Examination, Finding, SnapshotFacts};
use crate::folder::Folder;
use crate::identity::renewal::opened_ca;
use crate::join::ADOPT;
use crate::log::durable;
use crate::repair::REPAIRING;
use crate::seal::SealingKey;
use crate::{snapshot_file, snapshots, tables};

/// What a replica does that can't vote under its id any more.
pub(super) const REJOIN: &str = "remove this replica (`holdfast remove`, asked of another one) and \
     join anew with `holdfast join --rejoin`: it gets a new id and keeps its content; where the \
     others are lost too, repair another replica";

/// Rows that are read at once.
const PAGE_ROWS: usize = 1000;
/// A certificate with less left is told of, in milliseconds.
const LEFT_MIN_MS: u64 = 14 * 24 * 3600 * 1000;

/// Notes that something was cut short.
pub(super) fn notes(folder: &Folder, found: &mut Examination) {
    if folder.join(REPAIRING).exists() {
        found.findings.push(Finding::bad(
            "repair",
            "an emergency repair was cut short",
            "run `holdfast emergency-repair` again; nothing starts here before",
        ));
    }
    if folder.join("joining.toml").exists() {
        found.findings.push(Finding::notice(
            "join",
            "a join was begun",
            "run `holdfast join` again with the same token",
        ));
    }
    if folder.join(ADOPT).exists() {
        found.findings.push(Finding::notice(
            "content",
            "what a former life of this folder has left is still to be offered to the cluster",
            "",
        ));
    }
}

/// How the last life ended; whether its tables are believed.
pub(super) fn life(folder: &Folder, found: &mut Examination) -> bool {
    let boot_id = machine_boot_id().unwrap_or_default();
    let ended = former_end(&folder.boot(), &boot_id);
    let finding = match &ended {
        Ok(FormerEnd::First) => Finding::good("last stop", "it has never run"),
        Ok(FormerEnd::Goodbye) => Finding::good("last stop", "in order"),
        Ok(FormerEnd::Killed) => Finding::good("last stop", "killed; what it wrote is there"),
        Ok(FormerEnd::PowerCut) => Finding::notice(
            "last stop",
            "the machine went down with it",
            "the next start makes the tables anew from snapshot and log, by itself",
        ),
        Err(error) => Finding::notice("last stop", error.to_string(), ""),
    };
    found.findings.push(finding);
    ended.is_ok_and(FormerEnd::keeps_unsynced)
}

pub(super) fn log(folder: &Folder, found: &mut Examination) {
    let path = folder.log();
    if !path.exists() {
        found.findings.push(Finding::notice("log", "there is none yet", ""));
        return;
    }
    let looked = match durable::look(&path) {
        Ok(looked) => looked,
        Err(error) => {
            found.findings.push(Finding::bad("log", error.to_string(), REJOIN));
            return;
        }
    };
    let first = looked.purged.map_or(0, |purged| purged.index + 1);
    let range = match looked.last {
        Some(last) if last.index >= first => format!("entries {first} to {}", last.index),
        Some(last) => format!("no entries after {}", last.index),
        None => "empty".to_owned(),
    };
    found.findings.push(match &looked.torn {
        None => Finding::good("log", format!("{range}; every sum is right")),
        Some(torn) => Finding::notice(
            "log",
            format!("{range}; behind them {torn}"),
            "nobody was told of what is torn; the next start cuts it",
        ),
    });
    found.findings.push(match looked.vote {
        Some(vote) => Finding::good("vote", format!("term {}", vote.term)),
        None => Finding::good("vote", "none was given yet"),
    });
    found.log = Some(looked);
}

pub(super) fn snapshots(folder: &Folder, found: &mut Examination) {
    let mut paths: Vec<_> = fs::read_dir(folder.snapshots())
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|ending| ending == snapshots::ENDING))
        .collect();
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let size_bytes = fs::metadata(&path).map_or(0, |it| it.len());
        let head = File::open(&path).ok().and_then(|mut file| snapshot_file::head(&mut file).ok());
        let index = head.map(|head| head.last_log_id.map_or(0, |id| id.index));
        let checked = File::open(&path)
            .map_err(snapshots::SnapshotError::from)
            .and_then(|mut file| snapshot_file::check(&mut file));
        let is_sound = checked.is_ok() && index.is_some();
        found.findings.push(match checked {
            Ok(()) => Finding::good("snapshot", format!("{name}: every sum is right")),
            Err(error) => Finding::notice(
                "snapshot",
                format!("{name}: {error}"),
                "the one before it and the log make the same state; check the disk",
            ),
        });
        found.snapshots.push(SnapshotFacts { name, index, size_bytes, is_sound });
    }
}

/// Keys and certificates; the sealing key, where it reads.
pub(super) fn keys(folder: &Folder, found: &mut Examination, wall_ms: u64) -> Option<SealingKey> {
    let keys = match folder.keys() {
        Ok(keys) => keys,
        Err(error) => {
            found.findings.push(Finding::bad("keys", error.to_string(), REJOIN));
            return None;
        }
    };
    let own = certificate::peer_key_of(&keys.key_pem);
    let parsed = certificate::parse(&keys.certificate_pem);
    found.certificate_until_ms = parsed.as_ref().ok().map(|facts| facts.not_after_ms);
    found.findings.push(match (&parsed, &own) {
        (Ok(facts), Ok(own)) if facts.key != *own => {
            Finding::bad("certificate", "it is for another key than the one in this folder", REJOIN)
        }
        (Ok(facts), Ok(_)) if facts.not_after_ms <= wall_ms => Finding::notice(
            "certificate",
            "it has run out",
            "its key is still known: it connects and is renewed at the next start",
        ),
        (Ok(facts), Ok(_)) if facts.not_after_ms - wall_ms < LEFT_MIN_MS => Finding::notice(
            "certificate",
            "it runs out within two weeks",
            "it is renewed while the replica runs",
        ),
        (Ok(_), Ok(_)) => Finding::good("certificate", "it fits its key and is in its dates"),
        (Err(error), _) | (_, Err(error)) => Finding::bad("certificate", error.to_string(), REJOIN),
    });
    Some(keys.sealing_key)
}

/// Reads the tables from a copy, row by row.
pub(super) fn tables(
    folder: &Folder,
    scratch: Option<&Path>,
    (is_believed, sealing): (bool, Option<SealingKey>),
    found: &mut Examination,
) {
    let path = folder.tables();
    let Some(scratch) = scratch.filter(|_| path.exists()) else {
        found.findings.push(Finding::notice("tables", "they were not read", ""));
        return;
    };
    let copy = scratch.join("tables");
    let read = copy_folder(&path, &copy)
        .map_err(|error| format!("the copy to read them from: {error}"))
        .and_then(|()| read_tables(&copy, sealing.as_ref(), found));
    match read {
        Ok(rows) if is_believed => {
            found.findings.push(Finding::good("tables", format!("{rows} rows, all of them right")));
        }
        Ok(rows) => found.findings.push(Finding::notice(
            "tables",
            format!("{rows} rows, which the next start does not believe"),
            "it makes them anew from snapshot and log, by itself",
        )),
        Err(error) => found.findings.push(Finding::notice(
            "tables",
            error,
            "the next start makes them anew from snapshot and log, by itself; check the disk",
        )),
    }
}

fn read_tables(
    copy: &Path,
    sealing: Option<&SealingKey>,
    found: &mut Examination,
) -> Result<u64, String> {
    let store = Store::open(copy).map_err(|error| error.to_string())?;
    let mut rows = 0;
    for table in 0..=u8::MAX {
        let mut from = Vec::new();
        loop {
            let page = store.range(table, &from, None, PAGE_ROWS);
            let page = page.map_err(|error| error.to_string())?;
            rows += page.len() as u64;
            let Some((key, _)) = page.last().filter(|_| page.len() == PAGE_ROWS) else { break };
            from.clone_from(key);
            from.push(0);
        }
    }
    let (applied, _) = tables::position(&store).map_err(|error| error.to_string())?;
    found.applied = Some(applied.map_or(0, |id| id.index));
    let read = tables::read(&store, |view| {
        Ok((bootstrap::cluster(view)?, certificates::ca(view)?, adoption::open(view)?))
    });
    let (cluster, ca, adopting) = read.map_err(|damage| damage.to_string())?;
    if let Some(cluster) = cluster {
        found.cluster_version = Some(cluster.version);
        if cluster.version > CLUSTER_VERSION {
            found.findings.push(Finding::bad(
                "state",
                format!(
                    "it has version {}, and this binary knows versions up to {CLUSTER_VERSION}",
                    cluster.version
                ),
                "start the version of holdfast that the other replicas run",
            ));
        }
    }
    if let (Some(sealing), Some(ca)) = (sealing, ca) {
        found.findings.push(match opened_ca(sealing, &ca) {
            Ok(_) => Finding::good("sealing key", "it opens what the cluster has sealed"),
            Err(error) => Finding::bad("sealing key", error, REJOIN),
        });
    }
    if adopting.is_some() {
        found.findings.push(Finding::notice(
            "content",
            "content is being found again after a restore or a repair; nothing is collected",
            "`holdfast content adopt --finish`, once the others have joined anew",
        ));
    }
    Ok(rows)
}

/// Whether tables or a snapshot reach to where the log begins.
pub(super) fn reach(found: &mut Examination) {
    let purged = found.log.as_ref().and_then(|log| log.purged);
    let Some(purged) = purged else { return };
    let sound = found.snapshots.iter().filter(|one| one.is_sound);
    let newest = sound.filter_map(|one| one.index).max().unwrap_or(0);
    if found.applied.unwrap_or(0).max(newest) < purged.index {
        found.findings.push(Finding::bad(
            "state",
            format!(
                "the log begins after entry {}, and neither tables nor snapshots hold as much",
                purged.index
            ),
            REJOIN,
        ));
    }
}

fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &to)?;
        } else {
            fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}

//! `holdfast doctor`: a stopped replica's folder, looked through and left as it is.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::FalseyValueParser;
use comfy_table::Table;
use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use consensus::folder::FolderError;
use consensus::offline::examination::{Examination, Finding, Grade, examine};
use serde_json::{Value, json};
use wire::clock::{Clock, SystemClock};

use crate::config::Config;
use crate::exit::{Exit, Stop};
use crate::preflight::disk::space;

/// What `--help` says.
pub const HELP: &str = "\
Looks through the data folder of a replica that is stopped, and changes nothing: format, identity, \
log and vote, snapshots, tables, certificates, sealing key, disk. It says what is wrong and what \
to do. Run it as the user that owns the folder.

  holdfast doctor --config /etc/holdfast/holdfast.toml
  holdfast doctor --data /var/lib/holdfast --json

The tables are read from a copy, in --scratch or in the folder for temporary files; --skip-tables \
leaves them out. Exit status: 0 the replica starts with this folder, 1 it does not or must not, \
2 wrong usage, 3 a replica runs on it.";

/// Flags of `doctor`.
#[derive(Args, Clone)]
pub struct DoctorArgs {
    /// The configuration file of the replica
    #[arg(long, value_name = "FILE", env = "HOLDFAST_CONFIG")]
    config: Option<PathBuf>,

    /// Its data folder, in place of a configuration
    #[arg(long, value_name = "DIR", env = "HOLDFAST_DATA", conflicts_with = "config")]
    data: Option<PathBuf>,

    /// Where the tables are copied to, to be read
    #[arg(long, value_name = "DIR", env = "HOLDFAST_SCRATCH")]
    scratch: Option<PathBuf>,

    /// Does not read the tables
    #[arg(long, env = "HOLDFAST_SKIP_TABLES", value_parser = FalseyValueParser::new())]
    skip_tables: bool,

    /// Prints what was found as JSON
    #[arg(long, env = "HOLDFAST_JSON", value_parser = FalseyValueParser::new())]
    json: bool,
}

/// Looks through the folder and prints what was found.
pub fn run(args: &DoctorArgs) -> Result<Exit, Stop> {
    let (folder, content) = folders(args)?;
    let mut scratch = Scratch::none();
    if !args.skip_tables {
        scratch = Scratch::beside(args.scratch.as_deref(), &folder.join("tables"))?;
    }
    let mut found = look(&folder, scratch.path())?;
    found.findings.extend(scratch.finding.take());
    found.findings.push(disk(&content));
    if args.json {
        println!("{}", serde_json::to_string_pretty(&document(&found)).unwrap_or_default());
    } else {
        println!("{}", table(&found.findings));
        println!("{}", summary(&found));
    }
    Ok(if found.grade() == Grade::Bad { Exit::Failed } else { Exit::Done })
}

/// Looks through a folder, with the tables where a scratch folder is given.
pub(crate) fn look(folder: &Path, scratch: Option<&Path>) -> Result<Examination, Stop> {
    examine(folder, scratch, SystemClock::new().wall_ms()).map_err(|error| match error {
        FolderError::InUse { .. } => Stop::refused(format!(
            "{error}: stop it first, or ask it how it is by `holdfast status`"
        )),
        FolderError::NotInstalled { .. } => Stop::usage(error.to_string()),
        error => Stop::failed(error.to_string()),
    })
}

/// The data folder, and where its content lies.
fn folders(args: &DoctorArgs) -> Result<(PathBuf, PathBuf), Stop> {
    if let Some(data) = &args.data {
        return Ok((data.clone(), data.clone()));
    }
    let Some(file) = &args.config else {
        return Err(Stop::usage("--config or --data is missing: name the replica's folder"));
    };
    let config = Config::load(file).map_err(|error| Stop::usage(error.to_string()))?;
    let content = config.content_folder();
    Ok((config.data, content))
}

/// A folder for a copy of the tables, which goes at the end.
struct Scratch {
    path: Option<PathBuf>,
    /// Why there is none.
    finding: Option<Finding>,
}

impl Scratch {
    fn none() -> Self {
        Self { path: None, finding: None }
    }

    /// Makes one with room for a copy of `tables`.
    fn beside(wished: Option<&Path>, tables: &Path) -> Result<Self, Stop> {
        let above = wished.map_or_else(std::env::temp_dir, Path::to_path_buf);
        let needed = size_of(tables);
        let free = space(&above).map_or(0, |(free, _)| free);
        if free < needed + needed / 4 {
            let finding = Finding {
                part: "tables",
                grade: Grade::Notice,
                what: format!("{} has no room for a copy of them", above.display()),
                advice: "name a folder with room by --scratch".to_owned(),
            };
            return Ok(Self { path: None, finding: Some(finding) });
        }
        let path = above.join(format!("holdfast-doctor-{}", std::process::id()));
        private_folder(&path)
            .map_err(|error| Stop::file("make the scratch folder", &path, &error))?;
        Ok(Self { path: Some(path), finding: None })
    }

    fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            // What is left behind is a copy that nobody else may read.
            let _ = fs::remove_dir_all(path);
        }
    }
}

fn private_folder(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().mode(0o700).create(path)
}

fn size_of(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(it) if it.is_dir() => size_of(&entry.path()),
            Ok(it) => it.len(),
            Err(_) => 0,
        })
        .sum()
}

/// Below these a replica stops: the lesser of a twentieth and 2 GiB.
const FULL_PART: u64 = 20;
const FULL_BYTES: u64 = 2 << 30;

fn disk(content: &Path) -> Finding {
    let at = content.ancestors().find(|path| path.is_dir()).unwrap_or(content);
    let Ok((free, all)) = space(at) else {
        let what = format!("the disk under {} cannot be asked", at.display());
        return Finding { part: "disk", grade: Grade::Notice, what, advice: String::new() };
    };
    let what = format!("{} of {} MiB are free", free >> 20, all >> 20);
    let is_full = free < FULL_BYTES.min(all / FULL_PART);
    let advice = if is_full { "free some room or add disk before it is started" } else { "" };
    let grade = if is_full { Grade::Notice } else { Grade::Good };
    Finding { part: "disk", grade, what, advice: advice.to_owned() }
}

fn word(grade: Grade) -> &'static str {
    match grade {
        Grade::Good => "ok",
        Grade::Notice => "notice",
        Grade::Bad => "bad",
    }
}

fn table(findings: &[Finding]) -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_HORIZONTAL_ONLY).set_header(["part", "state", "what", "do"]);
    table.set_content_arrangement(comfy_table::ContentArrangement::Dynamic);
    for finding in findings {
        table.add_row([finding.part, word(finding.grade), &finding.what, &finding.advice]);
    }
    table
}

fn summary(found: &Examination) -> String {
    let position = found.position();
    let stands = format!(
        "term {}, last entry {} (of term {}), carried out up to {}",
        position.term, position.last_log, position.last_term, position.applied
    );
    let state = match found.grade() {
        Grade::Good => "the replica starts with this folder",
        Grade::Notice => "the replica starts with this folder; see the notices",
        Grade::Bad => "the replica does not start with this folder, or must not",
    };
    format!("{state}; {stands}")
}

fn document(found: &Examination) -> Value {
    let position = found.position();
    let log = found.log.clone().unwrap_or_default();
    let findings: Vec<Value> = found
        .findings
        .iter()
        .map(|finding| {
            json!({
                "part": finding.part, "state": word(finding.grade),
                "what": &finding.what, "do": &finding.advice,
            })
        })
        .collect();
    let snapshots: Vec<Value> = found
        .snapshots
        .iter()
        .map(|one| {
            json!({
                "name": &one.name, "index": one.index, "sizeBytes": one.size_bytes,
                "isSound": one.is_sound,
            })
        })
        .collect();
    json!({
        "folder": found.folder.display().to_string(),
        "state": word(found.grade()),
        "format": found.format,
        "clusterID": &found.cluster_id,
        "replicaID": found.replica_id.map(|id| id.to_string()),
        "address": &found.address,
        "clusterVersion": found.cluster_version,
        "term": position.term,
        "firstLog": log.purged.map(|purged| purged.index + 1),
        "lastLog": position.last_log,
        "lastTerm": position.last_term,
        "committed": log.committed.map(|id| id.index),
        "applied": position.applied,
        "logBytes": log.bytes,
        "certificateUntilMs": found.certificate_until_ms,
        "snapshots": snapshots,
        "findings": findings,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_of_the_tables_is_nobody_elses_and_goes() {
        use std::os::unix::fs::PermissionsExt;
        let above = tempfile::tempdir().unwrap();
        let tables = above.path().join("tables");
        fs::create_dir(&tables).unwrap();
        fs::write(tables.join("db"), [0; 4096]).unwrap();
        assert_eq!(size_of(&tables), 4096);
        let scratch = Scratch::beside(Some(above.path()), &tables).unwrap();
        let path = scratch.path().unwrap().to_owned();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        drop(scratch);
        assert!(!path.exists());
    }

    #[test]
    fn the_gravest_finding_decides() {
        let finding = |grade| Finding { part: "log", grade, what: "w".into(), advice: "a".into() };
        let mut found = Examination::default();
        assert!(summary(&found).starts_with("the replica starts with this folder;"));
        found.findings = vec![finding(Grade::Notice), finding(Grade::Bad), finding(Grade::Good)];
        assert!(summary(&found).contains("does not start"));
        let document = document(&found);
        assert_eq!(document["state"], "bad");
        assert_eq!(document["findings"][0]["state"], "notice");
        let shown = table(&found.findings).to_string();
        assert!(shown.contains("bad") && shown.contains("notice"), "{shown}");
    }
}

//! What a run has done already, in a file: so that one that was cut short goes on where it was.
//!
//! One JSON object a line. The first says from where to where; each other one says that a tag was
//! brought, or which repository of the destination has a blob; the last of a run that came to its
//! end says so, and the next run begins afresh. The file is no truth: what it says of the
//! destination is looked at again, and without the file a run only looks longer.

use std::collections::HashSet;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use oci::digest::{Algorithm, Digest};
use oci::verifier::digest_of;
use serde::{Deserialize, Serialize};

use super::trouble::Trouble;
use crate::exit::Stop;

/// Entries that are remembered: what lies beyond is looked at again.
const ENTRIES_MAX: usize = 4_000_000;

/// A line of the file.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
enum Line {
    /// From where to where; the first line.
    Import { from: String, to: String },
    /// A tag was brought.
    Tag { repository: String, tag: String, digest: Digest },
    /// A repository of the destination has a blob.
    Blob { digest: Digest, repository: String },
    /// A run came to its end.
    Finished {},
}

/// The file; without one nothing is remembered.
#[derive(Default)]
pub struct Journal {
    open: Option<Mutex<Open>>,
    done: HashSet<[u8; 16]>,
    /// What the file says of blobs: what has it, in the order of the file.
    pub blobs: Vec<(Digest, String)>,
}

struct Open {
    file: File,
    path: PathBuf,
}

impl Journal {
    /// Opens or begins the file of a run from one URL to another.
    ///
    /// # Errors
    ///
    /// It is another run's, or was not written by this command.
    pub fn open(path: &Path, from: &str, to: &str) -> Result<Self, Stop> {
        let unusable = |error: &std::io::Error| Stop::file("use the state file", path, error);
        let options = OpenOptions::new().read(true).append(true).create(true).clone();
        let file = options.open(path).map_err(|error| unusable(&error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let path = path.display();
                return Err(Stop::usage(format!("another import is at work with {path}")));
            }
            Err(TryLockError::Error(error)) => return Err(unusable(&error)),
        }
        let mut journal = Self::default();
        let whole_bytes = journal.read(&file, path, (from, to))?;
        let kept = if journal.is_over(whole_bytes) { 0 } else { whole_bytes };
        if kept == 0 {
            journal = Self::default();
        }
        // A line that was cut short is written over.
        file.set_len(kept).map_err(|error| unusable(&error))?;
        journal.open = Some(Mutex::new(Open { file, path: path.to_owned() }));
        if kept == 0 {
            let line = Line::Import { from: from.to_owned(), to: to.to_owned() };
            journal.write(&line).map_err(Trouble::into_stop)?;
        }
        Ok(journal)
    }

    /// Whether a run came to its end: marked by an entry that no tag has.
    fn is_over(&self, whole_bytes: u64) -> bool {
        whole_bytes > 0 && self.done.contains(&[0; 16])
    }

    /// Reads what is there; bytes up to the end of the last whole line.
    fn read(&mut self, file: &File, path: &Path, run: (&str, &str)) -> Result<u64, Stop> {
        let unusable = |error: &std::io::Error| Stop::file("read the state file", path, error);
        let (mut reader, mut whole_bytes, mut text) = (BufReader::new(file), 0, String::new());
        loop {
            text.clear();
            let bytes = reader.read_line(&mut text).map_err(|error| unusable(&error))?;
            if bytes == 0 || !text.ends_with('\n') {
                return Ok(whole_bytes);
            }
            let line = serde_json::from_str(&text).map_err(|error| {
                let path = path.display();
                Stop::usage(format!("{path} is no state file of an import: {error}"))
            })?;
            match line {
                Line::Import { from, to } if (&*from, &*to) == run => {}
                Line::Import { from, to } => {
                    return Err(Stop::usage(format!(
                        "{} belongs to an import from {from} to {to}: name another --state",
                        path.display()
                    )));
                }
                Line::Tag { repository, tag, digest } => {
                    self.remember(entry(&repository, &tag, &digest));
                }
                Line::Blob { digest, repository } if self.blobs.len() < ENTRIES_MAX => {
                    self.blobs.push((digest, repository));
                }
                Line::Blob { .. } => {}
                Line::Finished {} => self.remember([0; 16]),
            }
            whole_bytes += bytes as u64;
        }
    }

    fn remember(&mut self, entry: [u8; 16]) {
        if self.done.len() < ENTRIES_MAX || entry == [0; 16] {
            self.done.insert(entry);
        }
    }

    /// Whether a former run brought this tag at this digest, with all that refers to it.
    pub fn has(&self, repository: &str, tag: &str, digest: &Digest) -> bool {
        !self.done.is_empty() && self.done.contains(&entry(repository, tag, digest))
    }

    /// A tag was brought.
    pub fn tag(&self, repository: &str, tag: &str, digest: &Digest) -> Result<(), Trouble> {
        let (repository, tag) = (repository.to_owned(), tag.to_owned());
        self.write(&Line::Tag { repository, tag, digest: digest.clone() })
    }

    /// A repository of the destination has a blob.
    pub fn blob(&self, digest: &Digest, repository: &str) -> Result<(), Trouble> {
        self.write(&Line::Blob { digest: digest.clone(), repository: repository.to_owned() })
    }

    /// The run came to its end: the next run begins afresh.
    pub fn finish(&self) -> Result<(), Trouble> {
        self.write(&Line::Finished {})
    }

    fn write(&self, line: &Line) -> Result<(), Trouble> {
        let Some(open) = &self.open else { return Ok(()) };
        let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = serde_json::to_string(line).unwrap_or_default();
        text.push('\n');
        // One write a line: a run that is killed leaves whole lines, and one cut short at most.
        open.file.write_all(text.as_bytes()).map_err(|error| {
            let stop = Stop::file("write the state file", &open.path, &error);
            Trouble::lasting(stop.text)
        })
    }
}

/// What is remembered of a tag.
fn entry(repository: &str, tag: &str, digest: &Digest) -> [u8; 16] {
    let text = format!("{repository}:{tag}@{digest}");
    let hash = digest_of(Algorithm::Sha256, text.as_bytes()).to_bytes();
    let mut entry = [0; 16];
    // The key of a digest begins with its algorithm; its end is all hash.
    entry.copy_from_slice(&hash[hash.len() - 16..]);
    entry
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    fn digest(text: &str) -> Digest {
        digest_of(Algorithm::Sha256, text.as_bytes())
    }

    #[test]
    fn a_run_that_was_cut_short_goes_on_with_what_it_had() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let open = || Journal::open(&path, "a", "b");
        let journal = open().unwrap();
        journal.tag("x/y", "v1", &digest("1")).unwrap();
        journal.blob(&digest("2"), "x/y").unwrap();
        assert_eq!(open().err().unwrap().exit, Exit::Usage, "it is in use");
        drop(journal);
        // The last line was cut short.
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"{\"tag\":{\"reposi").unwrap();
        drop(file);
        let journal = open().unwrap();
        assert!(journal.has("x/y", "v1", &digest("1")));
        assert!(!journal.has("x/y", "v1", &digest("moved")));
        assert!(!journal.has("x/y", "v2", &digest("1")));
        assert_eq!(journal.blobs, [(digest("2"), "x/y".to_owned())]);
        journal.tag("x/y", "v2", &digest("1")).unwrap();
        drop(journal);
        let journal = open().unwrap();
        assert!(journal.has("x/y", "v2", &digest("1")));
        journal.finish().unwrap();
        drop(journal);
        let journal = open().unwrap();
        assert!(!journal.has("x/y", "v1", &digest("1")) && journal.blobs.is_empty());
    }

    #[test]
    fn a_file_of_another_run_is_refused_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        drop(Journal::open(&path, "a", "b").unwrap());
        assert_eq!(Journal::open(&path, "a", "c").err().unwrap().exit, Exit::Usage);
        std::fs::write(&path, "root:x:0:0\n").unwrap();
        assert_eq!(Journal::open(&path, "a", "b").err().unwrap().exit, Exit::Usage);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "root:x:0:0\n");
        let nothing = Journal::default();
        nothing.tag("x/y", "v1", &digest("1")).unwrap();
        assert!(!nothing.has("x/y", "v1", &digest("1")));
    }
}

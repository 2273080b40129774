//! The folder of a quick start: locked while one runs, resumed, or deleted when asked.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::record::{Plan, Record};
use crate::exit::Stop;

/// What the user asked for; what was not given is `None`.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// `--replicas`.
    pub replicas: Option<u16>,
    /// `--base-port`.
    pub base_port: Option<u16>,
    /// `--plain-http`.
    pub plain_http: bool,
    /// `--fresh`.
    pub fresh: bool,
}

/// A quick start's folder, ours as long as this lives.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Takes the folder at `path` and says what is, or is to be, in it.
    ///
    /// # Errors
    ///
    /// Exit 3 where it belongs to something else, to a running quick start, or to one of another
    /// shape.
    pub fn open(path: &Path, asked: &Asked) -> Result<(Self, Record), Stop> {
        let path = std::path::absolute(path).map_err(|error| Stop::file("find", path, &error))?;
        foreign(&path)?;
        let mut lock = lock(&path)?;
        if asked.fresh && clear(&path)? {
            // The lock went with the folder.
            lock = self::lock(&path)?;
        }
        let folder = Self { path, _lock: lock };
        let record = match folder.recorded()? {
            Some(record) => folder.same_shape(record, asked)?,
            None => folder.begun(asked)?,
        };
        Ok((folder, record))
    }

    /// The folder, absolute.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// `quickstart.json`: there exactly while every replica answered.
    pub fn record_path(&self) -> PathBuf {
        self.path.join("quickstart.json")
    }

    /// The record of the last start, while this one has not come as far.
    fn former_path(&self) -> PathBuf {
        self.path.join(".quickstart.json")
    }

    /// Writes the record where everyone looks for it.
    pub fn publish(&self, record: &Record) -> Result<(), Stop> {
        record.save(&self.record_path())?;
        let _ = fs::remove_file(self.former_path());
        Ok(())
    }

    /// Takes the record of the last start out of sight, so that nobody takes its processes for
    /// ours.
    fn recorded(&self) -> Result<Option<Record>, Stop> {
        if let Some(record) = Record::load(&self.record_path())? {
            fs::rename(self.record_path(), self.former_path())
                .map_err(|error| Stop::file("set aside", &self.record_path(), &error))?;
            return Ok(Some(record));
        }
        Record::load(&self.former_path())
    }

    fn same_shape(&self, record: Record, asked: &Asked) -> Result<Record, Stop> {
        let plan = Plan::of(&record).ok_or_else(|| {
            Stop::failed(format!(
                "{} has no usable record; start over with --fresh",
                self.path.display()
            ))
        })?;
        let other = asked.replicas.is_some_and(|asked| asked != plan.replicas)
            || asked.base_port.is_some_and(|asked| asked != plan.base_port)
            || (asked.plain_http && !plan.plain_http);
        if other {
            return Err(Stop::refused(format!(
                "{} holds a quick start with --replicas {} --base-port {}{}: leave the flags out \
                 to resume it, choose another --dir, or delete it with --fresh",
                self.path.display(),
                plan.replicas,
                plan.base_port,
                if plan.plain_http { " --plain-http" } else { "" }
            )));
        }
        Ok(record)
    }

    /// A first start, perhaps one that was interrupted before it had a record.
    fn begun(&self, asked: &Asked) -> Result<Record, Stop> {
        let plan = Plan {
            replicas: asked.replicas.unwrap_or(3),
            base_port: asked.base_port.unwrap_or(7000),
            plain_http: asked.plain_http,
        };
        let record = plan.record(&self.path);
        let text = serde_json::to_string(&record).unwrap_or_default();
        let begun = self.path.join(".begun");
        match fs::read_to_string(&begun) {
            Ok(before) if before != text => Err(Stop::refused(format!(
                "a quick start with other flags was begun in {} and did not come up: use the same \
                 flags to go on with it, or delete the folder",
                self.path.display()
            ))),
            Ok(_) => Ok(record),
            Err(_) => {
                fs::write(&begun, text).map_err(|error| Stop::file("write", &begun, &error))?;
                Ok(record)
            }
        }
    }
}

/// Refuses a folder that has something in it and is not a quick start's.
fn foreign(path: &Path) -> Result<(), Stop> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Stop::file("use", path, &error)),
    };
    let ours = ["quickstart.json", ".quickstart.json", ".begun", ".lock"];
    let (mut empty, mut known) = (true, false);
    for entry in entries.flatten() {
        empty = false;
        known |= ours.iter().any(|name| entry.file_name() == *name);
    }
    if empty || known {
        return Ok(());
    }
    Err(Stop::refused(format!(
        "{} is not empty and holds no quick start: choose another --dir",
        path.display()
    )))
}

fn lock(path: &Path) -> Result<File, Stop> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|error| Stop::file("make", path, &error))?;
    let file = path.join(".lock");
    let lock = File::options()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&file)
        .map_err(|error| Stop::file("open", &file, &error))?;
    flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
        Stop::refused(format!(
            "a quick start is running in {}: stop it with Ctrl-C there, or choose another --dir",
            path.display()
        ))
    })?;
    Ok(lock)
}

/// Deletes a quick start's folder; false where there is nothing in it.
fn clear(path: &Path) -> Result<bool, Stop> {
    let has = |name: &str| path.join(name).exists();
    let only_the_lock = fs::read_dir(path)
        .is_ok_and(|entries| entries.flatten().all(|entry| entry.file_name() == ".lock"));
    if only_the_lock {
        return Ok(false);
    }
    if !has("quickstart.json") && !has(".quickstart.json") {
        return Err(Stop::refused(format!(
            "{} holds no quickstart.json, so --fresh does not delete it: delete it yourself, or \
             choose another --dir",
            path.display()
        )));
    }
    fs::remove_dir_all(path).map_err(|error| Stop::file("delete", path, &error))?;
    Ok(true)
}

/// Writes a file that only its owner may read, where it is not there yet.
pub fn write_secret(path: &Path, text: &str) -> Result<(), Stop> {
    if path.exists() {
        return Ok(());
    }
    let beside = path.with_extension("new");
    let result = File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&beside, path));
    result.map_err(|error| Stop::file("write", path, &error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;
    use std::os::unix::fs::PermissionsExt;

    fn open(path: &Path, asked: &Asked) -> Result<Record, Stop> {
        let (folder, record) = Folder::open(path, asked)?;
        folder.publish(&record)?;
        Ok(record)
    }

    #[test]
    fn fresh_makes_a_folder_that_is_not_there_and_holds_it() {
        let home = tempfile::tempdir().unwrap();
        let fresh = Asked { fresh: true, ..Asked::default() };
        for name in ["new", "empty"] {
            let path = home.path().join(name);
            if name == "empty" {
                fs::create_dir(&path).unwrap();
            }
            let (folder, _) = Folder::open(&path, &fresh).unwrap();
            let stop = Folder::open(&path, &fresh).unwrap_err();
            assert_eq!(stop.exit, Exit::Refused, "{stop:?}");
            drop(folder);
        }
    }

    #[test]
    fn a_second_start_resumes_and_another_shape_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("q");
        let first = Asked { replicas: Some(5), base_port: Some(7100), ..Asked::default() };
        let record = open(&path, &first).unwrap();
        assert_eq!(record.replicas.len(), 5);
        assert_eq!(open(&path, &Asked::default()), Ok(record.clone()));
        assert_eq!(open(&path, &first), Ok(record));
        let others = [
            Asked { replicas: Some(3), ..Asked::default() },
            Asked { base_port: Some(7000), ..Asked::default() },
            Asked { plain_http: true, ..Asked::default() },
        ];
        for other in others {
            let stop = open(&path, &other).unwrap_err();
            assert_eq!(stop.exit, Exit::Refused, "{other:?}");
            assert!(stop.text.contains("--replicas 5 --base-port 7100"), "{stop}");
            assert!(open(&path, &Asked { fresh: true, ..other }).is_ok());
            assert!(open(&path, &Asked { fresh: true, ..first.clone() }).is_ok());
        }
    }

    #[test]
    fn the_record_is_out_of_sight_until_it_is_published_again() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("q");
        open(&path, &Asked::default()).unwrap();
        let (folder, record) = Folder::open(&path, &Asked::default()).unwrap();
        assert!(!folder.record_path().exists());
        drop(folder);
        // That start died early; the next one still knows.
        let (folder, again) = Folder::open(&path, &Asked::default()).unwrap();
        assert_eq!(record, again);
        folder.publish(&again).unwrap();
        assert!(folder.record_path().exists());
    }

    #[test]
    fn only_a_quick_start_is_deleted() {
        let home = tempfile::tempdir().unwrap();
        let fresh = Asked { fresh: true, ..Asked::default() };
        std::fs::write(home.path().join("thesis.txt"), "years of work").unwrap();
        for asked in [&fresh, &Asked::default()] {
            let stop = open(home.path(), asked).unwrap_err();
            assert_eq!(stop.exit, Exit::Refused);
        }
        assert!(home.path().join("thesis.txt").exists());

        let begun = home.path().join("begun");
        drop(Folder::open(&begun, &Asked::default()).unwrap());
        assert_eq!(open(&begun, &fresh).unwrap_err().exit, Exit::Refused);
        assert!(open(&begun, &Asked { replicas: Some(1), ..Asked::default() }).is_err());
        assert!(open(&begun, &Asked::default()).is_ok());
        std::fs::write(begun.join("old"), "").unwrap();
        assert!(open(&begun, &fresh).is_ok());
        assert!(!begun.join("old").exists());
    }

    #[test]
    fn two_quick_starts_do_not_share_a_folder() {
        let home = tempfile::tempdir().unwrap();
        let running = Folder::open(home.path(), &Asked::default()).unwrap();
        for fresh in [false, true] {
            let stop = Folder::open(home.path(), &Asked { fresh, ..Asked::default() }).unwrap_err();
            assert!(stop.text.contains("is running"), "{stop}");
        }
        drop(running);
        assert!(Folder::open(home.path(), &Asked::default()).is_ok());
    }

    #[test]
    fn a_secret_is_its_owners_only() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("admin-password");
        write_secret(&path, "one\n").unwrap();
        write_secret(&path, "two\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\n");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

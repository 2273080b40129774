//! The data folder of a replica: who may use it, what lies where, how a file in it is written.
//!
//! ```text
//! VERSION          format of the folder
//! LOCK             held by the one process that uses it
//! boot             which boot of the machine used it last, and whether it said goodbye
//! identity.toml    who this replica is
//! keys/            ca.pem peer.pem peer.key sealing.key recovery.sealed
//! bootstrap        the first entry of a new cluster, until it is in the log
//! log/ tables/ snapshots/            of this crate
//! spool/           archives that wait to be fetched
//! blobs/ uploads/                    of crate `blobs`
//! ```

mod durable_file;
pub mod file_system;

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use crate::identity::{Identity, Keys};

/// The format that this binary writes and reads.
pub const FORMAT: u32 = 1;

const VERSION: &str = "VERSION";
const LOCK: &str = "LOCK";
/// What an operator or the quick start may have put there before; everything else is refused.
const HARMLESS: [&str; 5] = ["toml", "pem", "key", "log", "pid"];

/// Why the data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// It is not there, or nothing was installed in it.
    #[error(
        "{folder} holds no replica: run `holdfast install` for a new cluster, or `holdfast join`"
    )]
    NotInstalled {
        /// The data folder.
        folder: PathBuf,
    },
    /// There is something in it already.
    #[error(
        "{folder} is not empty (it holds {found:?}); a new replica needs a folder of its own: name \
         another one, or remove what a broken-off attempt has left there"
    )]
    NotEmpty {
        /// The data folder.
        folder: PathBuf,
        /// Something that was found.
        found: String,
    },
    /// Another process uses it.
    #[error("{folder} is in use by another process{holder}; a replica runs once only")]
    InUse {
        /// The data folder.
        folder: PathBuf,
        /// ` (pid N)`, where that is known.
        holder: String,
    },
    /// A newer binary has written it.
    #[error(
        "{folder} has format {found}, and this version of holdfast knows formats up to {FORMAT}: \
         start a newer version; there is no way back"
    )]
    Newer {
        /// The data folder.
        folder: PathBuf,
        /// Its format.
        found: u32,
    },
    /// A file in it is not what this crate wrote.
    #[error("{file} is damaged: {what}; take the replica out of the cluster and join it anew")]
    Damaged {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// Its file system does not keep what is written, or does not lock.
    #[error(
        "{folder} lies on {kind}, which {why}; use a local disk, or allow it in the configuration \
         ([storage] allow_volatile) for a trial"
    )]
    FileSystem {
        /// The data folder.
        folder: PathBuf,
        /// The file system, by its usual name.
        kind: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The system failed.
    #[error("{doing} {file}: {error}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        file: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

impl FolderError {
    pub(crate) fn io<'a>(
        doing: &'static str,
        file: &'a Path,
    ) -> impl FnOnce(io::Error) -> Self + use<'a> {
        move |error| Self::Io { doing, file: file.to_owned(), error }
    }

    /// Whether it was refused so that nothing gets lost, rather than failed.
    pub fn is_for_safety(&self) -> bool {
        matches!(
            self,
            Self::NotEmpty { .. }
                | Self::InUse { .. }
                | Self::Newer { .. }
                | Self::FileSystem { .. }
        )
    }
}

/// A data folder in use by this process. The lock ends with it.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// None where the folder is only looked at.
    _lock: Option<File>,
}

impl Folder {
    /// Makes `path` a data folder for a new replica.
    ///
    /// # Errors
    ///
    /// [`FolderError::NotEmpty`] where it holds anything but the operator's own files (`*.toml`,
    /// `*.pem`, `*.key`, `*.log`, `*.pid`).
    pub fn create(path: &Path) -> Result<Self, FolderError> {
        Self::create_around(path, &[])
    }

    /// The same, where folders called `kept` may lie in it already.
    ///
    /// # Errors
    ///
    /// As [`Folder::create`].
    pub fn create_around(path: &Path, kept: &[&str]) -> Result<Self, FolderError> {
        if let Some(found) = first_entry_in_the_way(path, kept)? {
            return Err(FolderError::NotEmpty { folder: path.to_owned(), found });
        }
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(FolderError::io("cannot make the data folder", path))?;
        let folder = Self::locked(path)?;
        folder.write(VERSION, format!("{FORMAT}\n").as_bytes())?;
        Ok(folder)
    }

    /// Takes a folder that [`Folder::create`] has made before.
    ///
    /// # Errors
    ///
    /// It is not one, another process uses it, or a newer binary wrote it.
    pub fn open(path: &Path) -> Result<Self, FolderError> {
        let version = path.join(VERSION);
        let text = match fs::read_to_string(&version) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(FolderError::NotInstalled { folder: path.to_owned() });
            }
            text => text.map_err(FolderError::io("cannot read", &version))?,
        };
        match text.trim().parse::<u32>() {
            Ok(FORMAT) => Self::locked(path),
            Ok(found) if found > FORMAT => {
                Err(FolderError::Newer { folder: path.to_owned(), found })
            }
            _ => Err(FolderError::Damaged {
                file: version,
                what: "it does not hold the number of a format".to_owned(),
            }),
        }
    }

    /// Looks into a folder that another process may use: nothing is to be written through this.
    ///
    /// # Errors
    ///
    /// [`FolderError::NotInstalled`] where it is none.
    pub(crate) fn look(path: &Path) -> Result<Self, FolderError> {
        if read_if_there(&path.join(VERSION))?.is_none() {
            return Err(FolderError::NotInstalled { folder: path.to_owned() });
        }
        Ok(Self { path: path.to_owned(), _lock: None })
    }

    /// Looks into a folder on which nothing runs, and keeps anything from starting there meanwhile;
    /// changes nothing. The number of its format is not judged.
    ///
    /// # Errors
    ///
    /// [`FolderError::NotInstalled`] where it is none, [`FolderError::InUse`] where a replica runs.
    pub(crate) fn look_stopped(path: &Path) -> Result<Self, FolderError> {
        let folder = Self::look(path)?;
        let file = path.join(LOCK);
        let lock = match File::open(&file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(folder),
            lock => lock.map_err(FolderError::io("cannot open", &file))?,
        };
        match flock(&lock, FlockOperation::NonBlockingLockShared) {
            Ok(()) => Ok(Self { _lock: Some(lock), ..folder }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(in_use(path, &file)),
            Err(error) => Err(FolderError::io("cannot lock", &file)(error.into())),
        }
    }

    fn locked(path: &Path) -> Result<Self, FolderError> {
        // A folder that somebody else has made may be open to everyone.
        fs::set_permissions(path, fs::Permissions::from_mode(0o700))
            .map_err(FolderError::io("cannot close to others", path))?;
        let file = path.join(LOCK);
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .mode(0o600)
            .open(&file)
            .map_err(FolderError::io("cannot open", &file))?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(in_use(path, &file)),
            Err(error) => return Err(FolderError::io("cannot lock", &file)(error.into())),
        }
        // The pid is for people; the lock itself is the kernel's.
        let _ = fs::write(&file, format!("{}\n", std::process::id()));
        Ok(Self { path: path.to_owned(), _lock: Some(lock) })
    }
}

/// What lies in it.
impl Folder {
    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file or folder in it.
    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The folder of the log.
    pub fn log(&self) -> PathBuf {
        self.join("log")
    }

    /// The folder of the tables.
    pub fn tables(&self) -> PathBuf {
        self.join("tables")
    }

    /// The folder of snapshot files.
    pub fn snapshots(&self) -> PathBuf {
        self.join("snapshots")
    }

    /// The note on how the process before this one ended.
    pub fn boot(&self) -> PathBuf {
        self.join("boot")
    }

    /// Who this replica is.
    ///
    /// # Errors
    ///
    /// [`FolderError::NotInstalled`] where an installation or a join has not come to its end.
    pub fn identity(&self) -> Result<Identity, FolderError> {
        Identity::read(self)
    }

    /// Its keys and certificates.
    pub fn keys(&self) -> Result<Keys, FolderError> {
        Keys::read(self)
    }

    /// Writes a file whole, readable by its owner only; when this returns it survives a power cut,
    /// and at no time is there half a file. `name` may have one folder in front, which is made.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), FolderError> {
        write_file(&self.join(name), bytes)
    }

    /// Reads a file whole; `None` where there is none.
    pub fn read(&self, name: &str) -> Result<Option<Vec<u8>>, FolderError> {
        read_if_there(&self.join(name))
    }

    /// Removes a file, durably; one that is not there is no failure.
    pub fn remove(&self, name: &str) -> Result<(), FolderError> {
        remove_if_there(&self.join(name))
    }
}

fn in_use(folder: &Path, lock: &Path) -> FolderError {
    let pid = fs::read_to_string(lock).unwrap_or_default();
    let pid = pid.trim();
    let holder = if pid.is_empty() { String::new() } else { format!(" (pid {pid})") };
    FolderError::InUse { folder: folder.to_owned(), holder }
}

pub(crate) fn read_if_there(file: &Path) -> Result<Option<Vec<u8>>, FolderError> {
    match fs::read(file) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(FolderError::io("cannot read", file)(error)),
    }
}

/// As [`Folder::write`].
pub(crate) fn write_file(file: &Path, bytes: &[u8]) -> Result<(), FolderError> {
    durable_file::write(file, bytes).map_err(FolderError::io("cannot write", file))
}

pub(crate) fn remove_if_there(file: &Path) -> Result<(), FolderError> {
    durable_file::remove(file).map_err(FolderError::io("cannot remove", file))
}

/// The name of something that keeps `path` from becoming a data folder.
fn first_entry_in_the_way(path: &Path, kept: &[&str]) -> Result<Option<String>, FolderError> {
    let entries = match fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        entries => entries.map_err(FolderError::io("cannot read", path))?,
    };
    for entry in entries {
        let entry = entry.map_err(FolderError::io("cannot read", path))?;
        let name = PathBuf::from(entry.file_name());
        let extension = name.extension().and_then(|extension| extension.to_str());
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        let is_harmless = is_file && extension.is_some_and(|it| HARMLESS.contains(&it));
        let is_kept = kept.iter().any(|kept| name.as_os_str() == *kept);
        if !is_harmless && !is_kept && name.as_os_str() != "lost+found" {
            return Ok(Some(name.display().to_string()));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests;

//! sled behind a wall: its panics and errors become [`KvError::Broken`], which says what to do.

use std::fs::{self, File};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::store::KvError;

/// Pages kept in memory, as they are written: in memory they take up to three times as much. What
/// is not here is in the page cache of the system, which gives it back when others need it.
const CACHE_BYTES: u64 = 2 * 1024 * 1024;
/// What a killed process may lose of this cache at most; the log has it all.
const FLUSH_EVERY_MS: u64 = 1000;
/// A former process, or our own former handle, may hold sled's lock a little longer.
const LOCK_WAIT_MAX: Duration = Duration::from_secs(5);

/// The one tree of a database, and whether it may still be used.
pub(crate) struct Guarded {
    // Both are handles of one database; the tree is its default one.
    database: sled::Db,
    folder: PathBuf,
    broken: AtomicBool,
}

impl Guarded {
    pub(crate) fn open(folder: &Path) -> Result<Self, KvError> {
        let began = Instant::now();
        loop {
            let opened = catch_unwind(|| {
                sled::Config::new()
                    .path(folder)
                    .cache_capacity(CACHE_BYTES)
                    .flush_every_ms(Some(FLUSH_EVERY_MS))
                    .open()
            });
            match opened {
                Ok(Ok(database)) => {
                    let folder = folder.to_path_buf();
                    return Ok(Self { database, folder, broken: AtomicBool::new(false) });
                }
                Ok(Err(error)) if is_locked(&error) && began.elapsed() < LOCK_WAIT_MAX => {
                    thread::sleep(Duration::from_millis(20));
                }
                Ok(Err(error)) if is_locked(&error) => {
                    return Err(KvError::InUse { folder: folder.to_path_buf() });
                }
                Ok(Err(error)) => return Err(broken(folder, &error.to_string())),
                Err(panic) => return Err(broken(folder, panic_text(&*panic))),
            }
        }
    }

    /// Runs `work` on the tree. After a panic or an error of sled every later call is refused.
    pub(crate) fn with<T>(
        &self,
        work: impl FnOnce(&sled::Tree) -> sled::Result<T>,
    ) -> Result<T, KvError> {
        if self.broken.load(Ordering::Acquire) {
            return Err(broken(&self.folder, "an earlier call failed"));
        }
        // Nothing of ours is changed inside, and sled is not called again once it has panicked.
        let outcome = catch_unwind(AssertUnwindSafe(|| work(&self.database)));
        let cause = match outcome {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) => error.to_string(),
            Err(panic) => panic_text(&*panic).to_owned(),
        };
        self.broken.store(true, Ordering::Release);
        Err(broken(&self.folder, &cause))
    }

    /// Ends the database and makes its files durable, so that even a power cut leaves them whole.
    pub(crate) fn close(self) -> Result<(), KvError> {
        self.with(sled::Tree::flush)?;
        let folder = self.folder.clone();
        catch_unwind(AssertUnwindSafe(|| drop(self)))
            .map_err(|panic| broken(&folder, panic_text(&*panic)))?;
        let synced = sync_all_below(&folder);
        let named = synced.and_then(|()| match folder.parent() {
            Some(parent) => File::open(parent)?.sync_all(),
            None => Ok(()),
        });
        named.map_err(|error| broken(&folder, &error.to_string()))
    }
}

fn is_locked(error: &sled::Error) -> bool {
    // sled wraps the refused file lock into an error of kind Other, so only its text tells.
    matches!(error, sled::Error::Io(error) if error.to_string().contains("could not acquire lock"))
}

fn broken(folder: &Path, cause: &str) -> KvError {
    KvError::Broken(format!(
        "the tables in {} can't be used: {cause}. Nothing that was acknowledged is lost: start the \
         replica again, and it rebuilds them from its snapshot and log. Where that fails as well, \
         check the disk",
        folder.display()
    ))
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("sled panicked")
}

/// fsyncs every file and folder below `folder`, and the folder itself.
fn sync_all_below(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_all_below(&entry.path())?;
        } else {
            File::open(entry.path())?.sync_all()?;
        }
    }
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_below_becomes_an_error_and_ends_all_later_calls() {
        let folder = tempfile::tempdir().unwrap();
        let guarded = Guarded::open(&folder.path().join("tables")).unwrap();
        let first = guarded.with::<()>(|_| panic!("page is gone")).unwrap_err();
        let KvError::Broken(text) = first else { panic!("{first:?}") };
        assert!(
            text.contains("page is gone") && text.contains("start the replica again"),
            "{text}"
        );
        let later = guarded.with(|tree| tree.get(b"k").map(drop));
        assert!(matches!(later, Err(KvError::Broken(_))));
    }

    #[test]
    fn a_damaged_database_answers_broken_or_opens_and_never_panics() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tables");
        let guarded = Guarded::open(&path).unwrap();
        for n in 0..2000_u32 {
            guarded.with(|tree| tree.insert(n.to_be_bytes(), vec![7; 100]).map(drop)).unwrap();
        }
        guarded.close().unwrap();
        let file = path.join("db");
        let mut bytes = fs::read(&file).unwrap();
        for at in (0..bytes.len()).step_by(97) {
            bytes[at] ^= 0x55;
        }
        fs::write(&file, bytes).unwrap();
        if let Err(error) = Guarded::open(&path) {
            assert!(matches!(error, KvError::Broken(_)), "{error:?}");
        }
    }
}

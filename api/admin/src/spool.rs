//! Archives that wait on this replica's disk to be fetched, or fetched on.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use auth::access_token::hex;

/// An archive may be fetched on for so long.
const KEPT: Duration = Duration::from_hours(1);
/// Archives kept at once, the one that is being written included.
const KEPT_MAX: usize = 2;

/// The folder of archives.
#[derive(Clone, Debug)]
pub(crate) struct Spool {
    folder: PathBuf,
}

/// An archive that is being written; gone unless it is finished.
pub(crate) struct Begun {
    folder: PathBuf,
    id: String,
    finished: bool,
}

/// A whole archive.
#[derive(Clone, Debug)]
pub(crate) struct Spooled {
    /// What it is asked for by.
    pub(crate) id: String,
    pub(crate) path: PathBuf,
    pub(crate) size_bytes: u64,
}

impl Spool {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Begins an archive; those that are too old, or too many, go.
    pub(crate) async fn begin(&self) -> io::Result<Begun> {
        let folder = self.folder.clone();
        let begun = tokio::task::spawn_blocking(move || {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
            sweep(&folder, KEPT_MAX - 1)?;
            let id = hex(&rand_id());
            Ok(Begun { folder, id, finished: false })
        });
        begun.await.unwrap_or_else(|gone| Err(io::Error::other(gone)))
    }

    /// Removes what nobody fetched in time.
    pub(crate) async fn tidy(&self) -> io::Result<()> {
        let folder = self.folder.clone();
        let swept = tokio::task::spawn_blocking(move || sweep(&folder, KEPT_MAX));
        swept.await.unwrap_or_else(|gone| Err(io::Error::other(gone)))
    }

    /// The archive of that id, while it is kept.
    pub(crate) async fn find(&self, id: &str) -> io::Result<Option<Spooled>> {
        if id.len() != 32 || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(None);
        }
        let (path, id) = (self.folder.join(format!("{id}.tar")), id.to_owned());
        let found = tokio::task::spawn_blocking(move || match fs::metadata(&path) {
            Ok(found) => Ok(Some(Spooled { id, path, size_bytes: found.len() })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        });
        found.await.unwrap_or_else(|gone| Err(io::Error::other(gone)))
    }
}

fn rand_id() -> [u8; 16] {
    rand::random()
}

/// Removes what is too old, and the oldest archives beyond so many. What is being written is not
/// old.
fn sweep(folder: &Path, kept_max: usize) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    let mut kept: Vec<(SystemTime, PathBuf)> = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let modified = fs::metadata(&path)?.modified()?;
        if modified.elapsed().is_ok_and(|age| age > KEPT) {
            fs::remove_file(&path)?;
        } else if path.extension().is_some_and(|ending| ending == "tar") {
            kept.push((modified, path));
        }
    }
    kept.sort();
    let surplus = kept.len().saturating_sub(kept_max);
    kept.into_iter().take(surplus).try_for_each(|(_, path)| fs::remove_file(path))
}

impl Begun {
    fn path(&self, ending: &str) -> PathBuf {
        self.folder.join(format!("{}.{ending}", self.id))
    }

    /// The file of the archive and one for what is to follow; the second has no name any more.
    pub(crate) fn files(&self) -> io::Result<(File, File)> {
        let make = |path: &Path| {
            File::options().read(true).write(true).create_new(true).mode(0o600).open(path)
        };
        let (part, list) = (make(&self.path("part"))?, self.path("list"));
        let digests = make(&list)?;
        fs::remove_file(list)?;
        Ok((part, digests))
    }

    /// Gives the archive its name.
    pub(crate) fn finish(mut self) -> io::Result<Spooled> {
        let path = self.path("tar");
        fs::rename(self.path("part"), &path)?;
        self.finished = true;
        let size_bytes = fs::metadata(&path)?.len();
        Ok(Spooled { id: self.id.clone(), path, size_bytes })
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        if !self.finished {
            // The next one sweeps what does not go now.
            let _ = fs::remove_file(self.path("part"));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    async fn written(spool: &Spool, text: &str) -> Spooled {
        let begun = spool.begin().await.unwrap();
        let (mut file, _) = begun.files().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        begun.finish().unwrap()
    }

    #[tokio::test]
    async fn an_archive_is_found_while_it_is_kept_and_a_third_takes_the_place_of_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::new(folder.path().join("spool"));
        spool.tidy().await.unwrap();
        let first = written(&spool, "one").await;
        assert_eq!(spool.find(&first.id).await.unwrap().unwrap().size_bytes, 3);
        for wrong in ["", "../identity", &"0".repeat(32)] {
            assert!(spool.find(wrong).await.unwrap().is_none(), "{wrong}");
        }
        written(&spool, "two").await;
        written(&spool, "three").await;
        assert!(spool.find(&first.id).await.unwrap().is_none());
        assert_eq!(fs::read_dir(folder.path().join("spool")).unwrap().count(), KEPT_MAX);
        let begun = spool.begin().await.unwrap();
        drop(begun.files().unwrap());
        drop(begun);
        let left = fs::read_dir(folder.path().join("spool")).unwrap().count();
        assert_eq!(left, KEPT_MAX - 1, "one that was not finished leaves nothing");
    }

    #[tokio::test]
    async fn what_is_old_goes() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::new(folder.path().to_owned());
        let kept = written(&spool, "one").await;
        let long_ago = SystemTime::now() - 2 * KEPT;
        File::options().write(true).open(&kept.path).unwrap().set_modified(long_ago).unwrap();
        spool.tidy().await.unwrap();
        assert!(spool.find(&kept.id).await.unwrap().is_none());
    }
}

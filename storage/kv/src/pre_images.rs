//! What rows were before they changed under an open snapshot.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::store::KvError;

/// Values beyond this go to a file; their keys stay in memory.
const MEMORY_BYTES_MAX: usize = 64 * 1024 * 1024;

/// One row as it was when the snapshot was opened, still in its envelope.
pub(crate) enum PreImage {
    /// There was none.
    Absent,
    Kept(Vec<u8>),
    Spilled {
        offset: u64,
        length: usize,
    },
}

/// The rows that changed since the snapshot was opened.
pub(crate) struct PreImages {
    rows: BTreeMap<Vec<u8>, PreImage>,
    memory_bytes: usize,
    memory_bytes_max: usize,
    spill_path: PathBuf,
    spill: Option<(File, u64)>,
    lost: bool,
}

impl PreImages {
    /// For a snapshot of the tables in `folder`.
    pub(crate) fn new(folder: &Path) -> Self {
        Self {
            rows: BTreeMap::new(),
            memory_bytes: 0,
            memory_bytes_max: MEMORY_BYTES_MAX,
            spill_path: folder.with_extension("pre-images"),
            spill: None,
            lost: false,
        }
    }

    /// Notes that the live rows are gone, so that the snapshot can't be read on.
    pub(crate) fn lose(&mut self) {
        self.lost = true;
        self.rows.clear();
    }

    /// Keeps what `live` reads, unless the row changed before. To be called before the row is
    /// changed.
    pub(crate) fn save(
        &mut self,
        key: &[u8],
        live: impl FnOnce() -> Result<Option<sled::IVec>, KvError>,
    ) -> Result<(), KvError> {
        if self.lost || self.rows.contains_key(key) {
            return Ok(());
        }
        let image = match live()? {
            None => PreImage::Absent,
            Some(row) if self.memory_bytes + row.len() > self.memory_bytes_max => {
                self.spill(&row).map_err(KvError::Spill)?
            }
            Some(row) => {
                self.memory_bytes += row.len();
                PreImage::Kept(row.to_vec())
            }
        };
        self.rows.insert(key.to_vec(), image);
        Ok(())
    }

    fn spill(&mut self, row: &[u8]) -> io::Result<PreImage> {
        let (file, end) = match &mut self.spill {
            Some(spill) => spill,
            None => self.spill.insert((nameless(&self.spill_path)?, 0)),
        };
        let offset = *end;
        file.write_all_at(row, offset)?;
        *end += row.len() as u64;
        Ok(PreImage::Spilled { offset, length: row.len() })
    }

    /// The changed rows with keys after `after` (`None`: all) up to and including `upto` (`None`:
    /// to the end), as they were; `None` where there was no row.
    pub(crate) fn range(
        &self,
        after: Option<&[u8]>,
        upto: Option<&[u8]>,
    ) -> Result<BTreeMap<Vec<u8>, Option<Vec<u8>>>, KvError> {
        use std::ops::Bound::{Excluded, Included, Unbounded};
        if self.lost {
            return Err(KvError::SnapshotLost);
        }
        let bounds = (after.map_or(Unbounded, Excluded), upto.map_or(Unbounded, Included));
        let rows = self.rows.range::<[u8], _>(bounds);
        rows.map(|(key, image)| Ok((key.clone(), self.load(image)?))).collect()
    }

    /// The row under `key` as it was, where it is `live` now.
    pub(crate) fn then(
        &self,
        key: &[u8],
        live: Option<sled::IVec>,
    ) -> Result<Option<Vec<u8>>, KvError> {
        if self.lost {
            return Err(KvError::SnapshotLost);
        }
        match self.rows.get(key) {
            Some(image) => self.load(image),
            None => Ok(live.map(|row| row.to_vec())),
        }
    }

    fn load(&self, image: &PreImage) -> Result<Option<Vec<u8>>, KvError> {
        match (image, &self.spill) {
            (PreImage::Absent, _) => Ok(None),
            (PreImage::Kept(row), _) => Ok(Some(row.clone())),
            (PreImage::Spilled { offset, length }, Some((file, _))) => {
                let mut row = vec![0; *length];
                file.read_exact_at(&mut row, *offset).map_err(KvError::Spill)?;
                Ok(Some(row))
            }
            (PreImage::Spilled { .. }, None) => Err(KvError::SnapshotLost),
        }
    }
}

/// A file that is gone when it is closed, however the process ends.
fn nameless(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)?;
    fs::remove_file(path)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pre_images_beyond_the_bound_come_back_from_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let mut images = PreImages::new(&folder.path().join("tables"));
        images.memory_bytes_max = 100;
        for n in 0..20_u8 {
            images.save(&[n], || Ok(Some(vec![n; 30].into()))).unwrap();
            images.save(&[n], || panic!("a second change keeps the first image")).unwrap();
        }
        images.save(&[99], || Ok(None)).unwrap();
        assert!(images.spill.is_some());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "the file has no name");
        let all = images.range(None, None).unwrap();
        assert_eq!(all.len(), 21);
        for n in 0..20_u8 {
            assert_eq!(all[&vec![n]], Some(vec![n; 30]));
        }
        assert_eq!(all[&vec![99]], None);
        let some = images.range(Some(&[3]), Some(&[5])).unwrap();
        assert_eq!(some.keys().collect::<Vec<_>>(), [&vec![4], &vec![5]]);
        assert_eq!(images.then(&[7], None).unwrap(), Some(vec![7; 30]));
        assert_eq!(images.then(&[99], Some(b"new".into())).unwrap(), None);
        assert_eq!(images.then(&[50], Some(b"old".into())).unwrap(), Some(b"old".to_vec()));
    }
}

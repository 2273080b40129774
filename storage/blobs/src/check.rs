//! Whether blobs still hash to their names: when that was last seen, and which do not.
//!
//! A note says when a blob was hashed and what the file looked like then (length and time of last
//! writing). A file that looks otherwise now counts as never checked. Notes are kept in memory up
//! to a bound and saved now and then; one that is lost costs no more than a check too many.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use oci::digest::{Algorithm, Digest};
use oci::verifier::{Verifier, digest_of};
use tokio::sync::{Notify, Semaphore};

use crate::files::{File, Files, Metadata};
use crate::lock::Guard;
use crate::path::Layout;
use crate::read::pieces;
use crate::store::{BlobStore, blocking};

/// Notes that are kept at most; beyond that the older half goes. What a table of 65,536 places
/// holds before it doubles: 3 MiB.
const NOTES_MAX: usize = 57_344;
/// The notes are saved after so many new ones.
const SAVE_EVERY: usize = 4_096;
/// Checks that run at once in the background.
const CHECKS_MAX: usize = 1;
/// First byte of the saved notes.
const FORMAT: u8 = 1;
/// One saved note: key, time, length, time of last writing.
const ROW_BYTES: usize = 40;

/// The first bytes of a digest's key form: enough to tell blobs apart, half the memory.
type Key = [u8; 16];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Note {
    checked_ms: u64,
    seen: Metadata,
}

/// When blobs were last hashed.
#[derive(Debug)]
pub(crate) struct Checks {
    notes: Mutex<HashMap<Key, Note>>,
    unsaved: Mutex<usize>,
    running: Mutex<HashSet<Digest>>,
    permits: Arc<Semaphore>,
}

impl Checks {
    /// Reads the saved notes; where they do not read, there are none.
    pub(crate) fn load(files: &dyn Files, layout: &Layout) -> Self {
        let notes = read_notes(files, layout).unwrap_or_default();
        Self {
            notes: Mutex::new(notes),
            unsaved: Mutex::default(),
            running: Mutex::default(),
            permits: Arc::new(Semaphore::new(CHECKS_MAX)),
        }
    }

    /// Whether a file that looks like `seen` was hashed within `age_max_ms`.
    pub(crate) fn is_fresh(
        &self,
        digest: &Digest,
        seen: Metadata,
        now_ms: u64,
        age_max_ms: u64,
    ) -> bool {
        let note = held(&self.notes).get(&key_of(digest)).copied();
        // A note of the future was taken by another clock.
        note.is_some_and(|note| {
            note.seen == seen && note.checked_ms <= now_ms && now_ms - note.checked_ms < age_max_ms
        })
    }

    /// Notes that a file that looks like `seen` was hashed at `now_ms` and was right.
    pub(crate) fn note(&self, digest: &Digest, seen: Metadata, now_ms: u64) {
        let mut notes = held(&self.notes);
        if notes.len() >= NOTES_MAX {
            let mut times: Vec<u64> = notes.values().map(|note| note.checked_ms).collect();
            let (_, median, _) = times.select_nth_unstable(NOTES_MAX / 2);
            let median = *median;
            notes.retain(|_, note| note.checked_ms > median);
        }
        notes.insert(key_of(digest), Note { checked_ms: now_ms, seen });
        *held(&self.unsaved) += 1;
    }

    pub(crate) fn forget(&self, digest: &Digest) {
        held(&self.notes).remove(&key_of(digest));
    }

    pub(crate) fn forget_all(&self) {
        held(&self.notes).clear();
    }

    /// Saves the notes where enough of them are new.
    fn save_now_and_then(&self, files: &dyn Files, layout: &Layout) {
        if *held(&self.unsaved) >= SAVE_EVERY
            && let Err(error) = self.save(files, layout)
        {
            tracing::debug!(%error, "the list of checked blobs could not be saved");
        }
    }

    /// Writes all notes beside the old file and takes its place.
    pub(crate) fn save(&self, files: &dyn Files, layout: &Layout) -> io::Result<()> {
        *held(&self.unsaved) = 0;
        let mut bytes = vec![FORMAT];
        for (key, note) in held(&self.notes).iter() {
            bytes.extend(key);
            bytes.extend(note.checked_ms.to_le_bytes());
            bytes.extend(note.seen.length.to_le_bytes());
            bytes.extend(note.seen.modified_ns.to_le_bytes());
        }
        let sum = digest_of(Algorithm::Sha256, &bytes).to_bytes();
        bytes.extend(sum);
        let new = layout.checked_new();
        files.create(&new)?.write_at(0, &[Bytes::from(bytes)])?;
        files.rename(&new, &layout.checked())
    }
}

fn read_notes(files: &dyn Files, layout: &Layout) -> Option<HashMap<Key, Note>> {
    let file = files.open(&layout.checked()).ok()?;
    let length = usize::try_from(file.metadata().ok()?.length).ok()?;
    if length > ROW_BYTES * (NOTES_MAX + 1) + 64 {
        return None;
    }
    let bytes = pieces::copied(&*file, 0, length).ok()?;
    let (body, sum) = bytes.split_at_checked(length.checked_sub(33)?)?;
    if digest_of(Algorithm::Sha256, body).to_bytes() != sum || *body.first()? != FORMAT {
        return None;
    }
    let number = |row: &[u8], at: usize| Some(u64::from_le_bytes(*row[at..].first_chunk()?));
    let mut notes = HashMap::new();
    for row in body[1..].chunks_exact(ROW_BYTES) {
        let modified_ns = number(row, 32)?.cast_signed();
        let seen = Metadata { length: number(row, 24)?, modified_ns };
        notes.insert(*row.first_chunk()?, Note { checked_ms: number(row, 16)?, seen });
    }
    Some(notes)
}

fn key_of(digest: &Digest) -> Key {
    let mut key = Key::default();
    key.copy_from_slice(&digest.to_bytes()[..16]);
    key
}

/// Blobs whose file does not hash to its name, until they are replaced or put aside.
#[derive(Debug, Default)]
pub(crate) struct Damage {
    noted: Mutex<BTreeSet<Digest>>,
    changed: Notify,
}

impl Damage {
    pub(crate) fn is_noted(&self, digest: &Digest) -> bool {
        held(&self.noted).contains(digest)
    }

    pub(crate) fn note(&self, digest: &Digest) {
        held(&self.noted).insert(digest.clone());
        self.changed.notify_one();
    }

    pub(crate) fn forget(&self, digest: &Digest) {
        held(&self.noted).remove(digest);
    }
}

/// What a check found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checked {
    /// The file hashes to its name.
    Right,
    /// It does not; the blob counts as absent from now on.
    Damaged,
    /// There is no such blob.
    Absent,
}

impl BlobStore {
    /// Hashes a blob's file and notes what came of it.
    pub async fn check(self: &Arc<Self>, digest: &Digest) -> io::Result<Checked> {
        let (store, digest) = (self.clone(), digest.clone());
        blocking(move || store.check_blocking(&digest)).await
    }

    /// Whether a blob's file was hashed within `age` and is unchanged since; also where there is no
    /// such file any more.
    pub fn was_checked_within(&self, digest: &Digest, age: Duration) -> io::Result<bool> {
        let Some(seen) = self.files.metadata(&self.layout.blob(digest))? else { return Ok(true) };
        let age_ms = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        Ok(self.checks.is_fresh(digest, seen, (self.options.now_ms)(), age_ms))
    }

    fn check_blocking(&self, digest: &Digest) -> io::Result<Checked> {
        let file = match self.files.open(&self.layout.blob(digest)) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Checked::Absent),
            Err(error) => return Err(error),
        };
        let seen = file.metadata()?;
        let mut verifier = Verifier::new(&[digest.algorithm()]);
        hash(&*file, &mut verifier, seen.length, self.options.piece_bytes)
            .inspect_err(|_| self.checks.forget(digest))?;
        Ok(self.judge(digest, verifier, seen))
    }

    /// Compares what was hashed with the name, and notes the result.
    pub(crate) fn judge(&self, digest: &Digest, verifier: Verifier, seen: Metadata) -> Checked {
        if verifier.finish().contains(digest) {
            self.mark_checked(digest, seen);
            return Checked::Right;
        }
        // The file may have been replaced by a right one while the old one was read.
        let now = self.files.metadata(&self.layout.blob(digest));
        if matches!(now, Ok(Some(now)) if now == seen) {
            tracing::error!(%digest, "a blob does not hash to its name; its copy here is not used");
            self.checks.forget(digest);
            self.damage.note(digest);
        }
        Checked::Damaged
    }

    /// Notes that a file that looks like `seen` was hashed just now and was right.
    pub fn mark_checked(&self, digest: &Digest, seen: Metadata) {
        self.checks.note(digest, seen, (self.options.now_ms)());
        self.checks.save_now_and_then(&*self.files, &self.layout);
    }

    /// Whether the file of a blob must be hashed before its bytes may be trusted.
    pub(crate) fn is_stale(&self, digest: &Digest, seen: Metadata) -> bool {
        let now_ms = (self.options.now_ms)();
        !self.checks.is_fresh(digest, seen, now_ms, self.options.check_age_max_ms)
    }

    /// Checks a blob in the background, unless that is under way.
    pub(crate) fn start_check(self: &Arc<Self>, digest: &Digest) {
        if !held(&self.checks.running).insert(digest.clone()) {
            return;
        }
        let (store, digest) = (self.clone(), digest.clone());
        tokio::spawn(async move {
            let _permit = store.checks.permits.clone().acquire_owned().await;
            if let Err(error) = store.check(&digest).await {
                tracing::warn!(%digest, %error, "a blob could not be checked");
            }
            held(&store.checks.running).remove(&digest);
        });
    }

    /// The blobs whose file does not hash to its name, for a report to the cluster.
    pub fn damaged(&self) -> Vec<Digest> {
        held(&self.damage.noted).iter().cloned().collect()
    }

    /// Waits until damage was noted since the last call returned.
    pub async fn damage_noted(&self) {
        self.damage.changed.notified().await;
    }

    /// Moves the damaged file of the digest whose lock is held out of the way, once it was
    /// reported.
    pub async fn set_aside(self: &Arc<Self>, locked: &Guard<Digest>) -> io::Result<()> {
        let (store, locked) = (self.clone(), locked.clone());
        blocking(move || {
            let digest = locked.key();
            if store.damage.is_noted(digest) {
                let aside = store.layout.damaged_blob(digest);
                store.files.rename(&store.layout.blob(digest), &aside)?;
                store.files.sync_folder(&store.layout.blob_folder(digest))?;
                store.damage.forget(digest);
            }
            Ok(())
        })
        .await
    }
}

/// Hashes a file from where `verifier` stands up to `end`. Blocks.
pub(crate) fn hash(
    file: &dyn File,
    verifier: &mut Verifier,
    end: u64,
    piece_bytes: usize,
) -> io::Result<()> {
    while verifier.length() < end {
        let rest = usize::try_from(end - verifier.length()).unwrap_or(usize::MAX);
        let piece = pieces::piece(file, verifier.length(), rest.min(piece_bytes))?;
        verifier.update(&piece);
    }
    Ok(())
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;

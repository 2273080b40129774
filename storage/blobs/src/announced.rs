//! Uploads that have a name and no byte yet: nothing of them is on the disk.
//!
//! Most uploads are closed by the request that brings their bytes, so a folder and a file made
//! before would be made for nothing. A restart forgets them: their clients start over.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use oci::digest::Algorithm;

use crate::path::UploadId;
use crate::store::BlobStore;
use crate::upload::UploadError;

/// How many there are at most, some 200 bytes each; beyond that the oldest is forgotten.
const ANNOUNCED_MAX: usize = 65_536;

/// The uploads of which no byte came yet.
#[derive(Debug, Default)]
pub(crate) struct Announced {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    by_id: HashMap<UploadId, One>,
    /// Ids by the number under which they came.
    by_age: BTreeMap<u64, UploadId>,
    last: u64,
}

#[derive(Clone, Debug)]
struct One {
    number: u64,
    since_ms: u64,
    algorithms: Vec<Algorithm>,
}

impl Announced {
    fn insert(&self, id: &UploadId, algorithms: &[Algorithm], now_ms: u64) {
        let mut kept = self.held();
        kept.remove(id);
        if kept.by_id.len() >= ANNOUNCED_MAX
            && let Some((_, oldest)) = kept.by_age.pop_first()
        {
            kept.by_id.remove(&oldest);
        }
        kept.last += 1;
        let number = kept.last;
        kept.by_age.insert(number, id.clone());
        let one = One { number, since_ms: now_ms, algorithms: algorithms.to_vec() };
        kept.by_id.insert(id.clone(), one);
    }

    /// How the upload is to be hashed, if it is one of these.
    pub(crate) fn find(&self, id: &UploadId) -> Option<Vec<Algorithm>> {
        self.held().by_id.get(id).map(|one| one.algorithms.clone())
    }

    /// Forgets an upload; false where it is none of these.
    pub(crate) fn remove(&self, id: &UploadId) -> bool {
        self.held().remove(id)
    }

    /// Forgets those announced at `until_ms` or before; returns how many.
    pub(crate) fn remove_until(&self, until_ms: u64) -> usize {
        let mut kept = self.held();
        let mut removed = 0;
        while let Some((_, oldest)) = kept.by_age.first_key_value()
            && kept.by_id.get(oldest).is_none_or(|one| one.since_ms <= until_ms)
        {
            let oldest = oldest.clone();
            removed += usize::from(kept.remove(&oldest));
        }
        removed
    }

    fn held(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn remove(&mut self, id: &UploadId) -> bool {
        let Some(one) = self.by_id.remove(id) else { return false };
        self.by_age.remove(&one.number);
        true
    }
}

impl BlobStore {
    /// Takes note of an upload under a new id, to be hashed by `algorithms`. Its file is made when
    /// it is opened for its first bytes.
    ///
    /// # Errors
    ///
    /// `Unknown` for an id that cannot be one, and `NoSpace`.
    pub fn announce_upload(&self, id: &str, algorithms: &[Algorithm]) -> Result<(), UploadError> {
        let id = UploadId::parse(id).ok_or(UploadError::Unknown)?;
        self.check_room()?;
        self.announced.insert(&id, algorithms, (self.options.now_ms)());
        Ok(())
    }

    /// Whether an upload was announced and no byte of it has come.
    pub fn is_announced(&self, id: &str) -> bool {
        UploadId::parse(id).is_some_and(|id| self.announced.find(&id).is_some())
    }

    /// Forgets an upload that was announced; its bytes came another way.
    pub fn forget_announced(&self, id: &str) {
        if let Some(id) = UploadId::parse(id) {
            self.announced.remove(&id);
        }
    }

    /// Forgets the announced uploads of which no byte came for `idle_max_ms`; returns how many.
    pub(crate) fn sweep_announced(self: &Arc<Self>, idle_max_ms: u64) -> usize {
        let until_ms = (self.options.now_ms)().checked_sub(idle_max_ms);
        until_ms.map_or(0, |until_ms| self.announced.remove_until(until_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: usize) -> UploadId {
        UploadId::parse(&format!("upload-{number}")).unwrap()
    }

    #[test]
    fn the_oldest_are_forgotten_by_age_and_beyond_the_bound() {
        let announced = Announced::default();
        for number in 0..=ANNOUNCED_MAX {
            announced.insert(&id(number), &[Algorithm::Sha512], number as u64);
        }
        assert_eq!(announced.find(&id(0)), None, "beyond the bound");
        assert_eq!(announced.find(&id(1)), Some(vec![Algorithm::Sha512]));
        assert_eq!(announced.remove_until(100), 100);
        assert_eq!(announced.find(&id(100)), None);
        assert!(announced.remove(&id(101)));
        assert!(!announced.remove(&id(101)));
        let kept = announced.held();
        assert_eq!(kept.by_id.len(), ANNOUNCED_MAX - 101);
        assert_eq!(kept.by_age.len(), kept.by_id.len());
    }

    #[test]
    fn one_that_is_announced_anew_is_young_again() {
        let announced = Announced::default();
        announced.insert(&id(1), &[Algorithm::Sha256], 1);
        announced.insert(&id(2), &[Algorithm::Sha256], 2);
        announced.insert(&id(1), &[Algorithm::Sha256], 3);
        assert_eq!(announced.remove_until(2), 1);
        assert!(announced.find(&id(1)).is_some());
    }
}

//! Which repository of the destination has which blob, and who is bringing one just now.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use oci::digest::Digest;
use tokio::sync::OwnedMutexGuard;

/// Blobs that are remembered; what lies beyond is asked for or sent again.
const BLOBS_MAX: usize = 500_000;

/// Where a blob was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// A repository of the destination.
    pub repository: String,
    /// Whether this run saw it there; else a former run did, and it may be gone.
    pub is_certain: bool,
}

type Locks = Arc<Mutex<HashMap<Digest, Arc<tokio::sync::Mutex<()>>>>>;

/// What is known of the destination's blobs.
#[derive(Default)]
pub struct Known {
    holders: Mutex<HashMap<Digest, Holder>>,
    busy: Locks,
}

/// While this is held nobody else brings the same blob.
pub struct Alone {
    guard: Option<OwnedMutexGuard<()>>,
    digest: Digest,
    busy: Locks,
}

impl Drop for Alone {
    fn drop(&mut self) {
        drop(self.guard.take());
        let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody else holds it and, the map being locked, nobody is about to wait for it.
        if busy.get(&self.digest).is_some_and(|lock| Arc::strong_count(lock) == 1) {
            busy.remove(&self.digest);
        }
    }
}

impl Known {
    /// What a former run saw.
    pub fn new(blobs: Vec<(Digest, String)>) -> Self {
        let known = Self::default();
        for (digest, repository) in blobs {
            known.keep(&digest, Holder { repository, is_certain: false });
        }
        known
    }

    /// Who has this blob.
    pub fn holder(&self, digest: &Digest) -> Option<Holder> {
        self.holders.lock().unwrap_or_else(PoisonError::into_inner).get(digest).cloned()
    }

    /// Remembers who has a blob; whether that is news.
    pub fn keep(&self, digest: &Digest, holder: Holder) -> bool {
        let mut holders = self.holders.lock().unwrap_or_else(PoisonError::into_inner);
        if holders.len() >= BLOBS_MAX && !holders.contains_key(digest) {
            return false;
        }
        let before = holders.insert(digest.clone(), holder);
        before.is_none()
    }

    /// Waits until nobody else brings this blob.
    pub async fn alone(&self, digest: &Digest) -> Alone {
        let lock = {
            let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
            busy.entry(digest.clone()).or_default().clone()
        };
        let guard = Some(lock.lock_owned().await);
        Alone { guard, digest: digest.clone(), busy: self.busy.clone() }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use oci::digest::Algorithm;
    use oci::verifier::digest_of;
    use tokio::time::timeout;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_at_a_time_brings_a_blob_and_nothing_is_left_behind() {
        let known = Known::default();
        let [one, other] = [b"1", b"2"].map(|text| digest_of(Algorithm::Sha256, text));
        let first = known.alone(&one).await;
        let _other = known.alone(&other).await;
        assert!(timeout(Duration::from_secs(1), known.alone(&one)).await.is_err());
        drop(first);
        drop(known.alone(&one).await);
        assert_eq!(known.busy.lock().unwrap().len(), 1);
    }

    #[test]
    fn what_a_former_run_saw_is_only_a_hint() {
        let digest = digest_of(Algorithm::Sha256, b"1");
        let known = Known::new(vec![(digest.clone(), "a/b".to_owned())]);
        assert_eq!(known.holder(&digest).map(|it| it.is_certain), Some(false));
        let sure = Holder { repository: "a/c".to_owned(), is_certain: true };
        assert!(!known.keep(&digest, sure.clone()));
        assert_eq!(known.holder(&digest), Some(sure));
    }
}

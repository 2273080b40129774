//! Locks by key: one holder a digest, one writer an upload, no matter how many there are.

use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

type Table<K> = Arc<Mutex<HashMap<K, Arc<AsyncMutex<()>>>>>;

/// The locks of one kind of key. A key costs memory only while it is locked or waited for.
#[derive(Debug)]
pub struct Locks<K: Eq + Hash> {
    table: Table<K>,
}

impl<K: Eq + Hash> Default for Locks<K> {
    fn default() -> Self {
        Self { table: Table::default() }
    }
}

impl<K: Clone + Eq + Hash> Locks<K> {
    /// Waits until nobody holds `key`, in the order of asking, and holds it.
    pub async fn lock(&self, key: &K) -> Guard<K> {
        let mutex = {
            let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
            table.entry(key.clone()).or_default().clone()
        };
        // Made before the wait, so that a caller who gives up tidies the table as well.
        let mut held = Held { key: key.clone(), table: self.table.clone(), guard: None };
        held.guard = Some(mutex.lock_owned().await);
        Guard { held: Arc::new(held) }
    }

    /// Holds `key` where nobody does.
    pub fn try_lock(&self, key: &K) -> Option<Guard<K>> {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        if table.contains_key(key) {
            return None;
        }
        let mutex: Arc<AsyncMutex<()>> = Arc::default();
        let guard = mutex.clone().try_lock_owned().ok();
        table.insert(key.clone(), mutex);
        drop(table);
        Some(Guard { held: Arc::new(Held { key: key.clone(), table: self.table.clone(), guard }) })
    }

    /// How many keys are held or waited for.
    pub fn len(&self) -> usize {
        self.table.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether no key is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A held key. Clones hold it together: it is free when the last of them is dropped.
#[derive(Clone, Debug)]
#[must_use = "the key is free again as soon as this is dropped"]
pub struct Guard<K: Eq + Hash> {
    held: Arc<Held<K>>,
}

impl<K: Eq + Hash> Guard<K> {
    /// What is held.
    pub fn key(&self) -> &K {
        &self.held.key
    }
}

#[derive(Debug)]
struct Held<K: Eq + Hash> {
    key: K,
    table: Table<K>,
    guard: Option<OwnedMutexGuard<()>>,
}

impl<K: Eq + Hash> Drop for Held<K> {
    fn drop(&mut self) {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        self.guard = None;
        // Clones are made under the table's lock only, so a count of one means nobody waits.
        if table.get(&self.key).is_some_and(|mutex| Arc::strong_count(mutex) == 1) {
            table.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn one_key_has_one_holder_and_another_key_does_not_wait() {
        let locks = Arc::new(Locks::default());
        let other = locks.lock(&"other").await;
        let inside = Arc::new(AtomicUsize::new(0));
        let tasks: Vec<_> = (0..50)
            .map(|_| {
                let (locks, inside) = (locks.clone(), inside.clone());
                tokio::spawn(async move {
                    let guard = locks.lock(&"key").await;
                    assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                    tokio::task::yield_now().await;
                    inside.fetch_sub(1, Ordering::SeqCst);
                    assert_eq!(*guard.key(), "key");
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(locks.len(), 1, "only the other key is left");
        drop(other);
        assert!(locks.is_empty());
    }

    #[tokio::test]
    async fn a_waiter_that_gives_up_leaves_nothing_behind() {
        let locks = Locks::default();
        let guard = locks.lock(&1).await;
        let second = guard.clone();
        assert!(locks.try_lock(&1).is_none());
        drop(guard);
        for _ in 0..3 {
            let mut waiting = Box::pin(locks.lock(&1));
            assert!(futures::poll!(waiting.as_mut()).is_pending());
        }
        assert_eq!(locks.len(), 1);
        drop(second);
        assert!(locks.is_empty());
        drop(locks.lock(&1).await);
        let tried = locks.try_lock(&1).unwrap();
        assert!(futures::poll!(Box::pin(locks.lock(&1)).as_mut()).is_pending());
        drop(tried);
        assert!(locks.is_empty());
    }
}

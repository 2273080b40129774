//! A bounded map that forgets what was not used lately.

use std::collections::HashMap;
use std::hash::Hash;
use std::mem;

/// Two generations: what is looked up moves to the young one; when the young one is full it becomes
/// the old one, and what was old is forgotten. Holds between half of and all of its bound.
#[derive(Debug)]
pub struct Recent<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    generation_max: usize,
}

impl<K: Eq + Hash, V> Recent<K, V> {
    /// Holds at most `entries_max`, two at least.
    pub fn new(entries_max: usize) -> Self {
        let generation_max = (entries_max / 2).max(1);
        Self { young: HashMap::new(), old: HashMap::new(), generation_max }
    }

    /// What is kept under `key`; it stays for another generation.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        if let Some((key, value)) = self.old.remove_entry(key) {
            self.insert(key, value);
        }
        self.young.get_mut(key)
    }

    /// Keeps `value` under `key`, in place of what was there.
    pub fn insert(&mut self, key: K, value: V) {
        self.old.remove(&key);
        if self.young.len() >= self.generation_max && !self.young.contains_key(&key) {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }

    /// Forgets `key`.
    pub fn remove(&mut self, key: &K) {
        self.young.remove(key);
        self.old.remove(key);
    }

    /// How many entries are kept.
    pub fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }

    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::Recent;

    #[test]
    fn it_never_holds_more_than_its_bound() {
        let mut recent = Recent::new(10);
        for key in 0..1000 {
            recent.insert(key, key);
            assert!(recent.len() <= 10, "{} entries after {key}", recent.len());
        }
        assert!(!recent.is_empty());
    }

    #[test]
    fn what_is_used_stays_and_what_is_not_goes() {
        let mut recent = Recent::new(4);
        recent.insert("used", 1);
        recent.insert("unused", 2);
        for key in ["a", "b", "c", "d", "e"] {
            assert_eq!(recent.get_mut(&"used"), Some(&mut 1), "before {key}");
            recent.insert(key, 0);
        }
        assert_eq!(recent.get_mut(&"used"), Some(&mut 1));
        assert_eq!(recent.get_mut(&"unused"), None);
    }

    #[test]
    fn a_key_is_kept_once_however_often_it_is_inserted() {
        let mut recent = Recent::new(4);
        for value in 0..10 {
            recent.insert("key", value);
        }
        assert_eq!(recent.len(), 1);
        recent.remove(&"key");
        assert_eq!(recent.get_mut(&"key"), None);
    }
}

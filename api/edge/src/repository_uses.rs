//! How often repositories are pulled from and pushed to here, until the cluster is told.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use metadata::repositories::RepositoryNumber;
use metadata::repositories::counts::RepositoryUse;

/// Repositories that are counted between two tellings, at most; uses of others are not counted.
const REPOSITORIES_MAX: usize = 100_000;

/// Pulls and pushes by repository.
#[derive(Default)]
pub struct RepositoryUses {
    counted: Mutex<HashMap<u64, (u64, u64)>>,
}

impl RepositoryUses {
    /// An image was pulled.
    pub fn pulled(&self, repository: RepositoryNumber) {
        self.add(repository.0, (1, 0));
    }

    /// An image was pushed under a tag.
    pub fn pushed(&self, repository: RepositoryNumber) {
        self.add(repository.0, (0, 1));
    }

    /// Takes what was counted, of some repositories.
    pub fn take(&self, repositories_max: usize) -> Vec<RepositoryUse> {
        let mut counted = self.lock();
        let numbers: Vec<u64> = counted.keys().take(repositories_max).copied().collect();
        let uses = numbers.into_iter().filter_map(|number| {
            let (pulls, pushes) = counted.remove(&number)?;
            Some(RepositoryUse { number, pulls, pushes })
        });
        uses.collect()
    }

    /// Counts again what could not be told.
    pub fn give_back(&self, uses: &[RepositoryUse]) {
        for used in uses {
            self.add(used.number, (used.pulls, used.pushes));
        }
    }

    fn add(&self, number: u64, (pulls, pushes): (u64, u64)) {
        let mut counted = self.lock();
        if counted.len() >= REPOSITORIES_MAX && !counted.contains_key(&number) {
            return;
        }
        let sums = counted.entry(number).or_default();
        *sums = (sums.0.saturating_add(pulls), sums.1.saturating_add(pushes));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, (u64, u64)>> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use metadata::repositories::RepositoryNumber;

    use super::{REPOSITORIES_MAX, RepositoryUses};

    fn taken(uses: &RepositoryUses) -> Vec<(u64, u64, u64)> {
        let mut taken: Vec<_> =
            uses.take(10).iter().map(|u| (u.number, u.pulls, u.pushes)).collect();
        taken.sort_unstable();
        taken
    }

    #[test]
    fn uses_are_added_up_until_they_are_taken_and_may_be_given_back() {
        let uses = RepositoryUses::default();
        let (one, two) = (RepositoryNumber(1), RepositoryNumber(2));
        for _ in 0..3 {
            uses.pulled(one);
        }
        uses.pushed(one);
        uses.pushed(two);
        let first = uses.take(10);
        assert!(uses.take(10).is_empty());
        uses.pulled(two);
        uses.give_back(&first);
        assert_eq!(taken(&uses), [(1, 3, 1), (2, 1, 1)]);
        uses.pulled(one);
        uses.pulled(two);
        assert_eq!(uses.take(1).len(), 1);
        assert_eq!(uses.take(1).len(), 1);
    }

    #[test]
    fn no_more_repositories_are_counted_than_there_is_room_for() {
        let uses = RepositoryUses::default();
        for number in 0..=REPOSITORIES_MAX as u64 {
            uses.pulled(RepositoryNumber(number));
        }
        uses.pulled(RepositoryNumber(0));
        let all = uses.take(usize::MAX);
        assert_eq!(all.len(), REPOSITORIES_MAX);
        assert_eq!(all.iter().map(|used| used.pulls).sum::<u64>(), REPOSITORIES_MAX as u64 + 1);
    }
}

//! Pulls that this replica answered, until they are told to the cluster.
//!
//! They are events that people look at, so what does not fit is dropped, and what is here when a
//! replica is killed is lost: no pull waits for the log. The same pull by the same account between
//! two tellings counts once.

use std::collections::HashSet;
use std::mem;
use std::sync::{Mutex, PoisonError};

use metadata::accounts::AccountId;
use metadata::events::pulls::Pull;
use oci::digest::Digest;
use oci::name::{RepositoryName, TagName};

/// Pulls that wait to be told, at most.
const WAITING_MAX: usize = metadata::events::pulls::BATCH_MAX;

/// What a pull is known by.
type Key = (RepositoryName, Option<TagName>, Digest, Option<AccountId>);

/// Pulls that wait to be told.
#[derive(Debug, Default)]
pub struct Pulls {
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    known: HashSet<Key>,
    /// In the order they came.
    pulls: Vec<Pull>,
}

impl Pulls {
    /// Notes that `actor`, or somebody who did not sign in, pulled a manifest.
    pub fn note(
        &self,
        repository: &RepositoryName,
        tag: Option<&TagName>,
        digest: &Digest,
        actor: Option<AccountId>,
    ) {
        let key = (repository.clone(), tag.cloned(), digest.clone(), actor);
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.pulls.len() < WAITING_MAX && waiting.known.insert(key.clone()) {
            let (repository, tag, digest, actor) = key;
            waiting.pulls.push(Pull { repository, tag, digest, actor });
        }
    }

    /// Takes all that wait, in the order they came.
    pub fn take(&self) -> Vec<Pull> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        mem::take(&mut *waiting).pulls
    }
}

#[cfg(test)]
mod tests {
    use oci::digest::Algorithm;
    use oci::verifier::digest_of;

    use super::*;

    #[test]
    fn a_pull_counts_once_until_it_is_told_and_what_does_not_fit_is_dropped() {
        let pulls = Pulls::default();
        let (repository, tag) =
            (RepositoryName::parse("a/b").unwrap(), TagName::parse("v1").unwrap());
        let digest = digest_of(Algorithm::Sha256, b"m");
        for _ in 0..3 {
            pulls.note(&repository, Some(&tag), &digest, Some([1; 16]));
            pulls.note(&repository, Some(&tag), &digest, None);
            pulls.note(&repository, None, &digest, None);
        }
        let told = pulls.take();
        let found: Vec<_> = told.iter().map(|pull| (pull.tag.is_some(), pull.actor)).collect();
        assert_eq!(found, [(true, Some([1; 16])), (true, None), (false, None)]);
        assert!(pulls.take().is_empty());
        for number in 0..2 * WAITING_MAX {
            let digest = digest_of(Algorithm::Sha256, &number.to_be_bytes());
            pulls.note(&repository, None, &digest, None);
        }
        assert_eq!(pulls.take().len(), WAITING_MAX);
    }
}

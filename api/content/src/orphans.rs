//! Orphans: files of this disk that no row lists. What a crash, a snapshot or a broken push left
//! over is let go by a command of its own, and unlinked like all else.
//!
//! Source: consistency 5, invariant B7.

use std::collections::HashMap;
use std::time::Duration;

use blobs::store::List;
use consensus::cluster::{Failure, Freshness};
use futures::StreamExt;
use metadata::command::Command;
use metadata::holders::{self, Forget};
use metadata::settings;
use oci::digest::Digest;
use tokio::time::{Instant, sleep};

use crate::content::Content;
use crate::failure::ContentFailure;

/// Files that are looked at between two reads of the tables.
const PART: usize = 256;
/// Between two passes, at least.
const PASS_EVERY: Duration = Duration::from_secs(20);
/// A pass is followed by so many times its own length of rest.
const REST_FACTOR: u32 = 100;
/// Orphans that are followed at once; later passes find the others.
const FOLLOWED_MAX: usize = 50_000;
/// Commands on their way at once.
const PROPOSED_MAX: usize = 16;

/// Files without a row, and since when this life of the process knows of them.
#[derive(Debug, Default)]
struct Orphans {
    seen: HashMap<Digest, Instant>,
    /// Those of the pass under way.
    still_there: HashMap<Digest, Instant>,
}

impl Orphans {
    /// Notes one; since when it is known.
    fn note(&mut self, digest: &Digest, now: Instant) -> Option<Instant> {
        if self.still_there.len() >= FOLLOWED_MAX {
            return None;
        }
        let since = self.seen.get(digest).copied().unwrap_or(now);
        self.still_there.insert(digest.clone(), since);
        Some(since)
    }

    /// A pass has ended.
    fn turn(&mut self) {
        self.seen = std::mem::take(&mut self.still_there);
    }
}

/// Whether an orphan is let go: it is no push under way, by what this process saw, and it is older
/// than the grace time, by its file. Neither decides what is safe, only what is a nuisance: a
/// receipt that was given counts no more then, and its client sends the blob again.
fn is_due(known_for: Duration, least: Duration, age: Duration, grace: Duration) -> bool {
    known_for >= least && age >= grace
}

impl Content {
    /// Looks for orphans until it is dropped.
    pub async fn find_orphans(&self) {
        let mut orphans = Orphans::default();
        loop {
            let begun = Instant::now();
            match self.find_orphans_once(&mut orphans).await {
                Ok(0) => {}
                Ok(forgotten) => tracing::info!(forgotten, "files without a row were let go"),
                Err(error) => tracing::debug!(%error, "orphans are looked for later"),
            }
            sleep(PASS_EVERY.max(begun.elapsed().saturating_mul(REST_FACTOR))).await;
        }
    }

    /// One pass over the disk; how many files were let go.
    async fn find_orphans_once(&self, orphans: &mut Orphans) -> Result<usize, ContentFailure> {
        let cluster = &self.shared.cluster;
        if cluster.quorum_ok().is_err() {
            return Ok(0);
        }
        let grace_s = cluster.read(Freshness::Local, |view| Ok(settings::get(view)?.grace_s));
        let grace = Duration::from_secs(grace_s.await?).max(self.collection_grace_min());
        let least = self.shared.limits.orphan_known_min;
        let (own, mut list, mut forgotten) = (cluster.replica_id(), self.shared.store.list(), 0);
        loop {
            let (rest, part) = next_part(list).await?;
            list = rest;
            if part.is_empty() {
                break;
            }
            let read = cluster.read(Freshness::Local, |view| holders::unlisted(view, &part, own));
            let mut due = Vec::new();
            for digest in read.await? {
                let Some(since) = orphans.note(&digest, Instant::now()) else { continue };
                let age = self.shared.store.age_of(&digest);
                let age = age.map_err(|error| ContentFailure::disk("an orphan", &error))?;
                if age.is_some_and(|age| is_due(since.elapsed(), least, age, grace)) {
                    due.push(digest);
                }
            }
            forgotten += self.forget(due).await;
        }
        orphans.turn();
        Ok(forgotten)
    }

    /// Asks leave to unlink files; how many were let go.
    async fn forget(&self, digests: Vec<Digest>) -> usize {
        let replica_id = self.shared.cluster.replica_id();
        let asked = futures::stream::iter(digests).map(|digest| async move {
            let command = Command::Forget(Forget { digest: digest.clone(), replica_id });
            match self.shared.cluster.propose(command).await {
                Ok(_) => true,
                // It was listed meanwhile.
                Err(Failure::Refused(refusal)) => {
                    tracing::debug!(%digest, %refusal, "an orphan is none any more");
                    false
                }
                Err(error) => {
                    tracing::debug!(%digest, %error, "an orphan is let go later");
                    false
                }
            }
        });
        let asked = asked.buffer_unordered(PROPOSED_MAX);
        asked.fold(0, |sum, let_go| async move { sum + usize::from(let_go) }).await
    }
}

/// The next files of a walk; none at its end. A file that cannot be looked at is passed over.
async fn next_part(mut list: List) -> Result<(List, Vec<Digest>), ContentFailure> {
    let walked = tokio::task::spawn_blocking(move || {
        let mut part = Vec::new();
        for found in list.by_ref() {
            match found {
                Ok((digest, _)) => part.push(digest),
                Err(error) => tracing::warn!(%error, "a part of the content folder is unreadable"),
            }
            if part.len() == PART {
                break;
            }
        }
        (list, part)
    });
    walked.await.map_err(|error| ContentFailure::Fault(format!("a walk ended early: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use oci::digest::Algorithm;
    use oci::verifier::digest_of;

    #[test]
    fn an_orphan_goes_once_it_is_known_for_a_while_and_older_than_the_grace_time() {
        let [none, minute, day] = [0, 60, 86_400].map(Duration::from_secs);
        // (known for, age, grace, due)
        let cases = [
            (minute, day, day, true),
            (minute, minute, none, true),
            (none, day, day, false),
            (minute, minute, day, false),
            (none, none, none, false),
        ];
        for (known_for, age, grace, due) in cases {
            assert_eq!(is_due(known_for, minute, age, grace), due, "{known_for:?} {age:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_orphan_that_was_listed_meanwhile_is_a_new_one_the_next_time() {
        let x = digest_of(Algorithm::Sha256, b"x");
        let (mut orphans, first) = (Orphans::default(), Instant::now());
        assert_eq!(orphans.note(&x, first), Some(first));
        orphans.turn();
        sleep(Duration::from_secs(5)).await;
        assert_eq!(orphans.note(&x, Instant::now()), Some(first));
        orphans.turn();
        orphans.turn();
        assert_eq!(orphans.note(&x, Instant::now()), Some(Instant::now()));
    }
}

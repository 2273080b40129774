//! Unlinking: the files that the cluster let go leave this disk.
//!
//! Releases are rows of the tables, in the order of the log, so this replica reads on from where it
//! was; nothing that applies entries has to wait for a disk. What it passes over, after a start or
//! because a receipt came later, is found as an orphan ([`crate::orphans`]).
//!
//! Source: consistency 5.

use std::time::Duration;

use consensus::cluster::Freshness;
use metadata::holders;
use metadata::releases;
use oci::digest::Digest;
use tokio::time::sleep;

use crate::content::Content;
use crate::failure::ContentFailure;

/// Releases that are looked at in one read.
const LOOKED_AT_ONCE: usize = 500;
/// Between two looks, while entries come.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// After a barrier that could not be passed.
const BARRIER_AGAIN: Duration = Duration::from_secs(1);

impl Content {
    /// Unlinks what is let go, until it is dropped.
    pub async fn unlink_released(&self) {
        let cluster = &self.shared.cluster;
        while let Err(error) = cluster.barrier().await {
            tracing::debug!(%error, "nothing is unlinked before the first barrier");
            sleep(BARRIER_AGAIN).await;
        }
        let begun = cluster.applied_index();
        self.shared.given.begin(begun);
        let (mut from, mut applied) = (releases::after(begun), cluster.watch_applied());
        loop {
            if let Err(error) = self.unlink_from(&mut from).await {
                tracing::debug!(%error, "released files are unlinked later");
            }
            sleep(LOOK_EVERY).await;
            if applied.changed().await.is_err() {
                return;
            }
        }
    }

    /// Looks at all releases from `from` on, and moves it behind them.
    async fn unlink_from(&self, from: &mut Vec<u8>) -> Result<(), ContentFailure> {
        let cluster = &self.shared.cluster;
        let own = cluster.replica_id();
        loop {
            // Whatever is applied by now is in what is read next.
            let applied = cluster.applied_index();
            let part = cluster
                .read(Freshness::Local, |view| releases::of(view, own, from, LOOKED_AT_ONCE));
            let part = part.await?;
            for (index, digest) in &part.found {
                if let Err(error) = self.unlink(digest, *index).await {
                    tracing::warn!(%digest, %error, "a released file could not be unlinked");
                }
            }
            let Some(next) = part.next else {
                *from = releases::after(applied).max(std::mem::take(from));
                self.shared.given.pass(applied);
                return Ok(());
            };
            *from = next;
        }
    }

    /// Unlinks a file after the release in the entry at `index`, unless this replica has vouched
    /// for it since or is listed as its holder; whether it did.
    async fn unlink(&self, digest: &Digest, index: u64) -> Result<bool, ContentFailure> {
        let cluster = &self.shared.cluster;
        let locked = self.shared.store.lock(digest).await;
        let found = self.shared.store.size_of(digest);
        let found = found.map_err(|error| ContentFailure::disk("looking for a blob", &error))?;
        // What is damaged is set aside by healing, for people to look at.
        if found.is_none() || !self.shared.given.lets_go(digest, index) {
            return Ok(false);
        }
        let own = cluster.replica_id();
        let is_listed =
            cluster.read(Freshness::Local, |view| holders::is_listed(view, digest, own)).await?;
        if is_listed {
            return Ok(false);
        }
        let removed = self.shared.store.remove(&locked).await;
        let removed = removed.map_err(|error| ContentFailure::disk("unlinking a blob", &error))?;
        tracing::debug!(%digest, index, "a released file was unlinked");
        Ok(removed)
    }
}

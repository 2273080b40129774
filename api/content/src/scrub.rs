//! Scrub: every file of this disk is hashed once a fortnight, so that bytes which rot are found
//! while another replica still has them.
//!
//! What is found damaged is noted by the store; healing reports it, sets it aside and fetches it
//! anew. Files that were hashed lately, when they came or were read, are passed over. The work is
//! spread over the whole time, so that it is not felt.
//!
//! Source: consistency 6.

use std::time::Duration;

use blobs::check::Checked;
use blobs::store::List;
use oci::digest::Digest;
use tokio::time::{Instant, sleep};

use crate::content::Content;
use crate::failure::ContentFailure;

/// Files that are looked up between two pauses.
const PART: usize = 256;
/// What a file costs beside its bytes, as bytes: so that very many small ones are spread, too.
const FILE_COST_BYTES: u64 = 64 * 1024;
/// Between two walks over the disk, a part of the time for all, and no longer than this.
const REST_PART: u32 = 24;
const REST_MAX: Duration = Duration::from_hours(1);

/// How much there is to hash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Load {
    cost_bytes: u64,
}

impl Load {
    fn add(&mut self, size: u64) {
        self.cost_bytes = self.cost_bytes.saturating_add(cost(size));
    }

    /// The share of `all` that one file takes.
    fn share(self, size: u64, all: Duration) -> Duration {
        let part = u128::from(cost(size).min(self.cost_bytes.max(1)));
        let millis = all.as_millis() * part / u128::from(self.cost_bytes.max(1));
        Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
    }
}

fn cost(size: u64) -> u64 {
    size.saturating_add(FILE_COST_BYTES)
}

impl Content {
    /// Hashes all files again and again, until it is dropped; returns at once where it is off.
    pub async fn scrub(&self) {
        let every = self.shared.limits.scrub_every;
        if every.is_zero() {
            return;
        }
        loop {
            match self.scrub_once(every).await {
                Ok(0) => {}
                Ok(damaged) => tracing::warn!(damaged, "scrub found damaged files"),
                Err(error) => tracing::warn!(%error, "scrub goes on later"),
            }
            sleep(REST_MAX.min(every / REST_PART)).await;
        }
    }

    /// One walk over the disk; how many files were damaged.
    async fn scrub_once(&self, every: Duration) -> Result<usize, ContentFailure> {
        let (mut load, mut list, mut damaged) = (Load::default(), self.shared.store.list(), 0);
        loop {
            let (rest, part) = next_part(list).await?;
            list = rest;
            if part.is_empty() {
                break;
            }
            for (_, size) in part {
                load.add(size);
            }
        }
        let mut list = self.shared.store.list();
        loop {
            let (rest, part) = next_part(list).await?;
            list = rest;
            if part.is_empty() {
                return Ok(damaged);
            }
            for (digest, size) in part {
                let looked = self.shared.store.was_checked_within(&digest, every);
                let is_fresh = looked.map_err(|error| ContentFailure::disk("scrubbing", &error))?;
                if is_fresh {
                    continue;
                }
                let begun = Instant::now();
                match self.shared.store.check(&digest).await {
                    Ok(Checked::Damaged) => damaged += 1,
                    Ok(Checked::Right | Checked::Absent) => {}
                    Err(error) => tracing::warn!(%digest, %error, "a file could not be scrubbed"),
                }
                sleep(load.share(size, every).saturating_sub(begun.elapsed())).await;
            }
        }
    }
}

/// The next files of a walk with their sizes; none at its end.
async fn next_part(mut list: List) -> Result<(List, Vec<(Digest, u64)>), ContentFailure> {
    let walked = tokio::task::spawn_blocking(move || {
        let part: Vec<_> = list.by_ref().filter_map(Result::ok).take(PART).collect();
        (list, part)
    });
    walked.await.map_err(|error| ContentFailure::Fault(format!("a walk ended early: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_shares_together_are_the_whole_time() {
        let fortnight = Duration::from_hours(14 * 24);
        let sizes = [0, 1, 1 << 20, 5 << 30, 700];
        let mut load = Load::default();
        for size in sizes {
            load.add(size);
        }
        let shares: Duration = sizes.iter().map(|size| load.share(*size, fortnight)).sum();
        assert!(shares <= fortnight && shares + Duration::from_secs(1) > fortnight, "{shares:?}");
        assert!(load.share(5 << 30, fortnight) > load.share(1 << 20, fortnight) * 1_000);
        // A file that came after the first walk.
        assert!(load.share(u64::MAX, fortnight) <= fortnight);
        assert_eq!(Load::default().share(0, Duration::ZERO), Duration::ZERO);
    }
}

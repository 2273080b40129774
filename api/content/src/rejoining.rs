//! Content that was here before this replica was: the folder of a former life that joined anew.
//!
//! The files are hashed, and those that the cluster knows and that this replica is not listed for
//! are offered with a receipt. What the cluster does not know stays where it is.

use std::time::Duration;

use blobs::store::List;
use metadata::blobs::State;
use oci::digest::Digest;
use tokio::task::spawn_blocking;

use crate::content::Content;
use crate::failure::ContentFailure;

/// Files that are listed at once.
const BATCH: usize = 256;
/// After a failure, such as a majority that does not answer.
const RETRY: Duration = Duration::from_secs(2);

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offered {
    /// Files that were looked at.
    pub seen: u64,
    /// Copies that the cluster lists now.
    pub listed: u64,
    /// Files that do not hash to their names.
    pub damaged: u64,
}

impl Content {
    /// Offers every file that is here to the cluster; goes on until it has been through all.
    pub async fn offer_found(&self) -> Result<Offered, ContentFailure> {
        let mut offered = Offered::default();
        let mut list = self.shared.store.list();
        // What is judged must not be older than this replica's membership.
        while self.shared.cluster.barrier().await.is_err() {
            tokio::time::sleep(RETRY).await;
        }
        loop {
            let (rest, batch) = next_batch(list).await?;
            list = rest;
            if batch.is_empty() {
                return Ok(offered);
            }
            for (digest, size) in batch {
                offered.seen += 1;
                while let Err(error) = self.offer(&digest, size, &mut offered).await {
                    tracing::debug!(%digest, %error, "a file found here is offered again later");
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }

    async fn offer(
        &self,
        digest: &Digest,
        size: u64,
        offered: &mut Offered,
    ) -> Result<(), ContentFailure> {
        let Some((row, holders)) = self.row(digest).await? else { return Ok(()) };
        debug_assert_eq!(row.state, State::Live);
        if row.size != size || holders.contains(&self.shared.cluster.replica_id()) {
            return Ok(());
        }
        match self.receipt_if_here(digest, size).await? {
            Some(receipt) => {
                offered.listed += u64::from(self.list_holder(digest, Some(receipt)).await?);
            }
            None => offered.damaged += 1,
        }
        Ok(())
    }
}

/// The next files of `list`, which is walked where it may block.
async fn next_batch(mut list: List) -> Result<(List, Vec<(Digest, u64)>), ContentFailure> {
    let listed = spawn_blocking(move || {
        let batch: std::io::Result<Vec<_>> = list.by_ref().take(BATCH).collect();
        batch.map(|batch| (list, batch))
    });
    let listed = listed.await.map_err(|ended| ContentFailure::Fault(ended.to_string()))?;
    listed.map_err(|error| ContentFailure::disk("listing blobs", &error))
}

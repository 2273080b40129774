//! After a restore nobody is known to hold anything: this replica looks through its store, hashes
//! what the state names, and has itself listed.

use std::time::Duration;

use consensus::cluster::{Failure, Freshness};
use metadata::adoption;
use metadata::blobs::{self as rows, State};
use oci::digest::Digest;

use crate::content::Content;
use crate::failure::ContentFailure;

/// Files that are looked up at once.
const PAGE: usize = 500;
/// Between two walks, at first and at most: files may be put there meanwhile.
const REST_MIN: Duration = Duration::from_secs(2);
const REST_MAX: Duration = Duration::from_mins(1);
/// How often it is asked whether there is anything to adopt.
const ASK_EVERY: Duration = Duration::from_secs(30);

impl Content {
    /// Adopts for as long as the cluster is in adoption; waits for one otherwise. Until dropped.
    pub async fn adopt(&self) {
        let mut rest = REST_MIN;
        loop {
            let open = self.shared.cluster.read(Freshness::Local, |view| adoption::open(view));
            if !matches!(open.await, Ok(Some(_))) {
                tokio::time::sleep(ASK_EVERY).await;
                rest = REST_MIN;
                continue;
            }
            match self.adopt_once().await {
                Ok(0) => {}
                Ok(adopted) => {
                    tracing::info!(adopted, "blobs of this replica's store were adopted");
                    rest = REST_MIN;
                }
                Err(error) => tracing::debug!(%error, "adoption goes on later"),
            }
            tokio::time::sleep(rest).await;
            rest = REST_MAX.min(rest * 2);
        }
    }

    /// One walk over the store; how many blobs were adopted.
    pub async fn adopt_once(&self) -> Result<usize, ContentFailure> {
        let failed = |error: std::io::Error| ContentFailure::disk("looking for blobs", &error);
        let (mut adopted, mut list) = (0, self.shared.store.list());
        loop {
            let walked = tokio::task::spawn_blocking(move || {
                let page: Result<Vec<_>, _> = list.by_ref().take(PAGE).collect();
                (page, list)
            });
            let ended =
                |_| ContentFailure::disk("looking for blobs", &std::io::Error::other("end"));
            let (page, rest) = walked.await.map_err(ended)?;
            list = rest;
            let page = page.map_err(failed)?;
            let is_last = page.len() < PAGE;
            for (digest, size) in page {
                adopted += usize::from(self.adopt_one(&digest, size).await?);
            }
            if is_last {
                return Ok(adopted);
            }
        }
    }

    /// Has this replica listed where the state names the blob and does not list it, and the file
    /// hashes to its name.
    async fn adopt_one(&self, digest: &Digest, size: u64) -> Result<bool, ContentFailure> {
        let own = self.shared.cluster.replica_id();
        let read = self.shared.cluster.read(Freshness::Local, |view| {
            let Some(row) = rows::find(view, digest)? else { return Ok(None) };
            let is_listed = rows::holders(view, &row)?.contains(&own);
            Ok(Some((row, is_listed)))
        });
        let found: Result<_, Failure> = read.await;
        let Some((row, is_listed)) = found? else { return Ok(false) };
        if is_listed || row.state != State::Live || row.size != size {
            return Ok(false);
        }
        match self.checked_receipt(digest, size).await? {
            Some(receipt) => self.list_holder(digest, Some(receipt)).await,
            None => Ok(false),
        }
    }
}

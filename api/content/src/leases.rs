//! While an upload is open in a repository, the repository's unreferenced blobs stay.
//!
//! A push of many layers may take longer than a lease: what it uploaded first must still be there
//! when its manifest comes.

use std::collections::BTreeSet;
use std::time::Duration;

use consensus::cluster::Freshness;
use metadata::command::Command;
use metadata::leases::{self, LeaseRenew};
use oci::digest::Digest;
use oci::name::RepositoryName;

use crate::content::Content;
use crate::failure::ContentFailure;

/// Between two looks at the leases. A lease is renewed when a quarter of it is gone, and lasts an
/// hour at least, so that none ends between two looks.
const LOOK_EVERY: Duration = Duration::from_mins(5);

/// Digests in one command, some 36 KiB.
const DIGESTS_MAX: usize = 1_000;

impl Content {
    /// Renews leases until it is dropped.
    pub async fn renew_leases(&self) {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            if let Err(error) = self.renew_leases_once().await {
                tracing::debug!(%error, "leases are renewed later");
            }
        }
    }

    /// Renews the leases of every repository that has an upload open here.
    pub async fn renew_leases_once(&self) -> Result<(), ContentFailure> {
        let open = self.shared.uploads.all();
        let repositories: BTreeSet<RepositoryName> =
            open.iter().map(|upload| upload.repository().clone()).collect();
        for repository in repositories {
            let mut last: Option<Digest> = None;
            loop {
                let (digests, seen) = self.to_renew(&repository, last.as_ref()).await?;
                if !digests.is_empty() {
                    let renew = LeaseRenew { repository: repository.clone(), digests };
                    self.shared.cluster.propose(Command::LeaseRenew(renew)).await?;
                }
                if seen.is_none() {
                    break;
                }
                last = seen;
            }
        }
        Ok(())
    }

    /// Some blobs after `last` whose leases need renewal, and where to go on.
    async fn to_renew(
        &self,
        repository: &RepositoryName,
        last: Option<&Digest>,
    ) -> Result<(Vec<Digest>, Option<Digest>), ContentFailure> {
        let read = self.shared.cluster.read(Freshness::Local, |view| {
            let page = leases::unreferenced(view, repository, last, DIGESTS_MAX)?;
            let next = page.last().filter(|_| page.len() == DIGESTS_MAX).cloned();
            let mut due = Vec::new();
            for digest in page {
                if leases::needs_renewal(view, repository, &digest)? {
                    due.push(digest);
                }
            }
            Ok((due, next))
        });
        Ok(read.await?)
    }
}

//! Copies beyond those that came with a push: of manifests, of blobs with too few, and of the
//! missing.

use std::sync::Arc;

use bytes::Bytes;
use consensus::cluster::Freshness;
use metadata::blobs::{self, BlobRow, State};
use metadata::command::Command;
use metadata::holders::HolderAdd;
use metadata::receipts::Receipt;
use metadata::replica::ReplicaId;
use oci::digest::Digest;
use std::sync::PoisonError;
use tokio::time::timeout;
use transfer::PARCEL_BYTES_MAX;
use transfer::body::whole;

use crate::commit::Coming;
use crate::content::Content;
use crate::failure::ContentFailure;
use crate::placement::Field;
use crate::receipts::from_peer;
use crate::upload::{Sealed, failure};
use crate::upload_id::UploadId;
use crate::uploads::apart;

/// Hints that are kept; beyond them healing finds what is missing by itself.
const HINTS_MAX: usize = 10_000;

impl Content {
    /// Keeps bytes that are at hand, a manifest's, on a write quorum, for the command that will
    /// name them.
    ///
    /// # Errors
    ///
    /// [`ContentFailure::NoRoom`], and [`ContentFailure::TooFewHolders`] where too few replicas
    /// answer.
    pub async fn keep(
        &self,
        digest: &Digest,
        bytes: Bytes,
    ) -> Result<Vec<Receipt>, ContentFailure> {
        let (content, digest) = (self.clone(), digest.clone());
        apart(async move {
            let field = content.field().await?;
            let chosen = Content::chosen(&field, &digest.to_bytes())?;
            let size = bytes.len() as u64;
            let mut coming = content.put_at(&chosen, &digest, &bytes, None);
            let own = match content.keep_here(&digest, bytes).await {
                Ok(own) => Some(own),
                // The others were chosen so that they are enough.
                Err(ContentFailure::NoRoom) if !field.own_counts() => None,
                Err(failure) => return Err(failure),
            };
            let receipts = own.into_iter().collect();
            let mut sealed = Sealed { digest: digest.clone(), size, receipts };
            content.gather(&mut sealed, &mut coming).await?;
            Ok(sealed.receipts)
        })
        .await
    }

    /// Gives replicas a blob that is at hand, in place of an upload they may know.
    pub(crate) fn put_at(
        &self,
        replicas: &[ReplicaId],
        digest: &Digest,
        bytes: &Bytes,
        instead_of: Option<&UploadId>,
    ) -> Coming {
        let mut coming = Coming::default();
        for replica in replicas {
            let (client, digest, bytes) =
                (self.shared.client.clone(), digest.clone(), bytes.clone());
            let (to, id) = (replica.to_string(), instead_of.map(UploadId::to_string));
            coming.ask(*replica, async move {
                let id = id.as_deref();
                if bytes.len() <= PARCEL_BYTES_MAX {
                    return client.blob_put_small(&to, &digest, bytes, id).await;
                }
                client.blob_put(&to, &digest, bytes.len() as u64, id, whole(bytes)).await
            });
        }
        coming
    }

    /// Keeps a blob that is at hand on this disk.
    pub(crate) async fn keep_here(
        &self,
        digest: &Digest,
        bytes: Bytes,
    ) -> Result<Receipt, ContentFailure> {
        let locked = self.shared.store.lock(digest).await;
        let put = self.shared.store.put_locked(&locked, bytes).await;
        put.map_err(|error| failure("keeping a blob", error))?;
        Ok(self.own_receipt(digest))
    }
}

/// Until a write quorum has a blob.
impl Content {
    /// Asks those who gave `receipts` for fresh ones, since the cluster did not count enough of
    /// them; others take the places of those who have no copy any more.
    pub async fn fresh_receipts(
        &self,
        digest: &Digest,
        size: u64,
        receipts: Vec<Receipt>,
    ) -> Result<Vec<Receipt>, ContentFailure> {
        let mut sealed = Sealed { digest: digest.clone(), size, receipts };
        self.refresh(&mut sealed).await?;
        Ok(sealed.receipts)
    }

    /// Has copies made at once until each blob is on a write quorum of voters.
    ///
    /// # Errors
    ///
    /// [`ContentFailure::TooFewHolders`] where that takes more than ten seconds.
    pub async fn copies_up_to(&self, digests: &[Digest]) -> Result<(), ContentFailure> {
        let field = self.field().await?;
        let all = digests.iter().map(|digest| self.copy_now(&field, digest, field.write));
        let all = futures::future::try_join_all(all);
        let needed = field.write;
        timeout(self.shared.limits.copies_max, all)
            .await
            .unwrap_or(Err(ContentFailure::TooFewHolders { reached: needed - 1, needed }))
            .map(drop)
    }

    /// Begins to look after blobs of which copies are missing; returns at once.
    pub fn heal_soon(&self, digests: &[Digest]) {
        let mut hints = self.shared.hints.lock().unwrap_or_else(PoisonError::into_inner);
        let room = HINTS_MAX.saturating_sub(hints.len());
        hints.extend(digests.iter().take(room).cloned());
        drop(hints);
        self.shared.healing.notify_one();
    }

    /// Has copies made until `wanted` voters have the blob.
    async fn copy_now(
        &self,
        field: &Field,
        digest: &Digest,
        wanted: usize,
    ) -> Result<(), ContentFailure> {
        let Some((row, mut holders)) = self.row(digest).await? else { return Ok(()) };
        let counted = |holders: &[ReplicaId]| holders.iter().filter(|id| field.votes(**id)).count();
        let mut candidates = field.others(&digest.to_bytes());
        if field.own_counts() {
            candidates.insert(0, field.own);
        }
        for replica in candidates {
            if counted(&holders) >= wanted {
                return Ok(());
            }
            if !holders.contains(&replica) && self.copy_to(replica, digest, &row, &holders).await? {
                holders.push(replica);
            }
        }
        let reached = counted(&holders);
        if reached >= wanted {
            return Ok(());
        }
        Err(ContentFailure::TooFewHolders { reached, needed: wanted })
    }
}

impl Content {
    /// Has one replica fetch a copy and lists it; false where it could not.
    async fn copy_to(
        &self,
        replica: ReplicaId,
        digest: &Digest,
        row: &BlobRow,
        holders: &[ReplicaId],
    ) -> Result<bool, ContentFailure> {
        let own = self.shared.cluster.replica_id();
        if replica == own {
            return self.pull(digest, row.size, holders).await;
        }
        let from = holders.iter().find(|holder| **holder == own || self.is_live(**holder));
        let Some(from) = from else { return Ok(false) };
        let (to, from) = (replica.to_string(), from.to_string());
        match self.shared.client.blob_pull(&to, digest, &from).await {
            Ok(receipt) => self.list_holder(digest, from_peer(receipt)).await,
            Err(error) => {
                tracing::debug!(%digest, %replica, %error, "a replica took no copy");
                Ok(false)
            }
        }
    }

    /// Has the cluster list a holder; false where there is no receipt or it does not count.
    pub(crate) async fn list_holder(
        &self,
        digest: &Digest,
        receipt: Option<Receipt>,
    ) -> Result<bool, ContentFailure> {
        let Some(receipt) = receipt else { return Ok(false) };
        let command = Command::HolderAdd(HolderAdd { digest: digest.clone(), receipt });
        match self.shared.cluster.propose(command).await {
            Ok(_) => Ok(true),
            Err(consensus::cluster::Failure::Refused(refusal)) => {
                tracing::debug!(%digest, %refusal, "a holder was not listed");
                Ok(false)
            }
            Err(failure) => Err(failure.into()),
        }
    }

    /// A live blob's row and holders, as this replica knows them.
    pub(crate) async fn row(
        &self,
        digest: &Digest,
    ) -> Result<Option<(BlobRow, Vec<ReplicaId>)>, ContentFailure> {
        let found = self.shared.cluster.read(Freshness::Local, |view| {
            let Some(row) = blobs::find(view, digest)? else { return Ok(None) };
            let holders = blobs::holders(view, &row)?;
            Ok(Some((row, holders)))
        });
        Ok(found.await?.filter(|(row, _)| row.state == State::Live))
    }

    /// After a commit: lists the holders whose receipts came late, and has the others of `missing`
    /// fetch their copies. Returns at once.
    pub(crate) fn complete(&self, digest: Digest, missing: Vec<ReplicaId>, mut late: Coming) {
        if missing.is_empty() {
            return;
        }
        let content = self.clone();
        tokio::spawn(async move {
            while let Some((_, answered)) = late.next().await {
                let receipt = answered.ok().and_then(from_peer);
                if let Err(error) = content.list_holder(&digest, receipt).await {
                    tracing::debug!(%digest, %error, "a late holder was not listed");
                }
            }
            let Ok(_place) = Arc::clone(&content.shared.copying).acquire_owned().await else {
                return;
            };
            if let Err(error) = content.complete_now(&digest, &missing).await {
                tracing::debug!(%digest, %error, "a copy is made later");
            }
        });
    }

    async fn complete_now(
        &self,
        digest: &Digest,
        missing: &[ReplicaId],
    ) -> Result<(), ContentFailure> {
        for replica in missing {
            let Some((row, holders)) = self.row(digest).await? else { return Ok(()) };
            let wants = !holders.contains(replica) && self.is_live_or_own(*replica);
            if wants && !self.copy_to(*replica, digest, &row, &holders).await? {
                self.heal_soon(std::slice::from_ref(digest));
            }
        }
        Ok(())
    }

    fn is_live_or_own(&self, replica: ReplicaId) -> bool {
        replica == self.shared.cluster.replica_id() || self.is_live(replica)
    }
}

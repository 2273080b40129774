//! Closing an upload: seal it on every holder, gather receipts, have the cluster agree.

use std::sync::Arc;
use std::time::Duration;

use consensus::cluster::Failure;
use metadata::blobs::commands::BlobCommit;
use metadata::command::Command;
use metadata::outcome::Answer;
use metadata::refusal::Refusal;
use metadata::replica::ReplicaId;
use metadata::vouchers::Voucher;
use oci::digest::Digest;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use transfer::failure::TransferFailure;

use crate::content::{ByteStream, Committed, Content};
use crate::failure::ContentFailure;
use crate::placement::Field;
use crate::receipts::from_peer;
use crate::small::Small;
use crate::upload::{OpenUpload, Sealed, Stage, Turn, failure};
use crate::uploads::apart;

/// How long a commit that has its write quorum waits for the copies beyond it.
const EXTRA_WAIT: Duration = Duration::from_millis(250);

/// Between two looks whether those who are waited for are still there.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How often fresh receipts are gathered for one commit.
const COMMIT_TRIES: usize = 4;

/// What a replica answers that was asked for a receipt.
type Answered = Result<transfer::receipt::Receipt, TransferFailure>;

/// Receipts on their way.
#[derive(Default)]
pub(crate) struct Coming {
    asked: JoinSet<(ReplicaId, Answered)>,
    from: Vec<ReplicaId>,
}

impl Coming {
    /// Asks one more replica.
    pub(crate) fn ask(
        &mut self,
        replica: ReplicaId,
        asked: impl Future<Output = Answered> + Send + 'static,
    ) {
        self.from.push(replica);
        self.asked.spawn(async move { (replica, asked.await) });
    }

    /// The next answer; `None` when none is awaited.
    pub(crate) async fn next(&mut self) -> Option<(ReplicaId, Answered)> {
        loop {
            let answer = self.asked.join_next().await?;
            // A task that was ended or panicked gives no receipt.
            let Ok((replica, answered)) = answer else { continue };
            self.from.retain(|from| *from != replica);
            return Some((replica, answered));
        }
    }
}

impl Content {
    /// Closes an upload that is here; see [`Content::finish`].
    pub(crate) async fn finish_here(
        &self,
        upload: Arc<OpenUpload>,
        (start, body): (Option<u64>, ByteStream),
        digest: &Digest,
        voucher: Option<Voucher>,
    ) -> Result<Committed, ContentFailure> {
        let (content, digest) = (self.clone(), digest.clone());
        apart(async move {
            let mut turn = upload.take_turn(content.shared.limits.supersede_after).await;
            let sealed = content.sealed(&upload, &mut turn, (start, body), &digest).await;
            let (sealed, late) = match sealed {
                // The request before this one closed it while this one waited.
                Err(ContentFailure::UploadUnknown) => {
                    return content
                        .closed_as(&upload, &digest)
                        .ok_or(ContentFailure::UploadUnknown);
                }
                sealed => sealed?,
            };
            let committed = Committed { digest: digest.clone(), size: sealed.size };
            let missing = match content.commit(&upload, sealed, voucher).await {
                // Compared with copies that are lost since: only the client has the bytes now.
                Err(ContentFailure::TooFewHolders { .. })
                    if !content.has(&digest, committed.size)? =>
                {
                    turn.work.stage = Stage::Ended;
                    content.shared.uploads.remove(&upload.id);
                    return Err(ContentFailure::UploadUnknown);
                }
                missing => missing?,
            };
            turn.work.stage = Stage::Ended;
            content.shared.uploads.remove(&upload.id);
            content.shared.closed.insert(upload.id, upload.meta.clone(), committed.clone());
            content.complete(digest, missing, late);
            Ok(committed)
        })
        .await
    }

    fn closed_as(&self, upload: &OpenUpload, digest: &Digest) -> Option<Committed> {
        let committed = self.shared.closed.find(&upload.id, &upload.meta)?;
        (committed.digest == *digest).then_some(committed)
    }

    /// Takes the last bytes in and makes the upload a blob here and at the other holders.
    async fn sealed(
        &self,
        upload: &OpenUpload,
        turn: &mut Turn,
        (start, body): (Option<u64>, ByteStream),
        digest: &Digest,
    ) -> Result<(Sealed, Coming), ContentFailure> {
        if let Stage::Sealed(sealed) = &turn.work.stage {
            // The close is repeated, since the cluster could not agree to the first one.
            return if sealed.digest == *digest {
                Ok((sealed.clone(), Coming::default()))
            } else {
                Err(ContentFailure::DigestMismatch { expected: digest.clone() })
            };
        }
        let sealed = self.taken(upload, turn, (start, body), digest).await;
        if matches!(sealed, Err(ContentFailure::DigestMismatch { .. })) {
            self.shared.uploads.remove(&upload.id);
        }
        sealed
    }

    /// As little as is needed is written: nothing of what the cluster has, no staged upload for
    /// what is small and comes whole.
    async fn taken(
        &self,
        upload: &OpenUpload,
        turn: &mut Turn,
        (start, mut body): (Option<u64>, ByteStream),
        digest: &Digest,
    ) -> Result<(Sealed, Coming), ContentFailure> {
        if start.unwrap_or(0) == 0 && turn.work.is_untouched(self, &upload.id) {
            if self.is_seen_by(&upload.meta.account, digest).await?
                && let Some(kept) = self.kept_already(digest).await?
            {
                let sealed = self.compare(upload, turn, body, kept).await?;
                return Ok((sealed, Coming::default()));
            }
            body = match self.gather_small(turn, body).await? {
                Small::Whole(bytes) => return self.keep_small(upload, turn, digest, bytes).await,
                Small::Rest(body) => body,
            };
        }
        self.receive(upload, turn, start, body).await?;
        self.seal(upload, turn, digest).await
    }
}

/// Until it is a blob on the disks.
impl Content {
    async fn seal(
        &self,
        upload: &OpenUpload,
        turn: &mut Turn,
        digest: &Digest,
    ) -> Result<(Sealed, Coming), ContentFailure> {
        turn.work.open(self, &upload.id).await?;
        let Stage::Open(open) = std::mem::replace(&mut turn.work.stage, Stage::Ended) else {
            return Err(ContentFailure::UploadUnknown);
        };
        let lanes = std::mem::take(&mut turn.work.lanes);
        let mut coming = Coming::default();
        for replica in &lanes {
            let (client, id, digest) =
                (self.shared.client.clone(), upload.id.to_string(), digest.clone());
            let to = replica.to_string();
            coming.ask(*replica, async move { client.stage_seal(&to, &id, &digest).await });
        }
        let locked = self.shared.store.lock(digest).await;
        let sealed = open.seal_locked(&locked).await;
        let own = self.own_receipt(digest);
        drop(locked);
        match sealed {
            Ok(size) => {
                let mut sealed = Sealed { digest: digest.clone(), size, receipts: vec![own] };
                // From here on the close can be repeated without the bytes.
                turn.work.stage = Stage::Sealed(sealed.clone());
                self.gather(&mut sealed, &mut coming).await?;
                turn.work.stage = Stage::Sealed(sealed.clone());
                Ok((sealed, coming))
            }
            Err(error) => {
                let failure = failure("closing an upload", error);
                if matches!(failure, ContentFailure::DigestMismatch { .. }) {
                    self.cancel_at(&lanes, &upload.id).await;
                } else {
                    turn.work.stage = Stage::Parked;
                }
                Err(failure)
            }
        }
    }
}

/// Until a write quorum has it.
impl Content {
    /// Waits for a write quorum of receipts, and shortly for more.
    pub(crate) async fn gather(
        &self,
        sealed: &mut Sealed,
        coming: &mut Coming,
    ) -> Result<(), ContentFailure> {
        let field = self.field().await?;
        let mut extra_until = None;
        loop {
            let enough = field.counted(&sealed.receipts) >= field.write;
            let wait = if enough {
                let until = *extra_until.get_or_insert_with(|| Instant::now() + EXTRA_WAIT);
                until.saturating_duration_since(Instant::now())
            } else {
                LOOK_EVERY
            };
            match timeout(wait, coming.next()).await {
                Ok(Some((_, Ok(receipt)))) => sealed.receipts.extend(from_peer(receipt)),
                Ok(Some((replica, Err(error)))) => {
                    tracing::debug!(%replica, %error, "a holder has no copy yet");
                }
                Ok(None) => break,
                Err(_) if enough => break,
                // Nobody who is still there is waited for: others take their places.
                Err(_) if !coming.from.iter().any(|from| self.is_live(*from)) => break,
                Err(_) => {}
            }
        }
        if field.counted(&sealed.receipts) < field.write {
            self.replace(sealed).await?;
        }
        Ok(())
    }

    /// Has the next voters in order fetch copies until there is a write quorum of receipts.
    async fn replace(&self, sealed: &mut Sealed) -> Result<(), ContentFailure> {
        let field = self.field().await?;
        let Some(source) = self.source(&field, sealed)? else {
            let reached = field.counted(&sealed.receipts);
            return Err(ContentFailure::TooFewHolders { reached, needed: field.write });
        };
        let mut is_full = false;
        for replica in field.others(&sealed.digest.to_bytes()) {
            if field.counted(&sealed.receipts) >= field.write {
                break;
            }
            if sealed.has_receipt_of(replica) {
                continue;
            }
            let name = replica.to_string();
            let pull = self.shared.client.blob_pull(&name, &sealed.digest, &source);
            match self.while_live(replica, pull).await {
                Some(Ok(receipt)) => sealed.receipts.extend(from_peer(receipt)),
                outcome => {
                    is_full |= matches!(outcome, Some(Err(TransferFailure::NoRoom)));
                    tracing::debug!(%replica, ?outcome, "a replica took no copy");
                }
            }
        }
        let reached = field.counted(&sealed.receipts);
        if reached >= field.write {
            return Ok(());
        }
        if is_full {
            return Err(ContentFailure::NoRoom);
        }
        Err(ContentFailure::TooFewHolders { reached, needed: field.write })
    }

    /// Who has the bytes: this replica, or one that gave a receipt.
    fn source(&self, field: &Field, sealed: &Sealed) -> Result<Option<String>, ContentFailure> {
        if self.has(&sealed.digest, sealed.size)? {
            return Ok(Some(field.own.to_string()));
        }
        let givers = sealed.receipts.iter().map(|receipt| receipt.replica_id);
        Ok(givers.filter(|giver| *giver != field.own).map(|giver| giver.to_string()).next())
    }

    /// What a replica answers, however long a large copy takes; `None` once it is not heard.
    async fn while_live(
        &self,
        replica: ReplicaId,
        asked: impl Future<Output = Answered>,
    ) -> Option<Answered> {
        tokio::pin!(asked);
        loop {
            match timeout(LOOK_EVERY, &mut asked).await {
                Ok(answered) => return Some(answered),
                Err(_) if self.is_live(replica) => {}
                Err(_) => return None,
            }
        }
    }
}

/// Until the cluster agrees.
impl Content {
    /// Asks those who gave receipts for fresh ones.
    pub(crate) async fn refresh(&self, sealed: &mut Sealed) -> Result<(), ContentFailure> {
        let givers: Vec<ReplicaId> =
            sealed.receipts.iter().map(|receipt| receipt.replica_id).collect();
        let own = self.receipt_if_here(&sealed.digest, sealed.size).await?;
        sealed.receipts = own.into_iter().collect();
        let mut coming = Coming::default();
        let own = self.shared.cluster.replica_id();
        for replica in givers.into_iter().filter(|giver| *giver != own) {
            let (client, digest) = (self.shared.client.clone(), sealed.digest.clone());
            let to = replica.to_string();
            coming.ask(replica, async move { client.blob_receipt(&to, &digest).await });
        }
        self.gather(sealed, &mut coming).await
    }

    /// Has the cluster agree; returns the voters that should have a copy and have none.
    async fn commit(
        &self,
        upload: &OpenUpload,
        mut sealed: Sealed,
        voucher: Option<Voucher>,
    ) -> Result<Vec<ReplicaId>, ContentFailure> {
        for _ in 0..COMMIT_TRIES {
            let command = Command::BlobCommit(BlobCommit {
                repository: upload.repository().clone(),
                digest: sealed.digest.clone(),
                size: sealed.size,
                receipts: sealed.receipts.clone(),
                actor: upload.meta.account.clone(),
            });
            match self.shared.cluster.propose_for(voucher.clone(), command).await {
                Ok(Answer::BlobCommitted { missing }) => return Ok(missing),
                Ok(other) => {
                    return Err(ContentFailure::Fault(format!(
                        "a commit was answered by {other:?}"
                    )));
                }
                Err(Failure::Refused(Refusal::ReceiptsTooFew { counted, needed })) => {
                    tracing::debug!(counted, needed, "fresh receipts are gathered");
                    self.refresh(&mut sealed).await?;
                }
                Err(failure) => return Err(failure.into()),
            }
        }
        let (reached, needed) = (sealed.receipts.len(), self.field().await?.write);
        Err(ContentFailure::TooFewHolders { reached, needed })
    }
}

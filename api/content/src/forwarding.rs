//! Requests on an upload meet any replica: here it is carried out, sent on, or taken over.
//!
//! The id names the owner and the second replica. A request goes to the owner; where that one is
//! dead or has lost the upload, to the second, which has the same bytes and takes over. Nobody
//! sends a request on that was sent on already, so it never runs in a circle.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use metadata::entry::Origin;
use metadata::replica::ReplicaId;
use metadata::vouchers::Voucher;
use oci::digest::{Algorithm, Digest};
use oci::name::RepositoryName;
use tokio::time::timeout;
use transfer::body::no_bytes;
use transfer::failure::TransferFailure;
use transfer::owner::{OwnedUpload, OwnerFailure, UploadOwner};

use crate::content::{ByteStream, Committed, Content, UploadMeta};
use crate::failure::ContentFailure;
use crate::owner_failures::{from_owner, to_owner};
use crate::upload::{OpenUpload, Stage, failure};
use crate::upload_id::UploadId;

/// How long the owner may take to say whether it has an upload.
const PROBE_MAX: Duration = Duration::from_secs(2);

/// How long taking up an upload waits for a request on it that was sent by the dead owner.
const TAKE_UP_MAX: Duration = Duration::from_secs(5);

/// How long the second may take, which takes the upload up while it is asked.
const PROBE_SECOND_MAX: Duration = Duration::from_secs(8);

/// Where an upload's requests are carried out.
enum Place {
    Here(Arc<OpenUpload>),
    There(ReplicaId),
}

/// What is known of an upload at another replica.
enum Probe {
    Has,
    HasNot,
    /// It has been silent for a while.
    Dead,
    /// It is there, but did not say in time.
    Late,
}

impl Content {
    /// Appends `body`; answers the number of bytes the upload has then. `start`, where the client
    /// named one, must be the number it has now.
    ///
    /// # Errors
    ///
    /// [`ContentFailure::OffsetMismatch`], [`ContentFailure::BodyBroken`] and
    /// [`ContentFailure::Superseded`] leave the upload open and say where it stands.
    pub async fn append(
        &self,
        id: &UploadId,
        meta: &UploadMeta,
        start: Option<u64>,
        body: ByteStream,
    ) -> Result<u64, ContentFailure> {
        match self.locate(id, meta).await? {
            Place::Here(upload) => self.append_here(upload, start, body).await,
            Place::There(replica) => {
                let (to, named) = (replica.to_string(), named(id, meta));
                let sent = self.shared.client.owner_append(&to, &named, start, body).await;
                sent.map_err(from_owner)
            }
        }
    }

    /// The number of bytes an upload has.
    pub async fn status(&self, id: &UploadId, meta: &UploadMeta) -> Result<u64, ContentFailure> {
        match self.locate(id, meta).await? {
            Place::Here(upload) => self.status_here(&upload).await,
            Place::There(replica) => {
                let (owner, named) = (replica.to_string(), named(id, meta));
                self.shared.client.owner_status(&owner, &named).await.map_err(from_owner)
            }
        }
    }

    /// Forgets an upload and frees its bytes on all holders.
    pub async fn cancel(&self, id: &UploadId, meta: &UploadMeta) -> Result<(), ContentFailure> {
        match self.locate(id, meta).await? {
            Place::Here(upload) => self.cancel_here(upload).await,
            Place::There(replica) => {
                let (owner, named) = (replica.to_string(), named(id, meta));
                self.shared.client.owner_cancel(&owner, &named).await.map_err(from_owner)
            }
        }
    }

    /// Appends `body`, which may be empty, and closes the upload as `digest`: done when a write
    /// quorum has the bytes on disk and the cluster has agreed.
    ///
    /// The same close again within ten minutes gives the same answer.
    ///
    /// # Errors
    ///
    /// [`ContentFailure::DigestMismatch`] ends the upload; all others leave it, so that the close
    /// can be repeated.
    pub async fn finish(
        &self,
        id: &UploadId,
        meta: &UploadMeta,
        start: Option<u64>,
        body: ByteStream,
        digest: &Digest,
    ) -> Result<Committed, ContentFailure> {
        if let Some(committed) = self.closed(id, meta, digest) {
            return Ok(committed);
        }
        let (to, body) = match self.locate(id, meta).await {
            Ok(Place::Here(upload)) => {
                let (voucher, body) = (meta.voucher.clone(), (start, body));
                return self.finish_here(upload, body, digest, voucher).await;
            }
            Ok(Place::There(replica)) => (replica, body),
            // Perhaps the owner closed it already, and only its answer was lost.
            Err(ContentFailure::UploadUnknown) => match self.other_owner(id, meta).await? {
                Some(owner) => (owner, no_bytes()),
                None => return Err(ContentFailure::UploadUnknown),
            },
            Err(failure) => return Err(failure),
        };
        let (to, named) = (to.to_string(), named(id, meta));
        let sent = self.shared.client.owner_finish(&to, &named, start, body, digest).await;
        match sent {
            Ok(size) => Ok(Committed { digest: digest.clone(), size }),
            Err(OwnerFailure::DigestMismatch) => {
                Err(ContentFailure::DigestMismatch { expected: digest.clone() })
            }
            Err(failure) => Err(from_owner(failure)),
        }
    }

    fn closed(&self, id: &UploadId, meta: &UploadMeta, digest: &Digest) -> Option<Committed> {
        let committed = self.shared.closed.find(id, meta)?;
        (committed.digest == *digest).then_some(committed)
    }

    /// The owner, where it is another replica and heard lately.
    async fn other_owner(
        &self,
        id: &UploadId,
        meta: &UploadMeta,
    ) -> Result<Option<ReplicaId>, ContentFailure> {
        let field = self.field().await?;
        let owner = field.member(id.owner());
        let able = |owner: &ReplicaId| *owner != field.own && field.is_live(*owner);
        Ok(owner.filter(|owner| id.is_bound_to(meta) && able(owner)))
    }
}

/// Finding the owner.
impl Content {
    /// Finds out where an upload's requests are carried out.
    async fn locate(&self, id: &UploadId, meta: &UploadMeta) -> Result<Place, ContentFailure> {
        if !id.is_bound_to(meta) {
            return Err(ContentFailure::UploadUnknown);
        }
        // One that was taken over before is here as well.
        if let Some(upload) = self.shared.uploads.get(id) {
            return whose(upload, meta).map(Place::Here);
        }
        let field = self.field().await?;
        let (mut owner_is_dead, mut is_late) = (false, false);
        for number in [Some(id.owner()), id.second()].into_iter().flatten() {
            let Some(replica) = field.member(number) else { continue };
            if replica == field.own {
                match self.take_up(id, meta).await {
                    Err(ContentFailure::UploadUnknown) => continue,
                    taken => return taken.map(Place::Here),
                }
            }
            let patience = if number == id.owner() { PROBE_MAX } else { PROBE_SECOND_MAX };
            match self.probe(replica, (id, meta), patience).await {
                Probe::Has => return Ok(Place::There(replica)),
                Probe::HasNot => {}
                Probe::Dead => owner_is_dead |= number == id.owner(),
                Probe::Late => is_late = true,
            }
        }
        // Whoever may still have the bytes is asked again; only what is lost is started over.
        if is_late || owner_is_dead && id.second().is_none() {
            return Err(ContentFailure::OwnerUnreachable);
        }
        Err(ContentFailure::UploadUnknown)
    }

    async fn probe(
        &self,
        replica: ReplicaId,
        (id, meta): (&UploadId, &UploadMeta),
        patience: Duration,
    ) -> Probe {
        if !self.is_live(replica) {
            return Probe::Dead;
        }
        let (to, named) = (replica.to_string(), named(id, meta));
        match timeout(patience, self.shared.client.owner_holds(&to, &named)).await {
            Ok(Ok(())) => Probe::Has,
            Ok(Err(OwnerFailure::UploadUnknown)) => Probe::HasNot,
            Ok(Err(_)) | Err(_) => Probe::Late,
        }
    }
}

/// Taking over.
impl Content {
    /// Takes an upload up that is on this disk: after a restart, or because its owner is dead.
    async fn take_up(
        &self,
        id: &UploadId,
        meta: &UploadMeta,
    ) -> Result<Arc<OpenUpload>, ContentFailure> {
        let _opening = self.shared.uploads.opening.lock().await;
        if let Some(upload) = self.shared.uploads.get(id) {
            return whose(upload, meta);
        }
        let opened = timeout(TAKE_UP_MAX, self.shared.store.open_upload(&id.to_string())).await;
        let opened = opened.map_err(|_| ContentFailure::OwnerUnreachable)?;
        let upload = opened.map_err(|error| failure("taking up an upload", error))?;
        let lanes = match self.abreast(id, upload.offset()).await? {
            Abreast::Yes(lanes) => lanes,
            Abreast::Behind => {
                // The second took over while this one was away: what it has is what counts.
                upload.cancel().await.map_err(|error| failure("leaving an upload", error))?;
                return Err(ContentFailure::UploadUnknown);
            }
        };
        tracing::info!(upload = %id, offset = upload.offset(), "an upload is taken up");
        let upload = OpenUpload::new(*id, meta.clone(), Stage::Open(upload), lanes);
        Ok(self.shared.uploads.insert(upload))
    }

    /// Compares an upload of ours that was taken up with what the second replica has.
    async fn abreast(&self, id: &UploadId, offset: u64) -> Result<Abreast, ContentFailure> {
        let field = self.field().await?;
        let second = id.second().and_then(|number| field.member(number));
        let Some(second) =
            second.filter(|second| field.own_number() == Some(id.owner()) && *second != field.own)
        else {
            return Ok(Abreast::Yes(Vec::new()));
        };
        let (to, id) = (second.to_string(), id.to_string());
        let status = timeout(PROBE_MAX, self.shared.client.stage_status(&to, &id)).await;
        Ok(match status {
            Ok(Ok(staged)) if staged == offset => Abreast::Yes(vec![second]),
            Ok(Ok(staged)) if staged > offset => Abreast::Behind,
            // It had the bytes too, or the id would not name it: it closed the upload or saw it
            // cancelled.
            Ok(Err(TransferFailure::UploadUnknown)) => Abreast::Behind,
            _ => Abreast::Yes(Vec::new()),
        })
    }

    /// The upload that another replica's request means; see [`UploadOwner`].
    async fn owned(&self, upload: &OwnedUpload) -> Result<Arc<OpenUpload>, ContentFailure> {
        let (id, meta) = parsed(upload)?;
        if !id.is_bound_to(&meta) {
            return Err(ContentFailure::UploadUnknown);
        }
        if let Some(upload) = self.shared.uploads.get(&id) {
            return whose(upload, &meta);
        }
        let field = self.field().await?;
        let owner = field.member(id.owner());
        let is_ours = owner == Some(field.own);
        if !is_ours
            && let Some(owner) = owner
            && matches!(self.probe(owner, (&id, &meta), PROBE_MAX).await, Probe::Has)
        {
            // Whoever asks here did not reach the owner, but we do: two must not take bytes.
            return Err(ContentFailure::OwnerUnreachable);
        }
        self.take_up(&id, &meta).await
    }
}

enum Abreast {
    /// These replicas stand where we do.
    Yes(Vec<ReplicaId>),
    /// The second has more, or is done with it.
    Behind,
}

#[async_trait]
impl UploadOwner for Content {
    async fn open(
        &self,
        whose: &OwnedUpload,
        algorithms: &[Algorithm],
    ) -> Result<String, OwnerFailure> {
        let opened = async {
            let meta = meta_of(whose)?;
            self.check_bounds(&meta.account)?;
            let field = self.field().await?;
            if !field.has_room(field.own) {
                // Not sent on: the replica that asked goes on to the next one itself.
                return Err(ContentFailure::NoRoom);
            }
            self.open_here(&field, meta, algorithms).await
        };
        opened.await.map(|id| id.to_string()).map_err(to_owner)
    }

    async fn append(
        &self,
        upload: &OwnedUpload,
        start: Option<u64>,
        body: ByteStream,
    ) -> Result<u64, OwnerFailure> {
        let upload = self.owned(upload).await.map_err(to_owner)?;
        self.append_here(upload, start, body).await.map_err(to_owner)
    }

    async fn holds(&self, upload: &OwnedUpload) -> Result<(), OwnerFailure> {
        self.owned(upload).await.map(drop).map_err(to_owner)
    }

    async fn status(&self, upload: &OwnedUpload) -> Result<u64, OwnerFailure> {
        let upload = self.owned(upload).await.map_err(to_owner)?;
        self.status_here(&upload).await.map_err(to_owner)
    }

    async fn finish(
        &self,
        asked: &OwnedUpload,
        start: Option<u64>,
        body: ByteStream,
        digest: &Digest,
    ) -> Result<u64, OwnerFailure> {
        let (id, meta) = parsed(asked).map_err(to_owner)?;
        if let Some(committed) = self.closed(&id, &meta, digest) {
            return Ok(committed.size);
        }
        let upload = self.owned(asked).await.map_err(to_owner)?;
        let origin = Some(&asked.origin).filter(|bytes| !bytes.is_empty());
        // Nothing is decided by it.
        let origin = origin.and_then(|bytes| Origin::decode(bytes).ok());
        let finish = self.finish_here(upload, (start, body), digest, meta.voucher);
        let finished = consensus::origin::on_behalf(origin, finish).await;
        finished.map(|committed| committed.size).map_err(to_owner)
    }

    async fn cancel(&self, upload: &OwnedUpload) -> Result<(), OwnerFailure> {
        let upload = self.owned(upload).await.map_err(to_owner)?;
        self.cancel_here(upload).await.map_err(to_owner)
    }
}

fn whose(upload: Arc<OpenUpload>, meta: &UploadMeta) -> Result<Arc<OpenUpload>, ContentFailure> {
    if upload.meta.agrees_with(meta) { Ok(upload) } else { Err(ContentFailure::UploadUnknown) }
}

/// The upload `id` on behalf of whom `meta` tells, as it is named to another replica.
pub(crate) fn named(id: &(impl ToString + ?Sized), meta: &UploadMeta) -> OwnedUpload {
    OwnedUpload {
        id: id.to_string(),
        repository: meta.repository.to_string(),
        account: meta.account.clone(),
        voucher: meta.voucher.as_ref().map(Voucher::encode).unwrap_or_default(),
        origin: consensus::origin::told().map(|origin| origin.encode()).unwrap_or_default(),
    }
}

fn parsed(upload: &OwnedUpload) -> Result<(UploadId, UploadMeta), ContentFailure> {
    let id = UploadId::parse(&upload.id).ok_or(ContentFailure::UploadUnknown)?;
    Ok((id, meta_of(upload)?))
}

fn meta_of(upload: &OwnedUpload) -> Result<UploadMeta, ContentFailure> {
    let repository =
        RepositoryName::parse(&upload.repository).map_err(|_| ContentFailure::UploadUnknown)?;
    let voucher = Some(&upload.voucher).filter(|bytes| !bytes.is_empty());
    let voucher = voucher.map(|bytes| Voucher::decode(bytes)).transpose();
    let voucher = voucher.map_err(|_| ContentFailure::UploadUnknown)?;
    Ok(UploadMeta { repository, account: upload.account.clone(), voucher })
}

//! Uploads on this replica: opening, telling how far they are, cancelling.
//!
//! A request is carried out in a task of its own: a client that goes away must not leave an upload
//! between two steps.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use metadata::replica::ReplicaId;
use oci::digest::Algorithm;
use tokio::sync::Mutex as AsyncMutex;
use tokio::time::timeout;

use crate::content::{Content, UploadMeta};
use crate::failure::ContentFailure;
use crate::forwarding::named;
use crate::owner_failures::from_owner;
use crate::placement::Field;
use crate::upload::{OpenUpload, Stage, Turn, failure};
use crate::upload_id::UploadId;

/// Another holder that does not take note of an upload within this is left out of it.
const STAGE_CREATE_MAX: Duration = Duration::from_secs(1);

/// A replica that does not open an upload for another within this is passed over.
const OPEN_MAX: Duration = Duration::from_secs(3);

/// The file of an upload is closed when no request came for this long.
const PARK_AFTER: Duration = Duration::from_secs(30);

/// The uploads that this replica takes bytes for.
#[derive(Default)]
pub(crate) struct Uploads {
    open: Mutex<HashMap<UploadId, Arc<OpenUpload>>>,
    /// Held while one is taken up from the disk, so that it is taken up once.
    pub(crate) opening: AsyncMutex<()>,
}

impl Uploads {
    /// The upload of that id.
    pub(crate) fn get(&self, id: &UploadId) -> Option<Arc<OpenUpload>> {
        self.lock().get(id).cloned()
    }

    /// Takes an upload in.
    pub(crate) fn insert(&self, upload: OpenUpload) -> Arc<OpenUpload> {
        let upload = Arc::new(upload);
        self.lock().insert(upload.id, Arc::clone(&upload));
        upload
    }

    /// Forgets an upload.
    pub(crate) fn remove(&self, id: &UploadId) {
        self.lock().remove(id);
    }

    /// All of them.
    pub(crate) fn all(&self) -> Vec<Arc<OpenUpload>> {
        self.lock().values().cloned().collect()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    /// How many there are, and how many of them `account` has.
    fn count(&self, account: &str) -> (usize, usize) {
        let open = self.lock();
        (open.len(), open.values().filter(|upload| upload.meta.account == account).count())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<UploadId, Arc<OpenUpload>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Content {
    /// Opens an upload for the account in the repository that `meta` names; its bytes are hashed
    /// by `algorithms` as they come.
    ///
    /// # Errors
    ///
    /// [`ContentFailure::TooManyUploads`], [`ContentFailure::Busy`],
    /// and [`ContentFailure::NoRoom`] or
    /// [`ContentFailure::TooFewHolders`] where no write quorum could take the bytes now.
    pub async fn open_upload(
        &self,
        meta: &UploadMeta,
        algorithms: &[Algorithm],
    ) -> Result<UploadId, ContentFailure> {
        self.check_bounds(&meta.account)?;
        let field = self.field().await?;
        if field.has_room(field.own) {
            self.open_here(&field, meta.clone(), algorithms).await
        } else {
            self.open_elsewhere(&field, meta, algorithms).await
        }
    }

    /// Opens an upload that this replica owns.
    pub(crate) async fn open_here(
        &self,
        field: &Field,
        meta: UploadMeta,
        algorithms: &[Algorithm],
    ) -> Result<UploadId, ContentFailure> {
        let mut chosen = Self::chosen(field, &rand::random::<[u8; 12]>())?;
        let Some(own) = field.own_number() else {
            return Err(ContentFailure::Busy { what: "joining the cluster" });
        };
        loop {
            let second = chosen.first().copied();
            let number = second.and_then(|second| field.number(second));
            let id = UploadId::bound(own, number, rand::random(), &meta);
            if let Some(second) = second
                && !self.announce_at(second, &id, algorithms).await
            {
                // The id would name one as the second that knows nothing of it.
                chosen.remove(0);
                continue;
            }
            let announced = self.shared.store.announce_upload(&id.to_string(), algorithms);
            announced.map_err(|error| failure("opening an upload", error))?;
            self.shared.uploads.insert(OpenUpload::new(id, meta, Stage::Parked, chosen));
            return Ok(id);
        }
    }

    /// Has another replica own the upload, since this one's disk takes nothing new: requests on it
    /// find their way by its id.
    async fn open_elsewhere(
        &self,
        field: &Field,
        meta: &UploadMeta,
        algorithms: &[Algorithm],
    ) -> Result<UploadId, ContentFailure> {
        let mut failure = ContentFailure::NoRoom;
        for replica in field.others(&rand::random::<[u8; 12]>()) {
            let (to, whose) = (replica.to_string(), named("", meta));
            let opened = self.shared.client.owner_open(&to, &whose, algorithms);
            match timeout(OPEN_MAX, opened).await {
                Ok(Ok(id)) => {
                    return UploadId::parse(&id).ok_or_else(|| {
                        ContentFailure::Fault("another replica opened an upload by no id".into())
                    });
                }
                Ok(Err(refused)) => failure = from_owner(refused),
                Err(_) => failure = ContentFailure::OwnerUnreachable,
            }
            tracing::debug!(%replica, %failure, "a replica opens no upload for this full one");
            // The account's own bound: going on would let it have that many on each replica.
            if matches!(failure, ContentFailure::TooManyUploads { .. }) {
                break;
            }
        }
        Err(failure)
    }

    pub(crate) fn check_bounds(&self, account: &str) -> Result<(), ContentFailure> {
        let limits = &self.shared.limits;
        let (all, own) = self.shared.uploads.count(account);
        if own >= limits.uploads_per_account_max {
            return Err(ContentFailure::TooManyUploads { open: own });
        }
        if all >= limits.uploads_max {
            return Err(ContentFailure::Busy { what: "open uploads" });
        }
        Ok(())
    }

    /// The other holders for what `seed` names, or why there are too few.
    pub(crate) fn chosen(field: &Field, seed: &[u8]) -> Result<Vec<ReplicaId>, ContentFailure> {
        let mut chosen = field.others(seed);
        let needed = field.needed_from_others();
        if chosen.len() < needed {
            if field.live_voters() >= field.write {
                return Err(ContentFailure::NoRoom);
            }
            let reached = chosen.len() + usize::from(field.own_counts());
            return Err(ContentFailure::TooFewHolders { reached, needed: field.write });
        }
        chosen.truncate(field.wanted_from_others());
        Ok(chosen)
    }
}

impl Content {
    /// Tells the second replica of an upload that may come to it; false where it does not take it.
    async fn announce_at(
        &self,
        second: ReplicaId,
        id: &UploadId,
        algorithms: &[Algorithm],
    ) -> bool {
        let (name, id) = (second.to_string(), id.to_string());
        let announced = self.shared.client.stage_create(&name, &id, algorithms);
        let outcome = timeout(STAGE_CREATE_MAX, announced).await;
        let is_told = matches!(outcome, Ok(Ok(())));
        if !is_told {
            tracing::debug!(replica = %second, ?outcome, "a holder is left out of an upload");
        }
        is_told
    }

    /// How many bytes an upload that is here has; see [`Content::status`].
    pub(crate) async fn status_here(&self, upload: &OpenUpload) -> Result<u64, ContentFailure> {
        let mut turn = upload.take_turn(self.shared.limits.supersede_after).await;
        if turn.work.is_untouched(self, &upload.id) {
            return Ok(0);
        }
        Ok(turn.work.open(self, &upload.id).await?.offset())
    }

    /// Forgets an upload that is here and frees its bytes on all holders.
    pub(crate) async fn cancel_here(&self, upload: Arc<OpenUpload>) -> Result<(), ContentFailure> {
        let content = self.clone();
        apart(async move {
            let mut turn = upload.take_turn(content.shared.limits.supersede_after).await;
            content.drop_upload(&upload, &mut turn).await
        })
        .await
    }

    /// Ends an upload without a blob.
    pub(crate) async fn drop_upload(
        &self,
        upload: &OpenUpload,
        turn: &mut Turn,
    ) -> Result<(), ContentFailure> {
        let stage = std::mem::replace(&mut turn.work.stage, Stage::Ended);
        self.shared.uploads.remove(&upload.id);
        let lanes = std::mem::take(&mut turn.work.lanes);
        let here = async {
            match stage {
                Stage::Open(open) => open.cancel().await,
                Stage::Parked => self.shared.store.cancel_upload(&upload.id.to_string()).await,
                Stage::Sealed(_) => Ok(()),
                Stage::Ended => Err(blobs::upload::UploadError::Unknown),
            }
        };
        let (here, ()) = tokio::join!(here, self.cancel_at(&lanes, &upload.id));
        here.map_err(|error| failure("cancelling an upload", error))
    }

    /// Frees an upload's bytes at other holders; one that is not reached sweeps them later.
    pub(crate) async fn cancel_at(&self, replicas: &[ReplicaId], id: &UploadId) {
        let (client, id) = (&self.shared.client, id.to_string());
        let cancel = |replica: &ReplicaId| {
            let (replica, id) = (replica.to_string(), &id);
            async move {
                let cancelled = client.stage_cancel(&replica, id);
                timeout(STAGE_CREATE_MAX, cancelled).await.is_ok()
            }
        };
        futures::future::join_all(replicas.iter().map(cancel)).await;
    }

    /// Closes the files of uploads that stand still and forgets those that did for long.
    pub async fn tidy_uploads(&self) -> io::Result<usize> {
        let idle_max = self.shared.limits.upload_idle_max;
        for upload in self.shared.uploads.all() {
            let idle = upload.idle();
            if idle < PARK_AFTER {
                continue;
            }
            let Some(mut turn) = upload.try_turn() else { continue };
            if idle >= idle_max {
                // Nobody asks for it any more, so nobody is told should that fail.
                let _ = self.drop_upload(&upload, &mut turn).await;
            } else {
                turn.work.park().await;
            }
        }
        let idle_max_ms = u64::try_from(idle_max.as_millis()).unwrap_or(u64::MAX);
        self.shared.store.sweep_uploads(idle_max_ms).await
    }
}

/// Carries `work` to its end even where nobody waits for it any more.
pub(crate) async fn apart<T: Send + 'static>(
    work: impl Future<Output = Result<T, ContentFailure>> + Send + 'static,
) -> Result<T, ContentFailure> {
    let done = tokio::spawn(consensus::origin::carried(work)).await;
    done.unwrap_or_else(|error| {
        Err(ContentFailure::Fault(format!("a request's task ended: {error}")))
    })
}

//! The bytes of a blob on their way: read piece by piece, hashed, and taken up again where the
//! connection broke.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures::Stream;
use oci::digest::Digest;
use oci::verifier::{Verifier, digest_of};
use reqwest::{Method, Response, StatusCode};

use super::reading;
use super::registry::{Registry, pull};
use super::trouble::{Kind, Patience, Trouble};

/// Which blob.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The repository at the source.
    pub repository: String,
    /// What its bytes hash to.
    pub digest: Digest,
    /// How many there are.
    pub size: u64,
}

/// What others see of a blob on its way.
#[derive(Clone, Default)]
pub struct Watch {
    /// Bytes of this blob that went on.
    pub passed: Arc<AtomicU64>,
    /// Why it did not come to its end.
    failure: Arc<Mutex<Option<Trouble>>>,
}

impl Watch {
    /// Why the source could not give it, where that was the reason.
    pub fn failure(&self) -> Option<Trouble> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn failed(&self, trouble: &Trouble) {
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(trouble.clone());
    }
}

/// A blob that is being read.
struct Download {
    source: Registry,
    wanted: Wanted,
    watch: Watch,
    /// Bytes of all blobs, for whoever looks on.
    total: Arc<AtomicU64>,
    verifier: Verifier,
    response: Option<Response>,
    /// Bytes that come first in this answer and were had already.
    again: u64,
    patience: Patience,
}

/// The bytes of a blob, as many as it has. The last ones come only once all were found to be right,
/// so that nobody downstream ever has a whole blob of wrong bytes.
pub fn stream(
    source: &Registry,
    wanted: &Wanted,
    watch: &Watch,
    total: &Arc<AtomicU64>,
) -> impl Stream<Item = Result<Bytes, Trouble>> + Send + use<> {
    let download = Download {
        source: source.clone(),
        verifier: Verifier::new(&[wanted.digest.algorithm()]),
        wanted: wanted.clone(),
        watch: watch.clone(),
        total: total.clone(),
        response: None,
        again: 0,
        patience: Patience::new(),
    };
    futures::stream::try_unfold(download, |mut download| async move {
        match download.next().await {
            Ok(piece) => Ok(piece.map(|piece| (piece, download))),
            Err(trouble) => {
                download.watch.failed(&trouble);
                Err(trouble)
            }
        }
    })
}

/// Whether an empty blob is what its digest says: there is nothing to fetch.
pub fn check_empty(wanted: &Wanted) -> Result<(), Trouble> {
    let found = digest_of(wanted.digest.algorithm(), &[]);
    if found == wanted.digest { Ok(()) } else { Err(wrong(wanted, &found)) }
}

fn wrong(wanted: &Wanted, found: &Digest) -> Trouble {
    let Wanted { repository, digest, .. } = wanted;
    Trouble::lasting(format!(
        "the source's bytes for {digest} in {repository} hash to {found}: its copy is damaged, \
         and nothing of it was kept"
    ))
}

impl Download {
    async fn next(&mut self) -> Result<Option<Bytes>, Trouble> {
        loop {
            if self.verifier.length() == self.wanted.size {
                return Ok(None);
            }
            match self.try_next().await {
                Ok(piece) if piece.is_empty() => {}
                Ok(piece) => {
                    self.patience.renew();
                    self.watch.passed.fetch_add(piece.len() as u64, Ordering::Relaxed);
                    self.total.fetch_add(piece.len() as u64, Ordering::Relaxed);
                    return Ok(Some(piece));
                }
                Err(trouble) => {
                    self.response = None;
                    self.patience.wait(trouble).await?;
                }
            }
        }
    }

    async fn try_next(&mut self) -> Result<Bytes, Trouble> {
        if self.response.is_none() {
            self.response = Some(self.open().await?);
        }
        let Some(response) = &mut self.response else { return Ok(Bytes::new()) };
        let Some(mut piece) = reading::piece(response).await? else {
            let url = response.url();
            return Err(Trouble::new(Kind::Broken, format!("{url} ended before its end")));
        };
        let had = self.again.min(piece.len() as u64);
        self.again -= had;
        // `had` is no larger than the piece, which is in memory.
        let piece = piece.split_off(usize::try_from(had).unwrap_or(piece.len()));
        self.take(&piece)?;
        Ok(piece)
    }

    fn take(&mut self, piece: &Bytes) -> Result<(), Trouble> {
        let Wanted { repository, digest, size } = &self.wanted;
        self.verifier.update(piece);
        if self.verifier.length() > *size {
            return Err(Trouble::lasting(format!(
                "the source has more bytes for {digest} in {repository} than the {size} that its \
                 manifest says"
            )));
        }
        if self.verifier.length() == *size {
            let found = self.verifier.clone().finish().pop();
            if let Some(found) = found.filter(|found| found != digest) {
                return Err(wrong(&self.wanted, &found));
            }
        }
        Ok(())
    }

    /// Asks for what is missing.
    async fn open(&mut self) -> Result<Response, Trouble> {
        let (offset, Wanted { repository, digest, .. }) = (self.verifier.length(), &self.wanted);
        let doing = format!("reading {digest} of {repository}");
        let path = format!("/v2/{repository}/blobs/{digest}");
        let request = || {
            let request = self.source.request(Method::GET, &path);
            if offset == 0 { request } else { request.header("range", format!("bytes={offset}-")) }
        };
        let response = self.source.attempt(&doing, &pull(repository), &request).await?;
        let begins_at = match response.status() {
            StatusCode::OK => 0,
            StatusCode::PARTIAL_CONTENT => begin(&response).unwrap_or(u64::MAX),
            _ => return Err(Trouble::answer(&doing, response).await),
        };
        // A registry that knows no ranges begins at the beginning again.
        self.again = offset.checked_sub(begins_at).ok_or_else(|| {
            Trouble::lasting(format!("{doing}: the source answers with another part of it"))
        })?;
        Ok(response)
    }
}

/// Where the part begins that an answer holds.
fn begin(response: &Response) -> Option<u64> {
    let range = response.headers().get("content-range")?.to_str().ok()?;
    range.trim().strip_prefix("bytes ")?.split('-').next()?.trim().parse().ok()
}

//! A blob into the destination: not at all where it is there, mounted where another repository has
//! it, else streamed.

use std::sync::atomic::Ordering;
use std::time::Duration;

use reqwest::{Body, Method, Response, StatusCode};
use tokio::time::sleep;

use super::content::{Content, Place};
use super::download::{self, Wanted, Watch};
use super::reading;
use super::registry::{pull, push};
use super::tally::{Noun, Outcome};
use super::trouble::{Kind, Patience, Trouble};
use crate::bench::address::path_of;

/// How often it is looked whether bytes still go out.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// Looks in a row that see none before the upload is given up.
const STILL_LOOKS_MAX: u32 = 12;

impl Content {
    /// Sees to it that the destination's repository has this blob.
    pub async fn bring_blob(&self, place: &Place, wanted: &Wanted) -> Result<(), Trouble> {
        // Many images share layers: whoever comes second waits here and finds it.
        let _alone = self.alone(&wanted.digest).await;
        let holder = self.known.holder(&wanted.digest);
        let other = holder.as_ref().map(|it| it.repository.clone()).filter(|it| *it != place.to);
        if holder.is_some_and(|it| it.is_certain && it.repository == place.to) {
            return Ok(());
        }
        let path = format!("/v2/{}/blobs/{}", place.to, wanted.digest);
        let doing = format!("looking for {} in {}", wanted.digest, place.to);
        let head = || self.destination.request(Method::HEAD, &path);
        let found = self.destination.send(&doing, &push(&place.to), &head).await?;
        let how = match found.status() {
            StatusCode::OK => Outcome::Present,
            StatusCode::NOT_FOUND => self.bring_missing(place, wanted, other).await?,
            _ => return Err(Trouble::answer(&doing, found).await),
        };
        self.tally.count(Noun::Blob, how);
        if how == Outcome::Brought {
            self.tally.add_bytes(wanted.size);
        }
        self.keep_holder(&wanted.digest, &place.to)
    }

    async fn bring_missing(
        &self,
        place: &Place,
        wanted: &Wanted,
        other: Option<String>,
    ) -> Result<Outcome, Trouble> {
        let mut opened = match other {
            Some(other) => match self.mount(place, wanted, &other).await? {
                None => return Ok(Outcome::Mounted),
                opened => opened,
            },
            None => None,
        };
        let _permit = self.blob_permits.acquire().await;
        let mut patience = Patience::new();
        loop {
            let opened = match opened.take() {
                Some(opened) => opened,
                None => self.open(place).await?,
            };
            let watch = Watch::default();
            let Err(trouble) = self.fill(place, wanted, (&opened, &watch)).await else {
                return Ok(Outcome::Brought);
            };
            self.cancel(place, &opened).await;
            // What broke the upload may have been the source, which was asked often enough.
            match watch.failure() {
                Some(failure) => return Err(failure),
                None => patience.wait(trouble).await?,
            }
        }
    }

    /// Mounts from a repository that has it; where that is not done, the upload that was opened
    /// instead.
    async fn mount(
        &self,
        place: &Place,
        wanted: &Wanted,
        other: &str,
    ) -> Result<Option<String>, Trouble> {
        let digest = &wanted.digest;
        let path = format!("/v2/{}/blobs/uploads/?mount={digest}&from={other}", place.to);
        let scopes = format!("{} {}", push(&place.to), pull(other));
        let doing = format!("mounting {digest} into {}", place.to);
        let response = self.destination.ask(&doing, Method::POST, (&path, &scopes)).await?;
        match response.status() {
            StatusCode::CREATED => Ok(None),
            _ => location(&doing, &response).map(Some),
        }
    }

    async fn open(&self, place: &Place) -> Result<String, Trouble> {
        let path = format!("/v2/{}/blobs/uploads/", place.to);
        let doing = format!("opening an upload in {}", place.to);
        let response =
            self.destination.ask(&doing, Method::POST, (&path, &push(&place.to))).await?;
        location(&doing, &response)
    }
}

/// What an upload sends.
impl Content {
    /// Sends the whole blob into an open upload and closes it.
    async fn fill(
        &self,
        place: &Place,
        wanted: &Wanted,
        (opened, watch): (&str, &Watch),
    ) -> Result<(), Trouble> {
        let doing = format!("writing {} into {}", wanted.digest, place.to);
        let join = if opened.contains('?') { '&' } else { '?' };
        let path = format!("{opened}{join}digest={}", wanted.digest);
        let scopes = push(&place.to);
        let body = if wanted.size == 0 {
            download::check_empty(wanted)?;
            Body::from(Vec::new())
        } else {
            let total = self.tally.read();
            Body::wrap_stream(download::stream(&self.source, wanted, watch, total))
        };
        let request = self
            .destination
            .request(Method::PUT, &path)
            .header("content-type", "application/octet-stream")
            .header("content-length", wanted.size)
            .body(body);
        let signed = self.destination.signed(&scopes, request).await?;
        let response = tokio::select! {
            sent = signed.send() => {
                sent.map_err(|error| Trouble::broken(self.destination.url(), &error))
            }
            () = stalled(watch) => {
                Err(Trouble::new(Kind::Broken, format!("{doing}: no byte moves any more")))
            }
        }?;
        match response.status() {
            StatusCode::CREATED => Ok(()),
            StatusCode::UNAUTHORIZED if self.destination.forget_token(&scopes) => {
                let text = format!("{doing}: the token ended meanwhile");
                Err(Trouble::new(Kind::Passing(None), text))
            }
            // Somebody else's request ended it, or a replica forgot it: a new one may go well.
            StatusCode::NOT_FOUND => {
                let trouble = Trouble::answer(&doing, response).await;
                Err(Trouble { kind: Kind::Passing(None), ..trouble })
            }
            _ => Err(Trouble::answer(&doing, response).await),
        }
    }

    /// Ends an upload that came to nothing. Where even that does not go, it ends by its age.
    async fn cancel(&self, place: &Place, opened: &str) {
        let request = self.destination.request(Method::DELETE, opened);
        if let Ok(request) = self.destination.signed(&push(&place.to), request).await {
            let _ended = reading::head(self.destination.url(), request).await;
        }
    }
}

/// Ends once no byte has moved for too long.
async fn stalled(watch: &Watch) {
    let (mut before, mut looks) = (0, 0);
    while looks < STILL_LOOKS_MAX {
        sleep(LOOK_EVERY).await;
        let passed = watch.passed.load(Ordering::Relaxed);
        looks = if passed == before { looks + 1 } else { 0 };
        before = passed;
    }
}

/// The path of an upload: of this registry, whatever host the answer names.
fn location(doing: &str, response: &Response) -> Result<String, Trouble> {
    let place = response.headers().get("location").and_then(|it| it.to_str().ok());
    let path = place.map(path_of).filter(|path| path.starts_with('/'));
    path.map(str::to_owned).ok_or_else(|| {
        Trouble::lasting(format!("{doing}: the destination does not say where the upload is"))
    })
}

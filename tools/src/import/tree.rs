//! One manifest with everything below it, and with what refers to it.

use bytes::Bytes;
use futures::future::LocalBoxFuture;
use futures::stream;
use futures::{FutureExt, StreamExt};
use oci::digest::{Algorithm, Digest};
use oci::manifest::{MANIFEST_BYTES_MAX, Manifest, Role};
use oci::media_type::{DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST};
use oci::verifier::digest_of;
use reqwest::{Method, RequestBuilder, StatusCode};

use super::content::{Content, Place};
use super::download::Wanted;
use super::listing;
use super::reading;
use super::registry::{Registry, pull, push};
use super::tally::{Noun, Outcome};
use super::trouble::Trouble;

/// Indexes in indexes, and referrers of referrers; nobody nests them so deep.
const DEPTH_MAX: usize = 8;

/// A manifest as the source has it.
struct Fetched {
    bytes: Bytes,
    digest: Digest,
    manifest: Manifest,
}

impl Content {
    /// The digest that a registry has under this path below `/v2/`: `None` where there is nothing,
    /// `Some(None)` where it does not say.
    pub async fn digest_of(
        &self,
        registry: &Registry,
        path: &str,
        scopes: &str,
    ) -> Result<Option<Option<Digest>>, Trouble> {
        let request = || accepting(registry.request(Method::HEAD, &format!("/v2/{path}")));
        let doing = format!("looking at {path}");
        let response = registry.send(&doing, scopes, &request).await?;
        match response.status() {
            StatusCode::NOT_FOUND => Ok(None),
            status if status.is_success() => {
                let header = response.headers().get("docker-content-digest");
                let header = header.and_then(|it| it.to_str().ok());
                Ok(Some(header.and_then(|text| Digest::parse(text).ok())))
            }
            _ => Err(Trouble::answer(&doing, response).await),
        }
    }

    /// Brings what a tag leads to and then the tag; the digest that it has then. Where the
    /// destination has it at that digest already, only what refers to it is looked after.
    pub async fn bring_tree(
        &self,
        place: &Place,
        tag: &str,
        there: Option<&Digest>,
    ) -> Result<Digest, Trouble> {
        let fetched = self.fetch(&place.from, tag, None).await?;
        let is_there = there == Some(&fetched.digest);
        self.settle(place, &fetched, (Some(tag), is_there), 0).await?;
        Ok(fetched.digest)
    }

    /// Brings a manifest that something else names by its digest.
    fn bring_manifest<'a>(
        &'a self,
        place: &'a Place,
        digest: &'a Digest,
        depth: usize,
    ) -> LocalBoxFuture<'a, Result<(), Trouble>> {
        async move {
            if depth > DEPTH_MAX {
                let text = format!("{digest} lies below more than {DEPTH_MAX} other manifests");
                return Err(Trouble::lasting(text));
            }
            let path = format!("{}/manifests/{digest}", place.to);
            let there = self.digest_of(&self.destination, &path, &push(&place.to)).await?;
            let is_there = there.is_some();
            if is_there && !self.source.may_have_referrers() {
                self.tally.count(Noun::Manifest, Outcome::Present);
                return Ok(());
            }
            let fetched = self.fetch(&place.from, digest.as_str(), Some(digest)).await?;
            self.settle(place, &fetched, (None, is_there), depth).await
        }
        .boxed_local()
    }

    /// Everything below a manifest, then itself, then what refers to it.
    async fn settle(
        &self,
        place: &Place,
        fetched: &Fetched,
        (tag, is_there): (Option<&str>, bool),
        depth: usize,
    ) -> Result<(), Trouble> {
        for child in &fetched.manifest.manifests {
            let brought = self.bring_manifest(place, &child.digest, depth + 1).await;
            brought.map_err(|trouble| named_by(&fetched.digest, "the index", trouble))?;
        }
        if !is_there {
            self.bring_blobs(place, &fetched.manifest).await?;
            self.put(place, fetched, tag).await?;
        }
        let how = if is_there { Outcome::Present } else { Outcome::Brought };
        self.tally.count(Noun::Manifest, how);
        let referrers = listing::referrers(&self.source, &place.from, &fetched.digest).await?;
        for referrer in &referrers {
            self.bring_manifest(place, &referrer.digest, depth + 1).await?;
        }
        Ok(())
    }
}

/// What a manifest is made of, and itself.
impl Content {
    async fn bring_blobs(&self, place: &Place, manifest: &Manifest) -> Result<(), Trouble> {
        let mut wanted: Vec<Wanted> = Vec::new();
        for (role, descriptor) in manifest.required() {
            let is_new = wanted.iter().all(|it| it.digest != descriptor.digest);
            if role != Role::Child && is_new {
                let (digest, size) = (descriptor.digest.clone(), descriptor.size);
                wanted.push(Wanted { repository: place.from.clone(), digest, size });
            }
        }
        let brought = wanted.iter().map(|wanted| self.bring_blob(place, wanted));
        let mut brought = stream::iter(brought).buffer_unordered(self.manner.jobs);
        while let Some(ended) = brought.next().await {
            ended?;
        }
        Ok(())
    }

    /// Reads a manifest of the source and compares its digest.
    async fn fetch(
        &self,
        repository: &str,
        reference: &str,
        expected: Option<&Digest>,
    ) -> Result<Fetched, Trouble> {
        let path = format!("/v2/{repository}/manifests/{reference}");
        let doing = format!("reading {repository} at {reference}");
        let request = || accepting(self.source.request(Method::GET, &path));
        let response = self.source.send(&doing, &pull(repository), &request).await?;
        if !response.status().is_success() {
            return Err(Trouble::answer(&doing, response).await);
        }
        let header = |name: &str| {
            let header = response.headers().get(name).and_then(|it| it.to_str().ok());
            header.map(str::to_owned)
        };
        let said = header("docker-content-digest").and_then(|text| Digest::parse(&text).ok());
        let media_type = header("content-type");
        let bytes = Bytes::from(reading::whole(response, MANIFEST_BYTES_MAX).await?);
        let named = expected.or(said.as_ref());
        let algorithm = named.map_or(Algorithm::Sha256, Digest::algorithm);
        let digest = digest_of(algorithm, &bytes);
        if let Some(named) = named.filter(|named| **named != digest) {
            return Err(Trouble::lasting(format!(
                "{doing}: the source's bytes for {named} hash to {digest}: its copy is damaged"
            )));
        }
        // Some registries send whatever they have under a type that says nothing.
        let declared = media_type.filter(|it| it.contains("manifest") || it.contains("index"));
        let manifest = Manifest::parse(&bytes, declared.as_deref())
            .map_err(|error| Trouble::lasting(format!("{doing}: {error}")))?;
        Ok(Fetched { bytes, digest, manifest })
    }

    async fn put(
        &self,
        place: &Place,
        fetched: &Fetched,
        tag: Option<&str>,
    ) -> Result<(), Trouble> {
        let (to, digest) = (&place.to, &fetched.digest);
        // By its digest even where it gets a tag, so that the destination compares it as well.
        let tag = tag.map(|tag| format!("?tag={tag}")).unwrap_or_default();
        let path = format!("/v2/{to}/manifests/{digest}{tag}");
        let doing = format!("writing {digest} into {to}");
        let request = || {
            let request = self.destination.request(Method::PUT, &path);
            let request = request.header("content-type", &fetched.manifest.media_type);
            request.body(fetched.bytes.clone())
        };
        let response = self.destination.send(&doing, &push(to), &request).await?;
        match response.status() {
            StatusCode::CREATED => Ok(()),
            _ => Err(Trouble::answer(&doing, response).await),
        }
    }
}

fn accepting(request: RequestBuilder) -> RequestBuilder {
    let types = [OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST];
    request.header("accept", types.join(", "))
}

/// A failure below something, with what that is.
fn named_by(digest: &Digest, what: &str, trouble: Trouble) -> Trouble {
    if !trouble.is_missing() {
        return trouble;
    }
    let text = format!("{what} {digest} is incomplete at the source: {}", trouble.text);
    Trouble { text, ..trouble }
}

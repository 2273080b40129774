//! What a client does of an image: the requests of a push and of a pull, in their order.

use std::sync::Arc;
use std::time::Duration;

use super::address::path_of;
use super::failure::Failure;
use super::fill::Blob;
use super::image::{Image, MANIFEST};
use super::sink::Take;
use super::worker::{Answer, Request, Worker};

const OCTETS: &str = "application/octet-stream";

/// How the bytes of a layer are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// POST, then PUT with the body.
    Monolith,
    /// POST, one PATCH with the whole body, PUT.
    Chunk,
}

/// A repository, and the scope of a token for it.
#[derive(Clone, Debug)]
pub struct Repository {
    /// Its name.
    pub name: String,
    /// `repository:NAME:pull,push`.
    pub scope: Arc<str>,
}

impl Repository {
    /// The repository of this name.
    pub fn new(name: impl Into<String>) -> Arc<Self> {
        let name = name.into();
        let scope = format!("repository:{name}:pull,push").into();
        Arc::new(Self { name, scope })
    }

    /// The path of one of its manifests.
    pub fn manifest(&self, reference: &str) -> String {
        format!("/v2/{}/manifests/{reference}", self.name)
    }

    /// The path of one of its blobs.
    pub fn blob(&self, digest: &str) -> String {
        format!("/v2/{}/blobs/{digest}", self.name)
    }
}

/// What one sample moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// Bytes of bodies, both ways.
    pub bytes: u64,
    /// From the request for the layer to its first byte.
    pub first_byte: Option<Duration>,
}

impl Worker {
    /// Pushes a blob.
    pub async fn push_blob(
        &mut self,
        to: &Repository,
        blob: &Blob,
        way: Way,
    ) -> Result<(), Failure> {
        let scope = &to.scope;
        let path = format!("/v2/{}/blobs/uploads/", to.name);
        let post = Request { method: "POST", path: &path, scope, kind: "", body: None };
        let mut upload = place(self.expect(&post, 202, Take::Count).await?, &path)?;
        let mut body = Some(blob);
        if way == Way::Chunk {
            let patch = Request { method: "PATCH", path: &upload, scope, kind: OCTETS, body };
            upload = place(self.expect(&patch, 202, Take::Count).await?, &upload)?;
            body = None;
        }
        let sign = if upload.contains('?') { '&' } else { '?' };
        let path = format!("{upload}{sign}digest={}", blob.digest);
        let put = Request { method: "PUT", path: &path, scope, kind: OCTETS, body };
        self.expect(&put, 201, Take::Count).await.map(drop)
    }

    /// Pushes a manifest to a path; says whether tags named by `?tag=` were moved.
    pub async fn push_manifest(
        &mut self,
        scope: &Arc<str>,
        path: &str,
        kind: &str,
        manifest: &Blob,
    ) -> Result<bool, Failure> {
        let put = Request { method: "PUT", path, scope, kind, body: Some(manifest) };
        Ok(self.expect(&put, 201, Take::Count).await?.head.moved_tags)
    }

    /// Pushes an image: the layer by `way`, the configuration, the manifest by tag.
    pub async fn push_image(
        &mut self,
        to: &Repository,
        image: &Image,
        tag: &str,
        way: Way,
    ) -> Result<Done, Failure> {
        self.push_blob(to, &image.layer, way).await?;
        self.push_blob(to, &image.config, Way::Monolith).await?;
        self.push_manifest(&to.scope, &to.manifest(tag), MANIFEST, &image.manifest).await?;
        let bytes = image.layer.size + image.config.size + image.manifest.size;
        Ok(Done { bytes, first_byte: None })
    }

    /// Pulls an image: HEAD of the tag, GET of manifest and layer. Fully means with GET of the
    /// configuration, and HEAD before each blob.
    pub async fn pull_image(
        &mut self,
        from: &Repository,
        image: &Image,
        tag: &str,
        fully: bool,
    ) -> Result<Done, Failure> {
        let by_tag = from.manifest(tag);
        self.look(from, &by_tag, MANIFEST).await?;
        let by_digest = from.manifest(&image.manifest.digest);
        let mut bytes = self.fetch(from, &by_digest, MANIFEST, &image.manifest).await?.bytes;
        if fully {
            let path = from.blob(&image.config.digest);
            self.look(from, &path, "").await?;
            bytes += self.fetch(from, &path, "", &image.config).await?.bytes;
            self.look(from, &from.blob(&image.layer.digest), "").await?;
        }
        let layer = self.pull_blob(from, &image.layer).await?;
        Ok(Done { bytes: bytes + layer.bytes, ..layer })
    }

    /// Pulls a blob.
    pub async fn pull_blob(&mut self, from: &Repository, blob: &Blob) -> Result<Done, Failure> {
        self.fetch(from, &from.blob(&blob.digest), "", blob).await
    }

    async fn look(&mut self, from: &Repository, path: &str, kind: &str) -> Result<(), Failure> {
        let head = Request { method: "HEAD", path, scope: &from.scope, kind, body: None };
        self.expect(&head, 200, Take::Count).await.map(drop)
    }

    /// Gets what should be `blob`: its length is always compared, its digest where that is wished.
    async fn fetch(
        &mut self,
        from: &Repository,
        path: &str,
        kind: &str,
        blob: &Blob,
    ) -> Result<Done, Failure> {
        let get = Request { method: "GET", path, scope: &from.scope, kind, body: None };
        let take = if self.shared.verify { Take::Hash } else { Take::Count };
        let answer = self.expect(&get, 200, take).await?;
        let (received, sent) = (answer.received, answer.sent);
        let wrong = answer.sink.digest().is_some_and(|digest| digest != blob.digest);
        if wrong || received.bytes != blob.size {
            let text = format!("GET {path} answered with other bytes than were pushed");
            return Err(Failure::answer(text, Some(200)));
        }
        let first_byte = received.first.map(|first| first.saturating_duration_since(sent));
        Ok(Done { bytes: received.bytes, first_byte })
    }
}

/// The path of the upload that an answer names.
fn place(answer: Answer, asked: &str) -> Result<String, Failure> {
    let location = answer.head.location.ok_or_else(|| {
        Failure::answer(format!("{asked} answered without a Location"), Some(answer.head.status))
    })?;
    Ok(path_of(&location).to_owned())
}

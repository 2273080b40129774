//! A registry of one replica, and requests to it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use api::answers::Door;
use api::surfaces::Surfaces;
use async_trait::async_trait;
use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use blobs::files::DiskFiles;
use blobs::path::Layout;
use blobs::store::{BlobStore, Options};
use consensus::bootstrap::{self, InstallOptions};
use consensus::cluster::Cluster;
use consensus::start::{StartOptions, Tuning, start};
use content::content::Content;
use edge::context::Context;
use edge::limits::Limits;
use edge::origin::HostNames;
use health::facts::{Disk, Facts, Health};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use metadata::accounts::commands::{OrganizationCreate, UserCreate};
use oci::digest::{Algorithm, Digest};
use oci::verifier::digest_of;
use serde_json::Value;
use tempfile::TempDir;
use transfer::client::Client;
use transfer::peer_dial::PeerDial;
use wire::clock::{Clock, SystemClock};
use wire::dial::TcpDial;
use wire::stream::BoxStream;
use zeroize::Zeroizing;

use crate::described;

pub(crate) const ADMIN: (&str, &str) = ("admin", "admin's password");
pub(crate) const OCI_IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// There are no peers.
struct NoPeers;

#[async_trait]
impl PeerDial for NoPeers {
    async fn dial(&self, _: &str) -> io::Result<BoxStream> {
        Err(io::Error::other("there is one replica only"))
    }
}

/// A registry of one replica.
pub(crate) struct Registry {
    pub(crate) surfaces: Arc<Surfaces>,
    pub(crate) context: Arc<Context>,
    pub(crate) cluster: Cluster,
    pub(crate) health: Arc<Health>,
    folder: TempDir,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {:?}", String::from_utf8_lossy(&self.body)))
    }

    /// The code of the first error.
    pub(crate) fn code(&self) -> String {
        self.json()["errors"][0]["code"].as_str().unwrap_or_default().to_owned()
    }

    /// The status, asserted.
    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Self {
        let body = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status.as_u16(), status, "{body} {:?}", self.headers);
        self
    }

    /// Status and code, asserted.
    #[track_caller]
    pub(crate) fn fails(self, status: u16, code: &str) -> Self {
        let answer = self.is(status);
        assert_eq!(answer.code(), code);
        answer
    }
}

/// A request being made.
pub(crate) struct Ask<'a> {
    registry: &'a Registry,
    request: http::request::Builder,
    body: Vec<u8>,
    /// The body comes without its length said before, as docker sends a layer.
    is_chunked: bool,
}

impl Ask<'_> {
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    pub(crate) fn chunked(mut self) -> Self {
        self.is_chunked = true;
        self
    }

    pub(crate) fn by(self, (name, password): (&str, &str)) -> Self {
        let value = format!("Basic {}", STANDARD.encode(format!("{name}:{password}")));
        self.with("authorization", &value)
    }

    pub(crate) fn by_admin(self) -> Self {
        self.by(ADMIN)
    }

    pub(crate) fn bearing(self, token: &str) -> Self {
        self.with("authorization", &format!("Bearer {token}"))
    }

    pub(crate) async fn send(self) -> Answer {
        let length = self.body.len().to_string();
        let has_length = self.request.headers_ref().unwrap().contains_key("content-length");
        let request =
            if self.is_chunked || has_length || self.body.is_empty() && !self.wants_length() {
                self.request
            } else {
                self.request.header("content-length", length)
            };
        let (asked, request) = (self.body.clone(), request.body(Body::from(self.body)).unwrap());
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let door = Door { surfaces: Arc::clone(&self.registry.surfaces), plain: None };
        let response = door.answer(request).await;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        let answer = Answer { status: parts.status, headers: parts.headers, body };
        let complaint = described::complaint((&method, &path), &asked, &answer);
        assert_eq!(complaint, None, "the OpenAPI document says otherwise");
        answer
    }

    fn wants_length(&self) -> bool {
        let method = self.request.method_ref().unwrap();
        matches!(*method, Method::POST | Method::PUT | Method::PATCH)
    }
}

impl Registry {
    /// A cluster of one replica; pushes create repositories.
    pub(crate) async fn start() -> Self {
        Self::limited(content::content::Limits::default()).await
    }

    /// The same, with other limits of content.
    pub(crate) async fn limited(limits: content::content::Limits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        install(&data).await;
        let cluster = start(StartOptions {
            folder: data.clone(),
            runtime: tokio::runtime::Handle::current(),
            clock: Arc::new(SystemClock::new()),
            dial: Arc::new(TcpDial::default()),
            tuning: Tuning::default(),
            advertise: "127.0.0.1:7101".to_owned(),
            version: "0.1.0".to_owned(),
            disk_free: Arc::new(|| 1 << 40),
        });
        let cluster = cluster.await.unwrap();
        let files = Arc::new(DiskFiles);
        let store = BlobStore::open(&data.join("content"), files, Options::default()).unwrap();
        let client = Client::new(Arc::new(NoPeers), transfer::client::Limits::default());
        let content = Content::new(cluster.clone(), store, client, limits);
        let names = HostNames { external_url: None, names: vec!["reg.example".to_owned()] };
        let context = Context::new(cluster.clone(), content, names, Limits::default());
        let health = Health::new(Arc::clone(&context), facts());
        let surfaces = Surfaces::new(&context, Arc::clone(&health));
        let registry = Self { surfaces, context, cluster, health, folder };
        registry.until_ready().await;
        registry
    }

    async fn until_ready(&self) {
        while self.cluster.barrier().await.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        health::checks::check(&self.health).await;
    }

    /// Where a blob lies on the disk.
    pub(crate) fn file_of(&self, digest: &Digest) -> PathBuf {
        Layout::new(&self.folder.path().join("data/content")).blob(digest)
    }

    /// Where uploads lie as long as they are open.
    pub(crate) fn uploads_folder(&self) -> PathBuf {
        Layout::new(&self.folder.path().join("data/content")).uploads()
    }

    pub(crate) fn ask(&self, method: &str, path: &str) -> Ask<'_> {
        let request = Request::builder().method(method).uri(path).header("host", "reg.example");
        Ask { registry: self, request, body: Vec::new(), is_chunked: false }
    }

    /// Creates a user with the password `pw`, which the API would find too short.
    pub(crate) async fn user(&self, name: &str) {
        let password = Zeroizing::new("pw".to_owned());
        let create = UserCreate {
            name: name.to_owned(),
            password_hash: auth::password::hash(password).await.unwrap(),
            is_admin: false,
            full_name: String::new(),
            is_inactive: false,
            is_imported: false,
            quota_bytes: 0,
            actor: String::new(),
        };
        self.cluster.propose(create.into()).await.unwrap();
    }

    /// Creates an organization.
    pub(crate) async fn organization(&self, name: &str) {
        let (name, actor) = (name.to_owned(), ADMIN.0.to_owned());
        let create = OrganizationCreate { name, full_name: String::new(), actor, quota_bytes: 0 };
        self.cluster.propose(create.into()).await.unwrap();
    }

    /// A token, with the scopes asked for.
    pub(crate) async fn token(&self, who: Option<(&str, &str)>, scopes: &[&str]) -> String {
        let scopes: String = scopes.iter().map(|scope| format!("&scope={scope}")).collect();
        let ask = self.ask("GET", &format!("/auth/token?service=holdfast{scopes}"));
        let ask = match who {
            Some(who) => ask.by(who),
            None => ask,
        };
        ask.send().await.is(200).json()["token"].as_str().unwrap().to_owned()
    }
}

impl Registry {
    /// Pushes a blob in one request.
    pub(crate) async fn push_blob(&self, repository: &str, bytes: &[u8]) -> Digest {
        let digest = digest_of(Algorithm::Sha256, bytes);
        let path = format!("/v2/{repository}/blobs/uploads/?digest={digest}");
        self.ask("POST", &path).by_admin().body(bytes).send().await.is(201);
        digest
    }

    /// Pushes a manifest and returns its digest.
    pub(crate) async fn push_manifest(
        &self,
        repository: &str,
        reference: &str,
        body: &Value,
    ) -> Digest {
        let bytes = body.to_string();
        let answer = self
            .ask("PUT", &format!("/v2/{repository}/manifests/{reference}"))
            .by_admin()
            .with("content-type", body["mediaType"].as_str().unwrap())
            .body(bytes.clone())
            .send()
            .await
            .is(201);
        assert_eq!(answer.header("docker-content-digest").len(), 71);
        digest_of(Algorithm::Sha256, bytes.as_bytes())
    }

    /// Pushes an image of one small layer that differs by `mark`.
    pub(crate) async fn push_image(&self, repository: &str, reference: &str, mark: &str) -> Digest {
        let config = self.push_blob(repository, b"{}").await;
        let layer = self.push_blob(repository, mark.as_bytes()).await;
        let body = image(&config, 2, &layer, mark.len());
        self.push_manifest(repository, reference, &body).await
    }
}

/// An image manifest.
pub(crate) fn image(
    config: &Digest,
    config_size: usize,
    layer: &Digest,
    layer_size: usize,
) -> Value {
    serde_json::json!({
        "schemaVersion": 2,
        "mediaType": OCI_IMAGE,
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": config, "size": config_size,
        },
        "layers": [{
            "mediaType": "application/vnd.oci.image.layer.v1.tar",
            "digest": layer, "size": layer_size,
        }],
    })
}

async fn install(folder: &Path) {
    let password = Zeroizing::new(ADMIN.1.to_owned());
    let installed = bootstrap::install(InstallOptions {
        folder: folder.to_owned(),
        allow_volatile: true,
        replica_id: None,
        admin: ADMIN.0.to_owned(),
        admin_password_hash: auth::password::hash(password).await.unwrap(),
        create_repository_on_push: true,
        host_names: vec!["reg.example".to_owned()],
        advertise: "127.0.0.1:7101".to_owned(),
        host_name: "one".to_owned(),
        machine_id: "one".to_owned(),
        version: "0.1.0".to_owned(),
        wall_ms: SystemClock::new().wall_ms(),
    });
    installed.unwrap();
}

fn facts() -> Facts {
    Facts {
        version: "0.1.0".to_owned(),
        server_ca: Arc::new(|| "-----BEGIN CERTIFICATE-----\n".to_owned()),
        disk: Arc::new(|| Ok(Disk { free_bytes: 1 << 40, total_bytes: 1 << 41 })),
    }
}

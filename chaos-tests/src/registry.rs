//! A client of the registry, of our own: it pushes, looks and fetches at a replica that it is told.
//!
//! It asks for tokens as docker does and uses each on every replica, since a token means the same
//! on all of them. It never repeats a request: whoever calls it must know what was answered.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use futures::StreamExt;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;

use crate::history::{Condition, Outcome};
use crate::image::{Blob, Hasher, Image};

/// A connection to a live replica on this machine is there at once, and one to a dead one refused;
/// but two hundred handshakes at once share two cores, which others may use as well.
const CONNECT_S_MAX: u64 = 10;
/// A request may wait ten seconds for an election, and has some more to answer.
const REQUEST_S_MAX: u64 = 20;
/// A blob of gigabytes takes its time.
const FETCH_S_MAX: u64 = 600;
/// Tokens live for 300 s; they are used for less.
const TOKEN_S_MAX: u64 = 120;

/// Who asks.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// Account name.
    pub name: String,
    /// Its password.
    pub password: String,
}

/// Why a step failed, as far as a history must know.
#[derive(Debug)]
pub enum Failure {
    /// Answered with a status other than success.
    Status(StatusCode, String),
    /// Nobody was reached: nothing has happened.
    Unreached(String),
    /// The answer was lost: it may have happened.
    Lost(String),
}

impl std::fmt::Display for Failure {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Status(status, body) => write!(out, "{status}: {body}"),
            Self::Unreached(why) => write!(out, "not reached: {why}"),
            Self::Lost(why) => write!(out, "the answer was lost: {why}"),
        }
    }
}

impl std::error::Error for Failure {}

impl From<reqwest::Error> for Failure {
    fn from(error: reqwest::Error) -> Self {
        let text = format!("{error:?}");
        if error.is_connect() { Self::Unreached(text) } else { Self::Lost(text) }
    }
}

impl Failure {
    /// What a history says of a push that failed so.
    pub fn outcome(&self) -> Outcome {
        match self {
            // 503 and its like may have come after the command was on its way.
            Self::Status(status, _) if status.is_server_error() => Outcome::Unknown,
            Self::Status(status, _) => Outcome::Refused(status.as_u16()),
            Self::Unreached(_) => Outcome::Unreached,
            Self::Lost(_) => Outcome::Unknown,
        }
    }
}

/// The client; a clone shares connections and tokens.
#[derive(Clone, Debug)]
pub struct Registry {
    http: reqwest::Client,
    replicas: Arc<[String]>,
    who: Option<Credentials>,
    tokens: Arc<Mutex<HashMap<String, (String, Instant)>>>,
}

impl Registry {
    /// A client of the replicas at these addresses, such as `http://127.0.0.1:7201`.
    ///
    /// `ca` is the PEM of the authority to trust, for addresses with `https`.
    pub fn new(replicas: Vec<String>, who: Option<Credentials>, ca: Option<&str>) -> Result<Self> {
        Self::keeping(usize::MAX, replicas, who, ca)
    }

    /// The same, but with a new connection for each request, as docker makes them.
    pub fn reconnecting(
        replicas: Vec<String>,
        who: Option<Credentials>,
        ca: Option<&str>,
    ) -> Result<Self> {
        Self::keeping(0, replicas, who, ca)
    }

    fn keeping(
        idle_max: usize,
        replicas: Vec<String>,
        who: Option<Credentials>,
        ca: Option<&str>,
    ) -> Result<Self> {
        wire::provider::install();
        let mut builder = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(CONNECT_S_MAX))
            .pool_max_idle_per_host(idle_max)
            .tcp_nodelay(true);
        if let Some(pem) = ca {
            let authority = reqwest::Certificate::from_pem(pem.as_bytes())?;
            builder = builder.add_root_certificate(authority);
        }
        let http = builder.build().context("the HTTP client could not be made")?;
        Ok(Self { http, replicas: replicas.into(), who, tokens: Arc::default() })
    }

    /// How many replicas it knows.
    pub fn replicas(&self) -> usize {
        self.replicas.len()
    }

    /// Every token that it was given.
    pub fn tokens(&self) -> Vec<String> {
        let tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.values().map(|(token, _)| token.clone()).collect()
    }

    /// A request without credentials.
    pub fn bare(&self, at: usize, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}{path}", self.replicas[at]))
            .timeout(Duration::from_secs(REQUEST_S_MAX))
    }

    /// A request with the account's name and password.
    pub fn basic(&self, at: usize, method: Method, path: &str) -> RequestBuilder {
        let request = self.bare(at, method, path);
        match &self.who {
            Some(who) => request.basic_auth(&who.name, Some(&who.password)),
            None => request,
        }
    }

    /// A request with a token for all that may be done in a repository.
    pub async fn request(
        &self,
        at: usize,
        method: Method,
        repository: &str,
        rest: &str,
    ) -> Result<RequestBuilder, Failure> {
        let token = self.token(at, &format!("repository:{repository}:pull,push,delete")).await?;
        Ok(self.bare(at, method, &format!("/v2/{repository}/{rest}")).bearer_auth(token))
    }

    /// A token for a scope, asked of this replica unless one is at hand.
    pub async fn token(&self, at: usize, scope: &str) -> Result<String, Failure> {
        let fresh = Duration::from_secs(TOKEN_S_MAX);
        let known = self.tokens.lock().unwrap_or_else(PoisonError::into_inner).get(scope).cloned();
        if let Some((token, since)) = known
            && since.elapsed() < fresh
        {
            return Ok(token);
        }
        let path = format!("/auth/token?service=holdfast&scope={scope}");
        let response = expect(self.basic(at, Method::GET, &path), &[StatusCode::OK]).await?;
        let answer: Value = response.json().await?;
        let token = answer["token"].as_str().unwrap_or_default().to_owned();
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.insert(scope.to_owned(), (token.clone(), Instant::now()));
        Ok(token)
    }
}

/// What clients of a registry do.
impl Registry {
    /// Pushes a blob, unless it is there: POST, one PATCH, PUT, as docker does.
    pub async fn push_blob(&self, at: usize, repository: &str, blob: &Blob) -> Result<(), Failure> {
        let named = format!("blobs/{}", blob.digest);
        let head = self.request(at, Method::HEAD, repository, &named).await?.send().await?;
        if head.status() == StatusCode::OK {
            return Ok(());
        }
        let open = self.request(at, Method::POST, repository, "blobs/uploads/").await?;
        let place = location(&expect(open, &[StatusCode::ACCEPTED]).await?)?;
        let rest = place.strip_prefix(&format!("/v2/{repository}/")).unwrap_or(&place).to_owned();
        let patch = self.request(at, Method::PATCH, repository, &rest).await?;
        let patch = patch.body(blob.bytes.clone());
        expect(patch, &[StatusCode::ACCEPTED]).await?;
        let close = format!("{rest}?digest={}", blob.digest);
        let put = self.request(at, Method::PUT, repository, &close).await?;
        expect(put.header("content-length", "0"), &[StatusCode::CREATED]).await?;
        Ok(())
    }

    /// Pushes a manifest under a tag or digest.
    pub async fn push_manifest(
        &self,
        at: usize,
        target: (&str, &str),
        manifest: (&Blob, &str),
        condition: &Condition,
    ) -> Result<(), Failure> {
        let (repository, reference) = target;
        let (blob, media_type) = manifest;
        let path = format!("manifests/{reference}");
        let put = self.request(at, Method::PUT, repository, &path).await?;
        let put = put.header("content-type", media_type).body(blob.bytes.clone());
        let put = match condition {
            Condition::None => put,
            Condition::Absent => put.header("if-none-match", "*"),
            Condition::At(digest) => put.header("if-match", format!("\"{digest}\"")),
        };
        expect(put, &[StatusCode::CREATED]).await?;
        Ok(())
    }

    /// Pushes an image, blobs first, all to one replica.
    pub async fn push(
        &self,
        at: usize,
        repository: &str,
        image: &Image,
        tag: &str,
    ) -> Result<(), Failure> {
        for blob in &image.blobs {
            self.push_blob(at, repository, blob).await?;
        }
        let manifest = (&image.manifest, image.media_type);
        self.push_manifest(at, (repository, tag), manifest, &Condition::None).await
    }

    /// The digest that a tag points at, by HEAD; `None` where it does not exist.
    pub async fn look(
        &self,
        at: usize,
        repository: &str,
        tag: &str,
    ) -> Result<Option<String>, Failure> {
        let head = self.request(at, Method::HEAD, repository, &format!("manifests/{tag}")).await?;
        let response = expect(head, &[StatusCode::OK, StatusCode::NOT_FOUND]).await?;
        if response.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let digest = response.headers().get("docker-content-digest");
        let digest = digest.and_then(|it| it.to_str().ok()).map(str::to_owned);
        digest.map(Some).ok_or_else(|| Failure::Lost("no Docker-Content-Digest".to_owned()))
    }

    /// Reads a blob (`blobs`) or manifest (`manifests`) to its end; gives the digest of what came.
    pub async fn fetch(
        &self,
        at: usize,
        repository: &str,
        kind: &str,
        digest: &str,
    ) -> Result<String, Failure> {
        let get = self.request(at, Method::GET, repository, &format!("{kind}/{digest}")).await?;
        let get = get.timeout(Duration::from_secs(FETCH_S_MAX));
        let response = expect(get, &[StatusCode::OK]).await?;
        let mut hasher = Hasher::default();
        let mut body = response.bytes_stream();
        while let Some(piece) = body.next().await {
            hasher.update(&piece?);
        }
        Ok(hasher.finish())
    }

    /// `GET` of a path as the account, as JSON.
    pub async fn json(&self, at: usize, path: &str) -> Result<Value, Failure> {
        let response = expect(self.basic(at, Method::GET, path), &[StatusCode::OK]).await?;
        Ok(response.json().await?)
    }
}

/// Sends a request that must be answered with one of these.
pub async fn expect(request: RequestBuilder, wanted: &[StatusCode]) -> Result<Response, Failure> {
    let response = request.send().await?;
    let status = response.status();
    if wanted.contains(&status) {
        return Ok(response);
    }
    let url = response.url().path().to_owned();
    let body = response.text().await.unwrap_or_default();
    Err(Failure::Status(status, format!("{url}: {body}")))
}

/// The path that `Location` names.
pub fn location(response: &Response) -> Result<String, Failure> {
    let header = response.headers().get("location").and_then(|it| it.to_str().ok());
    header.map(str::to_owned).ok_or_else(|| Failure::Lost("no Location".to_owned()))
}

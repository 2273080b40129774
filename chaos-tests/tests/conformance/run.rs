//! One group of cases as it runs: its repositories, its records, and the requests it makes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use chaos_tests::image::Blob;
use chaos_tests::registry::Credentials;
use futures::stream;
use reqwest::{Body, Method};

use crate::answer::{Answer, Seen};
use crate::content::Algorithm;
use crate::target::Target;

/// So many random bytes are never drawn twice.
const UNSEEN_BYTES: usize = 64;
/// Bytes of a piece of a streamed body: HTTP/2 servers end a connection that sends thousands of
/// frames of less than 256.
const PIECE_BYTES: usize = 300;

/// What came of one step of a case.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    /// Its full name.
    pub(crate) name: String,
    pub(crate) seen: Seen,
    pub(crate) took: Duration,
}

/// A group that runs.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) target: Target,
    group: String,
    /// The repository of this group alone.
    pub(crate) repository: String,
    /// A second one, to mount from.
    pub(crate) other: String,
    records: Mutex<Vec<Record>>,
    drawn: AtomicU64,
}

impl Run {
    /// A group by its name, with a pair of repositories of its own named after `slug`.
    pub(crate) fn new(target: Target, group: &str, slug: &str) -> Self {
        let repository = format!("conformance/{slug}");
        let other = format!("{repository}-other");
        let (records, drawn) = (Mutex::default(), AtomicU64::new(seed(slug)));
        Self { target, group: group.to_owned(), repository, other, records, drawn }
    }

    /// Records what a step has seen, and hands on what it found.
    pub(crate) async fn step<T>(
        &self,
        name: &str,
        seen: impl Future<Output = Seen<T>>,
    ) -> Option<T> {
        let began = Instant::now();
        let seen = seen.await;
        let took = began.elapsed();
        let name = format!("{}/{name}", self.group).trim_end_matches('/').to_owned();
        let record = Record { name, seen: seen.as_ref().map(|_| ()).map_err(Clone::clone), took };
        self.records.lock().unwrap_or_else(PoisonError::into_inner).push(record);
        seen.ok()
    }

    /// Everything that was recorded, in order.
    pub(crate) fn into_records(self) -> Vec<Record> {
        self.records.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// A number that no other draw of any group gave.
    pub(crate) fn draw(&self) -> u64 {
        self.drawn.fetch_add(1, Ordering::Relaxed)
    }

    /// A digest of bytes that nobody has pushed.
    pub(crate) fn digest(&self, algorithm: Algorithm) -> String {
        self.blob(algorithm, UNSEEN_BYTES).digest
    }

    /// Bytes that nobody has pushed before, unless they are very few.
    pub(crate) fn blob(&self, algorithm: Algorithm, length: usize) -> Blob {
        algorithm.blob(Blob::random(self.draw(), length).bytes)
    }
}

/// Requests: a path that begins with `/` is taken as it is, any other lies in the repository.
impl Run {
    pub(crate) fn get(&self, path: &str) -> Ask<'_> {
        Ask::new(self, Method::GET, path)
    }

    pub(crate) fn head(&self, path: &str) -> Ask<'_> {
        Ask::new(self, Method::HEAD, path)
    }

    pub(crate) fn post(&self, path: &str) -> Ask<'_> {
        Ask::new(self, Method::POST, path)
    }

    pub(crate) fn patch(&self, path: &str) -> Ask<'_> {
        Ask::new(self, Method::PATCH, path)
    }

    pub(crate) fn put(&self, path: &str) -> Ask<'_> {
        Ask::new(self, Method::PUT, path)
    }

    pub(crate) fn delete(&self, path: &str) -> Ask<'_> {
        Ask::new(self, Method::DELETE, path)
    }
}

/// Who asks.
#[derive(Clone, Debug)]
pub(crate) enum Who {
    /// The administrator, with a token for the repositories of the group.
    Token,
    /// The administrator, by name and password.
    Basic,
    /// Nobody.
    Anonymous,
    /// Another account, by name and password.
    Account(Credentials),
    /// Whoever holds this token.
    Bearer(String),
}

/// A request that is being put together.
#[derive(Debug)]
pub(crate) struct Ask<'a> {
    run: &'a Run,
    method: Method,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Option<Bytes>,
    streamed: bool,
    who: Who,
    at: Option<usize>,
}

impl<'a> Ask<'a> {
    fn new(run: &'a Run, method: Method, path: &str) -> Self {
        let whole = path.starts_with('/');
        let path = if whole { path.to_owned() } else { format!("/v2/{}/{path}", run.repository) };
        let (headers, who) = (Vec::new(), Who::Token);
        Self { run, method, path, headers, body: None, streamed: false, who, at: None }
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// A body with its length.
    pub(crate) fn body(mut self, bytes: &Bytes) -> Self {
        self.body = Some(bytes.clone());
        self
    }

    /// A body without a length: in chunked transfer coding, as docker sends layers.
    pub(crate) fn stream(mut self, bytes: &Bytes) -> Self {
        self.streamed = true;
        self.body(bytes)
    }

    pub(crate) fn who(mut self, who: Who) -> Self {
        self.who = who;
        self
    }

    /// At this replica, whoever's turn it is.
    pub(crate) fn at(mut self, place: usize) -> Self {
        self.at = Some(place);
        self
    }

    /// Sends it and reads the answer to its end.
    pub(crate) async fn send(self) -> Seen<Answer> {
        let (target, at) = (&self.run.target, self.at.unwrap_or_else(|| self.run.target.next()));
        let registry = &target.registry;
        let name = format!("{} {} at replica {at}", self.method, self.path);
        let failed = |why: String| format!("{name}: no answer: {why}");
        let bare = registry.bare(at, self.method.clone(), &self.path);
        let mut request = match &self.who {
            Who::Token => {
                let token = registry.token(at, &self.run.scope()).await;
                bare.bearer_auth(token.map_err(|error| failed(error.to_string()))?)
            }
            Who::Basic => registry.basic(at, self.method.clone(), &self.path),
            Who::Anonymous => bare,
            Who::Account(who) => bare.basic_auth(&who.name, Some(&who.password)),
            Who::Bearer(token) => bare.bearer_auth(token),
        };
        for (header, value) in &self.headers {
            request = request.header(*header, value);
        }
        let bodied = [Method::POST, Method::PUT, Method::PATCH].contains(&self.method);
        request = match self.body {
            Some(bytes) if self.streamed => request.body(pieces(&bytes)),
            Some(bytes) if !bytes.is_empty() => request.body(bytes),
            // The client would leave the header out, which reads as "no body".
            _ if bodied => request.header("content-length", "0"),
            _ => request,
        };
        let answer = request.send().await.map_err(|error| failed(format!("{error:?}")))?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = answer.bytes().await.map_err(|error| failed(format!("{error:?}")))?;
        Ok(Answer { request: name, status, headers, body })
    }
}

impl Run {
    /// What its token is for: all that may be done in both repositories.
    pub(crate) fn scope(&self) -> String {
        let (own, other) = (&self.repository, &self.other);
        format!("repository:{own}:pull,push,delete&scope=repository:{other}:pull,push,delete")
    }
}

fn pieces(bytes: &Bytes) -> Body {
    let starts = (0..bytes.len()).step_by(PIECE_BYTES);
    let cut = |from: usize| bytes.slice(from..bytes.len().min(from + PIECE_BYTES));
    let pieces: Vec<Result<Bytes, std::io::Error>> = starts.map(|from| Ok(cut(from))).collect();
    Body::wrap_stream(stream::iter(pieces))
}

/// FNV-1a: a start of its own for each name, with room for many draws after it.
fn seed(name: &str) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    name.bytes().fold(0xcbf2_9ce4_8422_2325, step) << 16
}

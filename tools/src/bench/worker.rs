//! One concurrent client: a connection of its own, and requests one after the other.

use std::fmt::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use wire::client_tls::ClientTls;

use super::address::Address;
use super::answer::Head;
use super::failure::Failure;
use super::fill::Blob;
use super::login::Login;
use super::mode::Mode;
use super::sink::{Sink, Take};
use super::wire_http::{Connection, Received};

/// A registry that is busy is asked so many times more, after a pause each.
const BUSY_MAX: u32 = 10;
const BUSY_PAUSE: Duration = Duration::from_secs(1);

/// What all workers share.
pub struct Shared {
    /// The replicas, or the one registry.
    pub addresses: Vec<Address>,
    /// How TLS servers are judged.
    pub tls: ClientTls,
    /// How the registry knows who asks.
    pub login: Login,
    /// Whether what is pulled is hashed and compared.
    pub verify: bool,
}

impl Shared {
    async fn open(&self, at: usize) -> Result<Connection, Failure> {
        let address = &self.addresses[at];
        let opened = Connection::open(address, &self.tls).await;
        opened.map_err(|error| Failure::connection(address, &error))
    }
}

/// A concurrent client.
pub struct Worker {
    /// What it shares with all others.
    pub shared: Arc<Shared>,
    mode: Mode,
    place: usize,
    turn: usize,
    patient: bool,
    connection: Option<(usize, Connection)>,
    head: String,
}

/// A request.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// GET, HEAD, POST, PATCH or PUT.
    pub method: &'static str,
    /// Path and query.
    pub path: &'a str,
    /// The scope of the token that goes with it.
    pub scope: &'a Arc<str>,
    /// `Content-Type`, or of a GET, `Accept`; empty for none.
    pub kind: &'a str,
    /// What is sent.
    pub body: Option<&'a Blob>,
}

/// An answer, read to its end.
pub struct Answer {
    /// Its head.
    pub head: Head,
    /// How much of a body there was.
    pub received: Received,
    /// What became of the body.
    pub sink: Sink,
    /// When the request began to be sent.
    pub sent: Instant,
}

impl Worker {
    /// Worker number `place`.
    pub fn new(shared: &Arc<Shared>, mode: Mode, place: usize) -> Self {
        let (shared, head) = (shared.clone(), String::new());
        Self { shared, mode, place, turn: place, patient: false, connection: None, head }
    }

    /// Asks again when the registry is busy: for what is prepared, not for what is measured.
    #[must_use]
    pub fn patient(mut self) -> Self {
        self.patient = true;
        self
    }

    /// Opens the connection, where one is kept: that is no part of the first sample.
    pub async fn connect(&mut self) -> Result<(), Failure> {
        let at = self.mode.replica(self.place, self.turn, self.shared.addresses.len());
        if self.mode.keeps_connections() {
            let connection = self.shared.open(at).await?;
            self.connection = Some((at, connection));
        }
        Ok(())
    }

    /// Sends a request and reads the answer, whatever its status is.
    pub async fn exchange(&mut self, request: &Request<'_>, take: Take) -> Result<Answer, Failure> {
        let mut tries = if self.patient { BUSY_MAX } else { 0 };
        loop {
            let answer = self.exchange_once(request, take).await?;
            if tries == 0 || !matches!(answer.head.status, 429 | 503) {
                return Ok(answer);
            }
            tries -= 1;
            tokio::time::sleep(BUSY_PAUSE).await;
        }
    }

    async fn exchange_once(
        &mut self,
        request: &Request<'_>,
        take: Take,
    ) -> Result<Answer, Failure> {
        let authorization = self.shared.login.authorization(request.scope).await?;
        let at = self.mode.replica(self.place, self.turn, self.shared.addresses.len());
        self.turn = self.turn.wrapping_add(1);
        let kept = self.connection.take().filter(|(open, _)| *open == at);
        let sent = Instant::now();
        let mut connection = match kept {
            Some((_, connection)) => connection,
            None => self.shared.open(at).await?,
        };
        self.write_head(request, at, authorization.as_deref());
        let answer = converse(&mut connection, self.head.as_bytes(), request, take).await;
        let (head, received, sink) =
            answer.map_err(|error| Failure::connection(&self.shared.addresses[at], &error))?;
        if self.mode.keeps_connections() && !head.closes {
            self.connection = Some((at, connection));
        }
        Ok(Answer { head, received, sink, sent })
    }

    fn write_head(&mut self, request: &Request<'_>, at: usize, authorization: Option<&str>) {
        let Request { method, path, kind, body, .. } = request;
        let authority = &self.shared.addresses[at].authority;
        let head = &mut self.head;
        head.clear();
        // Writing to a string cannot fail.
        let _ = write!(head, "{method} {path} HTTP/1.1\r\nHost: {authority}\r\n");
        if let Some(authorization) = authorization {
            let _ = write!(head, "Authorization: {authorization}\r\n");
        }
        if !kind.is_empty() {
            let name = if body.is_some() { "Content-Type" } else { "Accept" };
            let _ = write!(head, "{name}: {kind}\r\n");
        }
        if body.is_some() || !matches!(*method, "GET" | "HEAD") {
            let _ = write!(head, "Content-Length: {}\r\n", body.map_or(0, |body| body.size));
        }
        if !self.mode.keeps_connections() {
            head.push_str("Connection: close\r\n");
        }
        head.push_str("\r\n");
    }

    /// The same, where an answer with another status than `expected` is a failure.
    pub async fn expect(
        &mut self,
        request: &Request<'_>,
        expected: u16,
        take: Take,
    ) -> Result<Answer, Failure> {
        let answer = self.exchange(request, take).await?;
        if answer.head.status == expected {
            return Ok(answer);
        }
        let said = String::from_utf8_lossy(answer.sink.kept());
        let said: String = said.trim().chars().take(300).collect();
        let text = format!(
            "{} {} answered {}{}{said}",
            request.method,
            request.path,
            answer.head.status,
            if said.is_empty() { "" } else { ": " }
        );
        Err(Failure::answer(text, Some(answer.head.status)))
    }
}

async fn converse(
    connection: &mut Connection,
    head: &[u8],
    request: &Request<'_>,
    take: Take,
) -> std::io::Result<(Head, Received, Sink)> {
    connection.send(head, request.body.into_iter().flat_map(Blob::pieces)).await?;
    let answer = connection.head(request.method == "HEAD").await?;
    // What went wrong is worth reading.
    let mut sink = Sink::new(if answer.status >= 400 { Take::Keep } else { take });
    let received = connection.body(answer.framing, &mut sink).await?;
    Ok((answer, received, sink))
}

//! A proxy in front of one replica that breaks one endpoint: small, and HTTP/1.1 only.
//!
//! It takes one request on a connection, hands it on whole, and answers whole, so that a breakage
//! may change anything in between.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use reqwest::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Headers that belong to one connection, or that are written anew.
const OWN: [&str; 4] = ["connection", "host", "transfer-encoding", "content-length"];

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) method: Method,
    /// The path without its query.
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    body: Bytes,
}

/// An answer as it goes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// What is done to an endpoint.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Change {
    /// The replica is asked something else.
    Question(fn(&mut Question)),
    /// The client is answered something else.
    Reply(fn(&mut Reply)),
    /// The replica is not asked at all.
    Instead(fn(&Question) -> Reply),
}

/// One broken endpoint.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Breakage {
    pub(crate) name: &'static str,
    /// Which requests are its.
    pub(crate) at: fn(&Question) -> bool,
    pub(crate) change: Change,
}

/// A proxy that listens until it goes out of scope.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) address: String,
    task: JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Proxy {
    /// Listens in front of a replica such as `http://127.0.0.1:7201`.
    pub(crate) async fn start(replica: String, breakage: Option<Breakage>) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = format!("http://{}", listener.local_addr()?);
        let (client, replica) = (Client::new(), Arc::new(replica));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (client, replica) = (client.clone(), replica.clone());
                // A client that goes away ends its own connection only.
                tokio::spawn(async move { serve(stream, &client, (&replica, breakage)).await });
            }
        });
        Ok(Self { address, task })
    }
}

async fn serve(
    stream: TcpStream,
    client: &Client,
    (replica, breakage): (&str, Option<Breakage>),
) -> Result<()> {
    let mut stream = BufStream::new(stream);
    let mut question = read(&mut stream).await?;
    let method = question.method.clone();
    let change = breakage.filter(|it| (it.at)(&question)).map(|it| it.change);
    let reply = match change {
        Some(Change::Instead(answer)) => answer(&question),
        Some(Change::Question(change)) => {
            change(&mut question);
            ask(client, replica, question).await?
        }
        Some(Change::Reply(change)) => {
            let mut reply = ask(client, replica, question).await?;
            change(&mut reply);
            reply
        }
        None => ask(client, replica, question).await?,
    };
    write(&mut stream, &method, reply).await
}

async fn read(stream: &mut BufStream<TcpStream>) -> Result<Question> {
    let first = line(stream).await?;
    let mut words = first.split(' ');
    let (method, target) = words.next().zip(words.next()).context("no request line")?;
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let (path, query, method) = (path.to_owned(), query.to_owned(), Method::try_from(method)?);
    let mut headers = HeaderMap::new();
    loop {
        let header = line(stream).await?;
        let Some((name, value)) = header.split_once(':') else { break };
        headers.append(HeaderName::try_from(name)?, HeaderValue::try_from(value.trim())?);
    }
    let body = if headers.contains_key("transfer-encoding") {
        chunks(stream).await?
    } else {
        let length = headers.get(CONTENT_LENGTH).and_then(|it| it.to_str().ok()?.parse().ok());
        exactly(stream, length.unwrap_or(0)).await?
    };
    Ok(Question { method, path, query, headers, body: body.into() })
}

async fn line(stream: &mut BufStream<TcpStream>) -> Result<String> {
    let mut line = String::new();
    ensure!(stream.read_line(&mut line).await? > 0, "the connection ended");
    Ok(line.trim_end().to_owned())
}

async fn exactly(stream: &mut BufStream<TcpStream>, length: usize) -> Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}

async fn chunks(stream: &mut BufStream<TcpStream>) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let length = usize::from_str_radix(&line(stream).await?, 16)?;
        body.extend(exactly(stream, length).await?);
        line(stream).await?;
        if length == 0 {
            return Ok(body);
        }
    }
}

async fn ask(client: &Client, replica: &str, question: Question) -> Result<Reply> {
    let Question { method, path, query, headers, body } = question;
    let mut request = client.request(method, format!("{replica}{path}?{query}"));
    for (name, value) in headers.iter().filter(|(name, _)| !OWN.contains(&name.as_str())) {
        request = request.header(name, value);
    }
    let request = match body.is_empty() {
        true if headers.contains_key(CONTENT_LENGTH) => request.header(CONTENT_LENGTH, "0"),
        true => request,
        false => request.body(body),
    };
    let answer = request.send().await?;
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    Ok(Reply { status, headers, body: answer.bytes().await? })
}

async fn write(stream: &mut BufStream<TcpStream>, method: &Method, reply: Reply) -> Result<()> {
    let Reply { status, headers, body } = reply;
    let mut head = format!("HTTP/1.1 {status} -\r\nconnection: close\r\n");
    // A HEAD announces a body that does not follow.
    let announced = if *method == Method::HEAD { headers.get(CONTENT_LENGTH) } else { None };
    let length = announced.and_then(|it| it.to_str().ok()?.parse().ok()).unwrap_or(body.len());
    if status != 204 && (*method != Method::HEAD || announced.is_some()) {
        head += &format!("content-length: {length}\r\n");
    }
    for (name, value) in headers.iter().filter(|(name, _)| !OWN.contains(&name.as_str())) {
        head += &format!("{name}: {}\r\n", value.to_str()?);
    }
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(b"\r\n").await?;
    stream.write_all(&body).await?;
    stream.flush().await?;
    stream.shutdown().await?;
    Ok(())
}

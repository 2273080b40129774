//! What no client library does: a body that breaks off, and waiting for `100 Continue`.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::answer::{Seen, holds};
use crate::blobs;
use crate::content::Algorithm;
use crate::run::Run;
use crate::uploads;

/// A replica on this machine has answered by then.
const ANSWER_S_MAX: u64 = 10;
const POLL_MS: u64 = 20;

pub(super) async fn all(run: &Run) {
    run.step("broken body/resumed from the offset", broken_body(run)).await;
    run.step("expect/refused before the body", refused_before_the_body(run)).await;
    run.step("expect/continued", continued(run)).await;
}

/// A connection to the next replica, and the lines that every request of ours has.
async fn connected(run: &Run, first: &str, is_known: bool) -> Seen<(TcpStream, String)> {
    let at = run.target.next();
    let address = &run.target.plain[at];
    let stream = TcpStream::connect(address).await.map_err(|it| format!("{address}: {it}"))?;
    let mut head = format!("{first} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n");
    if is_known {
        let token = run.target.registry.token(at, &run.scope()).await;
        let token = token.map_err(|error| error.to_string())?;
        head += &format!("authorization: Bearer {token}\r\n");
    }
    Ok((stream, head))
}

async fn write(stream: &mut TcpStream, bytes: &[u8]) -> Seen {
    stream.write_all(bytes).await.map_err(|error| format!("the replica hung up: {error}"))
}

/// Reads on until the text holds this.
async fn read_until(stream: &mut TcpStream, wanted: &str) -> Seen<String> {
    let mut text = String::new();
    let reading = async {
        let mut bytes = [0; 4_096];
        while !text.contains(wanted) {
            match stream.read(&mut bytes).await {
                Ok(length) if length > 0 => {
                    text.push_str(&String::from_utf8_lossy(&bytes[..length]));
                }
                _ => break,
            }
        }
    };
    let _late = timeout(Duration::from_secs(ANSWER_S_MAX), reading).await;
    holds(text.contains(wanted), || format!("{wanted:?} was awaited, {text:?} came"))?;
    Ok(text)
}

/// What arrived stays, GET tells, and the client goes on from there (UP6).
async fn broken_body(run: &Run) -> Seen {
    let blob = run.blob(Algorithm::Sha256, 1_000);
    let place = uploads::open(run).await?;
    let (mut stream, head) = connected(run, &format!("PATCH {place}"), true).await?;
    write(&mut stream, format!("{head}content-length: 1000\r\n\r\n").as_bytes()).await?;
    write(&mut stream, &blob.bytes[..600]).await?;
    drop(stream);
    // The replica sees the end of the connection in its own time.
    let mut seen = uploads::stands(run, &place, 600).await;
    for _ in 0..ANSWER_S_MAX * 1_000 / POLL_MS {
        if seen.is_ok() {
            break;
        }
        sleep(Duration::from_millis(POLL_MS)).await;
        seen = uploads::stands(run, &place, 600).await;
    }
    seen?;
    let rest = uploads::chunk(run.patch(&place), &blob.bytes, 600, 1_000).send().await?;
    uploads::taken(&rest, &place, 1_000)?;
    uploads::created(
        run,
        &uploads::closing(run, &place, &blob.digest).send().await?,
        &blob.digest,
    )?;
    blobs::get(run, &blob).await
}

/// Nobody is told to go on before it is known who asks (H19).
async fn refused_before_the_body(run: &Run) -> Seen {
    let first = format!("POST /v2/{}/blobs/uploads/", run.repository);
    let (mut stream, head) = connected(run, &first, false).await?;
    let head = format!("{head}expect: 100-continue\r\ncontent-length: 1000000\r\n\r\n");
    write(&mut stream, head.as_bytes()).await?;
    let text = read_until(&mut stream, "\r\n\r\n").await?;
    holds(text.starts_with("HTTP/1.1 401 "), || format!("401 was awaited, {text:?} came"))
}

async fn continued(run: &Run) -> Seen {
    let blob = run.blob(Algorithm::Sha256, 1_000);
    let first = format!("POST /v2/{}/blobs/uploads/?digest={}", run.repository, blob.digest);
    let (mut stream, head) = connected(run, &first, true).await?;
    let head = format!("{head}expect: 100-continue\r\ncontent-length: 1000\r\n\r\n");
    write(&mut stream, head.as_bytes()).await?;
    read_until(&mut stream, "HTTP/1.1 100 Continue\r\n\r\n").await?;
    write(&mut stream, &blob.bytes).await?;
    read_until(&mut stream, "HTTP/1.1 201 Created\r\n").await?;
    blobs::get(run, &blob).await
}

//! HTTP/1.1 by hand: bytes as they are, and what comes back.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

/// No answer of these tests takes longer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Connects to `http://ADDRESS`.
pub(crate) async fn connect(url: &str) -> TcpStream {
    let address = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    let stream = TcpStream::connect(address.unwrap()).await.unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Reads to the end of the head of an answer.
pub(crate) async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let byte = timeout(PATIENCE, stream.read_u8()).await.expect("an answer in time");
        head.push(byte.unwrap_or_else(|error| panic!("{error} after {head:?}")));
    }
    String::from_utf8(head).unwrap()
}

/// Reads until the replica closes; what came, and how long that took.
pub(crate) async fn read_to_end(stream: &mut TcpStream) -> (String, Duration) {
    let begun = Instant::now();
    let mut bytes = Vec::new();
    // A reset is an end as well.
    let ended = timeout(PATIENCE, stream.read_to_end(&mut bytes)).await;
    assert!(ended.is_ok(), "the connection stays open: {}", String::from_utf8_lossy(&bytes));
    (String::from_utf8_lossy(&bytes).into_owned(), begun.elapsed())
}

/// Sends bytes and reads until the replica closes.
pub(crate) async fn exchange(url: &str, bytes: &[u8]) -> String {
    let mut stream = connect(url).await;
    stream.write_all(bytes).await.unwrap();
    read_to_end(&mut stream).await.0
}

/// A body in chunks of 8 KiB, its end included.
pub(crate) fn chunked(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    for chunk in bytes.chunks(8_192) {
        text.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        text.extend_from_slice(chunk);
        text.extend_from_slice(b"\r\n");
    }
    text.extend_from_slice(b"0\r\n\r\n");
    text
}

//! One HTTP/1.1 connection, as thin as it can be: client and server often share a processor.
//!
//! A body goes out from where it lies, and comes in through one buffer that is used again and
//! again; nothing is collected, and nothing is hashed unless that is asked for.

use std::io;
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wire::client_tls::ClientTls;
use wire::dial::{Dial, TcpDial};
use wire::stream::BoxStream;

use super::address::Address;
use super::answer::{Framing, Head, broken, end_of_head};
use super::sink::Sink;

/// One read takes at most so much: it stays in the second-level cache.
const BUFFER_BYTES: usize = 256 << 10;

/// A body that is no longer than this leaves in one write with its head.
const TOGETHER_BYTES_MAX: usize = 16 << 10;

/// An open connection.
pub struct Connection {
    stream: BoxStream,
    buffer: Box<[u8]>,
    from: usize,
    until: usize,
    out: Vec<u8>,
}

/// How much of a body came, and when it began to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// Bytes of the body, without what frames it.
    pub bytes: u64,
    /// When the first of them was there; `None` of an empty body.
    pub first: Option<Instant>,
}

impl Connection {
    /// Connects to `address`, with TLS where it speaks TLS.
    pub async fn open(address: &Address, tls: &ClientTls) -> io::Result<Self> {
        let stream = TcpDial::default().dial(&address.dialled).await?;
        let stream = if address.tls { tls.connect(stream, &address.host).await? } else { stream };
        let buffer = vec![0; BUFFER_BYTES].into_boxed_slice();
        Ok(Self { stream, buffer, from: 0, until: 0, out: Vec::new() })
    }

    /// Sends the text of a head, its empty line included, and the pieces of a body.
    pub async fn send<'a>(
        &mut self,
        head: &[u8],
        pieces: impl Iterator<Item = &'a [u8]>,
    ) -> io::Result<()> {
        self.out.clear();
        self.out.extend_from_slice(head);
        for piece in pieces {
            if self.out.len() + piece.len() <= TOGETHER_BYTES_MAX {
                self.out.extend_from_slice(piece);
                continue;
            }
            self.stream.write_all(&self.out).await?;
            self.out.clear();
            self.stream.write_all(piece).await?;
        }
        self.stream.write_all(&self.out).await?;
        self.stream.flush().await
    }

    /// Waits for the head of the answer.
    pub async fn head(&mut self, to_head: bool) -> io::Result<Head> {
        loop {
            let waiting = &self.buffer[self.from..self.until];
            if let Some(end) = end_of_head(waiting) {
                let head = Head::parse(&waiting[..end], to_head)?;
                self.from += end;
                // What says only "go on" is not the answer yet.
                if head.status >= 200 {
                    return Ok(head);
                }
                continue;
            }
            self.fill().await?;
        }
    }

    /// Reads the body whole; every piece of it is shown to `sink`.
    pub async fn body(&mut self, framing: Framing, sink: &mut Sink) -> io::Result<Received> {
        let mut received = Received::default();
        match framing {
            Framing::Length(bytes) => self.exactly(bytes, sink, &mut received).await?,
            Framing::Chunked => loop {
                let size = self.line().await?;
                let size = size.split(';').next().unwrap_or_default().trim();
                let size = u64::from_str_radix(size, 16).map_err(|_| broken(size))?;
                if size == 0 {
                    while !self.line().await?.is_empty() {}
                    break;
                }
                self.exactly(size, sink, &mut received).await?;
                self.line().await?;
            },
            Framing::UntilClose => loop {
                match self.fill_empty().await {
                    Ok(()) => self.take(u64::MAX, sink, &mut received),
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
                    Err(error) => return Err(error),
                }
            },
        }
        Ok(received)
    }
}

/// Reading into the buffer, and out of it.
impl Connection {
    async fn exactly(
        &mut self,
        bytes: u64,
        sink: &mut Sink,
        received: &mut Received,
    ) -> io::Result<()> {
        let end = received.bytes + bytes;
        while received.bytes < end {
            self.fill_empty().await?;
            self.take(end - received.bytes, sink, received);
        }
        Ok(())
    }

    /// Shows what is in the buffer, at most so many bytes of it.
    fn take(&mut self, bytes_max: u64, sink: &mut Sink, received: &mut Received) {
        let waiting = &self.buffer[self.from..self.until];
        let taken = usize::try_from(bytes_max).unwrap_or(usize::MAX).min(waiting.len());
        if taken > 0 {
            received.first.get_or_insert_with(Instant::now);
            sink.take(&waiting[..taken]);
        }
        self.from += taken;
        received.bytes += taken as u64;
    }

    async fn line(&mut self) -> io::Result<String> {
        loop {
            let waiting = &self.buffer[self.from..self.until];
            if let Some(end) = waiting.windows(2).position(|two| two == b"\r\n") {
                let line = String::from_utf8_lossy(&waiting[..end]).into_owned();
                self.from += end + 2;
                return Ok(line);
            }
            self.fill().await?;
        }
    }

    /// Reads once where nothing is waiting.
    async fn fill_empty(&mut self) -> io::Result<()> {
        if self.from < self.until { Ok(()) } else { self.fill().await }
    }

    /// Reads once, behind what is waiting.
    async fn fill(&mut self) -> io::Result<()> {
        if self.from > 0 {
            self.buffer.copy_within(self.from..self.until, 0);
            self.until -= self.from;
            self.from = 0;
        }
        if self.until == self.buffer.len() {
            return Err(broken("a line without an end"));
        }
        let read = self.stream.read(&mut self.buffer[self.until..]).await?;
        if read == 0 {
            let text = "the connection was closed in the middle of an answer";
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text));
        }
        self.until += read;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::sink::Take;
    use super::*;

    /// A connection to a server that sends `text` in pieces of `step` bytes, then closes.
    fn scripted(text: &'static [u8], step: usize) -> Connection {
        let (near, mut far) = tokio::io::duplex(64);
        tokio::spawn(async move {
            for piece in text.chunks(step) {
                far.write_all(piece).await.unwrap();
                tokio::task::yield_now().await;
            }
        });
        let buffer = vec![0; 1_024].into_boxed_slice();
        Connection { stream: Box::new(near), buffer, from: 0, until: 0, out: Vec::new() }
    }

    #[tokio::test]
    async fn bodies_of_every_framing_are_read_to_their_end() {
        let cases: [(&'static [u8], &str); 4] = [
            (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "hello"),
            (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 C\r\nContent-Length: 2\r\n\r\nok", "ok"),
            (b"HTTP/1.1 200 OK\r\n\r\nto the end", "to the end"),
            (
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
                  3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nT: x\r\n\r\n",
                "abc0123456789",
            ),
        ];
        for (text, expected) in cases {
            for step in [1, 7, 64] {
                let mut connection = scripted(text, step);
                let head = connection.head(false).await.unwrap();
                let mut sink = Sink::new(Take::Keep);
                let received = connection.body(head.framing, &mut sink).await.unwrap();
                assert_eq!(sink.kept(), expected.as_bytes(), "{expected} {step}");
                assert_eq!(received.bytes, expected.len() as u64);
                assert!(received.first.is_some());
            }
        }
    }

    #[tokio::test]
    async fn an_answer_cut_short_is_an_error() {
        let cut: [&'static [u8]; 3] = [
            b"HTTP/1.1 200",
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        ];
        for text in cut {
            let mut connection = scripted(text, 64);
            let Ok(head) = connection.head(false).await else { continue };
            assert!(connection.body(head.framing, &mut Sink::new(Take::Count)).await.is_err());
        }
    }
}

//! HTTP/2 by hand: frames that no client library would send, and as many as wanted.
//!
//! Source: RFC 9113 and RFC 7541.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, BufWriter};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::timeout;

use crate::by_hand::connect;

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RESET: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;

const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;

const SETTINGS_HEADER_TABLE_SIZE: u16 = 1;

/// No frame of these tests takes longer to come.
const PATIENCE: Duration = Duration::from_secs(30);

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Came {
    /// An answer, and whether a body follows.
    Status(u16, bool),
    /// The request was reset, with this error.
    Reset(u32),
    /// The connection ended: the last GOAWAY's error, where there was one.
    Closed(Option<u32>),
}

/// A connection.
pub(crate) struct Http2 {
    reader: OwnedReadHalf,
    writer: BufWriter<OwnedWriteHalf>,
    went_away: Option<u32>,
}

impl Http2 {
    /// Connects without TLS; `settings` are pairs of identifier and value.
    pub(crate) async fn open(url: &str, settings: &[(u16, u32)]) -> Self {
        let (reader, writer) = TcpStream::into_split(connect(url).await);
        let mut open = Self { reader, writer: BufWriter::new(writer), went_away: None };
        open.writer.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
        // Without a table of headers each answer's status is readable by itself.
        let without_table = [(SETTINGS_HEADER_TABLE_SIZE, 0)];
        let each = without_table.iter().chain(settings).flat_map(|(id, value)| {
            [id.to_be_bytes().to_vec(), value.to_be_bytes().to_vec()].concat()
        });
        open.send(SETTINGS, 0, 0, &each.collect::<Vec<_>>()).await.unwrap();
        open.flush().await;
        open
    }

    /// Puts a frame among those to be sent.
    pub(crate) async fn send(
        &mut self,
        kind: u8,
        flags: u8,
        stream: u32,
        payload: &[u8],
    ) -> std::io::Result<()> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        self.writer.write_all(&length[1..]).await?;
        self.writer.write_all(&[kind, flags]).await?;
        self.writer.write_all(&stream.to_be_bytes()).await?;
        self.writer.write_all(payload).await
    }

    /// Sends what was put together; the replica may have closed.
    pub(crate) async fn flush(&mut self) {
        let _ = self.writer.flush().await;
    }

    /// Sends a request's head; `headers` come after the pseudo-headers.
    pub(crate) async fn request(
        &mut self,
        stream: u32,
        (method, path): (&str, &str),
        headers: &[(&str, &str)],
        is_whole: bool,
    ) {
        let pseudo = [
            (":method", method),
            (":scheme", "http"),
            (":authority", "localhost"),
            (":path", path),
        ];
        let mut block = Vec::new();
        for (name, value) in pseudo.iter().chain(headers) {
            block.push(0);
            literal(&mut block, name);
            literal(&mut block, value);
        }
        // A head larger than a frame goes on in CONTINUATION frames.
        let mut pieces = block.chunks(16_000).peekable();
        let mut kind = HEADERS;
        while let Some(piece) = pieces.next() {
            let last = if pieces.peek().is_none() { END_HEADERS } else { 0 };
            let end = if kind == HEADERS && is_whole { END_STREAM } else { 0 };
            let _ = self.send(kind, last | end, stream, piece).await;
            kind = 9;
        }
        self.flush().await;
    }

    /// Sends a piece of a body.
    pub(crate) async fn data(&mut self, stream: u32, bytes: &[u8], is_last: bool) {
        let _ = self.send(DATA, u8::from(is_last), stream, bytes).await;
    }
}

/// What comes back.
impl Http2 {
    /// The next frame; SETTINGS and PING are answered on the way. `None` where the replica closes.
    pub(crate) async fn frame(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        let read = timeout(PATIENCE, self.reader.read_exact(&mut head)).await;
        read.expect("a frame in time").ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        self.reader.read_exact(&mut payload).await.ok()?;
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        let frame = Frame { kind: head[3], flags: head[4], stream, payload };
        if matches!(frame.kind, SETTINGS | PING) && frame.flags & ACK == 0 {
            let back: &[u8] = if frame.kind == PING { &frame.payload } else { &[] };
            let _ = self.send(frame.kind, ACK, 0, back).await;
            self.flush().await;
        }
        if frame.kind == GOAWAY {
            self.went_away = Some(number(&frame.payload[4..8]));
        }
        Some(frame)
    }

    /// What comes of the request on this stream.
    pub(crate) async fn outcome(&mut self, stream: u32) -> Came {
        while let Some(frame) = self.frame().await {
            if frame.stream != stream {
                continue;
            }
            match frame.kind {
                HEADERS => {
                    return Came::Status(status(&frame.payload), frame.flags & END_STREAM == 0);
                }
                RESET => return Came::Reset(number(&frame.payload)),
                _ => {}
            }
        }
        Came::Closed(self.went_away)
    }

    /// The body that follows an answer.
    pub(crate) async fn body(&mut self, stream: u32) -> Vec<u8> {
        let mut body = Vec::new();
        while let Some(frame) = self.frame().await {
            if frame.stream == stream && frame.kind == DATA {
                body.extend_from_slice(&frame.payload);
            }
            if frame.stream == stream && frame.flags & END_STREAM != 0 {
                break;
            }
        }
        body
    }

    /// Reads until the replica closes; the error of its GOAWAY, where it sent one.
    pub(crate) async fn closed(&mut self) -> Option<u32> {
        while self.frame().await.is_some() {}
        self.went_away
    }
}

/// A text as HPACK has it, not compressed.
fn literal(block: &mut Vec<u8>, text: &str) {
    let mut length = text.len();
    if length < 127 {
        block.push(u8::try_from(length).unwrap());
    } else {
        block.push(127);
        length -= 127;
        while length >= 128 {
            block.push(u8::try_from(length % 128).unwrap() | 128);
            length /= 128;
        }
        block.push(u8::try_from(length).unwrap());
    }
    block.extend_from_slice(text.as_bytes());
}

fn number(bytes: &[u8]) -> u32 {
    u32::from_be_bytes(bytes[..4].try_into().unwrap())
}

/// `:status`, which stands first: one of the table's, or three digits in its code for texts.
fn status(block: &[u8]) -> u16 {
    const TABLE: [u16; 7] = [200, 204, 206, 304, 400, 404, 500];
    // The encoder may begin with a change of its table's size.
    let block = &block[block.iter().take_while(|byte| **byte & 0xe0 == 0x20).count()..];
    if block[0] & 0x80 != 0 {
        return TABLE[usize::from(block[0] & 0x7f) - 8];
    }
    let (is_coded, length) = (block[1] & 0x80 != 0, usize::from(block[1] & 0x7f));
    let text = &block[2..2 + length];
    if !is_coded {
        return String::from_utf8_lossy(text).parse().unwrap();
    }
    // Digits 0 to 2 take five bits, the others six (RFC 7541, appendix B).
    let bits: u32 = text.iter().fold(0, |bits, byte| bits << 8 | u32::from(*byte));
    let (mut left, mut status) = (8 * length, 0);
    for _ in 0..3 {
        let five = bits >> (left - 5) & 31;
        let digit = if five <= 2 {
            left -= 5;
            five
        } else {
            left -= 6;
            (bits >> left & 63) - 0b01_1001 + 3
        };
        status = status * 10 + u16::try_from(digit).unwrap();
    }
    status
}

#[test]
fn a_status_is_read_in_each_of_its_forms() {
    let cases: [(&[u8], u16); 5] = [
        (&[0x88], 200),
        (&[0x8c, 1, 2], 400),
        (&[0x48, 3, b'4', b'3', b'1'], 431),
        (&[0x48, 0x82, 0x64, 0x02], 302),
        (&[0x20, 0x48, 0x83, 0x68, 0x4f, 0xff], 429),
    ];
    for (block, expected) in cases {
        assert_eq!(status(block), expected, "{block:?}");
    }
}

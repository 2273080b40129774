//! The first bytes of a connection or of its next request: which version of HTTP they speak.
//!
//! Until they come, a connection costs nothing but itself: no buffers, no state of HTTP.

use std::io;

use tokio::io::AsyncReadExt;
use wire::stream::BoxStream;

use crate::frames::PREFACE;

/// The bytes that were read.
#[derive(Debug, Default)]
pub struct Opening {
    bytes: Vec<u8>,
}

impl Opening {
    /// These bytes of the next request came with the last one.
    pub fn with(bytes: &[u8]) -> Self {
        Self { bytes: bytes.to_vec() }
    }

    /// What was read.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Waits for the first byte and says whether it came: none does where the client closes.
    pub async fn begin(&mut self, stream: &mut BoxStream) -> io::Result<bool> {
        if !self.bytes.is_empty() {
            return Ok(true);
        }
        self.read(stream).await
    }

    /// Whether the client speaks HTTP/2 without having said so in TLS; reads as far as that takes.
    pub async fn is_http2(&mut self, stream: &mut BoxStream) -> io::Result<bool> {
        while self.bytes.len() < PREFACE.len() && PREFACE.starts_with(&self.bytes) {
            if !self.read(stream).await? {
                return Ok(false);
            }
        }
        Ok(self.bytes == PREFACE)
    }

    /// Reads no further than the preface goes.
    async fn read(&mut self, stream: &mut BoxStream) -> io::Result<bool> {
        let mut bytes = [0; PREFACE.len()];
        let room = PREFACE.len().saturating_sub(self.bytes.len());
        let read = stream.read(&mut bytes[..room]).await?;
        self.bytes.extend_from_slice(&bytes[..read]);
        Ok(read > 0)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;
    use wire::stream::BoxStream;

    use super::Opening;
    use crate::frames::PREFACE;

    #[tokio::test]
    async fn the_version_shows_in_the_first_bytes() {
        let mut longer = PREFACE.to_vec();
        longer.extend_from_slice(b"frames");
        let cases: [(&[u8], bool); 6] = [
            (PREFACE, true),
            (&longer, true),
            (b"GET / HTTP/1.1\r\n\r\n", false),
            (b"PRI * HTTP/1.1\r\n\r\n", false),
            (b"PRI", false),
            (b"P", false),
        ];
        for (sent, expected) in cases {
            for piece in [1, 5, 100] {
                let (ours, mut theirs) = tokio::io::duplex(1_024);
                let mut ours: BoxStream = Box::new(ours);
                let send = async {
                    for bytes in sent.chunks(piece) {
                        theirs.write_all(bytes).await.unwrap();
                        tokio::task::yield_now().await;
                    }
                    drop(theirs);
                };
                let look = async {
                    let mut opening = Opening::default();
                    assert!(opening.begin(&mut ours).await.unwrap());
                    let is_http2 = opening.is_http2(&mut ours).await.unwrap();
                    assert!(sent.starts_with(&opening.into_bytes()));
                    is_http2
                };
                let (is_http2, ()) = tokio::join!(look, send);
                assert_eq!(is_http2, expected, "{:?} by {piece}", String::from_utf8_lossy(sent));
            }
        }
    }
}

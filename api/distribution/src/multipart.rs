//! Several ranges of one blob in one answer: `multipart/byteranges`.
//!
//! Source: RFC 9110, section 14.6; registry-protocol BL5.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use content::content::Content;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use oci::digest::Digest;

/// The parts of one blob that are sent.
pub struct Parts {
    /// Which blob.
    pub digest: Digest,
    /// Its bytes.
    pub size: u64,
    /// Which of them.
    pub ranges: Vec<Range<u64>>,
    /// Does not occur in what separates the parts by anything but chance of 2^-64.
    pub boundary: String,
}

impl Parts {
    /// The answer's `Content-Type`.
    pub fn content_type(&self) -> String {
        format!("multipart/byteranges; boundary={}", self.boundary)
    }

    /// The answer's length in bytes.
    pub fn length(&self) -> u64 {
        let heads = self
            .ranges
            .iter()
            .map(|range| self.head(range).len() as u64 + (range.end - range.start));
        heads.sum::<u64>() + self.end().len() as u64
    }

    /// The answer's body; each part is read when the one before it is sent.
    pub fn body(self, content: Content) -> Body {
        let parts = Arc::new(self);
        let end = stream::once({
            let parts = Arc::clone(&parts);
            async move { Ok(Bytes::from(parts.end())) }
        });
        let ranges = stream::iter(parts.ranges.clone());
        let pieces = ranges.flat_map(move |range| part(Arc::clone(&parts), content.clone(), range));
        Body::from_stream(pieces.chain(end))
    }

    fn head(&self, range: &Range<u64>) -> String {
        format!(
            "\r\n--{}\r\nContent-Type: application/octet-stream\r\n\
             Content-Range: bytes {}-{}/{}\r\n\r\n",
            self.boundary,
            range.start,
            range.end - 1,
            self.size
        )
    }

    fn end(&self) -> String {
        format!("\r\n--{}--\r\n", self.boundary)
    }
}

fn part(
    parts: Arc<Parts>,
    content: Content,
    range: Range<u64>,
) -> impl Stream<Item = io::Result<Bytes>> + Send {
    let head = Bytes::from(parts.head(&range));
    let bytes = stream::once(async move {
        let read = content.read(&parts.digest, parts.size, range).await;
        read.map_err(|failure| io::Error::other(failure.to_string()))
    });
    stream::once(async move { Ok(head) }).chain(bytes.try_flatten())
}

#[cfg(test)]
mod tests {
    use oci::digest::Algorithm;
    use oci::verifier::digest_of;

    use super::Parts;

    #[test]
    fn the_length_counts_heads_bytes_and_end() {
        let digest = digest_of(Algorithm::Sha256, b"");
        let ranges = vec![0..5, 10..20];
        let parts = Parts { digest, size: 100, ranges, boundary: "b".to_owned() };
        let heads: usize = parts.ranges.iter().map(|range| parts.head(range).len()).sum();
        assert_eq!(parts.length(), heads as u64 + 15 + "\r\n--b--\r\n".len() as u64);
        assert!(parts.head(&(10..20)).contains("Content-Range: bytes 10-19/100\r\n"));
    }
}

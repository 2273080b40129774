//! The `Content-Range` of an upload's chunk.
//!
//! Source: OCI distribution-spec 1.1, "Pushing a blob in chunks"; registry-protocol UP3.

use crate::ranges::digits;

/// First and last byte of a chunk, both counted from 0 and included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Where it begins.
    pub first: u64,
    /// Its last byte.
    pub last: u64,
}

impl Chunk {
    /// Reads `0-1023`, and what clients used to HTTP write: `bytes 0-1023`, `bytes 0-1023/4096`,
    /// `bytes 0-1023/*`. Returns `None` for anything else, or where the end is before the start.
    pub fn parse(header: &str) -> Option<Self> {
        let text = header.trim();
        let text = match text.strip_prefix("bytes ") {
            Some(rest) => match rest.split_once('/') {
                Some((range, "*")) => range,
                Some((range, total)) => digits(total).map(|_| range)?,
                None => rest,
            },
            None => text,
        };
        let (first, last) = text.trim().split_once('-')?;
        let (first, last) = (digits(first)?, digits(last)?);
        (first <= last && last < u64::MAX).then_some(Self { first, last })
    }

    /// How many bytes it has.
    pub fn length(self) -> u64 {
        self.last - self.first + 1
    }
}

#[cfg(test)]
mod tests {
    use super::Chunk;

    #[test]
    fn chunks_are_read_with_and_without_unit() {
        for header in ["0-1023", "bytes 0-1023", "bytes 0-1023/4096", "bytes 0-1023/*", " 0-1023 "]
        {
            let chunk = Chunk::parse(header).unwrap();
            assert_eq!((chunk.first, chunk.last, chunk.length()), (0, 1023, 1024), "{header:?}");
        }
        assert_eq!(Chunk::parse("7-7").map(Chunk::length), Some(1));
    }

    #[test]
    fn anything_else_is_refused() {
        let refused = [
            "",
            "-",
            "0-",
            "-5",
            "5-4",
            "0-garbage",
            "+0-9",
            "0-+9",
            "0x0-9",
            "bytes=0-9",
            "bytes 0-9/x",
            "0-9/10",
            "0--9",
            "items 0-9",
            "0-99999999999999999999",
        ];
        for header in refused {
            assert_eq!(Chunk::parse(header), None, "{header:?}");
        }
    }
}

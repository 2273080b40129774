//! The whole state as one stream of bytes: a header, blocks of rows, an end.
//!
//! A block is its kind (1 byte), the length of its body (4 bytes, big-endian), the body, and a
//! SHA-256 over its place in the stream, kind, length and body: a flipped bit, a block lost,
//! doubled or moved, and a stream that was cut are all found. Rows are given out only from blocks
//! that were checked.

use oci::digest::Algorithm;
use oci::verifier::Verifier;

use crate::codec::{self, Malformed, message};
use crate::tables::Table;

/// The format this binary writes, and the newest it knows.
pub const FORMAT: u32 = 1;

const HEADER: u8 = 1;
const ROWS: u8 = 2;
const END: u8 = 3;

/// Kind and length.
const HEAD_BYTES: usize = 5;
const SUM_BYTES: usize = 32;
/// A block of rows is closed when it has grown beyond this.
const BLOCK_BYTES: usize = 256 * 1024;
/// No block is longer: a row has at most 64 KiB, a header a membership.
const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;

message! {
    /// What a snapshot says of itself.
    pub struct Header {
        /// [`FORMAT`].
        1 format: u32,
        /// The cluster whose state it is.
        2 cluster_id: String,
        /// The last entry that it contains.
        3 log_index: u64,
        /// That entry's term.
        4 term: u64,
        /// What the consensus adds: membership, and which node led that term.
        5 consensus: Vec<u8>,
    }
}

/// The bytes are not a whole snapshot.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// A checksum is wrong.
    #[error("block {0} of the snapshot is damaged")]
    Damaged(u64),
    /// It ends before its end block.
    #[error("the snapshot is cut")]
    Cut,
    /// Something follows its end block.
    #[error("something follows the snapshot's end")]
    Trailing,
    /// A newer version wrote it.
    #[error("the snapshot has format {0}, this version knows format 1 only")]
    NewerFormat(u32),
    /// A table that this version does not know.
    #[error("the snapshot has a table {0}, which this version does not know")]
    UnknownTable(u8),
    /// Well summed, yet not what this version writes.
    #[error("the snapshot can't be read: {0}")]
    Malformed(#[from] Malformed),
}

/// Turns rows into the stream.
#[derive(Debug)]
pub struct Encoder {
    sequence: u64,
    rows: u64,
    body: Vec<u8>,
}

impl Encoder {
    /// Begins a stream; the header's bytes are appended to `out`.
    pub fn new(header: &Header, out: &mut Vec<u8>) -> Self {
        let mut encoder = Self { sequence: 0, rows: 0, body: Vec::new() };
        encoder.body = header.encode();
        encoder.close(HEADER, out);
        encoder
    }

    /// Adds a row; from time to time a block is appended to `out`.
    pub fn push(&mut self, table: Table, key: &[u8], value: &[u8], out: &mut Vec<u8>) {
        self.rows += 1;
        self.body.push(table as u8);
        for part in [key, value] {
            let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
            self.body.extend_from_slice(&length.to_be_bytes());
            self.body.extend_from_slice(part);
        }
        if self.body.len() >= BLOCK_BYTES {
            self.close(ROWS, out);
        }
    }

    /// Ends the stream.
    pub fn finish(mut self, out: &mut Vec<u8>) {
        if !self.body.is_empty() {
            self.close(ROWS, out);
        }
        self.body = self.rows.to_be_bytes().to_vec();
        self.close(END, out);
    }

    fn close(&mut self, kind: u8, out: &mut Vec<u8>) {
        let length = u32::try_from(self.body.len()).unwrap_or(u32::MAX);
        let start = out.len();
        out.push(kind);
        out.extend_from_slice(&length.to_be_bytes());
        out.append(&mut self.body);
        let sum = sum(self.sequence, &out[start..]);
        out.extend_from_slice(&sum);
        self.sequence += 1;
    }
}

/// A piece of a snapshot that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// The first.
    Header(Header),
    /// A row.
    Row(Table, Vec<u8>, Vec<u8>),
}

/// Turns the stream back into rows.
#[derive(Debug, Default)]
pub struct Decoder {
    sequence: u64,
    rows: u64,
    ended: bool,
    pending: Vec<u8>,
}

impl Decoder {
    /// Takes the next bytes, as many as there are, and gives what became complete.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Vec<Part>, SnapshotError> {
        self.pending.extend_from_slice(bytes);
        let mut parts = Vec::new();
        let mut start = 0;
        while let Some(block) = block(&self.pending[start..], self.sequence)? {
            if self.ended {
                return Err(SnapshotError::Trailing);
            }
            let (kind, body) = (block[0], &block[HEAD_BYTES..block.len() - SUM_BYTES]);
            let right = match (kind, self.sequence) {
                (HEADER, 0) => {
                    parts.push(Part::Header(header(body)?));
                    true
                }
                (ROWS, 1..) => {
                    self.rows += rows(body, self.sequence, &mut parts)?;
                    true
                }
                (END, 1..) => {
                    self.ended = true;
                    body == self.rows.to_be_bytes()
                }
                _ => false,
            };
            if !right {
                return Err(SnapshotError::Damaged(self.sequence));
            }
            start += block.len();
            self.sequence += 1;
        }
        self.pending.drain(..start);
        Ok(parts)
    }

    /// Says that no more bytes come; the number of rows, if the snapshot was whole.
    pub fn finish(self) -> Result<u64, SnapshotError> {
        match (self.ended, self.pending.is_empty()) {
            (true, true) => Ok(self.rows),
            (true, false) => Err(SnapshotError::Trailing),
            (false, _) => Err(SnapshotError::Cut),
        }
    }
}

/// The whole block that `bytes` begin with, once its sum was checked; `None` while it is not all
/// there.
fn block(bytes: &[u8], sequence: u64) -> Result<Option<&[u8]>, SnapshotError> {
    let Some((_, length)) = bytes.split_first().and_then(|(kind, rest)| {
        rest.first_chunk::<4>().map(|length| (kind, u32::from_be_bytes(*length)))
    }) else {
        return Ok(None);
    };
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if length > BODY_BYTES_MAX {
        return Err(SnapshotError::Damaged(sequence));
    }
    let end = HEAD_BYTES + length;
    let Some(whole) = bytes.get(..end + SUM_BYTES) else { return Ok(None) };
    if sum(sequence, &whole[..end]) == whole[end..] {
        Ok(Some(whole))
    } else {
        Err(SnapshotError::Damaged(sequence))
    }
}

fn header(body: &[u8]) -> Result<Header, SnapshotError> {
    let format = codec::Reader::new(body).take(1)?.ok_or(Malformed::Missing)?.number()?;
    match u32::try_from(format).unwrap_or(u32::MAX) {
        FORMAT => Ok(Header::decode(body)?),
        newer => Err(SnapshotError::NewerFormat(newer)),
    }
}

/// Reads the rows of a block; how many there were.
fn rows(mut body: &[u8], sequence: u64, parts: &mut Vec<Part>) -> Result<u64, SnapshotError> {
    let mut count = 0;
    while let Some((number, rest)) = body.split_first() {
        let table = Table::from_number(*number).ok_or(SnapshotError::UnknownTable(*number))?;
        let parted = piece(rest).and_then(|(key, rest)| Some((key, piece(rest)?)));
        let (key, (value, rest)) = parted.ok_or(SnapshotError::Damaged(sequence))?;
        parts.push(Part::Row(table, key.to_vec(), value.to_vec()));
        body = rest;
        count += 1;
    }
    Ok(count)
}

fn piece(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
}

fn sum(sequence: u64, block: &[u8]) -> Vec<u8> {
    let mut verifier = Verifier::new(&[Algorithm::Sha256]);
    verifier.update(&sequence.to_be_bytes());
    verifier.update(block);
    // The key form of a digest has its algorithm in front.
    verifier.finish().pop().map_or(Vec::new(), |digest| digest.to_bytes().split_off(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(rows: u32) -> Vec<u8> {
        let header = Header {
            format: FORMAT,
            cluster_id: "c1".into(),
            log_index: 7,
            term: 2,
            consensus: vec![1, 2, 3],
        };
        let mut out = Vec::new();
        let mut encoder = Encoder::new(&header, &mut out);
        for row in 0..rows {
            encoder.push(Table::Tags, &row.to_be_bytes(), &[7; 100], &mut out);
        }
        encoder.finish(&mut out);
        out
    }

    fn read(pieces: &[&[u8]]) -> Result<(Vec<Part>, u64), SnapshotError> {
        let mut decoder = Decoder::default();
        let mut parts = Vec::new();
        for piece in pieces {
            parts.extend(decoder.feed(piece)?);
        }
        Ok((parts, decoder.finish()?))
    }

    #[test]
    fn a_snapshot_read_in_any_pieces_gives_its_rows() {
        let bytes = stream(10_000);
        let (parts, rows) = read(&[&bytes]).unwrap();
        assert_eq!(rows, 10_000);
        assert_eq!(parts.len(), 10_001);
        assert!(matches!(&parts[0], Part::Header(header) if header.log_index == 7));
        let small: Vec<&[u8]> = bytes.chunks(4093).collect();
        assert_eq!(read(&small).unwrap(), (parts, rows));
    }

    #[test]
    fn a_flipped_bit_anywhere_a_cut_and_trailing_bytes_are_found() {
        let bytes = stream(5);
        for place in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[place] ^= 1 << (place % 8);
            assert!(read(&[&flipped]).is_err(), "bit flipped in byte {place}");
            assert!(read(&[&bytes[..place]]).is_err(), "cut before byte {place}");
        }
        let trailing = [bytes.as_slice(), b"x"].concat();
        assert_eq!(read(&[&trailing]), Err(SnapshotError::Trailing));
        let doubled = [bytes.as_slice(), bytes.as_slice()].concat();
        assert!(read(&[&doubled]).is_err());
    }

    #[test]
    fn blocks_that_changed_places_are_found() {
        let bytes = stream(6_000);
        let starts: Vec<usize> = {
            let mut starts = vec![0];
            while let Some(rest) = bytes.get(starts[starts.len() - 1]..).filter(|r| !r.is_empty()) {
                let length = u32::from_be_bytes(*rest[1..].first_chunk::<4>().unwrap()) as usize;
                starts.push(starts[starts.len() - 1] + HEAD_BYTES + length + SUM_BYTES);
            }
            starts
        };
        assert!(starts.len() >= 5, "header, two blocks of rows, end");
        let block = |n: usize| &bytes[starts[n]..starts[n + 1]];
        let swapped = [block(0), block(2), block(1), block(3)].concat();
        assert_eq!(read(&[&swapped]), Err(SnapshotError::Damaged(1)));
        let dropped = [block(0), block(1), block(3)].concat();
        assert_eq!(read(&[&dropped]), Err(SnapshotError::Damaged(2)));
    }
}

//! How one record of the log is written: a frame around an entry, a vote, or what became of
//! entries.
//!
//! | bytes | what |
//! |---|---|
//! | 1 | 0xf1, so that a page of zeros reads as nothing |
//! | 1 | kind |
//! | 4 | length of the body |
//! | 4 | the same, inverted: a flipped bit in it is damage and never an end of the file |
//! | 8 | stamp: below this offset the log was synced before this record was written |
//! | 4 | CRC32 of kind, length, stamp and body |
//! | n | body |
//!
//! Integers are big-endian. Offsets count the bytes of all files of the log, those that are gone
//! included. From the stamps that survive, `replay` tells a torn tail from damage.

use bytes::{BufMut, Bytes};

use super::{LogId, Vote};

/// The first byte of every record.
pub(super) const FIRST: u8 = 0xf1;
/// Bytes in front of the body.
pub(super) const HEADER_BYTES: usize = 22;
/// Bytes in front of an entry's payload: the header and the id.
pub(super) const ENTRY_HEADER_BYTES: usize = HEADER_BYTES + ID_BYTES;
/// Entries are far smaller; a length beyond this is damage.
pub(super) const BODY_BYTES_MAX: u32 = 64 * 1024 * 1024;

const ID_BYTES: usize = 24;
const VOTE_BYTES: usize = 17;

const ENTRY: u8 = 1;
const VOTE: u8 = 2;
const TRUNCATE: u8 = 3;
const PURGE: u8 = 4;
const COMMIT: u8 = 5;
const STATE: u8 = 6;

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Record {
    /// An entry.
    Entry(LogId, Bytes),
    /// The vote from now on.
    Vote(Vote),
    /// Entries from this index on are forgotten.
    Truncate(u64),
    /// Entries up to this one are forgotten.
    Purge(LogId),
    /// Entries up to this one are committed.
    Commit(LogId),
    /// Where the log stood when this file was begun: its first record.
    State(State),
}

/// All of a log but its entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    pub(super) vote: Option<Vote>,
    pub(super) last: Option<LogId>,
    pub(super) committed: Option<LogId>,
    pub(super) purged: Option<LogId>,
}

/// A record as it was read.
pub(super) struct Framed {
    pub(super) record: Record,
    pub(super) stamp: u64,
    /// Of the whole frame.
    pub(super) length: usize,
}

impl Record {
    /// Appends the frame to `to`.
    pub(super) fn encode(&self, stamp: u64, to: &mut Vec<u8>) {
        let start = to.len();
        to.put_bytes(0, HEADER_BYTES);
        self.encode_body(to);
        let length = u32::try_from(to.len() - start - HEADER_BYTES).unwrap_or(u32::MAX);
        let mut header = &mut to[start..];
        header.put_u8(FIRST);
        header.put_u8(self.kind());
        header.put_u32(length);
        header.put_u32(!length);
        header.put_u64(stamp);
        let checksum = checksum(&to[start..]);
        (&mut to[start + HEADER_BYTES - 4..]).put_u32(checksum);
    }

    fn kind(&self) -> u8 {
        match self {
            Self::Entry(..) => ENTRY,
            Self::Vote(_) => VOTE,
            Self::Truncate(_) => TRUNCATE,
            Self::Purge(_) => PURGE,
            Self::Commit(_) => COMMIT,
            Self::State(_) => STATE,
        }
    }

    fn encode_body(&self, to: &mut Vec<u8>) {
        match self {
            Self::Entry(id, payload) => {
                put_id(to, *id);
                to.put_slice(payload);
            }
            Self::Vote(vote) => put_vote(to, *vote),
            Self::Truncate(index) => to.put_u64(*index),
            Self::Purge(id) | Self::Commit(id) => put_id(to, *id),
            Self::State(state) => {
                to.put_u8(u8::from(state.vote.is_some()));
                put_vote(to, state.vote.unwrap_or_default());
                for id in [state.last, state.committed, state.purged] {
                    to.put_u8(u8::from(id.is_some()));
                    put_id(to, id.unwrap_or_default());
                }
            }
        }
    }

    /// The record that `bytes` begin with; `None` where it is damaged, incomplete or none.
    pub(super) fn decode(bytes: &[u8]) -> Option<Framed> {
        let header = bytes.get(..HEADER_BYTES).filter(|header| header[0] == FIRST)?;
        let (size, inverted) = (u32_at(header, 2), u32_at(header, 6));
        if size != !inverted || size > BODY_BYTES_MAX {
            return None;
        }
        let length = HEADER_BYTES + size as usize;
        let frame = bytes.get(..length)?;
        if u32_at(header, HEADER_BYTES - 4) != checksum(frame) {
            return None;
        }
        let record = Self::decode_body(header[1], &frame[HEADER_BYTES..])?;
        Some(Framed { record, stamp: u64_at(header, 10), length })
    }

    fn decode_body(kind: u8, body: &[u8]) -> Option<Self> {
        Some(match kind {
            ENTRY => {
                let (id, payload) = body.split_at_checked(ID_BYTES)?;
                Self::Entry(id_of(id), Bytes::copy_from_slice(payload))
            }
            VOTE => Self::Vote(vote_of(body.try_into().ok()?)),
            TRUNCATE => Self::Truncate(u64::from_be_bytes(body.try_into().ok()?)),
            PURGE | COMMIT if body.len() != ID_BYTES => return None,
            PURGE => Self::Purge(id_of(body)),
            COMMIT => Self::Commit(id_of(body)),
            STATE => {
                let (vote, ids) = body.split_at_checked(1 + VOTE_BYTES)?;
                let ids = ids.chunks_exact(1 + ID_BYTES);
                let ids: Vec<_> = ids.map(|id| (id[0] == 1).then(|| id_of(&id[1..]))).collect();
                let [last, committed, purged] = ids[..] else {
                    return None;
                };
                let present = vote[0] == 1;
                let vote = present.then_some(vote_of(vote[1..].try_into().ok()?));
                Self::State(State { vote, last, committed, purged })
            }
            _ => return None,
        })
    }
}

fn put_id(to: &mut Vec<u8>, id: LogId) {
    for number in [id.term, id.leader, id.index] {
        to.put_u64(number);
    }
}

fn put_vote(to: &mut Vec<u8>, vote: Vote) {
    to.put_u64(vote.term);
    to.put_u64(vote.leader);
    to.put_u8(u8::from(vote.committed));
}

fn id_of(bytes: &[u8]) -> LogId {
    LogId { term: u64_at(bytes, 0), leader: u64_at(bytes, 8), index: u64_at(bytes, 16) }
}

fn vote_of(bytes: &[u8; VOTE_BYTES]) -> Vote {
    Vote { term: u64_at(bytes, 0), leader: u64_at(bytes, 8), committed: bytes[16] == 1 }
}

/// Callers have checked the length.
fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes[at..at + 4].iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes[at..at + 8].iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

/// Of a whole frame; its own place is left out.
fn checksum(frame: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&frame[1..HEADER_BYTES - 4]);
    hasher.update(&frame[HEADER_BYTES..]);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: LogId = LogId { term: 1, leader: 2, index: 3 };
    const BALLOT: Vote = Vote { term: 5, leader: 6, committed: true };

    fn all() -> Vec<Record> {
        let state = State { vote: Some(BALLOT), last: Some(ID), committed: None, purged: Some(ID) };
        vec![
            Record::Entry(ID, Bytes::from_static(b"some bytes")),
            Record::Entry(ID, Bytes::new()),
            Record::Vote(BALLOT),
            Record::Truncate(9),
            Record::Purge(ID),
            Record::Commit(ID),
            Record::State(state),
            Record::State(State::default()),
        ]
    }

    fn encoded(record: &Record, stamp: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        record.encode(stamp, &mut bytes);
        bytes
    }

    #[test]
    fn what_was_encoded_is_decoded_and_the_next_record_is_left_alone() {
        for record in all() {
            let mut bytes = encoded(&record, 77);
            let length = bytes.len();
            bytes.extend(encoded(&Record::Truncate(1), 78));
            let framed = Record::decode(&bytes).unwrap();
            assert_eq!((framed.record, framed.stamp, framed.length), (record, 77, length));
        }
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_found() {
        for record in all() {
            let good = encoded(&record, 77);
            for bit in 0..good.len() * 8 {
                let mut bad = good.clone();
                bad[bit / 8] ^= 1 << (bit % 8);
                assert!(Record::decode(&bad).is_none(), "{record:?} bit {bit}");
            }
            for length in 0..good.len() {
                assert!(Record::decode(&good[..length]).is_none(), "{record:?} cut to {length}");
            }
        }
        assert!(Record::decode(&[0; 4096]).is_none());
    }

    /// The stored form is fixed: a change of it must be a new first byte.
    #[test]
    fn records_are_stored_as_they_always_were() {
        let entry = encoded(&Record::Entry(ID, Bytes::from_static(b"hi")), 4);
        let ids = [[0, 0, 0, 0, 0, 0, 0, 1], [0, 0, 0, 0, 0, 0, 0, 2], [0, 0, 0, 0, 0, 0, 0, 3]];
        let head = b"\xf1\x01\0\0\0\x1a\xff\xff\xff\xe5\0\0\0\0\0\0\0\x04";
        let checksum = entry[HEADER_BYTES - 4..HEADER_BYTES].to_vec();
        assert_eq!(entry, [&head[..], &checksum, &ids.concat(), b"hi"].concat());
        assert_eq!(checksum, GOLDEN_CHECKSUM);
        let kinds: Vec<u8> = all().iter().map(|record| encoded(record, 0)[1]).collect();
        assert_eq!(kinds, [1, 1, 2, 3, 4, 5, 6, 6]);
        let lengths: Vec<usize> = all().iter().map(|record| encoded(record, 0).len()).collect();
        assert_eq!(lengths, [56, 46, 39, 30, 46, 46, 115, 115]);
    }

    const GOLDEN_CHECKSUM: [u8; 4] = [0xdb, 0xd2, 0xce, 0x00];
}

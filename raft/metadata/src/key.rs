//! Keys of rows: numbers big-endian, digests with their algorithm in front, so that byte order is
//! the order wanted and no key is a prefix of another of its kind.

use oci::digest::{Algorithm, Digest};

use crate::repositories::RepositoryNumber;
use crate::tables::Damage;

/// The parts one after the other.
pub(crate) fn join(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

/// A key below a repository.
pub(crate) fn within(repository: RepositoryNumber, parts: &[&[u8]]) -> Vec<u8> {
    let mut key = Vec::with_capacity(8 + parts.iter().map(|part| part.len()).sum::<usize>());
    key.extend_from_slice(&repository.0.to_be_bytes());
    for part in parts {
        key.extend_from_slice(part);
    }
    key
}

/// The first key after all that begin with `prefix`; `None` where there is none.
pub(crate) fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let kept = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut end = prefix[..=kept].to_vec();
    end[kept] += 1;
    Some(end)
}

/// The first key after `key`.
pub(crate) fn after(mut key: Vec<u8>) -> Vec<u8> {
    key.push(0);
    key
}

/// Cuts a digest off the front of a key.
pub(crate) fn split_digest(key: &[u8]) -> Result<(Digest, &[u8]), Damage> {
    let algorithm = key.first().and_then(|number| Algorithm::from_number(*number));
    let length = algorithm.map(|algorithm| 1 + algorithm.byte_length());
    let parts = length.and_then(|length| key.split_at_checked(length));
    parts
        .and_then(|(digest, rest)| Some((Digest::from_key(digest)?, rest)))
        .ok_or_else(|| Damage("a key that should hold a digest does not".into()))
}

/// Cuts a big-endian number off the front of a key.
pub(crate) fn split_u64(key: &[u8]) -> Result<(u64, &[u8]), Damage> {
    let parts = key.split_first_chunk::<8>();
    parts
        .map(|(number, rest)| (u64::from_be_bytes(*number), rest))
        .ok_or_else(|| Damage("a key that should hold a number is too short".into()))
}

/// A key that is text.
pub(crate) fn text(key: &[u8]) -> Result<&str, Damage> {
    std::str::from_utf8(key).map_err(|_| Damage("a key that should be text is not".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_prefix_is_the_next_one_and_full_bytes_carry_over() {
        let cases: [(&[u8], Option<&[u8]>); 5] = [
            (b"a", Some(b"b")),
            (b"ab", Some(b"ac")),
            (&[1, 255], Some(&[2])),
            (&[255, 255], None),
            (b"", None),
        ];
        for (prefix, end) in cases {
            assert_eq!(after_prefix(prefix).as_deref(), end, "{prefix:?}");
        }
    }
}

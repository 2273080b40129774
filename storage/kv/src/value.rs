//! How a row is stored: the key in the tree, and the envelope around a value.
//!
//! An envelope is one version byte, four bytes CRC32 (little-endian) and the value. The checksum
//! covers version, key and value, so that a value found under another row's key is refused as well.

use crate::store::KvError;

/// The only envelope so far.
const VERSION: u8 = 1;
/// Version byte and checksum.
const HEADER_BYTES: usize = 5;
/// Larger values would go to sled's own blob files, which it never syncs.
pub(crate) const VALUE_BYTES_MAX: usize = 64 * 1024;

/// The key of a row in the one tree: the table, then the key within it.
pub(crate) fn tree_key(table: u8, key: &[u8]) -> Vec<u8> {
    let mut full = Vec::with_capacity(key.len() + 1);
    full.push(table);
    full.extend_from_slice(key);
    full
}

/// The table and the key within it.
pub(crate) fn split_key(tree_key: &[u8]) -> Result<(u8, &[u8]), KvError> {
    match tree_key.split_first() {
        Some((table, key)) => Ok((*table, key)),
        None => Err(KvError::Damaged { table: 0, key: Vec::new() }),
    }
}

/// Puts `value` into its envelope.
///
/// # Errors
///
/// [`KvError::TooLarge`] beyond 64 KiB with the envelope.
pub(crate) fn seal(tree_key: &[u8], value: &[u8]) -> Result<Vec<u8>, KvError> {
    if value.len() + HEADER_BYTES > VALUE_BYTES_MAX {
        return Err(KvError::TooLarge { table: tree_key[0], bytes: value.len() });
    }
    let mut sealed = Vec::with_capacity(value.len() + HEADER_BYTES);
    sealed.push(VERSION);
    sealed.extend_from_slice(&checksum(tree_key, value).to_le_bytes());
    sealed.extend_from_slice(value);
    Ok(sealed)
}

/// Takes a value out of its envelope.
///
/// # Errors
///
/// [`KvError::Damaged`] where the envelope is not one, or the checksum is another.
pub(crate) fn open(tree_key: &[u8], sealed: &[u8]) -> Result<Vec<u8>, KvError> {
    let right = sealed.len() >= HEADER_BYTES
        && sealed[0] == VERSION
        && sealed[1..HEADER_BYTES] == checksum(tree_key, &sealed[HEADER_BYTES..]).to_le_bytes();
    if right {
        return Ok(sealed[HEADER_BYTES..].to_vec());
    }
    let (table, key) = split_key(tree_key)?;
    Err(KvError::Damaged { table, key: key.to_vec() })
}

fn checksum(tree_key: &[u8], value: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    // The length keeps key and value apart.
    hasher.update(&[VERSION]);
    hasher.update(&(tree_key.len() as u64).to_le_bytes());
    hasher.update(tree_key);
    hasher.update(value);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The stored form is fixed: a change of it must be a new version.
    #[test]
    fn an_envelope_is_stored_as_it_always_was() {
        let sealed = seal(b"\x07key", b"value").unwrap();
        assert_eq!(sealed, [&[1, 0x25, 0x1f, 0x57, 0x3c][..], b"value"].concat());
    }

    #[test]
    fn a_sealed_value_opens_under_its_own_key_only() {
        let sealed = seal(b"\x01a", b"value").unwrap();
        assert_eq!(open(b"\x01a", &sealed).unwrap(), b"value");
        assert!(matches!(open(b"\x01b", &sealed), Err(KvError::Damaged { table: 1, .. })));
        assert!(matches!(open(b"\x02a", &sealed), Err(KvError::Damaged { table: 2, .. })));
    }

    #[test]
    fn every_flipped_bit_is_found() {
        let sealed = seal(b"\x01key", b"some value").unwrap();
        for bit in 0..sealed.len() * 8 {
            let mut bad = sealed.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(open(b"\x01key", &bad).is_err(), "bit {bit}");
        }
        for length in 0..sealed.len() {
            assert!(open(b"\x01key", &sealed[..length]).is_err(), "cut to {length}");
        }
    }

    #[test]
    fn a_value_beyond_the_bound_is_refused() {
        let most = VALUE_BYTES_MAX - HEADER_BYTES;
        assert!(seal(b"\x01k", &vec![0; most]).is_ok());
        assert!(matches!(
            seal(b"\x01k", &vec![0; most + 1]),
            Err(KvError::TooLarge { table: 1, .. })
        ));
    }
}

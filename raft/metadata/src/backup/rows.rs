//! Rows as bytes: how the parts of an archive hold them.
//!
//! A record is a table's number (1 byte), the length of the key (4 bytes, big-endian), the key, the
//! length of the value, the value. Table [`CONTENT`] is none of the state: its key is a digest and
//! its value the bytes of that digest.

use crate::tables::{Table, VALUE_BYTES_MAX};

/// Stands in the place of a table's number before bytes of the content store.
pub const CONTENT: u8 = 0;

/// Bytes of one value of the content store, at most: as many as a manifest may have.
pub const CONTENT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// No key is longer.
const KEY_BYTES_MAX: usize = 4096;

/// One record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record<'a> {
    /// A row of the state.
    Row(Table, &'a [u8], &'a [u8]),
    /// A digest's key form and its bytes.
    Content(&'a [u8], &'a [u8]),
}

/// Appends a record to `out`.
pub fn append(out: &mut Vec<u8>, table: u8, key: &[u8], value: &[u8]) {
    out.push(table);
    for part in [key, value] {
        let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(part);
    }
}

/// Cuts the first record off `bytes`.
///
/// # Errors
///
/// What is wrong with it, in words.
pub fn split(bytes: &[u8]) -> Result<(Record<'_>, &[u8]), String> {
    let cut = || "a record is cut".to_owned();
    let (number, rest) = bytes.split_first().ok_or_else(cut)?;
    let (key, rest) = piece(rest).ok_or_else(cut)?;
    let (value, rest) = piece(rest).ok_or_else(cut)?;
    let is_content = *number == CONTENT;
    let value_bytes_max = if is_content { CONTENT_BYTES_MAX } else { VALUE_BYTES_MAX };
    if key.len() > KEY_BYTES_MAX || value.len() > value_bytes_max {
        return Err("a record is longer than any that this version writes".to_owned());
    }
    if is_content {
        return Ok((Record::Content(key, value), rest));
    }
    let table = Table::from_number(*number)
        .ok_or_else(|| format!("there is a table {number}, which this version does not know"))?;
    Ok((Record::Row(table, key, value), rest))
}

fn piece(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
}

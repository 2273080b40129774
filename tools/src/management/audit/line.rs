//! A record of the audit log as a line of JSON, and the bytes that its hash was made of.

use metadata::audit::{AuditRecord, Fact, RecordHash};
use serde::Deserialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The first line of an export: which part of which log follows.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Header {
    /// The format of the lines; 1.
    pub holdfast_audit: u32,
    /// Whose log it is.
    pub cluster_id: String,
    /// The number of the first record that follows.
    pub first: u64,
    /// That of the last.
    pub last: u64,
    /// The hash before the first, in hexadecimal digits.
    pub anchor: String,
    /// The hash of the last.
    pub head: String,
}

/// One fact of a record.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FactLine {
    name: String,
    value: String,
}

/// A record as the API answers it. A field more would be one that no hash covers.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RecordLine {
    number: u64,
    log_index: u64,
    time: String,
    actor: String,
    actor_id: Option<String>,
    address: String,
    request_id: String,
    action: String,
    object_type: String,
    object: String,
    facts: Vec<FactLine>,
    previous_hash: String,
    hash: String,
}

/// A record with the two hashes that stand beside it.
pub struct Stated {
    /// What was done.
    pub record: AuditRecord,
    /// The hash of the record before, as the line states it.
    pub previous: RecordHash,
    /// The record's own hash, as the line states it.
    pub hash: RecordHash,
}

/// Reads a line; says what is wrong with it.
pub fn record(text: &[u8]) -> Result<Stated, String> {
    let line: RecordLine =
        serde_json::from_slice(text).map_err(|error| format!("it does not read: {error}"))?;
    let facts = line.facts.into_iter().map(|fact| Fact { name: fact.name, value: fact.value });
    let record = AuditRecord {
        number: line.number,
        log_index: line.log_index,
        wall_ms: wall_ms(&line.time).ok_or("its time is not as it was written")?,
        actor: line.actor,
        actor_id: match line.actor_id {
            Some(id) => Some(account_id(&id).ok_or("its actorId is not as it was written")?),
            None => None,
        },
        address: line.address,
        request_id: line.request_id,
        action: line.action,
        object_type: line.object_type,
        object: line.object,
        facts: facts.collect(),
    };
    let previous = hash(&line.previous_hash).ok_or("its previousHash is no hash")?;
    let hash = hash(&line.hash).ok_or("its hash is no hash")?;
    Ok(Stated { record, previous, hash })
}

/// A time as the API writes it: any other spelling was not written by it.
fn wall_ms(text: &str) -> Option<u64> {
    let moment = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    let wall_ms = u64::try_from(moment.unix_timestamp_nanos() / 1_000_000).ok()?;
    let is_as_written = moment.offset().is_utc() && moment.format(&Rfc3339).ok()? == text;
    is_as_written.then_some(wall_ms)
}

fn account_id(text: &str) -> Option<[u8; 16]> {
    let lengths = text.split('-').map(str::len);
    if !lengths.eq([8, 4, 4, 4, 12]) {
        return None;
    }
    bytes(&text.replace('-', ""))
}

/// Reads a hash.
pub fn hash(text: &str) -> Option<RecordHash> {
    bytes(text)
}

fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    let is_plain = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if text.len() != 2 * N || !text.bytes().all(is_plain) {
        return None;
    }
    let mut bytes = [0; N];
    for (place, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * place..2 * place + 2)?, 16).ok()?;
    }
    Some(bytes)
}

/// A hash in hexadecimal digits.
pub fn hex(hash: &RecordHash) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_written_so_is_not_read() {
        for (text, expected) in [
            ("2026-02-15T00:19:22.035Z", Some(1_771_114_762_035)),
            ("2026-02-15T00:19:22Z", Some(1_771_114_762_000)),
            ("2026-02-15T00:19:22.0350Z", None),
            ("2026-02-15T01:19:22.035+01:00", None),
            ("1969-02-15T00:19:22Z", None),
        ] {
            assert_eq!(wall_ms(text), expected, "{text}");
        }
        assert!(account_id("01010101-0101-0101-0101-010101010101").is_some());
        for text in ["01010101010101010101010101010101", "", "0A010101-0101-0101-0101-010101010101"]
        {
            assert_eq!(account_id(text), None, "{text}");
        }
        assert_eq!(hash(&"0f".repeat(32)), Some([15; 32]));
        assert_eq!(hex(&[15; 32]), "0f".repeat(32));
        assert!(hash(&"0F".repeat(32)).is_none() && hash("0f").is_none());
    }
}

//! Checks an export line by line: each record must go on from the one before it.

use metadata::audit::{BEGINNING, RecordHash};

use super::line::{self, Header, hex};

/// The format that this version writes and reads.
pub const FORMAT: u32 = 1;

/// An export, as far as it was read.
pub struct Chain {
    header: Header,
    head: RecordHash,
    expected: u64,
}

impl Chain {
    /// Begins with what follows the header.
    pub fn begin(header: Header) -> Result<Self, String> {
        if header.holdfast_audit != FORMAT {
            let format = header.holdfast_audit;
            return Err(format!("the export has format {format}, this version reads {FORMAT}"));
        }
        let anchor = line::hash(&header.anchor).ok_or("the header's anchor is no hash")?;
        if line::hash(&header.head).is_none() {
            return Err("the header's head is no hash".to_owned());
        }
        if header.first == 0 || header.last < header.first {
            return Err("the header names no records".to_owned());
        }
        if header.first == 1 && anchor != BEGINNING {
            return Err("the header lets the first record go on from another".to_owned());
        }
        Ok(Self { expected: header.first, head: anchor, header })
    }

    /// The same from the text of the header's line.
    pub fn read(text: &[u8]) -> Result<Self, String> {
        let header = serde_json::from_slice(text);
        let header = header
            .map_err(|error| format!("the first line is no header of an audit export: {error}"))?;
        Self::begin(header)
    }

    /// Takes the next record; says what is wrong with it or before it.
    pub fn take(&mut self, text: &[u8]) -> Result<(), String> {
        let expected = self.expected;
        if expected > self.header.last {
            let last = self.header.last;
            return Err(format!("something follows record {last}, with which the export ends"));
        }
        let at = |why: String| format!("record {expected}: {why}");
        let stated = line::record(text).map_err(at)?;
        let number = stated.record.number;
        if number != expected {
            return Err(at(format!(
                "record {number} stands in its place; records were taken out or moved"
            )));
        }
        if stated.previous != self.head {
            let why = "it does not go on from the record before it; one of them was changed";
            return Err(at(why.to_owned()));
        }
        if stated.record.hash(&self.head) != stated.hash {
            return Err(at("it was changed: its hash is not that of what it says".to_owned()));
        }
        (self.head, self.expected) = (stated.hash, expected + 1);
        Ok(())
    }

    /// How many records were taken.
    pub fn taken(&self) -> u64 {
        self.expected - self.header.first
    }

    /// Says that no more come; the header, where all that it names were there.
    pub fn finish(self) -> Result<Header, String> {
        let (expected, last) = (self.expected, self.header.last);
        if expected <= last {
            return Err(format!("record {expected}: it is missing, and all up to {last}"));
        }
        if hex(&self.head) != self.header.head {
            return Err(format!("record {last}: it is not the one that the header ends with"));
        }
        Ok(self.header)
    }
}

#[cfg(test)]
mod tests {
    use metadata::audit::{AuditRecord, Fact};
    use serde_json::{Value, json};

    use super::*;

    /// A header and records from `first` on.
    fn export(first: u64, count: u64) -> Vec<Value> {
        let (mut head, mut records) = (BEGINNING, Vec::new());
        for number in 1..first + count {
            let value = format!("é\n{number}");
            let record = AuditRecord {
                number,
                log_index: number * 2,
                wall_ms: 1_771_114_762_000 + number,
                actor: "admin".to_owned(),
                actor_id: Some([1; 16]),
                address: "192.0.2.7".to_owned(),
                request_id: "ab".to_owned(),
                action: "user.create".to_owned(),
                object_type: "account".to_owned(),
                object: format!("user-{number}"),
                facts: vec![Fact { name: "label".to_owned(), value: value.clone() }],
            };
            let (previous, hash) = (head, record.hash(&head));
            head = hash;
            records.push(json!({
                "number": number,
                "logIndex": number * 2,
                "time": format!("2026-02-15T00:19:22.{number:03}Z"),
                "actor": "admin",
                "actorId": "01010101-0101-0101-0101-010101010101",
                "address": "192.0.2.7",
                "requestId": "ab",
                "action": "user.create",
                "objectType": "account",
                "object": format!("user-{number}"),
                "facts": [{"name": "label", "value": value}],
                "previousHash": hex(&previous),
                "hash": hex(&hash),
            }));
        }
        let records = records.split_off(usize::try_from(first).unwrap() - 1);
        let header = json!({
            "holdfastAudit": 1, "clusterId": "c", "first": first, "last": first + count - 1,
            "anchor": records[0]["previousHash"], "head": hex(&head),
        });
        std::iter::once(header).chain(records).collect()
    }

    fn verified(lines: &[Value]) -> Result<Header, String> {
        let mut chain = Chain::read(lines[0].to_string().as_bytes())?;
        for line in &lines[1..] {
            chain.take(line.to_string().as_bytes())?;
        }
        chain.finish()
    }

    #[test]
    fn an_export_as_it_was_made_is_right_whatever_record_it_begins_with() {
        // Milliseconds that end in 0 would be written shorter.
        for (first, count) in [(1, 9), (1, 1), (4, 3)] {
            let header = verified(&export(first, count)).unwrap();
            assert_eq!((header.first, header.last), (first, first + count - 1));
        }
    }

    #[test]
    fn whatever_is_changed_in_a_record_is_found_there() {
        let whole = export(1, 5);
        let changes = [
            ("number", json!(9)),
            ("logIndex", json!(7)),
            ("time", json!("2026-02-15T00:19:22.009Z")),
            ("time", json!("2026-02-15T01:19:22.003+01:00")),
            ("actor", json!("eve")),
            ("actorId", json!("02020202-0101-0101-0101-010101010101")),
            ("actorId", json!(null)),
            ("address", json!("")),
            ("requestId", json!("ac")),
            ("action", json!("user.delete")),
            ("objectType", json!("team")),
            ("object", json!("user-4")),
            ("facts", json!([])),
            ("facts", json!([{"name": "label", "value": "x"}])),
            ("previousHash", json!("0".repeat(64))),
            ("hash", json!("0".repeat(64))),
            ("comment", json!("all was well")),
        ];
        for (field, value) in changes {
            let mut lines = whole.clone();
            lines[3][field] = value.clone();
            let wrong = verified(&lines).unwrap_err();
            assert!(wrong.starts_with("record 3:"), "{field} {value}: {wrong}");
        }
        let mut lines = whole;
        lines[3].as_object_mut().unwrap().remove("facts");
        assert!(verified(&lines).unwrap_err().starts_with("record 3:"));
    }

    /// Whoever changes a record may make its hash anew, and that of every later one, but not what
    /// the export or the cluster ends with.
    #[test]
    fn a_chain_made_anew_ends_elsewhere() {
        let mut lines = export(1, 3);
        let text = lines[3].to_string().replace("user-3", "user-9");
        lines[3] = serde_json::from_str(&text).unwrap();
        let stated = line::record(text.as_bytes()).unwrap();
        lines[3]["hash"] = json!(hex(&stated.record.hash(&stated.previous)));
        let wrong = verified(&lines).unwrap_err();
        assert!(wrong.contains("not the one that the header ends with"), "{wrong}");
    }

    #[test]
    fn what_was_taken_out_moved_or_doubled_is_named() {
        let whole = export(2, 5);
        type Case = (fn(&mut Vec<Value>), &'static str);
        let cases: [Case; 7] = [
            (|lines| drop(lines.remove(1)), "record 2:"),
            (|lines| drop(lines.remove(3)), "record 4:"),
            (|lines| drop(lines.pop()), "record 6: it is missing"),
            (|lines| lines.truncate(2), "record 3: it is missing, and all up to 6"),
            (|lines| lines.swap(2, 3), "record 3:"),
            (|lines| lines.insert(3, lines[2].clone()), "record 4:"),
            (|lines| lines.push(lines[5].clone()), "something follows record 6"),
        ];
        for (change, named) in cases {
            let mut lines = whole.clone();
            change(&mut lines);
            let wrong = verified(&lines).unwrap_err();
            assert!(wrong.starts_with(named), "{named}: {wrong}");
        }
    }

    #[test]
    fn a_header_that_does_not_fit_is_refused() {
        for (field, value) in [
            ("holdfastAudit", json!(2)),
            ("first", json!(0)),
            ("last", json!(0)),
            ("anchor", json!("1".repeat(64))),
            ("anchor", json!("x")),
            ("head", json!("x")),
            ("more", json!(1)),
        ] {
            let mut lines = export(1, 2);
            lines[0][field] = value.clone();
            assert!(verified(&lines).is_err(), "{field} {value}");
        }
        assert!(Chain::read(b"").is_err());
    }
}

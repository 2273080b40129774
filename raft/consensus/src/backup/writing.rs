//! Writing an archive: records in, a tar out, one part in memory.

use std::collections::BTreeMap;
use std::io::{self, Write};

use metadata::backup::{Section, rows};

use super::manifest::Manifest;
use super::sums::{Hash, Sum, Sums};
use super::tar::{END_BYTES, Member, padding};
use super::{MANIFEST, PART_BYTES_MAX, SUMS};

/// An archive that is being written. Without [`Writer::finish`] it is cut, and reads as such.
pub struct Writer<W: Write> {
    to: W,
    modified_s: u64,
    before: Hash,
    members: Vec<Sum>,
    /// The part that is not full yet, its section and its records.
    part: (Option<Section>, Vec<u8>, u64),
    /// Parts written so far.
    numbers: BTreeMap<Section, u64>,
}

impl<W: Write> Writer<W> {
    /// Begins an archive with its manifest.
    ///
    /// # Errors
    ///
    /// What `to` says.
    pub fn begin(to: W, manifest: &Manifest) -> io::Result<Self> {
        let mut writer = Self {
            to,
            modified_s: manifest.taken_wall_ms / 1000,
            before: Hash::new(),
            members: Vec::new(),
            part: (None, Vec::new(), 0),
            numbers: BTreeMap::new(),
        };
        let mut bytes = serde_json::to_vec_pretty(manifest).map_err(io::Error::other)?;
        bytes.push(b'\n');
        writer.member(MANIFEST, &bytes, 0)?;
        Ok(writer)
    }

    /// Adds a record to a section. Records of one section that come one after the other share
    /// parts.
    ///
    /// # Errors
    ///
    /// What the sink says.
    pub fn push(
        &mut self,
        section: Section,
        (table, key, value): (u8, &[u8], &[u8]),
    ) -> io::Result<()> {
        let (of, part, _) = &self.part;
        let is_full = part.len() + key.len() + value.len() + 9 > PART_BYTES_MAX;
        if of.is_some_and(|of| of != section) || is_full {
            self.close_part()?;
        }
        let (of, part, records) = &mut self.part;
        *of = Some(section);
        rows::append(part, table, key, value);
        *records += 1;
        Ok(())
    }

    /// Writes the sums and the end; returns the sink and the length of all.
    ///
    /// # Errors
    ///
    /// What the sink says.
    pub fn finish(mut self) -> io::Result<(W, u64)> {
        self.close_part()?;
        let (bytes_before, sha256_before) =
            std::mem::replace(&mut self.before, Hash::new()).finish();
        let members = std::mem::take(&mut self.members);
        let sums = Sums { members, bytes_before, sha256_before }.encode();
        self.member(SUMS, &sums, 0)?;
        self.to.write_all(&[0; END_BYTES])?;
        self.to.flush()?;
        let (after, _) = self.before.finish();
        Ok((self.to, bytes_before + after + END_BYTES as u64))
    }

    fn close_part(&mut self) -> io::Result<()> {
        let (Some(section), mut part, records) = std::mem::take(&mut self.part) else {
            return Ok(());
        };
        let number = self.numbers.entry(section).or_default();
        *number += 1;
        let name = format!("{}/{number}", section.word());
        self.member(&name, &part, records)?;
        part.clear();
        self.part.1 = part;
        Ok(())
    }

    fn member(&mut self, name: &str, bytes: &[u8], records: u64) -> io::Result<()> {
        let size_bytes = bytes.len() as u64;
        let member = Member { name: name.to_owned(), size_bytes, modified_s: self.modified_s };
        self.send(&member.header())?;
        self.send(bytes)?;
        self.send(&[0; super::tar::BLOCK_BYTES][..padding(size_bytes)])?;
        let sum = Sum { name: member.name, bytes: size_bytes, records, sha256: Hash::of(bytes) };
        self.members.push(sum);
        Ok(())
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.before.update(bytes);
        self.to.write_all(bytes)
    }
}

//! Reading an archive: every record in it, or what is wrong with it.

use std::collections::BTreeMap;
use std::io::{self, Read};

use metadata::backup::places;
use metadata::backup::rows::{self, Record};
use metadata::backup::{Archive, Section};
use metadata::tables::Table;
use oci::digest::Digest;
use oci::verifier::digest_of;

use super::manifest::{FORMAT, Manifest};
use super::sums::{Hash, Sum, Sums};
use super::tar::{BLOCK_BYTES, END_BYTES, Member, padding};
use super::{MANIFEST, PART_BYTES_MAX, SUMS};

/// A manifest is small; the sums have some hundred bytes a part.
const MANIFEST_BYTES_MAX: u64 = 1024 * 1024;
const SUMS_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Why an archive is not believed.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// It could not be read at all.
    #[error("the archive cannot be read: {0}")]
    Io(#[from] io::Error),
    /// It ends too early.
    #[error("the archive is cut: it ends after {0} bytes, within {1}")]
    Cut(u64, String),
    /// Something follows its end.
    #[error("something follows the end of the archive, at byte {0}")]
    Trailing(u64),
    /// It is none of ours, or not any more.
    #[error("{place} is damaged: {why}")]
    Damaged {
        /// Which part of it.
        place: String,
        /// What is wrong.
        why: String,
    },
    /// A newer version wrote it.
    #[error(
        "the archive has format {0}, and this version of holdfast knows format {FORMAT} only: \
         use a newer version"
    )]
    Newer(u32),
    /// Whoever was given the records could not use one.
    #[error("{0}")]
    Unusable(String),
}

/// Something in an archive. Not to be acted on before the archive was read to its end once.
#[derive(Debug)]
pub enum Item<'a> {
    /// Comes first.
    Manifest(&'a Manifest),
    /// A row of the state.
    Row(Table, &'a [u8], &'a [u8]),
    /// Bytes of the content store, hashed.
    Content(&'a Digest, &'a [u8]),
}

/// What was found in a whole archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// What it says of itself.
    pub manifest: Manifest,
    /// Its length.
    pub bytes: u64,
    /// Rows by section; of the content store, values.
    pub records: BTreeMap<Section, u64>,
}

/// Reads an archive to its end, giving `take` each thing in it, and finds every byte right.
///
/// # Errors
///
/// [`ArchiveError`], also where `take` has one.
pub fn read(
    from: impl Read,
    take: impl FnMut(Item<'_>) -> Result<(), ArchiveError>,
) -> Result<Summary, ArchiveError> {
    let mut reader = Reader { from, before: Hash::new(), position: 0, take };
    let (member, bytes) = reader.member(|name| match name {
        MANIFEST => Some(MANIFEST_BYTES_MAX),
        _ => None,
    })?;
    let manifest = manifest(&bytes)?;
    let archive = manifest.archive().ok_or_else(|| {
        damaged(MANIFEST, format!("this version knows no archive of {:?}", manifest.archive))
    })?;
    (reader.take)(Item::Manifest(&manifest))?;
    let modified_s = member.modified_s;
    let mut parts = Parts { archive, manifest: &manifest, records: BTreeMap::new() };
    let mut numbers: BTreeMap<Section, u64> = BTreeMap::new();
    let mut members = vec![sum(&member, &bytes, 0)];
    loop {
        let next = parts.next_names(&numbers);
        let (member, bytes) = reader.member(|name| match name {
            SUMS => Some(SUMS_BYTES_MAX),
            name => next.contains_key(name).then_some(PART_BYTES_MAX as u64),
        })?;
        if member.modified_s != modified_s {
            return Err(damaged(&member.name, "its time differs from the manifest's"));
        }
        let Some(section) = next.get(&member.name) else {
            let (bytes_before, sha256_before) = reader.before.finish();
            let sums = Sums { members, bytes_before, sha256_before };
            sums.compare(&bytes).map_err(|why| damaged(SUMS, why))?;
            break;
        };
        *numbers.entry(*section).or_default() += 1;
        let records = parts.read(*section, &member.name, &bytes, &mut reader.take)?;
        *parts.records.entry(*section).or_default() += records;
        members.push(sum(&member, &bytes, records));
    }
    let records = parts.records;
    let bytes = end(&mut reader.from, reader.position)?;
    Ok(Summary { manifest, bytes, records })
}

fn damaged(place: &str, why: impl Into<String>) -> ArchiveError {
    ArchiveError::Damaged { place: place.to_owned(), why: why.into() }
}

fn sum(member: &Member, bytes: &[u8], records: u64) -> Sum {
    let sha256 = Hash::of(bytes);
    Sum { name: member.name.clone(), bytes: member.size_bytes, records, sha256 }
}

fn manifest(bytes: &[u8]) -> Result<Manifest, ArchiveError> {
    /// What every format has.
    #[derive(serde::Deserialize)]
    struct Any {
        format: u32,
    }
    let unreadable = |error: serde_json::Error| damaged(MANIFEST, error.to_string());
    let any: Any = serde_json::from_slice(bytes).map_err(unreadable)?;
    if any.format > FORMAT {
        return Err(ArchiveError::Newer(any.format));
    }
    serde_json::from_slice(bytes).map_err(unreadable)
}

/// What may stand in the parts of an archive.
struct Parts<'a> {
    archive: Archive,
    manifest: &'a Manifest,
    records: BTreeMap<Section, u64>,
}

impl Parts<'_> {
    /// How the next part of each section is called.
    fn next_names(&self, numbers: &BTreeMap<Section, u64>) -> BTreeMap<String, Section> {
        let sections = Section::ALL.into_iter().filter(|section| self.manifest.has(*section));
        let next = sections.map(|section| {
            let number = numbers.get(&section).copied().unwrap_or(0) + 1;
            (format!("{}/{number}", section.word()), section)
        });
        next.collect()
    }

    /// Gives out the records of a part; how many there were.
    fn read(
        &self,
        section: Section,
        name: &str,
        mut bytes: &[u8],
        take: &mut impl FnMut(Item<'_>) -> Result<(), ArchiveError>,
    ) -> Result<u64, ArchiveError> {
        let mut records = 0;
        while !bytes.is_empty() {
            let (record, rest) = rows::split(bytes).map_err(|why| damaged(name, why))?;
            match record {
                Record::Row(table, key, value) => {
                    let place = places::of_row(table, key);
                    if place.section_of(self.archive) != Some(section) {
                        return Err(damaged(name, format!("a row of {table:?} does not belong")));
                    }
                    take(Item::Row(table, key, value))?;
                }
                Record::Content(key, value) => {
                    let digest = Digest::from_key(key).filter(|_| section == Section::Content);
                    let digest = digest.ok_or_else(|| damaged(name, "there is no such digest"))?;
                    if digest_of(digest.algorithm(), value) != digest {
                        return Err(damaged(name, format!("the bytes of {digest} are others")));
                    }
                    take(Item::Content(&digest, value))?;
                }
            }
            records += 1;
            bytes = rest;
        }
        Ok(records)
    }
}

struct Reader<R, T> {
    from: R,
    before: Hash,
    position: u64,
    take: T,
}

impl<R: Read, T> Reader<R, T> {
    /// Reads the next member; `bytes_max` says how long it may be, and of a name that is none of
    /// the archive's nothing.
    fn member(
        &mut self,
        bytes_max: impl FnOnce(&str) -> Option<u64>,
    ) -> Result<(Member, Vec<u8>), ArchiveError> {
        let mut header = [0; BLOCK_BYTES];
        let place = format!("the header at byte {}", self.position);
        self.fill(&mut header, &place)?;
        let member = Member::read(&header)
            .ok_or_else(|| damaged(&place, "it is none that holdfast wrote"))?;
        let bytes_max = bytes_max(&member.name)
            .ok_or_else(|| damaged(&place, format!("{:?} does not belong here", member.name)))?;
        if member.size_bytes > bytes_max {
            return Err(damaged(&member.name, "it is longer than it may be"));
        }
        let mut bytes = vec![0; usize::try_from(member.size_bytes).unwrap_or(usize::MAX)];
        self.fill(&mut bytes, &member.name)?;
        let mut pad = vec![0; padding(member.size_bytes)];
        self.fill(&mut pad, &member.name)?;
        if pad.iter().any(|byte| *byte != 0) {
            return Err(damaged(&member.name, "what fills its last block is not empty"));
        }
        if member.name != SUMS {
            for piece in [&header[..], &bytes, &pad] {
                self.before.update(piece);
            }
        }
        Ok((member, bytes))
    }

    fn fill(&mut self, bytes: &mut [u8], place: &str) -> Result<(), ArchiveError> {
        self.position = fill(&mut self.from, self.position, bytes, place)?;
        Ok(())
    }
}

/// Fills `bytes` from where the reader is; where it is then.
fn fill(
    from: &mut impl Read,
    position: u64,
    bytes: &mut [u8],
    place: &str,
) -> Result<u64, ArchiveError> {
    let mut filled = 0;
    while filled < bytes.len() {
        match from.read(&mut bytes[filled..]) {
            Ok(0) => return Err(ArchiveError::Cut(position + filled as u64, place.to_owned())),
            Ok(length) => filled += length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(position + filled as u64)
}

/// Two empty blocks, and nothing after them; the length of all.
fn end(from: &mut impl Read, position: u64) -> Result<u64, ArchiveError> {
    let mut end = [1; END_BYTES];
    let position = fill(from, position, &mut end, "its end")?;
    if end.iter().any(|byte| *byte != 0) {
        return Err(damaged("the end of the archive", "it is not empty"));
    }
    match from.read(&mut [0])? {
        0 => Ok(position),
        _ => Err(ArchiveError::Trailing(position)),
    }
}

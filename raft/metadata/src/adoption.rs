//! Adoption: after a restore or an emergency repair replicas find again what they have.
//!
//! While it is open nothing is collected: a file that no row lists may be the last copy of what a
//! newer backup names. An operator ends it once nothing is missing that is to come back.

use oci::digest::Digest;
use oci::name::RepositoryName;

use crate::access::standing;
use crate::blobs::{self, State};
use crate::codec::message;
use crate::key;
use crate::members;
use crate::outcome::Answer;
use crate::refusal::Refusal;
use crate::repositories::{self, RepositoryNumber};
use crate::row;
use crate::ruling::Ruling;
use crate::tables::{Damage, Read, Table, Write};

const KEY: &[u8] = b"adoption";

message! {
    /// Since when it is open, and what the state was restored or repaired from.
    pub struct AdoptionRow {
        /// The cluster whose backup or replica it was.
        1 former_cluster_id: String,
        /// The point of its log.
        2 log_index: u64,
        /// Milliseconds since 1970.
        3 begun_wall_ms: u64,
    }
}

message! {
    /// Ends it: collection begins again. Nothing to do where it is over.
    pub struct AdoptionFinish {
        /// The account that asks.
        1 actor: String,
    }
}

impl AdoptionFinish {
    pub(crate) fn apply(&self, tables: &mut impl Write) -> Ruling {
        standing::require_system(tables, &self.actor)?;
        tables.delete(Table::Singles, KEY);
        Ok(Answer::Done)
    }
}

/// The adoption that is open, if one is.
pub fn open(read: &impl Read) -> Result<Option<AdoptionRow>, Damage> {
    row::find(read, Table::Singles, KEY)
}

pub(crate) fn put(tables: &mut impl Write, row: &AdoptionRow) {
    row::put(tables, Table::Singles, KEY.to_vec(), row);
}

/// Refuses while one is open: nothing may go.
pub(crate) fn check_over(read: &impl Read) -> Ruling<()> {
    match open(read)? {
        Some(_) => Err(Refusal::AdoptionOpen.into()),
        None => Ok(()),
    }
}

/// A blob that a repository's manifests name and that no member has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Where it is named.
    pub repository: RepositoryName,
    /// Which.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
}

/// Some of what is missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MissingPage {
    /// By repository number and digest.
    pub missing: Vec<Missing>,
    /// Where to go on; `None` at the end. A page may be empty and yet have one.
    pub next: Option<Vec<u8>>,
}

/// What is missing among the `links_max` links from `from` on, an earlier page's
/// [`MissingPage::next`] or nothing.
pub fn missing(read: &impl Read, from: &[u8], links_max: usize) -> Result<MissingPage, Damage> {
    let rows = read.range(Table::Links, from, None, links_max)?;
    let mut page = MissingPage::default();
    if rows.len() == links_max {
        page.next = rows.last().map(|(key, _)| key::after(key.clone()));
    }
    for (key, value) in rows {
        let link: crate::links::LinkRow = row::decode(Table::Links, &value)?;
        let (number, digest) = key::split_u64(&key)?;
        let (digest, _) = key::split_digest(digest)?;
        let blob = blobs::find(read, &digest)?.filter(|blob| blob.state == State::Live);
        // A link that is only leased belongs to a push that never came to its end.
        let (Some(blob), true) = (blob, link.refs > 0) else { continue };
        if !members::replicas(read, &blob.holders)?.is_empty() {
            continue;
        }
        let name = repositories::name_of(read, RepositoryNumber(number))?;
        let Some(repository) = name else { continue };
        page.missing.push(Missing { repository, digest, size: blob.size });
    }
    Ok(page)
}

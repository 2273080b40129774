//! What must hold of every state, checked by property tests and chaos runs.
//!
//! [`check`] reads every row, so it is for tests and for an operator's doubts, not for service. B4
//! (files are unlinked only after a release) is about disks as well and is checked with a model of
//! them.

use std::collections::BTreeMap;
use std::fmt::{Display, Formatter};

use crate::blobs::{BlobRow, State};
use crate::clocks;
use crate::key;
use crate::links::LinkRow;
use crate::manifests::ManifestRow;
use crate::row;
use crate::tables::{Damage, Read, Row, Table};

mod accounts;
mod indexes;
mod jobs;
mod journals;
mod request_keys;
mod rules;

/// Something that should never be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which rule: `B2`, `B5`, `B6`, `U1`, `Q1`, `index` for rows that should mirror each other, or
    /// `journal` for events and the audit log, or `job`.
    pub rule: &'static str,
    /// What is wrong.
    pub what: String,
}

impl Display for Violation {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.rule, self.what)
    }
}

/// Finds everything that is wrong with a state.
pub fn check(read: &impl Read) -> Result<Vec<Violation>, Damage> {
    let mut found = Vec::new();
    check_references(read, &mut found)?;
    check_leases(read, &mut found)?;
    indexes::check(read, &mut found)?;
    accounts::check(read, &mut found)?;
    rules::check(read, &mut found)?;
    journals::check(read, &mut found)?;
    request_keys::check(read, &mut found)?;
    jobs::check(read, &mut found)?;
    Ok(found)
}

/// B2: what a manifest names is live. B6: `refs` is the number of rows that name the digest, over
/// all repositories in the blob's row and within one in the link's.
fn check_references(read: &impl Read, found: &mut Vec<Violation>) -> Result<(), Damage> {
    let mut named: BTreeMap<Vec<u8>, u64> = BTreeMap::new();
    let mut named_within: BTreeMap<Vec<u8>, u64> = BTreeMap::new();
    for table in [Table::Manifests, Table::Edges] {
        for (key, _) in rows(read, table)? {
            let (digest, rest) = key::split_digest(&key[8..])?;
            *named.entry(digest.to_bytes()).or_default() += 1;
            *named_within.entry(key[..key.len() - rest.len()].to_vec()).or_default() += 1;
        }
    }
    for (key, value) in rows(read, Table::Blobs)? {
        let blob: BlobRow = row::decode(Table::Blobs, &value)?;
        let (digest, _) = key::split_digest(&key)?;
        let count = named.remove(&key).unwrap_or(0);
        if blob.refs != count {
            let what = format!("{digest} has refs {} and {count} rows name it", blob.refs);
            found.push(Violation { rule: "B6", what });
        }
        if count > 0 && blob.state != State::Live {
            let what = format!("{digest} is named by manifests and {:?}", blob.state);
            found.push(Violation { rule: "B2", what });
        }
    }
    for digest in named.keys() {
        let what = format!("{} is named and not kept", key::split_digest(digest)?.0);
        found.push(Violation { rule: "B2", what });
    }
    for (key, value) in rows(read, Table::Links)? {
        let link: LinkRow = row::decode(Table::Links, &value)?;
        let count = named_within.remove(&key).unwrap_or(0);
        if link.refs != count {
            let digest = key::split_digest(&key[8..])?.0;
            let what = format!("a link of {digest} has refs {} for {count} rows", link.refs);
            found.push(Violation { rule: "B6", what });
        }
    }
    for key in named_within.keys() {
        let what = format!("{} is named where it is not linked", key::split_digest(&key[8..])?.0);
        found.push(Violation { rule: "B6", what });
    }
    for (_, value) in rows(read, Table::Manifests)? {
        row::decode::<ManifestRow>(Table::Manifests, &value)?;
    }
    Ok(())
}

/// B5: a leased blob is live.
fn check_leases(read: &impl Read, found: &mut Vec<Violation>) -> Result<(), Damage> {
    let now_ms = clocks::cluster_ms(read)?;
    for (key, value) in rows(read, Table::Links)? {
        let link: LinkRow = row::decode(Table::Links, &value)?;
        let (digest, _) = key::split_digest(&key[8..])?;
        let blob: Option<BlobRow> = row::find(read, Table::Blobs, &digest.to_bytes())?;
        if link.lease_until_ms > now_ms && blob.is_none_or(|blob| blob.state != State::Live) {
            let what = format!("{digest} is leased and not live");
            found.push(Violation { rule: "B5", what });
        }
    }
    Ok(())
}

/// Every row of a table, read in pages.
fn rows(read: &impl Read, table: Table) -> Result<Vec<Row>, Damage> {
    const PAGE: usize = 10_000;
    let mut all: Vec<Row> = Vec::new();
    loop {
        let from = all.last().map_or(Vec::new(), |(key, _)| key::after(key.clone()));
        let page = read.range(table, &from, None, PAGE)?;
        let done = page.len() < PAGE;
        all.extend(page);
        if done {
            return Ok(all);
        }
    }
}

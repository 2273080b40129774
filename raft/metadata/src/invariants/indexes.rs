//! Rows that mirror each other: each index is derived again and compared.

use std::collections::BTreeSet;

use oci::digest::Digest;

use super::{Violation, rows};
use crate::blobs::kept::{self, KeptRow};
use crate::blobs::{BlobRow, State};
use crate::key;
use crate::links::LinkRow;
use crate::manifests::{ChildRow, ManifestRow};
use crate::releases::ReleaseRow;
use crate::repositories::{RepositoryNumber, RepositoryRow, Visibility};
use crate::row;
use crate::tables::{Damage, Read, Table};
use crate::tags::TagRow;

pub(super) type Keys = BTreeSet<Vec<u8>>;

pub(super) fn check(read: &impl Read, found: &mut Vec<Violation>) -> Result<(), Damage> {
    check_links(read, found)?;
    check_blobs(read, found)?;
    check_manifests(read, found)?;
    check_tags(read, found)?;
    check_repositories(read, found)?;
    check_releases(read, found)
}

/// Compares the keys of `table` with those derived from other rows.
pub(super) fn compare(
    read: &impl Read,
    table: Table,
    derived: &Keys,
    found: &mut Vec<Violation>,
) -> Result<(), Damage> {
    let stored: Keys = rows(read, table)?.into_iter().map(|(key, _)| key).collect();
    for key in stored.difference(derived) {
        let what = format!("{table:?} has a row too much: {key:02x?}");
        found.push(Violation { rule: "index", what });
    }
    for key in derived.difference(&stored) {
        let what = format!("{table:?} lacks a row: {key:02x?}");
        found.push(Violation { rule: "index", what });
    }
    Ok(())
}

fn check_links(read: &impl Read, found: &mut Vec<Violation>) -> Result<(), Damage> {
    let (mut by_blob, mut loose, mut ends) = (Keys::new(), Keys::new(), Keys::new());
    for (key, value) in rows(read, Table::Links)? {
        let link: LinkRow = row::decode(Table::Links, &value)?;
        by_blob.insert(key::join(&[&key[8..], &key[..8]]));
        if link.refs == 0 {
            loose.insert(key.clone());
        }
        if link.lease_until_ms > 0 {
            ends.insert(key::join(&[&link.lease_until_ms.to_be_bytes(), &key]));
        } else if link.refs == 0 {
            let what = format!("a link neither named nor leased: {key:02x?}");
            found.push(Violation { rule: "index", what });
        }
    }
    compare(read, Table::BlobLinks, &by_blob, found)?;
    compare(read, Table::LooseLinks, &loose, found)?;
    compare(read, Table::LeaseEnds, &ends, found)
}

fn check_blobs(read: &impl Read, found: &mut Vec<Violation>) -> Result<(), Damage> {
    let (mut idle, mut condemned) = (Keys::new(), Keys::new());
    let mut kept = KeptRow::default();
    for (key, value) in rows(read, Table::Blobs)? {
        let blob: BlobRow = row::decode(Table::Blobs, &value)?;
        let part = kept.part_of(&blob);
        (part.blobs, part.bytes) = (part.blobs + 1, part.bytes + blob.size);
        let linked = !row::under(read, Table::BlobLinks, &key, 1)?.is_empty();
        let needed = blob.refs > 0 || linked || blob.state == State::Condemned;
        if needed == blob.idle_since_ms.is_some() {
            let digest = key::split_digest(&key)?.0;
            let what = format!("{digest} is idle since {:?}", blob.idle_since_ms);
            found.push(Violation { rule: "index", what });
        }
        if let Some(since_ms) = blob.idle_since_ms {
            idle.insert(key::join(&[&since_ms.to_be_bytes(), &key]));
        }
        if blob.state == State::Condemned {
            condemned.insert(key);
        }
    }
    let sums = kept::sums(read)?;
    if sums != kept {
        let what = format!("the blobs are {kept:?}, and counted as {sums:?}");
        found.push(Violation { rule: "index", what });
    }
    compare(read, Table::IdleBlobs, &idle, found)?;
    compare(read, Table::CondemnedBlobs, &condemned, found)
}

fn check_manifests(read: &impl Read, found: &mut Vec<Violation>) -> Result<(), Damage> {
    let (mut edges, mut referrers) = (Keys::new(), Keys::new());
    for (key, value) in rows(read, Table::Children)? {
        let child: ChildRow = row::decode(Table::Children, &value)?;
        let manifest = &key[8..key.len() - 2];
        if read.get(Table::Manifests, &key[..key.len() - 2])?.is_none() {
            let what = format!("a reference of a manifest that is not there: {key:02x?}");
            found.push(Violation { rule: "index", what });
        }
        if child.required {
            edges.insert(key::join(&[&key[..8], &child.digest.to_bytes(), manifest]));
        }
    }
    for (key, value) in rows(read, Table::Manifests)? {
        let manifest: ManifestRow = row::decode(Table::Manifests, &value)?;
        if let Some(subject) = manifest.subject {
            referrers.insert(key::join(&[&key[..8], &subject.to_bytes(), &key[8..]]));
        }
    }
    compare(read, Table::Edges, &edges, found)?;
    compare(read, Table::Referrers, &referrers, found)
}

fn check_tags(read: &impl Read, found: &mut Vec<Violation>) -> Result<(), Damage> {
    let mut by_manifest = Keys::new();
    for (key, value) in rows(read, Table::Tags)? {
        let tag: TagRow = row::decode(Table::Tags, &value)?;
        let manifest = key::join(&[&key[..8], &Digest::to_bytes(&tag.digest)]);
        if read.get(Table::Manifests, &manifest)?.is_none() {
            let what = format!("a tag points at {}, which is not there", tag.digest);
            found.push(Violation { rule: "index", what });
        }
        by_manifest.insert(key::join(&[&manifest, &key[8..]]));
    }
    compare(read, Table::ManifestTags, &by_manifest, found)
}

fn check_repositories(read: &impl Read, found: &mut Vec<Violation>) -> Result<(), Damage> {
    let (mut names, mut public) = (Keys::new(), Keys::new());
    for (key, value) in rows(read, Table::Repositories)? {
        let repository: RepositoryRow = row::decode(Table::Repositories, &value)?;
        names.insert(repository.number.to_be_bytes().to_vec());
        if repository.visibility == Visibility::Public {
            public.insert(key);
        }
    }
    compare(read, Table::RepositoryNames, &names, found)?;
    compare(read, Table::PublicRepositories, &public, found)?;
    for (key, _) in rows(read, Table::Descriptions)? {
        if !names.contains(&key) {
            let what = format!("a description of no repository: {key:02x?}");
            found.push(Violation { rule: "index", what });
        }
    }
    for table in [Table::Links, Table::Manifests, Table::Tags] {
        for (key, _) in rows(read, table)? {
            // What is held stands beside its repository.
            let number = key::split_u64(&key)?.0 & !RepositoryNumber(0).held().0;
            let number = &number.to_be_bytes()[..];
            let deleted = read.get(Table::DeletedRepositories, number)?.is_some();
            if !deleted && !names.contains(number) {
                let what = format!("{table:?} has a row of no repository: {key:02x?}");
                found.push(Violation { rule: "index", what });
            }
        }
    }
    Ok(())
}

fn check_releases(read: &impl Read, found: &mut Vec<Violation>) -> Result<(), Damage> {
    let mut by_index = Keys::new();
    for (key, value) in rows(read, Table::Releases)? {
        let release: ReleaseRow = row::decode(Table::Releases, &value)?;
        by_index.insert(key::join(&[&release.index.to_be_bytes(), &key]));
    }
    compare(read, Table::ReleaseIndexes, &by_index, found)
}

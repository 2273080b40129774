//! Rows of tag limits, histories, tags that may come back, and quotas.

use std::collections::BTreeMap;

use oci::manifest::Role;
use oci::name::TagName;

use super::indexes::{Keys, compare};
use super::{Violation, rows};
use crate::blobs::BlobRow;
use crate::key;
use crate::manifests::ChildRow;
use crate::manifests::held;
use crate::quotas::{self, NamespaceBlobRow, UseRow};
use crate::repositories::RepositoryNumber;
use crate::repositories::counts::CountsRow;
use crate::row;
use crate::tables::{Damage, Read, Table};
use crate::tags::TagRow;
use crate::tags::deleted::{DeletedTagRow, HISTORY, MANIFEST, TAG};

pub(super) fn check(read: &impl Read, found: &mut Vec<Violation>) -> Result<(), Damage> {
    check_order(read, found)?;
    check_deleted_tags(read, found)?;
    check_held_manifests(read, found)?;
    check_histories(read, found)?;
    check_quotas(read, found)
}

fn wrong(found: &mut Vec<Violation>, rule: &'static str, what: String) {
    found.push(Violation { rule, what });
}

fn tag_name(bytes: &[u8]) -> Result<TagName, Damage> {
    TagName::parse(key::text(bytes)?).map_err(|error| Damage(format!("a stored tag: {error}")))
}

/// The order has the tags that a limit counts, and they are counted.
fn check_order(read: &impl Read, found: &mut Vec<Violation>) -> Result<(), Damage> {
    let mut order = Keys::new();
    let mut counts: BTreeMap<Vec<u8>, u64> = BTreeMap::new();
    for (key, value) in rows(read, Table::Tags)? {
        let tag: TagRow = row::decode(Table::Tags, &value)?;
        if !tag_name(&key[8..])?.is_attachment() {
            let index = tag.created_index.to_be_bytes();
            order.insert(key::join(&[&key[..8], &index, &key[8..]]));
            *counts.entry(key[..8].to_vec()).or_default() += 1;
        }
    }
    for (number, value) in rows(read, Table::RepositoryCounts)? {
        let stored: CountsRow = row::decode(Table::RepositoryCounts, &value)?;
        let count = counts.remove(&number).unwrap_or(0);
        if stored.tags != count {
            wrong(found, "index", format!("{number:02x?} counts {} of {count} tags", stored.tags));
        }
    }
    for number in counts.keys() {
        wrong(found, "index", format!("the tags of {number:02x?} are not counted"));
    }
    compare(read, Table::TagOrder, &order, found)
}

/// U1: what a tag that may come back pointed at is there, or held.
fn check_deleted_tags(read: &impl Read, found: &mut Vec<Violation>) -> Result<(), Damage> {
    let (mut held_tags, mut ends) = (Keys::new(), Keys::new());
    for (key, value) in rows(read, Table::DeletedTags)? {
        let DeletedTagRow { tag, until_ms } = row::decode(Table::DeletedTags, &value)?;
        let digest = tag.digest.to_bytes();
        held_tags.insert(key::join(&[&key[..8], &digest, &key[8..]]));
        ends.insert(key::join(&[&until_ms.to_be_bytes(), &key[..8], &[TAG], &key[8..]]));
        let goes = read.get(Table::DeletedRepositories, &key[..8])?.is_some();
        if !goes && !is_there_or_held(read, &key[..8], &digest)? {
            wrong(found, "U1", format!("{} may be needed again and is gone", tag.digest));
        }
    }
    compare(read, Table::HeldTags, &held_tags, found)?;
    let stored = rows(read, Table::HoldEnds)?.into_iter().map(|(key, _)| key);
    let stored: Keys = stored.filter(|key| key[16] == TAG).collect();
    for key in stored.symmetric_difference(&ends) {
        wrong(found, "index", format!("the end of a deleted tag: {key:02x?}"));
    }
    Ok(())
}

fn is_there_or_held(read: &impl Read, number: &[u8], digest: &[u8]) -> Result<bool, Damage> {
    let repository = RepositoryNumber(key::split_u64(number)?.0);
    for number in [repository, repository.held()] {
        if read.get(Table::Manifests, &key::within(number, &[digest]))?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// U1: the manifests that a held one names are there, or held. A held manifest is needed, or about
/// to go.
fn check_held_manifests(read: &impl Read, found: &mut Vec<Violation>) -> Result<(), Damage> {
    let ends: Keys = rows(read, Table::HoldEnds)?.into_iter().map(|(key, _)| key).collect();
    let leaving = |number: u64, digest: &[u8]| {
        let subject = key::join(&[&number.to_be_bytes(), &[MANIFEST], digest]);
        ends.iter().any(|key| key[8..] == subject)
    };
    let bare = |number: u64| RepositoryNumber(number & !RepositoryNumber(0).held().0);
    for (key, value) in rows(read, Table::Children)? {
        let number = RepositoryNumber(key::split_u64(&key)?.0);
        let child: ChildRow = row::decode(Table::Children, &value)?;
        let goes = read.get(Table::DeletedRepositories, &bare(number.0).0.to_be_bytes())?.is_some();
        let digest = child.digest.to_bytes();
        if number.is_held()
            && !goes
            && child.required
            && child.role == Role::Child
            && !is_there_or_held(read, &bare(number.0).0.to_be_bytes(), &digest)?
        {
            wrong(found, "U1", format!("{} may be needed again and is gone", child.digest));
        }
    }
    for (key, _) in rows(read, Table::Manifests)? {
        let (number, digest) = key::split_u64(&key)?;
        let repository = bare(number);
        let goes = read.get(Table::DeletedRepositories, &repository.0.to_be_bytes())?.is_some();
        if repository.0 == number || goes || leaving(repository.0, digest) {
            continue;
        }
        let (digest, _) = key::split_digest(digest)?;
        if !held::is_needed(read, repository, &digest)? {
            wrong(found, "index", format!("{digest} is held for nothing"));
        }
    }
    Ok(())
}

/// A history belongs to a tag that is there, may come back, or will be forgotten.
fn check_histories(read: &impl Read, found: &mut Vec<Violation>) -> Result<(), Damage> {
    let ends = rows(read, Table::HoldEnds)?.into_iter().map(|(key, _)| key[8..].to_vec());
    let ends: Keys = ends.filter(|key| key[8] == HISTORY).collect();
    for (key, _) in rows(read, Table::TagHistory)? {
        let end = key[8..].iter().position(|byte| *byte == 0).unwrap_or_default() + 8;
        let (number, tag) = (&key[..8], &key[8..end]);
        let is_known = read.get(Table::Tags, &key[..end])?.is_some()
            || read.get(Table::DeletedTags, &key[..end])?.is_some()
            || read.get(Table::DeletedRepositories, number)?.is_some();
        if !is_known && !ends.contains(&key::join(&[number, &[HISTORY], tag])) {
            wrong(found, "index", format!("a history of no tag: {key:02x?}"));
        }
    }
    Ok(())
}

/// Q1: a namespace's use is the sum of the blobs that its repositories hold, each counted once.
fn check_quotas(read: &impl Read, found: &mut Vec<Violation>) -> Result<(), Damage> {
    let mut links: BTreeMap<Vec<u8>, u64> = BTreeMap::new();
    for (key, _) in rows(read, Table::Links)? {
        let number = RepositoryNumber(key::split_u64(&key)?.0);
        if !number.is_held() {
            let namespace = quotas::namespace_of(read, number)?;
            let (digest, _) = key::split_digest(&key[8..])?;
            *links.entry(quotas::blob_key(&namespace, &digest)).or_default() += 1;
        }
    }
    let mut uses: BTreeMap<Vec<u8>, UseRow> = BTreeMap::new();
    for (key, value) in rows(read, Table::NamespaceBlobs)? {
        let counted: NamespaceBlobRow = row::decode(Table::NamespaceBlobs, &value)?;
        let slash = key.iter().position(|byte| *byte == b'/').unwrap_or_default();
        let blob: Option<BlobRow> = row::find(read, Table::Blobs, &key[slash + 1..])?;
        if blob.is_none_or(|blob| blob.size != counted.size) {
            wrong(found, "Q1", format!("a blob is counted with another size: {key:02x?}"));
        }
        if links.remove(&key) != Some(counted.links) {
            wrong(found, "Q1", format!("the links of a blob are miscounted: {key:02x?}"));
        }
        let used = uses.entry(key[..slash].to_vec()).or_default();
        (used.bytes, used.blobs) = (used.bytes + counted.size, used.blobs + 1);
    }
    for key in links.keys() {
        wrong(found, "Q1", format!("a blob is linked and not counted: {key:02x?}"));
    }
    let mut stored: BTreeMap<Vec<u8>, UseRow> = BTreeMap::new();
    for (namespace, value) in rows(read, Table::NamespaceUse)? {
        stored.insert(namespace, row::decode(Table::NamespaceUse, &value)?);
    }
    if stored != uses {
        wrong(found, "Q1", format!("namespaces use {uses:?}, counted as {stored:?}"));
    }
    Ok(())
}

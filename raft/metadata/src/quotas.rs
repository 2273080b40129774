//! Quotas: how many unique bytes a namespace uses, and how many it may.
//!
//! A blob counts once for a namespace, however many of its repositories hold it: from the first
//! link there, which a commit, a mount or a manifest makes, to the end of the last. What is kept
//! only so that a deleted tag can come back is not counted.

use oci::digest::Digest;

use crate::access;
use crate::accounts;
use crate::blobs;
use crate::codec::message;
use crate::key;
use crate::refusal::Refusal;
use crate::repositories::RepositoryNumber;
use crate::row;
use crate::ruling::Ruling;
use crate::tables::{Damage, Read, Table, Write};

message! {
    /// A blob of a namespace, under the namespace's name and the digest.
    pub struct NamespaceBlobRow {
        /// Repositories of the namespace that hold it.
        1 links: u64,
        /// In bytes.
        2 size: u64,
    }
}

message! {
    /// What a namespace uses, under its name; no row where it uses nothing.
    #[derive(Default)]
    pub struct UseRow {
        /// The sum of its blobs' sizes, each counted once.
        1 bytes: u64,
        /// How many blobs these are.
        2 blobs: u64,
    }
}

/// What the namespace uses.
pub fn used(read: &impl Read, namespace: &str) -> Result<UseRow, Damage> {
    Ok(row::find(read, Table::NamespaceUse, namespace.as_bytes())?.unwrap_or_default())
}

/// How many bytes the namespace may use; `None` for as many as there is room for.
pub fn limit(read: &impl Read, namespace: &str) -> Result<Option<u64>, Damage> {
    let account = accounts::find(read, namespace)?;
    Ok(account.map(|account| account.quota_bytes).filter(|bytes| *bytes > 0))
}

/// Why a blob of `size` bytes could not be added now: for those who ask before the bytes are sent.
/// Without a digest the blob may be there already, so only one that can't be is refused.
///
/// With one, that it is there counts only where `account`, who asks, may see it: else the answer
/// would say what is in the namespace's other repositories.
pub fn refusal(
    read: &impl Read,
    (namespace, account): (&str, &str),
    (digest, size): (Option<&Digest>, u64),
) -> Result<Option<Refusal>, Damage> {
    let Some(limit) = limit(read, namespace)? else { return Ok(None) };
    let used = used(read, namespace)?.bytes;
    let is_too_much = match digest {
        Some(digest) => {
            let is_more = size > 0 && used.saturating_add(size) > limit;
            let caller = access::caller(read, account)?.unwrap_or_default();
            let place = (namespace, digest);
            is_more && blobs::readable_in_namespace(read, &caller, place)?.is_none()
        }
        // Were it there, it would be among the bytes that are used.
        None => size > limit && used <= limit,
    };
    Ok(is_too_much.then(|| exceeded(namespace, used, limit, size)))
}

/// Refuses where the namespace, which used `before` bytes, came to use more and beyond its quota.
/// What adds nothing passes, also where the quota was lowered below what is used.
pub(crate) fn check_growth(read: &impl Read, namespace: &str, before: u64) -> Ruling<()> {
    let after = used(read, namespace)?.bytes;
    match limit(read, namespace)? {
        Some(limit) if after > before && after > limit => {
            Err(exceeded(namespace, before, limit, after - before).into())
        }
        _ => Ok(()),
    }
}

fn exceeded(namespace: &str, used: u64, limit: u64, asked: u64) -> Refusal {
    Refusal::QuotaExceeded { namespace: namespace.to_owned(), used, limit, asked }
}

/// Counts a repository's new link to the blob.
pub(crate) fn add(
    tables: &mut impl Write,
    repository: RepositoryNumber,
    digest: &Digest,
) -> Result<(), Damage> {
    if repository.is_held() {
        return Ok(());
    }
    let namespace = namespace_of(tables, repository)?;
    let key = blob_key(&namespace, digest);
    let before: Option<NamespaceBlobRow> = row::find(tables, Table::NamespaceBlobs, &key)?;
    if let Some(before) = before {
        let after = NamespaceBlobRow { links: before.links + 1, ..before };
        row::put(tables, Table::NamespaceBlobs, key, &after);
        return Ok(());
    }
    let blob = blobs::find(tables, digest)?;
    let size = blob.ok_or_else(|| Damage(format!("{digest} is linked but not kept")))?.size;
    row::put(tables, Table::NamespaceBlobs, key, &NamespaceBlobRow { links: 1, size });
    let UseRow { bytes, blobs } = used(tables, &namespace)?;
    let after = UseRow { bytes: bytes.saturating_add(size), blobs: blobs + 1 };
    row::put(tables, Table::NamespaceUse, namespace.into_bytes(), &after);
    Ok(())
}

/// Counts the end of a repository's link to the blob.
pub(crate) fn take(
    tables: &mut impl Write,
    repository: RepositoryNumber,
    digest: &Digest,
) -> Result<(), Damage> {
    if repository.is_held() {
        return Ok(());
    }
    let namespace = namespace_of(tables, repository)?;
    let key = blob_key(&namespace, digest);
    let uncounted = || Damage(format!("{digest} is linked in {namespace} and not counted there"));
    let before: Option<NamespaceBlobRow> = row::find(tables, Table::NamespaceBlobs, &key)?;
    let NamespaceBlobRow { links, size } = before.ok_or_else(uncounted)?;
    if links > 1 {
        let after = NamespaceBlobRow { links: links - 1, size };
        row::put(tables, Table::NamespaceBlobs, key, &after);
        return Ok(());
    }
    tables.delete(Table::NamespaceBlobs, &key);
    let UseRow { bytes, blobs } = used(tables, &namespace)?;
    let bytes = bytes.checked_sub(size).ok_or_else(uncounted)?;
    let blobs = blobs.checked_sub(1).ok_or_else(uncounted)?;
    if blobs == 0 {
        tables.delete(Table::NamespaceUse, namespace.as_bytes());
    } else {
        row::put(tables, Table::NamespaceUse, namespace.into_bytes(), &UseRow { bytes, blobs });
    }
    Ok(())
}

/// The namespace of a repository, deleted or not, as long as rows of it are there.
pub(crate) fn namespace_of(
    read: &impl Read,
    repository: RepositoryNumber,
) -> Result<String, Damage> {
    let number = repository.0.to_be_bytes();
    let name = match read.get(Table::RepositoryNames, &number)? {
        Some(name) => Some(name),
        None => read.get(Table::DeletedRepositories, &number)?,
    };
    let nameless = || Damage(format!("repository {} has links and no name", repository.0));
    let name = name.ok_or_else(nameless)?;
    Ok(key::text(&name)?.split('/').next().unwrap_or_default().to_owned())
}

/// No namespace has a slash in it, so no two begin alike with it.
pub(crate) fn blob_key(namespace: &str, digest: &Digest) -> Vec<u8> {
    key::join(&[namespace.as_bytes(), b"/", &digest.to_bytes()])
}

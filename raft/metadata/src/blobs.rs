//! Blobs: which bytes the cluster keeps, who holds them, and how many rows need them.

use oci::digest::Digest;
use oci::name::RepositoryName;

use crate::access::{self, Action, Caller};
use crate::clocks;
use crate::codec::{message, numbered};
use crate::key;
use crate::links;
use crate::members;
use crate::membership;
use crate::moment::Moment;
use crate::page::Page;
use crate::placement;
use crate::quorum::{self, Quorum};
use crate::replica::{MemberNumber, ReplicaId};
use crate::repositories::{self, RepositoryNumber};
use crate::row;
use crate::tables::{Damage, Read, Table, Write};

pub mod commands;
pub mod kept;

/// So many repositories are looked through for one that the caller may read.
const LINKS_SEARCHED_MAX: usize = 1000;

numbered! {
    /// Whether a blob may be used.
    pub enum State {
        /// It may.
        1 Live,
        /// Nothing needs it and it is about to be deleted; a commit brings it back.
        2 Condemned,
    }
}

message! {
    /// A blob.
    pub struct BlobRow {
        /// In bytes.
        1 size: u64,
        /// Grows with each condemnation. A blob that comes back after its deletion begins with the
        /// log index, so that an old `Delete` can't name it.
        2 generation: u64,
        /// Live or condemned.
        3 state: State,
        /// Rows that name the digest, in all repositories.
        4 refs: u64,
        /// The cluster time since when nothing needs it: no row, no link. `None` while something
        /// does, and once it is condemned.
        5 idle_since_ms: Option<u64>,
        /// Who has the bytes, sorted. Former members may still be listed; they count for nothing.
        6 holders: Vec<MemberNumber>,
    }
}

/// The blob's row.
pub fn find(read: &impl Read, digest: &Digest) -> Result<Option<BlobRow>, Damage> {
    row::find(read, Table::Blobs, &digest.to_bytes())
}

/// Blobs by digest, after `last`.
pub fn page(
    read: &impl Read,
    last: Option<&Digest>,
    limit: usize,
) -> Result<Page<(Digest, BlobRow)>, Damage> {
    let from = last.map_or(Vec::new(), |last| key::after(last.to_bytes()));
    let rows = read.range(Table::Blobs, &from, None, limit.saturating_add(1))?;
    let blobs = rows
        .iter()
        .map(|(key, value)| Ok((key::split_digest(key)?.0, row::decode(Table::Blobs, value)?)));
    Ok(Page::cut(blobs.collect::<Result<_, Damage>>()?, limit))
}

/// Whether the repository may read the blob: it is linked there now.
pub fn linked(
    read: &impl Read,
    repository: &RepositoryName,
    digest: &Digest,
) -> Result<bool, Damage> {
    match repositories::find(read, repository)? {
        Some(row) => linked_in(read, row.number(), digest, clocks::cluster_ms(read)?),
        None => Ok(false),
    }
}

pub(crate) fn linked_in(
    read: &impl Read,
    repository: RepositoryNumber,
    digest: &Digest,
    now_ms: u64,
) -> Result<bool, Damage> {
    let link = links::find(read, repository, digest)?;
    Ok(link.is_some_and(|link| link.stands(now_ms)))
}

/// The blob, if it is linked in the repository and live: what a GET answers from.
pub fn readable(
    read: &impl Read,
    repository: &RepositoryName,
    digest: &Digest,
) -> Result<Option<BlobRow>, Damage> {
    if !linked(read, repository, digest)? {
        return Ok(None);
    }
    Ok(find(read, digest)?.filter(|blob| blob.state == State::Live))
}

/// The blob, if it is linked in the repository, live and on W voters or more: only then may a
/// client be told that it need not upload it.
pub fn kept(
    read: &impl Read,
    repository: &RepositoryName,
    digest: &Digest,
) -> Result<Option<BlobRow>, Damage> {
    let blob = readable(read, repository, digest)?;
    let enough = is_kept(read, blob.as_ref(), quorum::of(read)?.write)?;
    Ok(blob.filter(|_| enough))
}

/// A repository that `caller` may read and that is linked to the blob: where a mount without a
/// source finds it.
pub fn readable_anywhere(
    read: &impl Read,
    caller: &Caller,
    digest: &Digest,
) -> Result<Option<RepositoryName>, Damage> {
    readable_among(read, caller, digest, |_| true)
}

/// The same of one namespace alone.
pub fn readable_in_namespace(
    read: &impl Read,
    caller: &Caller,
    (namespace, digest): (&str, &Digest),
) -> Result<Option<RepositoryName>, Damage> {
    readable_among(read, caller, digest, |repository| repository.namespace() == namespace)
}

fn readable_among(
    read: &impl Read,
    caller: &Caller,
    digest: &Digest,
    is_meant: impl Fn(&RepositoryName) -> bool,
) -> Result<Option<RepositoryName>, Damage> {
    let now_ms = clocks::cluster_ms(read)?;
    let prefix = digest.to_bytes();
    for (key, _) in row::under(read, Table::BlobLinks, &prefix, LINKS_SEARCHED_MAX)? {
        let number = RepositoryNumber(key::split_u64(&key[prefix.len()..])?.0);
        let Some(repository) = repositories::name_of(read, number)? else { continue };
        if is_meant(&repository)
            && access::judge(read, caller, &repository, Action::Pull)?.allowed
            && linked_in(read, number, digest, now_ms)?
        {
            return Ok(Some(repository));
        }
    }
    Ok(None)
}

/// The members that have the blob's bytes.
pub fn holders(read: &impl Read, blob: &BlobRow) -> Result<Vec<ReplicaId>, Damage> {
    members::replicas(read, &blob.holders)
}

/// The voters that should get a copy, in this order, so that the blob has as many as it should.
pub fn missing_copies(
    read: &impl Read,
    digest: &Digest,
    blob: &BlobRow,
) -> Result<Vec<ReplicaId>, Damage> {
    let voters = membership::voters(read)?;
    let Quorum { copies, .. } = quorum::of(read)?;
    let missing = copies.saturating_sub(voters.count(&blob.holders));
    if missing == 0 {
        return Ok(Vec::new());
    }
    let mut without = Vec::new();
    for voter in voters.voters {
        let number = members::number_of(read, voter)?;
        let lacks = |number: &MemberNumber| {
            blob.holders.binary_search(number).is_err() && !voters.draining.contains(number)
        };
        if number.as_ref().is_some_and(lacks) {
            without.push(voter);
        }
    }
    let mut order = placement::order(&digest.to_bytes(), &without);
    order.truncate(missing);
    Ok(order)
}

/// Whether the blob is live and on at least `write` voters.
pub(crate) fn is_kept(
    read: &impl Read,
    blob: Option<&BlobRow>,
    write: usize,
) -> Result<bool, Damage> {
    match blob {
        Some(blob) if blob.state == State::Live => {
            Ok(membership::count_voters(read, &blob.holders)? >= write)
        }
        _ => Ok(false),
    }
}

impl BlobRow {
    /// Lists `holders` as well.
    pub(crate) fn add_holders(&mut self, holders: &[MemberNumber]) {
        for holder in holders {
            if let Err(place) = self.holders.binary_search(holder) {
                self.holders.insert(place, *holder);
            }
        }
    }
}

/// The blob with `holders` added, live again if it was condemned, or new.
pub(crate) fn with_holders(
    before: Option<&BlobRow>,
    size: u64,
    holders: &[MemberNumber],
    moment: &Moment,
) -> BlobRow {
    let mut blob = before.cloned().unwrap_or_else(|| BlobRow {
        size,
        generation: moment.index,
        state: State::Live,
        refs: 0,
        idle_since_ms: None,
        holders: Vec::new(),
    });
    blob.state = State::Live;
    blob.add_holders(holders);
    blob
}

/// Writes the blob and its row among the idle or condemned ones. `before` is what is stored now.
pub(crate) fn save(
    tables: &mut impl Write,
    digest: &Digest,
    before: Option<&BlobRow>,
    after: &BlobRow,
) -> Result<(), Damage> {
    kept::carry_on(tables, before, Some(after))?;
    let key = digest.to_bytes();
    let former = before.and_then(|blob| blob.idle_since_ms);
    if former != after.idle_since_ms {
        if let Some(since_ms) = former {
            tables.delete(Table::IdleBlobs, &key::join(&[&since_ms.to_be_bytes(), &key]));
        }
        if let Some(since_ms) = after.idle_since_ms {
            row::mark(tables, Table::IdleBlobs, key::join(&[&since_ms.to_be_bytes(), &key]));
        }
    }
    let was_condemned = before.is_some_and(|blob| blob.state == State::Condemned);
    match (was_condemned, after.state) {
        (false, State::Condemned) => row::mark(tables, Table::CondemnedBlobs, key.clone()),
        (true, State::Live) => tables.delete(Table::CondemnedBlobs, &key),
        _ => {}
    }
    if before != Some(after) {
        row::put(tables, Table::Blobs, key, after);
    }
    Ok(())
}

/// Counts one more row that names the digest.
pub(crate) fn name(tables: &mut impl Write, digest: &Digest) -> Result<(), Damage> {
    let before = find(tables, digest)?;
    let before = before.ok_or_else(|| Damage(format!("{digest} is named but not kept")))?;
    let after = BlobRow { refs: before.refs + 1, idle_since_ms: None, ..before.clone() };
    save(tables, digest, Some(&before), &after)
}

/// Counts one less. Whether the blob is idle then is settled by [`note_idle`], with the link.
pub(crate) fn unname(tables: &mut impl Write, digest: &Digest) -> Result<(), Damage> {
    let before = find(tables, digest)?;
    let before = before.ok_or_else(|| Damage(format!("{digest} was named but not kept")))?;
    let refs = before.refs.checked_sub(1);
    let refs = refs.ok_or_else(|| Damage(format!("{digest} is named more often than counted")))?;
    save(tables, digest, Some(&before), &BlobRow { refs, ..before.clone() })
}

/// Sets or clears the time since when nothing needs the blob.
pub(crate) fn note_idle(
    tables: &mut impl Write,
    digest: &Digest,
    moment: &Moment,
) -> Result<(), Damage> {
    let Some(before) = find(tables, digest)? else { return Ok(()) };
    if before.state == State::Condemned {
        return Ok(());
    }
    let needed =
        before.refs > 0 || !row::under(tables, Table::BlobLinks, &digest.to_bytes(), 1)?.is_empty();
    let idle_since_ms = match (needed, before.idle_since_ms) {
        (true, _) => None,
        (false, since) => since.or(Some(moment.cluster_ms)),
    };
    save(tables, digest, Some(&before), &BlobRow { idle_since_ms, ..before.clone() })
}

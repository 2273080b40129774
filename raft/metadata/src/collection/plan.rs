//! What collection would take away, what not, and why: for people, before and after they ask.
//!
//! Everything is read in parts from the very rows by which collection works, so what is shown here
//! is what would be done.

use oci::digest::Digest;
use oci::name::RepositoryName;

use crate::blobs::{self, BlobRow, State};
use crate::clocks;
use crate::key;
use crate::links::{self, LinkRow};
use crate::repositories::{self, RepositoryNumber};
use crate::row;
use crate::settings;
use crate::tables::{Damage, Read, Table};

/// Repositories that an explanation names, at most.
const PLACES_MAX: usize = 100;

/// What keeps a blob that no manifest of a repository names, or that nothing does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is about to be deleted.
    Condemned,
    /// The next run takes it.
    Ready,
    /// Nothing needs it, and its grace time is not over.
    InGrace {
        /// Until then, in cluster time.
        until_ms: u64,
    },
    /// A push may still name it.
    Leased {
        /// Where.
        repository: Option<RepositoryName>,
        /// Until then, in cluster time.
        until_ms: u64,
    },
    /// A deleted tag that needs it may come back.
    Held {
        /// Where.
        repository: Option<RepositoryName>,
    },
}

/// A blob in the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// Which.
    pub digest: Digest,
    /// In bytes.
    pub size: u64,
    /// What keeps it, or that nothing does.
    pub standing: Standing,
    /// Since when nothing needs it, in cluster time.
    pub idle_since_ms: Option<u64>,
    /// The key behind which the list goes on after it.
    pub key: Vec<u8>,
}

/// A part of the plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// Blobs; fewer than were looked at, or none, where others are told elsewhere.
    pub blobs: Vec<Planned>,
    /// Behind which key to go on; `None` where there is no more.
    pub next: Option<Vec<u8>>,
}

impl Part {
    fn of(blobs: Vec<Planned>, rows: &[crate::tables::Row], limit: usize) -> Self {
        let last = rows.last().filter(|_| rows.len() == limit);
        Self { blobs, next: last.map(|(key, _)| key.clone()) }
    }
}

fn start(last: &[u8]) -> Vec<u8> {
    if last.is_empty() { Vec::new() } else { key::after(last.to_vec()) }
}

/// Condemned blobs, by digest. Like its siblings it goes on behind the key `last`, which is empty
/// for the beginning, and looks at `limit` rows at most.
pub fn condemned(read: &impl Read, last: &[u8], limit: usize) -> Result<Part, Damage> {
    let rows = read.range(Table::CondemnedBlobs, &start(last), None, limit)?;
    let mut found = Vec::new();
    for (key, _) in &rows {
        let (digest, _) = key::split_digest(key)?;
        let size = kept(read, &digest)?.size;
        let standing = Standing::Condemned;
        found.push(Planned { digest, size, standing, idle_since_ms: None, key: key.clone() });
    }
    Ok(Part::of(found, &rows, limit))
}

/// Blobs that nothing needs, longest idle first: those whose grace time, of `least_s` seconds at
/// least, is over, and the others.
pub fn idle(read: &impl Read, least_s: u64, last: &[u8], limit: usize) -> Result<Part, Damage> {
    let grace_ms = settings::get(read)?.grace_s.max(least_s).saturating_mul(1000);
    let now_ms = clocks::cluster_ms(read)?;
    let rows = read.range(Table::IdleBlobs, &start(last), None, limit)?;
    let mut found = Vec::new();
    for (key, _) in &rows {
        let (since_ms, digest) = key::split_u64(key)?;
        let (digest, _) = key::split_digest(digest)?;
        let size = kept(read, &digest)?.size;
        let until_ms = since_ms.saturating_add(grace_ms);
        let is_ready = now_ms >= until_ms;
        let standing = if is_ready { Standing::Ready } else { Standing::InGrace { until_ms } };
        found.push(Planned {
            digest,
            size,
            standing,
            idle_since_ms: Some(since_ms),
            key: key.clone(),
        });
    }
    Ok(Part::of(found, &rows, limit))
}

/// Blobs that only leases keep, each told with the first of its repositories.
pub fn leased(read: &impl Read, last: &[u8], limit: usize) -> Result<Part, Damage> {
    let rows = read.range(Table::LooseLinks, &start(last), None, limit)?;
    let mut found = Vec::new();
    for (key, _) in &rows {
        let (number, digest) = split_link(key)?;
        let blob = kept(read, &digest)?;
        if blob.refs > 0 || first_link(read, &digest)? != Some(number) {
            continue;
        }
        let link = links::find(read, number, &digest)?;
        let until_ms = link.map_or(0, |link| link.lease_until_ms);
        let repository = repositories::name_of(read, number)?;
        let standing = Standing::Leased { repository, until_ms };
        found.push(Planned {
            digest,
            size: blob.size,
            standing,
            idle_since_ms: None,
            key: key.clone(),
        });
    }
    Ok(Part::of(found, &rows, limit))
}

/// Blobs that are kept only so that deleted tags can come back, each told with the first of its
/// repositories.
pub fn held(read: &impl Read, last: &[u8], limit: usize) -> Result<Part, Damage> {
    let from = match last {
        [] => RepositoryNumber(0).held().0.to_be_bytes().to_vec(),
        last => start(last),
    };
    let rows = read.range(Table::Links, &from, None, limit)?;
    let mut found = Vec::new();
    for (key, _) in &rows {
        let (number, digest) = split_link(key)?;
        // Held ones come after all others: where one is first, all are held.
        if first_link(read, &digest)? != Some(number) {
            continue;
        }
        let size = kept(read, &digest)?.size;
        let repository = repositories::name_of(read, number.of_names())?;
        let standing = Standing::Held { repository };
        found.push(Planned { digest, size, standing, idle_since_ms: None, key: key.clone() });
    }
    Ok(Part::of(found, &rows, limit))
}

/// A repository's hold on a blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Which; `None` where it was deleted and its rows still go.
    pub repository: Option<RepositoryName>,
    /// Rows there that name the blob.
    pub refs: u64,
    /// When the lease there ends, in cluster time; 0 without one.
    pub lease_until_ms: u64,
    /// Whether it is for deleted tags that may come back.
    pub is_held: bool,
}

/// Why a blob stays, or that it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The blob.
    pub blob: BlobRow,
    /// When its grace time is over, in cluster time; `None` where it is needed or condemned.
    pub grace_until_ms: Option<u64>,
    /// Who keeps it, `PLACES_MAX` at most.
    pub places: Vec<Place>,
    /// Whether there are more.
    pub more: bool,
}

/// Explains one blob; `None` where the cluster has none of that digest. The grace time is `least_s`
/// seconds at least.
pub fn explain(
    read: &impl Read,
    least_s: u64,
    digest: &Digest,
) -> Result<Option<Explanation>, Damage> {
    let Some(blob) = blobs::find(read, digest)? else { return Ok(None) };
    let grace_ms = settings::get(read)?.grace_s.max(least_s).saturating_mul(1000);
    let grace_until_ms = blob.idle_since_ms.map(|since_ms| since_ms.saturating_add(grace_ms));
    let prefix = digest.to_bytes();
    let mut rows = row::under(read, Table::BlobLinks, &prefix, PLACES_MAX + 1)?;
    let more = rows.len() > PLACES_MAX;
    rows.truncate(PLACES_MAX);
    let mut places = Vec::with_capacity(rows.len());
    for (key, _) in rows {
        let number = RepositoryNumber(key::split_u64(&key[prefix.len()..])?.0);
        let link = links::find(read, number, digest)?;
        let link = link.ok_or_else(|| Damage(format!("{digest} has half a link")))?;
        let LinkRow { refs, lease_until_ms } = link;
        let repository = repositories::name_of(read, number.of_names())?;
        places.push(Place { repository, refs, lease_until_ms, is_held: number.is_held() });
    }
    Ok(Some(Explanation { blob, grace_until_ms, places, more }))
}

impl Explanation {
    /// Whether collection takes it with its next run, at cluster time `now_ms`.
    pub fn goes(&self, now_ms: u64) -> bool {
        self.blob.state == State::Condemned
            || self.grace_until_ms.is_some_and(|until_ms| until_ms <= now_ms)
    }
}

fn kept(read: &impl Read, digest: &Digest) -> Result<BlobRow, Damage> {
    let blob = blobs::find(read, digest)?;
    blob.ok_or_else(|| Damage(format!("{digest} stands in an index and is not kept")))
}

fn split_link(key: &[u8]) -> Result<(RepositoryNumber, Digest), Damage> {
    let (number, digest) = key::split_u64(key)?;
    Ok((RepositoryNumber(number), key::split_digest(digest)?.0))
}

/// The repository with the lowest number that holds the blob.
fn first_link(read: &impl Read, digest: &Digest) -> Result<Option<RepositoryNumber>, Damage> {
    let prefix = digest.to_bytes();
    let first = row::under(read, Table::BlobLinks, &prefix, 1)?;
    let number = first.first().map(|(key, _)| key::split_u64(&key[prefix.len()..]));
    Ok(number.transpose()?.map(|(number, _)| RepositoryNumber(number)))
}

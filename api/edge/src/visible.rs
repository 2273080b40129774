//! The repositories that a caller may read, for lists and searches.
//!
//! They are read in short parts: while tables are read nothing is applied, so a long list must not
//! be one read.

use consensus::cluster::{Cluster, Failure, Freshness};
use consensus::tables::View;
use metadata::repositories::Named;
use metadata::repositories::visible::{PART_MAX, Walk};
use metadata::tables::Damage;
use oci::name::RepositoryName;

/// The next `limit` repositories of a walk as `show` shows them, and the one that comes after them.
pub async fn gather<T: Send>(
    cluster: &Cluster,
    mut walk: Walk,
    limit: usize,
    show: impl Fn(&View<'_>, Named) -> Result<T, Damage> + Send + Sync,
) -> Result<(Vec<T>, Option<RepositoryName>), Failure> {
    let mut shown = Vec::new();
    loop {
        let wanted = limit.saturating_add(1) - shown.len();
        let read = cluster.read(Freshness::Local, |view| {
            let found = walk.step(view, wanted)?.into_iter();
            let named = found.map(|named| Ok((named.0.clone(), show(view, named)?)));
            named.collect::<Result<Vec<_>, Damage>>()
        });
        for (name, value) in read.await? {
            if shown.len() == limit {
                return Ok((shown, Some(name)));
            }
            shown.push(value);
        }
        if walk.is_done() {
            return Ok((shown, None));
        }
    }
}

/// How many there are. Reads as many rows.
pub async fn count(cluster: &Cluster, mut walk: Walk) -> Result<usize, Failure> {
    let mut found = 0;
    while !walk.is_done() {
        let read = cluster.read(Freshness::Local, |view| Ok(walk.step(view, PART_MAX)?.len()));
        found += read.await?;
    }
    Ok(found)
}

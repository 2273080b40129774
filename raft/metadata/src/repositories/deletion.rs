//! The rows of deleted repositories go a few with each entry, so that no entry takes long.

use super::RepositoryNumber;
use crate::grants;
use crate::key;
use crate::links;
use crate::manifests;
use crate::moment::Moment;
use crate::row;
use crate::tables::{Damage, Table, Write};

/// Manifests that one entry removes; each may name thousands of digests.
const MANIFESTS_MAX: usize = 8;

/// Links that one entry removes.
const LINKS_MAX: usize = 256;

/// Takes some rows of the first deleted repository away.
pub(crate) fn sweep(tables: &mut impl Write, moment: &Moment) -> Result<(), Damage> {
    let deleted = tables.range(Table::DeletedRepositories, &[], None, 1)?;
    let Some((prefix, name)) = deleted.into_iter().next() else { return Ok(()) };
    let number = RepositoryNumber(key::split_u64(&prefix)?.0);

    let manifests = row::under(tables, Table::Manifests, &prefix, MANIFESTS_MAX)?;
    for (key, _) in &manifests {
        let (digest, _) = key::split_digest(&key[prefix.len()..])?;
        manifests::remove(tables, number, &digest, moment)?;
    }
    if !manifests.is_empty() {
        return Ok(());
    }
    let name = key::text(&name)?;
    if grants::remove_some_on(tables, (name, number), LINKS_MAX)? == LINKS_MAX {
        return Ok(());
    }
    // No manifest names anything here any more: what is left are leases.
    let links = row::under(tables, Table::Links, &prefix, LINKS_MAX)?;
    for (key, _) in &links {
        let (digest, _) = key::split_digest(&key[prefix.len()..])?;
        links::remove(tables, number, &digest, moment)?;
    }
    if links.len() < LINKS_MAX {
        tables.delete(Table::DeletedRepositories, &prefix);
    }
    Ok(())
}

//! The rows of deleted repositories go a few with each entry, so that no entry takes long.

use super::{RepositoryNumber, counts};
use crate::grants;
use crate::key;
use crate::links;
use crate::manifests;
use crate::moment::Moment;
use crate::row;
use crate::tables::{Damage, Table, Write};
use crate::tags::{self, deleted, history};

/// Manifests that one entry removes; each may name thousands of digests.
const MANIFESTS_MAX: usize = 8;

/// Tags on them that one entry removes.
const TAGS_MAX: usize = 256;

/// Links that one entry removes.
const LINKS_MAX: usize = 256;

/// Takes some rows of the first deleted repository away.
pub(crate) fn sweep(tables: &mut impl Write, moment: &Moment) -> Result<(), Damage> {
    let deleted = tables.range(Table::DeletedRepositories, &[], None, 1)?;
    let Some((prefix, name)) = deleted.into_iter().next() else { return Ok(()) };
    let number = RepositoryNumber(key::split_u64(&prefix)?.0);

    if remove_manifests(tables, number, moment)? {
        return Ok(());
    }
    // What was held for tags that might have come back.
    if deleted::remove_some(tables, number, LINKS_MAX)? == LINKS_MAX
        || remove_manifests(tables, number.held(), moment)?
        || history::remove_some(tables, &prefix, LINKS_MAX)? == LINKS_MAX
    {
        return Ok(());
    }
    counts::remove(tables, number);
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

/// Takes some manifests away; whether there were any.
fn remove_manifests(
    tables: &mut impl Write,
    number: RepositoryNumber,
    moment: &Moment,
) -> Result<bool, Damage> {
    let prefix = key::within(number, &[]);
    let manifests = row::under(tables, Table::Manifests, &prefix, MANIFESTS_MAX)?;
    let mut left = TAGS_MAX;
    for (key, _) in &manifests {
        let (digest, _) = key::split_digest(&key[prefix.len()..])?;
        left -= tags::remove_some_of(tables, number, &digest, left)?;
        if left == 0 {
            break;
        }
        manifests::remove(tables, number, &digest, moment)?;
    }
    Ok(!manifests.is_empty())
}

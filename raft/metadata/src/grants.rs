//! What teams may do with repositories of their organization: with one, or with all of them,
//! present and future.

use oci::name::RepositoryName;

use crate::accounts::AccountId;
use crate::codec::{message, numbered};
use crate::key;
use crate::organizations::last_id;
use crate::page::Listing;
use crate::repositories::{RepositoryNumber, RepositoryRow};
use crate::row;
use crate::tables::{Damage, Read, Table, Write};
use crate::teams::TeamId;

pub mod commands;

numbered! {
    /// How much a grant allows. Each level holds those before it.
    pub enum Level {
        /// Pull, see tags and scan results.
        1 ReadOnly,
        /// Push, delete tags, start scans.
        2 ReadWrite,
        /// Change the repository's settings and its grants, delete it.
        3 Admin,
    }
}

message! {
    /// A grant to a team, under the repository or the organization and the team.
    pub struct GrantRow {
        /// How much.
        1 level: Level,
    }
}

/// What the team was granted on this repository by itself.
pub fn on_repository(
    read: &impl Read,
    repository: RepositoryNumber,
    team: &TeamId,
) -> Result<Option<Level>, Damage> {
    let key = key::within(repository, &[team]);
    let row: Option<GrantRow> = row::find(read, Table::RepositoryGrants, &key)?;
    Ok(row.map(|row| row.level))
}

/// What the team was granted on all repositories of its organization.
pub fn on_namespace(
    read: &impl Read,
    organization: &AccountId,
    team: &TeamId,
) -> Result<Option<Level>, Damage> {
    let key = key::join(&[organization, team]);
    let row: Option<GrantRow> = row::find(read, Table::NamespaceGrants, &key)?;
    Ok(row.map(|row| row.level))
}

/// Teams with a grant on this repository by itself, by id, from `start` on.
pub fn of_repository(
    read: &impl Read,
    repository: RepositoryNumber,
    start: &[u8],
    limit: usize,
) -> Result<Listing<(TeamId, Level)>, Damage> {
    granted(read, Table::RepositoryGrants, (&repository.0.to_be_bytes(), start), limit)
}

/// Teams with a grant on all repositories of an organization, by id, from `start` on.
pub fn of_namespace(
    read: &impl Read,
    organization: &AccountId,
    start: &[u8],
    limit: usize,
) -> Result<Listing<(TeamId, Level)>, Damage> {
    granted(read, Table::NamespaceGrants, (organization, start), limit)
}

fn granted(
    read: &impl Read,
    table: Table,
    range: (&[u8], &[u8]),
    limit: usize,
) -> Result<Listing<(TeamId, Level)>, Damage> {
    let rows = row::from_within(read, table, range, limit.saturating_add(1))?;
    let items = rows.iter().map(|(key, value)| {
        let row: GrantRow = row::decode(table, value)?;
        Ok((last_id(key)?, row.level))
    });
    Ok(Listing::cut(items.collect::<Result<_, Damage>>()?, limit))
}

/// Names of repositories on which the team has a grant of its own, from `start` on, with the
/// numbers they had then: one that was deleted may still be among them.
pub fn of_team(
    read: &impl Read,
    team: &TeamId,
    start: &str,
    limit: usize,
) -> Result<Listing<(String, RepositoryNumber)>, Damage> {
    let range = (&team[..], start.as_bytes());
    let rows = row::from_within(read, Table::TeamGrants, range, limit.saturating_add(1))?;
    let items = rows.iter().map(|(key, value)| {
        let number = RepositoryNumber(key::split_u64(value)?.0);
        Ok((key::text(&key[16..])?.to_owned(), number))
    });
    Ok(Listing::cut(items.collect::<Result<_, Damage>>()?, limit))
}

fn put_on_repository(
    tables: &mut impl Write,
    (name, repository): (&RepositoryName, &RepositoryRow),
    team: &TeamId,
    level: Level,
) {
    let key = key::within(repository.number(), &[team]);
    row::put(tables, Table::RepositoryGrants, key, &GrantRow { level });
    let key = key::join(&[team, name.as_str().as_bytes()]);
    tables.put(Table::TeamGrants, key, repository.number.to_be_bytes().to_vec());
}

fn remove_on_repository(
    tables: &mut impl Write,
    (name, repository): (&str, RepositoryNumber),
    team: &TeamId,
) -> Result<(), Damage> {
    tables.delete(Table::RepositoryGrants, &key::within(repository, &[team]));
    let key = key::join(&[team, name.as_bytes()]);
    // The name may belong to another repository by now, with a grant of its own.
    let listed = tables.get(Table::TeamGrants, &key)?;
    if listed.is_some_and(|number| number == repository.0.to_be_bytes()) {
        tables.delete(Table::TeamGrants, &key);
    }
    Ok(())
}

pub(crate) fn remove_namespace(tables: &mut impl Write, organization: &AccountId, team: &TeamId) {
    tables.delete(Table::NamespaceGrants, &key::join(&[organization, team]));
}

/// Takes some grants of a deleted team away; how many.
pub(crate) fn remove_some(
    tables: &mut impl Write,
    team: &TeamId,
    limit: usize,
) -> Result<usize, Damage> {
    let grants = of_team(tables, team, "", limit)?.items;
    for (name, number) in &grants {
        remove_on_repository(tables, (name, *number), team)?;
    }
    Ok(grants.len())
}

/// Takes some grants on a deleted repository away; how many.
pub(crate) fn remove_some_on(
    tables: &mut impl Write,
    (name, repository): (&str, RepositoryNumber),
    limit: usize,
) -> Result<usize, Damage> {
    let grants = of_repository(tables, repository, &[], limit)?.items;
    for (team, _) in &grants {
        remove_on_repository(tables, (name, repository), team)?;
    }
    Ok(grants.len())
}

//! Teams of an organization and who is in them.

use crate::accounts::AccountId;
use crate::codec::message;
use crate::directory;
use crate::grants;
use crate::key;
use crate::organizations::{MemberRow, last_id};
use crate::page::Listing;
use crate::row;
use crate::tables::{Damage, Read, Table, Write};

pub mod commands;

/// Members or grants of a deleted team that one entry removes.
const STEPS_MAX: usize = 64;

/// What names a team for ever, whatever it is called.
pub type TeamId = [u8; 16];

message! {
    /// A team, under its organization's id and its name.
    pub struct TeamRow {
        /// Never used for another team.
        1 id: TeamId,
        /// What it is for.
        2 description: String,
        /// Milliseconds since 1970.
        3 created_wall_ms: u64,
        /// How many are in it.
        4 members: u64,
    }
}

message! {
    /// Where a team stands, under its id.
    pub struct TeamPlace {
        /// The organization's id.
        1 organization: AccountId,
        /// The team's name.
        2 name: String,
    }
}

/// A team with its name and its organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Team {
    /// The organization.
    pub organization: AccountId,
    /// Its name there.
    pub name: String,
    /// The row.
    pub row: TeamRow,
}

/// The team of that name.
pub fn find(
    read: &impl Read,
    organization: &AccountId,
    name: &str,
) -> Result<Option<Team>, Damage> {
    let row = row::find(read, Table::Teams, &key::join(&[organization, name.as_bytes()]))?;
    Ok(row.map(|row| Team { organization: *organization, name: name.to_owned(), row }))
}

/// The team with that id.
pub fn find_by_id(read: &impl Read, id: &TeamId) -> Result<Option<Team>, Damage> {
    let place: Option<TeamPlace> = row::find(read, Table::TeamIds, id)?;
    let Some(place) = place else { return Ok(None) };
    let team = find(read, &place.organization, &place.name)?;
    team.map(Some).ok_or_else(|| Damage(format!("team {} has an id and no row", place.name)))
}

/// Whether there is a team with that id.
pub(crate) fn exists(read: &impl Read, id: &TeamId) -> Result<bool, Damage> {
    Ok(read.get(Table::TeamIds, id)?.is_some())
}

/// Teams of an organization by name, from `start` on.
pub fn listing(
    read: &impl Read,
    organization: &AccountId,
    start: &str,
    limit: usize,
) -> Result<Listing<Team>, Damage> {
    let range = (&organization[..], start.as_bytes());
    let rows = row::from_within(read, Table::Teams, range, limit.saturating_add(1))?;
    let items = rows.iter().map(|(key, value)| {
        let name = key::text(&key[16..])?.to_owned();
        Ok(Team { organization: *organization, name, row: row::decode(Table::Teams, value)? })
    });
    Ok(Listing::cut(items.collect::<Result<_, Damage>>()?, limit))
}

/// The user's place in the team, if they are in it.
pub fn member(
    read: &impl Read,
    team: &TeamId,
    user: &AccountId,
) -> Result<Option<MemberRow>, Damage> {
    row::find(read, Table::TeamMembers, &key::join(&[team, user]))
}

/// Members of a team by user id, from `start` on.
pub fn members(
    read: &impl Read,
    team: &TeamId,
    start: &[u8],
    limit: usize,
) -> Result<Listing<(AccountId, MemberRow)>, Damage> {
    let table = Table::TeamMembers;
    let rows = row::from_within(read, table, (team, start), limit.saturating_add(1))?;
    let items = rows.iter().map(|(key, value)| Ok((last_id(key)?, row::decode(table, value)?)));
    Ok(Listing::cut(items.collect::<Result<_, Damage>>()?, limit))
}

/// Ids of the teams of `organization` that `user` is in, from `start` on. A deleted team may still
/// be among them.
pub fn of_user(
    read: &impl Read,
    user: &AccountId,
    organization: &AccountId,
    (start, limit): (&[u8], usize),
) -> Result<Listing<TeamId>, Damage> {
    let prefix = key::join(&[user, organization]);
    let wanted = limit.saturating_add(1);
    let rows = row::from_within(read, Table::MemberTeams, (&prefix, start), wanted)?;
    let ids = rows.iter().map(|(key, _)| last_id(key)).collect::<Result<_, _>>()?;
    Ok(Listing::cut(ids, limit))
}

pub(crate) fn put(tables: &mut impl Write, team: &Team) {
    let key = key::join(&[&team.organization, team.name.as_bytes()]);
    row::put(tables, Table::Teams, key, &team.row);
}

/// Takes a member out of a team and counts.
pub(crate) fn remove_member(
    tables: &mut impl Write,
    organization: &AccountId,
    team: &TeamId,
    user: &AccountId,
) -> Result<(), Damage> {
    tables.delete(Table::TeamMembers, &key::join(&[team, user]));
    tables.delete(Table::MemberTeams, &key::join(&[user, organization, team]));
    // A deleted team has no row any more that could count.
    if let Some(mut team) = find_by_id(tables, team)? {
        team.row.members = team.row.members.saturating_sub(1);
        put(tables, &team);
    }
    Ok(())
}

/// Takes a user out of all teams of an organization.
pub(crate) fn leave_all(
    tables: &mut impl Write,
    organization: &AccountId,
    user: &AccountId,
) -> Result<(), Damage> {
    let prefix = key::join(&[user, organization]);
    for (key, _) in row::under(tables, Table::MemberTeams, &prefix, usize::MAX)? {
        remove_member(tables, organization, &last_id(&key)?, user)?;
    }
    Ok(())
}

/// Takes the team away; who was in it and what it was granted goes later ([`sweep`]).
pub(crate) fn remove(tables: &mut impl Write, team: &Team) {
    let (organization, id) = (&team.organization, &team.row.id);
    tables.delete(Table::Teams, &key::join(&[organization, team.name.as_bytes()]));
    tables.delete(Table::TeamIds, id);
    grants::remove_namespace(tables, organization, id);
    directory::forget(tables, id);
    tables.put(Table::DeletedTeams, id.to_vec(), organization.to_vec());
}

/// Takes some teams of a deleted organization away; how many.
pub(crate) fn remove_some(
    tables: &mut impl Write,
    organization: &AccountId,
    limit: usize,
) -> Result<usize, Damage> {
    let teams = listing(tables, organization, "", limit)?.items;
    for team in &teams {
        remove(tables, team);
    }
    Ok(teams.len())
}

/// Takes some rows of the first deleted team away.
pub(crate) fn sweep(tables: &mut impl Write) -> Result<(), Damage> {
    let deleted = tables.range(Table::DeletedTeams, &[], None, 1)?;
    let Some((key, organization)) = deleted.into_iter().next() else { return Ok(()) };
    let (team, organization) = (last_id(&key)?, last_id(&organization)?);

    let members = row::under(tables, Table::TeamMembers, &team, STEPS_MAX)?;
    for (key, _) in &members {
        remove_member(tables, &organization, &team, &last_id(key)?)?;
    }
    let left = STEPS_MAX - members.len();
    if left > grants::remove_some(tables, &team, left)? {
        tables.delete(Table::DeletedTeams, &key);
    }
    Ok(())
}

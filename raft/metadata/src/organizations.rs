//! Members of organizations. An organization's owners are its members that administer it.

use crate::access::standing;
use crate::accounts::{self, AccountId, AccountKind, AccountRow};
use crate::codec::message;
use crate::key;
use crate::outcome::Answer;
use crate::page::Listing;
use crate::refusal::Refusal;
use crate::robots;
use crate::row;
use crate::ruling::Ruling;
use crate::tables::{Damage, Read, Table, Write};
use crate::teams;

message! {
    /// A member, under the organization's id and the user's.
    pub struct MemberRow {
        /// Whether they own the organization, or administer the team.
        1 is_admin: bool,
    }
}

message! {
    /// Makes a user a member, or changes a member's standing.
    pub struct MemberPut {
        /// The organization's name.
        1 organization: String,
        /// The user's name.
        2 user: String,
        /// The account that asks.
        3 actor: String,
        /// Whether they own the organization; absent for no change, or for no.
        4 is_admin: Option<bool>,
        /// Whether the user must be a member already.
        5 is_change: bool,
    }
}

message! {
    /// Takes a user out of an organization and of all its teams.
    pub struct MemberDelete {
        /// The organization's name.
        1 organization: String,
        /// The user's name.
        2 user: String,
        /// The account that asks.
        3 actor: String,
    }
}

impl MemberPut {
    pub(crate) fn apply(&self, tables: &mut impl Write) -> Ruling {
        standing::require_manager(tables, &self.actor, &self.organization)?;
        let organization = existing(tables, &self.organization)?;
        let user = existing_user(tables, &self.user)?;
        robots::check_place(&self.user, &self.organization, self.is_admin == Some(true))?;
        let before = member(tables, &organization.id, &user.id)?;
        if self.is_change && before.is_none() {
            return Err(self.unknown().into());
        }
        let was_admin = before.is_some_and(|row| row.is_admin);
        let is_admin = self.is_admin.unwrap_or(was_admin);
        put_member(tables, &self.organization, &user.id, &MemberRow { is_admin })?;
        Ok(Answer::Done)
    }

    fn unknown(&self) -> Refusal {
        let (group, user) = (self.organization.clone(), self.user.clone());
        Refusal::GroupMemberUnknown { group, user }
    }
}

impl MemberDelete {
    pub(crate) fn apply(&self, tables: &mut impl Write) -> Ruling {
        standing::require_manager_or_self(tables, &self.actor, &self.organization, &self.user)?;
        let organization = existing(tables, &self.organization)?;
        let user = existing_user(tables, &self.user)?;
        if member(tables, &organization.id, &user.id)?.is_none() {
            let (group, user) = (self.organization.clone(), self.user.clone());
            return Err(Refusal::GroupMemberUnknown { group, user }.into());
        }
        if user.kind == AccountKind::Robot {
            return Err(Refusal::RobotUnfit { name: self.user.clone() }.into());
        }
        teams::leave_all(tables, &organization.id, &user.id)?;
        remove_member(tables, &organization.id, &user.id)?;
        Ok(Answer::Done)
    }
}

/// The organization of that name.
pub(crate) fn existing(read: &impl Read, name: &str) -> Ruling<AccountRow> {
    match accounts::find(read, name)? {
        None => Err(Refusal::AccountUnknown { name: name.to_owned() }.into()),
        Some(row) if row.kind != AccountKind::Organization => {
            Err(Refusal::AccountIsUser { name: name.to_owned() }.into())
        }
        Some(row) => Ok(row),
    }
}

/// The user of that name.
pub(crate) fn existing_user(read: &impl Read, name: &str) -> Ruling<AccountRow> {
    match accounts::find(read, name)? {
        None => Err(Refusal::AccountUnknown { name: name.to_owned() }.into()),
        Some(row) if row.kind == AccountKind::Organization => {
            Err(Refusal::AccountIsOrganization { name: name.to_owned() }.into())
        }
        Some(row) => Ok(row),
    }
}

/// The user's place in the organization, if they are a member.
pub fn member(
    read: &impl Read,
    organization: &AccountId,
    user: &AccountId,
) -> Result<Option<MemberRow>, Damage> {
    row::find(read, Table::OrganizationMembers, &key::join(&[organization, user]))
}

/// Members of an organization by user id, from `start` on.
pub fn members(
    read: &impl Read,
    organization: &AccountId,
    start: &[u8],
    limit: usize,
) -> Result<Listing<(AccountId, MemberRow)>, Damage> {
    let table = Table::OrganizationMembers;
    let rows = row::from_within(read, table, (organization, start), limit.saturating_add(1))?;
    let items = rows.iter().map(|(key, value)| Ok((last_id(key)?, row::decode(table, value)?)));
    Ok(Listing::cut(items.collect::<Result<_, Damage>>()?, limit))
}

/// Organizations of a user by id, from `start` on, with the user's place in each.
pub fn of_user(
    read: &impl Read,
    user: &AccountId,
    start: &[u8],
    limit: usize,
) -> Result<Listing<(AccountId, MemberRow)>, Damage> {
    let table = Table::MemberOrganizations;
    let rows = row::from_within(read, table, (user, start), limit.saturating_add(1))?;
    let items = rows.iter().map(|(key, _)| {
        let organization = last_id(key)?;
        let row = member(read, &organization, user)?;
        Ok((organization, row.ok_or_else(|| Damage("a membership stands on one side".into()))?))
    });
    Ok(Listing::cut(items.collect::<Result<_, Damage>>()?, limit))
}

/// The id that a key ends with.
pub(crate) fn last_id(key: &[u8]) -> Result<[u8; 16], Damage> {
    let id = key.last_chunk::<16>();
    id.copied().ok_or_else(|| Damage("a key that should end with an id does not".into()))
}

/// Makes a user a member of an organization, or changes their place there.
pub(crate) fn put_member(
    tables: &mut impl Write,
    organization: &str,
    user: &AccountId,
    member_row: &MemberRow,
) -> Ruling<()> {
    let group = existing(tables, organization)?;
    let key = key::join(&[&group.id, user]);
    if tables.get(Table::OrganizationMembers, &key)?.is_none() {
        row::mark(tables, Table::MemberOrganizations, key::join(&[user, &group.id]));
        let members = group.members + 1;
        accounts::put(tables, organization, &AccountRow { members, ..group })?;
    }
    row::put(tables, Table::OrganizationMembers, key, member_row);
    Ok(())
}

fn remove_member(
    tables: &mut impl Write,
    organization: &AccountId,
    user: &AccountId,
) -> Result<(), Damage> {
    tables.delete(Table::OrganizationMembers, &key::join(&[organization, user]));
    tables.delete(Table::MemberOrganizations, &key::join(&[user, organization]));
    // A deleted organization has no row any more that could count.
    if let Some((name, row)) = accounts::find_by_id(tables, organization)? {
        let members = row.members.saturating_sub(1);
        accounts::put(tables, &name, &AccountRow { members, ..row })?;
    }
    Ok(())
}

/// Takes a deleted user out of some organizations and of their teams; how many.
pub(crate) fn leave_some(
    tables: &mut impl Write,
    user: &AccountId,
    limit: usize,
) -> Result<usize, Damage> {
    let rows = row::under(tables, Table::MemberOrganizations, user, limit)?;
    for (key, _) in &rows {
        let organization = last_id(key)?;
        teams::leave_all(tables, &organization, user)?;
        remove_member(tables, &organization, user)?;
    }
    Ok(rows.len())
}

/// Takes some members out of a deleted organization; how many.
pub(crate) fn remove_some(
    tables: &mut impl Write,
    organization: &AccountId,
    limit: usize,
) -> Result<usize, Damage> {
    let rows = row::under(tables, Table::OrganizationMembers, organization, limit)?;
    for (key, _) in &rows {
        remove_member(tables, organization, &last_id(key)?)?;
    }
    Ok(rows.len())
}

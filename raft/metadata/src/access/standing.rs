//! Who may change accounts, organizations and teams: asked by apply, and before it by the API.

use super::Caller;
use crate::accounts::{self, AccountKind};
use crate::organizations;
use crate::refusal::Refusal;
use crate::robots;
use crate::ruling::Ruling;
use crate::tables::{Damage, Read};
use crate::teams::{self, Team};

/// Whether the caller manages this account: as a system administrator, as themselves, or as an
/// owner of the organization.
pub fn manages(read: &impl Read, caller: &Caller, account: &str) -> Result<bool, Damage> {
    // Robots manage nothing, themselves neither; their organization's owners do.
    if caller.account.as_deref().is_some_and(|name| robots::organization_of(name).is_some()) {
        return Ok(false);
    }
    if caller.is_admin || caller.account.as_deref() == Some(account) {
        return Ok(true);
    }
    let account = robots::organization_of(account).unwrap_or(account);
    let Some(user) = &caller.id else { return Ok(false) };
    let Some(row) = accounts::find(read, account)? else { return Ok(false) };
    if row.kind == AccountKind::User {
        return Ok(false);
    }
    Ok(organizations::member(read, &row.id, user)?.is_some_and(|row| row.is_admin))
}

/// Whether the caller may know of this account: of users and organizations everybody may, of a
/// robot those who are in its organization.
pub fn sees(
    read: &impl Read,
    caller: &Caller,
    (name, row): &accounts::Named,
) -> Result<bool, Damage> {
    if row.kind != AccountKind::Robot || caller.is_admin {
        return Ok(true);
    }
    let (Some(user), Some(group)) = (&caller.id, robots::organization_of(name)) else {
        return Ok(false);
    };
    let Some(group) = accounts::find(read, group)? else { return Ok(false) };
    Ok(organizations::member(read, &group.id, user)?.is_some())
}

/// Whether the caller may say who is in this team of `organization`.
pub fn leads(
    read: &impl Read,
    caller: &Caller,
    organization: &str,
    team: &Team,
) -> Result<bool, Damage> {
    if manages(read, caller, organization)? {
        return Ok(true);
    }
    let Some(user) = &caller.id else { return Ok(false) };
    Ok(teams::member(read, &team.row.id, user)?.is_some_and(|row| row.is_admin))
}

/// Refuses unless the account is an active system administrator.
pub(crate) fn require_system(read: &impl Read, actor: &str) -> Ruling<()> {
    require(super::caller(read, actor)?.is_some_and(|caller| caller.is_admin), actor)
}

pub(crate) fn require_self_or_system(read: &impl Read, actor: &str, account: &str) -> Ruling<()> {
    let caller = super::caller(read, actor)?;
    require(caller.is_some_and(|caller| caller.is_admin || actor == account), actor)
}

/// Refuses unless the account may say what signs in as the other: for a user themselves, for a
/// robot the owners of its organization.
pub(crate) fn require_keeper(read: &impl Read, actor: &str, account: &str) -> Ruling<()> {
    match robots::organization_of(account) {
        Some(organization) => require_manager(read, actor, organization),
        None => require_self_or_system(read, actor, account),
    }
}

/// Refuses unless the account [`manages`] the other.
pub(crate) fn require_manager(read: &impl Read, actor: &str, account: &str) -> Ruling<()> {
    let Some(caller) = super::caller(read, actor)? else { return require(false, actor) };
    require(manages(read, &caller, account)?, actor)
}

/// The same, or where the user speaks for themselves.
pub(crate) fn require_manager_or_self(
    read: &impl Read,
    actor: &str,
    account: &str,
    user: &str,
) -> Ruling<()> {
    match super::caller(read, actor)? {
        Some(_) if actor == user => Ok(()),
        _ => require_manager(read, actor, account),
    }
}

/// Refuses unless the account [`leads`] the team.
pub(crate) fn require_team_leader(
    read: &impl Read,
    actor: &str,
    organization: &str,
    team: &Team,
) -> Ruling<()> {
    let Some(caller) = super::caller(read, actor)? else { return require(false, actor) };
    require(leads(read, &caller, organization, team)?, actor)
}

fn require(is_allowed: bool, actor: &str) -> Ruling<()> {
    if is_allowed { Ok(()) } else { Err(Refusal::NotAuthorized { actor: actor.to_owned() }.into()) }
}

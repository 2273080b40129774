//! Members of an organization or a team: who may see them, and how they are listed and shown.
//!
//! Source: dtr-interface 4.

use edge::problem::Problem;
use edge::query::Query;
use metadata::access::{Caller, standing};
use metadata::accounts::{self, Named};
use metadata::organizations::{self, MemberRow};
use metadata::refusal::Refusal;
use metadata::tables::{Damage, Read};
use metadata::teams::{self, Team};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::accounts::shown;
use crate::reading::not_authorized;
use crate::reference;

/// What PUT and PATCH of a member take.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Asked {
    /// Whether they own the organization, or administer the team.
    pub(crate) is_admin: Option<bool>,
}

/// Which members a list shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Filter {
    All,
    Admins,
    NonAdmins,
}

impl Filter {
    /// Reads `filter`.
    pub(crate) fn of(query: &Query) -> Result<Self, Problem> {
        match query.first("filter").unwrap_or_default() {
            "" | "all" => Ok(Self::All),
            "admins" => Ok(Self::Admins),
            "non-admins" => Ok(Self::NonAdmins),
            _ => Err(Problem::Parameter("filter is all, admins or non-admins".to_owned())),
        }
    }

    fn shows(self, row: &MemberRow) -> bool {
        match self {
            Self::All => true,
            Self::Admins => row.is_admin,
            Self::NonAdmins => !row.is_admin,
        }
    }
}

/// The organization that a path names, to those who may see who is in it: its members and system
/// administrators.
pub(crate) fn organization(
    read: &impl Read,
    caller: &Caller,
    text: &str,
) -> Result<Named, Problem> {
    let (name, row) = reference::organization(read, text)??;
    let place = match &caller.id {
        Some(user) => organizations::member(read, &row.id, user)?,
        None => None,
    };
    if caller.is_admin || place.is_some() { Ok((name, row)) } else { Err(not_authorized(caller)) }
}

/// The organization that a path names, to those who manage it: its owners and system
/// administrators.
pub(crate) fn managed(read: &impl Read, caller: &Caller, text: &str) -> Result<Named, Problem> {
    let organization = organization(read, caller, text)?;
    if standing::manages(read, caller, &organization.0)? {
        return Ok(organization);
    }
    Err(not_authorized(caller))
}

/// The team that a path names within an organization, and the organization, to the same people.
pub(crate) fn team(
    read: &impl Read,
    caller: &Caller,
    (group, team): (&str, &str),
) -> Result<(Named, Team), Problem> {
    let (name, row) = organization(read, caller, group)?;
    let team = reference::team(read, (&name, &row.id), team)??;
    Ok(((name, row), team))
}

/// A member as a list shows them; `None` for one that `filter` leaves out, or whose account is gone
/// and who leaves with an entry that follows.
pub(crate) fn listed(
    read: &impl Read,
    filter: Filter,
    (user, row): (&[u8], &MemberRow),
) -> Result<Option<Value>, Damage> {
    let Some(user) = user.first_chunk().filter(|_| filter.shows(row)) else { return Ok(None) };
    let member = accounts::find_by_id(read, user)?;
    Ok(member.map(|member| json!({ "member": shown(&member), "isAdmin": row.is_admin })))
}

/// A member of an organization.
pub(crate) fn of_organization(
    read: &impl Read,
    (group, row): &Named,
    user: &Named,
) -> Result<Value, Problem> {
    entry(group, user, organizations::member(read, &row.id, &user.1.id)?)
}

/// A member of a team.
pub(crate) fn of_team(read: &impl Read, team: &Team, user: &Named) -> Result<Value, Problem> {
    entry(&team.name, user, teams::member(read, &team.row.id, &user.1.id)?)
}

fn entry(group: &str, user: &Named, place: Option<MemberRow>) -> Result<Value, Problem> {
    let (group, name) = (group.to_owned(), user.0.clone());
    let place = place.ok_or(Refusal::GroupMemberUnknown { group, user: name })?;
    Ok(json!({ "member": shown(user), "isAdmin": place.is_admin }))
}

//! Creating, changing and deleting teams, and putting people into them.

use super::{
    Team, TeamId, TeamPlace, TeamRow, find, find_by_id, member, put, remove, remove_member,
};
use crate::access::{self, standing};
use crate::accounts::{self, AccountRow, looks_like_an_id};
use crate::codec::message;
use crate::key;
use crate::moment::Moment;
use crate::organizations::{self, MemberRow, existing, existing_user};
use crate::outcome::Answer;
use crate::refusal::Refusal;
use crate::robots;
use crate::row;
use crate::ruling::{Ruling, Stop};
use crate::tables::{Read, Table, Write};

/// Teams of one organization, at most.
pub const TEAMS_MAX: u64 = 10_000;

/// Teams of one organization that a user is in, at most.
pub const MEMBER_TEAMS_MAX: usize = 200;

/// A team's name in bytes, at most.
const NAME_BYTES_MAX: usize = 100;

/// What a team is for, in bytes, at most.
pub const DESCRIPTION_BYTES_MAX: usize = 4096;

message! {
    /// Creates a team.
    pub struct TeamCreate {
        /// The organization's name.
        1 organization: String,
        /// The team's name.
        2 name: String,
        /// What it is for.
        3 description: String,
        /// The account that asks.
        4 actor: String,
    }
}

message! {
    /// Changes what is given of a team and leaves the rest.
    pub struct TeamUpdate {
        /// The team.
        1 team: TeamId,
        /// The account that asks.
        2 actor: String,
        /// Its new name.
        3 name: Option<String>,
        /// What it is for.
        4 description: Option<String>,
    }
}

message! {
    /// Deletes a team and all it was granted.
    pub struct TeamDelete {
        /// The team.
        1 team: TeamId,
        /// The account that asks.
        2 actor: String,
    }
}

message! {
    /// Puts a user into a team. One who is not in its organization is made a member of that, where
    /// the account that asks may do so.
    pub struct TeamMemberPut {
        /// The team.
        1 team: TeamId,
        /// The user's name.
        2 user: String,
        /// The account that asks.
        3 actor: String,
        /// Whether they administer the team; absent for no change, or for no.
        4 is_admin: Option<bool>,
        /// Whether the user must be in it already.
        5 is_change: bool,
    }
}

message! {
    /// Takes a user out of a team.
    pub struct TeamMemberDelete {
        /// The team.
        1 team: TeamId,
        /// The user's name.
        2 user: String,
        /// The account that asks.
        3 actor: String,
    }
}

impl TeamCreate {
    pub(crate) fn apply(&self, tables: &mut impl Write, moment: &Moment) -> Ruling {
        standing::require_manager(tables, &self.actor, &self.organization)?;
        let organization = existing(tables, &self.organization)?;
        check_name(&self.name)?;
        check_description(&self.description)?;
        if find(tables, &organization.id, &self.name)?.is_some() {
            return Err(Refusal::TeamExists { name: self.name.clone() }.into());
        }
        if organization.teams >= TEAMS_MAX {
            let max = usize::try_from(TEAMS_MAX).unwrap_or(usize::MAX);
            return Err(Refusal::limit_reached("teams of this organization", max).into());
        }
        let row = TeamRow {
            id: moment.random,
            description: self.description.clone(),
            created_wall_ms: moment.wall_ms,
            members: 0,
        };
        place(tables, &Team { organization: organization.id, name: self.name.clone(), row });
        let teams = organization.teams + 1;
        accounts::put(tables, &self.organization, &AccountRow { teams, ..organization })?;
        Ok(Answer::Done)
    }
}

impl TeamUpdate {
    pub(crate) fn apply(&self, tables: &mut impl Write) -> Ruling {
        let (mut team, organization) = managed(tables, &self.team, &self.actor)?;
        if let Some(description) = &self.description {
            check_description(description)?;
            team.row.description.clone_from(description);
        }
        if let Some(name) = self.name.as_ref().filter(|name| **name != team.name) {
            check_name(name)?;
            if find(tables, &organization.1.id, name)?.is_some() {
                return Err(Refusal::TeamExists { name: name.clone() }.into());
            }
            let former = key::join(&[&team.organization, team.name.as_bytes()]);
            tables.delete(Table::Teams, &former);
            team.name.clone_from(name);
        }
        place(tables, &team);
        Ok(Answer::Done)
    }
}

impl TeamDelete {
    pub(crate) fn apply(&self, tables: &mut impl Write) -> Ruling {
        let (team, (name, row)) = managed(tables, &self.team, &self.actor)?;
        remove(tables, &team);
        let teams = row.teams.saturating_sub(1);
        accounts::put(tables, &name, &AccountRow { teams, ..row })?;
        Ok(Answer::Done)
    }
}

impl TeamMemberPut {
    pub(crate) fn apply(&self, tables: &mut impl Write) -> Ruling {
        let team = led(tables, &self.team, &self.actor)?;
        let user = existing_user(tables, &self.user)?;
        let (organization, _) = owner(tables, &team)?;
        robots::check_place(&self.user, &organization, self.is_admin == Some(true))?;
        let before = member(tables, &team.row.id, &user.id)?;
        if self.is_change && before.is_none() {
            return Err(unknown_member(&team, &self.user).into());
        }
        let was_admin = before.as_ref().is_some_and(|row| row.is_admin);
        let is_admin = self.is_admin.unwrap_or(was_admin);
        if before.is_none() {
            join(tables, team, &user, Some(&self.actor))?;
        }
        let key = key::join(&[&self.team, &user.id]);
        row::put(tables, Table::TeamMembers, key, &MemberRow { is_admin });
        Ok(Answer::Done)
    }
}

impl TeamMemberDelete {
    pub(crate) fn apply(&self, tables: &mut impl Write) -> Ruling {
        let team = match led(tables, &self.team, &self.actor) {
            // Everyone may leave.
            Err(_) if self.actor == self.user => known(tables, &self.team)?,
            led => led?,
        };
        let user = existing_user(tables, &self.user)?;
        if member(tables, &self.team, &user.id)?.is_none() {
            return Err(unknown_member(&team, &self.user).into());
        }
        remove_member(tables, &team.organization, &self.team, &user.id)?;
        Ok(Answer::Done)
    }
}

/// Puts a user into the team, and into its organization where `actor` may do so; `None` is the
/// directory, which may.
fn join(
    tables: &mut impl Write,
    mut team: Team,
    user: &AccountRow,
    actor: Option<&str>,
) -> Ruling<()> {
    let (group, id) = (team.organization, team.row.id);
    // Every question about the user's rights there asks for each of them.
    let own = key::join(&[&user.id, &group]);
    let held = row::under(tables, Table::MemberTeams, &own, MEMBER_TEAMS_MAX)?.len();
    if held >= MEMBER_TEAMS_MAX {
        let what = "teams of one organization that this user is in";
        return Err(Refusal::limit_reached(what, MEMBER_TEAMS_MAX).into());
    }
    if organizations::member(tables, &group, &user.id)?.is_none() {
        let (organization, _) = owner(tables, &team)?;
        if let Some(actor) = actor {
            let actor = access::caller(tables, actor)?.unwrap_or_default();
            if !standing::manages(tables, &actor, &organization)? {
                let user = accounts::find_by_id(tables, &user.id)?;
                let user = user.map(|(name, _)| name).unwrap_or_default();
                return Err(Refusal::Outsider { user, organization }.into());
            }
        }
        let place = MemberRow { is_admin: false };
        organizations::put_member(tables, &organization, &user.id, &place)?;
    }
    row::mark(tables, Table::MemberTeams, key::join(&[&user.id, &group, &id]));
    team.row.members += 1;
    put(tables, &team);
    Ok(())
}

/// Lets a user into a team or takes them out of it, as the directory says. Whoever is in too many
/// teams already is left out.
pub(crate) fn follow(
    tables: &mut impl Write,
    id: &TeamId,
    user: &AccountRow,
    is_in: bool,
) -> Ruling<()> {
    let Some(team) = find_by_id(tables, id)? else { return Ok(()) };
    let is_member = member(tables, id, &user.id)?.is_some();
    if is_member && !is_in {
        remove_member(tables, &team.organization, id, &user.id)?;
    }
    if is_member || !is_in {
        return Ok(());
    }
    match join(tables, team, user, None) {
        Err(Stop::Refused(_)) => return Ok(()),
        joined => joined?,
    }
    let key = key::join(&[id, &user.id]);
    row::put(tables, Table::TeamMembers, key, &MemberRow { is_admin: false });
    Ok(())
}

/// Sets the team's row and what leads to it.
fn place(tables: &mut impl Write, team: &Team) {
    put(tables, team);
    let place = TeamPlace { organization: team.organization, name: team.name.clone() };
    row::put(tables, Table::TeamIds, team.row.id.to_vec(), &place);
}

fn known(read: &impl Read, id: &TeamId) -> Ruling<Team> {
    Ok(find_by_id(read, id)?.ok_or(Refusal::TeamUnknown)?)
}

/// The team's organization. A deleted one's teams go with the entries that follow.
fn owner(read: &impl Read, team: &Team) -> Ruling<accounts::Named> {
    let owner = accounts::find_by_id(read, &team.organization)?;
    Ok(owner.ok_or(Refusal::TeamUnknown)?)
}

/// The team and its organization, where `actor` may change it.
fn managed(read: &impl Read, id: &TeamId, actor: &str) -> Ruling<(Team, accounts::Named)> {
    let team = known(read, id)?;
    let owner = owner(read, &team)?;
    standing::require_manager(read, actor, &owner.0)?;
    Ok((team, owner))
}

/// The team, where `actor` may say who is in it.
fn led(read: &impl Read, id: &TeamId, actor: &str) -> Ruling<Team> {
    let team = known(read, id)?;
    let (organization, _) = owner(read, &team)?;
    standing::require_team_leader(read, actor, &organization, &team)?;
    Ok(team)
}

fn unknown_member(team: &Team, user: &str) -> Refusal {
    Refusal::GroupMemberUnknown { group: team.name.clone(), user: user.to_owned() }
}

fn check_name(name: &str) -> Ruling<()> {
    let starts_well = name.starts_with(|first: char| first.is_ascii_alphanumeric());
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
    let fits = starts_well && name.len() <= NAME_BYTES_MAX && name.chars().all(is_plain);
    if fits && !looks_like_an_id(name) {
        Ok(())
    } else {
        Err(Refusal::TeamNameInvalid { name: name.to_owned() }.into())
    }
}

fn check_description(description: &str) -> Ruling<()> {
    if description.len() > DESCRIPTION_BYTES_MAX {
        let what = "bytes of a team's description";
        return Err(Refusal::out_of_bounds(what, DESCRIPTION_BYTES_MAX).into());
    }
    Ok(())
}

//! Giving teams rights, and taking them away.

use oci::name::RepositoryName;

use super::{GrantRow, Level, put_on_repository, remove_namespace, remove_on_repository};
use crate::access::{self, Action, standing};
use crate::accounts::{self, AccountKind, AccountRow};
use crate::codec::message;
use crate::key;
use crate::outcome::Answer;
use crate::refusal::Refusal;
use crate::repositories::RepositoryRow;
use crate::row;
use crate::ruling::Ruling;
use crate::tables::{Read, Table, Write};
use crate::teams::{self, Team, TeamId};

message! {
    /// Grants a team something on a repository of its organization.
    pub struct RepositoryGrantPut {
        /// The repository.
        1 repository: RepositoryName,
        /// The team.
        2 team: TeamId,
        /// How much.
        3 level: Level,
        /// The account that asks.
        4 actor: String,
    }
}

message! {
    /// Takes a team's grant on a repository away, if there is one.
    pub struct RepositoryGrantDelete {
        /// The repository.
        1 repository: RepositoryName,
        /// The team.
        2 team: TeamId,
        /// The account that asks.
        3 actor: String,
    }
}

message! {
    /// Grants a team something on all repositories of its organization.
    pub struct NamespaceGrantPut {
        /// The organization's name.
        1 namespace: String,
        /// The team.
        2 team: TeamId,
        /// How much.
        3 level: Level,
        /// The account that asks.
        4 actor: String,
    }
}

message! {
    /// Takes a team's grant on all repositories of its organization away, if there is one.
    pub struct NamespaceGrantDelete {
        /// The organization's name.
        1 namespace: String,
        /// The team.
        2 team: TeamId,
        /// The account that asks.
        3 actor: String,
    }
}

impl RepositoryGrantPut {
    pub(crate) fn apply(&self, tables: &mut impl Write) -> Ruling {
        let row = administered(tables, &self.actor, &self.repository)?;
        team_of(tables, self.repository.namespace(), &self.team)?;
        put_on_repository(tables, (&self.repository, &row), &self.team, self.level);
        Ok(Answer::Done)
    }
}

impl RepositoryGrantDelete {
    pub(crate) fn apply(&self, tables: &mut impl Write) -> Ruling {
        let row = administered(tables, &self.actor, &self.repository)?;
        team_of(tables, self.repository.namespace(), &self.team)?;
        let place = (self.repository.as_str(), row.number());
        remove_on_repository(tables, place, &self.team)?;
        Ok(Answer::Done)
    }
}

impl NamespaceGrantPut {
    pub(crate) fn apply(&self, tables: &mut impl Write) -> Ruling {
        standing::require_manager(tables, &self.actor, &self.namespace)?;
        let (organization, _) = team_of(tables, &self.namespace, &self.team)?;
        let key = key::join(&[&organization.id, &self.team]);
        row::put(tables, Table::NamespaceGrants, key, &GrantRow { level: self.level });
        Ok(Answer::Done)
    }
}

impl NamespaceGrantDelete {
    pub(crate) fn apply(&self, tables: &mut impl Write) -> Ruling {
        standing::require_manager(tables, &self.actor, &self.namespace)?;
        let (organization, _) = team_of(tables, &self.namespace, &self.team)?;
        remove_namespace(tables, &organization.id, &self.team);
        Ok(Answer::Done)
    }
}

/// The repository, where `actor` may administer it.
fn administered(
    read: &impl Read,
    actor: &str,
    repository: &RepositoryName,
) -> Ruling<RepositoryRow> {
    let row = access::permit(read, actor, repository, Action::Administer)?;
    Ok(row.ok_or_else(|| Refusal::RepositoryUnknown { repository: repository.clone() })?)
}

/// The organization behind a namespace and its team of that id. Nobody else's repositories can be
/// shared with teams, and no other organization's team can be given a right here.
fn team_of(read: &impl Read, namespace: &str, team: &TeamId) -> Ruling<(AccountRow, Team)> {
    let owner = accounts::find(read, namespace)?;
    let owner = owner.ok_or_else(|| Refusal::AccountUnknown { name: namespace.to_owned() })?;
    if owner.kind == AccountKind::User {
        return Err(Refusal::AccountIsUser { name: namespace.to_owned() }.into());
    }
    let team = teams::find_by_id(read, team)?.ok_or(Refusal::TeamUnknown)?;
    if team.organization == owner.id {
        Ok((owner, team))
    } else {
        Err(Refusal::TeamElsewhere { namespace: namespace.to_owned() }.into())
    }
}

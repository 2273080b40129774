//! An organization with people of every standing, and what its teams are granted.

use auth::password;
use consensus::cluster::Freshness;
use metadata::accounts;
use metadata::accounts::commands::UserCreate;
use metadata::command::Command;
use metadata::grants::Level;
use metadata::grants::commands::{NamespaceGrantPut, RepositoryGrantPut};
use metadata::organizations::MemberPut;
use metadata::repositories::Visibility;
use metadata::repositories::commands::RepositoryCreate;
use metadata::teams::commands::{TeamCreate, TeamMemberPut};
use metadata::teams::{self, TeamId};
use oci::name::RepositoryName;
use zeroize::Zeroizing;

use crate::harness::{ADMIN, Registry};

/// The administrator, and of `acme` its owner, the members of its teams and of none; a stranger,
/// and nobody.
pub(crate) const EVERYBODY: [&str; 8] =
    ["admin", "olga", "adam", "walt", "rita", "mia", "stan", ""];

/// A registry with the organization `acme`, owned by `olga`. Of its teams `admins` has `adam`,
/// `writers` has `walt` and `readers` has `rita`; `mia` is in none, and `stan` in no organization.
/// `acme/web` is private, `acme/open` public; nothing is granted.
pub(crate) async fn acme() -> Registry {
    let registry = Registry::start().await;
    users(&registry, &EVERYBODY[1..7]).await;
    registry.organization("acme").await;
    member(&registry, "acme", "olga", true).await;
    member(&registry, "acme", "mia", false).await;
    for (name, user) in [("admins", "adam"), ("writers", "walt"), ("readers", "rita")] {
        let team = team(&registry, "acme", name).await;
        join(&registry, team, user).await;
    }
    repository(&registry, "acme/web", Visibility::Private).await;
    repository(&registry, "acme/open", Visibility::Public).await;
    registry
}

/// Grants each team of `acme` on `acme/web` what its name says.
pub(crate) async fn grant_web(registry: &Registry) {
    let levels =
        [("admins", Level::Admin), ("writers", Level::ReadWrite), ("readers", Level::ReadOnly)];
    for (team, level) in levels {
        grant(registry, "acme/web", team, level).await;
    }
}

/// Users with the password `pw`, hashed once: that takes a while.
pub(crate) async fn users(registry: &Registry, names: &[&str]) {
    let password_hash = password::hash(Zeroizing::new("pw".to_owned())).await.unwrap();
    for name in names {
        let create = UserCreate {
            name: (*name).to_owned(),
            password_hash: password_hash.clone(),
            is_admin: false,
            full_name: String::new(),
            is_inactive: false,
            is_imported: false,
            quota_bytes: 0,
            actor: String::new(),
        };
        propose(registry, create).await;
    }
}

pub(crate) async fn member(registry: &Registry, organization: &str, user: &str, is_owner: bool) {
    let put = MemberPut {
        organization: organization.to_owned(),
        user: user.to_owned(),
        actor: ADMIN.0.to_owned(),
        is_admin: Some(is_owner),
        is_change: false,
    };
    propose(registry, put).await;
}

/// A new team.
pub(crate) async fn team(registry: &Registry, organization: &str, name: &str) -> TeamId {
    let create = TeamCreate {
        organization: organization.to_owned(),
        name: name.to_owned(),
        description: format!("{name} of {organization}"),
        actor: ADMIN.0.to_owned(),
    };
    propose(registry, create).await;
    team_of(registry, organization, name).await
}

/// The id of a team.
pub(crate) async fn team_of(registry: &Registry, organization: &str, name: &str) -> TeamId {
    let read = registry.cluster.read(Freshness::Local, |view| {
        let organization = accounts::find(view, organization)?.map(|row| row.id);
        teams::find(view, &organization.unwrap_or_default(), name)
    });
    read.await.unwrap().unwrap().row.id
}

/// Puts a user into a team.
pub(crate) async fn join(registry: &Registry, team: TeamId, user: &str) {
    let (user, actor) = (user.to_owned(), ADMIN.0.to_owned());
    let put = TeamMemberPut { team, user, actor, is_admin: None, is_change: false };
    propose(registry, put).await;
}

/// Grants a team of the repository's organization something on it.
pub(crate) async fn grant(registry: &Registry, repository: &str, team: &str, level: Level) {
    let repository = RepositoryName::parse(repository).unwrap();
    let team = team_of(registry, repository.namespace(), team).await;
    let actor = ADMIN.0.to_owned();
    propose(registry, RepositoryGrantPut { repository, team, level, actor }).await;
}

/// Grants a team something on all repositories of its organization.
pub(crate) async fn grant_all(registry: &Registry, organization: &str, team: &str, level: Level) {
    let team = team_of(registry, organization, team).await;
    let (namespace, actor) = (organization.to_owned(), ADMIN.0.to_owned());
    propose(registry, NamespaceGrantPut { namespace, team, level, actor }).await;
}

pub(crate) async fn repository(registry: &Registry, name: &str, visibility: Visibility) {
    let create = RepositoryCreate {
        repository: RepositoryName::parse(name).unwrap(),
        actor: ADMIN.0.to_owned(),
        visibility,
        on_push: false,
        immutable_tags: false,
        short_description: String::new(),
        long_description: String::new(),
        tag_limit: 0,
    };
    propose(registry, create).await;
}

/// Has a command carried out.
pub(crate) async fn propose(registry: &Registry, command: impl Into<Command>) {
    registry.cluster.propose(command.into()).await.unwrap();
}

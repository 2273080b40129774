//! `/api/v0/accounts/…/repositoryAccess`: on what repositories a team was granted something, and
//! how far a user's rights go on one.
//!
//! Source: dtr-interface 2.1, 3.2.

use axum::response::Response;
use consensus::cluster::Freshness;
use consensus::tables::View;
use edge::answer;
use edge::problem::Problem;
use http::StatusCode;
use metadata::access::{self, Action, Caller, Level};
use metadata::grants;
use metadata::repositories::{self, Named, RepositoryNumber};
use metadata::tables::{Damage, Read};
use metadata::teams::TeamId;
use oci::name::RepositoryName;
use serde_json::{Value, json};

use crate::accounts;
use crate::call::Call;
use crate::gathering::{count, gather};
use crate::namespace_access::seen;
use crate::paging::{self, Part};
use crate::reading::{not_authorized, read};
use crate::reference;
use crate::repositories::{in_list, named, unknown};
use crate::team_access::word;
use crate::teams::shown;

/// A part of the repositories on which a team has a grant of its own, by name.
pub async fn of_team(call: Call) -> Result<Response, Problem> {
    let who = call.signed_in().await?.as_metadata();
    let part = Part::of_page(&call.query)?;
    if !part.start.is_empty() {
        RepositoryName::parse(&part.start).map_err(|error| {
            Problem::Parameter(format!("pageStart is the name of a repository: {error}"))
        })?;
    }
    let (organization, team) = (call.place("org").to_owned(), call.place("team").to_owned());
    let cluster = &call.context.cluster;
    let read = read(cluster, Freshness::Local, |view| {
        let (_, team) = seen(view, &who, &organization, &team)?;
        Ok((team.row.id, shown(view, &team, &who)?))
    });
    let (id, team) = read.await?;
    let entries = |view: &View<'_>, from: &String, most| grants::of_team(view, &id, from, most);
    let start = (part.start.clone(), part.limit);
    let (list, next) =
        gather(cluster, start, entries, |view, name, number| granted(view, &id, (name, *number)))
            .await?;
    let count = if part.count {
        let is_shown = |view: &View<'_>, name: &String, number: &RepositoryNumber| {
            Ok(granted_here(view, &id, (name, *number))?.is_some())
        };
        Some(count(cluster, String::new(), entries, is_shown).await?)
    } else {
        None
    };
    let document = json!({ "team": team, "repositoryAccessList": list });
    let mut response = answer::json(StatusCode::OK, &document);
    paging::tell(&mut response, next.as_deref(), count);
    Ok(response)
}

/// How far the rights of one user go on one repository, by whatever gives them.
pub async fn of_user(call: Call) -> Result<Response, Problem> {
    let repository = named(&call)?;
    let who = call.signed_in().await?.as_metadata();
    let text = call.place("user").to_owned();
    let read = read(&call.context.cluster, Freshness::Local, |view| {
        let user = reference::user(view, &text)?;
        let is_self = user.as_ref().is_ok_and(|(_, row)| who.id == Some(row.id));
        if !who.is_admin && !is_self {
            return Err(not_authorized(&who));
        }
        let user = user?;
        let level = level(view, &user.0, &repository)?;
        let row = repositories::find(view, &repository)?;
        let (Some(level), Some(row)) = (level, row) else { return Err(unknown(&repository)) };
        Ok(json!({
            "user": accounts::shown(&user),
            "repository": in_list(view, (repository.clone(), row))?,
            "accessLevel": level,
        }))
    });
    Ok(answer::json(StatusCode::OK, &read.await?))
}

/// A repository with what the team was granted on it. Deleted ones are listed until their rows are
/// gone, and a name may belong to another one by now: `None` for those.
fn granted(
    read: &impl Read,
    team: &TeamId,
    named: (&str, RepositoryNumber),
) -> Result<Option<Value>, Damage> {
    let Some((repository, level)) = granted_here(read, team, named)? else { return Ok(None) };
    let repository = in_list(read, repository)?;
    Ok(Some(json!({ "repository": repository, "accessLevel": word(level) })))
}

fn granted_here(
    read: &impl Read,
    team: &TeamId,
    (name, number): (&str, RepositoryNumber),
) -> Result<Option<(Named, grants::Level)>, Damage> {
    let repository = RepositoryName::parse(name)
        .map_err(|error| Damage(format!("a stored repository name: {error}")))?;
    let row = repositories::find(read, &repository)?.filter(|row| row.number() == number);
    let Some(row) = row else { return Ok(None) };
    let level = grants::on_repository(read, number, team)?;
    Ok(level.map(|level| ((repository, row), level)))
}

/// How far the user's rights go; `None` where there are none, or where the user may not sign in.
fn level(
    read: &impl Read,
    user: &str,
    repository: &RepositoryName,
) -> Result<Option<&'static str>, Damage> {
    let Some(user): Option<Caller> = access::caller(read, user)? else { return Ok(None) };
    let decision = access::judge(read, &user, repository, Action::Pull)?;
    Ok(match decision.level {
        Level::Nothing => None,
        // An owner's further right is about repositories that do not exist yet.
        Level::Owner => Some(Level::Admin.word()),
        level => Some(level.word()),
    })
}

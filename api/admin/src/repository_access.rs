//! `/api/v0/accounts/…/repositoryAccess`: on what repositories a team was granted something, and
//! how far a user's rights go on one.
//!
//! Source: dtr-interface 2.1, 3.2.

use axum::response::Response;
use consensus::cluster::Freshness;
use edge::answer;
use edge::problem::Problem;
use http::StatusCode;
use metadata::access::{self, Action, Caller, Level};
use metadata::grants;
use metadata::repositories;
use metadata::tables::{Damage, Read};
use metadata::teams::TeamId;
use oci::name::RepositoryName;
use serde_json::{Value, json};

use crate::accounts;
use crate::call::Call;
use crate::namespace_access::seen;
use crate::paging::{self, Part};
use crate::reading::{not_authorized, read};
use crate::reference;
use crate::repositories::{in_list, named, unknown};
use crate::team_access::word;
use crate::teams::shown;

/// Names that are read at once.
const READ_MIN: usize = 100;

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
    let read = read(&call.context.cluster, Freshness::Local, |view| {
        let (_, team) = seen(view, &who, &organization, &team)?;
        let list = granted(view, &team.row.id, (&part.start, part.limit))?;
        let all = || granted(view, &team.row.id, ("", usize::MAX));
        let count = part.count.then(all).transpose()?.map(|(all, _)| all.len());
        Ok((shown(view, &team, &who)?, list, count))
    });
    let (team, (list, next), count) = read.await?;
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

/// Repositories with what the team was granted on each, and the name of the first one after them.
fn granted(
    read: &impl Read,
    team: &TeamId,
    (start, limit): (&str, usize),
) -> Result<(Vec<Value>, Option<String>), Problem> {
    let (mut from, mut shown) = (start.to_owned(), Vec::new());
    loop {
        let part = grants::of_team(read, team, &from, (limit - shown.len()).max(READ_MIN))?;
        for (name, number) in part.items {
            let repository = RepositoryName::parse(&name)
                .map_err(|error| Problem::Fault(format!("a stored repository name: {error}")))?;
            // Deleted ones are listed until their rows are gone.
            let row = repositories::find(read, &repository)?.filter(|row| row.number() == number);
            let Some(row) = row else { continue };
            let Some(level) = grants::on_repository(read, number, team)? else { continue };
            if shown.len() == limit {
                return Ok((shown, Some(name)));
            }
            let repository = in_list(read, (repository, row))?;
            shown.push(json!({ "repository": repository, "accessLevel": word(level) }));
        }
        let Some((next, _)) = part.next else { return Ok((shown, None)) };
        from = next;
    }
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

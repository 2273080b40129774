//! `/api/v0/repositories/{ns}/{repo}/teamAccess`: what teams were granted on one repository.
//!
//! Source: dtr-interface 2.2, 3.1, 3.2.

use axum::response::Response;
use consensus::cluster::Freshness;
use edge::answer;
use edge::problem::{AccountProblem, Problem};
use http::StatusCode;
use metadata::access::{self, Action};
use metadata::grants::commands::{RepositoryGrantDelete, RepositoryGrantPut};
use metadata::grants::{self, Level};
use metadata::page::Listing;
use metadata::refusal::Refusal;
use metadata::repositories::{self, RepositoryRow};
use metadata::tables::{Damage, Read};
use metadata::teams::{self, Team, TeamId};
use oci::name::RepositoryName;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::call::Call;
use crate::listing::{Shown, gather};
use crate::paging::{self, Part};
use crate::reading::{read, read_changed};
use crate::reference::{self, id_of};
use crate::repositories::{in_list, named, permit, unknown};
use crate::teams::shown;

/// What PUT takes.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Asked {
    access_level: Option<String>,
}

impl Asked {
    /// The level that is to be granted.
    pub(crate) fn level(&self) -> Result<Level, Problem> {
        match self.access_level.as_deref() {
            Some("read-only") => Ok(Level::ReadOnly),
            Some("read-write") => Ok(Level::ReadWrite),
            Some("admin") => Ok(Level::Admin),
            _ => {
                let text = "accessLevel is read-only, read-write or admin";
                Err(Problem::Parameter(text.to_owned()))
            }
        }
    }
}

/// A part of the teams with a grant on this repository by itself.
pub async fn list(call: Call) -> Result<Response, Problem> {
    let repository = named(&call)?;
    let caller = call.signed_in().await?;
    permit(&call.context, &caller, &repository, Action::Administer).await?;
    let (part, who) = (Part::of_page(&call.query)?, caller.as_metadata());
    let read = read(&call.context.cluster, Freshness::Local, |view| {
        let row = found(view, &repository)?;
        let number = row.number();
        let entries = |from: &[u8], most| grants::of_repository(view, number, from, most);
        let list = grants_shown(view, &who, &part, entries)?;
        Ok((in_list(view, (repository.clone(), row))?, list))
    });
    let (repository, (list, count)) = read.await?;
    let document = json!({ "repository": repository, "teamAccessList": list.entries });
    let mut response = answer::json(StatusCode::OK, &document);
    paging::tell(&mut response, list.next.as_deref(), count);
    Ok(response)
}

/// Grants a team something, in place of what it had; 200 with the grant as it is then.
pub async fn put(call: Call) -> Result<Response, Problem> {
    let repository = named(&call)?;
    let caller = call.signed_in().await?;
    permit(&call.context, &caller, &repository, Action::Administer).await?;
    let (cluster, text) = (call.context.cluster.clone(), call.place("team").to_owned());
    let read = read(&cluster, Freshness::Local, |view| team_here(view, &repository, &text));
    let team = read.await?.row.id;
    let asked: Asked = call.json().await?;
    let (actor, name) = (caller.account().to_owned(), repository.clone());
    let put = RepositoryGrantPut { repository: name, team, level: asked.level()?, actor };
    cluster.propose(put.into()).await?;
    let who = caller.as_metadata();
    let read = read_changed(&cluster, |view| {
        let row = found(view, &repository)?;
        // Somebody else may have taken it away since.
        let level = grants::on_repository(view, row.number(), &team)?;
        let grant = level.map(|level| team_access(view, &who, &team, level)).transpose()?;
        let list = Vec::from_iter(grant.flatten());
        let repository = in_list(view, (repository.clone(), row))?;
        Ok(json!({ "repository": repository, "teamAccessList": list }))
    });
    Ok(answer::json(StatusCode::OK, &read.await?))
}

/// Takes away what a team was granted, if it was.
pub async fn delete(call: Call) -> Result<Response, Problem> {
    let repository = named(&call)?;
    let caller = call.signed_in().await?;
    permit(&call.context, &caller, &repository, Action::Administer).await?;
    let (cluster, text) = (&call.context.cluster, call.place("team").to_owned());
    let read = read(cluster, Freshness::Local, |view| team_here(view, &repository, &text));
    let (team, actor) = (read.await?.row.id, caller.account().to_owned());
    cluster.propose(RepositoryGrantDelete { repository, team, actor }.into()).await?;
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

/// The repository; it was there a moment ago, when the caller was let in.
fn found(read: &impl Read, repository: &RepositoryName) -> Result<RepositoryRow, Problem> {
    repositories::find(read, repository)?.ok_or_else(|| unknown(repository))
}

/// The team that the path names, of the organization that the repository belongs to.
fn team_here(read: &impl Read, repository: &RepositoryName, text: &str) -> Result<Team, Problem> {
    match reference::organization(read, repository.namespace())? {
        Ok((name, row)) => Ok(reference::team(read, (&name, &row.id), text)??),
        Err(Refusal::AccountIsUser { .. }) => {
            Err(AccountProblem::RepositoryNotShared { repository: repository.clone() }.into())
        }
        Err(refusal) => Err(refusal.into()),
    }
}

/// The asked part of a list of grants, and how many there are in all where that is asked.
pub(crate) fn grants_shown(
    read: &impl Read,
    who: &access::Caller,
    part: &Part,
    entries: impl Fn(&[u8], usize) -> Result<Listing<(TeamId, Level)>, Damage>,
) -> Result<(Shown, Option<usize>), Problem> {
    let start = match id_of(&part.start) {
        Some(team) => team.to_vec(),
        None if part.start.is_empty() => Vec::new(),
        None => {
            let text = "pageStart is what X-Next-Page-Start was, or absent";
            return Err(Problem::Parameter(text.to_owned()));
        }
    };
    let show = |team: &TeamId, level: &Level| team_access(read, who, team, *level);
    let shown = gather((&start, part.limit), &entries, show)?;
    let all = || gather((&[], usize::MAX), &entries, show);
    let count = part.count.then(all).transpose()?.map(|all| all.entries.len());
    Ok((shown, count))
}

/// A team with what it was granted; `None` where it was deleted and its grants are going.
fn team_access(
    read: &impl Read,
    who: &access::Caller,
    team: &TeamId,
    level: Level,
) -> Result<Option<Value>, Damage> {
    let Some(team) = teams::find_by_id(read, team)? else { return Ok(None) };
    let team = shown(read, &team, who)?;
    Ok(Some(json!({ "team": team, "accessLevel": word(level) })))
}

/// What a grant is called.
pub(crate) fn word(level: Level) -> &'static str {
    access::Level::from(level).word()
}

//! `/api/v0/repositories/{ns}/{repo}/teamAccess`: what teams were granted on one repository.
//!
//! Source: dtr-interface 2.2, 3.1, 3.2.

use axum::response::Response;
use consensus::cluster::{Cluster, Freshness};
use consensus::tables::View;
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
use crate::gathering::{count, gather};
use crate::listing::{Shown, by_id};
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
    let cluster = &call.context.cluster;
    let read = read(cluster, Freshness::Local, |view| {
        let row = found(view, &repository)?;
        Ok((row.number(), in_list(view, (repository.clone(), row))?))
    });
    let (number, repository) = read.await?;
    let entries =
        |view: &View<'_>, from: &Vec<u8>, most| grants::of_repository(view, number, from, most);
    let (list, count) = grants_shown(cluster, &who, &part, entries).await?;
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
    cluster.propose_for(caller.voucher(), put.into()).await?;
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
    let delete = RepositoryGrantDelete { repository, team, actor };
    cluster.propose_for(caller.voucher(), delete.into()).await?;
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
pub(crate) async fn grants_shown(
    cluster: &Cluster,
    who: &access::Caller,
    part: &Part,
    entries: impl Fn(&View<'_>, &Vec<u8>, usize) -> Result<Listing<(TeamId, Level)>, Damage>
    + Send
    + Sync,
) -> Result<(Shown, Option<usize>), Problem> {
    let start = match id_of(&part.start) {
        Some(team) => team.to_vec(),
        None if part.start.is_empty() => Vec::new(),
        None => return Err(paging::unreadable()),
    };
    let entries = |view: &View<'_>, from: &Vec<u8>, most| Ok(by_id(entries(view, from, most)?));
    let found = gather(cluster, (start, part.limit), entries, |view, team, level| {
        team_access(view, who, team, *level)
    });
    let list = Shown::by_id(found.await?);
    if !part.count {
        return Ok((list, None));
    }
    let count = count(cluster, Vec::new(), entries, |view, team, _| {
        Ok(team
            .first_chunk()
            .map(|id| teams::find_by_id(view, id))
            .transpose()?
            .flatten()
            .is_some())
    });
    Ok((list, Some(count.await?)))
}

/// A team with what it was granted; `None` where it was deleted and its grants are going.
fn team_access(
    read: &impl Read,
    who: &access::Caller,
    team: &[u8],
    level: Level,
) -> Result<Option<Value>, Damage> {
    let Some(team) = team.first_chunk() else { return Ok(None) };
    let Some(team) = teams::find_by_id(read, team)? else { return Ok(None) };
    let team = shown(read, &team, who)?;
    Ok(Some(json!({ "team": team, "accessLevel": word(level) })))
}

/// What a grant is called.
pub(crate) fn word(level: Level) -> &'static str {
    access::Level::from(level).word()
}

//! `/api/v0/repositoryNamespaces/{ns}/teamAccess`: what teams were granted on all repositories of
//! their organization, present and future.
//!
//! Source: dtr-interface 2.2, 3.1, 3.2.

use axum::response::Response;
use consensus::cluster::Freshness;
use consensus::tables::View;
use edge::answer;
use edge::problem::{AccountProblem, Problem};
use http::StatusCode;
use metadata::access::{Caller, standing};
use metadata::accounts::Named;
use metadata::grants;
use metadata::grants::commands::{NamespaceGrantDelete, NamespaceGrantPut};
use metadata::organizations;
use metadata::tables::Read;
use metadata::teams::{self, Team, TeamId};
use serde_json::{Value, json};

use crate::call::Call;
use crate::paging::{self, Part};
use crate::reading::{not_authorized, read, read_changed};
use crate::reference;
use crate::team_access::{Asked, grants_shown, word};
use crate::teams as noun;

/// A part of the teams with such a grant.
pub async fn list(call: Call) -> Result<Response, Problem> {
    let who = call.signed_in().await?.as_metadata();
    let (part, text) = (Part::of_page(&call.query)?, call.place("ns").to_owned());
    let cluster = &call.context.cluster;
    let read = read(cluster, Freshness::Local, |view| {
        let (name, row) = reference::organization(view, &text)??;
        let is_member = match &who.id {
            Some(user) => organizations::member(view, &row.id, user)?.is_some(),
            None => false,
        };
        if !who.is_admin && !is_member {
            return Err(not_authorized(&who));
        }
        Ok((name, row.id))
    });
    let (name, id) = read.await?;
    let entries =
        |view: &View<'_>, from: &Vec<u8>, most| grants::of_namespace(view, &id, from, most);
    let (list, count) = grants_shown(cluster, &who, &part, entries).await?;
    let document = json!({ "namespace": name, "teamAccessList": list.entries });
    let mut response = answer::json(StatusCode::OK, &document);
    paging::tell(&mut response, list.next.as_deref(), count);
    Ok(response)
}

/// Shows what one team was granted.
pub async fn get(call: Call) -> Result<Response, Problem> {
    let who = call.signed_in().await?.as_metadata();
    let (text, team) = (call.place("ns").to_owned(), call.place("team").to_owned());
    let read = read(&call.context.cluster, Freshness::Local, |view| {
        let (organization, team) = seen(view, &who, &text, &team)?;
        shown(view, &who, &organization, &team)
    });
    Ok(answer::json(StatusCode::OK, &read.await?))
}

/// Grants a team something, in place of what it had; 200 with the grant as it is then.
pub async fn put(call: Call) -> Result<Response, Problem> {
    let caller = call.signed_in().await?;
    let (who, cluster) = (caller.as_metadata(), call.context.cluster.clone());
    let (text, team) = (call.place("ns").to_owned(), call.place("team").to_owned());
    let read = read(&cluster, Freshness::Local, |view| managed(view, &who, &text, &team));
    let ((namespace, row), team) = read.await?;
    let asked: Asked = call.json().await?;
    let put = NamespaceGrantPut {
        namespace: namespace.clone(),
        team: team.row.id,
        level: asked.level()?,
        actor: caller.account().to_owned(),
    };
    cluster.propose_for(caller.voucher(), put.into()).await?;
    let organization = (namespace, row);
    let read = read_changed(&cluster, |view| shown(view, &who, &organization, &team));
    Ok(answer::json(StatusCode::OK, &read.await?))
}

/// Takes away what a team was granted, if it was.
pub async fn delete(call: Call) -> Result<Response, Problem> {
    let caller = call.signed_in().await?;
    let (who, cluster) = (caller.as_metadata(), &call.context.cluster);
    let (text, team) = (call.place("ns").to_owned(), call.place("team").to_owned());
    let read = read(cluster, Freshness::Local, |view| managed(view, &who, &text, &team));
    let ((namespace, _), team) = read.await?;
    let (team, actor) = (team.row.id, caller.account().to_owned());
    let delete = NamespaceGrantDelete { namespace, team, actor };
    cluster.propose_for(caller.voucher(), delete.into()).await?;
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

/// The organization and the team that a path names, where the caller manages the organization.
fn managed(
    read: &impl Read,
    who: &Caller,
    organization: &str,
    team: &str,
) -> Result<(Named, Team), Problem> {
    let organization = reference::organization(read, organization)??;
    if !standing::manages(read, who, &organization.0)? {
        return Err(not_authorized(who));
    }
    let team = reference::team(read, (&organization.0, &organization.1.id), team)??;
    Ok((organization, team))
}

/// The same where the caller is in the team, too. Others are not told whether there is such a team.
pub(crate) fn seen(
    read: &impl Read,
    who: &Caller,
    organization: &str,
    team: &str,
) -> Result<(Named, Team), Problem> {
    let organization = reference::organization(read, organization)??;
    let manages = standing::manages(read, who, &organization.0)?;
    let team = reference::team(read, (&organization.0, &organization.1.id), team)?;
    let is_member = match (&team, &who.id) {
        (Ok(team), Some(user)) => teams::member(read, &team.row.id, user)?.is_some(),
        _ => false,
    };
    if manages || is_member { Ok((organization, team?)) } else { Err(not_authorized(who)) }
}

/// The grant of one team.
fn shown(
    read: &impl Read,
    who: &Caller,
    (namespace, row): &Named,
    team: &Team,
) -> Result<Value, Problem> {
    let id: TeamId = team.row.id;
    let level = grants::on_namespace(read, &row.id, &id)?;
    let level = level.ok_or_else(|| AccountProblem::NamespaceAccessUnknown {
        namespace: namespace.clone(),
        team: team.name.clone(),
    })?;
    let team = noun::shown(read, team, who)?;
    Ok(json!({ "namespace": namespace, "team": team, "accessLevel": word(level) }))
}

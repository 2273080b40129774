//! Members of organizations, under `/enzi/v0/accounts`, and the organizations and teams of a user.
//!
//! Source: dtr-interface 4.

use axum::response::Response;
use consensus::cluster::Freshness;
use edge::answer;
use edge::problem::Problem;
use http::StatusCode;
use metadata::access::Caller;
use metadata::accounts::{self, Named};
use metadata::organizations::{self, MemberDelete, MemberPut};
use metadata::page::Listing;
use metadata::tables::Read;
use metadata::teams;
use serde_json::json;

use crate::call::Call;
use crate::listing::{self, gather};
use crate::membership::{self, Asked, Filter, listed, of_organization};
use crate::paging::Part;
use crate::reading::{not_authorized, read, read_changed};
use crate::reference;
use crate::teams::shown as team_shown;

/// A part of an organization's members, by their ids.
pub async fn list(call: Call) -> Result<Response, Problem> {
    let who = call.signed_in().await?.as_metadata();
    let (part, filter) = (Part::of_limit(&call.query)?, Filter::of(&call.query)?);
    let text = call.place("org").to_owned();
    let read = read(&call.context.cluster, Freshness::Local, |view| {
        let (_, organization) = membership::organization(view, &who, &text)?;
        let start = listing::account_id(view, &part.start)?;
        let members =
            |from: &[u8], limit| organizations::members(view, &organization.id, from, limit);
        Ok(gather((&start, part.limit), members, |id, row| listed(view, filter, (id, row)))?)
    });
    Ok(read.await?.answer("members"))
}

/// Shows one.
pub async fn get(call: Call) -> Result<Response, Problem> {
    let who = call.signed_in().await?.as_metadata();
    let place = Place::of(&call);
    let read = read(&call.context.cluster, Freshness::Local, |view| {
        let (organization, user) = place.find(view, &who)?;
        of_organization(view, &organization, &user)
    });
    Ok(answer::json(StatusCode::OK, &read.await?))
}

/// Makes a user a member, or changes what one is; 200 with the member.
pub async fn put(call: Call) -> Result<Response, Problem> {
    set(call, false).await
}

/// Changes what a member is; 200 with the member.
pub async fn update(call: Call) -> Result<Response, Problem> {
    set(call, true).await
}

async fn set(call: Call, is_change: bool) -> Result<Response, Problem> {
    let caller = call.signed_in().await?;
    let (who, actor) = (caller.as_metadata(), caller.account().to_owned());
    let (place, cluster) = (Place::of(&call), call.context.cluster.clone());
    let read = read(&cluster, Freshness::Local, |view| place.find(view, &who));
    let (organization, user) = read.await?;
    let Asked { is_admin } = call.json().await?;
    let (group, name) = (organization.0.clone(), user.0.clone());
    let put = MemberPut { organization: group, user: name, actor, is_admin, is_change };
    cluster.propose(put.into()).await?;
    let changed = read_changed(&cluster, |view| of_organization(view, &organization, &user));
    Ok(answer::json(StatusCode::OK, &changed.await?))
}

/// Takes one out of the organization and of all its teams.
pub async fn delete(call: Call) -> Result<Response, Problem> {
    let caller = call.signed_in().await?;
    let (who, actor) = (caller.as_metadata(), caller.account().to_owned());
    let (place, cluster) = (Place::of(&call), &call.context.cluster);
    let read = read(cluster, Freshness::Local, |view| place.find(view, &who));
    let ((organization, _), (user, _)) = read.await?;
    cluster.propose(MemberDelete { organization, user, actor }.into()).await?;
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

/// A part of the teams of an organization that a member is in, by their ids.
pub async fn teams(call: Call) -> Result<Response, Problem> {
    let who = call.signed_in().await?.as_metadata();
    let (part, place) = (Part::of_limit(&call.query)?, Place::of(&call));
    let read = read(&call.context.cluster, Freshness::Local, |view| {
        let (organization, user) = place.find(view, &who)?;
        of_organization(view, &organization, &user)?;
        let (group, id) = (&organization.1.id, &user.1.id);
        let start = listing::team_id(view, group, &part.start)?;
        let teams = |from: &[u8], limit| {
            let found = teams::of_user(view, id, group, (from, limit))?;
            let items = found.items.into_iter().map(|team| (team, ())).collect();
            Ok(Listing { items, next: found.next.map(|team| (team, ())) })
        };
        // A team that was deleted just now is left with an entry that follows.
        let shown = |team: &[u8; 16], (): &()| {
            let Some(team) = teams::find_by_id(view, team)? else { return Ok(None) };
            let Some(place) = teams::member(view, &team.row.id, id)? else { return Ok(None) };
            let team = team_shown(view, &team, &who)?;
            Ok(Some(json!({ "team": team, "isAdmin": place.is_admin })))
        };
        Ok(gather((&start, part.limit), teams, shown)?)
    });
    Ok(read.await?.answer("memberTeams"))
}

/// A part of the organizations that a user is a member of, by their ids: for the user themselves
/// and for system administrators, since only its members may know who is in an organization.
pub async fn organizations(call: Call) -> Result<Response, Problem> {
    let who = call.signed_in().await?.as_metadata();
    let (part, text) = (Part::of_limit(&call.query)?, call.place("user").to_owned());
    let read = read(&call.context.cluster, Freshness::Local, |view| {
        let (_, user) = reference::user(view, &text)??;
        if !who.is_admin && who.id != Some(user.id) {
            return Err(not_authorized(&who));
        }
        let start = listing::account_id(view, &part.start)?;
        let groups = |from: &[u8], limit| organizations::of_user(view, &user.id, from, limit);
        // One that was deleted just now is left with an entry that follows.
        let shown = |id: &[u8; 16], place: &organizations::MemberRow| {
            let group = accounts::find_by_id(view, id)?;
            let group = group.as_ref().map(crate::accounts::shown);
            Ok(group.map(|group| json!({ "org": group, "isAdmin": place.is_admin })))
        };
        Ok(gather((&start, part.limit), groups, shown)?)
    });
    Ok(read.await?.answer("memberOrgs"))
}

/// An organization and a user, as a path names them.
struct Place {
    organization: String,
    user: String,
}

impl Place {
    fn of(call: &Call) -> Self {
        Self { organization: call.place("org").to_owned(), user: call.place("user").to_owned() }
    }

    /// Both, to those who may see who is in the organization.
    fn find(&self, read: &impl Read, caller: &Caller) -> Result<(Named, Named), Problem> {
        let organization = membership::organization(read, caller, &self.organization)?;
        Ok((organization, reference::user(read, &self.user)??))
    }
}

//! Members of organizations, under `/enzi/v0/accounts`, and the organizations and teams of a user.
//!
//! Source: dtr-interface 4.

use axum::response::Response;
use consensus::cluster::Freshness;
use edge::answer;
use edge::problem::Problem;
use http::StatusCode;
use metadata::access::{Caller, standing};
use metadata::accounts::{self, Named};
use metadata::organizations::{self, MemberDelete, MemberPut};
use metadata::page::Listing;
use metadata::tables::Read;
use metadata::teams;
use serde_json::json;

use crate::call::Call;
use crate::gathering::gather;
use crate::listing::{self, Shown, by_id};
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
    let cluster = &call.context.cluster;
    let read = read(cluster, Freshness::Local, |view| {
        let (_, organization) = membership::organization(view, &who, &text)?;
        Ok((organization.id, listing::account_id(view, &part.start)?))
    });
    let (organization, start) = read.await?;
    let found = gather(
        cluster,
        (start, part.limit),
        |view, from, most| Ok(by_id(organizations::members(view, &organization, from, most)?)),
        |view, user, row| listed(view, filter, (user, row)),
    );
    Ok(Shown::by_id(found.await?).answer("members"))
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
    let read = read(&cluster, Freshness::Local, |view| place.managed(view, &who));
    let (organization, user) = read.await?;
    let Asked { is_admin } = call.json().await?;
    let (group, name) = (organization.0.clone(), user.0.clone());
    let put = MemberPut { organization: group, user: name, actor, is_admin, is_change };
    cluster.propose_for(caller.voucher(), put.into()).await?;
    let changed = read_changed(&cluster, |view| of_organization(view, &organization, &user));
    Ok(answer::json(StatusCode::OK, &changed.await?))
}

/// Takes one out of the organization and of all its teams.
pub async fn delete(call: Call) -> Result<Response, Problem> {
    let caller = call.signed_in().await?;
    let (who, actor) = (caller.as_metadata(), caller.account().to_owned());
    let (place, cluster) = (Place::of(&call), &call.context.cluster);
    let read = read(cluster, Freshness::Local, |view| place.left(view, &who));
    let ((organization, _), (user, _)) = read.await?;
    let delete = MemberDelete { organization, user, actor };
    cluster.propose_for(caller.voucher(), delete.into()).await?;
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

/// A part of the teams of an organization that a member is in, by their ids.
pub async fn teams(call: Call) -> Result<Response, Problem> {
    let who = call.signed_in().await?.as_metadata();
    let (part, place) = (Part::of_limit(&call.query)?, Place::of(&call));
    let cluster = &call.context.cluster;
    let read = read(cluster, Freshness::Local, |view| {
        let (organization, user) = place.find(view, &who)?;
        of_organization(view, &organization, &user)?;
        let start = listing::team_id(view, &organization.1.id, &part.start)?;
        Ok((organization.1.id, user.1.id, start))
    });
    let (group, user, start) = read.await?;
    let found = gather(
        cluster,
        (start, part.limit),
        |view, from, most| {
            let found = teams::of_user(view, &user, &group, (from, most))?;
            let items = found.items.into_iter().map(|team| (team, ())).collect();
            Ok(by_id(Listing { items, next: found.next.map(|team| (team, ())) }))
        },
        // A team that was deleted just now is left with an entry that follows.
        |view, team, ()| {
            let Some(team) = team.first_chunk() else { return Ok(None) };
            let Some(team) = teams::find_by_id(view, team)? else { return Ok(None) };
            let Some(place) = teams::member(view, &team.row.id, &user)? else { return Ok(None) };
            let team = team_shown(view, &team, &who)?;
            Ok(Some(json!({ "team": team, "isAdmin": place.is_admin })))
        },
    );
    Ok(Shown::by_id(found.await?).answer("memberTeams"))
}

/// A part of the organizations that a user is a member of, by their ids: for the user themselves
/// and for system administrators, since only its members may know who is in an organization.
pub async fn organizations(call: Call) -> Result<Response, Problem> {
    let who = call.signed_in().await?.as_metadata();
    let (part, text) = (Part::of_limit(&call.query)?, call.place("user").to_owned());
    let cluster = &call.context.cluster;
    let read = read(cluster, Freshness::Local, |view| {
        let (_, user) = reference::user(view, &text)??;
        if !who.is_admin && who.id != Some(user.id) {
            return Err(not_authorized(&who));
        }
        Ok((user.id, listing::account_id(view, &part.start)?))
    });
    let (user, start) = read.await?;
    let found = gather(
        cluster,
        (start, part.limit),
        |view, from, most| Ok(by_id(organizations::of_user(view, &user, from, most)?)),
        // One that was deleted just now is left with an entry that follows.
        |view, id, place| {
            let Some(id) = id.first_chunk() else { return Ok(None) };
            let group = accounts::find_by_id(view, id)?;
            let group = group.as_ref().map(crate::accounts::shown);
            Ok(group.map(|group| json!({ "org": group, "isAdmin": place.is_admin })))
        },
    );
    Ok(Shown::by_id(found.await?).answer("memberOrgs"))
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

    /// Both, to those who may say who is in the organization. What a command would refuse is no
    /// entry of the log.
    fn managed(&self, read: &impl Read, caller: &Caller) -> Result<(Named, Named), Problem> {
        let found = self.find(read, caller)?;
        if standing::manages(read, caller, &found.0.0)? {
            return Ok(found);
        }
        Err(not_authorized(caller))
    }

    /// The same, and to the user in question: everyone may leave.
    fn left(&self, read: &impl Read, caller: &Caller) -> Result<(Named, Named), Problem> {
        let found = self.find(read, caller)?;
        let is_self = caller.id == Some(found.1.1.id);
        if is_self { Ok(found) } else { self.managed(read, caller) }
    }
}

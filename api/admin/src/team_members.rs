//! Who is in a team, under `/enzi/v0/accounts/{org}/teams/{team}/members`.
//!
//! Source: dtr-interface 4.

use axum::response::Response;
use consensus::cluster::Freshness;
use edge::answer;
use edge::problem::Problem;
use http::StatusCode;
use metadata::teams;
use metadata::teams::commands::{TeamMemberDelete, TeamMemberPut};

use crate::call::Call;
use crate::gathering::gather;
use crate::listing::{self, Shown, by_id};
use crate::membership::{Asked, Filter, listed, of_team};
use crate::paging::Part;
use crate::reading::{read, read_changed};
use crate::reference;
use crate::teams::Place;

/// A part of a team's members, by their ids.
pub async fn list(call: Call) -> Result<Response, Problem> {
    let who = call.signed_in().await?.as_metadata();
    let (part, filter) = (Part::of_limit(&call.query)?, Filter::of(&call.query)?);
    let place = Place::of(&call);
    let cluster = &call.context.cluster;
    let read = read(cluster, Freshness::Local, |view| {
        let team = place.find(view, &who)?.row.id;
        Ok((team, listing::account_id(view, &part.start)?))
    });
    let (team, start) = read.await?;
    let found = gather(
        cluster,
        (start, part.limit),
        |view, from, most| Ok(by_id(teams::members(view, &team, from, most)?)),
        |view, user, row| listed(view, filter, (user, row)),
    );
    Ok(Shown::by_id(found.await?).answer("members"))
}

/// Shows one.
pub async fn get(call: Call) -> Result<Response, Problem> {
    let who = call.signed_in().await?.as_metadata();
    let (place, user) = (Place::of(&call), call.place("user").to_owned());
    let read = read(&call.context.cluster, Freshness::Local, |view| {
        let team = place.find(view, &who)?;
        of_team(view, &team, &reference::user(view, &user)??)
    });
    Ok(answer::json(StatusCode::OK, &read.await?))
}

/// Puts a user into the team, or changes what one is; 200 with the member. One who is not in the
/// organization is made a member of it, where the caller manages that.
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
    let (place, user) = (Place::of(&call), call.place("user").to_owned());
    let cluster = call.context.cluster.clone();
    let read = read(&cluster, Freshness::Local, |view| {
        let found = (place.find(view, &who)?, reference::user(view, &user)??);
        place.check_leads(view, &who)?;
        if !is_change {
            place.check_bringing_in(view, &who, &found.1)?;
        }
        Ok(found)
    });
    let (team, user) = read.await?;
    let Asked { is_admin } = call.json().await?;
    let (id, name) = (team.row.id, user.0.clone());
    let put = TeamMemberPut { team: id, user: name, actor, is_admin, is_change };
    cluster.propose_for(caller.voucher(), put.into()).await?;
    let changed = read_changed(&cluster, |view| of_team(view, &team, &user));
    Ok(answer::json(StatusCode::OK, &changed.await?))
}

/// Takes one out of the team; the organization keeps them.
pub async fn delete(call: Call) -> Result<Response, Problem> {
    let caller = call.signed_in().await?;
    let (who, actor) = (caller.as_metadata(), caller.account().to_owned());
    let (place, user) = (Place::of(&call), call.place("user").to_owned());
    let cluster = &call.context.cluster;
    let read = read(cluster, Freshness::Local, |view| {
        let (team, (user, row)) = (place.find(view, &who)?, reference::user(view, &user)??);
        // Everyone may leave.
        if who.id != Some(row.id) {
            place.check_leads(view, &who)?;
        }
        Ok((team.row.id, user))
    });
    let (team, user) = read.await?;
    let delete = TeamMemberDelete { team, user, actor };
    cluster.propose_for(caller.voucher(), delete.into()).await?;
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

//! Teams of organizations, under `/enzi/v0/accounts/{org}/teams`.
//!
//! Source: dtr-interface 3.2, 4.

use axum::response::Response;
use consensus::cluster::Freshness;
use edge::answer;
use edge::problem::Problem;
use http::StatusCode;
use metadata::access::{Caller, standing};
use metadata::accounts::Named;
use metadata::organizations;
use metadata::page::Listing;
use metadata::refusal::Refusal;
use metadata::tables::{Damage, Read};
use metadata::teams::commands::{DESCRIPTION_BYTES_MAX, TeamCreate, TeamDelete, TeamUpdate};
use metadata::teams::{self, Team};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::call::Call;
use crate::gathering::gather;
use crate::listing::{self, Shown};
use crate::membership;
use crate::paging::Part;
use crate::reading::{not_authorized, read, read_changed};
use crate::reference::uuid;

/// What POST and PATCH take; absent and `null` leave a field, unknown ones are passed over.
#[derive(Deserialize)]
struct Asked {
    name: Option<String>,
    description: Option<String>,
}

impl Asked {
    fn check(&self) -> Result<(), Problem> {
        if self.description.as_ref().is_some_and(|text| text.len() > DESCRIPTION_BYTES_MAX) {
            let text = format!("description has at most {DESCRIPTION_BYTES_MAX} bytes; shorten it");
            return Err(Problem::Parameter(text));
        }
        Ok(())
    }
}

/// A part of an organization's teams, by name.
pub async fn list(call: Call) -> Result<Response, Problem> {
    let who = call.signed_in().await?.as_metadata();
    let (part, text) = (Part::of_limit(&call.query)?, call.place("org").to_owned());
    let cluster = &call.context.cluster;
    let read = read(cluster, Freshness::Local, |view| {
        let (_, organization) = membership::organization(view, &who, &text)?;
        let start = listing::team_name(view, &organization.id, &part.start)?;
        Ok((organization.id, start))
    });
    let (organization, start) = read.await?;
    let found = gather(
        cluster,
        (start, part.limit),
        |view, from, most| {
            let keyed = |team: Team| (team.name.clone(), team);
            let found = teams::listing(view, &organization, from, most)?;
            let items = found.items.into_iter().map(keyed).collect();
            Ok(Listing { items, next: found.next.map(keyed) })
        },
        |view, _, team| shown(view, team, &who).map(Some),
    );
    Ok(Shown::by_name(found.await?).answer("teams"))
}

/// Creates one; 201 with it.
pub async fn create(call: Call) -> Result<Response, Problem> {
    let caller = call.signed_in().await?;
    let (who, actor) = (caller.as_metadata(), caller.account().to_owned());
    let (text, cluster) = (call.place("org").to_owned(), call.context.cluster.clone());
    let read = read(&cluster, Freshness::Local, |view| membership::managed(view, &who, &text));
    let (organization, row) = read.await?;
    let asked: Asked = call.json().await?;
    asked.check()?;
    let name = asked.name.unwrap_or_default();
    let create = TeamCreate {
        organization,
        name: name.clone(),
        description: asked.description.unwrap_or_default(),
        actor,
    };
    cluster.propose_for(caller.voucher(), create.into()).await?;
    let created = read_changed(&cluster, |view| {
        let team = teams::find(view, &row.id, &name)?.ok_or(Refusal::TeamUnknown)?;
        Ok(shown(view, &team, &who)?)
    });
    Ok(answer::json(StatusCode::CREATED, &created.await?))
}

/// Shows one.
pub async fn get(call: Call) -> Result<Response, Problem> {
    let who = call.signed_in().await?.as_metadata();
    let place = Place::of(&call);
    let read = read(&call.context.cluster, Freshness::Local, |view| {
        Ok(shown(view, &place.find(view, &who)?, &who)?)
    });
    Ok(answer::json(StatusCode::OK, &read.await?))
}

/// Changes what is given; 200 with the team as it is then.
pub async fn update(call: Call) -> Result<Response, Problem> {
    let caller = call.signed_in().await?;
    let (who, actor) = (caller.as_metadata(), caller.account().to_owned());
    let (place, cluster) = (Place::of(&call), call.context.cluster.clone());
    let read = read(&cluster, Freshness::Local, |view| place.managed(view, &who));
    let team = read.await?.row.id;
    let asked: Asked = call.json().await?;
    asked.check()?;
    let Asked { name, description } = asked;
    let update = TeamUpdate { team, actor, name, description };
    cluster.propose_for(caller.voucher(), update.into()).await?;
    let changed = read_changed(&cluster, |view| {
        let team = teams::find_by_id(view, &team)?.ok_or(Refusal::TeamUnknown)?;
        Ok(shown(view, &team, &who)?)
    });
    Ok(answer::json(StatusCode::OK, &changed.await?))
}

/// Deletes one with all it was granted.
pub async fn delete(call: Call) -> Result<Response, Problem> {
    let caller = call.signed_in().await?;
    let (who, actor) = (caller.as_metadata(), caller.account().to_owned());
    let (place, cluster) = (Place::of(&call), &call.context.cluster);
    let read = read(cluster, Freshness::Local, |view| place.managed(view, &who));
    let team = read.await?.row.id;
    cluster.propose_for(caller.voucher(), TeamDelete { team, actor }.into()).await?;
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

/// An organization and a team of it, as a path names them.
pub(crate) struct Place {
    organization: String,
    team: String,
}

impl Place {
    pub(crate) fn of(call: &Call) -> Self {
        Self { organization: call.place("org").to_owned(), team: call.place("team").to_owned() }
    }

    /// The team, to those who may see who is in the organization.
    pub(crate) fn find(&self, read: &impl Read, caller: &Caller) -> Result<Team, Problem> {
        Ok(membership::team(read, caller, (&self.organization, &self.team))?.1)
    }

    /// The team, to those who manage the organization. What a command would refuse is no entry of
    /// the log.
    fn managed(&self, read: &impl Read, caller: &Caller) -> Result<Team, Problem> {
        let found = membership::team(read, caller, (&self.organization, &self.team))?;
        let ((organization, _), team) = found;
        if standing::manages(read, caller, &organization)? {
            return Ok(team);
        }
        Err(not_authorized(caller))
    }

    /// Goes on for those who may say who is in the team.
    pub(crate) fn check_leads(&self, read: &impl Read, caller: &Caller) -> Result<(), Problem> {
        let found = membership::team(read, caller, (&self.organization, &self.team))?;
        let ((organization, _), team) = found;
        if standing::leads(read, caller, &organization, &team)? {
            return Ok(());
        }
        Err(not_authorized(caller))
    }

    /// Refuses to make somebody a member of the organization whom only its owners may bring in.
    pub(crate) fn check_bringing_in(
        &self,
        read: &impl Read,
        caller: &Caller,
        (user, row): &Named,
    ) -> Result<(), Problem> {
        let (organization, group) = membership::organization(read, caller, &self.organization)?;
        let is_member = organizations::member(read, &group.id, &row.id)?.is_some();
        if is_member || standing::manages(read, caller, &organization)? {
            return Ok(());
        }
        Err(Refusal::Outsider { user: user.clone(), organization }.into())
    }
}

/// One as clients of the old product read it, and all that is known of it beside.
pub(crate) fn shown(read: &impl Read, team: &Team, caller: &Caller) -> Result<Value, Damage> {
    let place = match &caller.id {
        Some(user) => teams::member(read, &team.row.id, user)?,
        None => None,
    };
    Ok(json!({
        "id": uuid(&team.row.id),
        "orgID": uuid(&team.organization),
        "name": team.name,
        "description": team.row.description,
        "membersCount": team.row.members,
        "clientUserIsMember": place.is_some(),
    }))
}

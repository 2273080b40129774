//! Users and organizations, under `/enzi/v0/accounts`: listing, creating, changing and deleting.
//!
//! Everybody who signed in sees every user and organization; the system administrators make and end
//! them. Robots are seen by those who are in their organization.
//!
//! Source: dtr-interface 4.

use std::sync::Arc;

use auth::{password, password_rule};
use axum::response::Response;
use consensus::cluster::{Cluster, Freshness};
use edge::answer;
use edge::caller::Need;
use edge::problem::Problem;
use http::StatusCode;
use metadata::access::{Caller, standing};
use metadata::accounts::commands::{AccountDelete, AccountUpdate, OrganizationCreate, UserCreate};
use metadata::accounts::{self, AccountKind, FULL_NAME_BYTES_MAX, Filter, Named, counts};
use metadata::page::Listing;
use metadata::quotas;
use metadata::refusal::Refusal;
use metadata::tables::{Damage, Read};
use serde::Deserialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::call::Call;
use crate::gathering::gather;
use crate::ldap_settings;
use crate::listing;
use crate::paging::{self, Part};
use crate::reading::{not_authorized, read, read_changed};
use crate::reference::{self, uuid};

/// What POST and PATCH take; absent and `null` leave a field, unknown ones are passed over.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    name: Option<String>,
    full_name: Option<String>,
    is_org: Option<bool>,
    is_admin: Option<bool>,
    is_active: Option<bool>,
    password: Option<String>,
    quota_bytes: Option<u64>,
    #[serde(rename = "searchLDAP")]
    search_ldap: Option<bool>,
}

impl Asked {
    fn check(&self) -> Result<(), Problem> {
        if self.full_name.as_ref().is_some_and(|text| text.len() > FULL_NAME_BYTES_MAX) {
            return Err(parameter(&format!(
                "fullName has at most {FULL_NAME_BYTES_MAX} bytes; shorten it"
            )));
        }
        Ok(())
    }

    /// Clients send the whole form back: what an organization is anyway is no change.
    fn check_organization(&mut self) -> Result<(), Problem> {
        if self.is_admin.take() == Some(true) || self.is_active.take() == Some(false) {
            let text = "isAdmin and isActive are about users: an organization neither administers \
                        the system nor signs in; leave them out";
            return Err(parameter(text));
        }
        Ok(())
    }

    async fn into_user(self, name: &str, actor: String) -> Result<UserCreate, Problem> {
        let password = Zeroizing::new(self.password.unwrap_or_default());
        let choice = password_rule::check(name, &password);
        choice.map_err(|unfit| parameter(&unfit.to_string()))?;
        let password_hash = password::hash(password).await.map_err(Problem::Parameter)?;
        Ok(UserCreate {
            name: name.to_owned(),
            password_hash,
            is_admin: self.is_admin.unwrap_or(false),
            full_name: self.full_name.unwrap_or_default(),
            is_inactive: self.is_active == Some(false),
            is_imported: false,
            actor,
            quota_bytes: self.quota_bytes.unwrap_or(0),
        })
    }

    fn into_organization(self, name: &str, actor: String) -> Result<OrganizationCreate, Problem> {
        let has_password = self.password.is_some_and(|password| !password.is_empty());
        if has_password || self.is_admin == Some(true) {
            let text = "an organization signs in nowhere; leave out password and isAdmin";
            return Err(parameter(text));
        }
        let full_name = self.full_name.unwrap_or_default();
        let quota_bytes = self.quota_bytes.unwrap_or(0);
        Ok(OrganizationCreate { name: name.to_owned(), full_name, actor, quota_bytes })
    }
}

/// A part of the accounts, by name, and how many there are.
pub async fn list(call: Call) -> Result<Response, Problem> {
    let caller = call.signed_in().await?.as_metadata();
    let part = Part::of_limit(&call.query)?;
    let filter = filter(call.query.first("filter").unwrap_or_default())?;
    let cluster = &call.context.cluster;
    let read = read(cluster, Freshness::Local, |view| {
        Ok((listing::account_name(view, &part.start)?, counts::get(view)?))
    });
    let (start, counts) = read.await?;
    let found = gather(
        cluster,
        ((start, String::new()), part.limit),
        |view, from: &(String, String), most| {
            let keyed = |named: Named| ((named.0.clone(), cursor(&named)), named);
            let found = accounts::listing(view, filter, &from.0, most)?;
            let items = found.items.into_iter().map(keyed).collect();
            Ok(Listing { items, next: found.next.map(keyed) })
        },
        |view, _, named| {
            // Others find the robots of their organizations there.
            let is_shown = caller.is_admin || named.1.kind != AccountKind::Robot;
            is_shown.then(|| shown_to(view, &caller, named)).transpose()
        },
    );
    let (list, next) = found.await?;
    let next = next.map(|(_, cursor)| cursor);
    let (users, orgs) = (counts.of(Filter::Users), counts.of(Filter::Organizations));
    let count = match filter {
        Filter::All if !caller.is_admin => users + orgs,
        filter => counts.of(filter),
    };
    let mut document = json!({
        "accounts": list,
        "usersCount": users,
        "orgsCount": orgs,
        "resourceCount": count,
    });
    if let Some(next) = &next {
        document["nextPageStart"] = json!(next);
    }
    let mut response = answer::json(StatusCode::OK, &document);
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    paging::tell(&mut response, next.as_deref(), part.count.then_some(count));
    Ok(response)
}

/// Creates a user or an organization; 201 with it.
pub async fn create(call: Call) -> Result<Response, Problem> {
    let caller = call.administrator(Need::Fresh).await?;
    let (actor, voucher) = (caller.account().to_owned(), caller.voucher());
    let (cluster, context) = (call.context.cluster.clone(), Arc::clone(&call.context));
    let mut asked: Asked = call.json().await?;
    asked.check()?;
    let name = asked.name.take().filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| parameter("an account needs a name"))?;
    // Whether the name is free is decided with the creation: another replica may be asked too.
    if asked.search_ldap == Some(true) {
        let created = ldap_settings::create_account(&context, &name).await?;
        return Ok(answer::json(StatusCode::CREATED, &shown(&created)));
    }
    if asked.is_org == Some(true) {
        let create = asked.into_organization(&name, actor)?;
        cluster.propose_for(voucher, create.into()).await?;
    } else {
        let create = asked.into_user(&name, actor).await?;
        cluster.propose_for(voucher, create.into()).await?;
    }
    let created = read_changed(&cluster, |view| {
        let named = reference::account(view, &name)??;
        Ok(shown_with_use(view, &named)?)
    });
    Ok(answer::json(StatusCode::CREATED, &created.await?))
}

/// Shows one.
pub async fn get(call: Call) -> Result<Response, Problem> {
    let caller = call.signed_in().await?.as_metadata();
    let text = call.place("account").to_owned();
    let read = read(&call.context.cluster, Freshness::Local, |view| {
        let named = reference::account(view, &text)??;
        if !standing::sees(view, &caller, &named)? {
            return Err(reference::unknown(&text).into());
        }
        Ok(shown_to(view, &caller, &named)?)
    });
    Ok(answer::json(StatusCode::OK, &read.await?))
}

/// Changes what is given; 200 with the account as it is then.
pub async fn update(call: Call) -> Result<Response, Problem> {
    let caller = call.signed_in().await?;
    let (who, actor) = (caller.as_metadata(), caller.account().to_owned());
    let (text, cluster) = (call.place("account").to_owned(), call.context.cluster.clone());
    let read = read(&cluster, Freshness::Local, |view| managed(view, &who, &text));
    let (name, kind) = read.await?;
    let mut asked: Asked = call.json().await?;
    asked.check()?;
    if kind == AccountKind::Organization {
        asked.check_organization()?;
    }
    let Asked { full_name, is_admin, is_active, quota_bytes, .. } = asked;
    let is_for_system = is_admin.is_some() || is_active.is_some() || quota_bytes.is_some();
    if is_for_system && !who.is_admin {
        return Err(not_authorized(&who));
    }
    let update =
        AccountUpdate { name: name.clone(), actor, full_name, is_admin, is_active, quota_bytes };
    cluster.propose_for(caller.voucher(), update.into()).await?;
    let changed = read_changed(&cluster, |view| {
        let named = reference::account(view, &name)??;
        Ok(shown_with_use(view, &named)?)
    });
    Ok(answer::json(StatusCode::OK, &changed.await?))
}

/// Deletes one with everything that belongs to it.
pub async fn delete(call: Call) -> Result<Response, Problem> {
    let caller = call.administrator(Need::Fresh).await?;
    let actor = caller.account().to_owned();
    let (text, cluster) = (call.place("account").to_owned(), &call.context.cluster);
    let read = read(cluster, Freshness::Local, |view| Ok(reference::account(view, &text)??));
    let (name, _) = read.await?;
    cluster.propose_for(caller.voucher(), AccountDelete { name, actor }.into()).await?;
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

/// The name of the account that a path names, and what it is, where the caller may change something
/// of it. Whoever may not is told so first.
pub(crate) fn managed(
    read: &impl Read,
    caller: &Caller,
    text: &str,
) -> Result<(String, AccountKind), Problem> {
    let found = reference::account(read, text)?;
    let manages = match &found {
        Ok((name, _)) => standing::manages(read, caller, name)?,
        Err(_) => caller.is_admin,
    };
    if !manages {
        return Err(not_authorized(caller));
    }
    let (name, row) = found?;
    Ok((name, row.kind))
}

/// The account after a change.
pub(crate) async fn as_changed(cluster: &Cluster, name: &str) -> Result<Named, Problem> {
    let read = read_changed(cluster, |view| {
        let row = accounts::find(view, name)?;
        Ok(row.ok_or_else(|| Refusal::AccountUnknown { name: name.to_owned() })?)
    });
    Ok((name.to_owned(), read.await?))
}

/// Where a list goes on. A robot's name does not read as a cursor; its id does.
fn cursor((name, row): &Named) -> String {
    match row.kind {
        AccountKind::Robot => uuid(&row.id),
        AccountKind::User | AccountKind::Organization => name.clone(),
    }
}

fn filter(word: &str) -> Result<Filter, Problem> {
    Ok(match word {
        "" | "all" => Filter::All,
        "users" => Filter::Users,
        "orgs" => Filter::Organizations,
        "admins" => Filter::Admins,
        "non-admins" => Filter::NonAdmins,
        "active-users" => Filter::ActiveUsers,
        "inactive-users" => Filter::InactiveUsers,
        _ => {
            return Err(parameter(
                "filter is all, users, orgs, admins, non-admins, active-users or inactive-users",
            ));
        }
    })
}

fn parameter(text: &str) -> Problem {
    Problem::Parameter(text.to_owned())
}

/// One with what its namespace uses, where the caller manages it; without, for everybody else.
fn shown_to(read: &impl Read, caller: &Caller, named: &Named) -> Result<Value, Damage> {
    if standing::manages(read, caller, &named.0)? {
        shown_with_use(read, named)
    } else {
        Ok(shown(named))
    }
}

fn shown_with_use(read: &impl Read, named: &Named) -> Result<Value, Damage> {
    let mut shown = shown(named);
    shown["quotaBytes"] = json!(named.1.quota_bytes);
    shown["usedBytes"] = json!(quotas::used(read, &named.0)?.bytes);
    Ok(shown)
}

/// One as clients of the old product read it. There are no accounts on demand and no second factor.
pub(crate) fn shown((name, row): &Named) -> Value {
    json!({
        "id": uuid(&row.id),
        "name": name,
        "fullName": row.full_name,
        "isOrg": row.kind == AccountKind::Organization,
        "isAdmin": row.is_admin,
        "isActive": row.is_active,
        "isImported": row.is_imported,
        "onDemand": false,
        "otpEnabled": false,
        "membersCount": row.members,
        "teamsCount": row.teams,
    })
}

//! Users and organizations, under `/enzi/v0/accounts`: listing, creating, changing and deleting.
//!
//! Everybody who signed in sees every account; the system administrators make and end them.
//!
//! Source: dtr-interface 4.

use auth::{password, password_rule};
use axum::response::Response;
use consensus::cluster::{Cluster, Freshness};
use edge::answer;
use edge::caller::Need;
use edge::problem::Problem;
use http::StatusCode;
use metadata::access::{Caller, standing};
use metadata::accounts::commands::{AccountDelete, AccountUpdate, OrganizationCreate, UserCreate};
use metadata::accounts::{self, AccountKind, FULL_NAME_BYTES_MAX, Filter, Named};
use metadata::refusal::Refusal;
use metadata::tables::{Damage, Read};
use serde::Deserialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::call::Call;
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
        if self.search_ldap == Some(true) {
            return Err(parameter(
                "searchLDAP has nowhere to search: no directory is configured yet; \
                 create the account without it",
            ));
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
        })
    }

    fn into_organization(self, name: &str, actor: String) -> Result<OrganizationCreate, Problem> {
        let has_password = self.password.is_some_and(|password| !password.is_empty());
        if has_password || self.is_admin == Some(true) {
            let text = "an organization signs in nowhere; leave out password and isAdmin";
            return Err(parameter(text));
        }
        let full_name = self.full_name.unwrap_or_default();
        Ok(OrganizationCreate { name: name.to_owned(), full_name, actor })
    }
}

/// A part of the accounts, by name, and how many there are.
pub async fn list(call: Call) -> Result<Response, Problem> {
    call.signed_in().await?;
    let part = Part::of_limit(&call.query)?;
    let filter = filter(call.query.first("filter").unwrap_or_default())?;
    let read = read(&call.context.cluster, Freshness::Local, |view| {
        let start = listing::account_name(view, &part.start)?;
        let found = accounts::listing(view, filter, &start, part.limit)?;
        Ok((found, counts(view, filter)?))
    });
    let (found, [users, organizations, filtered]) = read.await?;
    let next = found.next.map(|(name, _)| name);
    let mut document = json!({
        "accounts": found.items.iter().map(shown).collect::<Vec<Value>>(),
        "usersCount": users,
        "orgsCount": organizations,
        "resourceCount": filtered,
    });
    if let Some(next) = &next {
        document["nextPageStart"] = json!(next);
    }
    let mut response = answer::json(StatusCode::OK, &document);
    paging::tell(&mut response, next.as_deref(), part.count.then_some(filtered));
    Ok(response)
}

/// Creates a user or an organization; 201 with it.
pub async fn create(call: Call) -> Result<Response, Problem> {
    let actor = call.administrator(Need::Fresh).await?.account().to_owned();
    let cluster = call.context.cluster.clone();
    let mut asked: Asked = call.json().await?;
    asked.check()?;
    let name = asked.name.take().filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| parameter("an account needs a name"))?;
    // Whether the name is free is decided with the creation: another replica may be asked too.
    if asked.is_org == Some(true) {
        cluster.propose(asked.into_organization(&name, actor)?.into()).await?;
    } else {
        cluster.propose(asked.into_user(&name, actor).await?.into()).await?;
    }
    let created = as_changed(&cluster, &name).await?;
    Ok(answer::json(StatusCode::CREATED, &shown(&created)))
}

/// Shows one.
pub async fn get(call: Call) -> Result<Response, Problem> {
    call.signed_in().await?;
    let text = call.place("account").to_owned();
    let cluster = &call.context.cluster;
    let read = read(cluster, Freshness::Local, |view| Ok(reference::account(view, &text)??));
    Ok(answer::json(StatusCode::OK, &shown(&read.await?)))
}

/// Changes what is given; 200 with the account as it is then.
pub async fn update(call: Call) -> Result<Response, Problem> {
    let caller = call.signed_in().await?;
    let (who, actor) = (caller.as_metadata(), caller.account().to_owned());
    let (text, cluster) = (call.place("account").to_owned(), call.context.cluster.clone());
    let read = read(&cluster, Freshness::Local, |view| managed(view, &who, &text));
    let name = read.await?;
    let asked: Asked = call.json().await?;
    asked.check()?;
    let Asked { full_name, is_admin, is_active, .. } = asked;
    let update = AccountUpdate { name: name.clone(), actor, full_name, is_admin, is_active };
    cluster.propose(update.into()).await?;
    let changed = as_changed(&cluster, &name).await?;
    Ok(answer::json(StatusCode::OK, &shown(&changed)))
}

/// Deletes one with everything that belongs to it.
pub async fn delete(call: Call) -> Result<Response, Problem> {
    let actor = call.administrator(Need::Fresh).await?.account().to_owned();
    let (text, cluster) = (call.place("account").to_owned(), &call.context.cluster);
    let read = read(cluster, Freshness::Local, |view| Ok(reference::account(view, &text)??));
    let (name, _) = read.await?;
    cluster.propose(AccountDelete { name, actor }.into()).await?;
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

/// The name of the account that a path names, where the caller may change something of it. Whoever
/// may not is told so first.
fn managed(read: &impl Read, caller: &Caller, text: &str) -> Result<String, Problem> {
    let found = reference::account(read, text)?;
    let manages = match &found {
        Ok((name, _)) => standing::manages(read, caller, name)?,
        Err(_) => caller.is_admin,
    };
    if !manages {
        return Err(not_authorized(caller));
    }
    Ok(found?.0)
}

/// The account after a change.
pub(crate) async fn as_changed(cluster: &Cluster, name: &str) -> Result<Named, Problem> {
    let read = read_changed(cluster, |view| {
        let row = accounts::find(view, name)?;
        Ok(row.ok_or_else(|| Refusal::AccountUnknown { name: name.to_owned() })?)
    });
    Ok((name.to_owned(), read.await?))
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

/// How many users and organizations there are, and how many accounts of those that are asked for.
fn counts(read: &impl Read, filter: Filter) -> Result<[usize; 3], Damage> {
    let users = accounts::count(read, Filter::Users)?;
    let organizations = accounts::count(read, Filter::Organizations)?;
    let filtered = match filter {
        Filter::All => users + organizations,
        Filter::Users => users,
        Filter::Organizations => organizations,
        other => accounts::count(read, other)?,
    };
    Ok([users, organizations, filtered])
}

fn parameter(text: &str) -> Problem {
    Problem::Parameter(text.to_owned())
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

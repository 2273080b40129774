//! Where people sign in, and how the directory is reached: `/enzi/v0/config/auth`.
//!
//! Source: dtr-interface 4.

use std::sync::Arc;

use auth::password;
use auth::password_rule;
use axum::response::Response;
use consensus::cluster::{Cluster, Freshness};
use directory::directory::{Directory, Tried};
use directory::failure::DirectoryFailure;
use directory::ldap::people::Person;
use directory::settings::{Checked, LdapSettings};
use edge::answer;
use edge::caller::Need;
use edge::context::Context;
use edge::problem::Problem;
use http::StatusCode;
use metadata::accounts::{self, Named};
use metadata::directory::commands::{BackendSet, LdapSet};
use metadata::directory::{self as kept, LdapRow};
use serde::Deserialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::accounts::{as_changed, shown};
use crate::call::Call;

/// What `/enzi/v0/config/auth` takes.
#[derive(Deserialize)]
struct Backend {
    backend: String,
}

/// What `tryLogin` takes; without settings those that are kept are tried.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Trial {
    username: String,
    password: String,
    ldap_settings: Option<LdapSettings>,
}

/// Where people sign in.
pub async fn backend(call: Call) -> Result<Response, Problem> {
    call.administrator(Need::Fresh).await?;
    let read = call.context.cluster.read(Freshness::Local, |view| kept::backend(view));
    Ok(answer::json(StatusCode::OK, &backend_of(read.await?.is_ldap)))
}

/// Says where; 200 with it.
pub async fn set_backend(call: Call) -> Result<Response, Problem> {
    let caller = call.administrator(Need::Fresh).await?;
    let (actor, voucher) = (caller.account().to_owned(), caller.voucher());
    let cluster = call.context.cluster.clone();
    let Backend { backend } = call.json().await?;
    let is_ldap = match backend.as_str() {
        "managed" => false,
        "ldap" => true,
        _ => return Err(parameter("backend is managed or ldap")),
    };
    cluster.propose_for(voucher, BackendSet { actor, is_ldap }.into()).await?;
    Ok(answer::json(StatusCode::OK, &backend_of(is_ldap)))
}

fn backend_of(is_ldap: bool) -> Value {
    json!({ "backend": if is_ldap { "ldap" } else { "managed" } })
}

/// How the directory is reached, without its secrets.
pub async fn get(call: Call) -> Result<Response, Problem> {
    call.administrator(Need::Fresh).await?;
    let row = kept_row(&call.context.cluster).await?;
    let settings = row.as_ref().map(LdapSettings::of_row).unwrap_or_default();
    Ok(answer::json(StatusCode::OK, &settings))
}

/// Says how; 200 with it.
pub async fn set(call: Call) -> Result<Response, Problem> {
    let caller = call.administrator(Need::Fresh).await?;
    let (actor, voucher) = (caller.account().to_owned(), caller.voucher());
    let context = Arc::clone(&call.context);
    let settings: LdapSettings = call.json().await?;
    let checked = with_reader_password(&context, settings).await?;
    let Checked { mut row, reader_password, recovery_password } = checked;
    let password = reader_password.unwrap_or_default();
    row.sealed_reader_password = context.auth.directory().seal(&password);
    let recovery_password_hash = match recovery_password {
        Some(password) => Some(recovery_hash(&row.recovery_admin, password).await?),
        None => None,
    };
    let shown = LdapSettings::of_row(&row);
    // One command: what is refused changes no password.
    let set = LdapSet { actor, ldap: row, recovery_password_hash };
    context.cluster.propose_for(voucher, set.into()).await?;
    Ok(answer::json(StatusCode::OK, &shown))
}

/// Signs somebody in by settings that need not be kept; 200 with their account, as it is or would
/// be. Nothing is changed.
pub async fn try_login(call: Call) -> Result<Response, Problem> {
    call.administrator(Need::Fresh).await?;
    let context = Arc::clone(&call.context);
    let Trial { username, password, ldap_settings } = call.json().await?;
    let password = Zeroizing::new(password);
    if username.is_empty() || password.is_empty() {
        return Err(parameter("username and password are needed to try a sign-in"));
    }
    let settings = if let Some(settings) = ldap_settings {
        settings
    } else {
        let row = kept_row(&context.cluster).await?;
        let none = "no ldapSettings are given, and none are kept; give some";
        LdapSettings::of_row(&row.ok_or_else(|| parameter(none))?)
    };
    let checked = with_reader_password(&context, settings).await?;
    let tried = context.auth.directory().try_login(checked, (&username, &password)).await;
    match tried.map_err(problem)? {
        Tried::LetIn(person) => {
            Ok(answer::json(StatusCode::OK, &as_account(&context.cluster, person).await?))
        }
        Tried::WrongPassword(person) => Err(parameter(&format!(
            "the directory finds {} and does not let them in with this password",
            person.dn
        ))),
        Tried::Unknown => Err(parameter(&format!(
            "userSearchConfigs find nobody who is called {username:?}, or several: look at baseDN, \
             usernameAttr, filter and what the reader may see"
        ))),
    }
}

/// The account of somebody whom the directory let in, or the one that they would have.
async fn as_account(cluster: &Cluster, person: Person) -> Result<Value, Problem> {
    let name = &person.name;
    let found = cluster.read(Freshness::Local, |view| accounts::find(view, name)).await?;
    Ok(match found {
        Some(row) => shown(&(person.name, row)),
        None => json!({
            "id": "",
            "name": person.name,
            "fullName": person.full_name,
            "isOrg": false,
            "isAdmin": false,
            "isActive": true,
            "isImported": true,
            "onDemand": false,
            "otpEnabled": false,
            "membersCount": 0,
            "teamsCount": 0,
        }),
    })
}

/// Makes the account of somebody whom the directory knows.
pub(crate) async fn create_account(context: &Context, name: &str) -> Result<Named, Problem> {
    let directory = context.auth.directory();
    let row = directory.in_use().await?.ok_or_else(|| {
        parameter(
            "searchLDAP has nowhere to search: people sign in by passwords kept here; create the \
             account without it, or set the backend to ldap",
        )
    })?;
    let found = directory.look_up(&row, name).await.map_err(problem)?;
    let nobody = || parameter(&format!("the directory knows nobody who is called {name:?}"));
    let person = found.ok_or_else(nobody)?;
    directory.admit(&person).await?;
    as_changed(&context.cluster, &person.name).await
}

/// Goes on only where this user's password is kept here, not in the directory.
pub(crate) async fn check_kept_here(context: &Context, name: &str) -> Result<(), Problem> {
    match context.auth.directory().in_use().await? {
        Some(row) if row.recovery_admin != name => Err(parameter(
            "people sign in by the directory: change the password there; here only that of the \
             recovery administrator is kept",
        )),
        _ => Ok(()),
    }
}

/// Settings that were checked, with the reader's password that was given, or is kept for them.
async fn with_reader_password(
    context: &Context,
    settings: LdapSettings,
) -> Result<Checked, Problem> {
    let checked = settings.check().map_err(|error| parameter(&error))?;
    if checked.reader_password.is_some() {
        return Ok(checked);
    }
    let kept = kept_row(&context.cluster).await?;
    let directory: &Directory = context.auth.directory();
    let reader_password = directory.kept_password(kept.as_ref(), &checked.row).map_err(problem)?;
    Ok(Checked { reader_password, ..checked })
}

/// The text to keep for the recovery administrator's password, where it does.
async fn recovery_hash(name: &str, password: Zeroizing<String>) -> Result<String, Problem> {
    password_rule::check(name, &password)
        .map_err(|unfit| parameter(&format!("recoveryAdminPassword: {unfit}")))?;
    password::hash(password).await.map_err(Problem::Parameter)
}

async fn kept_row(cluster: &Cluster) -> Result<Option<LdapRow>, Problem> {
    Ok(cluster.read(Freshness::Local, |view| kept::ldap(view)).await?)
}

/// What an administrator is told who sets the directory up: all of it.
pub(crate) fn problem(failure: DirectoryFailure) -> Problem {
    match failure {
        DirectoryFailure::Cluster(failure) => failure.into(),
        DirectoryFailure::Busy => Problem::Busy { what: failure.to_string() },
        DirectoryFailure::Unreachable { .. }
        | DirectoryFailure::Silent { .. }
        | DirectoryFailure::Refused { .. }
        | DirectoryFailure::Unreadable { .. }
        | DirectoryFailure::Settings(_) => Problem::Parameter(failure.to_string()),
    }
}

fn parameter(text: &str) -> Problem {
    Problem::Parameter(text.to_owned())
}

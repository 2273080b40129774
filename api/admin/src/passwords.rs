//! Changing a password: one's own by the old one, another's as a system administrator.
//!
//! Source: dtr-interface 4.

use std::sync::Arc;

use auth::password::{self, PasswordFailure};
use auth::password_rule;
use axum::response::Response;
use consensus::cluster::Freshness;
use edge::answer;
use edge::origin::Connected;
use edge::problem::Problem;
use http::StatusCode;
use metadata::access::Caller;
use metadata::accounts::Named;
use metadata::accounts::commands::PasswordSet;
use metadata::tables::Read;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::accounts;
use crate::call::Call;
use crate::ldap_settings;
use crate::reading::{not_authorized, read};
use crate::reference;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    old_password: Option<String>,
    new_password: Option<String>,
}

/// Gives a user another password; 200 with the account.
pub async fn change(call: Call) -> Result<Response, Problem> {
    let caller = call.signed_in().await?;
    let (who, actor) = (caller.as_metadata(), caller.account().to_owned());
    let (text, context) = (call.place("user").to_owned(), Arc::clone(&call.context));
    let address = Connected::of(&call.parts).address.ip();
    let read = read(&context.cluster, Freshness::Local, |view| changeable(view, &who, &text));
    let (name, row) = read.await?;
    let asked: Asked = call.json().await?;
    ldap_settings::check_kept_here(&context, &name).await?;
    let new = Zeroizing::new(asked.new_password.unwrap_or_default());
    let old = asked.old_password.map(Zeroizing::new);
    let choice = password_rule::check(&name, &new);
    choice.map_err(|unfit| Problem::Parameter(unfit.to_string()))?;
    let former_hash = if name == actor {
        let needed = "oldPassword is needed to change one's own password".to_owned();
        let old = old.ok_or(Problem::Parameter(needed))?;
        let compared = context.auth.compare(&name, &old, (&row.password_hash, address)).await;
        compared.map_err(|failure| not_compared(failure, &name))?;
        Some(row.password_hash)
    } else {
        None
    };
    let password_hash = password::hash(new).await.map_err(Problem::Parameter)?;
    let (user, is_rehash) = (name.clone(), false);
    let set = PasswordSet { name: user, actor, password_hash, former_hash, is_rehash };
    context.cluster.propose_for(caller.voucher(), set.into()).await?;
    let changed = accounts::as_changed(&context.cluster, &name).await?;
    Ok(answer::json(StatusCode::OK, &accounts::shown(&changed)))
}

/// The user that a path names, where the caller may give them a password.
fn changeable(read: &impl Read, caller: &Caller, text: &str) -> Result<Named, Problem> {
    let found = reference::user(read, text)?;
    let is_self = found.as_ref().is_ok_and(|(_, row)| caller.id == Some(row.id));
    if is_self || caller.is_admin { Ok(found?) } else { Err(not_authorized(caller)) }
}

fn not_compared(failure: PasswordFailure, account: &str) -> Problem {
    match failure {
        PasswordFailure::Wrong => Problem::PasswordIncorrect { account: account.to_owned() },
        PasswordFailure::TooMany { retry_after_s } => Problem::TooManyAttempts { retry_after_s },
        PasswordFailure::Busy => Problem::Busy { what: failure.to_string() },
    }
}

//! Accounts from elsewhere, with the hashes of their passwords: `/enzi/v0/admin/importAccounts`.
//!
//! All are looked at before the first is made, so that a list with a mistake changes nothing. What
//! others do meanwhile may still come in between: then the answer says how far it went.
//!
//! Source: dtr-interface 4.

use std::collections::BTreeSet;

use auth::imported_hash;
use axum::response::Response;
use consensus::cluster::{Cluster, Failure, Freshness};
use edge::answer;
use edge::caller::Need;
use edge::problem::Problem;
use http::StatusCode;
use metadata::accounts;
use metadata::accounts::FULL_NAME_BYTES_MAX;
use metadata::accounts::commands::{OrganizationCreate, UserCreate};
use metadata::command::Command;
use metadata::refusal::Refusal;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::accounts::shown;
use crate::call::Call;
use crate::reading::{read, read_changed};

/// Accounts of one request, at most.
const ACCOUNTS_MAX: usize = 500;

#[derive(Deserialize)]
struct Asked {
    accounts: Vec<Imported>,
}

/// An account as another product had it.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Imported {
    name: String,
    #[serde(default)]
    full_name: String,
    is_org: Option<bool>,
    is_admin: Option<bool>,
    is_active: Option<bool>,
    password_hash: Option<String>,
}

/// Makes them; 201 with all of them.
pub async fn import(call: Call) -> Result<Response, Problem> {
    let caller = call.administrator(Need::Fresh).await?;
    let (actor, voucher) = (caller.account().to_owned(), caller.voucher());
    let cluster = call.context.cluster.clone();
    let Asked { accounts } = call.json().await?;
    check(&accounts)?;
    let names: Vec<String> = accounts.iter().map(|account| account.name.clone()).collect();
    let read = read(&cluster, Freshness::Local, |view| {
        for name in &names {
            if accounts::find(view, name)?.is_some() {
                return Err(Refusal::AccountExists { name: name.clone() }.into());
            }
        }
        Ok(())
    });
    read.await?;
    for (number, account) in accounts.into_iter().enumerate() {
        let name = account.name.clone();
        let command = account.into_command(actor.clone());
        let made = cluster.propose_for(voucher.clone(), command).await;
        made.map_err(|failure| stopped(failure, &name, number))?;
    }
    let made = made(&cluster, &names).await?;
    Ok(answer::json(StatusCode::CREATED, &json!({ "accounts": made })))
}

/// The accounts, as they are now.
async fn made(cluster: &Cluster, names: &[String]) -> Result<Vec<Value>, Problem> {
    read_changed(cluster, |view| {
        let mut made = Vec::new();
        for name in names {
            let row = accounts::find(view, name)?;
            made.extend(row.map(|row| shown(&(name.clone(), row))));
        }
        Ok(made)
    })
    .await
}

fn check(accounts: &[Imported]) -> Result<(), Problem> {
    if accounts.is_empty() || accounts.len() > ACCOUNTS_MAX {
        let text = format!("accounts is a list of 1 to {ACCOUNTS_MAX}; send more in further lists");
        return Err(Problem::Parameter(text));
    }
    let mut names = BTreeSet::new();
    for account in accounts {
        let unfit = account.unfit().or_else(|| {
            (!names.insert(account.name.as_str())).then(|| "stands there twice".to_owned())
        });
        if let Some(unfit) = unfit {
            let name: String = account.name.chars().take(100).collect();
            return Err(Problem::Parameter(format!("{name:?} {unfit}; nothing was imported")));
        }
    }
    Ok(())
}

impl Imported {
    /// What is wrong with it, if anything.
    fn unfit(&self) -> Option<String> {
        let hash = self.password_hash.as_deref().unwrap_or_default();
        let is_org = self.is_org == Some(true);
        if !accounts::is_name(&self.name) {
            return Some(
                "is no name for an account: lower-case letters, digits and single separators, no \
                 more than 100"
                    .to_owned(),
            );
        }
        if self.full_name.len() > FULL_NAME_BYTES_MAX {
            return Some(format!("has a fullName of more than {FULL_NAME_BYTES_MAX} bytes"));
        }
        if is_org && (!hash.is_empty() || self.is_admin == Some(true)) {
            return Some("is an organization, which has no passwordHash and no isAdmin".to_owned());
        }
        if !hash.is_empty() && imported_hash::parse(hash).is_none() {
            return Some(format!("has a passwordHash that is not taken: {}", imported_hash::FORMS));
        }
        None
    }

    fn into_command(self, actor: String) -> Command {
        let Self { name, full_name, is_org, is_admin, is_active, password_hash } = self;
        if is_org == Some(true) {
            return OrganizationCreate { name, full_name, actor, quota_bytes: 0 }.into();
        }
        let user = UserCreate {
            quota_bytes: 0,
            name,
            password_hash: password_hash.unwrap_or_default(),
            is_admin: is_admin == Some(true),
            full_name,
            is_inactive: is_active == Some(false),
            is_imported: true,
            actor,
        };
        user.into()
    }
}

/// Something came in between.
fn stopped(failure: Failure, name: &str, before: usize) -> Problem {
    match failure {
        Failure::Refused(refusal) if before > 0 => Problem::Parameter(format!(
            "{before} accounts were imported; at {name}: {refusal}; send the list again from there"
        )),
        failure => failure.into(),
    }
}

//! Accounts that cannot be deleted: `/enzi/v0/config/accounts`.
//!
//! Source: dtr-interface 4.

use axum::response::Response;
use consensus::cluster::Freshness;
use edge::answer;
use edge::caller::Need;
use edge::problem::Problem;
use http::StatusCode;
use metadata::accounts::{Filter, counts};
use metadata::directory;
use metadata::directory::commands::{SYSTEM_ACCOUNTS_MAX, SystemAccountsSet};
use metadata::tables::Read;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::call::Call;
use crate::reading::{read, read_changed};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    system_accounts: Vec<String>,
}

/// Which they are, and how many accounts there are in all.
pub async fn get(call: Call) -> Result<Response, Problem> {
    call.administrator(Need::Fresh).await?;
    let read = read(&call.context.cluster, Freshness::Local, |view| shown(view));
    Ok(answer::json(StatusCode::OK, &read.await?))
}

/// Says which; 200 with them.
pub async fn set(call: Call) -> Result<Response, Problem> {
    let caller = call.administrator(Need::Fresh).await?;
    let (actor, voucher) = (caller.account().to_owned(), caller.voucher());
    let cluster = call.context.cluster.clone();
    let Asked { system_accounts: names } = call.json().await?;
    if names.len() > SYSTEM_ACCOUNTS_MAX {
        let text = format!("systemAccounts names at most {SYSTEM_ACCOUNTS_MAX} accounts");
        return Err(Problem::Parameter(text));
    }
    cluster.propose_for(voucher, SystemAccountsSet { actor, names }.into()).await?;
    let changed = read_changed(&cluster, |view| shown(view));
    Ok(answer::json(StatusCode::OK, &changed.await?))
}

fn shown(read: &impl Read) -> Result<Value, Problem> {
    let counts = counts::get(read)?;
    Ok(json!({
        "systemAccounts": directory::system_accounts(read)?.names,
        "usersCount": counts.of(Filter::Users),
        "orgsCount": counts.of(Filter::Organizations),
    }))
}

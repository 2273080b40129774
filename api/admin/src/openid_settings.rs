//! `/enzi/v0/config/openid`: the provider that people may sign in by.
//!
//! Source: dtr-interface 4.

use std::sync::Arc;

use axum::response::Response;
use edge::answer;
use edge::caller::Need;
use edge::context::Context;
use edge::problem::Problem;
use http::StatusCode;
use http::request::Parts;
use metadata::openid::OpenIdRow;
use metadata::openid::commands::OpenIdSet;
use openid::failure::OpenIdFailure;
use openid::settings::OpenIdSettings;
use serde_json::Value;

use crate::call::Call;

/// Where browsers come back to from the provider.
pub(crate) const CALLBACK: &str = "/api/v0/openid/callback";

/// How it is reached, without its secret.
pub async fn get(call: Call) -> Result<Response, Problem> {
    call.administrator(Need::Fresh).await?;
    let (context, parts) = (Arc::clone(&call.context), call.parts.clone());
    let row = context.auth.openid().kept().await?;
    Ok(answer::json(StatusCode::OK, &shown(&context, &parts, row.as_ref()).await?))
}

/// Says how; 200 with it. The provider is asked first whether it is what it should be, unless
/// `?verify=false` says otherwise.
pub async fn set(call: Call) -> Result<Response, Problem> {
    let caller = call.administrator(Need::Fresh).await?;
    let (actor, voucher) = (caller.account().to_owned(), caller.voucher());
    let (context, parts) = (Arc::clone(&call.context), call.parts.clone());
    let is_verified = match call.query.first("verify") {
        None | Some("true") => true,
        Some("false") => false,
        Some(_) => return Err(Problem::Parameter("verify is true or false".to_owned())),
    };
    let settings: OpenIdSettings = call.json().await?;
    let checked = settings.check().map_err(Problem::Parameter)?;
    let row = context.auth.openid().row_of(checked, is_verified).await.map_err(problem)?;
    let set = OpenIdSet { actor, settings: row.clone() };
    context.cluster.propose_for(voucher, set.into()).await?;
    // Names of teams are looked up here, which may be behind.
    context.cluster.barrier().await?;
    Ok(answer::json(StatusCode::OK, &shown(&context, &parts, Some(&row)).await?))
}

async fn shown(
    context: &Context,
    parts: &Parts,
    row: Option<&OpenIdRow>,
) -> Result<Value, Problem> {
    let settings = match row {
        Some(row) => {
            let teams = context.auth.openid().named_teams(row).await?;
            OpenIdSettings::of_row(row, teams)
        }
        None => OpenIdSettings { enabled: false, ..OpenIdSettings::default() },
    };
    let mut document = serde_json::to_value(settings).unwrap_or_default();
    document["callbackURL"] = callback_url(context, parts).into();
    Ok(document)
}

/// What is to be registered at the provider: the same at every replica where there is an external
/// URL, else that of the replica that is asked.
pub(crate) fn callback_url(context: &Context, parts: &Parts) -> String {
    let origin = match &context.names.external_url {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None => context.names.origin(parts),
    };
    format!("{origin}{CALLBACK}")
}

/// What an administrator is told who sets it up: all of it.
fn problem(failure: OpenIdFailure) -> Problem {
    match failure {
        OpenIdFailure::Cluster(failure) => failure.into(),
        OpenIdFailure::Busy => Problem::Busy { what: failure.to_string() },
        other => Problem::Parameter(other.to_string()),
    }
}

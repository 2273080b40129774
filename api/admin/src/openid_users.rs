//! `/enzi/v0/accounts/{user}/openid`: who a user is for the provider.
//!
//! Whoever signs in for the first time is tied to an account of their own. An administrator ties
//! one to an account that is there, so that somebody who had a password or came from the directory
//! keeps what is theirs.

use std::sync::Arc;

use axum::response::Response;
use consensus::cluster::{Cluster, Freshness};
use edge::answer;
use edge::caller::Need;
use edge::problem::Problem;
use http::StatusCode;
use metadata::accounts::AccountId;
use metadata::openid;
use metadata::openid::commands::OpenIdTie;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::call::Call;
use crate::reading::read;
use crate::reference;

#[derive(Deserialize)]
struct Asked {
    subject: String,
}

/// Who they are there; empty texts for nobody.
pub async fn get(call: Call) -> Result<Response, Problem> {
    call.administrator(Need::Fresh).await?;
    let (cluster, (_, id)) = (call.context.cluster.clone(), named(&call).await?);
    Ok(answer::json(StatusCode::OK, &shown(&cluster, &id).await?))
}

/// Says who; 200 with it. Their password opens nothing from then on.
pub async fn tie(call: Call) -> Result<Response, Problem> {
    let caller = call.administrator(Need::Fresh).await?;
    let (actor, voucher) = (caller.account().to_owned(), caller.voucher());
    let (context, (name, id)) = (Arc::clone(&call.context), named(&call).await?);
    let Asked { subject } = call.json().await?;
    if subject.is_empty() {
        let text = "subject is what names them at the provider (the claim sub); DELETE unties";
        return Err(Problem::Parameter(text.to_owned()));
    }
    let tie = OpenIdTie { actor, name, subject };
    context.cluster.propose_for(voucher, tie.into()).await?;
    context.cluster.barrier().await?;
    Ok(answer::json(StatusCode::OK, &shown(&context.cluster, &id).await?))
}

/// Unties them: they sign in by access tokens, until they are given a password.
pub async fn untie(call: Call) -> Result<Response, Problem> {
    let caller = call.administrator(Need::Fresh).await?;
    let (actor, voucher) = (caller.account().to_owned(), caller.voucher());
    let (name, _) = named(&call).await?;
    let untie = OpenIdTie { actor, name, subject: String::new() };
    call.context.cluster.propose_for(voucher, untie.into()).await?;
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

/// The user that the path names.
fn named(call: &Call) -> impl Future<Output = Result<(String, AccountId), Problem>> + Send + use<> {
    let (cluster, text) = (call.context.cluster.clone(), call.place("user").to_owned());
    async move {
        let read = read(&cluster, Freshness::Local, |view| {
            let (name, row) = reference::user(view, &text)??;
            Ok((name, row.id))
        });
        read.await
    }
}

async fn shown(cluster: &Cluster, id: &AccountId) -> Result<Value, Problem> {
    let user = cluster.read(Freshness::Local, |view| openid::user(view, id)).await?;
    let (issuer, subject) = user.map(|user| (user.issuer, user.subject)).unwrap_or_default();
    Ok(json!({ "issuerIdentifier": issuer, "subject": subject }))
}

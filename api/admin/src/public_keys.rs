//! Public keys of a user, under `/enzi/v0/accounts/{user}/publicKeys`: whose signature is whose.
//!
//! A key is named by the SHA-256 of its bare DER, so that it is the same one whether it came by
//! itself or in a certificate. A user manages their own, a system administrator everybody's.
//!
//! Source: dtr-interface 4, 19.2.

use auth::access_token::{hash_from, hex};
use axum::response::Response;
use consensus::cluster::Freshness;
use edge::answer;
use edge::problem::Problem;
use http::StatusCode;
use metadata::access::Caller;
use metadata::accounts::Named;
use metadata::public_keys::{self, KeyId, PublicKeyDelete, PublicKeyPut, PublicKeyRow};
use metadata::public_keys::{LABEL_BYTES_MAX, PublicKeyUpdate};
use metadata::refusal::Refusal;
use metadata::tables::Read;
use serde::Deserialize;
use serde_json::{Value, json};
use wire::public_key;

use crate::call::Call;
use crate::listing::Shown;
use crate::paging::Part;
use crate::reading::{not_authorized, read, read_changed};
use crate::reference::{self, uuid};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    public_key: Option<String>,
    label: Option<String>,
}

impl Asked {
    fn label(&self) -> Result<String, Problem> {
        let label = self.label.clone().unwrap_or_default();
        if label.len() > LABEL_BYTES_MAX {
            let text = format!("a label has at most {LABEL_BYTES_MAX} bytes");
            return Err(Problem::Parameter(text));
        }
        Ok(label)
    }
}

/// A part of a user's keys, by their ids.
pub async fn list(call: Call) -> Result<Response, Problem> {
    let who = call.signed_in().await?.as_metadata();
    let (part, text) = (Part::of_limit(&call.query)?, call.place("user").to_owned());
    let start = match part.start.as_str() {
        "" => Vec::new(),
        text => id_of(text).ok_or_else(unreadable)?.to_vec(),
    };
    let found = read(&call.context.cluster, Freshness::Local, |view| {
        let (_, row) = managed(view, &who, &text)?;
        Ok(public_keys::listing(view, &row.id, &start, part.limit)?)
    });
    let found = found.await?;
    let shown = found.items.iter().map(|(id, row)| shown(id, row)).collect();
    let next = found.next.map(|(id, _)| hex(&id));
    Ok(Shown { entries: shown, next }.answer("accountPublicKeys"))
}

/// Gives a user a key; 201. One that they have already stays theirs and gets the label.
pub async fn add(call: Call) -> Result<Response, Problem> {
    let caller = call.signed_in().await?;
    let (who, actor) = (caller.as_metadata(), caller.account().to_owned());
    let (text, cluster) = (call.place("user").to_owned(), call.context.cluster.clone());
    let read = read(&cluster, Freshness::Local, |view| managed(view, &who, &text));
    let account = read.await?.0;
    let asked: Asked = call.json().await?;
    let label = asked.label()?;
    let pem = asked.public_key.unwrap_or_default();
    let der = public_key::from_pem(&pem).map_err(|error| Problem::Parameter(error.to_string()))?;
    let id = public_keys::id_of(&der);
    let put = PublicKeyPut { account, actor, der, label };
    cluster.propose_for(caller.voucher(), put.into()).await?;
    let changed = read_changed(&cluster, |view| Ok(public_keys::find(view, &id)?));
    let row = changed.await?.ok_or(Refusal::PublicKeyUnknown)?;
    Ok(answer::json(StatusCode::CREATED, &shown(&id, &row)))
}

/// Calls one otherwise; 200 with the key.
pub async fn update(call: Call) -> Result<Response, Problem> {
    let caller = call.signed_in().await?;
    let (who, actor) = (caller.as_metadata(), caller.account().to_owned());
    let (text, cluster) = (call.place("user").to_owned(), call.context.cluster.clone());
    let id = named(&call)?;
    let read = read(&cluster, Freshness::Local, |view| owned(view, &who, &text, &id));
    let (account, _) = read.await?;
    let asked: Asked = call.json().await?;
    if asked.label.is_some() {
        let update = PublicKeyUpdate { account, actor, id, label: asked.label()? };
        cluster.propose_for(caller.voucher(), update.into()).await?;
    }
    let changed = read_changed(&cluster, |view| Ok(owned(view, &who, &text, &id)?.1));
    Ok(answer::json(StatusCode::OK, &shown(&id, &changed.await?)))
}

/// Takes one away; 204.
pub async fn delete(call: Call) -> Result<Response, Problem> {
    let caller = call.signed_in().await?;
    let (who, actor) = (caller.as_metadata(), caller.account().to_owned());
    let (text, cluster, id) = (call.place("user").to_owned(), &call.context.cluster, named(&call)?);
    let read = read(cluster, Freshness::Local, |view| owned(view, &who, &text, &id));
    let (account, _) = read.await?;
    let delete = PublicKeyDelete { account, actor, id };
    cluster.propose_for(caller.voucher(), delete.into()).await?;
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

/// The user that a path names, where their keys are the caller's business.
fn managed(read: &impl Read, caller: &Caller, text: &str) -> Result<Named, Problem> {
    let found = reference::user(read, text)?;
    let is_self = found.as_ref().is_ok_and(|(_, row)| caller.id == Some(row.id));
    if is_self || caller.is_admin { Ok(found?) } else { Err(not_authorized(caller)) }
}

/// The user's name and the key, where it is theirs.
fn owned(
    read: &impl Read,
    caller: &Caller,
    text: &str,
    id: &KeyId,
) -> Result<(String, PublicKeyRow), Problem> {
    let (name, row) = managed(read, caller, text)?;
    let key = public_keys::find(read, id)?.filter(|key| key.account == row.id);
    Ok((name, key.ok_or(Refusal::PublicKeyUnknown)?))
}

/// The key that the path names; what can be no key's id names none.
fn named(call: &Call) -> Result<KeyId, Problem> {
    Ok(id_of(call.place("keyID")).ok_or(Refusal::PublicKeyUnknown)?)
}

fn id_of(text: &str) -> Option<KeyId> {
    hash_from(text)
}

fn unreadable() -> Problem {
    Problem::Parameter("start is the id of a public key".to_owned())
}

fn shown(id: &KeyId, row: &PublicKeyRow) -> Value {
    json!({
        "id": hex(id),
        "accountID": uuid(&row.account),
        "publicKey": public_key::to_pem(&row.der),
        "label": row.label,
    })
}

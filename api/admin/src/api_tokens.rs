//! `/api/v0/api_tokens`: access tokens, which stand for a user's password.
//!
//! Only the hash of a token is kept, and names it here. A user manages their own, a system
//! administrator everybody's; to others a token is unknown. Whoever signed in with a token that
//! was made for something in particular manages none.
//!
//! Source: dtr-interface 2.3, 3.1, 3.2, 11.4.

use auth::access_token::{hash_from, hex};
use axum::response::Response;
use consensus::cluster::{Cluster, Freshness};
use edge::access_tokens::{self as making, Wanted};
use edge::answer;
use edge::problem::{AccountProblem, Problem};
use http::StatusCode;
use metadata::access::Caller;
use metadata::access_tokens::commands::{AccessTokenDelete, AccessTokenUpdate, AccessTokensDelete};
use metadata::access_tokens::{self, AccessTokenRow, Origin, TokenHash};
use metadata::accounts::{self, AccountId};
use metadata::outcome::Answer;
use metadata::refusal::Refusal;
use metadata::tables::{Damage, Read};
use serde_json::{Value, json};

use crate::call::Call;
use crate::moment;
use crate::paging::{self, Part};
use crate::reading::{not_authorized, read, read_changed};
use crate::reference;

mod form;

use form::{Asked, Bulk};

/// A part of the tokens of one user, or of all users where a system administrator names none.
pub async fn list(call: Call) -> Result<Response, Problem> {
    let who = call.signed_in().await?.as_metadata();
    let part = Part::of_page(&call.query)?;
    let start = match part.start.as_str() {
        "" => Vec::new(),
        text => form::cursor(text)?.to_vec(),
    };
    let named = call.query.first("username").map(str::to_owned);
    let read = read(&call.context.cluster, Freshness::Local, |view| {
        let owner = match named.as_deref() {
            None | Some("") if who.is_admin => None,
            named => Some(owner(view, &who, named)?.id),
        };
        let found = access_tokens::listing(view, owner.as_ref(), &start, part.limit)?;
        let all = || access_tokens::listing(view, owner.as_ref(), &[], usize::MAX);
        let count = part.count.then(all).transpose()?.map(|all| all.items.len());
        let shown = found.items.iter().map(|(hash, row)| shown(view, hash, row));
        let shown = shown.filter_map(Result::transpose).collect::<Result<Vec<Value>, Damage>>()?;
        Ok((shown, found.next.map(|(hash, _)| hex(&hash)), count))
    });
    let (shown, next, count) = read.await?;
    let mut response = answer::json(StatusCode::OK, &shown);
    paging::tell(&mut response, next.as_deref(), count);
    Ok(response)
}

/// Makes one; this answer is the only place where its text is ever shown.
pub async fn create(call: Call) -> Result<Response, Problem> {
    let caller = call.signed_in().await?;
    caller.permit_by_password()?;
    let (context, headers) = (call.context.clone(), call.parts.headers.clone());
    let named = call.query.first("username").map(str::to_owned);
    let who = caller.as_metadata();
    let read = read(&context.cluster, Freshness::Local, |view| owner(view, &who, named.as_deref()));
    let account = read.await?.name;
    let asked: Asked = call.json().await?;
    let now_ms = context.clock.wall_ms().max(context.cluster.wall_ms().await?);
    let wanted = Wanted {
        account,
        actor: caller.account().to_owned(),
        label: asked.label()?.unwrap_or_default(),
        origin: Origin::Manual,
        expires_wall_ms: asked.expires_wall_ms(now_ms)?,
        scopes: asked.scopes()?,
    };
    let (text, hash) = making::make(&context, &headers, wanted).await?;
    let mut shown = as_changed(&context.cluster, &hash).await?;
    shown["token"] = text.as_str().into();
    Ok(answer::json(StatusCode::OK, &shown))
}

/// Revokes those of one user that were not used for long; 200, as clients expect.
pub async fn delete_some(call: Call) -> Result<Response, Problem> {
    let caller = call.signed_in().await?;
    let Bulk { used_before_wall_ms, origin } = Bulk::read(&call.query)?;
    let named = call.query.first("username").map(str::to_owned);
    let (who, cluster) = (caller.as_metadata(), &call.context.cluster);
    let read = read(cluster, Freshness::Local, |view| owner(view, &who, named.as_deref()));
    let (account, actor) = (read.await?.name, caller.account().to_owned());
    let origin = Some(origin);
    let start = Vec::new();
    let first = AccessTokensDelete { account, actor, used_before_wall_ms, origin, start };
    delete_all(cluster, first).await?;
    Ok(answer::empty(StatusCode::OK))
}

/// Shows one.
pub async fn get(call: Call) -> Result<Response, Problem> {
    let who = call.signed_in().await?.as_metadata();
    let hash = named(&call)?;
    let read = read(&call.context.cluster, Freshness::Local, |view| {
        let found = access_tokens::find_with_owner(view, &hash)?;
        let (row, (owner, _)) = found.ok_or(Refusal::AccessTokenUnknown)?;
        if !who.is_admin && who.account.as_ref() != Some(&owner) {
            return Err(Refusal::AccessTokenUnknown.into());
        }
        Ok(shown(view, &hash, &row)?.ok_or(Refusal::AccessTokenUnknown)?)
    });
    Ok(answer::json(StatusCode::OK, &read.await?))
}

/// Changes its label, and whether it may be used; 200 with the token as it is then.
pub async fn update(call: Call) -> Result<Response, Problem> {
    let caller = call.signed_in().await?;
    let actor = caller.account().to_owned();
    let (hash, cluster) = (named(&call)?, call.context.cluster.clone());
    let asked: Asked = call.json().await?;
    asked.check_stays()?;
    let (label, is_active) = (asked.label()?, asked.is_active);
    if is_active == Some(true) {
        caller.permit_by_password()?;
    }
    cluster.propose(AccessTokenUpdate { hash, actor, label, is_active }.into()).await?;
    Ok(answer::json(StatusCode::OK, &as_changed(&cluster, &hash).await?))
}

/// Revokes one for ever; 200, as clients expect.
pub async fn delete(call: Call) -> Result<Response, Problem> {
    let actor = call.signed_in().await?.account().to_owned();
    let hash = named(&call)?;
    call.context.cluster.propose(AccessTokenDelete { hash, actor }.into()).await?;
    Ok(answer::empty(StatusCode::OK))
}

/// Whose tokens are meant.
struct Owner {
    name: String,
    id: AccountId,
}

/// The user that is named, where the caller may name them, or the caller. Who may not is not told
/// whether there is such a user.
fn owner(read: &impl Read, who: &Caller, named: Option<&str>) -> Result<Owner, Problem> {
    let Some(text) = named.filter(|text| !text.is_empty()) else {
        let (Some(name), Some(id)) = (who.account.clone(), who.id) else {
            return Err(not_authorized(who));
        };
        return Ok(Owner { name, id });
    };
    match reference::user(read, text)? {
        Ok((name, row)) if who.is_admin || who.id == Some(row.id) => Ok(Owner { name, id: row.id }),
        Err(_) if who.is_admin => {
            Err(AccountProblem::UserUnknown { name: text.chars().take(128).collect() }.into())
        }
        _ => Err(not_authorized(who)),
    }
}

/// Revokes part after part.
async fn delete_all(cluster: &Cluster, mut part: AccessTokensDelete) -> Result<(), Problem> {
    loop {
        match cluster.propose(part.clone().into()).await? {
            Answer::TokensDeleted { next, .. } if !next.is_empty() => part.start = next,
            _ => return Ok(()),
        }
    }
}

/// The token that the path names.
fn named(call: &Call) -> Result<TokenHash, Problem> {
    hash_from(call.place("hashedtoken")).ok_or_else(|| Refusal::AccessTokenUnknown.into())
}

/// The token after a change.
async fn as_changed(cluster: &Cluster, hash: &TokenHash) -> Result<Value, Problem> {
    let read = read_changed(cluster, |view| {
        let row = access_tokens::find(view, hash)?.ok_or(Refusal::AccessTokenUnknown)?;
        Ok(shown(view, hash, &row)?.ok_or(Refusal::AccessTokenUnknown)?)
    });
    read.await
}

/// One as clients of the old product read it, with what is new behind; `None` where its owner was
/// deleted.
fn shown(
    read: &impl Read,
    hash: &TokenHash,
    row: &AccessTokenRow,
) -> Result<Option<Value>, Damage> {
    let Some((owner, _)) = accounts::find_by_id(read, &row.account)? else { return Ok(None) };
    Ok(Some(json!({
        "hashedToken": hex(hash),
        "tokenLabel": row.label,
        "isActive": row.is_active,
        "createdAt": moment::or_never(row.created_wall_ms),
        "lastUsed": moment::or_never(row.last_used_wall_ms),
        "creatorUa": row.creator_agent,
        "generatedBy": form::word(row.origin),
        "username": owner,
        "scopes": row.scopes,
        "expiresAt": moment::or_never(row.expires_wall_ms),
    })))
}

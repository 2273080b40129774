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
use consensus::tables::View;
use edge::access_tokens::{self as making, Wanted};
use edge::answer;
use edge::problem::{AccountProblem, Problem};
use http::StatusCode;
use metadata::access::{Caller, standing};
use metadata::access_tokens::commands::{AccessTokenDelete, AccessTokenUpdate, AccessTokensDelete};
use metadata::access_tokens::{self, AccessTokenRow, Origin, TokenHash};
use metadata::accounts::{self, AccountId, AccountRow};
use metadata::outcome::Answer;
use metadata::page::Listing;
use metadata::refusal::Refusal;
use metadata::robots;
use metadata::tables::{Damage, Read};
use metadata::vouchers::Voucher;
use serde_json::{Value, json};

use crate::call::Call;
use crate::gathering::{count, gather};
use crate::moment;
use crate::paging::{self, Part};
use crate::reading::{not_authorized, read, read_changed};
use crate::reference;

pub(crate) mod form;

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
    let cluster = &call.context.cluster;
    let read = read(cluster, Freshness::Local, |view| match named.as_deref() {
        None | Some("") if who.is_admin => Ok(None),
        named => Ok(Some(owner(view, &who, named)?.id)),
    });
    let owner = read.await?;
    let entries = |view: &View<'_>, from: &Vec<u8>, most| {
        let keyed = |(hash, row): (TokenHash, AccessTokenRow)| (hash.to_vec(), (hash, row));
        let found = access_tokens::listing(view, owner.as_ref(), from, most)?;
        let items = found.items.into_iter().map(keyed).collect();
        Ok(Listing { items, next: found.next.map(keyed) })
    };
    let (list, next) = gather(cluster, (start, part.limit), entries, |view, _, (hash, row)| {
        shown(view, hash, row)
    })
    .await?;
    let count = if part.count {
        // Those of a deleted account go with the entries that follow.
        let is_shown = |view: &View<'_>, _: &Vec<u8>, (_, row): &(TokenHash, AccessTokenRow)| {
            Ok(accounts::find_by_id(view, &row.account)?.is_some())
        };
        Some(count(cluster, Vec::new(), entries, is_shown).await?)
    } else {
        None
    };
    let mut response = answer::json(StatusCode::OK, &list);
    paging::tell(&mut response, next.map(|hash| hex(&hash)).as_deref(), count);
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
        voucher: caller.voucher(),
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
    delete_all(cluster, caller.voucher(), first).await?;
    Ok(answer::empty(StatusCode::OK))
}

/// Shows one.
pub async fn get(call: Call) -> Result<Response, Problem> {
    let who = call.signed_in().await?.as_metadata();
    let hash = named(&call)?;
    let read = read(&call.context.cluster, Freshness::Local, |view| {
        let row = owned(view, &who, &hash)?;
        Ok(shown(view, &hash, &row)?.ok_or(Refusal::AccessTokenUnknown)?)
    });
    Ok(answer::json(StatusCode::OK, &read.await?))
}

/// Changes its label, and whether it may be used; 200 with the token as it is then.
pub async fn update(call: Call) -> Result<Response, Problem> {
    let caller = call.signed_in().await?;
    let actor = caller.account().to_owned();
    let (hash, cluster, who) = (named(&call)?, call.context.cluster.clone(), caller.as_metadata());
    read(&cluster, Freshness::Local, |view| owned(view, &who, &hash)).await?;
    let asked: Asked = call.json().await?;
    asked.check_stays()?;
    let (label, is_active) = (asked.label()?, asked.is_active);
    if is_active == Some(true) {
        caller.permit_by_password()?;
    }
    let update = AccessTokenUpdate { hash, actor, label, is_active };
    cluster.propose_for(caller.voucher(), update.into()).await?;
    Ok(answer::json(StatusCode::OK, &as_changed(&cluster, &hash).await?))
}

/// Revokes one for ever; 200, as clients expect.
pub async fn delete(call: Call) -> Result<Response, Problem> {
    let caller = call.signed_in().await?;
    let (hash, cluster, who) = (named(&call)?, &call.context.cluster, caller.as_metadata());
    read(cluster, Freshness::Local, |view| owned(view, &who, &hash)).await?;
    let delete = AccessTokenDelete { hash, actor: caller.account().to_owned() };
    cluster.propose_for(caller.voucher(), delete.into()).await?;
    Ok(answer::empty(StatusCode::OK))
}

/// The token, to whom it belongs ([`keeps`]); to others there is none. What a command
/// would refuse is no entry of the log.
fn owned(read: &impl Read, who: &Caller, hash: &TokenHash) -> Result<AccessTokenRow, Problem> {
    let found = access_tokens::find_with_owner(read, hash)?;
    let (row, (owner, account)) = found.ok_or(Refusal::AccessTokenUnknown)?;
    if keeps(read, who, (&owner, &account))? {
        return Ok(row);
    }
    Err(Refusal::AccessTokenUnknown.into())
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
        Ok((name, row)) if keeps(read, who, (&name, &row))? => Ok(Owner { name, id: row.id }),
        Err(_) if who.is_admin => {
            Err(AccountProblem::UserUnknown { name: text.chars().take(128).collect() }.into())
        }
        _ => Err(not_authorized(who)),
    }
}

/// Whether the caller says what signs in as this account: for a robot the owners of its
/// organization do.
fn keeps(read: &impl Read, who: &Caller, (name, row): (&str, &AccountRow)) -> Result<bool, Damage> {
    match robots::organization_of(name) {
        Some(organization) => standing::manages(read, who, organization),
        None => Ok(who.is_admin || who.id == Some(row.id)),
    }
}

/// Revokes part after part.
async fn delete_all(
    cluster: &Cluster,
    voucher: Option<Voucher>,
    mut part: AccessTokensDelete,
) -> Result<(), Problem> {
    loop {
        match cluster.propose_for(voucher.clone(), part.clone().into()).await? {
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

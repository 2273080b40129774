//! Robots of an organization, under `/enzi/v0/accounts/{org}/robots`: programs that sign in with
//! access tokens. Its owners make them, and give them rights by teams as they do people.

use auth::access_token::hex;
use axum::response::Response;
use consensus::cluster::Freshness;
use edge::access_tokens::{self as making, Wanted};
use edge::answer;
use edge::problem::Problem;
use http::StatusCode;
use metadata::access_tokens::Origin;
use metadata::accounts;
use metadata::refusal::Refusal;
use metadata::robots::{self, RobotCreate, RobotDelete};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::accounts::shown;
use crate::api_tokens::form;
use crate::call::Call;
use crate::listing::{Shown, account_name};
use crate::membership;
use crate::paging::Part;
use crate::reading::{read, read_changed};
use crate::reference::uuid;

/// What POST takes: the robot, and what its first token is good for.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    name: Option<String>,
    description: Option<String>,
    #[serde(flatten)]
    token: form::Asked,
}

/// A part of an organization's robots, by name; for its members.
pub async fn list(call: Call) -> Result<Response, Problem> {
    let who = call.signed_in().await?.as_metadata();
    let (part, text) = (Part::of_limit(&call.query)?, call.place("org").to_owned());
    let found = read(&call.context.cluster, Freshness::Local, |view| {
        let (organization, _) = membership::organization(view, &who, &text)?;
        let start = account_name(view, &part.start)?;
        Ok(robots::listing(view, &organization, &start, part.limit)?)
    });
    let found = found.await?;
    let entries: Vec<Value> = found.items.iter().map(shown).collect();
    let next = found.next.map(|(_, row)| uuid(&row.id));
    Ok(Shown { entries, next }.answer("robots"))
}

/// Makes one with its first token, whose text is shown this once; 201.
pub async fn create(call: Call) -> Result<Response, Problem> {
    let caller = call.signed_in().await?;
    caller.permit_by_password()?;
    let (who, actor) = (caller.as_metadata(), caller.account().to_owned());
    let (text, context) = (call.place("org").to_owned(), call.context.clone());
    let headers = call.parts.headers.clone();
    let found =
        read(&context.cluster, Freshness::Local, |view| membership::managed(view, &who, &text));
    let (organization, _) = found.await?;
    let asked: Asked = call.json().await?;
    let now_ms = context.clock.wall_ms().max(context.cluster.wall_ms().await?);
    let (scopes, expires_wall_ms) = (asked.token.scopes()?, asked.token.expires_wall_ms(now_ms)?);
    let name = asked.name.unwrap_or_default();
    let account = robots::name_of(&organization, &name);
    let description = asked.description.unwrap_or_default();
    let create = RobotCreate { organization, name, description, actor: actor.clone() };
    context.cluster.propose_for(caller.voucher(), create.into()).await?;
    let wanted = Wanted {
        account: account.clone(),
        actor,
        voucher: caller.voucher(),
        label: "first".to_owned(),
        origin: Origin::Manual,
        expires_wall_ms,
        scopes,
    };
    let (secret, hash) = making::make(&context, &headers, wanted).await?;
    let changed = read_changed(&context.cluster, |view| Ok(accounts::find(view, &account)?));
    let row = changed.await?.ok_or(Refusal::AccountUnknown { name: account.clone() })?;
    let mut document = shown(&(account, row));
    document["token"] = json!(secret.as_str());
    document["hashedToken"] = json!(hex(&hash));
    Ok(answer::json(StatusCode::CREATED, &document))
}

/// Takes one away with its tokens; 204.
pub async fn delete(call: Call) -> Result<Response, Problem> {
    let caller = call.signed_in().await?;
    let (who, actor) = (caller.as_metadata(), caller.account().to_owned());
    let (text, named) = (call.place("org").to_owned(), call.place("robot").to_owned());
    let cluster = &call.context.cluster;
    let found = read(cluster, Freshness::Local, |view| membership::managed(view, &who, &text));
    let (organization, _) = found.await?;
    // By its own name, or by the whole.
    let prefix = robots::name_of(&organization, "");
    let name = named.strip_prefix(&prefix).unwrap_or(&named).to_owned();
    let delete = RobotDelete { organization, name, actor };
    cluster.propose_for(caller.voucher(), delete.into()).await?;
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

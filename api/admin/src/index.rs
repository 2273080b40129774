//! `/api/v0/index/…` and `/v1/search`: finding repositories and accounts by a part of their name.
//!
//! Source: dtr-interface 2.5, 3.2; registry-protocol H4.

use axum::response::Response;
use consensus::cluster::Freshness;
use edge::answer;
use edge::context::Context;
use edge::problem::Problem;
use edge::query::Query;
use http::StatusCode;
use metadata::access::Caller;
use metadata::accounts::{self, Filter};
use metadata::repositories::{Named, description, visible};
use metadata::tables::{Damage, Read};
use serde_json::{Value, json};

use crate::accounts::shown as account_shown;
use crate::call::Call;
use crate::reading::read;
use crate::repositories::shown_in_lists;

/// Entries where no number is asked for, and the most.
const LIMIT_DEFAULT: usize = 25;
const LIMIT_MAX: usize = 100;
/// Names that one search looks at: so much time may it take.
const LOOKED_AT_MAX: usize = 5_000;
/// Names that are looked at in one go.
const AT_ONCE: usize = 1000;

/// What to offer while somebody types.
pub async fn autocomplete(call: Call) -> Result<Response, Problem> {
    let caller = call.signed_in().await?.as_metadata();
    let text = term(&call.query, "query")?;
    let limit = limit(&call.query, "limit")?;
    let wants = |name| call.query.first(name) != Some("false");
    let (repositories, accounts) = (wants("includeRepositories"), wants("includeAccounts"));
    let prefix = match call.query.first("namespace").unwrap_or_default() {
        "" => String::new(),
        namespace => format!("{namespace}/"),
    };
    let found = read(&call.context.cluster, Freshness::Local, |view| {
        let mut document = json!({});
        if accounts {
            document["accountResults"] = accounts_with(view, &text, limit)?.into();
        }
        if repositories {
            let found = repositories_with(view, &caller, (&prefix, &text), limit)?;
            let shown = found.into_iter().map(|named| shown_in_lists(view, named));
            let shown = shown.collect::<Result<Vec<Value>, Damage>>()?;
            document["repositoryResults"] = shown.into();
        }
        Ok(document)
    });
    Ok(answer::json(StatusCode::OK, &found.await?))
}

/// What `docker search` asks through this API.
pub async fn docker_search(call: Call) -> Result<Response, Problem> {
    let caller = call.anyone().await?;
    let (response, _) = search(&call.context, &call.query, &caller, "is_trusted").await?;
    Ok(response)
}

/// What `docker search` and `podman search` ask a registry for. podman asks without credentials,
/// and goes on to the catalog with them where that is refused; so one who did not sign in and finds
/// nothing is told to.
pub async fn old_search(call: Call) -> Result<Response, Problem> {
    let caller = call.anyone().await?;
    let (response, found) = search(&call.context, &call.query, &caller, "is_automated").await?;
    if found == 0 {
        caller.permit_signed_in()?;
    }
    Ok(response)
}

/// The answer, and how many repositories it names.
async fn search(
    context: &Context,
    query: &Query,
    caller: &edge::caller::Caller,
    last_field: &'static str,
) -> Result<(Response, usize), Problem> {
    // A token for something in particular shows nothing but what everybody sees.
    let is_narrowed = caller.identity.is_narrowed();
    let caller = if is_narrowed { Caller::default() } else { caller.as_metadata() };
    let text = term(query, "q")?;
    let limit = limit(query, "n")?;
    let found = read(&context.cluster, Freshness::Local, |view| {
        let found = repositories_with(view, &caller, ("", &text), limit)?;
        let results = found.into_iter().map(|(name, row)| {
            let said = description::of(view, &row)?;
            let mut result = json!({
                "name": name.as_str(),
                "description": said.short,
                "star_count": 0,
                "is_official": false,
            });
            result[last_field] = false.into();
            Ok(result)
        });
        Ok(results.collect::<Result<Vec<Value>, Damage>>()?)
    });
    let results = found.await?;
    let document = json!({ "num_results": results.len(), "query": text, "results": results });
    Ok((answer::json(StatusCode::OK, &document), results.len()))
}

/// The text looked for, as names are written.
fn term(query: &Query, name: &str) -> Result<String, Problem> {
    let text = query.first(name).map(|text| text.trim().to_lowercase());
    let text = text.filter(|text| text.len() <= 255);
    text.ok_or_else(|| Problem::Parameter(format!("{name} is a part of a name, 255 bytes at most")))
}

fn limit(query: &Query, name: &str) -> Result<usize, Problem> {
    let Some(text) = query.first(name) else { return Ok(LIMIT_DEFAULT) };
    let number = text.parse::<usize>().ok().filter(|number| *number > 0);
    let number = number.ok_or_else(|| Problem::Parameter(format!("{name} is a number above 0")))?;
    Ok(number.min(LIMIT_MAX))
}

/// Repositories that the caller may see, under `prefix`, with the text in their name: first those
/// whose name begins with it, which are found however many there are, then others.
fn repositories_with(
    read: &impl Read,
    caller: &Caller,
    (prefix, text): (&str, &str),
    limit: usize,
) -> Result<Vec<Named>, Damage> {
    let beginning = format!("{prefix}{text}");
    let mut found = visible::listing(read, caller, (&beginning, ""), limit)?.items;
    let (mut start, mut looked_at) = (String::new(), 0);
    while found.len() < limit && looked_at < LOOKED_AT_MAX {
        let part = visible::listing(read, caller, (prefix, &start), AT_ONCE)?;
        looked_at += part.items.len();
        let others = part.items.into_iter().filter(|(name, _)| {
            let name = name.as_str();
            !name.starts_with(&beginning) && name[prefix.len()..].contains(text)
        });
        found.extend(others);
        let Some((next, _)) = part.next else { break };
        next.as_str().clone_into(&mut start);
    }
    found.truncate(limit);
    Ok(found)
}

/// Accounts whose name begins with the text; everybody may know of them.
fn accounts_with(read: &impl Read, text: &str, limit: usize) -> Result<Vec<Value>, Damage> {
    let found = accounts::listing(read, Filter::All, text, limit)?.items.into_iter();
    let named = found.take_while(|(name, _)| name.starts_with(text));
    Ok(named.map(|named| json!(account_shown(&named))).collect())
}

//! `/api/v0/index/…` and `/v1/search`: finding repositories and accounts by a part of their name.
//!
//! Source: dtr-interface 2.5, 3.2; registry-protocol H4.

use axum::response::Response;
use consensus::cluster::{Cluster, Freshness};
use consensus::tables::View;
use edge::answer;
use edge::context::Context;
use edge::problem::Problem;
use edge::query::Query;
use edge::visible;
use http::StatusCode;
use metadata::access::{Caller, standing};
use metadata::accounts::{self, Filter};
use metadata::repositories::visible::{PART_MAX, Walk};
use metadata::repositories::{Named, description};
use metadata::tables::{Damage, Read};
use oci::name::RepositoryName;
use serde_json::{Value, json};

use crate::accounts::shown as account_shown;
use crate::call::Call;
use crate::reading::read;
use crate::repositories::in_list;

/// Entries where no number is asked for, and the most.
const LIMIT_DEFAULT: usize = 25;
const LIMIT_MAX: usize = 100;
/// Names that one search looks at: so much time may it take.
const LOOKED_AT_MAX: usize = 5_000;
/// Parts of the accounts that it looks at.
const ACCOUNT_PARTS_MAX: usize = 20;

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
    let (cluster, mut document) = (&call.context.cluster, json!({}));
    if accounts {
        let found =
            read(cluster, Freshness::Local, |view| Ok(accounts_with(view, &caller, &text, limit)?));
        document["accountResults"] = found.await?.into();
    }
    if repositories {
        let named = (prefix.as_str(), text.as_str());
        let found =
            repositories_with(cluster, &caller, named, limit, |view, named| in_list(view, named));
        document["repositoryResults"] = found.await?.into();
    }
    Ok(answer::json(StatusCode::OK, &document))
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
    // A token for something else shows nothing but what everybody sees.
    let is_for_search = caller.identity.covers("registry", "catalog", "search");
    let caller = if is_for_search { caller.as_metadata() } else { Caller::default() };
    let text = term(query, "q")?;
    let limit = limit(query, "n")?;
    let found = repositories_with(&context.cluster, &caller, ("", &text), limit, |view, named| {
        let (name, row) = named;
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
async fn repositories_with<T: Send>(
    cluster: &Cluster,
    caller: &Caller,
    (prefix, text): (&str, &str),
    limit: usize,
    show: impl Fn(&View<'_>, Named) -> Result<T, Damage> + Send + Sync,
) -> Result<Vec<T>, Problem> {
    let beginning = format!("{prefix}{text}");
    let walk = Walk::new(caller.clone(), &beginning, "");
    let (mut found, _) = visible::gather(cluster, walk, limit, &show).await?;
    let is_other = |name: &RepositoryName| {
        let name = name.as_str();
        !name.starts_with(&beginning) && name[prefix.len()..].contains(text)
    };
    let (mut walk, mut looked_at) = (Walk::new(caller.clone(), prefix, ""), 0);
    while found.len() < limit && looked_at < LOOKED_AT_MAX && !walk.is_done() {
        let others = cluster.read(Freshness::Local, |view| {
            let part = walk.step(view, PART_MAX)?;
            looked_at += part.len().max(1);
            let others = part.into_iter().filter(|(name, _)| is_other(name));
            others.map(|named| show(view, named)).collect::<Result<Vec<T>, Damage>>()
        });
        found.extend(others.await?);
    }
    found.truncate(limit);
    Ok(found)
}

/// Accounts whose name begins with the text and of which the caller may know.
fn accounts_with(
    read: &impl Read,
    caller: &Caller,
    text: &str,
    limit: usize,
) -> Result<Vec<Value>, Damage> {
    let (mut found, mut start) = (Vec::new(), text.to_owned());
    // Robots that the caller may not know of are passed over, a bounded number of them.
    for _ in 0..ACCOUNT_PARTS_MAX {
        let part = accounts::listing(read, Filter::All, &start, PART_MAX)?;
        for named in part.items {
            if found.len() == limit || !named.0.starts_with(text) {
                return Ok(found);
            }
            if standing::sees(read, caller, &named)? {
                found.push(account_shown(&named));
            }
        }
        let Some((next, _)) = part.next else { break };
        start = next;
    }
    Ok(found)
}

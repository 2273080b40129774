//! `/api/v0/audit`: what was done to the cluster, in a chain that shows whether it was changed.

use auth::access_token::hex;
use axum::response::Response;
use consensus::cluster::{Cluster, Freshness};
use edge::answer;
use edge::caller::Need;
use edge::problem::Problem;
use edge::query::Query;
use http::StatusCode;
use metadata::audit::listing::{Filter, LIMIT_MAX, Order, listing};
use metadata::audit::{self, AuditRow, ChainRow, RecordHash};
use serde_json::{Value, json};

use crate::call::Call;
use crate::events::{flag, number, parameter, time};
use crate::moment;
use crate::paging::{self, Part};
use crate::reference::{id_of, uuid};

/// So many times the log is looked into for one answer; each look is bounded by itself.
const LOOKS_MAX: usize = 20;

/// A part of the records, and both ends of the chain.
///
/// Where few records fit the filters an answer may hold fewer than asked for, or none, and yet say
/// where the list goes on.
pub async fn list(call: Call) -> Result<Response, Problem> {
    call.administrator(Need::Fresh).await?;
    let part = Part::of_page(&call.query)?;
    let from = Some(&part.start).filter(|start| !start.is_empty());
    let from = from.map(|start| number(start).ok_or_else(not_a_cursor)).transpose()?;
    let is_rising = flag(&call.query, "oldestFirst")?;
    let order = if is_rising { Order::OldestFirst } else { Order::NewestFirst };
    let filter = filter(&call.query)?;
    let limit = part.limit.min(LIMIT_MAX);
    let cluster = &call.context.cluster;
    let (records, next) = gathered(cluster, &filter, order, (from, limit)).await?;
    // Read last: it reaches at least as far as the records.
    let chain = cluster.read(Freshness::Local, |view| audit::chain(view)).await?;
    let shown: Vec<Value> = records.iter().map(shown).collect();
    let document = json!({ "records": shown, "chain": ends(&chain, cluster.cluster_id()) });
    let mut response = answer::json(StatusCode::OK, &document);
    let is_whole = part.count && filter == Filter::default();
    let count = is_whole.then(|| usize::try_from(chain.count()).unwrap_or(usize::MAX));
    paging::tell(&mut response, next.map(|next| next.to_string()).as_deref(), count);
    Ok(response)
}

fn not_a_cursor() -> Problem {
    parameter("pageStart is the number of a record, or an X-Next-Page-Start")
}

/// Records until the part is full or enough was looked at; the log is free for others in between.
async fn gathered(
    cluster: &Cluster,
    filter: &Filter,
    order: Order,
    (mut from, limit): (Option<u64>, usize),
) -> Result<(Vec<(RecordHash, AuditRow)>, Option<u64>), Problem> {
    let mut records = Vec::new();
    for _ in 0..LOOKS_MAX {
        let left = limit - records.len();
        let part =
            cluster.read(Freshness::Local, |view| listing(view, filter, order, (from, left)));
        let part = part.await?;
        records.extend(part.items);
        from = part.next;
        if from.is_none() || records.len() == limit {
            break;
        }
    }
    Ok((records, from))
}

fn filter(query: &Query) -> Result<Filter, Problem> {
    let text = |name: &str| query.first(name).filter(|given| !given.is_empty()).map(str::to_owned);
    let actor = text("actor");
    let actor_id = actor.as_deref().and_then(id_of);
    Ok(Filter {
        // Nobody's name has the form of an id.
        actor: actor.filter(|_| actor_id.is_none()),
        actor_id,
        action: text("action"),
        object: text("object"),
        since_wall_ms: time(query, "since")?,
        until_wall_ms: time(query, "until")?,
    })
}

/// Everything that the hash covers, and nothing else beside both hashes.
fn shown((before, row): &(RecordHash, AuditRow)) -> Value {
    let record = &row.record;
    let facts = record.facts.iter();
    let facts = facts.map(|fact| json!({ "name": fact.name, "value": fact.value }));
    json!({
        "number": record.number,
        "logIndex": record.log_index,
        "time": moment::to_millisecond(record.wall_ms),
        "actor": record.actor,
        "actorId": record.actor_id.as_ref().map(uuid),
        "address": record.address,
        "requestId": record.request_id,
        "action": record.action,
        "objectType": record.object_type,
        "object": record.object,
        "facts": facts.collect::<Vec<Value>>(),
        "previousHash": hex(before),
        "hash": hex(&row.hash),
    })
}

fn ends(chain: &ChainRow, cluster_id: &str) -> Value {
    json!({
        "clusterId": cluster_id,
        "first": chain.first,
        "last": chain.last,
        "anchor": hex(&chain.anchor),
        "head": hex(&chain.head),
    })
}

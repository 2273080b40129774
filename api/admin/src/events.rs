//! `/api/v0/events` and a repository's events: what happened, the newest first.
//!
//! Source: dtr-interface 2.2, 2.5, 3.2, 11.2, 15.

use axum::response::Response;
use consensus::cluster::{Cluster, Freshness};
use edge::answer;
use edge::caller::Need;
use edge::problem::Problem;
use edge::query::Query;
use http::StatusCode;
use metadata::access::{self, Action};
use metadata::accounts;
use metadata::events::listing::{Filter, Part as Listed, listing};
use metadata::events::{self, ActorType, EventRow, EventType, Kind, ObjectType};
use metadata::repositories;
use serde_json::{Value, json};

use crate::call::Call;
use crate::moment;
use crate::paging::{self, Part};
use crate::reading::read;
use crate::reference::{id_of, uuid};
use crate::repositories::{named, permit, unknown};

/// Event types with their words.
const EVENT_TYPES: &[(&str, EventType)] = &[
    ("CREATE", EventType::Create),
    ("GET", EventType::Get),
    ("UPDATE", EventType::Update),
    ("DELETE", EventType::Delete),
    ("SEND", EventType::Send),
    ("FAIL", EventType::Fail),
    ("SCAN", EventType::Scan),
];

/// Types of objects with their words.
const OBJECT_TYPES: &[(&str, ObjectType)] = &[
    ("REPOSITORY", ObjectType::Repository),
    ("TAG", ObjectType::Tag),
    ("BLOB", ObjectType::Blob),
    ("MANIFEST", ObjectType::Manifest),
    ("WEBHOOK", ObjectType::Webhook),
    ("URI", ObjectType::Uri),
    ("PROMOTION", ObjectType::Promotion),
    ("PUSH_MIRRORING", ObjectType::PushMirroring),
    ("POLL_MIRRORING", ObjectType::PollMirroring),
];

/// A part of all events, for system administrators.
pub async fn list(call: Call) -> Result<Response, Problem> {
    call.administrator(Need::Fresh).await?;
    let cluster = &call.context.cluster;
    let (part, from) = paged(&call.query)?;
    let Some(filter) = filter(cluster, &call.query).await? else {
        return Ok(answered(&nothing(), None));
    };
    let found = cluster.read(Freshness::Local, |view| {
        let is_whole = part.count && filter == Filter::all();
        let count = is_whole.then(|| events::kept(view)).transpose()?.map(|kept| kept.count());
        Ok((listing(view, &filter, from, part.limit)?, count))
    });
    let (found, count) = found.await?;
    Ok(answered(&found, count))
}

/// A part of what happened to one repository; pulls, promotions and mirroring are shown to those
/// only who administer it.
pub async fn of_repository(call: Call) -> Result<Response, Problem> {
    let repository = named(&call)?;
    let caller = call.signed_in().await?;
    permit(&call.context, &caller, &repository, Action::SeeEvents).await?;
    let (cluster, who) = (&call.context.cluster, caller.as_metadata());
    let (part, from) = paged(&call.query)?;
    let Some(mut filter) = filter(cluster, &call.query).await? else {
        return Ok(answered(&nothing(), None));
    };
    let found = read(cluster, Freshness::Local, |view| {
        let row = repositories::find(view, &repository)?.ok_or_else(|| unknown(&repository))?;
        let sees_all = access::judge(view, &who, &repository, Action::SeeAllEvents)?.allowed;
        filter.repository = Some(row.number());
        filter.kinds.retain(|kind| sees_all || kind.is_open());
        Ok(listing(view, &filter, from, part.limit)?)
    });
    Ok(answered(&found.await?, None))
}

fn nothing() -> Listed {
    Listed { items: Vec::new(), next: None }
}

fn answered(found: &Listed, count: Option<u64>) -> Response {
    let shown: Vec<Value> = found.items.iter().map(shown).collect();
    let mut response = answer::json(StatusCode::OK, &json!({ "events": shown }));
    let next = found.next.map(|next| next.to_string());
    let count = count.map(|count| usize::try_from(count).unwrap_or(usize::MAX));
    paging::tell(&mut response, next.as_deref(), count);
    response
}

/// Where the part begins: at a number.
fn paged(query: &Query) -> Result<(Part, Option<u64>), Problem> {
    let part = Part::of_page(query)?;
    let from = Some(&part.start).filter(|start| !start.is_empty());
    let from = from.map(|start| number(start).ok_or_else(not_a_cursor)).transpose()?;
    Ok((part, from))
}

fn not_a_cursor() -> Problem {
    parameter("pageStart is the id of an event, or an X-Next-Page-Start")
}

/// Digits and nothing else: `from_str` alone would take `+9` too.
pub(crate) fn number(text: &str) -> Option<u64> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

/// Reads the filters; `None` where they name an account that was never there, of which there is
/// nothing to find.
async fn filter(cluster: &Cluster, query: &Query) -> Result<Option<Filter>, Problem> {
    let event = word(query, "eventType", EVENT_TYPES)?;
    let object = word(query, "objectType", OBJECT_TYPES)?;
    let mut filter = Filter {
        after_wall_ms: time(query, "publishedAfter")?,
        before_wall_ms: time(query, "publishedBefore")?,
        ..Filter::all()
    };
    let without_pulls = flag(query, "excludePull")?;
    filter.kinds.retain(|kind: &Kind| {
        !(without_pulls && kind.event == EventType::Get)
            && event.is_none_or(|event| event == kind.event)
            && object.is_none_or(|object| object == kind.object)
    });
    let text = query.first("actorId").unwrap_or_default().to_owned();
    if text.is_empty() {
        return Ok(Some(filter));
    }
    let named = cluster.read(Freshness::Local, |view| accounts::find(view, &text)).await?;
    filter.actor = named.map(|row| row.id).or_else(|| id_of(&text));
    Ok(filter.actor.is_some().then_some(filter))
}

fn word<T: Copy>(query: &Query, name: &str, words: &[(&str, T)]) -> Result<Option<T>, Problem> {
    let Some(given) = query.first(name).filter(|given| !given.is_empty()) else { return Ok(None) };
    let found = words.iter().find(|(word, _)| word.eq_ignore_ascii_case(given));
    let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    let wrong = || parameter(&format!("{name} is one of {}", known.join(", ")));
    found.map(|(_, meant)| Some(*meant)).ok_or_else(wrong)
}

/// Reads a time of the query.
pub(crate) fn time(query: &Query, name: &str) -> Result<Option<u64>, Problem> {
    let Some(given) = query.first(name).filter(|given| !given.is_empty()) else { return Ok(None) };
    let wrong = || parameter(&format!("{name} is a time such as 2030-01-31T12:00:00Z"));
    moment::parse(given).map(Some).ok_or_else(wrong)
}

/// Reads a yes or no of the query.
pub(crate) fn flag(query: &Query, name: &str) -> Result<bool, Problem> {
    match query.first(name).unwrap_or_default() {
        "" | "false" => Ok(false),
        "true" => Ok(true),
        _ => Err(parameter(&format!("{name} is true or false"))),
    }
}

pub(crate) fn parameter(text: &str) -> Problem {
    Problem::Parameter(text.to_owned())
}

fn said<T: Copy + PartialEq>(meant: T, words: &[(&'static str, T)]) -> &'static str {
    words.iter().find(|(_, it)| *it == meant).map_or("", |(word, _)| word)
}

/// One as clients of the old product read it.
fn shown((number, event): &(u64, EventRow)) -> Value {
    let actor_type = match event.actor_type {
        ActorType::User => "user",
        ActorType::Anonymous => "anonymous",
        ActorType::System => "system",
        ActorType::Policy => "policy",
    };
    json!({
        "id": number.to_string(),
        "publishedAt": moment::to_millisecond(event.wall_ms),
        "actor": event.actor.as_ref().map(uuid).unwrap_or_default(),
        "actorType": actor_type,
        "type": said(event.event_type, EVENT_TYPES),
        "object": object(event),
        "repository": event.repository,
    })
}

fn object(event: &EventRow) -> Value {
    let kind = said(event.object_type, OBJECT_TYPES);
    let digest = event.digest.as_ref().map(|digest| digest.as_str().to_owned());
    match event.object_type {
        ObjectType::Repository => {
            json!({ "id": uuid(&event.repository_id), "type": kind, "name": event.repository })
        }
        ObjectType::Tag => json!({
            "id": format!("{}:{}", event.repository, event.tag),
            "type": kind,
            "name": event.tag,
            "content": json!({ "digest": digest }).to_string(),
        }),
        _ => json!({ "id": digest, "type": kind }),
    }
}

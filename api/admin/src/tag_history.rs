//! `/api/v0/repositories/{ns}/{repo}/tags/{tag}/history` and `…/undelete`: what happened to a tag,
//! and bringing it back.

use axum::response::Response;
use consensus::cluster::Freshness;
use edge::answer;
use edge::problem::Problem;
use http::StatusCode;
use metadata::access::Action;
use metadata::refusal::Refusal;
use metadata::tags;
use metadata::tags::deleted;
use metadata::tags::history::{self, Event, EventRow};
use metadata::tags::undelete::TagUndelete;
use oci::name::TagName;
use serde_json::{Value, json};

use crate::call::Call;
use crate::moment;
use crate::reading::{read, read_changed};
use crate::repositories::{named, permit};
use crate::tags::shown as shown_tag;

/// What happened to a tag, the newest first; and until when it may come back, where it may.
pub async fn get(call: Call) -> Result<Response, Problem> {
    let repository = named(&call)?;
    let caller = call.signed_in().await?;
    permit(&call.context, &caller, &repository, Action::Pull).await?;
    let tag = parsed(call.place("tag"))?;
    let found = read(&call.context.cluster, Freshness::Local, |view| {
        let events = history::of(view, &repository, &tag)?;
        Ok((events, deleted::find(view, &repository, &tag)?))
    });
    let (events, deleted) = found.await?;
    if events.is_empty() {
        return Err(Refusal::TagUnknown { tag }.into());
    }
    let mut document = json!({
        "name": tag.as_str(),
        "events": events.iter().map(shown).collect::<Vec<Value>>(),
    });
    if let Some((_, until_wall_ms)) = deleted {
        document["undeleteUntil"] = json!(moment::to_millisecond(until_wall_ms));
    }
    Ok(answer::json(StatusCode::OK, &document))
}

/// Brings a tag back; 200 with it.
pub async fn undelete(call: Call) -> Result<Response, Problem> {
    let repository = named(&call)?;
    let caller = call.signed_in().await?;
    permit(&call.context, &caller, &repository, Action::Delete).await?;
    let tag = parsed(call.place("tag"))?;
    let (actor, cluster) = (caller.account().to_owned(), &call.context.cluster);
    let undelete = TagUndelete { repository: repository.clone(), tag: tag.clone(), actor };
    cluster.propose_for(caller.voucher(), undelete.into()).await?;
    let changed = read_changed(cluster, |view| {
        let row = tags::find(view, &repository, &tag)?;
        Ok(row.ok_or_else(|| Refusal::TagUnknown { tag: tag.clone() })?)
    });
    let row = changed.await?;
    let manifest = json!({ "digest": row.digest.as_str() });
    Ok(answer::json(StatusCode::OK, &shown_tag(&(tag, row, None), &manifest)))
}

/// The tag that the path names.
fn parsed(text: &str) -> Result<TagName, Problem> {
    TagName::parse(text).map_err(|_| Problem::Parameter(format!("{} is no tag", shortened(text))))
}

fn shortened(text: &str) -> String {
    text.chars().take(oci::name::TAG_BYTES_MAX).collect()
}

fn shown(row: &EventRow) -> Value {
    json!({
        "event": match row.event {
            Event::Pushed => "pushed",
            Event::Deleted => "deleted",
            Event::Evicted => "evicted",
            Event::Undeleted => "undeleted",
        },
        "digest": row.digest.as_str(),
        "actor": row.actor,
        "at": moment::to_millisecond(row.wall_ms),
    })
}

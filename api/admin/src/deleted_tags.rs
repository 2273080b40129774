//! `/api/v0/repositories/{ns}/{repo}/tags?deleted=true`: tags that may come back, and until when.

use axum::response::Response;
use consensus::cluster::Cluster;
use consensus::tables::View;
use edge::answer;
use edge::problem::Problem;
use http::StatusCode;
use metadata::page::Listing;
use metadata::tags::deleted::{self, DeletedTagRow};
use oci::name::{RepositoryName, TagName};
use serde_json::json;

use crate::gathering::{count, gather};
use crate::moment;
use crate::paging::{self, Part};
use crate::tags::shown;

/// A part of them, by name. One that has been pushed again since is left out: it takes the place of
/// the other.
pub(crate) async fn list(
    cluster: &Cluster,
    repository: &RepositoryName,
    part: Part,
) -> Result<Response, Problem> {
    if !part.start.is_empty() && TagName::parse(&part.start).is_err() {
        return Err(paging::unreadable());
    }
    let listed = |view: &View<'_>, from: &String, most| {
        let keyed = |(name, row): (TagName, DeletedTagRow)| (name.to_string(), (name, row));
        let found = deleted::listing(view, repository, from, most)?;
        let items = found.items.into_iter().map(keyed).collect();
        Ok(Listing { items, next: found.next.map(keyed) })
    };
    let start = (part.start.clone(), part.limit);
    let (items, next) = gather(cluster, start, listed, |view, _, (name, _)| {
        let found = deleted::returnable(view, repository, name)?;
        Ok(found.map(|(row, until_wall_ms)| (name.clone(), row, until_wall_ms)))
    })
    .await?;
    let count = if part.count {
        let is_shown = |view: &View<'_>, _: &String, (name, _): &(TagName, DeletedTagRow)| {
            Ok(deleted::returnable(view, repository, name)?.is_some())
        };
        Some(count(cluster, String::new(), listed, is_shown).await?)
    } else {
        None
    };
    let mut entries = Vec::with_capacity(items.len());
    for (name, row, until_wall_ms) in items {
        let manifest = json!({ "digest": row.digest.as_str() });
        let mut entry = shown(&(name, row, None), &manifest);
        entry["undeleteUntil"] = json!(moment::to_millisecond(until_wall_ms));
        entries.push(entry);
    }
    let mut response = answer::json(StatusCode::OK, &entries);
    paging::tell(&mut response, next.as_deref(), count);
    Ok(response)
}

//! `GET /v2/<name>/tags/list`: a repository's tags, in byte order.
//!
//! Source: OCI distribution-spec 1.1, "Listing tags"; registry-protocol TL1–TL6.

use std::sync::Arc;

use axum::response::Response;
use consensus::cluster::Freshness;
use edge::answer;
use edge::caller::Need;
use edge::context::Context;
use edge::paging::{self, Page};
use edge::problem::Problem;
use futures::{Stream, stream};
use http::StatusCode;
use http::header::LINK;
use metadata::access::Action;
use metadata::{repositories, tags};
use oci::name::RepositoryName;
use serde_json::json;

use crate::caching;
use crate::call::Call;
use crate::streaming::{self, LIST_CHUNK};

/// A page where `n` is given, else the whole list, written as it is read.
pub async fn list(call: Call, repository: RepositoryName) -> Result<Response, Problem> {
    let page = Page::parse(&call.query)?;
    let admitted = call.admit(Need::Fresh, &repository, Action::Pull).await?;
    let cluster = &call.context.cluster;
    let row = cluster.read(Freshness::Local, |view| repositories::find(view, &repository)).await?;
    let unknown = || Problem::RepositoryUnknown { repository: repository.clone() };
    let row = row.ok_or_else(unknown)?;
    let tag = entity_tag(&format!("{}.{}", row.number, row.revision), &page);
    if caching::is_fresh(call.headers(), &tag) {
        let fill = |headers: &mut _| caching::list(headers, &tag, admitted.permitted);
        return Ok(caching::not_modified(fill));
    }
    let mut response = if let Some(entries_max) = page.entries_max {
        one_page(&call.context, &repository, &page.last, entries_max).await?
    } else {
        let prefix = format!("{{\"name\":{},\"tags\":[", json!(repository.as_str()));
        streaming::list(prefix, chunks(Arc::clone(&call.context), repository, page.last))
    };
    caching::list(response.headers_mut(), &tag, admitted.permitted);
    Ok(response)
}

/// What tells one answer of a list from another: how far the list is, and what of it was asked.
pub(crate) fn entity_tag(revision: &str, page: &Page) -> String {
    let entries_max = page.entries_max.map_or_else(String::new, |n| n.to_string());
    format!("{revision}-{entries_max}-{}", paging::escaped(&page.last))
}

async fn one_page(
    context: &Context,
    repository: &RepositoryName,
    last: &str,
    entries_max: usize,
) -> Result<Response, Problem> {
    let read = context
        .cluster
        .read(Freshness::Local, |view| tags::page(view, repository, last, entries_max));
    let page = read.await?;
    let names: Vec<&str> = page.items.iter().map(|(name, _)| name.as_str()).collect();
    let document = json!({ "name": repository.as_str(), "tags": names });
    let mut response = answer::json(StatusCode::OK, &document);
    if let (true, Some(last)) = (page.more, names.last()) {
        let path = format!("/v2/{repository}/tags/list");
        let link = paging::next_link(&path, &[("n", &entries_max.to_string()), ("last", last)]);
        answer::set(response.headers_mut(), LINK, &link);
    }
    Ok(response)
}

/// Where a list that is being written stands.
struct Walk {
    context: Arc<Context>,
    repository: RepositoryName,
    last: String,
    more: bool,
}

fn chunks(
    context: Arc<Context>,
    repository: RepositoryName,
    last: String,
) -> impl Stream<Item = Result<Vec<String>, Problem>> + Send {
    let walk = Walk { context, repository, last, more: true };
    stream::try_unfold(walk, |mut walk| async move {
        if !walk.more {
            return Ok(None);
        }
        let read = walk.context.cluster.read(Freshness::Local, |view| {
            tags::page(view, &walk.repository, &walk.last, LIST_CHUNK)
        });
        let page = read.await?;
        let names = page.items.into_iter().map(|(name, _)| name.as_str().to_owned());
        let names: Vec<String> = names.collect();
        walk.more = page.more;
        if let Some(last) = names.last() {
            walk.last.clone_from(last);
        }
        Ok(Some((names, walk)))
    })
}

//! `GET /v2/<name>/referrers/<digest>`: what refers to a manifest: signatures, SBOMs and the like.
//!
//! The answer is an index built from the stored manifests. It is never 404, not even for a subject
//! or a repository that does not exist: clients would fall back to tags for ever.
//!
//! Source: OCI distribution-spec 1.1, "Listing referrers"; registry-protocol RF1–RF7.

use std::collections::BTreeMap;

use axum::response::Response;
use consensus::cluster::Freshness;
use edge::answer;
use edge::caller::{Need, Permitted};
use edge::paging;
use edge::problem::Problem;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderName, LINK};
use metadata::access::Action;
use metadata::manifests::{self, ReferrerRow};
use metadata::repositories;
use oci::digest::Digest;
use oci::manifest::Manifest;
use oci::media_type::OCI_INDEX;
use oci::name::RepositoryName;
use serde::Serialize;

use crate::caching;
use crate::call::{Admitted, Call};

const OCI_FILTERS_APPLIED: HeaderName = HeaderName::from_static("oci-filters-applied");
/// Entries of a page.
const ENTRIES_MAX: usize = 1_000;
/// Bytes of a page, unless its first entry alone is larger.
const BYTES_MAX: usize = 4 * 1024 * 1024 - 64 * 1024;

/// An index without a media type of its own would be read by some clients as something else.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Index {
    schema_version: u32,
    media_type: &'static str,
    manifests: Vec<Entry>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    media_type: String,
    digest: Digest,
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    artifact_type: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
}

/// One page of the list, and whether it goes on.
struct Page {
    entries: Vec<Entry>,
    more: bool,
}

/// The referrers of a digest, by digest.
pub async fn list(call: Call, repository: RepositoryName, text: &str) -> Result<Response, Problem> {
    let subject = Digest::parse(text)?;
    let last = call.query.first("last").map(Digest::parse).transpose()?;
    let wanted = call.query.first("artifactType").filter(|wanted| !wanted.is_empty());
    let permitted = match call.admit(Need::Fresh, &repository, Action::Pull).await {
        Ok(Admitted { permitted, .. }) => permitted,
        // The caller may pull there and there is nothing yet.
        Err(Problem::RepositoryUnknown { .. }) if may_know(&call, &repository).await? => {
            Permitted { is_public: false, exists: false }
        }
        Err(problem) => return Err(problem),
    };
    let cluster = &call.context.cluster;
    let row = cluster.read(Freshness::Local, |view| repositories::find(view, &repository)).await?;
    let (number, revision) = row.map_or((0, 0), |row| (row.number, row.revision));
    let tag =
        format!("{number}.{revision}-{}", paging::escaped(call.parts.uri.query().unwrap_or("")));
    if caching::is_fresh(call.headers(), &tag) {
        return Ok(caching::not_modified(|headers| caching::list(headers, &tag, permitted)));
    }
    let page = page(&call, &repository, &subject, last, wanted).await?;
    let next = page.entries.last().filter(|_| page.more).map(|entry| entry.digest.clone());
    let index = Index { schema_version: 2, media_type: OCI_INDEX, manifests: page.entries };
    let mut response = answer::json(StatusCode::OK, &index);
    let headers = response.headers_mut();
    answer::set(headers, CONTENT_TYPE, OCI_INDEX);
    caching::list(headers, &tag, permitted);
    if wanted.is_some() {
        answer::set(headers, OCI_FILTERS_APPLIED, "artifactType");
    }
    if let Some(next) = next {
        let path = format!("/v2/{repository}/referrers/{subject}");
        let filter = wanted.map(|wanted| ("artifactType", wanted));
        let parameters: Vec<_> = filter.into_iter().chain([("last", next.as_str())]).collect();
        answer::set(headers, LINK, &paging::next_link(&path, &parameters));
    }
    Ok(response)
}

/// Whether the caller may pull from a repository that does not exist: then it is empty to them.
async fn may_know(call: &Call, repository: &RepositoryName) -> Result<bool, Problem> {
    let caller = call.caller(Need::LastKnown, None).await?;
    let who = caller.as_metadata();
    let read = call.context.cluster.read(Freshness::Local, |view| {
        metadata::access::judge(view, &who, repository, Action::Pull)
    });
    Ok(read.await?.visible)
}

async fn page(
    call: &Call,
    repository: &RepositoryName,
    subject: &Digest,
    mut last: Option<Digest>,
    wanted: Option<&str>,
) -> Result<Page, Problem> {
    let mut page = Page { entries: Vec::new(), more: false };
    let mut bytes = 0;
    loop {
        let read = call.context.cluster.read(Freshness::Local, |view| {
            manifests::referrers(view, repository, subject, last.as_ref(), ENTRIES_MAX)
        });
        let rows = read.await?;
        for (digest, row) in rows.items {
            last = Some(digest.clone());
            if wanted.is_some_and(|wanted| row.artifact_type.as_deref() != Some(wanted)) {
                continue;
            }
            let entry = entry(call, digest, row).await?;
            bytes += length(&entry);
            let is_full = page.entries.len() >= ENTRIES_MAX || bytes > BYTES_MAX;
            if is_full && !page.entries.is_empty() {
                page.more = true;
                return Ok(page);
            }
            page.entries.push(entry);
        }
        if !rows.more {
            return Ok(page);
        }
    }
}

/// The descriptor of a referrer, with the annotations of its stored bytes.
async fn entry(call: &Call, digest: Digest, row: ReferrerRow) -> Result<Entry, Problem> {
    let bytes = call.context.content.read_small(&digest, row.size).await?;
    let manifest = Manifest::parse(&bytes, Some(&row.media_type))?;
    Ok(Entry {
        media_type: row.media_type,
        digest,
        size: row.size,
        artifact_type: row.artifact_type,
        annotations: manifest.annotations,
    })
}

fn length(entry: &Entry) -> usize {
    serde_json::to_string(entry).map_or(0, |text| text.len() + 1)
}

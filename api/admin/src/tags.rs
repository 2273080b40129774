//! `/api/v0/repositories/{ns}/{repo}/tags`: a repository's tags and the images behind them.
//!
//! Source: dtr-interface 2.2, 3.2.

use std::collections::BTreeSet;

use axum::response::Response;
use consensus::cluster::Freshness;
use consensus::tables::View;
use edge::answer;
use edge::context::Context;
use edge::problem::Problem;
use http::StatusCode;
use metadata::access::Action;
use metadata::manifests::{self, ManifestRow};
use metadata::page::Listing;
use metadata::tables::{Damage, Read};
use metadata::tags::{self, TagDelete, TagRow};
use oci::digest::Digest;
use oci::manifest::{Kind, Manifest};
use oci::name::{Reference, RepositoryName, TagName};
use serde_json::{Value, json};

use crate::call::Call;
use crate::gathering::{count, gather};
use crate::paging::{self, Part};
use crate::reading::read;
use crate::repositories::{named, permit};
use crate::{deleted_tags, manifests as described, moment};

/// Tags that one digest is shown with, at most.
const OF_DIGEST_MAX: usize = 100;
/// Children of an index that are looked at, at most.
const CHILDREN_MAX: usize = 100;

/// A tag with the manifest it points at.
pub(crate) type Tagged = (TagName, TagRow, Option<ManifestRow>);

/// A part of a repository's tags, by name.
pub async fn list(call: Call) -> Result<Response, Problem> {
    let repository = named(&call)?;
    let caller = call.signed_in().await?;
    permit(&call.context, &caller, &repository, Action::Pull).await?;
    let mut part = Part::of_page(&call.query)?;
    if call.query.first("deleted") == Some("true") {
        return deleted_tags::list(&call.context.cluster, &repository, part).await;
    }
    let with_manifests = call.query.first("includeManifests") == Some("true");
    if with_manifests {
        part.limit = part.limit.min(described::OPENED_MAX);
    }
    if !part.start.is_empty() && TagName::parse(&part.start).is_err() {
        return Err(paging::unreadable());
    }
    let cluster = &call.context.cluster;
    let listed = |view: &View<'_>, from: &String, most| {
        let keyed = |(name, row): (TagName, TagRow)| (name.to_string(), (name, row));
        let found = tags::listing(view, &repository, from, most)?;
        let items = found.items.into_iter().map(keyed).collect();
        Ok(Listing { items, next: found.next.map(keyed) })
    };
    let start = (part.start.clone(), part.limit);
    let (items, next) = gather(cluster, start, listed, |view, _, (name, row)| {
        let manifest = manifests::find(view, &repository, &row.digest)?;
        Ok(Some((name.clone(), row.clone(), manifest)))
    })
    .await?;
    let count = if part.count {
        Some(count(cluster, String::new(), listed, |_, _, _| Ok(true)).await?)
    } else {
        None
    };
    let mut entries = Vec::with_capacity(items.len());
    for tagged in &items {
        let manifest = match (&tagged.2, with_manifests) {
            (Some(row), true) => {
                described::described(&call.context.content, &tagged.1.digest, row).await?
            }
            _ => json!({ "digest": tagged.1.digest.as_str() }),
        };
        entries.push(shown(tagged, &manifest));
    }
    let mut response = answer::json(StatusCode::OK, &entries);
    paging::tell(&mut response, next.as_deref(), count);
    Ok(response)
}

/// A tag, once for each platform it has; or every tag of a digest.
pub async fn get(call: Call) -> Result<Response, Problem> {
    let repository = named(&call)?;
    let caller = call.signed_in().await?;
    permit(&call.context, &caller, &repository, Action::Pull).await?;
    let reference = parsed(&repository, call.place("ref"))?;
    let found = read(&call.context.cluster, Freshness::Local, |view| {
        Ok(tagged(view, &repository, &reference)?)
    });
    let found = found.await?;
    if found.is_empty() {
        return Err(unknown(&repository, call.place("ref")));
    }
    let wanted = (call.query.first("os"), call.query.first("arch"));
    // All of them point at one manifest.
    let first = found.first().and_then(|(_, tag, row)| Some((&tag.digest, row.as_ref()?)));
    let mut images = Vec::new();
    if let Some(first) = first {
        for (digest, row) in platforms(&call.context, &repository, first).await? {
            images.push(described::described(&call.context.content, &digest, &row).await?);
        }
    }
    let is_wanted = |image: &Value, asked: Option<&str>, field: &str| {
        asked.is_none_or(|asked| image[field].as_str() == Some(asked))
    };
    images.retain(|image| {
        is_wanted(image, wanted.0, "os") && is_wanted(image, wanted.1, "architecture")
    });
    let of_tag = |tagged| images.iter().map(move |image| shown(tagged, image));
    let entries: Vec<Value> = found.iter().flat_map(of_tag).take(OF_DIGEST_MAX).collect();
    Ok(answer::json(StatusCode::OK, &entries))
}

/// Deletes a tag; the manifest stays.
pub async fn delete(call: Call) -> Result<Response, Problem> {
    let repository = named(&call)?;
    let caller = call.signed_in().await?;
    permit(&call.context, &caller, &repository, Action::Delete).await?;
    // What no tag can be called is none.
    let tag = TagName::parse(call.place("ref")).map_err(|_| Problem::TagUnknown {
        repository: repository.clone(),
        name: shortened(call.place("ref")),
    })?;
    let actor = caller.account().to_owned();
    let delete = TagDelete { repository, tag, precondition: None, actor };
    call.context.cluster.propose_for(caller.voucher(), delete.into()).await?;
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

fn tagged(
    view: &impl Read,
    repository: &RepositoryName,
    reference: &Reference,
) -> Result<Vec<Tagged>, Damage> {
    let names = match reference {
        Reference::Tag(tag) => vec![tag.clone()],
        Reference::Digest(digest) => tags::of_manifest(view, repository, digest, OF_DIGEST_MAX)?,
    };
    let mut found = Vec::with_capacity(names.len());
    for name in names {
        let Some(row) = tags::find(view, repository, &name)? else { continue };
        let manifest = manifests::find(view, repository, &row.digest)?;
        found.push((name, row, manifest));
    }
    Ok(found)
}

/// The images behind a manifest: its children that are there, or itself.
async fn platforms(
    context: &Context,
    repository: &RepositoryName,
    (digest, row): (&Digest, &ManifestRow),
) -> Result<Vec<(Digest, ManifestRow)>, Problem> {
    let itself = || vec![(digest.clone(), row.clone())];
    let bytes = context.content.read_small(digest, row.size).await?;
    let parsed = Manifest::parse(&bytes, Some(&row.media_type));
    let Some(index) = parsed.ok().filter(|manifest| manifest.kind == Kind::Index) else {
        return Ok(itself());
    };
    let children = read(&context.cluster, Freshness::Local, |view| {
        let mut found = Vec::new();
        let mut seen = BTreeSet::new();
        for child in index.manifests.iter().take(CHILDREN_MAX) {
            if !seen.insert(child.digest.as_str()) {
                continue;
            }
            if let Some(row) = manifests::find(view, repository, &child.digest)? {
                found.push((child.digest.clone(), row));
            }
        }
        Ok(found)
    });
    let children = children.await?;
    Ok(if children.is_empty() { itself() } else { children })
}

fn parsed(repository: &RepositoryName, text: &str) -> Result<Reference, Problem> {
    Reference::parse(text).map_err(|_| unknown(repository, text))
}

fn unknown(repository: &RepositoryName, text: &str) -> Problem {
    Problem::ManifestUnknown { repository: repository.clone(), reference: shortened(text) }
}

/// So much of a text as an error repeats.
fn shortened(text: &str) -> String {
    text.chars().take(oci::name::TAG_BYTES_MAX).collect()
}

pub(crate) fn shown((name, row, _): &Tagged, manifest: &Value) -> Value {
    json!({
        "name": name.as_str(),
        "digest": row.digest.as_str(),
        "author": row.moved_by,
        "createdAt": moment::to_millisecond(row.created_wall_ms),
        "updatedAt": moment::to_millisecond(row.moved_wall_ms),
        "manifest": manifest,
        "inNotary": false,
        "hashMismatch": false,
    })
}

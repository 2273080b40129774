//! Manifests: a data set is pushed, listed, looked at, pulled, referred to, and deleted again.

use crate::answer::{Answer, Seen, holds};
use crate::blobs;
use crate::content::{Manifest, Set};
use crate::referrers;
use crate::run::Run;
use crate::uploads;

/// All steps of a data set, in the order of the official suite.
pub(crate) async fn all(run: &Run, set: &Set<'_>) {
    push(run, set).await;
    run.step("tag-list", listed(run, &set.tags())).await;
    head(run, set).await;
    pull(run, set).await;
    run.step("referrers/without-filter", referrers::listed(run, set)).await;
    run.step("referrers/with-filter", referrers::filtered(run, set)).await;
    delete(run, set).await;
}

/// Whether a step that goes by tags has anything to do.
fn has_tags(set: &Set<'_>) -> bool {
    set.manifests.iter().any(|it| !it.tags.is_empty())
}

async fn push(run: &Run, set: &Set<'_>) {
    let blobs = async {
        for blob in &set.blobs {
            uploads::post_put(run, blob).await?;
        }
        Ok(())
    };
    run.step("push/blob-post-put", blobs).await;
    let by_digest = async {
        for manifest in &set.manifests {
            let tags = if set.by_parameter { manifest.tags.as_slice() } else { &[] };
            pushed(run, manifest, (&manifest.blob.digest, tags)).await?;
        }
        Ok(())
    };
    run.step("push/manifest-by-digest", by_digest).await;
    if set.by_parameter || !has_tags(set) {
        return;
    }
    let by_tag = async {
        for (manifest, tag) in tagged(set) {
            pushed(run, manifest, (tag, &[])).await?;
        }
        Ok(())
    };
    run.step("push/manifest-by-tag", by_tag).await;
}

fn tagged<'a>(set: &'a Set<'_>) -> impl Iterator<Item = (&'a Manifest, &'a str)> {
    set.manifests.iter().flat_map(|it| it.tags.iter().map(move |tag| (it, tag.as_str())))
}

/// PUT under a reference, with these tags as parameters (MP1, MP2, MP5).
pub(crate) async fn pushed(run: &Run, manifest: &Manifest, to: (&str, &[String])) -> Seen {
    let (reference, tags) = to;
    let query = tags.iter().map(|tag| format!("tag={tag}")).collect::<Vec<_>>().join("&");
    let query = if query.is_empty() { query } else { format!("?{query}") };
    let put = run.put(&format!("manifests/{reference}{query}"));
    let put = put.header("content-type", manifest.media_type).body(&manifest.blob.bytes);
    let (answer, digest) = (put.send().await?, &manifest.blob.digest);
    let place = format!("/v2/{}/manifests/{digest}", run.repository);
    answer.is(201)?.says("location", &place)?.says("docker-content-digest", digest)?;
    match &manifest.subject {
        Some(subject) => answer.says("oci-subject", subject)?,
        None => answer.lacks("oci-subject")?,
    };
    let (mut named, mut wanted) = (named_tags(&answer), tags.to_vec());
    named.sort();
    wanted.sort();
    holds(named == wanted, || answer.but(&format!("OCI-Tag names {named:?}, wanted {wanted:?}")))
}

/// The tags that all `OCI-Tag` lines of an answer name.
pub(crate) fn named_tags(answer: &Answer) -> Vec<String> {
    let lines = answer.headers.get_all("oci-tag").iter().filter_map(|it| it.to_str().ok());
    lines.flat_map(|line| line.split(',').map(|tag| tag.trim().to_owned())).collect()
}

/// The tags that a list shows, in its order.
pub(crate) async fn tags(run: &Run, query: &str) -> Seen<(Vec<String>, Answer)> {
    let answer = run.get(&format!("tags/list{query}")).send().await?;
    let body = answer.is(200)?.json()?;
    holds(body["name"] == run.repository, || answer.but("name is not the repository's"))?;
    let tags = body["tags"].as_array().ok_or_else(|| answer.but("tags is no list"))?;
    Ok((tags.iter().map(|it| it.as_str().unwrap_or_default().to_owned()).collect(), answer))
}

/// A list shows exactly these.
pub(crate) async fn lists(run: &Run, query: &str, wanted: &[String]) -> Seen<Answer> {
    let (came, answer) = tags(run, query).await?;
    holds(came == wanted, || answer.but(&format!("wanted {wanted:?}")))?;
    Ok(answer)
}

/// The whole list, and the rest of it after its middle tag, without `n` (TL1, TL3, TL4).
async fn listed(run: &Run, wanted: &[String]) -> Seen {
    lists(run, "", wanted).await?.lacks("link")?;
    let Some(middle) = wanted.get(wanted.len() / 2) else {
        return Ok(());
    };
    let rest = &wanted[wanted.len() / 2 + 1..];
    lists(run, &format!("?last={middle}"), rest).await?;
    Ok(())
}

async fn head(run: &Run, set: &Set<'_>) {
    let blobs = async {
        for blob in &set.blobs {
            blobs::head(run, blob).await?;
        }
        Ok(())
    };
    run.step("head/blob-head", blobs).await;
    let by_digest = async {
        for manifest in &set.manifests {
            seen(run, manifest, (&manifest.blob.digest, true)).await?;
        }
        Ok(())
    };
    run.step("head/manifest-head-by-digest", by_digest).await;
    if has_tags(set) {
        run.step("head/manifest-head-by-tag", seen_by_tag(run, set, true)).await;
    }
}

async fn pull(run: &Run, set: &Set<'_>) {
    let blobs = async {
        for blob in &set.blobs {
            blobs::get(run, blob).await?;
        }
        Ok(())
    };
    run.step("pull/blob-get", blobs).await;
    let by_digest = async {
        for manifest in &set.manifests {
            seen(run, manifest, (&manifest.blob.digest, false)).await?;
        }
        Ok(())
    };
    run.step("pull/manifest-by-digest", by_digest).await;
    if has_tags(set) {
        run.step("pull/manifest-by-tag", seen_by_tag(run, set, false)).await;
    }
}

async fn seen_by_tag(run: &Run, set: &Set<'_>, is_head: bool) -> Seen {
    for (manifest, tag) in tagged(set) {
        seen(run, manifest, (tag, is_head)).await?;
    }
    Ok(())
}

/// The manifest as it was pushed, by HEAD or GET (MG1, MG5, 2.4).
pub(crate) async fn seen(run: &Run, manifest: &Manifest, how: (&str, bool)) -> Seen {
    let (reference, is_head) = how;
    let path = format!("manifests/{reference}");
    let ask = if is_head { run.head(&path) } else { run.get(&path) };
    let (answer, blob) = (ask.send().await?, &manifest.blob);
    answer.is(200)?.announces(&blob.digest, blob.bytes.len())?;
    answer.says("content-type", manifest.media_type)?;
    answer.says("etag", &format!("\"{}\"", blob.digest))?;
    answer.carries(if is_head { b"" } else { &blob.bytes })?;
    Ok(())
}

/// Tags, then parents before children, then blobs: each 404 at once after its 202.
async fn delete(run: &Run, set: &Set<'_>) {
    if has_tags(set) {
        let tags = async {
            for (manifest, tag) in tagged(set) {
                gone(run, &format!("manifests/{tag}")).await?;
                seen(run, manifest, (&manifest.blob.digest, true)).await?;
            }
            lists(run, "", &[]).await?;
            Ok(())
        };
        run.step("delete/tag-delete", tags).await;
    }
    let manifests = async {
        for manifest in set.manifests.iter().rev() {
            gone(run, &format!("manifests/{}", manifest.blob.digest)).await?;
        }
        Ok(())
    };
    run.step("delete/manifest-delete", manifests).await;
    let blobs = async {
        for blob in &set.blobs {
            blobs::deleted(run, blob).await?;
        }
        Ok(())
    };
    run.step("delete/blob-delete", blobs).await;
}

/// DELETE of a manifest or tag, and the 404s at once after it (MD1, MD2).
pub(crate) async fn gone(run: &Run, path: &str) -> Seen {
    run.delete(path).send().await?.is(202)?;
    run.get(path).send().await?.refuses(404, "MANIFEST_UNKNOWN")?;
    run.head(path).send().await?.is(404)?;
    run.delete(path).send().await?.refuses(404, "MANIFEST_UNKNOWN")?;
    Ok(())
}

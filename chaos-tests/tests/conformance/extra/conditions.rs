//! Conditions on the tag that a manifest is pushed under, and on what is read (H13–H16).

use futures::future::join_all;

use super::{image, images};
use crate::answer::{Answer, Seen, holds};
use crate::content::{Algorithm, Manifest};
use crate::manifests;
use crate::run::Run;
use crate::uploads;

/// Writers of a race.
const WRITERS: u64 = 100;

pub(super) async fn all(run: &Run) {
    run.step("if-match/the digest it points at", matched(run)).await;
    run.step("if-match/another digest", not_matched(run)).await;
    run.step("if-match/repeated after a lost answer", repeated(run)).await;
    run.step("if-match/star needs a tag", star_needs_a_tag(run)).await;
    run.step("if-none-match/star needs no tag", star_needs_none(run)).await;
    run.step("if-match/on delete", on_delete(run)).await;
    run.step("if-none-match/on get", on_get(run)).await;
    run.step("if-none-match/race of 100 writers", race(run, None)).await;
    let from = async {
        let first = image(run).await?;
        manifests::pushed(run, &first, ("contended", &[])).await?;
        race(run, Some(&first)).await
    };
    run.step("if-match/race of 100 writers", from).await;
}

/// PUT by tag with one condition.
async fn put(run: &Run, manifest: &Manifest, to: (&str, &'static str, &str)) -> Seen<Answer> {
    let (tag, condition, value) = to;
    let put = run.put(&format!("manifests/{tag}")).header("content-type", manifest.media_type);
    put.header(condition, value).body(&manifest.blob.bytes).send().await
}

fn tag_of(manifest: &Manifest) -> String {
    format!("\"{}\"", manifest.blob.digest)
}

/// The answer names what the tag points at now (H14).
fn refused(answer: &Answer, current: &str) -> Seen {
    let body = answer.refuses(412, "DENIED")?.json()?;
    let named = body["errors"][0]["detail"]["current"] == current;
    holds(named, || answer.but(&format!("detail.current is not {current}")))
}

async fn two(run: &Run, tag: &str) -> Seen<(Manifest, Manifest)> {
    let (one, two) = (image(run).await?, image(run).await?);
    manifests::pushed(run, &one, (tag, &[])).await?;
    Ok((one, two))
}

async fn matched(run: &Run) -> Seen {
    let (one, two) = two(run, "matched").await?;
    let answer = put(run, &two, ("matched", "if-match", &tag_of(&one))).await?;
    answer.is(201)?.says("etag", &tag_of(&two))?;
    manifests::seen(run, &two, ("matched", true)).await
}

async fn not_matched(run: &Run) -> Seen {
    let (one, two) = two(run, "unmatched").await?;
    let answer = put(run, &two, ("unmatched", "if-match", &tag_of(&two))).await?;
    // The tag points elsewhere, and not at what is pushed either.
    refused(&answer, &one.blob.digest)?;
    manifests::seen(run, &one, ("unmatched", true)).await
}

/// H15.
async fn repeated(run: &Run) -> Seen {
    let (one, two) = two(run, "repeated").await?;
    for _ in 0..2 {
        put(run, &two, ("repeated", "if-match", &tag_of(&one))).await?.is(201)?;
    }
    manifests::seen(run, &two, ("repeated", true)).await
}

async fn star_needs_a_tag(run: &Run) -> Seen {
    let (one, two) = two(run, "starred").await?;
    put(run, &two, ("starred", "if-match", "*")).await?.is(201)?;
    put(run, &one, ("not-there", "if-match", "*")).await?.refuses(412, "DENIED")?;
    run.get("manifests/not-there").send().await?.refuses(404, "MANIFEST_UNKNOWN").map(|_| ())
}

async fn star_needs_none(run: &Run) -> Seen {
    let (one, two) = (image(run).await?, image(run).await?);
    put(run, &one, ("created", "if-none-match", "*")).await?.is(201)?;
    // Even the same digest again: nobody can tell whose answer was lost (H15).
    for manifest in [&one, &two] {
        let answer = put(run, manifest, ("created", "if-none-match", "*")).await?;
        refused(&answer, &one.blob.digest)?;
    }
    manifests::seen(run, &one, ("created", true)).await
}

async fn on_delete(run: &Run) -> Seen {
    let (one, two) = two(run, "deleted").await?;
    let delete = |tag: String| run.delete("manifests/deleted").header("if-match", &tag).send();
    refused(&delete(tag_of(&two)).await?, &one.blob.digest)?;
    manifests::seen(run, &one, ("deleted", true)).await?;
    delete(tag_of(&one)).await?.is(202)?;
    run.get("manifests/deleted").send().await?.refuses(404, "MANIFEST_UNKNOWN").map(|_| ())
}

/// 304 with `ETag` and digest, without a body; another tag gets the content (H13).
async fn on_get(run: &Run) -> Seen {
    let manifest = image(run).await?;
    manifests::pushed(run, &manifest, ("read", &[])).await?;
    let blob = run.blob(Algorithm::Sha256, 100);
    uploads::post_only(run, &blob).await?;
    let paths = [
        ("manifests/read".to_owned(), &manifest.blob),
        (format!("manifests/{}", manifest.blob.digest), &manifest.blob),
        (format!("blobs/{}", blob.digest), &blob),
    ];
    for (path, blob) in paths {
        let own = format!("\"{}\"", blob.digest);
        for given in [own.clone(), format!("\"x\", W/{own}"), "*".to_owned()] {
            let get = run.get(&path).header("if-none-match", &given).send().await?;
            get.is(304)?.says("etag", &own)?.carries(b"")?;
            get.says("docker-content-digest", &blob.digest)?.needs("cache-control")?;
            run.head(&path).header("if-none-match", &given).send().await?.is(304)?;
        }
        let other = run.get(&path).header("if-none-match", "\"sha256:0\"").send().await?;
        other.is(200)?.carries(&blob.bytes)?;
    }
    Ok(())
}

/// Of a hundred writers that saw the same state one wins, and its manifest stands.
async fn race(run: &Run, from: Option<&Manifest>) -> Seen {
    let images = images(run, WRITERS).await?;
    let condition = match from {
        Some(first) => ("contended", "if-match", tag_of(first)),
        None => ("free-for-all", "if-none-match", "*".to_owned()),
    };
    let (tag, header, value) = &condition;
    let writers = images.iter().map(|image| put(run, image, (*tag, *header, value)));
    let mut winners = Vec::new();
    for (answer, image) in join_all(writers).await.into_iter().zip(&images) {
        let answer = answer?;
        if answer.status.as_u16() == 201 {
            winners.push(image);
        } else {
            answer.refuses(412, "DENIED")?;
        }
    }
    let [winner] = winners[..] else {
        return Err(format!("{} of {WRITERS} writers won", winners.len()));
    };
    manifests::seen(run, winner, (*tag, true)).await
}

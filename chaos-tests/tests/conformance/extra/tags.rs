//! Tags: their order and pages, and several of them in one PUT (TL1–TL6, MP5).

use super::{image, images};
use crate::answer::{Answer, Seen, holds};
use crate::content::Manifest;
use crate::manifests;
use crate::run::Run;

/// As many as one PUT may name.
const TAGS_MAX: usize = 100;

/// In byte order: upper case first, and each a prefix of others.
const NAMES: [&str; 7] = ["1", "1.0", "1.0.0", "10", "B", "_x", "a"];

pub(super) async fn all(run: &Run) {
    run.step("tag pages/pushed", pushed(run)).await;
    run.step("tag pages/byte order and prefixes", ordered(run)).await;
    run.step("tag pages/link to the next", linked(run)).await;
    run.step("tag pages/last that does not exist", last_not_there(run)).await;
    run.step("tag pages/last beyond the end", beyond(run)).await;
    run.step("tag pages/n of 0", none(run)).await;
    run.step("tag pages/n that is no number", no_number(run)).await;
    run.step("tag pages/n above the limit", clamped(run)).await;
    run.step("tag pages/while tags are added", while_added(run)).await;
    run.step("several tags/100 in one put", hundred(run)).await;
    run.step("several tags/101 in one put", hundred_and_one(run)).await;
    run.step("several tags/a bad one among ten", one_bad(run)).await;
    run.step("several tags/twice the same", twice(run)).await;
    run.step("several tags/beside a tag", beside_a_tag(run)).await;
    run.step("several tags/a condition holds for each", conditioned(run)).await;
    run.step("several tags/gone with their digest", gone_together(run)).await;
    run.step("tag/moves to another digest", moves(run)).await;
    run.step("tag/128 characters and no more", longest(run)).await;
}

fn named(names: &[&str]) -> Vec<String> {
    names.iter().map(|it| (*it).to_owned()).collect()
}

/// The path of the next page.
fn next(answer: &Answer) -> Seen<String> {
    let link = answer.needs("link")?;
    let path = link.strip_prefix('<').and_then(|it| it.strip_suffix(">; rel=\"next\""));
    let path = path.filter(|it| it.starts_with("/v2/"));
    path.map(str::to_owned).ok_or_else(|| answer.but(&format!("Link is {link:?}")))
}

async fn pushed(run: &Run) -> Seen {
    let manifest = image(run).await?;
    for tag in NAMES.iter().rev() {
        manifests::pushed(run, &manifest, (tag, &[])).await?;
    }
    Ok(())
}

async fn ordered(run: &Run) -> Seen {
    manifests::lists(run, "", &named(&NAMES)).await?.lacks("link")?;
    for (at, tag) in NAMES.iter().enumerate() {
        manifests::lists(run, &format!("?last={tag}"), &named(&NAMES[at + 1..])).await?;
    }
    Ok(())
}

/// Pages of every length show each tag once; only the last has no `Link`.
async fn linked(run: &Run) -> Seen {
    for n in 1..=NAMES.len() {
        let mut path = format!("/v2/{}/tags/list?n={n}", run.repository);
        for page in NAMES.chunks(n) {
            let answer = run.get(&path).send().await?;
            let right = answer.is(200)?.json()?["tags"] == serde_json::json!(page);
            holds(right, || answer.but(&format!("{page:?} was wanted")))?;
            if page.last() == NAMES.last() {
                answer.lacks("link")?;
            } else {
                path = next(&answer)?;
                let kept = path.contains(&format!("n={n}"));
                holds(kept, || answer.but(&format!("the next page {path} has another n")))?;
            }
        }
    }
    Ok(())
}

async fn last_not_there(run: &Run) -> Seen {
    for (last, from) in [("0", 0), ("1.", 1), ("1.0.00", 3), ("A", 4), ("C%2F%3F", 5)] {
        manifests::lists(run, &format!("?last={last}"), &named(&NAMES[from..])).await?;
        manifests::lists(run, &format!("?n=1&last={last}"), &named(&NAMES[from..=from])).await?;
    }
    Ok(())
}

async fn beyond(run: &Run) -> Seen {
    for query in ["?last=a", "?last=zz", "?n=3&last=zz"] {
        manifests::lists(run, query, &[]).await?.lacks("link")?;
    }
    Ok(())
}

async fn none(run: &Run) -> Seen {
    manifests::lists(run, "?n=0", &[]).await?.lacks("link").map(|_| ())
}

async fn no_number(run: &Run) -> Seen {
    for n in ["-1", "many", "1.5", "%2B1"] {
        run.get(&format!("tags/list?n={n}")).send().await?.refuses(400, "UNSUPPORTED")?;
    }
    Ok(())
}

async fn clamped(run: &Run) -> Seen {
    for n in ["10000", "10001", "4000000000"] {
        manifests::lists(run, &format!("?n={n}"), &named(&NAMES)).await?.lacks("link")?;
    }
    Ok(())
}

/// A walk sees every tag that was there throughout (TL6).
async fn while_added(run: &Run) -> Seen {
    let manifest = image(run).await?;
    let mut path = format!("/v2/{}/tags/list?n=2", run.repository);
    let mut seen = Vec::new();
    for round in 0.. {
        let answer = run.get(&path).send().await?;
        let body = answer.is(200)?.json()?;
        let page = body["tags"].as_array().cloned().unwrap_or_default();
        seen.extend(page.iter().filter_map(|it| it.as_str().map(str::to_owned)));
        if answer.header("link").is_none() {
            break;
        }
        path = next(&answer)?;
        // One before what was seen, one after everything; not for ever.
        let early = format!("0-added-{round}");
        let late = format!("b-added-{round}");
        let tags = if round < 3 { vec![early, late] } else { vec![early] };
        manifests::pushed(run, &manifest, (&manifest.blob.digest, &tags)).await?;
    }
    let once = |tag: &&str| seen.iter().filter(|it| it == tag).count() == 1;
    holds(NAMES.iter().all(once), || format!("{NAMES:?} were there throughout, {seen:?} came"))?;
    holds(seen.is_sorted(), || format!("the walk came out of order: {seen:?}"))
}

fn numbered(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|at| format!("{prefix}-{at:03}")).collect()
}

async fn hundred(run: &Run) -> Seen {
    let (manifest, tags) = (image(run).await?, numbered("hundred", TAGS_MAX));
    manifests::pushed(run, &manifest, (&manifest.blob.digest, &tags)).await?;
    manifests::lists(run, "?n=100&last=hundred", &tags).await?;
    for tag in &tags {
        manifests::seen(run, &manifest, (tag, true)).await?;
    }
    Ok(())
}

/// PUT by digest with a query that must be refused, after which none of its tags exist.
async fn none_moved(run: &Run, tags: &[String], refusal: (u16, &str)) -> Seen {
    let manifest = image(run).await?;
    let query = tags.join("&tag=");
    let put = run.put(&format!("manifests/{}?tag={query}", manifest.blob.digest));
    let put = put.header("content-type", manifest.media_type).body(&manifest.blob.bytes);
    put.send().await?.refuses(refusal.0, refusal.1)?;
    for tag in tags.iter().filter(|it| it.len() < 20) {
        run.get(&format!("manifests/{tag}")).send().await?.refuses(404, "MANIFEST_UNKNOWN")?;
    }
    Ok(())
}

async fn hundred_and_one(run: &Run) -> Seen {
    none_moved(run, &numbered("more", TAGS_MAX + 1), (414, "UNSUPPORTED")).await
}

async fn one_bad(run: &Run) -> Seen {
    let mut tags = numbered("ten", 9);
    tags.insert(5, format!(".{}", "x".repeat(30)));
    none_moved(run, &tags, (400, "MANIFEST_INVALID")).await
}

async fn twice(run: &Run) -> Seen {
    let manifest = image(run).await?;
    let path = format!("manifests/{}?tag=twice&tag=twice", manifest.blob.digest);
    let put = run.put(&path).header("content-type", manifest.media_type);
    let answer = put.body(&manifest.blob.bytes).send().await?;
    let named = manifests::named_tags(answer.is(201)?);
    holds(named == ["twice"], || answer.but(&format!("OCI-Tag names {named:?}")))
}

async fn beside_a_tag(run: &Run) -> Seen {
    let manifest = image(run).await?;
    let put = run.put("manifests/beside?tag=another").header("content-type", manifest.media_type);
    let answer = put.body(&manifest.blob.bytes).send().await?;
    holds(answer.status.as_u16() == 400, || answer.but("400 was wanted"))?;
    for tag in ["beside", "another"] {
        run.get(&format!("manifests/{tag}")).send().await?.refuses(404, "MANIFEST_UNKNOWN")?;
    }
    Ok(())
}

/// H14: all of the tags, or none.
async fn conditioned(run: &Run) -> Seen {
    let manifests = images(run, 2).await?;
    let [first, second] = &manifests[..] else { return Err("two were made".to_owned()) };
    manifests::pushed(run, first, ("cond-b", &[])).await?;
    let put = |manifest: &Manifest| {
        let query = "?tag=cond-a&tag=cond-b&tag=cond-c";
        let put = run.put(&format!("manifests/{}{query}", manifest.blob.digest));
        let put = put.header("content-type", manifest.media_type).header("if-none-match", "*");
        put.body(&manifest.blob.bytes).send()
    };
    put(second).await?.refuses(412, "DENIED")?;
    manifests::seen(run, first, ("cond-b", true)).await?;
    for tag in ["cond-a", "cond-c"] {
        run.get(&format!("manifests/{tag}")).send().await?.refuses(404, "MANIFEST_UNKNOWN")?;
    }
    Ok(())
}

/// MD2: all tags of a digest go with it, and a warning names them.
async fn gone_together(run: &Run) -> Seen {
    let (manifest, tags) = (image(run).await?, named(&["gone-a", "gone-b"]));
    manifests::pushed(run, &manifest, (&manifest.blob.digest, &tags)).await?;
    let delete = run.delete(&format!("manifests/{}", manifest.blob.digest)).send().await?;
    let warning = delete.is(202)?.needs("warning")?;
    let told = warning.starts_with("299 ") && tags.iter().all(|tag| warning.contains(tag));
    holds(told, || delete.but(&format!("Warning is {warning:?}")))?;
    for tag in &tags {
        run.get(&format!("manifests/{tag}")).send().await?.refuses(404, "MANIFEST_UNKNOWN")?;
    }
    manifests::lists(run, "?last=gone&n=0", &[]).await.map(|_| ())
}

async fn moves(run: &Run) -> Seen {
    for manifest in images(run, 5).await? {
        manifests::pushed(run, &manifest, ("moving", &[])).await?;
        manifests::seen(run, &manifest, ("moving", true)).await?;
    }
    Ok(())
}

async fn longest(run: &Run) -> Seen {
    let manifest = image(run).await?;
    let longest = "t".repeat(128);
    manifests::pushed(run, &manifest, (&longest, &[])).await?;
    manifests::seen(run, &manifest, (&longest, true)).await?;
    let put = run.put(&format!("manifests/{longest}t")).header("content-type", manifest.media_type);
    put.body(&manifest.blob.bytes).send().await?.refuses(400, "MANIFEST_INVALID").map(|_| ())
}

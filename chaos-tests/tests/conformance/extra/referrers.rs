//! Referrers: long lists in pages, what is not there, and the tag that older clients keep them in.

use chaos_tests::image::INDEX;
use serde_json::{Value, json};

use crate::answer::{Seen, holds};
use crate::content::{Algorithm, GZIP, Manifest, Set, unchanged};
use crate::data_sets::KIND;
use crate::manifests;
use crate::referrers;
use crate::run::{Run, Who};
use crate::uploads;

/// A page has less than 4 MiB of body.
const PAGE_BYTES_MAX: usize = 4 << 20;
const LARGE: u64 = 6;

pub(super) async fn all(run: &Run) {
    run.step("referrers/megabyte annotations in pages", pages(run)).await;
    run.step("referrers/a repository that does not exist", no_repository(run)).await;
    run.step("referrers/a malformed digest", malformed(run)).await;
    run.step("referrers/seen at once and gone at once", at_once(run)).await;
    run.step("referrers/the type of the configuration counts", type_of_configuration(run)).await;
    run.step("referrers/of a sha512 subject", of_a_long_digest(run)).await;
    run.step("fallback tag/imported", fallback_tag(run)).await;
}

/// A subject and so many artifacts on it, pushed by digest, each changed as told.
async fn subject_and_artifacts(
    run: &Run,
    algorithm: Algorithm,
    count: u64,
    change: impl Fn(&mut Value, u64),
) -> Seen<Vec<Manifest>> {
    let mut set = Set::new(run, algorithm);
    let subject = set.image(GZIP, unchanged);
    for number in 0..count {
        set.artifact(KIND, |it| {
            it["subject"] = subject.clone();
            change(it, number);
        });
    }
    for blob in &set.blobs {
        uploads::post_only(run, blob).await?;
    }
    for manifest in &set.manifests {
        manifests::pushed(run, manifest, (&manifest.blob.digest, &[])).await?;
    }
    Ok(set.manifests)
}

/// RF4: every entry once, in the order of their digests, the filter kept.
async fn pages(run: &Run) -> Seen {
    let large = |it: &mut Value, number: u64| {
        it["annotations"] = json!({"large": "x".repeat(1 << 20), "number": number.to_string()});
    };
    let pushed = subject_and_artifacts(run, Algorithm::Sha256, LARGE, large).await?;
    let subject = &pushed[0].blob.digest;
    let mut path = format!("referrers/{subject}?artifactType={KIND}");
    let (mut digests, mut count) = (Vec::new(), 0);
    loop {
        let answer = run.get(&path).send().await?;
        count += 1;
        let few = answer.body.len() < PAGE_BYTES_MAX && count < LARGE;
        holds(few, || answer.but(&format!("page {count} of {} bytes", answer.body.len())))?;
        answer.says("oci-filters-applied", "artifactType")?;
        for entry in referrers::entries(&answer)? {
            let wanted = pushed.iter().find(|it| entry["digest"] == it.blob.digest);
            let right = wanted.is_some_and(|it| it.entry == entry);
            holds(right, || answer.but("an entry is not what was pushed"))?;
            digests.push(entry["digest"].to_string());
        }
        let Some(link) = answer.header("link") else { break };
        let next = link.trim_start_matches('<').split('>').next();
        next.unwrap_or_default().clone_into(&mut path);
    }
    let whole = count > 1 && digests.len() == pushed.len() - 1 && digests.is_sorted();
    holds(whole, || format!("{count} pages had {digests:?}"))
}

async fn no_repository(run: &Run) -> Seen {
    let digest = run.digest(Algorithm::Sha256);
    let path = format!("/v2/{}-never/referrers/{digest}", run.repository);
    let answer = run.get(&path).who(Who::Basic).send().await?;
    holds(referrers::entries(&answer)?.is_empty(), || answer.but("nothing is there"))
}

async fn malformed(run: &Run) -> Seen {
    for digest in ["sha256:baddigeststring", "latest", "md5:d41d8cd98f00b204e9800998ecf8427e"] {
        let answer = run.get(&format!("referrers/{digest}")).send().await?;
        answer.refuses(400, "DIGEST_INVALID")?;
    }
    Ok(())
}

/// RF7.
async fn at_once(run: &Run) -> Seen {
    let pushed = subject_and_artifacts(run, Algorithm::Sha256, 3, |_, _| {}).await?;
    let subject = &pushed[0].blob.digest;
    for (artifact, left) in pushed[1..].iter().zip([2, 1, 0]) {
        manifests::gone(run, &format!("manifests/{}", artifact.blob.digest)).await?;
        let (came, answer) = referrers::of(run, subject, None).await?;
        holds(came.len() == left, || answer.but(&format!("{left} entries were wanted")))?;
        manifests::pushed(run, artifact, (&artifact.blob.digest, &[])).await?;
        let (came, answer) = referrers::of(run, subject, None).await?;
        holds(came.len() == left + 1, || answer.but(&format!("{} were wanted", left + 1)))?;
        manifests::gone(run, &format!("manifests/{}", artifact.blob.digest)).await?;
    }
    Ok(())
}

/// RF2.
async fn type_of_configuration(run: &Run) -> Seen {
    let untyped = |it: &mut Value, _: u64| {
        it.as_object_mut().map(|it| it.remove("artifactType"));
        it["config"]["mediaType"] = json!("application/vnd.example.config");
    };
    let pushed = subject_and_artifacts(run, Algorithm::Sha256, 1, untyped).await?;
    let filter = Some("application/vnd.example.config");
    let (came, answer) = referrers::of(run, &pushed[0].blob.digest, filter).await?;
    holds(came == [pushed[1].entry.clone()], || answer.but("the entry is not the artifact's"))
}

async fn of_a_long_digest(run: &Run) -> Seen {
    let pushed = subject_and_artifacts(run, Algorithm::Sha512, 1, |_, _| {}).await?;
    let (came, answer) = referrers::of(run, &pushed[0].blob.digest, None).await?;
    holds(came == [pushed[1].entry.clone()], || answer.but("the entry is not the artifact's"))
}

/// RF6: entries that came in the index of a fallback tag are listed too, each once, where their
/// manifest has the subject.
async fn fallback_tag(run: &Run) -> Seen {
    let pushed = subject_and_artifacts(run, Algorithm::Sha256, 1, |_, _| {}).await?;
    let other = subject_and_artifacts(run, Algorithm::Sha256, 1, |_, _| {}).await?;
    let (subject, artifact) = (&pushed[0].blob.digest, &pushed[1]);
    // The second entry has another subject: it is no referrer, whatever the tag says.
    let index = json!({"schemaVersion": 2, "mediaType": INDEX,
        "manifests": [artifact.entry, other[1].entry]});
    let blob = Algorithm::Sha256.blob(index.to_string());
    let tag = subject.replace(':', "-");
    let put = run.put(&format!("manifests/{tag}")).header("content-type", INDEX).body(&blob.bytes);
    put.send().await?.is(201)?;
    let (came, answer) = referrers::of(run, subject, None).await?;
    holds(came == [artifact.entry.clone()], || answer.but("one entry was wanted, once"))?;
    let get = run.get(&format!("manifests/{tag}")).send().await?;
    get.is(200)?.carries(&blob.bytes)?;
    Ok(())
}

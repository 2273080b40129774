//! Referrers: what a list of them must show, with a filter and without.

use chaos_tests::image::INDEX;
use serde_json::Value;

use crate::answer::{Answer, Seen, holds};
use crate::content::Set;
use crate::data_sets::KIND;
use crate::run::Run;

/// The entries of a list of referrers, whose form is checked (RF1).
pub(crate) fn entries(answer: &Answer) -> Seen<Vec<Value>> {
    let body = answer.is(200)?.says("content-type", INDEX)?.json()?;
    let right = body["schemaVersion"] == 2 && body["mediaType"] == INDEX;
    holds(right, || answer.but("it is no OCI index"))?;
    body["manifests"].as_array().cloned().ok_or_else(|| answer.but("manifests is no list"))
}

/// What a list of the referrers of this digest shows.
pub(crate) async fn of(
    run: &Run,
    digest: &str,
    filter: Option<&str>,
) -> Seen<(Vec<Value>, Answer)> {
    let query = filter.map(|kind| format!("?artifactType={kind}")).unwrap_or_default();
    let answer = run.get(&format!("referrers/{digest}{query}")).send().await?;
    Ok((entries(&answer)?, answer))
}

/// Every digest of the set that may have referrers: its own, and those that it only refers to.
fn subjects<'a>(set: &'a Set<'_>) -> Vec<&'a str> {
    let own = set.manifests.iter().map(|it| it.blob.digest.as_str());
    let named = set.manifests.iter().filter_map(|it| it.subject.as_deref());
    let mut all: Vec<&str> = own.chain(named).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// The entries that a list must show, in the order of their digests (RF4).
fn wanted(set: &Set<'_>, subject: &str, filter: Option<&str>) -> Vec<Value> {
    let of_it = set.manifests.iter().filter(|it| it.subject.as_deref() == Some(subject));
    let entries = of_it.map(|it| it.entry.clone());
    let mut entries: Vec<Value> =
        entries.filter(|it| filter.is_none_or(|kind| it["artifactType"] == kind)).collect();
    entries.sort_by_key(|it| it["digest"].to_string());
    entries
}

/// Each list shows exactly what refers to the digest.
pub(crate) async fn listed(run: &Run, set: &Set<'_>) -> Seen {
    for subject in subjects(set) {
        let (came, answer) = of(run, subject, None).await?;
        let wanted = wanted(set, subject, None);
        holds(came == wanted, || answer.but(&format!("wanted {wanted:?}")))?;
        answer.lacks("oci-filters-applied")?.lacks("link")?;
    }
    Ok(())
}

/// Each list shows those of one type, and says that it was filtered (RF3).
pub(crate) async fn filtered(run: &Run, set: &Set<'_>) -> Seen {
    for subject in subjects(set) {
        let (came, answer) = of(run, subject, Some(KIND)).await?;
        let wanted = wanted(set, subject, Some(KIND));
        holds(came == wanted, || answer.but(&format!("wanted {wanted:?}")))?;
        answer.says("oci-filters-applied", "artifactType")?;
        let (none, answer) = of(run, subject, Some("application/vnd.example.none")).await?;
        holds(none.is_empty(), || answer.but("nothing has this type"))?;
        answer.says("oci-filters-applied", "artifactType")?;
    }
    Ok(())
}

//! Cases of the older official suite (1.1.1) that the newer one no longer has.

use crate::answer::{Seen, holds};
use crate::blobs;
use crate::content::{Algorithm, GZIP, Set, unchanged};
use crate::manifests;
use crate::referrers;
use crate::run::Run;
use crate::uploads::{self, CHUNK_BYTES};

/// All cases of `legacy`.
pub(crate) async fn all(run: &Run) {
    run.step("retry of a previous chunk/blob-patch-chunked", previous_chunk(run)).await;
    run.step("get of a stale upload/blob-upload-get", stale_upload(run)).await;
    run.step("mount without from/blob-mount", mount_without_from(run)).await;
    run.step("mount location/blob-mount", mount_location(run)).await;
    tags(run).await;
    run.step("error form/manifest-put", error_form(run)).await;
    run.step("no layers/manifest-by-tag", no_layers(run)).await;
    let never = async {
        let digest = run.digest(Algorithm::Sha256);
        let (came, answer) = referrers::of(run, &digest, None).await?;
        holds(came.is_empty(), || answer.but("nothing refers to it"))
    };
    run.step("referrers/of a digest never seen", never).await;
}

async fn previous_chunk(run: &Run) -> Seen {
    let blob = run.blob(Algorithm::Sha256, 2 * CHUNK_BYTES);
    let place = uploads::open(run).await?;
    for to in [CHUNK_BYTES, 2 * CHUNK_BYTES] {
        let patch = uploads::chunk(run.patch(&place), &blob.bytes, to - CHUNK_BYTES, to);
        uploads::taken(&patch.send().await?, &place, to)?;
    }
    let again = uploads::chunk(run.patch(&place), &blob.bytes, 0, CHUNK_BYTES);
    uploads::misplaced(run, &place, (again, 2 * CHUNK_BYTES)).await?;
    let put = uploads::closing(run, &place, &blob.digest).send().await?;
    uploads::created(run, &put, &blob.digest)?;
    blobs::get(run, &blob).await
}

async fn stale_upload(run: &Run) -> Seen {
    let blob = run.blob(Algorithm::Sha256, CHUNK_BYTES);
    let place = uploads::open(run).await?;
    let patch = uploads::chunk(run.patch(&place), &blob.bytes, 0, CHUNK_BYTES).send().await?;
    uploads::taken(&patch, &place, CHUNK_BYTES)?;
    uploads::stands(run, &place, CHUNK_BYTES).await
}

async fn mount_without_from(run: &Run) -> Seen {
    let digest = run.digest(Algorithm::Sha256);
    let post = run.post(&format!("blobs/uploads/?mount={digest}")).send().await?;
    uploads::opened(run, &post).map(|_| ())
}

async fn mount_location(run: &Run) -> Seen {
    let blob = run.blob(Algorithm::Sha256, 100);
    blobs::elsewhere(run, &blob).await?;
    let path = format!("blobs/uploads/?mount={}&from={}", blob.digest, run.other);
    uploads::created(run, &run.post(&path).send().await?, &blob.digest)?;
    let absent = run.digest(Algorithm::Sha256);
    let path = format!("blobs/uploads/?mount={absent}&from={}", run.other);
    uploads::opened(run, &run.post(&path).send().await?).map(|_| ())
}

async fn tags(run: &Run) {
    let names: Vec<String> = (0..5).map(|at| format!("test{at}")).collect();
    let pushed = async {
        let mut set = Set::new(run, Algorithm::Sha256);
        set.image(GZIP, unchanged);
        for blob in &set.blobs {
            uploads::post_only(run, blob).await?;
        }
        for tag in &names {
            manifests::pushed(run, &set.manifests[0], (tag, &[])).await?;
        }
        manifests::lists(run, "", &names).await
    };
    run.step("tags/manifest-by-tag", pushed).await;
    let limited = async {
        let answer = manifests::lists(run, "?n=2", &names[..2]).await?;
        holds(answer.needs("link")?.contains("rel=\"next\""), || answer.but("no next page"))
    };
    run.step("tags/n limits the list", limited).await;
    let started = async {
        manifests::lists(run, &format!("?n=2&last={}", names[1]), &names[2..4]).await?;
        manifests::lists(run, &format!("?last={}", names[2]), &names[3..]).await.map(|_| ())
    };
    run.step("tags/last sets the start", started).await;
    let reflected = async {
        manifests::gone(run, &format!("manifests/{}", names[0])).await?;
        manifests::lists(run, "", &names[1..]).await.map(|_| ())
    };
    run.step("tags/list reflects a deletion", reflected).await;
}

async fn error_form(run: &Run) -> Seen {
    let put = run.put("manifests/broken").header("content-type", chaos_tests::image::MANIFEST);
    let answer = put.body(&"no manifest".into()).send().await?;
    answer.refuses(400, "MANIFEST_INVALID")?;
    let kind = answer.needs("content-type")?;
    holds(kind.starts_with("application/json"), || answer.but(&format!("it is {kind}")))
}

async fn no_layers(run: &Run) -> Seen {
    let mut set = Set::new(run, Algorithm::Sha256);
    set.image(GZIP, |it| it["layers"] = serde_json::json!([]));
    for blob in &set.blobs {
        uploads::post_only(run, blob).await?;
    }
    manifests::pushed(run, &set.manifests[0], ("no-layers", &[])).await?;
    manifests::seen(run, &set.manifests[0], ("no-layers", false)).await
}

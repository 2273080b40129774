//! One registry on many nodes: what was done at one replica is so at every other at once (CL1–CL3).

use futures::future::join_all;

use super::image;
use crate::answer::{Seen, holds};
use crate::blobs;
use crate::content::Algorithm;
use crate::manifests;
use crate::run::Run;
use crate::uploads;

/// Clients that push the same blob at the same time: as many as a machine that also runs the
/// replicas connects within the two seconds that the harness gives a connection.
const PUSHES: usize = 200;

pub(super) async fn all(run: &Run) {
    run.step("every other node/close", closed_elsewhere(run)).await;
    run.step("every other node/cancel", cancelled_elsewhere(run)).await;
    run.step("every other node/mount", mounted(run)).await;
    run.step("every other node/blob delete and head", blob_deleted(run)).await;
    run.step("every other node/manifest delete and head", manifest_deleted(run)).await;
    run.step("every other node/tag delete and list", tag_deleted(run)).await;
    run.step("concurrent pushes/200 of one digest", one_digest(run)).await;
}

/// Every pair of replicas that live, each with itself too.
fn pairs(run: &Run) -> Vec<(usize, usize)> {
    let places = &run.target.places;
    places.iter().flat_map(|one| places.iter().map(move |two| (*one, *two))).collect()
}

async fn closed_elsewhere(run: &Run) -> Seen {
    for (one, two) in pairs(run) {
        let blob = run.blob(Algorithm::Sha256, 3_000);
        let post = run.post("blobs/uploads/").at(one).send().await?;
        let place = uploads::opened(run, &post)?;
        let patch = uploads::chunk(run.patch(&place).at(one), &blob.bytes, 0, 1_000).send().await?;
        uploads::taken(&patch, &place, 1_000)?;
        let patch = uploads::chunk(run.patch(&place).at(two), &blob.bytes, 1_000, 2_000);
        uploads::taken(&patch.send().await?, &place, 2_000)?;
        let put = uploads::closing(run, &place, &blob.digest).at(two);
        let put = uploads::chunk(put, &blob.bytes, 2_000, 3_000).send().await?;
        uploads::created(run, &put, &blob.digest)?;
        for place in &run.target.places {
            let path = format!("blobs/{}", blob.digest);
            run.head(&path).at(*place).send().await?.is(200)?.announces(&blob.digest, 3_000)?;
            run.get(&path).at(*place).send().await?.is(200)?.carries(&blob.bytes)?;
        }
    }
    Ok(())
}

async fn cancelled_elsewhere(run: &Run) -> Seen {
    for (one, two) in pairs(run) {
        let post = run.post("blobs/uploads/").at(one).send().await?;
        let place = uploads::opened(run, &post)?;
        run.delete(&place).at(two).send().await?.is(204)?;
        run.get(&place).at(one).send().await?.refuses(404, "BLOB_UPLOAD_UNKNOWN")?;
    }
    Ok(())
}

/// MO5.
async fn mounted(run: &Run) -> Seen {
    for (one, two) in pairs(run) {
        let blob = run.blob(Algorithm::Sha256, 100);
        blobs::elsewhere(run, &blob).await?;
        let path = format!("blobs/uploads/?mount={}&from={}", blob.digest, run.other);
        uploads::created(run, &run.post(&path).at(one).send().await?, &blob.digest)?;
        let head = run.head(&format!("blobs/{}", blob.digest)).at(two).send().await?;
        head.is(200)?.announces(&blob.digest, 100)?;
    }
    Ok(())
}

async fn blob_deleted(run: &Run) -> Seen {
    for (one, two) in pairs(run) {
        let blob = run.blob(Algorithm::Sha256, 100);
        uploads::post_only(run, &blob).await?;
        let path = format!("blobs/{}", blob.digest);
        run.delete(&path).at(one).send().await?.is(202)?;
        run.head(&path).at(two).send().await?.is(404)?;
    }
    Ok(())
}

async fn manifest_deleted(run: &Run) -> Seen {
    for (one, two) in pairs(run) {
        let manifest = image(run).await?;
        manifests::pushed(run, &manifest, ("spread", &[])).await?;
        let path = format!("manifests/{}", manifest.blob.digest);
        run.head(&path).at(two).send().await?.is(200)?;
        run.delete(&path).at(one).send().await?.is(202)?;
        run.head(&path).at(two).send().await?.is(404)?;
        run.head("manifests/spread").at(two).send().await?.is(404)?;
    }
    Ok(())
}

async fn tag_deleted(run: &Run) -> Seen {
    for (one, two) in pairs(run) {
        let manifest = image(run).await?;
        manifests::pushed(run, &manifest, ("spread", &[])).await?;
        run.delete("manifests/spread").at(one).send().await?.is(202)?;
        let list = run.get("tags/list").at(two).send().await?;
        let tags = list.is(200)?.json()?["tags"].as_array().map(Vec::len);
        holds(tags == Some(0), || list.but("the tag is still listed"))?;
    }
    Ok(())
}

/// UP16: each is told 201, and one blob is there.
async fn one_digest(run: &Run) -> Seen {
    let blob = run.blob(Algorithm::Sha256, 1_000);
    let pushes = (0..PUSHES).map(|_| uploads::post_only(run, &blob));
    let failed: Vec<String> = join_all(pushes).await.into_iter().filter_map(Seen::err).collect();
    holds(failed.is_empty(), || format!("{} of {PUSHES} failed: {}", failed.len(), failed[0]))?;
    blobs::get(run, &blob).await?;
    blobs::deleted(run, &blob).await
}

//! Uploads that announce their digest's algorithm, and sha512 wherever a digest may stand.

use crate::answer::Seen;
use crate::blobs;
use crate::content::{Algorithm, GZIP, Set, unchanged};
use crate::manifests;
use crate::run::Run;
use crate::uploads;

pub(crate) async fn all(run: &Run) {
    for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
        let name = format!("announced algorithm/{}", algorithm.name());
        run.step(&name, announced(run, algorithm)).await;
    }
    let unknown = async {
        let post = run.post("blobs/uploads/?digest-algorithm=md5").send().await?;
        post.refuses(400, "DIGEST_INVALID").map(|_| ())
    };
    run.step("announced algorithm/unknown", unknown).await;
    run.step("announced algorithm/another closes", another(run)).await;
    run.step("sha512 tag/read back", tag_read_back(run)).await;
}

/// `POST ?digest-algorithm=`, one stream, and the close (UP12).
async fn announced(run: &Run, algorithm: Algorithm) -> Seen {
    let blob = run.blob(algorithm, 700);
    let path = format!("blobs/uploads/?digest-algorithm={}", algorithm.name());
    let place = uploads::opened(run, &run.post(&path).send().await?)?;
    let patch = run.patch(&place).stream(&blob.bytes).send().await?;
    uploads::taken(&patch, &place, blob.bytes.len())?;
    let put = uploads::closing(run, &place, &blob.digest).send().await?;
    uploads::created(run, &put, &blob.digest)?;
    blobs::get(run, &blob).await
}

/// The closing digest decides, whatever was announced (UP12).
async fn another(run: &Run) -> Seen {
    let blob = run.blob(Algorithm::Sha512, 700);
    let post = run.post("blobs/uploads/?digest-algorithm=sha256").send().await?;
    let place = uploads::opened(run, &post)?;
    let put = uploads::closing(run, &place, &blob.digest).body(&blob.bytes).send().await?;
    uploads::created(run, &put, &blob.digest)?;
    blobs::get(run, &blob).await
}

/// By tag the digest is the one it was set with; the same bytes have no other name (MG5).
async fn tag_read_back(run: &Run) -> Seen {
    let mut set = Set::new(run, Algorithm::Sha512);
    set.image(GZIP, unchanged);
    for blob in &set.blobs {
        uploads::post_only(run, blob).await?;
    }
    let manifest = &set.manifests[0];
    let tags = ["long".to_owned()];
    manifests::pushed(run, manifest, (&manifest.blob.digest, &tags)).await?;
    manifests::seen(run, manifest, ("long", false)).await?;
    manifests::seen(run, manifest, ("long", true)).await?;
    let other = Algorithm::Sha256.digest(&manifest.blob.bytes);
    let get = run.get(&format!("manifests/{other}")).send().await?;
    get.refuses(404, "MANIFEST_UNKNOWN").map(|_| ())
}

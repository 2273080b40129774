//! Uploads: forms of `Content-Range`, two writers at once, and a close that is repeated (UP1–UP14).

use crate::answer::{Answer, Seen, holds};
use crate::blobs;
use crate::content::Algorithm;
use crate::run::{Run, Who};
use crate::uploads;

pub(super) async fn all(run: &Run) {
    run.step("upload range/0-0 on POST and on an empty PATCH", nothing_yet(run)).await;
    run.step("upload range/0-0 after one byte", one_byte(run)).await;
    for (name, range, wanted) in [
        ("bytes unit", "bytes 0-99", (202, "")),
        ("bytes unit and star", "bytes 0-99/*", (202, "")),
        ("bytes unit and total", "bytes 0-99/4096", (202, "")),
        ("garbage", "0-garbage", (400, "BLOB_UPLOAD_INVALID")),
        ("a sign", "+0-99", (400, "BLOB_UPLOAD_INVALID")),
        ("backwards", "99-0", (400, "BLOB_UPLOAD_INVALID")),
        ("another length", "0-49", (400, "SIZE_INVALID")),
    ] {
        run.step(&format!("content-range/{name}"), content_range(run, (range, wanted))).await;
    }
    run.step("two patches at once/one is taken", two_at_once(run)).await;
    run.step("repeated close/201 again", closed_again(run)).await;
    run.step("close/without a digest", without_digest(run)).await;
    run.step("close/with two digests", two_digests(run)).await;
    run.step("close/wrong bytes drop the upload", wrong_bytes(run)).await;
    run.step("post only/announced as empty opens an upload", announced_empty(run)).await;
    run.step("upload/of another repository is not found", another_repository(run)).await;
    run.step("upload/an unknown parameter is ignored", unknown_parameter(run)).await;
    run.step("mount/from itself", mount_from_itself(run)).await;
    run.step("mount/a malformed digest", malformed_mount(run)).await;
    run.step("mount/a malformed source opens an upload", malformed_source(run)).await;
}

async fn nothing_yet(run: &Run) -> Seen {
    let place = uploads::open(run).await?;
    uploads::stands(run, &place, 0).await?;
    let empty = run.patch(&place).send().await?;
    uploads::taken(&empty, &place, 0)?;
    uploads::stands(run, &place, 0).await
}

async fn one_byte(run: &Run) -> Seen {
    let blob = run.blob(Algorithm::Sha256, 2);
    let place = uploads::open(run).await?;
    for at in [0, 1] {
        let patch = uploads::chunk(run.patch(&place), &blob.bytes, at, at + 1).send().await?;
        uploads::taken(&patch, &place, at + 1)?;
    }
    uploads::created(run, &uploads::closing(run, &place, &blob.digest).send().await?, &blob.digest)
}

/// UP3, UP6.
async fn content_range(run: &Run, case: (&str, (u16, &str))) -> Seen {
    let (range, (status, code)) = case;
    let blob = run.blob(Algorithm::Sha256, 100);
    let place = uploads::open(run).await?;
    let patch = run.patch(&place).header("content-range", range).body(&blob.bytes).send().await?;
    if status == 202 {
        uploads::taken(&patch, &place, 100)?;
        return uploads::stands(run, &place, 100).await;
    }
    patch.refuses(status, code)?;
    uploads::stands(run, &place, 0).await
}

/// The same chunk twice at the same time: one is taken, never both (UP4, UP9).
async fn two_at_once(run: &Run) -> Seen {
    let blob = run.blob(Algorithm::Sha256, 100_000);
    let place = uploads::open(run).await?;
    let patch = || uploads::chunk(run.patch(&place), &blob.bytes, 0, blob.bytes.len()).send();
    let (one, two) = futures::join!(patch(), patch());
    let (one, two) = (one?, two?);
    let mut statuses = [one.status.as_u16(), two.status.as_u16()];
    statuses.sort_unstable();
    holds(statuses == [202, 416], || format!("{}, {}", one.but("one"), two.but("other")))?;
    uploads::stands(run, &place, blob.bytes.len()).await?;
    uploads::created(
        run,
        &uploads::closing(run, &place, &blob.digest).send().await?,
        &blob.digest,
    )?;
    blobs::get(run, &blob).await
}

/// A client that lost the answer asks again (UP11).
async fn closed_again(run: &Run) -> Seen {
    let blob = run.blob(Algorithm::Sha256, 100);
    let place = uploads::open(run).await?;
    let patch = run.patch(&place).body(&blob.bytes).send().await?;
    uploads::taken(&patch, &place, 100)?;
    for _ in 0..3 {
        let close = uploads::closing(run, &place, &blob.digest).send().await?;
        uploads::created(run, &close, &blob.digest)?;
    }
    run.get(&place).send().await?.refuses(404, "BLOB_UPLOAD_UNKNOWN")?;
    blobs::get(run, &blob).await
}

/// A close that is refused for its form leaves the upload open (UP10).
async fn stays_open(run: &Run, query: impl Fn(&str) -> String) -> Seen {
    let blob = run.blob(Algorithm::Sha256, 100);
    let place = uploads::open(run).await?;
    let patch = run.patch(&place).body(&blob.bytes).send().await?;
    uploads::taken(&patch, &place, 100)?;
    let put = run.put(&format!("{place}{}", query(&blob.digest))).send().await?;
    put.refuses(400, "DIGEST_INVALID")?;
    uploads::created(run, &uploads::closing(run, &place, &blob.digest).send().await?, &blob.digest)
}

async fn without_digest(run: &Run) -> Seen {
    stays_open(run, |_| String::new()).await
}

async fn two_digests(run: &Run) -> Seen {
    stays_open(run, |digest| format!("?digest={digest}&digest={digest}")).await
}

async fn wrong_bytes(run: &Run) -> Seen {
    let blob = run.blob(Algorithm::Sha256, 100);
    let other = run.digest(Algorithm::Sha256);
    let place = uploads::open(run).await?;
    let put = uploads::closing(run, &place, &other).body(&blob.bytes).send().await?;
    put.refuses(400, "DIGEST_INVALID")?;
    run.get(&place).send().await?.refuses(404, "BLOB_UPLOAD_UNKNOWN")?;
    blobs::absent(run, &other).await?;
    blobs::absent(run, &blob.digest).await
}

/// UP13.
async fn announced_empty(run: &Run) -> Seen {
    let blob = run.blob(Algorithm::Sha256, 100);
    let post = run.post(&format!("blobs/uploads/?digest={}", blob.digest)).send().await?;
    let place = uploads::opened(run, &post)?;
    let put = uploads::closing(run, &place, &blob.digest).body(&blob.bytes).send().await?;
    uploads::created(run, &put, &blob.digest)
}

/// UP18.
async fn another_repository(run: &Run) -> Seen {
    let blob = run.blob(Algorithm::Sha256, 10);
    blobs::elsewhere(run, &blob).await?;
    let place = uploads::open(run).await?;
    let other = place.replace(&run.repository, &run.other);
    let unknown = |answer: &Answer| answer.refuses(404, "BLOB_UPLOAD_UNKNOWN").map(|_| ());
    unknown(&run.get(&other).who(Who::Basic).send().await?)?;
    unknown(&run.delete(&other).who(Who::Basic).send().await?)?;
    unknown(&uploads::closing(run, &other, &blob.digest).body(&blob.bytes).send().await?)?;
    uploads::stands(run, &place, 0).await
}

async fn unknown_parameter(run: &Run) -> Seen {
    let blob = run.blob(Algorithm::Sha256, 100);
    let post = run.post("blobs/uploads/?origin=docker.io&x=").send().await?;
    let place = uploads::opened(run, &post)?;
    let put = run.put(&format!("{place}?_state=abc&digest={}", blob.digest)).body(&blob.bytes);
    uploads::created(run, &put.send().await?, &blob.digest)
}

/// MO4.
async fn mount_from_itself(run: &Run) -> Seen {
    let blob = run.blob(Algorithm::Sha256, 100);
    uploads::post_only(run, &blob).await?;
    let path = format!("blobs/uploads/?mount={}&from={}", blob.digest, run.repository);
    uploads::created(run, &run.post(&path).send().await?, &blob.digest)
}

async fn malformed_mount(run: &Run) -> Seen {
    let path = format!("blobs/uploads/?mount=sha256:xyz&from={}", run.other);
    run.post(&path).send().await?.refuses(400, "DIGEST_INVALID").map(|_| ())
}

async fn malformed_source(run: &Run) -> Seen {
    let digest = run.digest(Algorithm::Sha256);
    let post = run.post(&format!("blobs/uploads/?mount={digest}&from=No/Name")).send().await?;
    uploads::opened(run, &post).map(|_| ())
}

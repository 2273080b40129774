//! Blobs, under one algorithm: every way in, and what each leaves behind.

use chaos_tests::image::Blob;

use crate::answer::{Seen, holds};
use crate::content::Algorithm;
use crate::run::Run;
use crate::uploads::{self, Chunks};

/// What the official suite pushes at once, and what it pushes in three chunks.
const SMALL_BYTES: usize = 512;
const CHUNKED_BYTES: usize = 3_067;
const RANGED_BYTES: usize = 2_048;

/// All cases of `<algo> blobs`.
pub(crate) async fn all(run: &Run, algorithm: Algorithm) {
    let missing = async {
        // The repository exists: it is the blob that is missing.
        uploads::post_only(run, &run.blob(algorithm, SMALL_BYTES)).await?;
        absent(run, &run.digest(algorithm)).await
    };
    run.step("get-missing", missing).await;
    pushed_at_once(run, algorithm).await;
    pushed_in_chunks(run, algorithm).await;
    mounted(run, algorithm).await;
    run.step("post cancel/blob-post-cancel", cancelled(run)).await;
    ranges(run, algorithm).await;
    for (name, bytes) in [("empty", ""), ("emptyJSON", "{}")] {
        let blob = algorithm.blob(bytes);
        run.step(&format!("{name}/blob-post-only"), uploads::post_only(run, &blob)).await;
        run.step(&format!("{name}/blob-post-put"), uploads::post_put(run, &blob)).await;
        run.step(&format!("{name}/blob-patch-stream"), uploads::stream(run, &blob)).await;
        kept_and_deleted(run, name, &blob).await;
    }
}

async fn pushed_at_once(run: &Run, algorithm: Algorithm) {
    let blob = run.blob(algorithm, SMALL_BYTES);
    run.step("post only/blob-post-only", uploads::post_only(run, &blob)).await;
    kept_and_deleted(run, "post only", &blob).await;

    let blob = run.blob(algorithm, SMALL_BYTES);
    run.step("post+put/blob-post-put", uploads::post_put(run, &blob)).await;
    kept_and_deleted(run, "post+put", &blob).await;

    let blob = run.blob(algorithm, SMALL_BYTES);
    run.step("stream/blob-patch-stream", uploads::stream(run, &blob)).await;
    kept_and_deleted(run, "stream", &blob).await;
}

async fn pushed_in_chunks(run: &Run, algorithm: Algorithm) {
    let cases = [
        ("chunked single", SMALL_BYTES, false, false),
        ("chunked multi", CHUNKED_BYTES, false, false),
        ("chunked multi and put chunk", CHUNKED_BYTES, true, false),
        ("chunked out-of-order", CHUNKED_BYTES, false, true),
        ("chunked out-of-order and put chunk", CHUNKED_BYTES, true, true),
    ];
    for (name, length, put_last, out_of_order) in cases {
        let blob = run.blob(algorithm, length);
        let how = Chunks { put_last, out_of_order };
        let pushed = uploads::chunked(run, &blob, how);
        run.step(&format!("{name}/blob-patch-chunked"), pushed).await;
        kept_and_deleted(run, name, &blob).await;
    }
}

/// After each way in: there with its length, the same bytes, and gone at once when deleted.
async fn kept_and_deleted(run: &Run, case: &str, blob: &Blob) {
    run.step(&format!("{case}/blob-head"), head(run, blob)).await;
    run.step(&format!("{case}/blob-get"), get(run, blob)).await;
    run.step(&format!("{case}/blob-delete"), deleted(run, blob)).await;
}

/// HEAD of a blob that is there (BL1).
pub(crate) async fn head(run: &Run, blob: &Blob) -> Seen {
    let head = run.head(&format!("blobs/{}", blob.digest)).send().await?;
    head.is(200)?.announces(&blob.digest, blob.bytes.len())?.carries(b"")?;
    Ok(())
}

/// GET of a blob that is there (BL1, 2.4).
pub(crate) async fn get(run: &Run, blob: &Blob) -> Seen {
    let get = run.get(&format!("blobs/{}", blob.digest)).send().await?;
    get.is(200)?.announces(&blob.digest, blob.bytes.len())?.carries(&blob.bytes)?;
    get.says("accept-ranges", "bytes")?.says("etag", &format!("\"{}\"", blob.digest))?;
    get.lacks("content-encoding")?;
    Ok(())
}

/// DELETE, and the 404 at once after it.
pub(crate) async fn deleted(run: &Run, blob: &Blob) -> Seen {
    let path = format!("blobs/{}", blob.digest);
    run.delete(&path).send().await?.is(202)?;
    run.head(&path).send().await?.is(404)?;
    run.delete(&path).send().await?.refuses(404, "BLOB_UNKNOWN")?;
    Ok(())
}

/// The blob is not in the repository.
pub(crate) async fn absent(run: &Run, digest: &str) -> Seen {
    let path = format!("blobs/{digest}");
    run.get(&path).send().await?.refuses(404, "BLOB_UNKNOWN")?;
    run.head(&path).send().await?.is(404)?.carries(b"")?;
    Ok(())
}

async fn mounted(run: &Run, algorithm: Algorithm) {
    let blob = run.blob(algorithm, SMALL_BYTES);
    let mount = async |blob: &Blob, from: &str| -> Seen {
        elsewhere(run, blob).await?;
        let path = format!("blobs/uploads/?mount={}{from}", blob.digest);
        uploads::created(run, &run.post(&path).send().await?, &blob.digest)
    };
    let from = format!("&from={}", run.other);
    run.step("mount/blob-mount", mount(&blob, &from)).await;
    kept_and_deleted(run, "mount", &blob).await;

    let blob = run.blob(algorithm, SMALL_BYTES);
    run.step("mount anonymous/blob-mount-anonymous", mount(&blob, "")).await;
    kept_and_deleted(run, "mount anonymous", &blob).await;

    let blob = run.blob(algorithm, SMALL_BYTES);
    let missing = async {
        let path = format!("blobs/uploads/?mount={}{from}", blob.digest);
        let place = uploads::opened(run, &run.post(&path).send().await?)?;
        let put = uploads::closing(run, &place, &blob.digest).body(&blob.bytes).send().await?;
        uploads::created(run, &put, &blob.digest)
    };
    run.step("mount missing/blob-mount", missing).await;
    kept_and_deleted(run, "mount missing", &blob).await;
}

/// Pushes a blob to the other repository.
pub(crate) async fn elsewhere(run: &Run, blob: &Blob) -> Seen {
    let path = format!("/v2/{}/blobs/uploads/?digest={}", run.other, blob.digest);
    run.post(&path).body(&blob.bytes).send().await?.is(201)?;
    Ok(())
}

async fn cancelled(run: &Run) -> Seen {
    let place = uploads::open(run).await?;
    run.delete(&place).send().await?.is(204)?;
    run.get(&place).send().await?.refuses(404, "BLOB_UPLOAD_UNKNOWN")?;
    run.delete(&place).send().await?.refuses(404, "BLOB_UPLOAD_UNKNOWN")?;
    Ok(())
}

async fn ranges(run: &Run, algorithm: Algorithm) {
    let case = "range requests";
    let blob = run.blob(algorithm, RANGED_BYTES);
    run.step(&format!("{case}/blob-post-put"), uploads::post_put(run, &blob)).await;
    let cases = [
        ("500-1499", Some((500, 1_500))),
        ("500-", Some((500, RANGED_BYTES))),
        ("-500", Some((RANGED_BYTES - 500, RANGED_BYTES))),
        ("2000-5000", Some((2_000, RANGED_BYTES))),
        ("500-0", None),
        ("5000-10000", None),
    ];
    for (range, wanted) in cases {
        run.step(&format!("{case}/range {range}"), ranged(run, &blob, (range, wanted))).await;
    }
    kept_and_deleted(run, case, &blob).await;
}

/// One range of a blob: these bytes, or 416 (BL4).
async fn ranged(run: &Run, blob: &Blob, case: (&str, Option<(usize, usize)>)) -> Seen {
    let (range, wanted) = case;
    let get = run.get(&format!("blobs/{}", blob.digest)).header("range", &format!("bytes={range}"));
    let (answer, length) = (get.send().await?, blob.bytes.len());
    let Some((from, to)) = wanted else {
        answer.refuses(416, "SIZE_INVALID")?.says("content-range", &format!("bytes */{length}"))?;
        return Ok(());
    };
    answer.is(206)?.announces(&blob.digest, to - from)?.carries(&blob.bytes[from..to])?;
    answer.says("content-range", &format!("bytes {from}-{}/{length}", to - 1))?;
    Ok(())
}

/// Pushes whose bytes are not those of the digest: each 400, and no blob of it (UP10).
pub(crate) async fn bad_digests(run: &Run, algorithm: Algorithm) {
    let ways = ["post only", "post+put", "chunked", "chunked and put chunk", "stream"];
    let steps = [
        "blob-post-only",
        "blob-post-put",
        "blob-patch-chunked",
        "blob-patch-chunked",
        "blob-patch-stream",
    ];
    for (way, step) in ways.into_iter().zip(steps) {
        let blob = run.blob(algorithm, CHUNKED_BYTES);
        let wrong = Blob { digest: run.digest(algorithm), bytes: blob.bytes };
        let refused = async {
            let pushed = push_by(run, way, &wrong).await;
            let why = pushed.err().unwrap_or_else(|| "it was taken".to_owned());
            // The sentence of the failed push is the evidence that it failed as it should.
            holds(why.contains("answered 400") && why.contains("DIGEST_INVALID"), || why)?;
            absent(run, &wrong.digest).await
        };
        run.step(&format!("bad digest {way}/{step}"), refused).await;
    }
}

async fn push_by(run: &Run, way: &str, blob: &Blob) -> Seen {
    let put_last = way == "chunked and put chunk";
    match way {
        "post only" => uploads::post_only(run, blob).await,
        "post+put" => uploads::post_put(run, blob).await,
        "stream" => uploads::stream(run, blob).await,
        _ => uploads::chunked(run, blob, Chunks { put_last, out_of_order: false }).await,
    }
}

//! The ways in which a blob is pushed, each from its first request to the 201.

use bytes::Bytes;
use chaos_tests::image::Blob;

use crate::answer::{Answer, Seen, holds};
use crate::run::{Ask, Run};

/// What the official suite takes as a chunk.
pub(crate) const CHUNK_BYTES: usize = 1_024;

/// Opens an upload; gives its path.
pub(crate) async fn open(run: &Run) -> Seen<String> {
    opened(run, &run.post("blobs/uploads/").send().await?)
}

/// The path of an upload that this answer has opened.
pub(crate) fn opened(run: &Run, answer: &Answer) -> Seen<String> {
    let place = answer.is(202)?.needs("location")?.to_owned();
    let wanted = format!("/v2/{}/blobs/uploads/", run.repository);
    let id = place.strip_prefix(&wanted).unwrap_or_default();
    holds(!id.is_empty() && !id.contains(['/', '?']), || {
        answer.but(&format!("Location is {place:?}, wanted {wanted}<id>"))
    })?;
    answer.says("docker-upload-uuid", id)?.says("range", "0-0")?;
    Ok(place)
}

/// The blob of this digest was made.
pub(crate) fn created(run: &Run, answer: &Answer, digest: &str) -> Seen {
    let place = format!("/v2/{}/blobs/{digest}", run.repository);
    answer.is(201)?.says("location", &place)?.says("docker-content-digest", digest)?;
    Ok(())
}

/// One chunk with its `Content-Range`.
pub(crate) fn chunk<'a>(ask: Ask<'a>, blob: &Bytes, from: usize, to: usize) -> Ask<'a> {
    let range = format!("{from}-{}", to.saturating_sub(1));
    ask.header("content-range", &range).body(&blob.slice(from..to))
}

/// A chunk was taken, and the whole upload now has so many bytes (UP1).
pub(crate) fn taken(answer: &Answer, place: &str, bytes: usize) -> Seen {
    let range = format!("0-{}", bytes.saturating_sub(1));
    answer.is(202)?.says("range", &range)?.says("location", place)?;
    answer.needs("docker-upload-uuid")?;
    Ok(())
}

/// Closes an upload with the digest, and with a last body.
pub(crate) fn closing<'a>(run: &'a Run, place: &str, digest: &str) -> Ask<'a> {
    run.put(&format!("{place}?digest={digest}"))
}

pub(crate) async fn post_only(run: &Run, blob: &Blob) -> Seen {
    let post = run.post(&format!("blobs/uploads/?digest={}", blob.digest));
    created(run, &post.body(&blob.bytes).send().await?, &blob.digest)
}

pub(crate) async fn post_put(run: &Run, blob: &Blob) -> Seen {
    let place = open(run).await?;
    let put = closing(run, &place, &blob.digest).body(&blob.bytes).send().await?;
    created(run, &put, &blob.digest)
}

/// One PATCH without `Content-Range`, in chunked transfer coding.
pub(crate) async fn stream(run: &Run, blob: &Blob) -> Seen {
    let place = open(run).await?;
    let patch = run.patch(&place).stream(&blob.bytes).send().await?;
    taken(&patch, &place, blob.bytes.len())?;
    created(run, &closing(run, &place, &blob.digest).send().await?, &blob.digest)
}

/// How a chunked upload goes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Chunks {
    /// The last chunk goes with the PUT that closes.
    pub(crate) put_last: bool,
    /// Before each right chunk comes a wrong one, which must be refused.
    pub(crate) out_of_order: bool,
}

/// A PATCH with `Content-Range` for each chunk, then PUT.
pub(crate) async fn chunked(run: &Run, blob: &Blob, how: Chunks) -> Seen {
    let (bytes, length) = (&blob.bytes, blob.bytes.len());
    let place = open(run).await?;
    for from in (0..length).step_by(CHUNK_BYTES) {
        let to = length.min(from + CHUNK_BYTES);
        let closes = how.put_last && to == length;
        let ask = || if closes { closing(run, &place, &blob.digest) } else { run.patch(&place) };
        if how.out_of_order {
            // Ahead where nothing is there yet, from the start where something is.
            let wrong = if from == 0 { CHUNK_BYTES } else { 0 };
            let end = length.min(wrong + CHUNK_BYTES);
            misplaced(run, &place, (chunk(ask(), bytes, wrong, end), from)).await?;
        }
        let answer = chunk(ask(), bytes, from, to).send().await?;
        if closes {
            return created(run, &answer, &blob.digest);
        }
        taken(&answer, &place, to)?;
    }
    created(run, &closing(run, &place, &blob.digest).send().await?, &blob.digest)
}

/// A chunk that is refused, and an upload that stays at its offset (UP4).
pub(crate) async fn misplaced(run: &Run, place: &str, wrong: (Ask<'_>, usize)) -> Seen {
    let (ask, offset) = wrong;
    let range = format!("0-{}", offset.saturating_sub(1));
    let refused = ask.send().await?;
    refused.refuses(416, "BLOB_UPLOAD_INVALID")?.says("range", &range)?.needs("location")?;
    stands(run, place, offset).await
}

/// The upload says that it has so many bytes.
pub(crate) async fn stands(run: &Run, place: &str, offset: usize) -> Seen {
    let range = format!("0-{}", offset.saturating_sub(1));
    let status = run.get(place).send().await?;
    status.is(204)?.says("range", &range)?.says("location", place)?;
    status.needs("docker-upload-uuid")?;
    Ok(())
}

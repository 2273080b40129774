//! `/api/v0/meta/backup`: the state as one archive, for administrators.
//!
//! It is spooled first, so that its end is known before its first byte is sent and a download that
//! broke off goes on by `Range` and `If-Match` at the replica that began it, for an hour.
//!
//! Source: dtr-interface 2.5, 9.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use consensus::backup::taking::{Asked, Rows};
use consensus::cluster::{Cluster, Freshness};
use consensus::seal::recovery::PassphraseKey;
use content::failure::ContentFailure;
use edge::answer;
use edge::caller::{Caller, Need};
use edge::context::Context;
use edge::problem::Problem;
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE,
    ETAG, IF_MATCH, RANGE,
};
use http::{HeaderName, StatusCode};
use metadata::backup::{Archive, BackupNote, Section};
use metadata::blobs::{self, State};
use oci::digest::Digest;
use tokio::sync::Semaphore;

use crate::call::Call;
use crate::spool::{Spool, Spooled};

/// The media type of a tar.
const TAR: &str = "application/x-tar";
/// Carries what a passphrase was made into; see [`PassphraseKey::to_text`].
const PASSPHRASE_KEY: HeaderName = HeaderName::from_static("holdfast-passphrase-key");
/// Manifests that no replica could give, of those that the archive should have.
const MISSING: HeaderName = HeaderName::from_static("holdfast-missing-manifests");

/// A replica writes one archive at a time.
static ONE: Semaphore = Semaphore::const_new(1);

/// Writes an archive and sends it, or the rest of one that was begun.
pub async fn get(call: Call) -> Result<Response, Problem> {
    let caller = call.administrator(Need::Fresh).await?;
    let spool = Spool::new(call.context.cluster.spool_folder());
    let header = |name: &HeaderName| call.parts.headers.get(name)?.to_str().ok();
    if let Some(tag) = header(&IF_MATCH) {
        let (id, from) = (tag.trim_matches('"').to_owned(), first_byte(header(&RANGE))?);
        return resumed(&spool, &id, from).await;
    }
    let asked = asked(&call)?;
    let context = Arc::clone(&call.context);
    let _one = ONE.try_acquire().map_err(|_| busy())?;
    let archive = asked.archive;
    let (spooled, log_index, missing) = spooled(&context, &spool, asked).await?;
    note(&context, &caller, (archive, log_index, spooled.size_bytes)).await?;
    let mut response = sent(&spooled, 0)?;
    let name = format!("holdfast-{}-{log_index}.tar", archive.word());
    let headers = response.headers_mut();
    answer::set(headers, CONTENT_DISPOSITION, &format!("attachment; filename=\"{name}\""));
    answer::set(headers, MISSING, &missing.to_string());
    Ok(response)
}

/// Removes archives that nobody fetched in time; to be called now and then.
///
/// # Errors
///
/// What the file system says.
pub async fn tidy(cluster: &Cluster) -> std::io::Result<()> {
    Spool::new(cluster.spool_folder()).tidy().await
}

fn busy() -> Problem {
    let what = "another archive is being written at this replica; ask another one, or wait";
    Problem::Busy { what: what.to_owned() }
}

fn asked(call: &Call) -> Result<Asked, Problem> {
    let word = call.query.first("archive").unwrap_or("backup");
    let archive = Archive::from_word(word).ok_or_else(|| {
        Problem::Parameter(format!("archive is backup or accounts, not {word:?}"))
    })?;
    let mut without = Vec::new();
    for (flag, section) in [("ignoreEventsTable", Some(Section::Events)), ("ignoreScanData", None)]
    {
        match call.query.first(flag) {
            None | Some("false") => {}
            // There is no section of scan results yet; the flag is taken all the same.
            Some("true") => without.extend(section),
            Some(_) => return Err(Problem::Parameter(format!("{flag} is true or false"))),
        }
    }
    let passphrase = match call.parts.headers.get(PASSPHRASE_KEY) {
        None => None,
        Some(text) => {
            let key = text.to_str().ok().and_then(PassphraseKey::from_text);
            let unreadable = || Problem::Parameter(format!("{PASSPHRASE_KEY} does not read"));
            Some(key.ok_or_else(unreadable)?)
        }
    };
    Ok(Asked { archive, without, passphrase })
}

/// The first byte of `bytes=N-`; 0 where nothing is said.
fn first_byte(range: Option<&str>) -> Result<u64, Problem> {
    let Some(range) = range else { return Ok(0) };
    let from = range.strip_prefix("bytes=").and_then(|range| range.strip_suffix('-'));
    from.and_then(|from| from.parse().ok()).ok_or_else(|| {
        Problem::Parameter("Range is `bytes=N-`, from where the download broke off".to_owned())
    })
}

/// Writes the whole archive to a file; also the point of the log that it shows, and how many
/// manifests are missing in it.
async fn spooled(
    context: &Arc<Context>,
    spool: &Spool,
    asked: Asked,
) -> Result<(Spooled, u64, u64), Problem> {
    let begun = spool.begin().await.map_err(|error| fault(&error))?;
    if !context.cluster.has_room_for_spool() {
        return Err(ContentFailure::NoRoom.into());
    }
    let (file, digests) = begun.files().map_err(|error| fault(&error))?;
    let mut rows = context.cluster.archive(asked, file, digests).await?;
    let log_index = rows.log_index;
    let missing = add_manifests(context, &mut rows).await?;
    let finished = tokio::task::spawn_blocking(move || {
        rows.finish()?;
        begun.finish()
    });
    let spooled = finished.await.map_err(|ended| Problem::Fault(ended.to_string()))?;
    Ok((spooled.map_err(|error| fault(&error))?, log_index, missing))
}

fn fault(error: &std::io::Error) -> Problem {
    match error.kind() {
        std::io::ErrorKind::StorageFull => ContentFailure::NoRoom.into(),
        _ => Problem::Fault(format!("backup: {error}")),
    }
}

/// Adds the bytes of every manifest; how many nobody had.
async fn add_manifests(context: &Arc<Context>, rows: &mut Rows) -> Result<u64, Problem> {
    let mut missing = 0;
    let digests = rows.digests().map_err(|error| fault(&error))?;
    for digest in digests {
        let digest = digest.map_err(|error| fault(&error))?;
        if let Some(bytes) = manifest(context, &digest).await? {
            rows.content(&digest, &bytes).map_err(|error| fault(&error))?;
        } else {
            tracing::warn!(%digest, "a manifest is on no replica: the backup is without it");
            missing += 1;
        }
    }
    Ok(missing)
}

/// A manifest's bytes; `None` where nobody has them, or they went since the archive was begun.
async fn manifest(
    context: &Arc<Context>,
    digest: &Digest,
) -> Result<Option<bytes::Bytes>, Problem> {
    let read = context.cluster.read(Freshness::Local, |view| blobs::find(view, digest));
    let Some(row) = read.await?.filter(|row| row.state == State::Live) else { return Ok(None) };
    match context.content.read_small(digest, row.size).await {
        Ok(bytes) => Ok(Some(bytes)),
        Err(ContentFailure::BlobUnreachable { .. }) if row.holders.is_empty() => Ok(None),
        Err(failure) => Err(failure.into()),
    }
}

/// Has the cluster remember it.
async fn note(
    context: &Arc<Context>,
    caller: &Caller,
    (archive, log_index, size_bytes): (Archive, u64, u64),
) -> Result<(), Problem> {
    let (actor, archive) = (caller.account().to_owned(), archive.word().to_owned());
    let note = BackupNote { actor, archive, log_index, size_bytes };
    context.cluster.propose_for(caller.voucher(), note.into()).await?;
    Ok(())
}

/// The rest of an archive that was begun.
async fn resumed(spool: &Spool, id: &str, from: u64) -> Result<Response, Problem> {
    let found = spool.find(id).await.map_err(|error| fault(&error))?;
    let Some(found) = found.filter(|found| from < found.size_bytes) else {
        return Err(Problem::SpoolGone);
    };
    sent(&found, from)
}

/// Sends an archive from a byte on.
fn sent(spooled: &Spooled, from: u64) -> Result<Response, Problem> {
    let size = spooled.size_bytes;
    let pieces = pieces(spooled.path.clone(), from).map_err(|error| fault(&error))?;
    let status = if from == 0 { StatusCode::OK } else { StatusCode::PARTIAL_CONTENT };
    let mut response = answer::empty(status);
    *response.body_mut() = Body::from_stream(pieces);
    let headers = response.headers_mut();
    answer::set(headers, CONTENT_TYPE, TAR);
    answer::set(headers, CONTENT_LENGTH, &(size - from).to_string());
    answer::set(headers, ACCEPT_RANGES, "bytes");
    answer::set(headers, CACHE_CONTROL, "no-store");
    answer::set(headers, ETAG, &format!("\"{}\"", spooled.id));
    if from > 0 {
        answer::set(headers, CONTENT_RANGE, &format!("bytes {from}-{}/{size}", size - 1));
    }
    Ok(response)
}

/// A file's bytes from a place on, a piece in memory at a time.
fn pieces(
    path: PathBuf,
    from: u64,
) -> std::io::Result<impl futures::Stream<Item = std::io::Result<bytes::Bytes>>> {
    use std::io::{Read, Seek, SeekFrom};
    const PIECE_BYTES: u64 = 256 * 1024;
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(from))?;
    Ok(futures::stream::try_unfold(file, |mut file| async move {
        let read = tokio::task::spawn_blocking(move || {
            let mut piece = Vec::new();
            file.by_ref().take(PIECE_BYTES).read_to_end(&mut piece)?;
            Ok::<_, std::io::Error>((piece, file))
        });
        let (piece, file) = read.await.map_err(std::io::Error::other)??;
        Ok((!piece.is_empty()).then(|| (bytes::Bytes::from(piece), file)))
    }))
}

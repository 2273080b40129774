//! Reading blobs: a stream of pieces, bounded in memory, hashed on the way where that is due.
//!
//! The first piece is there when a read begins: what does not read is told before an answer begins,
//! and a small blob costs one errand to the blocking pool.

pub mod pieces;

use std::io::{self, ErrorKind};
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt};
use oci::digest::Digest;
use oci::verifier::{Verifier, digest_of};
use tokio::task::JoinHandle;

use crate::check::Checked;
use crate::files::{File, Metadata};
use crate::read::pieces::{piece, resident};
use crate::store::{BlobStore, blocking};

/// The first piece, where it has to be waited for: an answer begins with it.
const FIRST_BYTES_MAX: usize = 256 * 1024;

/// The bytes of a blob, or of a range of it, in pieces.
///
/// At most two pieces are held: the one that is being sent and the one that is being read. An error
/// is the last item; the bytes before it must then be thrown away by whoever took them.
#[derive(Debug)]
pub struct BlobRead {
    source: Source,
    range: Range<u64>,
    next: u64,
    /// Hashes the bytes on their way, where the whole blob is read and was not checked lately.
    verifier: Option<Verifier>,
    verified: bool,
    /// Read before it was asked for.
    ready: Option<Bytes>,
    pending: Option<JoinHandle<io::Result<Fetched>>>,
}

/// The file of a blob that is read.
#[derive(Clone, Debug)]
struct Source {
    store: Arc<BlobStore>,
    digest: Digest,
    file: Arc<dyn File>,
    seen: Metadata,
}

#[derive(Debug)]
struct Fetched {
    bytes: Bytes,
    verifier: Option<Verifier>,
}

impl BlobStore {
    /// Begins to read `range` of a blob, in bytes.
    ///
    /// A whole read of a blob that was last checked too long ago is hashed while it is sent, and
    /// its last piece is held back until the hash is right; a range of such a blob starts a check.
    ///
    /// # Errors
    ///
    /// `NotFound` where the blob is not here or known to be damaged, `InvalidInput` where the range
    /// leaves the file, `InvalidData` where its bytes are found to be wrong, `UnexpectedEof` where
    /// the file is being cut, and what the disk says.
    pub async fn read(
        self: &Arc<Self>,
        digest: &Digest,
        range: Range<u64>,
    ) -> io::Result<BlobRead> {
        self.begin(digest, Some(range)).await
    }

    /// Begins to read a whole blob. Errors are those of [`BlobStore::read`].
    pub async fn read_whole(self: &Arc<Self>, digest: &Digest) -> io::Result<BlobRead> {
        self.begin(digest, None).await
    }

    /// Reads a whole blob of at most `bytes_max` bytes into memory.
    pub async fn read_small(
        self: &Arc<Self>,
        digest: &Digest,
        bytes_max: usize,
    ) -> io::Result<Bytes> {
        let mut read = self.read_whole(digest).await?;
        if read.size() > bytes_max as u64 {
            let text = format!("{digest} has {} bytes, at most {bytes_max} expected", read.size());
            return Err(io::Error::new(ErrorKind::InvalidInput, text));
        }
        let Some(first) = read.next().await.transpose()? else { return Ok(Bytes::new()) };
        if first.len() as u64 == read.size() {
            return Ok(first);
        }
        let mut whole = BytesMut::from(&first[..]);
        while let Some(piece) = read.next().await {
            whole.extend_from_slice(&piece?);
        }
        Ok(whole.freeze())
    }

    /// `None` reads all of it.
    async fn begin(
        self: &Arc<Self>,
        digest: &Digest,
        range: Option<Range<u64>>,
    ) -> io::Result<BlobRead> {
        if self.damage.is_noted(digest) {
            return Err(io::Error::new(ErrorKind::NotFound, format!("{digest} is damaged here")));
        }
        let (store, digest) = (self.clone(), digest.clone());
        let (read, starts_check) = blocking(move || {
            let file = store.files.open(&store.layout.blob(&digest));
            let file = file.inspect_err(|error| store.note_unreadable(&digest, error))?;
            let seen = file.metadata()?;
            let range = range.unwrap_or(0..seen.length);
            BlobRead::begin(Source { store, digest, file, seen }, range)
        })
        .await?;
        if starts_check {
            self.start_check(&read.source.digest);
        }
        Ok(read)
    }
}

impl BlobStore {
    /// A copy that the disk cannot give is none: it is set aside and fetched anew.
    fn note_unreadable(&self, digest: &Digest, error: &io::Error) {
        if error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) {
            self.damage.note(digest);
        }
    }

    /// How many bytes are read at once of `rest`.
    fn piece_length(&self, rest: &Range<u64>) -> usize {
        let rest = usize::try_from(rest.end - rest.start).unwrap_or(usize::MAX);
        rest.min(self.options.piece_bytes)
    }
}

impl Source {
    /// Reads the first bytes of `rest`, at most `bytes_max`; those of the last piece are judged.
    /// Blocks.
    fn fetch(
        &self,
        rest: &Range<u64>,
        bytes_max: usize,
        verifier: Option<Verifier>,
    ) -> io::Result<Fetched> {
        let length = self.store.piece_length(rest).min(bytes_max);
        let bytes = piece(&*self.file, rest.start, length)?;
        let Some(mut verifier) = verifier else { return Ok(Fetched { bytes, verifier: None }) };
        verifier.update(&bytes);
        if rest.start + (bytes.len() as u64) < rest.end {
            return Ok(Fetched { bytes, verifier: Some(verifier) });
        }
        match self.store.judge(&self.digest, verifier, self.seen) {
            Checked::Right => Ok(Fetched { bytes, verifier: None }),
            Checked::Damaged | Checked::Absent => Err(wrong(&self.digest)),
        }
    }

    /// The first bytes of `rest` where no disk has to be waited for.
    fn at_once(&self, rest: &Range<u64>) -> Option<Bytes> {
        resident(self.file.as_os_file()?, rest.start, self.store.piece_length(rest))
    }

    /// Nobody vouches for a file that does not read: a push writes it anew.
    fn failed(&self, error: io::Error) -> io::Error {
        self.store.checks.forget(&self.digest);
        self.store.note_unreadable(&self.digest, &error);
        error
    }
}

impl BlobRead {
    /// Begins with the first piece, and says whether the file is due for a check that this read is
    /// not. Blocks.
    fn begin(source: Source, range: Range<u64>) -> io::Result<(Self, bool)> {
        let Source { store, digest, seen, .. } = &source;
        if range.start > range.end || range.end > seen.length {
            let text = format!("{range:?} is not within the {} bytes of {digest}", seen.length);
            return Err(io::Error::new(ErrorKind::InvalidInput, text));
        }
        if seen.length == 0 && digest_of(digest.algorithm(), b"") != *digest {
            store.damage.note(digest);
            return Err(wrong(digest));
        }
        let whole = range == (0..seen.length);
        let stale = store.is_stale(digest, *seen);
        let mut verifier = (stale && whole).then(|| Verifier::new(&[digest.algorithm()]));
        let verified = verifier.is_some();
        let mut ready = None;
        if !range.is_empty() {
            if !verified {
                ready = source.at_once(&range);
            }
            if ready.is_none() {
                let fetched = source.fetch(&range, FIRST_BYTES_MAX, verifier);
                let fetched = fetched.map_err(|error| source.failed(error))?;
                (ready, verifier) = (Some(fetched.bytes), fetched.verifier);
            }
        }
        let next = range.start;
        let read = Self { source, range, next, verifier, verified, ready, pending: None };
        Ok((read, stale && !whole))
    }

    /// The size of the whole blob in bytes.
    pub fn size(&self) -> u64 {
        self.source.seen.length
    }

    /// Which bytes are read.
    pub fn range(&self) -> Range<u64> {
        self.range.clone()
    }

    /// Whether the bytes are hashed on their way.
    pub fn is_verified(&self) -> bool {
        self.verified
    }

    fn rest(&self) -> Range<u64> {
        self.next..self.range.end
    }

    /// Fetches the next piece on the blocking pool.
    fn fetch(&mut self) -> JoinHandle<io::Result<Fetched>> {
        let (source, rest, verifier) = (self.source.clone(), self.rest(), self.verifier.take());
        tokio::task::spawn_blocking(move || source.fetch(&rest, usize::MAX, verifier))
    }

    /// The next piece where no disk has to be waited for and nothing is hashed.
    fn at_once(&self) -> Option<Bytes> {
        if self.verifier.is_some() { None } else { self.source.at_once(&self.rest()) }
    }

    fn give(&mut self, bytes: Bytes) -> Poll<Option<io::Result<Bytes>>> {
        self.next += bytes.len() as u64;
        Poll::Ready(Some(Ok(bytes)))
    }

    /// Has the next piece read while this one is sent.
    fn read_ahead(&mut self) {
        if !self.rest().is_empty() {
            self.ready = self.at_once();
            if self.ready.is_none() {
                self.pending = Some(self.fetch());
            }
        }
    }
}

impl Stream for BlobRead {
    type Item = io::Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if this.next >= this.range.end {
            return Poll::Ready(None);
        }
        if let Some(ready) = this.ready.take() {
            return this.give(ready);
        }
        let mut pending = match this.pending.take() {
            Some(pending) => pending,
            None => match this.at_once() {
                Some(bytes) => return this.give(bytes),
                None => this.fetch(),
            },
        };
        let Poll::Ready(joined) = Pin::new(&mut pending).poll(context) else {
            this.pending = Some(pending);
            return Poll::Pending;
        };
        match joined.unwrap_or_else(|gone| Err(io::Error::other(gone))) {
            Ok(Fetched { bytes, verifier }) => {
                this.verifier = verifier;
                let given = this.give(bytes);
                this.read_ahead();
                given
            }
            Err(error) => {
                this.next = this.range.end;
                Poll::Ready(Some(Err(this.source.failed(error))))
            }
        }
    }
}

fn wrong(digest: &Digest) -> io::Error {
    let text = format!("the bytes on disk do not hash to {digest}");
    io::Error::new(ErrorKind::InvalidData, text)
}

#[cfg(test)]
mod tests;

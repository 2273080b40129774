//! Reading blobs: a stream of pieces, bounded in memory, hashed on the way where that is due.
//!
//! A piece of a sealed file is a memory map of it, so that bytes go from the page cache to the
//! socket without a copy on our side. The only place that imports memmap2.

use std::fs;
use std::io::{self, ErrorKind};
use std::num::NonZeroU64;
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
use crate::store::{BlobStore, blocking};

/// Below so many bytes a copy costs less than a map.
const MAP_BYTES_MIN: usize = 64 * 1024;

/// The bytes of a blob, or of a range of it, in pieces.
///
/// At most two pieces are held: the one that is being sent and the one that is being read. An error
/// is the last item; the bytes before it must then be thrown away by whoever took them.
#[derive(Debug)]
pub struct BlobRead {
    store: Arc<BlobStore>,
    digest: Digest,
    file: Arc<dyn File>,
    seen: Metadata,
    range: Range<u64>,
    next: u64,
    /// Hashes the bytes on their way, where the whole blob is read and was not checked lately.
    verifier: Option<Verifier>,
    verified: bool,
    pending: Option<JoinHandle<io::Result<Fetched>>>,
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
    /// leaves the file, `InvalidData` where an empty file should not be empty.
    pub async fn read(
        self: &Arc<Self>,
        digest: &Digest,
        range: Range<u64>,
    ) -> io::Result<BlobRead> {
        let (file, seen) = self.open_blob(digest).await?;
        self.start_read(digest, file, seen, range)
    }

    /// Begins to read a whole blob.
    pub async fn read_whole(self: &Arc<Self>, digest: &Digest) -> io::Result<BlobRead> {
        let (file, seen) = self.open_blob(digest).await?;
        self.start_read(digest, file, seen, 0..seen.length)
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

    async fn open_blob(self: &Arc<Self>, digest: &Digest) -> io::Result<(Arc<dyn File>, Metadata)> {
        if self.damage.is_noted(digest) {
            return Err(io::Error::new(ErrorKind::NotFound, format!("{digest} is damaged here")));
        }
        let (store, path) = (self.clone(), self.layout.blob(digest));
        blocking(move || {
            let file = store.files.open(&path)?;
            let seen = file.metadata()?;
            Ok((file, seen))
        })
        .await
    }

    fn start_read(
        self: &Arc<Self>,
        digest: &Digest,
        file: Arc<dyn File>,
        seen: Metadata,
        range: Range<u64>,
    ) -> io::Result<BlobRead> {
        if range.start > range.end || range.end > seen.length {
            let text = format!("{range:?} is not within the {} bytes of {digest}", seen.length);
            return Err(io::Error::new(ErrorKind::InvalidInput, text));
        }
        if seen.length == 0 && digest_of(digest.algorithm(), b"") != *digest {
            self.damage.note(digest);
            return Err(wrong(digest));
        }
        let whole = range == (0..seen.length);
        let stale = self.is_stale(digest, seen);
        if stale && !whole {
            self.start_check(digest);
        }
        let verifier = (stale && whole).then(|| Verifier::new(&[digest.algorithm()]));
        Ok(BlobRead {
            store: self.clone(),
            digest: digest.clone(),
            file,
            seen,
            next: range.start,
            range,
            verified: verifier.is_some(),
            verifier,
            pending: None,
        })
    }
}

impl BlobRead {
    /// The size of the whole blob in bytes.
    pub fn size(&self) -> u64 {
        self.seen.length
    }

    /// Which bytes are read.
    pub fn range(&self) -> Range<u64> {
        self.range.clone()
    }

    /// Whether the bytes are hashed on their way.
    pub fn is_verified(&self) -> bool {
        self.verified
    }

    /// Fetches the next piece on the blocking pool.
    fn fetch(&mut self) -> JoinHandle<io::Result<Fetched>> {
        let rest = usize::try_from(self.range.end - self.next).unwrap_or(usize::MAX);
        let length = rest.min(self.store.options.piece_bytes);
        let (store, file, offset) = (self.store.clone(), self.file.clone(), self.next);
        let (digest, seen, verifier) = (self.digest.clone(), self.seen, self.verifier.take());
        let is_last = length == rest;
        tokio::task::spawn_blocking(move || {
            let bytes = piece(&*file, offset, length)?;
            let Some(mut verifier) = verifier else { return Ok(Fetched { bytes, verifier: None }) };
            verifier.update(&bytes);
            if !is_last {
                return Ok(Fetched { bytes, verifier: Some(verifier) });
            }
            match store.judge(&digest, verifier, seen) {
                Checked::Right => Ok(Fetched { bytes, verifier: None }),
                Checked::Damaged | Checked::Absent => Err(wrong(&digest)),
            }
        })
    }
}

impl Stream for BlobRead {
    type Item = io::Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if this.next >= this.range.end {
            return Poll::Ready(None);
        }
        let mut pending = match this.pending.take() {
            Some(pending) => pending,
            None => this.fetch(),
        };
        let Poll::Ready(joined) = Pin::new(&mut pending).poll(context) else {
            this.pending = Some(pending);
            return Poll::Pending;
        };
        let fetched = joined.unwrap_or_else(|gone| Err(io::Error::other(gone)));
        match fetched {
            Ok(Fetched { bytes, verifier }) => {
                this.next += bytes.len() as u64;
                this.verifier = verifier;
                if this.next < this.range.end {
                    // Read ahead by one piece while this one is sent.
                    this.pending = Some(this.fetch());
                }
                Poll::Ready(Some(Ok(bytes)))
            }
            Err(error) => {
                this.next = this.range.end;
                // Nobody vouches for a file that does not read: a push writes it anew.
                this.store.checks.forget(&this.digest);
                Poll::Ready(Some(Err(error)))
            }
        }
    }
}

fn wrong(digest: &Digest) -> io::Error {
    let text = format!("the bytes on disk do not hash to {digest}");
    io::Error::new(ErrorKind::InvalidData, text)
}

/// Reads exactly `length` bytes of a sealed file from `offset`: a map where that pays, else a copy.
///
/// # Errors
///
/// `UnexpectedEof` where the file is shorter.
pub(crate) fn piece(file: &dyn File, offset: u64, length: usize) -> io::Result<Bytes> {
    if length >= MAP_BYTES_MIN
        && let Some(os_file) = file.as_os_file()
        && let Some(bytes) = mapped(os_file, offset, length)
    {
        return Ok(bytes);
    }
    copied(file, offset, length)
}

/// Reads exactly `length` bytes from `offset` into memory of our own.
pub(crate) fn copied(file: &dyn File, offset: u64, length: usize) -> io::Result<Bytes> {
    let mut buffer = BytesMut::zeroed(length);
    let mut filled = 0;
    while filled < length {
        match file.read_at(offset + filled as u64, &mut buffer[filled..])? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            more => filled += more,
        }
    }
    Ok(buffer.freeze())
}

/// Maps a part of a file whose pages are all there; `None` where a read should try (and tell why).
#[allow(unsafe_code)]
fn mapped(file: &fs::File, offset: u64, length: usize) -> Option<Bytes> {
    let end = offset.checked_add(length as u64)?;
    if file.metadata().ok()?.len() < end {
        return None;
    }
    // The piece after this one is asked of the disk now, to be there when its turn comes.
    let ahead = NonZeroU64::new(length as u64);
    let _ = rustix::fs::fadvise(file, end, ahead, rustix::fs::Advice::WillNeed);
    // SAFETY: a map is sound while nobody changes or cuts the file below it. Sealed blobs are never
    // written: a new copy takes the name by a rename and leaves this inode as it is; staged ones
    // are read only by the holder of their lock, between two writes. The data folder is locked and
    // open to this user alone. Someone who writes to it all the same changes what is sent, which
    // the client's own check of the digest finds; who cuts it short risks this process, for as long
    // as a piece is on its way.
    let map = unsafe { memmap2::MmapOptions::new().offset(offset).len(length).map(file) }.ok()?;
    // Faults all pages in here, on the blocking pool, and reports a disk that cannot read them,
    // which a fault in the middle of sending would turn into a signal.
    #[cfg(target_os = "linux")]
    map.advise(memmap2::Advice::PopulateRead).ok()?;
    Some(Bytes::from_owner(map))
}

#[cfg(test)]
mod tests;

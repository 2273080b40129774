//! Reading blobs: from this disk, or else from a holder, verified on the way.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use metadata::replica::ReplicaId;
use oci::digest::Digest;
use oci::verifier::Verifier;
use tokio::time::sleep;

use crate::content::{ByteStream, Content};
use crate::failure::ContentFailure;

impl Content {
    /// Reads `range`, in bytes, of a blob of `size` bytes.
    ///
    /// Bytes from another replica are hashed where the whole blob is read, and the last piece is
    /// held back until they are right; a part of a blob is taken from a holder over the cluster's
    /// own TLS, and the holder checks its file as it does for its own clients.
    ///
    /// # Errors
    ///
    /// [`ContentFailure::BlobUnreachable`] where neither this disk nor a holder gives the bytes
    /// now. An error within the stream is its last item.
    pub async fn read(
        &self,
        digest: &Digest,
        size: u64,
        range: Range<u64>,
    ) -> Result<ByteStream, ContentFailure> {
        let here = match self.has(digest, size) {
            Ok(true) => self.shared.store.read(digest, range.clone()).await.map_err(Some),
            Ok(false) => Err(None),
            Err(failure) => Err(Some(io::Error::other(failure.to_string()))),
        };
        let error = match here {
            Ok(read) => return Ok(Box::pin(read)),
            Err(None) => return self.relay(digest, size, range).await,
            Err(Some(error)) => error,
        };
        if is_own_trouble(&error) {
            return Err(ContentFailure::disk("reading a blob", &error));
        }
        // Damaged, just gone, or the disk fails: a holder has it.
        tracing::warn!(%digest, %error, "a blob is not read from this disk");
        match self.relay(digest, size, range).await {
            Err(ContentFailure::BlobUnreachable { .. }) if !is_gone(&error) => {
                Err(ContentFailure::disk("reading a blob", &error))
            }
            relayed => relayed,
        }
    }

    /// Reads a blob of `size` bytes, a manifest's, into memory.
    pub async fn read_small(&self, digest: &Digest, size: u64) -> Result<Bytes, ContentFailure> {
        let mut stream = self.read(digest, size, 0..size).await?;
        let mut whole = BytesMut::new();
        while let Some(piece) = stream.next().await {
            let piece = piece.map_err(|error| {
                tracing::warn!(%digest, %error, "a blob could not be read to its end");
                ContentFailure::BlobUnreachable { digest: digest.clone() }
            })?;
            if whole.is_empty() && piece.len() as u64 == size {
                // The stream's end says whether the bytes are right.
                let end = stream.next().await;
                return match end {
                    None => Ok(piece),
                    Some(_) => Err(ContentFailure::BlobUnreachable { digest: digest.clone() }),
                };
            }
            whole.extend_from_slice(&piece);
        }
        Ok(whole.freeze())
    }
}

impl Content {
    /// Streams a blob from the holders.
    async fn relay(
        &self,
        digest: &Digest,
        size: u64,
        range: Range<u64>,
    ) -> Result<ByteStream, ContentFailure> {
        let field = self.field().await?;
        let (_, holders) = self
            .row(digest)
            .await?
            .ok_or_else(|| ContentFailure::BlobUnreachable { digest: digest.clone() })?;
        if holders.contains(&field.own)
            || field.should_pull(&digest.to_bytes(), &holders).contains(&field.own)
        {
            // This replica should have it; the next reader finds it here.
            self.heal_soon(std::slice::from_ref(digest));
        }
        let mut holders: Vec<ReplicaId> =
            holders.into_iter().filter(|holder| *holder != field.own).collect();
        holders.sort_by_key(|holder| !field.is_live(*holder));
        let whole = range == (0..size);
        let mut relay = Relay {
            content: self.clone(),
            digest: digest.clone(),
            at: range.start,
            end: range.end,
            holders: holders.into(),
            stream: None,
            verifier: whole.then(|| Verifier::new(&[digest.algorithm()])),
            held: None,
            done: false,
        };
        // What cannot be read at all is told before an answer begins.
        relay.open().await?;
        let pieces = futures::stream::unfold(relay, |mut relay| async move {
            let next = relay.next().await?;
            Some((next, relay))
        });
        Ok(Box::pin(pieces.fuse()))
    }

    /// Asks the holders in order, the next one whenever one fails or takes too long, for the bytes
    /// of a blob; the first answer wins. Takes those that were asked from `holders`.
    async fn hedged(
        &self,
        digest: &Digest,
        range: &Range<u64>,
        holders: &mut VecDeque<ReplicaId>,
    ) -> Result<ByteStream, ContentFailure> {
        let mut asked = FuturesUnordered::new();
        let ask = |holder: ReplicaId| {
            let (client, digest, range) =
                (self.shared.client.clone(), digest.clone(), range.clone());
            async move { (holder, client.blob_read(&holder.to_string(), &digest, range).await) }
        };
        loop {
            if asked.is_empty() {
                let Some(holder) = holders.pop_front() else {
                    return Err(ContentFailure::BlobUnreachable { digest: digest.clone() });
                };
                asked.push(ask(holder));
            }
            tokio::select! {
                answer = asked.next() => match answer {
                    Some((_, Ok((_, stream)))) => return Ok(stream),
                    Some((holder, Err(error))) => {
                        tracing::debug!(%digest, %holder, %error, "a holder gives no bytes");
                    }
                    None => {}
                },
                () = sleep(self.shared.limits.hedge_after), if !holders.is_empty() => {
                    asked.extend(holders.pop_front().map(ask));
                }
            }
        }
    }
}

/// Whether this process lacks something (descriptors, memory), or asked wrongly: peers, who would
/// be asked as well, need not bear it.
fn is_own_trouble(error: &io::Error) -> bool {
    const ENOMEM: i32 = 12;
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    matches!(error.raw_os_error(), Some(ENOMEM | ENFILE | EMFILE))
        || error.kind() == io::ErrorKind::InvalidInput
}

/// Whether the copy is gone, and the disk is not to blame now.
fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidData)
}

/// A blob on its way from a holder through this replica.
struct Relay {
    content: Content,
    digest: Digest,
    at: u64,
    end: u64,
    /// Who can still be asked.
    holders: VecDeque<ReplicaId>,
    stream: Option<ByteStream>,
    verifier: Option<Verifier>,
    /// Read and hashed, but not given on: the last piece goes out when all bytes are right.
    held: Option<Bytes>,
    done: bool,
}

impl Relay {
    async fn open(&mut self) -> Result<(), ContentFailure> {
        if self.at == self.end {
            return Ok(());
        }
        let range = self.at..self.end;
        let opened = self.content.hedged(&self.digest, &range, &mut self.holders).await;
        self.stream = Some(opened?);
        Ok(())
    }

    async fn next(&mut self) -> Option<io::Result<Bytes>> {
        if self.done {
            return None;
        }
        match self.piece().await {
            Ok(Some(piece)) => Some(Ok(piece)),
            Ok(None) => {
                self.done = true;
                None
            }
            Err(error) => {
                self.done = true;
                Some(Err(error))
            }
        }
    }

    async fn piece(&mut self) -> io::Result<Option<Bytes>> {
        while self.at < self.end {
            let Some(stream) = &mut self.stream else {
                // The holder broke off: another one goes on where it ended.
                self.open().await.map_err(io::Error::other)?;
                continue;
            };
            let left = self.end - self.at;
            let piece = match stream.next().await {
                Some(Ok(piece)) if piece.len() as u64 <= left => piece,
                Some(Ok(_)) => {
                    return Err(io::Error::other("a holder sent more than it was asked for"));
                }
                Some(Err(_)) | None => {
                    self.stream = None;
                    continue;
                }
            };
            self.at += piece.len() as u64;
            let Some(verifier) = &mut self.verifier else { return Ok(Some(piece)) };
            verifier.update(&piece);
            if let Some(before) = self.held.replace(piece) {
                return Ok(Some(before));
            }
        }
        if let Some(verifier) = self.verifier.take()
            && !verifier.finish().contains(&self.digest)
        {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the holders' bytes do not hash to the digest",
            ));
        }
        Ok(self.held.take())
    }
}

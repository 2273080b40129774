//! A TCP connection that sends parts of files without copying them out of the process.
//!
//! HTTP hands down memory maps of files. Where bytes about to be written are known to be such a
//! map, the kernel is told to send the file's own pages (`sendfile`) instead.

use std::fs;
use std::io::{self, IoSlice};
use std::os::unix::fs::MetadataExt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustix::io::Errno;
use rustix::net::{SendAncillaryBuffer, SendFlags};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;

/// Says where in which file bytes lie, if they are a map of one.
pub type FindFile = fn(&[u8]) -> Option<(Arc<fs::File>, u64)>;

/// Below so many bytes copying costs less than looking for a file.
const FILE_BYTES_MIN: usize = 32 * 1024;

/// After so many bytes of files other connections have their turn, even where the client takes more
/// at once.
const TURN_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A TCP connection whose writes may come from files.
#[derive(Debug)]
pub(crate) struct FileSender {
    stream: TcpStream,
    find_file: FindFile,
    /// The file system cannot do it.
    is_refused: bool,
    /// Bytes of files that were sent in this turn.
    turn_bytes: usize,
}

/// A part of a file that is sent.
struct Part {
    file: Arc<fs::File>,
    offset: u64,
    length: usize,
}

impl FileSender {
    pub(crate) fn new(stream: TcpStream, find_file: FindFile) -> Self {
        Self { stream, find_file, is_refused: false, turn_bytes: 0 }
    }

    fn part(&self, bytes: &[u8]) -> Option<Part> {
        if self.is_refused || bytes.len() < FILE_BYTES_MIN {
            return None;
        }
        let (file, offset) = (self.find_file)(bytes)?;
        Some(Part { file, offset, length: bytes.len() })
    }

    fn poll_part(
        &mut self,
        task: &mut Context<'_>,
        part: &Part,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.turn_bytes >= TURN_BYTES_MAX {
            self.turn_bytes = 0;
            task.waker().wake_by_ref();
            return Poll::Pending;
        }
        loop {
            if self.stream.poll_write_ready(task)?.is_pending() {
                self.turn_bytes = 0;
                return Poll::Pending;
            }
            let sent = self.stream.try_io(Interest::WRITABLE, || {
                let mut offset = part.offset;
                Ok(rustix::fs::sendfile(&self.stream, &*part.file, Some(&mut offset), part.length)?)
            });
            match sent {
                Ok(0) => {
                    let text = "a file became shorter while it was sent";
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::UnexpectedEof, text)));
                }
                Err(error) if is_again(error.kind()) => {}
                Err(error) if is_refusal(&error) => {
                    self.is_refused = true;
                    return Pin::new(&mut self.stream).poll_write(task, bytes);
                }
                sent => {
                    if let Err(error) = &sent
                        && error.raw_os_error() == Some(Errno::IO.raw_os_error())
                    {
                        // The client sees no more than a connection that breaks.
                        let Part { file, offset, length } = part;
                        let inode = file.metadata().map_or(0, |metadata| metadata.ino());
                        tracing::error!(inode, offset, length, "the disk cannot read what is sent");
                    }
                    self.turn_bytes += *sent.as_ref().unwrap_or(&0);
                    return Poll::Ready(sent);
                }
            }
        }
    }

    /// Writes what comes before a part of a file; the kernel keeps it for a moment, so that both
    /// leave in one packet.
    fn poll_before(
        &self,
        task: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.stream.poll_write_ready(task))?;
            let sent = self.stream.try_io(Interest::WRITABLE, || {
                let flags = SendFlags::MORE | SendFlags::NOSIGNAL;
                let mut nothing = SendAncillaryBuffer::default();
                Ok(rustix::net::sendmsg(&self.stream, pieces, &mut nothing, flags)?)
            });
            match sent {
                Err(error) if is_again(error.kind()) => {}
                sent => return Poll::Ready(sent),
            }
        }
    }
}

fn is_again(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

fn is_refusal(error: &io::Error) -> bool {
    let refusals = [Errno::INVAL, Errno::NOSYS, Errno::OPNOTSUPP];
    refusals.iter().any(|refusal| error.raw_os_error() == Some(refusal.raw_os_error()))
}

impl AsyncRead for FileSender {
    fn poll_read(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(task, into)
    }
}

impl AsyncWrite for FileSender {
    fn poll_write(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.part(bytes) {
            Some(part) => self.poll_part(task, &part, bytes),
            None => Pin::new(&mut self.stream).poll_write(task, bytes),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut parts = pieces.iter().enumerate();
        let first = parts.find_map(|(at, piece)| Some((at, self.part(piece)?)));
        match first {
            Some((0, part)) => self.poll_part(task, &part, &pieces[0]),
            Some((at, _)) if pieces[..at].iter().any(|piece| !piece.is_empty()) => {
                self.poll_before(task, &pieces[..at])
            }
            Some((at, part)) => self.poll_part(task, &part, &pieces[at]),
            None => Pin::new(&mut self.stream).poll_write_vectored(task, pieces),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(task)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(task)
    }
}

#[cfg(test)]
mod tests;

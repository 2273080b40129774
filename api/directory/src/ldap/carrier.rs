//! The bytes between the directory and the library that reads LDAP.
//!
//! The library gets one end of a pair of sockets. TCP and TLS are this cluster's own, and whatever
//! the directory sends is bounded before it goes on.

use std::io;
use std::os::unix::net::UnixStream as PlainUnixStream;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf};
use tokio::net::UnixStream;
use tokio::net::unix::OwnedWriteHalf;
use tokio::task::JoinHandle;
use wire::stream::BoxStream;

use super::ber::{self, Unfit};

/// Asks for TLS on a connection that began without: message 1, an extended request.
///
/// Source: RFC 4511, 4.14.1.
const START_TLS: &[u8] = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037";

/// Bytes of the answer to it, at most.
const START_TLS_ANSWER_MAX: usize = 64 * 1024;

/// Bytes that are read at once, at least.
const READ_BYTES: usize = 16 * 1024;

/// Carries bytes until it is dropped.
pub(crate) struct Carrier {
    task: JoinHandle<()>,
    ended: Arc<Mutex<Option<String>>>,
}

impl Carrier {
    /// Begins to carry; the other end is for the library.
    pub(crate) fn begin(outside: BoxStream) -> io::Result<(Self, PlainUnixStream)> {
        let (near, far) = PlainUnixStream::pair()?;
        near.set_nonblocking(true)?;
        let near = UnixStream::from_std(near)?;
        let ended = Arc::new(Mutex::new(None));
        let task = tokio::spawn(carry(outside, near, Arc::clone(&ended)));
        Ok((Self { task, ended }, far))
    }

    /// Why nothing is carried any more, where that is known.
    pub(crate) fn ended(&self) -> Option<String> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Carrier {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn carry(outside: BoxStream, inside: UnixStream, ended: Arc<Mutex<Option<String>>>) {
    let (mut answers, mut questions) = tokio::io::split(outside);
    let (mut asked, mut answered) = inside.into_split();
    let why = tokio::select! {
        end = tokio::io::copy(&mut asked, &mut questions) => end.err().map(|it| it.to_string()),
        why = pass_on(&mut answers, &mut answered) => Some(why),
    };
    *ended.lock().unwrap_or_else(PoisonError::into_inner) = why;
}

/// Passes whole messages on; says why it ended.
async fn pass_on(answers: &mut ReadHalf<BoxStream>, inside: &mut OwnedWriteHalf) -> String {
    let mut held = Vec::new();
    loop {
        held.reserve(READ_BYTES);
        match answers.read_buf(&mut held).await {
            Ok(0) => return "it closed the connection".to_owned(),
            Ok(_) => {}
            Err(error) => return error.to_string(),
        }
        let mut passed = 0;
        loop {
            match ber::message(&held[passed..]) {
                Ok(None) => break,
                Ok(Some(length)) => passed += length,
                Err(unfit) => return unfit.to_string(),
            }
        }
        if let Err(error) = inside.write_all(&held[..passed]).await {
            return error.to_string();
        }
        held.drain(..passed);
    }
}

/// Asks for TLS and waits until the directory agrees.
pub(crate) async fn ask_for_tls(stream: &mut BoxStream) -> io::Result<()> {
    stream.write_all(START_TLS).await?;
    stream.flush().await?;
    let mut answer = Vec::new();
    loop {
        match ber::message(&answer) {
            Ok(Some(_)) => break,
            Ok(None) if answer.len() < START_TLS_ANSWER_MAX => {}
            Ok(None) => return Err(io::Error::other(Unfit::TooLarge)),
            Err(unfit) => return Err(io::Error::other(unfit)),
        }
        // Byte by byte: what comes behind the answer belongs to the handshake.
        answer.push(stream.read_u8().await?);
    }
    match ber::extended_code(&answer) {
        Some(0) => Ok(()),
        Some(code) => Err(io::Error::other(format!(
            "it does not begin TLS (result {code}); use ldaps:// or turn startTLS off"
        ))),
        None => Err(io::Error::other(Unfit::NotOne)),
    }
}

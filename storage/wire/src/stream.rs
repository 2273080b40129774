//! A connection's bytes, whatever carries them.

use tokio::io::{AsyncRead, AsyncWrite};

/// Bytes both ways: a TCP connection, TLS on top of one, or a pipe in a simulation.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + ?Sized> Stream for T {}

/// A [`Stream`] of any kind.
pub type BoxStream = Box<dyn Stream>;

//! Waiting for connections, as a trait that a simulation can stand in for.

use std::io;
use std::net::SocketAddr;

use async_trait::async_trait;
use tokio::net::{TcpListener, TcpSocket, lookup_host};

use crate::file_sender::{FileSender, FindFile};
use crate::keep_alive;
use crate::stream::BoxStream;

/// Connections that the system holds until they are accepted; it may allow fewer. One that finds no
/// room is tried again by its client after a second, so there is room for all that come at once.
const WAITING_MAX: u32 = 4_096;

/// A place where connections arrive.
#[async_trait]
pub trait Listen: Send + Sync {
    /// Waits for the next connection and says where it comes from.
    ///
    /// An error concerns one connection, or the process for a moment (no file descriptor is free):
    /// wait a little and go on accepting.
    async fn accept(&self) -> io::Result<(BoxStream, SocketAddr)>;

    /// The address that is listened on, with the port the system chose where 0 was asked for.
    fn local_addr(&self) -> io::Result<SocketAddr>;
}

/// Listens on a TCP port.
#[derive(Debug)]
pub struct TcpListen {
    listener: TcpListener,
    find_file: Option<FindFile>,
}

impl TcpListen {
    /// Listens on `address`, `HOST:PORT`.
    ///
    /// # Errors
    ///
    /// The text names the address: the port is taken, or the address is not one of this machine's.
    pub async fn bind(address: &str) -> io::Result<Self> {
        let listener = listen(address).await.map_err(|error| {
            io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"))
        })?;
        Ok(Self { listener, find_file: None })
    }

    /// What is written and what `find_file` knows as part of a file is sent from the file itself.
    /// Pays where bytes leave as they are: not below TLS.
    #[must_use]
    pub fn sending_files(self, find_file: FindFile) -> Self {
        Self { find_file: Some(find_file), ..self }
    }
}

/// Listens on the first of the addresses that `address` means and that are this machine's.
async fn listen(address: &str) -> io::Result<TcpListener> {
    let mut failure = None;
    for address in lookup_host(address).await? {
        let bound = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
        let bound = bound.and_then(|socket| {
            socket.set_reuseaddr(true)?;
            socket.bind(address)?;
            socket.listen(WAITING_MAX)
        });
        match bound {
            Ok(listener) => return Ok(listener),
            Err(error) => failure = Some(error),
        }
    }
    Err(failure.unwrap_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no such address")))
}

#[async_trait]
impl Listen for TcpListen {
    async fn accept(&self) -> io::Result<(BoxStream, SocketAddr)> {
        let (stream, from) = self.listener.accept().await?;
        keep_alive::set_up(&stream)?;
        let stream: BoxStream = match self.find_file {
            Some(find_file) => Box::new(FileSender::new(stream, find_file)),
            None => Box::new(stream),
        };
        Ok((stream, from))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

#[cfg(test)]
mod tests {
    use super::{Listen, TcpListen};

    #[tokio::test]
    async fn a_taken_port_is_named_in_the_error() {
        let first = TcpListen::bind("127.0.0.1:0").await.unwrap();
        let address = first.local_addr().unwrap().to_string();
        let error = TcpListen::bind(&address).await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
        assert!(error.to_string().contains(&address), "{error}");
    }
}

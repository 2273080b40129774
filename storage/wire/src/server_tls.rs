//! The server's side of TLS on the public port; its certificate can change while it serves.

use std::io;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls::ServerConfig;
use rustls::server::ProducesTickets;
use tokio_rustls::TlsAcceptor;

use crate::pem;
use crate::provider;
use crate::stream::BoxStream;

/// A client that has not finished its handshake by then is cut.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);

/// Accepts TLS 1.2 and 1.3, offers HTTP/2 and HTTP/1.1, resumes sessions by tickets.
pub struct ServerTls {
    acceptor: RwLock<TlsAcceptor>,
    // Outlives a reload, so that clients go on resuming.
    tickets: Arc<dyn ProducesTickets>,
}

impl ServerTls {
    /// Serves `chain_pem`, the leaf first, with the key that belongs to it.
    ///
    /// # Errors
    ///
    /// The texts do not read as PEM, or the key does not belong to the leaf.
    pub fn new(chain_pem: &str, key_pem: &str) -> io::Result<Self> {
        let tickets = rustls::crypto::ring::Ticketer::new().map_err(pem::invalid)?;
        let acceptor = RwLock::new(acceptor(chain_pem, key_pem, &tickets)?);
        Ok(Self { acceptor, tickets })
    }

    /// Serves another certificate to those who connect from now on.
    ///
    /// # Errors
    ///
    /// As for [`ServerTls::new`]; the certificate of before then stays.
    pub fn reload(&self, chain_pem: &str, key_pem: &str) -> io::Result<()> {
        let acceptor = acceptor(chain_pem, key_pem, &self.tickets)?;
        *self.acceptor.write().unwrap_or_else(PoisonError::into_inner) = acceptor;
        Ok(())
    }

    /// Shakes hands over `stream`; returns the protocol that was agreed on as well.
    pub async fn accept(&self, stream: BoxStream) -> io::Result<(BoxStream, Option<Vec<u8>>)> {
        let acceptor = self.acceptor.read().unwrap_or_else(PoisonError::into_inner).clone();
        let stream = within_handshake_time(acceptor.accept(stream)).await?;
        let protocol = stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
        Ok((Box::new(stream), protocol))
    }
}

/// Cuts a handshake that takes longer than [`HANDSHAKE_MAX`].
pub(crate) async fn within_handshake_time<T>(
    handshake: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    tokio::time::timeout(HANDSHAKE_MAX, handshake)
        .await
        .unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "TLS handshake too slow")))
}

fn acceptor(
    chain_pem: &str,
    key_pem: &str,
    tickets: &Arc<dyn ProducesTickets>,
) -> io::Result<TlsAcceptor> {
    let mut config = ServerConfig::builder_with_provider(provider::ring())
        .with_protocol_versions(rustls::ALL_VERSIONS)
        .map_err(pem::invalid)?
        .with_no_client_auth()
        .with_single_cert(pem::chain(chain_pem)?, pem::private_key(key_pem)?)
        .map_err(|error| pem::invalid(format!("certificate and key do not fit: {error}")))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.ticketer = Arc::clone(tickets);
    Ok(TlsAcceptor::from(Arc::new(config)))
}

#[cfg(test)]
mod tests;

//! The server's side of TLS on the public port; its certificate can change while it serves.

use std::io;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls::ServerConfig;
use rustls::server::ProducesTickets;
use tokio_rustls::TlsAcceptor;
use zeroize::Zeroizing;

use crate::client_certificate::{AskForOne, ShownCertificate};
use crate::pem;
use crate::provider;
use crate::stream::BoxStream;

/// A client that has not finished its handshake by then is cut.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);

/// Accepts TLS 1.2 and 1.3, offers HTTP/2 and HTTP/1.1, resumes sessions by tickets.
pub struct ServerTls {
    served: RwLock<Served>,
}

/// A connection that a client has opened: its stream, the protocol that was agreed on, and the
/// certificate that the client has shown.
pub type Accepted = (BoxStream, Option<Vec<u8>>, Option<ShownCertificate>);

struct Served {
    acceptor: TlsAcceptor,
    // Outlives a reload, so that clients go on resuming.
    tickets: Arc<dyn ProducesTickets>,
    asks_for_certificates: bool,
    chain_pem: String,
    key_pem: Zeroizing<String>,
}

impl Served {
    fn new(chain_pem: &str, key_pem: &str, asks_for_certificates: bool) -> io::Result<Self> {
        let tickets = rustls::crypto::ring::Ticketer::new().map_err(pem::invalid)?;
        let acceptor = acceptor((chain_pem, key_pem), &tickets, asks_for_certificates)?;
        let (chain_pem, key_pem) = (chain_pem.to_owned(), Zeroizing::new(key_pem.to_owned()));
        Ok(Self { acceptor, tickets, asks_for_certificates, chain_pem, key_pem })
    }
}

impl ServerTls {
    /// Serves `chain_pem`, the leaf first, with the key that belongs to it.
    ///
    /// # Errors
    ///
    /// The texts do not read as PEM, or the key does not belong to the leaf.
    pub fn new(chain_pem: &str, key_pem: &str) -> io::Result<Self> {
        Ok(Self { served: RwLock::new(Served::new(chain_pem, key_pem, false)?) })
    }

    /// Serves another certificate to those who connect from now on.
    ///
    /// # Errors
    ///
    /// As for [`ServerTls::new`]; the certificate of before then stays.
    pub fn reload(&self, chain_pem: &str, key_pem: &str) -> io::Result<()> {
        let mut served = self.served.write().unwrap_or_else(PoisonError::into_inner);
        let (pair, asks) = ((chain_pem, key_pem), served.asks_for_certificates);
        served.acceptor = acceptor(pair, &served.tickets, asks)?;
        chain_pem.clone_into(&mut served.chain_pem);
        served.key_pem = Zeroizing::new(key_pem.to_owned());
        Ok(())
    }

    /// Asks those who connect from now on for a certificate, or no more. One need not be shown.
    ///
    /// Nobody resumes what was begun before: they would not be asked.
    ///
    /// # Errors
    ///
    /// The system gives no random numbers; all stays as it was then.
    pub fn ask_for_certificates(&self, asks: bool) -> io::Result<()> {
        let mut served = self.served.write().unwrap_or_else(PoisonError::into_inner);
        if served.asks_for_certificates != asks {
            *served = Served::new(&served.chain_pem, &served.key_pem, asks)?;
        }
        Ok(())
    }

    fn acceptor(&self) -> TlsAcceptor {
        self.served.read().unwrap_or_else(PoisonError::into_inner).acceptor.clone()
    }

    /// Shakes hands over `stream`.
    pub async fn accept(&self, stream: BoxStream) -> io::Result<Accepted> {
        let acceptor = self.acceptor();
        let stream = within_handshake_time(acceptor.accept(stream)).await?;
        let session = stream.get_ref().1;
        let protocol = session.alpn_protocol().map(<[u8]>::to_vec);
        let certificate = ShownCertificate::of(session.peer_certificates());
        Ok((Box::new(stream), protocol, certificate))
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
    (chain_pem, key_pem): (&str, &str),
    tickets: &Arc<dyn ProducesTickets>,
    asks_for_certificates: bool,
) -> io::Result<TlsAcceptor> {
    let builder = ServerConfig::builder_with_provider(provider::ring())
        .with_protocol_versions(rustls::ALL_VERSIONS)
        .map_err(pem::invalid)?;
    let builder = if asks_for_certificates {
        builder.with_client_cert_verifier(Arc::new(AskForOne))
    } else {
        builder.with_no_client_auth()
    };
    let mut config =
        builder
            .with_single_cert(pem::chain(chain_pem)?, pem::private_key(key_pem)?)
            .map_err(|error| pem::invalid(format!("certificate and key do not fit: {error}")))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.ticketer = Arc::clone(tickets);
    Ok(TlsAcceptor::from(Arc::new(config)))
}

#[cfg(test)]
mod tests;

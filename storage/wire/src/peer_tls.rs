//! TLS between the replicas of one cluster: both sides show a certificate of its authority.

use std::io;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::client::Resumption;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::NoServerSessionStorage;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::peer_chain::{PeerRefusal, identity_of, in_words};
use crate::peer_identity::{PeerIdentity, PeerKey};
use crate::peer_verifier::PeerVerifier;
use crate::pem;
use crate::provider;
use crate::server_tls::within_handshake_time;
use crate::stream::BoxStream;

/// A connection that a peer, or a newcomer, has opened.
pub type Accepted = (BoxStream, Option<PeerIdentity>, Option<Vec<u8>>);

/// Who counts as a peer. Asked during each handshake, so it must answer at once, from memory.
pub trait PeerRules: Send + Sync {
    /// Whether the membership lists `key` as that of `replica_id`.
    fn listed(&self, key: &PeerKey, replica_id: &str) -> bool;

    /// Told of a listed peer that was let in although today lies outside its certificate's dates.
    fn out_of_date(&self, _peer: &PeerIdentity, _not_after_ms: u64) {}
}

/// Opens and accepts connections between replicas. TLS 1.3 only; nothing is resumed, so that a key
/// that is struck cannot come back by a ticket.
pub struct PeerTls {
    verifier: Arc<PeerVerifier>,
    authority: CertificateDer<'static>,
    ends: RwLock<Ends>,
}

#[derive(Clone)]
struct Ends {
    acceptor: TlsAcceptor,
    client: Arc<ClientConfig>,
}

impl PeerTls {
    /// Peers of cluster `cluster_id`, whose authority is `ca_pem`, as the replica of `chain_pem`.
    ///
    /// # Errors
    ///
    /// One of the texts does not read as PEM, or the key does not belong to the certificate.
    pub fn new(
        ca_pem: &str,
        chain_pem: &str,
        key_pem: &str,
        cluster_id: &str,
        rules: Arc<dyn PeerRules>,
    ) -> io::Result<Self> {
        let authority = pem::chain(ca_pem)?.swap_remove(0);
        let mut roots = RootCertStore::empty();
        roots.add(authority.clone()).map_err(pem::invalid)?;
        let verifier = Arc::new(PeerVerifier { roots, cluster_id: cluster_id.to_owned(), rules });
        let ends = RwLock::new(ends(&verifier, &authority, chain_pem, key_pem)?);
        Ok(Self { verifier, authority, ends })
    }

    /// Shows another certificate from now on.
    ///
    /// # Errors
    ///
    /// As for [`PeerTls::new`]; the certificate of before then stays.
    pub fn reload(&self, chain_pem: &str, key_pem: &str) -> io::Result<()> {
        let ends = ends(&self.verifier, &self.authority, chain_pem, key_pem)?;
        *self.ends.write().unwrap_or_else(PoisonError::into_inner) = ends;
        Ok(())
    }

    /// Shakes hands with whoever opened `stream`.
    ///
    /// The identity is `None` for a client without a certificate, which may ask to join and nothing
    /// else; one with a certificate that is no peer's is an error.
    pub async fn accept(&self, stream: BoxStream) -> io::Result<Accepted> {
        let acceptor = self.ends().acceptor;
        let stream = within_handshake_time(acceptor.accept(stream)).await.map_err(in_words)?;
        let session = stream.get_ref().1;
        // The verifier has judged it during the handshake.
        let certificate = session.peer_certificates().and_then(<[_]>::first);
        let identity = certificate.map(|certificate| identity_of(certificate)).transpose()?;
        let protocol = session.alpn_protocol().map(<[u8]>::to_vec);
        Ok((Box::new(stream), identity, protocol))
    }

    /// Shakes hands with the peer that `stream` leads to, offering the protocols `alpn`.
    ///
    /// # Errors
    ///
    /// It is no peer, or it is another than `expect_replica`; nothing was sent to it then.
    pub async fn connect(
        &self,
        stream: BoxStream,
        expect_replica: Option<&str>,
        alpn: &[&str],
    ) -> io::Result<(BoxStream, PeerIdentity)> {
        let mut config = ClientConfig::clone(&self.ends().client);
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        let connector = TlsConnector::from(Arc::new(config));
        let connected = connector.connect(peer_name()?, stream);
        let stream = within_handshake_time(connected).await.map_err(in_words)?;
        let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
        let identity = identity_of(certificate.ok_or(PeerRefusal::NoReplica)?)?;
        if let Some(expected) = expect_replica.filter(|expected| *expected != identity.replica_id) {
            let (found, expected) = (identity.replica_id, expected.to_owned());
            return Err(PeerRefusal::OtherReplica { found, expected }.into());
        }
        Ok((Box::new(stream), identity))
    }

    /// Whether `peer` would be let in now: an open connection of one that would not is to be
    /// closed.
    pub fn still_listed(&self, peer: &PeerIdentity) -> bool {
        self.verifier.rules.listed(&peer.key, &peer.replica_id)
    }

    fn ends(&self) -> Ends {
        self.ends.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The name rustls wants to hear; peers are told apart by URI and key, so it says nothing.
pub(crate) fn peer_name() -> io::Result<ServerName<'static>> {
    ServerName::try_from("holdfast.invalid").map_err(pem::invalid)
}

fn ends(
    verifier: &Arc<PeerVerifier>,
    authority: &CertificateDer<'static>,
    chain_pem: &str,
    key_pem: &str,
) -> io::Result<Ends> {
    let mut chain = pem::chain(chain_pem)?;
    // A newcomer finds the authority it was given the digest of in the chain.
    if !chain.contains(authority) {
        chain.push(authority.clone());
    }
    let key = pem::private_key(key_pem)?;
    let unfit = |error| pem::invalid(format!("certificate and key do not fit: {error}"));

    let mut server = ServerConfig::builder_with_provider(provider::ring())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(pem::invalid)?
        .with_client_cert_verifier(verifier.clone())
        .with_single_cert(chain.clone(), key.clone_key())
        .map_err(unfit)?;
    server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    server.session_storage = Arc::new(NoServerSessionStorage {});
    server.send_tls13_tickets = 0;

    let mut client = ClientConfig::builder_with_provider(provider::ring())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(pem::invalid)?
        .dangerous()
        .with_custom_certificate_verifier(verifier.clone())
        .with_client_auth_cert(chain, key)
        .map_err(unfit)?;
    client.resumption = Resumption::disabled();
    client.enable_sni = false;
    Ok(Ends { acceptor: TlsAcceptor::from(Arc::new(server)), client: Arc::new(client) })
}

#[cfg(test)]
mod tests;

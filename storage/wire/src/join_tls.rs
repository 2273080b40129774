//! A newcomer's connection to a cluster whose authority it knows by its digest only.

use std::io;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::{ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

use crate::peer_chain::{PeerRefusal, chained, identity_of, in_words, refusal_in};
use crate::peer_identity::{PeerIdentity, from_hex, sha256};
use crate::peer_tls::peer_name;
use crate::pem;
use crate::provider;
use crate::server_tls::within_handshake_time;
use crate::stream::BoxStream;

/// Connects to a replica whose cluster has an authority of a known digest.
pub struct JoinTls {
    pinned: Arc<PinnedAuthority>,
}

impl JoinTls {
    /// Trusts the authority whose certificate has the SHA-256 digest `ca_digest`, in hex.
    ///
    /// # Errors
    ///
    /// The text is no such digest.
    pub fn new(ca_digest: &str) -> io::Result<Self> {
        let digest = from_hex(ca_digest)
            .ok_or_else(|| pem::invalid("the digest of the cluster's authority is no SHA-256"))?;
        Ok(Self { pinned: Arc::new(PinnedAuthority { digest }) })
    }

    /// Shakes hands over `stream`; says which replica of which cluster is at the other end.
    ///
    /// # Errors
    ///
    /// The other end does not belong to the cluster whose authority was named; nothing was sent to
    /// it.
    pub async fn connect(
        &self,
        stream: BoxStream,
        alpn: &[&str],
    ) -> io::Result<(BoxStream, PeerIdentity)> {
        let mut config = ClientConfig::builder_with_provider(provider::ring())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(pem::invalid)?
            .dangerous()
            .with_custom_certificate_verifier(self.pinned.clone())
            .with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        config.resumption = Resumption::disabled();
        config.enable_sni = false;
        let connector = TlsConnector::from(Arc::new(config));
        let connected = connector.connect(peer_name()?, stream);
        let stream = within_handshake_time(connected).await.map_err(in_words)?;
        let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
        let identity = identity_of(certificate.ok_or(PeerRefusal::NoReplica)?)?;
        Ok((Box::new(stream), identity))
    }
}

/// Whether `error` says that the other end does not belong to the cluster whose authority was
/// named, rather than that it could not be talked to.
pub fn is_other_cluster(error: &io::Error) -> bool {
    refusal_in(error).is_some()
}

/// Looks for the authority in the chain that the other side sends.
#[derive(Debug)]
struct PinnedAuthority {
    digest: [u8; 32],
}

impl PinnedAuthority {
    fn judge(
        &self,
        end_entity: &CertificateDer<'_>,
        rest: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), PeerRefusal> {
        let authority = rest
            .iter()
            .find(|certificate| sha256(certificate) == self.digest)
            .ok_or(PeerRefusal::OtherToken)?;
        let mut roots = RootCertStore::empty();
        roots
            .add(authority.clone().into_owned())
            .map_err(|error| PeerRefusal::Unreadable(error.to_string()))?;
        chained(end_entity, &roots, now).map(|_| ())
    }
}

impl ServerCertVerifier for PinnedAuthority {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.judge(end_entity, intermediates, now)?;
        Ok(ServerCertVerified::assertion())
    }

    provider::handshake_signatures!();
}

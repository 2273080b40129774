//! The client's side of TLS towards servers that are not peers, such as a public port.

use std::any::Any;
use std::io;
use std::sync::Arc;

use rustls::client::danger::{ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

use crate::pem;
use crate::provider;
use crate::server_tls::within_handshake_time;
use crate::stream::BoxStream;

/// Whose word counts for a server's certificate.
#[derive(Clone, Debug)]
pub enum Trust {
    /// These authorities and no other, as PEM text. A self-signed server certificate may be one.
    Pinned(String),
    /// The authorities that this machine trusts.
    System,
    /// Anybody's: the connection is encrypted, but to whom is unknown.
    None,
}

/// Opens TLS connections as a client.
#[derive(Clone)]
pub struct ClientTls {
    config: ClientConfig,
}

impl ClientTls {
    /// A client that trusts `trust`.
    ///
    /// # Errors
    ///
    /// The pinned text holds no certificate, or the machine has no list of authorities.
    pub fn new(trust: &Trust) -> io::Result<Self> {
        let builder = ClientConfig::builder_with_provider(provider::ring())
            .with_protocol_versions(rustls::ALL_VERSIONS)
            .map_err(pem::invalid)?;
        let config = match trust {
            Trust::Pinned(text) => {
                let pinned = pem::chain(text)?;
                let mut roots = RootCertStore::empty();
                for certificate in &pinned {
                    roots.add(certificate.clone()).map_err(pem::invalid)?;
                }
                let inner = rustls::client::WebPkiServerVerifier::builder_with_provider(
                    Arc::new(roots),
                    provider::ring(),
                )
                .build()
                .map_err(pem::invalid)?;
                let verifier = Arc::new(PinnedOrIssued { pinned, inner });
                builder.dangerous().with_custom_certificate_verifier(verifier)
            }
            Trust::System => builder.with_root_certificates(system_roots()?),
            Trust::None => builder.dangerous().with_custom_certificate_verifier(Arc::new(Anybody)),
        };
        Ok(Self { config: config.with_no_client_auth() })
    }

    /// Shakes hands with `host` over `stream`; the certificate must name it.
    pub async fn connect(&self, stream: BoxStream, host: &str) -> io::Result<BoxStream> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| pem::invalid(format!("{host} is no host name")))?;
        let connector = TlsConnector::from(Arc::new(self.config.clone()));
        Ok(Box::new(within_handshake_time(connector.connect(name, stream)).await?))
    }

    /// What `reqwest::ClientBuilder::use_preconfigured_tls` takes; HTTP/2 and HTTP/1.1 are offered.
    pub fn for_reqwest(&self) -> impl Any + Send + use<> {
        let mut config = self.config.clone();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config
    }
}

fn system_roots() -> io::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    // Single unreadable certificates are common in such lists and no reason to stop.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(io::Error::new(
            io::ErrorKind::NotFound,
            "this machine trusts no certificate authority: install its list (ca-certificates), \
             or name one by --ca",
        ));
    }
    Ok(roots)
}

/// Accepts exactly the pinned certificates, and what they have issued.
#[derive(Debug)]
struct PinnedOrIssued {
    pinned: Vec<CertificateDer<'static>>,
    inner: Arc<rustls::client::WebPkiServerVerifier>,
}

impl ServerCertVerifier for PinnedOrIssued {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        // Who pins the server's own certificate has said who it is: no name and no date says it
        // better.
        if self.pinned.iter().any(|pinned| pinned == end_entity) {
            return Ok(ServerCertVerified::assertion());
        }
        self.inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    provider::handshake_signatures!();
}

/// Accepts every certificate whose key the server has.
#[derive(Debug)]
struct Anybody;

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    provider::handshake_signatures!();
}

#[cfg(test)]
mod tests;

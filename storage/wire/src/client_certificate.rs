//! Certificates that clients show on the public port, and which of them are good.
//!
//! The handshake takes any, once the client has proved that it holds the key: what is wrong with a
//! certificate is told in an answer that a person can read, not by a broken handshake. Whether it
//! is good is judged for each request, since it may expire or be revoked while a connection lives.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DistinguishedName, RootCertStore};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::pem;
use crate::provider;

/// Certificates a client may show, the leaf and intermediate ones.
const CHAIN_MAX: usize = 8;

/// What a client has shown and proved to hold the key of. Cheap to clone.
#[derive(Clone)]
pub struct ShownCertificate {
    chain: Arc<Vec<CertificateDer<'static>>>,
}

impl ShownCertificate {
    pub(crate) fn of(chain: Option<&[CertificateDer<'static>]>) -> Option<Self> {
        let chain = chain.filter(|chain| !chain.is_empty())?;
        Some(Self { chain: Arc::new(chain.to_vec()) })
    }
}

impl fmt::Debug for ShownCertificate {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "ShownCertificate({} in the chain)", self.chain.len())
    }
}

/// Why a certificate opens nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateRefusal {
    /// By its dates.
    #[error("the client certificate has expired; get another one")]
    Expired,
    /// By its dates.
    #[error("the client certificate is not valid yet; check the clocks")]
    NotYet,
    /// By a revocation list.
    #[error("the client certificate was revoked; get another one")]
    Revoked,
    /// Another authority signed it.
    #[error(
        "the client certificate was not issued by an authority that this registry trusts \
         (setting webTLSClientCA)"
    )]
    Foreign,
    /// It names nobody, or several.
    #[error("the client certificate names no user: its subject needs one common name (CN)")]
    Nameless,
    /// Anything else.
    #[error("the client certificate is not good: {0}")]
    Unfit(String),
}

/// Who signs clients' certificates, and which of them were revoked.
#[derive(Clone)]
pub struct ClientAuthority {
    verifier: Arc<dyn ClientCertVerifier>,
}

impl ClientAuthority {
    /// Trusts the authorities of `ca_pem`; `crl_pems` are the revocation lists of some of them.
    ///
    /// A certificate of an authority without a list counts as not revoked, and a list that should
    /// have been renewed still counts: that one is late must not keep everybody out.
    ///
    /// # Errors
    ///
    /// A text does not read as what it should be.
    pub fn new(ca_pem: &str, crl_pems: &[String]) -> io::Result<Self> {
        let mut roots = RootCertStore::empty();
        for certificate in pem::chain(ca_pem)? {
            let unfit = |error| pem::invalid(format!("a client authority is not good: {error}"));
            roots.add(certificate).map_err(unfit)?;
        }
        let lists = lists(crl_pems)?;
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider::ring())
                .with_crls(lists)
                .allow_unknown_revocation_status()
                .build();
        let verifier = verifier.map_err(|error| pem::invalid(error.to_string()))?;
        Ok(Self { verifier })
    }

    /// The name on a certificate that is good at `wall_ms`, milliseconds since 1970: the common
    /// name of its subject.
    pub fn judge(
        &self,
        shown: &ShownCertificate,
        wall_ms: u64,
    ) -> Result<String, CertificateRefusal> {
        let now = UnixTime::since_unix_epoch(Duration::from_millis(wall_ms));
        let (leaf, intermediates) =
            shown.chain.split_first().ok_or(CertificateRefusal::Nameless)?;
        if shown.chain.len() > CHAIN_MAX {
            let text = format!("its chain is longer than {CHAIN_MAX} certificates");
            return Err(CertificateRefusal::Unfit(text));
        }
        self.verifier.verify_client_cert(leaf, intermediates, now).map_err(refusal)?;
        common_name(leaf)
    }
}

/// Whether these texts are lists of revoked certificates: one that is just being written is not.
///
/// # Errors
///
/// One of them does not read.
pub fn check_lists(crl_pems: &[String]) -> io::Result<()> {
    lists(crl_pems).map(drop)
}

fn lists(crl_pems: &[String]) -> io::Result<Vec<CertificateRevocationListDer<'static>>> {
    let mut lists = Vec::new();
    for crl_pem in crl_pems {
        let read = CertificateRevocationListDer::pem_slice_iter(crl_pem.as_bytes());
        let read: Vec<_> = read.collect::<Result<_, _>>().map_err(|error| {
            pem::invalid(format!("the revocation list is no valid PEM text: {error}"))
        })?;
        if read.is_empty() {
            return Err(pem::invalid("the PEM text holds no revocation list (X509 CRL)"));
        }
        lists.extend(read);
    }
    Ok(lists)
}

fn refusal(error: rustls::Error) -> CertificateRefusal {
    use CertificateError as E;
    match error {
        rustls::Error::InvalidCertificate(E::Expired | E::ExpiredContext { .. }) => {
            CertificateRefusal::Expired
        }
        rustls::Error::InvalidCertificate(E::NotValidYet | E::NotValidYetContext { .. }) => {
            CertificateRefusal::NotYet
        }
        rustls::Error::InvalidCertificate(E::Revoked) => CertificateRefusal::Revoked,
        rustls::Error::InvalidCertificate(E::UnknownIssuer | E::BadSignature) => {
            CertificateRefusal::Foreign
        }
        other => CertificateRefusal::Unfit(other.to_string()),
    }
}

fn common_name(leaf: &CertificateDer<'_>) -> Result<String, CertificateRefusal> {
    let (_, certificate) =
        X509Certificate::from_der(leaf).map_err(|_| CertificateRefusal::Nameless)?;
    let mut names = certificate.subject().iter_common_name();
    match (names.next().and_then(|name| name.as_str().ok()), names.next()) {
        (Some(name), None) if !name.is_empty() => Ok(name.to_owned()),
        _ => Err(CertificateRefusal::Nameless),
    }
}

/// Asks every client for a certificate, and takes whatever comes.
#[derive(Debug)]
pub(crate) struct AskForOne;

impl ClientCertVerifier for AskForOne {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    provider::handshake_signatures!();
}

#[cfg(test)]
mod tests;

//! Certificates and keys out of PEM text.

use std::io;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// An error whose kind says that what was handed in reads wrong.
pub(crate) fn invalid(text: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

/// All certificates of `pem`, at least one.
pub(crate) fn chain(pem: &str) -> io::Result<Vec<CertificateDer<'static>>> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|error| invalid(format!("the certificate is no valid PEM text: {error}")))?;
    if chain.is_empty() {
        return Err(invalid("the PEM text holds no certificate"));
    }
    Ok(chain)
}

/// The first private key of `pem`. The error never quotes the text.
pub(crate) fn private_key(pem: &str) -> io::Result<PrivateKeyDer<'static>> {
    PrivateKeyDer::from_pem_slice(pem.as_bytes())
        .map_err(|_| invalid("the PEM text holds no private key that can be read"))
}

//! The one crypto provider of the process.

use std::sync::{Arc, OnceLock};

use rustls::crypto::CryptoProvider;

/// Makes ring the default of the process; calling it again does nothing.
///
/// Everything in this crate names its provider, so this is for libraries that ask for the default.
pub fn install() {
    // Fails only where a default is set already, and nothing here sets another one.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// The provider all configurations of this crate are built with.
pub(crate) fn ring() -> Arc<CryptoProvider> {
    static RING: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    Arc::clone(RING.get_or_init(|| Arc::new(rustls::crypto::ring::default_provider())))
}

/// The methods of a rustls verifier that check signatures within a handshake: alike everywhere.
macro_rules! handshake_signatures {
    () => {
        fn verify_tls12_signature(
            &self,
            message: &[u8],
            cert: &rustls::pki_types::CertificateDer<'_>,
            dss: &rustls::DigitallySignedStruct,
        ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
            let algorithms = $crate::provider::ring().signature_verification_algorithms;
            rustls::crypto::verify_tls12_signature(message, cert, dss, &algorithms)
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            cert: &rustls::pki_types::CertificateDer<'_>,
            dss: &rustls::DigitallySignedStruct,
        ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
            let algorithms = $crate::provider::ring().signature_verification_algorithms;
            rustls::crypto::verify_tls13_signature(message, cert, dss, &algorithms)
        }

        fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
            $crate::provider::ring().signature_verification_algorithms.supported_schemes()
        }
    };
}
pub(crate) use handshake_signatures;

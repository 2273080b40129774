//! Public keys out of PEM text, bare or in a certificate, for comparing signers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use x509_parser::oid_registry::{
    OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_NIST_EC_P384, OID_PKCS1_RSAENCRYPTION,
    OID_SIG_ED25519,
};
use x509_parser::pem::Pem;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::public_key::PublicKey as Parsed;
use x509_parser::x509::SubjectPublicKeyInfo;

/// RSA below is broken by whoever has the money.
const RSA_BITS_MIN: usize = 2048;
/// RSA above takes longer to check than a signature is worth.
const RSA_BITS_MAX: usize = 8192;

/// Bytes of an uncompressed point on either curve, its form in front.
const P256_BYTES: usize = 1 + 2 * 32;
const P384_BYTES: usize = 1 + 2 * 48;
const ED25519_BYTES: usize = 32;

/// Why a text is not taken for a public key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublicKeyError {
    /// It reads as nothing that is known here.
    #[error("this is no public key in PEM: {0}")]
    Unreadable(String),
    /// It holds what nobody should be shown.
    #[error(
        "this is a private key: keep it to yourself, consider it lost if it was sent anywhere, \
         and give the public key instead"
    )]
    Private,
    /// It is one, of a kind that nobody here checks signatures with.
    #[error("{0}; a public key is RSA with 2048 to 8192 bits, ECDSA on P-256 or P-384, or Ed25519")]
    Unfit(String),
}

/// Reads the first block of `pem`, a public key or a certificate; returns the bare key as a
/// `SubjectPublicKeyInfo` in DER, the same bytes from both.
pub fn from_pem(pem: &str) -> Result<Vec<u8>, PublicKeyError> {
    let unreadable = |what: &str| PublicKeyError::Unreadable(what.to_owned());
    let mut blocks = Pem::iter_from_buffer(pem.as_bytes());
    let block = blocks.next().ok_or_else(|| unreadable("there is no PEM block in the text"))?;
    let block = block.map_err(|_| unreadable("the PEM block is damaged"))?;
    let bare = match block.label.as_str() {
        "PUBLIC KEY" => {
            let (rest, key) = SubjectPublicKeyInfo::from_der(&block.contents)
                .map_err(|_| unreadable("the key's DER is damaged"))?;
            if !rest.is_empty() {
                return Err(unreadable("there are bytes after the key"));
            }
            check(&key)?;
            key.raw.to_vec()
        }
        "CERTIFICATE" => {
            let (_, certificate) = X509Certificate::from_der(&block.contents)
                .map_err(|_| unreadable("the certificate's DER is damaged"))?;
            check(certificate.public_key())?;
            certificate.public_key().raw.to_vec()
        }
        label if label.ends_with("PRIVATE KEY") => return Err(PublicKeyError::Private),
        "RSA PUBLIC KEY" => {
            return Err(unreadable(
                "it is in the old form of RSA keys; `openssl rsa -RSAPublicKey_in -pubout` makes \
                 another",
            ));
        }
        _ => return Err(unreadable("it needs a block PUBLIC KEY or CERTIFICATE")),
    };
    Ok(bare)
}

/// A bare key in DER as PEM, in lines of 64 letters.
pub fn to_pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut pem = "-----BEGIN PUBLIC KEY-----\n".to_owned();
    for (number, letter) in text.chars().enumerate() {
        if number > 0 && number.is_multiple_of(64) {
            pem.push('\n');
        }
        pem.push(letter);
    }
    pem.push_str("\n-----END PUBLIC KEY-----\n");
    pem
}

fn check(key: &SubjectPublicKeyInfo<'_>) -> Result<(), PublicKeyError> {
    let unfit = |what: String| Err(PublicKeyError::Unfit(what));
    let algorithm = &key.algorithm.algorithm;
    if *algorithm == OID_PKCS1_RSAENCRYPTION {
        let Ok(Parsed::RSA(rsa)) = key.parsed() else {
            return unfit("the RSA key is damaged".to_owned());
        };
        let bits = bits(rsa.modulus);
        if !(RSA_BITS_MIN..=RSA_BITS_MAX).contains(&bits) {
            return unfit(format!("the RSA key has {bits} bits"));
        }
        return Ok(());
    }
    let bytes = key.subject_public_key.data.len();
    let is_fit = if *algorithm == OID_SIG_ED25519 {
        bytes == ED25519_BYTES
    } else if *algorithm == OID_KEY_TYPE_EC_PUBLIC_KEY {
        let curve = key.algorithm.parameters.as_ref().and_then(|any| any.as_oid().ok());
        match curve {
            Some(curve) if curve == OID_EC_P256 => bytes == P256_BYTES,
            Some(curve) if curve == OID_NIST_EC_P384 => bytes == P384_BYTES,
            _ => return unfit("the key is on another curve".to_owned()),
        }
    } else {
        return unfit(format!("the key is of the kind {algorithm}"));
    };
    if is_fit { Ok(()) } else { unfit(format!("a key of {bytes} bytes does not fit its kind")) }
}

/// How many bits a number has.
fn bits(big_endian: &[u8]) -> usize {
    let zeros = big_endian.iter().take_while(|byte| **byte == 0).count();
    let Some(first) = big_endian.get(zeros) else { return 0 };
    8 * (big_endian.len() - zeros) - first.leading_zeros() as usize
}

#[cfg(test)]
mod tests;

//! Whether a token was signed by one of the provider's keys.
//!
//! Which algorithm it was is said by the token, so it counts only together with a key that is for
//! it: none without a signature, and none with a secret that both sides know, is ever taken. Keys
//! that a token brings along are not looked at.
//!
//! Source: RFC 7515, RFC 7518 3, RFC 8037 3.1, RFC 8725.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents,
    UnparsedPublicKey, VerificationAlgorithm,
};
use serde::Deserialize;
use serde_json::Value;

use crate::id_token::TokenFault;
use crate::keys::{Key, Material};

/// A token longer than this is not looked at.
const TOKEN_BYTES_MAX: usize = 64 * 1024;

/// What of a token's head counts.
#[derive(Deserialize)]
struct Head {
    alg: String,
    kid: Option<String>,
    /// Whoever does not understand all that is listed here must refuse it; here that is everybody.
    crit: Option<Value>,
}

/// What a token says that was signed with one of `keys`.
///
/// # Errors
///
/// [`TokenFault::UnknownKey`] where another key may be needed; the others are final.
pub(crate) fn open(token: &str, keys: &[Key]) -> Result<Value, TokenFault> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(TokenFault::TooLong);
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(TokenFault::Malformed)?;
    let (head, claims) = signed.split_once('.').ok_or(TokenFault::Malformed)?;
    let head = Head::deserialize(document(head)?).map_err(|_| TokenFault::Malformed)?;
    if head.crit.is_some() || claims.contains('.') {
        return Err(TokenFault::Malformed);
    }
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| TokenFault::Malformed)?;
    let key = find(&head, keys)?;
    if !verifies(&head.alg, &key.material, signed.as_bytes(), &signature) {
        return Err(TokenFault::Signature);
    }
    document(claims)
}

fn document(part: &str) -> Result<Value, TokenFault> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenFault::Malformed)?;
    serde_json::from_slice(&bytes).map_err(|_| TokenFault::Malformed)
}

/// The key that the token names, or the only one that is for its algorithm.
fn find<'a>(head: &Head, keys: &'a [Key]) -> Result<&'a Key, TokenFault> {
    if !ALGORITHMS.contains(&head.alg.as_str()) {
        return Err(TokenFault::Algorithm);
    }
    let fits = |key: &&Key| {
        let is_named = head.kid.is_none() || key.id == head.kid;
        let is_for_it = key.algorithm.as_ref().is_none_or(|algorithm| *algorithm == head.alg);
        is_named && is_for_it && scheme(&head.alg, &key.material).is_some()
    };
    let mut fitting = keys.iter().filter(fits);
    match (fitting.next(), fitting.next()) {
        (Some(key), None) => Ok(key),
        // Named, but for something else.
        (None, _) if head.kid.is_some() && keys.iter().any(|key| key.id == head.kid) => {
            Err(TokenFault::Algorithm)
        }
        _ => Err(TokenFault::UnknownKey),
    }
}

/// Those that are taken.
const ALGORITHMS: &[&str] =
    &["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA", "Ed25519"];

/// How a signature is verified.
enum Scheme {
    Rsa(&'static RsaParameters),
    Point(&'static dyn VerificationAlgorithm),
}

/// `None` where the key is not for this algorithm.
fn scheme(algorithm: &str, material: &Material) -> Option<Scheme> {
    Some(match (material, algorithm) {
        (Material::Rsa { .. }, "RS256") => Scheme::Rsa(&RSA_PKCS1_2048_8192_SHA256),
        (Material::Rsa { .. }, "RS384") => Scheme::Rsa(&RSA_PKCS1_2048_8192_SHA384),
        (Material::Rsa { .. }, "RS512") => Scheme::Rsa(&RSA_PKCS1_2048_8192_SHA512),
        (Material::Rsa { .. }, "PS256") => Scheme::Rsa(&RSA_PSS_2048_8192_SHA256),
        (Material::Rsa { .. }, "PS384") => Scheme::Rsa(&RSA_PSS_2048_8192_SHA384),
        (Material::Rsa { .. }, "PS512") => Scheme::Rsa(&RSA_PSS_2048_8192_SHA512),
        (Material::P256(_), "ES256") => Scheme::Point(&ECDSA_P256_SHA256_FIXED),
        (Material::P384(_), "ES384") => Scheme::Point(&ECDSA_P384_SHA384_FIXED),
        (Material::Ed25519(_), "EdDSA" | "Ed25519") => Scheme::Point(&ED25519),
        _ => return None,
    })
}

fn verifies(algorithm: &str, material: &Material, signed: &[u8], signature: &[u8]) -> bool {
    match (scheme(algorithm, material), material) {
        (Some(Scheme::Rsa(parameters)), Material::Rsa { n, e }) => {
            RsaPublicKeyComponents { n, e }.verify(parameters, signed, signature).is_ok()
        }
        (
            Some(Scheme::Point(algorithm)),
            Material::P256(bytes) | Material::P384(bytes) | Material::Ed25519(bytes),
        ) => UnparsedPublicKey::new(algorithm, bytes).verify(signed, signature).is_ok(),
        _ => false,
    }
}

#[cfg(test)]
pub(crate) mod tests;

//! The provider's public keys, as far as they can verify something here.
//!
//! Source: RFC 7517, RFC 7518 6, RFC 8037 2.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;

/// Keys that are looked at; providers have a handful.
const KEYS_MAX: usize = 64;
/// A modulus in bytes, at most: 8192 bits.
const MODULUS_BYTES_MAX: usize = 1024;

/// What a signature is verified with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Material {
    /// Modulus and exponent, big-endian.
    Rsa { n: Vec<u8>, e: Vec<u8> },
    /// A point of P-256, uncompressed.
    P256(Vec<u8>),
    /// A point of P-384, uncompressed.
    P384(Vec<u8>),
    /// 32 bytes.
    Ed25519(Vec<u8>),
}

/// One of the provider's keys.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) id: Option<String>,
    /// The only algorithm that it is for, where it says so.
    pub(crate) algorithm: Option<String>,
    pub(crate) material: Material,
}

/// A key as it is written.
#[derive(Deserialize)]
struct Written {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

/// The keys of a document `{"keys":[…]}`. Those that sign nothing, or in a way that is not taken
/// here, are passed over: providers have such as well.
///
/// # Errors
///
/// In words: the document is none, or has no key of use.
pub(crate) fn parse(document: &Value) -> Result<Vec<Key>, String> {
    let written = document["keys"].as_array().ok_or("it has no list of keys")?;
    let keys: Vec<Key> = written.iter().take(KEYS_MAX).filter_map(key).collect();
    if keys.is_empty() {
        return Err("it has no key of RSA (2048 to 8192 bits), P-256, P-384 or Ed25519 that signs"
            .to_owned());
    }
    Ok(keys)
}

fn key(document: &Value) -> Option<Key> {
    let written = Written::deserialize(document).ok()?;
    if written.purpose.as_deref().is_some_and(|purpose| purpose != "sig") {
        return None;
    }
    let material = match (written.kty.as_str(), written.crv.as_deref()) {
        ("RSA", _) => Material::Rsa { n: number(written.n)?, e: number(written.e)? },
        ("EC", Some("P-256")) => Material::P256(point(written.x, written.y, 32)?),
        ("EC", Some("P-384")) => Material::P384(point(written.x, written.y, 48)?),
        ("OKP", Some("Ed25519")) => {
            Material::Ed25519(bytes(written.x).filter(|bytes| bytes.len() == 32)?)
        }
        _ => return None,
    };
    Some(Key { id: written.kid, algorithm: written.alg, material })
}

fn bytes(text: Option<String>) -> Option<Vec<u8>> {
    let text = text.filter(|text| text.len() <= MODULUS_BYTES_MAX * 2)?;
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// A number without zeros in front, as ring wants it.
fn number(text: Option<String>) -> Option<Vec<u8>> {
    let bytes = bytes(text)?;
    let start = bytes.iter().position(|byte| *byte != 0)?;
    Some(bytes[start..].to_vec()).filter(|bytes| bytes.len() <= MODULUS_BYTES_MAX)
}

fn point(x: Option<String>, y: Option<String>, length: usize) -> Option<Vec<u8>> {
    let (x, y) = (bytes(x)?, bytes(y)?);
    (x.len() == length && y.len() == length).then(|| [&[4], x.as_slice(), &y].concat())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Material, parse};

    #[test]
    fn keys_that_verify_nothing_here_are_passed_over() {
        let (x, y) = ("A".repeat(43), "A".repeat(43));
        let document = json!({ "keys": [
            { "kty": "oct", "k": "AAAA" },
            { "kty": "RSA", "use": "enc", "n": "AQAB", "e": "AQAB" },
            { "kty": "RSA", "n": "AQ=B", "e": "AQAB" },
            { "kty": "RSA", "n": "AAAA", "e": "AQAB" },
            { "kty": "EC", "crv": "P-256", "x": "AAAA", "y": y },
            { "kty": "EC", "crv": "secp256k1", "x": x, "y": y },
            { "kty": "OKP", "crv": "X25519", "x": x },
            { "kty": 5 },
            "no key",
            { "kty": "RSA", "kid": "1", "use": "sig", "alg": "RS256", "n": "AAEAAQ", "e": "AQAB" },
            { "kty": "EC", "crv": "P-256", "x": x, "y": y },
            { "kty": "OKP", "crv": "Ed25519", "x": x },
        ]});
        let keys = parse(&document).unwrap();
        let materials: Vec<_> = keys.iter().map(|key| key.material.clone()).collect();
        let p256 = [&[4][..], &[0; 64]].concat();
        let expected = [
            Material::Rsa { n: vec![1, 0, 1], e: vec![1, 0, 1] },
            Material::P256(p256),
            Material::Ed25519(vec![0; 32]),
        ];
        assert_eq!(materials, expected);
        assert_eq!(keys[0].id.as_deref(), Some("1"));
        assert_eq!(keys[0].algorithm.as_deref(), Some("RS256"));
        for unfit in [json!({}), json!([]), json!({ "keys": [] }), json!({ "keys": [{}] })] {
            assert!(parse(&unfit).is_err(), "{unfit}");
        }
    }
}

//! Tokens signed here in every way that can be, and in some that must not be taken.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair,
};
use serde_json::{Value, json};

use super::open;
use crate::id_token::TokenFault;
use crate::keys::{self, Key};

/// A pair of keys, and the name of the public one.
pub(crate) struct Signer {
    name: &'static str,
    algorithm: &'static str,
    pair: Pair,
}

enum Pair {
    Point(EcdsaKeyPair, usize),
    Edwards(Ed25519KeyPair),
}

pub(crate) fn text(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl Signer {
    pub(crate) fn new(name: &'static str, algorithm: &'static str) -> Self {
        let random = SystemRandom::new();
        let point = |algorithm, length| {
            let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
            Pair::Point(
                EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).unwrap(),
                length,
            )
        };
        let pair = match algorithm {
            "ES256" => point(&ECDSA_P256_SHA256_FIXED_SIGNING, 32),
            "ES384" => point(&ECDSA_P384_SHA384_FIXED_SIGNING, 48),
            _ => {
                let pkcs8 = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
                Pair::Edwards(Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap())
            }
        };
        Self { name, algorithm, pair }
    }

    /// The public key as a provider writes it.
    pub(crate) fn written(&self) -> Value {
        match &self.pair {
            Pair::Point(pair, length) => {
                let (x, y) = pair.public_key().as_ref()[1..].split_at(*length);
                let curve = if *length == 32 { "P-256" } else { "P-384" };
                json!({ "kty": "EC", "crv": curve, "kid": self.name, "use": "sig",
                        "x": text(x), "y": text(y) })
            }
            Pair::Edwards(pair) => json!({ "kty": "OKP", "crv": "Ed25519", "kid": self.name,
                                           "x": text(pair.public_key()) }),
        }
    }

    pub(crate) fn keys(&self) -> Vec<Key> {
        keys::parse(&json!({ "keys": [self.written()] })).unwrap()
    }

    pub(crate) fn token(&self, claims: &Value) -> String {
        self.token_with(&json!({ "alg": self.algorithm, "kid": self.name }), claims)
    }

    pub(crate) fn token_with(&self, head: &Value, claims: &Value) -> String {
        let signed = format!("{}.{}", text(head.to_string()), text(claims.to_string()));
        let signature = match &self.pair {
            Pair::Point(pair, _) => {
                let random = SystemRandom::new();
                pair.sign(&random, signed.as_bytes()).unwrap().as_ref().to_vec()
            }
            Pair::Edwards(pair) => pair.sign(signed.as_bytes()).as_ref().to_vec(),
        };
        format!("{signed}.{}", text(signature))
    }
}

#[test]
fn what_the_key_signed_is_taken_and_what_was_changed_is_not() {
    for algorithm in ["ES256", "ES384", "EdDSA"] {
        let signer = Signer::new("k1", algorithm);
        let claims = json!({ "sub": "ann" });
        let token = signer.token(&claims);
        assert_eq!(open(&token, &signer.keys()), Ok(claims.clone()), "{algorithm}");
        // Without a name the only key of its kind is meant.
        let nameless = signer.token_with(&json!({ "alg": algorithm }), &claims);
        assert_eq!(open(&nameless, &signer.keys()), Ok(claims), "{algorithm}");

        let stranger = Signer::new("k1", algorithm);
        assert_eq!(open(&token, &stranger.keys()), Err(TokenFault::Signature));
        let parts: Vec<&str> = token.split('.').collect();
        let other = text(json!({ "sub": "root" }).to_string());
        let forged = format!("{}.{other}.{}", parts[0], parts[2]);
        assert_eq!(open(&forged, &signer.keys()), Err(TokenFault::Signature));
        let unsigned = format!("{}.{}.", parts[0], parts[1]);
        assert_eq!(open(&unsigned, &signer.keys()), Err(TokenFault::Signature));
    }
}

#[test]
fn an_algorithm_counts_only_with_a_key_that_is_for_it() {
    let signer = Signer::new("k1", "ES256");
    let claims = json!({ "sub": "root" });
    for algorithm in ["none", "None", "HS256", "HS512", "", "ES256K", "RS1", "es256"] {
        let head = json!({ "alg": algorithm, "kid": "k1" });
        let token = signer.token_with(&head, &claims);
        assert_eq!(open(&token, &signer.keys()), Err(TokenFault::Algorithm), "{algorithm}");
    }
    for algorithm in ["RS256", "PS256", "ES384", "EdDSA"] {
        let token = signer.token_with(&json!({ "alg": algorithm, "kid": "k1" }), &claims);
        assert_eq!(open(&token, &signer.keys()), Err(TokenFault::Algorithm), "{algorithm}");
    }
    // The public key as a shared secret, which everybody knows.
    let signed = format!(
        "{}.{}",
        text(json!({ "alg": "HS256", "kid": "k1" }).to_string()),
        text(claims.to_string())
    );
    let public = signer.written()["x"].as_str().unwrap().to_owned();
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, public.as_bytes()), signed.as_bytes());
    let token = format!("{signed}.{}", text(tag));
    assert_eq!(open(&token, &signer.keys()), Err(TokenFault::Algorithm));
    // A key that says what it is for is for nothing else.
    let mut written = signer.written();
    written["alg"] = json!("ES384");
    let keys = keys::parse(&json!({ "keys": [written] })).unwrap();
    assert_eq!(open(&signer.token(&claims), &keys), Err(TokenFault::Algorithm));
    // Nor is one believed that the token brings along.
    let stranger = Signer::new("k1", "ES256");
    let head = json!({ "alg": "ES256", "kid": "k1", "jwk": stranger.written() });
    let token = stranger.token_with(&head, &claims);
    assert_eq!(open(&token, &signer.keys()), Err(TokenFault::Signature));
}

#[test]
fn a_key_that_is_not_known_is_told_apart() {
    let (one, other) = (Signer::new("k1", "ES256"), Signer::new("k2", "ES256"));
    let claims = json!({ "sub": "ann" });
    assert_eq!(open(&other.token(&claims), &one.keys()), Err(TokenFault::UnknownKey));
    let both = json!({ "keys": [one.written(), other.written()] });
    let both = keys::parse(&both).unwrap();
    assert_eq!(open(&other.token(&claims), &both), Ok(claims.clone()));
    let nameless = other.token_with(&json!({ "alg": "ES256" }), &claims);
    assert_eq!(open(&nameless, &both), Err(TokenFault::UnknownKey), "which of them?");
}

#[test]
fn what_is_no_signed_token_is_malformed() {
    let signer = Signer::new("k1", "EdDSA");
    let head = |head: Value| signer.token_with(&head, &json!({}));
    let encrypted = format!("{}.e.f", signer.token(&json!({})));
    let padded = format!("{}=", signer.token(&json!({})));
    for token in [
        "",
        ".",
        "..",
        "a.b.c",
        "no token",
        &encrypted,
        &padded,
        &head(json!({ "alg": 5 })),
        &head(json!({ "kid": "k1" })),
        &head(json!(["alg"])),
        &head(json!({ "alg": "EdDSA", "kid": "k1", "crit": ["b64"], "b64": false })),
    ] {
        assert_eq!(open(token, &signer.keys()), Err(TokenFault::Malformed), "{token}");
    }
    let long = signer.token(&json!({ "sub": "a".repeat(64 * 1024) }));
    assert_eq!(open(&long, &signer.keys()), Err(TokenFault::TooLong));
}

/// The example of the standard: no RSA key is made here in a test's time.
///
/// Source: RFC 7515, A.2.
#[test]
fn a_signature_of_rsa_is_verified() {
    let modulus = concat!(
        "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt",
        "0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSX",
        "ndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5",
        "IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ",
    );
    let signed = concat!(
        "eyJhbGciOiJSUzI1NiJ9.",
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0",
        "cnVlfQ",
    );
    let signature = concat!(
        "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W",
        "2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkS",
        "jtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnv",
        "Wh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
    );
    let document = json!({ "keys": [{ "kty": "RSA", "n": modulus, "e": "AQAB" }] });
    let keys = keys::parse(&document).unwrap();
    let claims = open(&format!("{signed}.{signature}"), &keys).unwrap();
    assert_eq!(claims["iss"], "joe");
    let (_, payload) = signed.split_once('.').unwrap();
    for algorithm in ["PS256", "RS384"] {
        let head = text(json!({ "alg": algorithm }).to_string());
        let token = format!("{head}.{payload}.{signature}");
        assert_eq!(open(&token, &keys), Err(TokenFault::Signature), "{algorithm}");
    }
    let changed = format!("{signed}.d{}", &signature[1..]);
    assert_eq!(open(&changed, &keys), Err(TokenFault::Signature));
}

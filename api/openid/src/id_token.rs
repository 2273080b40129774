//! What a provider's token must say so that somebody is signed in by it.
//!
//! Source: OpenID Connect Core 1.0, 3.1.3.7.

use serde_json::{Map, Value};

use crate::jws;
use crate::keys::Key;

/// How far the provider's clock may be off.
const SKEW_S: u64 = 60;
/// A subject in bytes, at most.
const SUBJECT_BYTES_MAX: usize = metadata::openid::commands::SUBJECT_BYTES_MAX;

/// Why a token proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenFault {
    /// Nothing of it was looked at.
    #[error("it is longer than 64 KiB")]
    TooLong,
    /// It is none.
    #[error("it does not read as a signed token")]
    Malformed,
    /// With none, with a shared secret, or not with one that the key is for.
    #[error("it is signed in a way that is not taken, or that its key is not for")]
    Algorithm,
    /// Not even after looking once more.
    #[error("none of the provider's keys is the one it names")]
    UnknownKey,
    /// Forged, or changed since.
    #[error("its signature is wrong")]
    Signature,
    /// Of another provider.
    #[error("iss is not the issuerIdentifier")]
    Issuer,
    /// For somebody else.
    #[error("aud does not name this clientID, or azp names another")]
    Audience,
    /// Its time is over.
    #[error("it has expired; compare the clocks")]
    Expired,
    /// Its time has not come, or had before this sign-in began.
    #[error("it was not issued during this sign-in; compare the clocks")]
    OtherTime,
    /// Of another sign-in.
    #[error("nonce is not that of this sign-in")]
    Nonce,
    /// It names nobody.
    #[error("sub is missing, empty or too long")]
    Subject,
}

/// What it must say.
pub(crate) struct Expected<'a> {
    pub(crate) issuer: &'a str,
    pub(crate) client_id: &'a str,
    pub(crate) nonce: &'a str,
    /// When the sign-in began, in seconds since 1970.
    pub(crate) begun_s: u64,
    /// Now.
    pub(crate) now_s: u64,
}

/// The claims of a token that somebody is signed in by.
pub(crate) fn verify(
    token: &str,
    keys: &[Key],
    expected: &Expected<'_>,
) -> Result<Map<String, Value>, TokenFault> {
    let Value::Object(claims) = jws::open(token, keys)? else { return Err(TokenFault::Malformed) };
    check(&claims, expected)?;
    Ok(claims)
}

fn check(claims: &Map<String, Value>, expected: &Expected<'_>) -> Result<(), TokenFault> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    if text("iss") != Some(expected.issuer) {
        return Err(TokenFault::Issuer);
    }
    check_audience(claims, expected.client_id)?;
    let time = |name: &str| claims.get(name).and_then(seconds);
    let ahead_s = expected.now_s + SKEW_S;
    if time("exp").is_none_or(|exp| exp.saturating_add(SKEW_S) <= expected.now_s) {
        return Err(TokenFault::Expired);
    }
    let issued = time("iat")
        .is_some_and(|iat| iat <= ahead_s && iat.saturating_add(SKEW_S) >= expected.begun_s);
    let has_come = !claims.contains_key("nbf") || time("nbf").is_some_and(|nbf| nbf <= ahead_s);
    if !issued || !has_come {
        return Err(TokenFault::OtherTime);
    }
    if !text("nonce").is_some_and(|nonce| is_same(nonce, expected.nonce)) {
        return Err(TokenFault::Nonce);
    }
    match text("sub") {
        Some(sub) if !sub.is_empty() && sub.len() <= SUBJECT_BYTES_MAX => Ok(()),
        _ => Err(TokenFault::Subject),
    }
}

/// It must be for us; where it is for others too, or says by whom it was asked for, that is us.
fn check_audience(claims: &Map<String, Value>, client_id: &str) -> Result<(), TokenFault> {
    let audience: Vec<&Value> = match claims.get("aud") {
        Some(Value::Array(several)) => several.iter().collect(),
        Some(one) => vec![one],
        None => Vec::new(),
    };
    let is_for_us = audience.iter().any(|one| one.as_str() == Some(client_id));
    let is_by_us = match claims.get("azp") {
        Some(party) => party.as_str() == Some(client_id),
        None => audience.len() == 1,
    };
    if is_for_us && is_by_us { Ok(()) } else { Err(TokenFault::Audience) }
}

/// Seconds since 1970; a fraction is cut off.
fn seconds(value: &Value) -> Option<u64> {
    let whole = value.as_u64();
    // Within these bounds nothing is lost.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    whole.or_else(|| value.as_f64().filter(|it| (0.0..1e15).contains(it)).map(|it| it as u64))
}

/// How long that takes says nothing of where they differ.
pub(crate) fn is_same(given: &str, expected: &str) -> bool {
    let pairs = given.bytes().zip(expected.bytes());
    given.len() == expected.len()
        && pairs.fold(0, |differ, (a, b)| std::hint::black_box(differ | (a ^ b))) == 0
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Expected, TokenFault, verify};
    use crate::jws::tests::Signer;

    const ISSUER: &str = "https://id.example";
    const NOW_S: u64 = 1_700_000_000;

    const EXPECTED: Expected<'_> = Expected {
        issuer: ISSUER,
        client_id: "registry",
        nonce: "n-1",
        begun_s: NOW_S - 30,
        now_s: NOW_S,
    };

    fn good() -> Value {
        json!({
            "iss": ISSUER, "sub": "s-1", "aud": "registry", "nonce": "n-1",
            "iat": NOW_S - 1, "exp": NOW_S + 300,
        })
    }

    #[test]
    fn a_token_signs_in_who_it_was_made_for_now_and_nobody_else() {
        use TokenFault as F;
        let signer = Signer::new("k1", "ES256");
        let cases = [
            ("iss", json!("https://id.example/"), Err(F::Issuer)),
            ("iss", json!(null), Err(F::Issuer)),
            ("aud", json!("other"), Err(F::Audience)),
            ("aud", json!([]), Err(F::Audience)),
            ("aud", json!(["registry"]), Ok(())),
            ("aud", json!(["registry", "other"]), Err(F::Audience)),
            ("aud", json!({ "registry": 1 }), Err(F::Audience)),
            ("azp", json!("registry"), Ok(())),
            ("azp", json!("other"), Err(F::Audience)),
            ("azp", json!(null), Err(F::Audience)),
            ("exp", json!(NOW_S - 59), Ok(())),
            ("exp", json!(NOW_S - 60), Err(F::Expired)),
            ("exp", json!(1_700_000_000.5), Ok(())),
            ("exp", json!("soon"), Err(F::Expired)),
            ("exp", json!(-1), Err(F::Expired)),
            ("iat", json!(NOW_S + 60), Ok(())),
            ("iat", json!(NOW_S + 61), Err(F::OtherTime)),
            ("iat", json!(NOW_S - 90), Ok(())),
            ("iat", json!(NOW_S - 91), Err(F::OtherTime)),
            ("iat", json!(null), Err(F::OtherTime)),
            ("nbf", json!(NOW_S + 60), Ok(())),
            ("nbf", json!(NOW_S + 61), Err(F::OtherTime)),
            ("nbf", json!("later"), Err(F::OtherTime)),
            ("nonce", json!("n-2"), Err(F::Nonce)),
            ("nonce", json!("n-1 "), Err(F::Nonce)),
            ("nonce", json!(null), Err(F::Nonce)),
            ("sub", json!(""), Err(F::Subject)),
            ("sub", json!("x".repeat(255)), Ok(())),
            ("sub", json!("x".repeat(256)), Err(F::Subject)),
            ("sub", json!(7), Err(F::Subject)),
        ];
        for (name, value, expected) in cases {
            let mut claims = good();
            claims[name] = value;
            let found = verify(&signer.token(&claims), &signer.keys(), &EXPECTED).map(drop);
            assert_eq!(found, expected, "{claims}");
        }
        let mut several = good();
        several["aud"] = json!(["other", "registry"]);
        several["azp"] = json!("registry");
        let found = verify(&signer.token(&several), &signer.keys(), &EXPECTED);
        assert_eq!(found.unwrap()["sub"], "s-1");
        for name in ["iss", "aud", "exp", "iat", "nonce", "sub"] {
            let mut claims = good();
            claims.as_object_mut().unwrap().remove(name);
            let found = verify(&signer.token(&claims), &signer.keys(), &EXPECTED);
            assert!(found.is_err(), "without {name}");
        }
        let list = signer.token(&json!([good()]));
        assert_eq!(verify(&list, &signer.keys(), &EXPECTED), Err(F::Malformed));
        let forged = Signer::new("k1", "ES256").token(&good());
        assert_eq!(verify(&forged, &signer.keys(), &EXPECTED), Err(F::Signature));
    }
}

//! Signing in as a registry asks for it: not at all, by password, or with bearer tokens.
//!
//! A token is fetched once for its scopes and renewed before it expires.
//!
//! Source: distribution, "Token Authentication Specification".

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use reqwest::{RequestBuilder, Url};
use serde_json::Value;

use super::reading;
use super::trouble::Trouble;
use crate::client::Credentials;

/// Where a registry names no life of its tokens, they live for so long.
const LIFE_DEFAULT_S: u64 = 60;
/// Tokens that are kept; a registry may have more repositories than that.
const TOKENS_MAX: usize = 10_000;
const TOKEN_ANSWER_BYTES_MAX: usize = 1 << 20;

/// How a registry knows who asks.
pub enum Login {
    /// It does not ask.
    Open,
    /// By name and password in every request.
    Basic(Credentials),
    /// By tokens.
    Bearer(Tokens),
}

/// Where tokens come from, and those at hand.
pub struct Tokens {
    realm: Url,
    service: String,
    credentials: Option<Credentials>,
    held: Mutex<HashMap<String, Held>>,
}

struct Held {
    token: String,
    renew_at: Instant,
}

impl Login {
    /// Does as the challenges of `GET /v2/` of the registry at `url` say; without any it is open.
    ///
    /// # Errors
    ///
    /// It asks for a password and there is none, or in a way that is not known; it would have the
    /// password sent in the clear.
    pub fn new(
        url: &str,
        challenges: &[String],
        credentials: Option<Credentials>,
    ) -> Result<Self, Trouble> {
        if challenges.is_empty() {
            return Ok(Self::Open);
        }
        let wrong = |text: String| Err(Trouble::lasting(text));
        if let Some((realm, service)) = challenges.iter().find_map(|it| bearer(it)) {
            let base = Url::parse(url).and_then(|base| base.join(&realm));
            let Ok(realm) = base else {
                return wrong(format!("{url} names {realm:?} for its tokens, which is no URL"));
            };
            if url.starts_with("https:") && realm.scheme() != "https" {
                return wrong(format!(
                    "{url} would have the password sent in the clear to {realm}"
                ));
            }
            let held = Mutex::default();
            return Ok(Self::Bearer(Tokens { realm, service, credentials, held }));
        }
        let is_basic = |it: &String| it.to_ascii_lowercase().starts_with("basic");
        match credentials {
            Some(credentials) if challenges.iter().any(is_basic) => Ok(Self::Basic(credentials)),
            None if challenges.iter().any(is_basic) => {
                wrong(format!("{url} asks for a name and a password"))
            }
            _ => wrong(format!("{url} asks for a login that is not known here: {challenges:?}")),
        }
    }

    /// Signs a request in; `scopes` are parted by a space.
    pub async fn sign(
        &self,
        http: &reqwest::Client,
        scopes: &str,
        request: RequestBuilder,
    ) -> Result<RequestBuilder, Trouble> {
        Ok(match self {
            Self::Open => request,
            Self::Basic((name, password)) => request.basic_auth(name, Some(password.as_str())),
            Self::Bearer(tokens) => request.bearer_auth(tokens.get(http, scopes).await?),
        })
    }

    /// Forgets a token that was refused; whether there was one to forget.
    pub fn forget(&self, scopes: &str) -> bool {
        let Self::Bearer(tokens) = self else { return false };
        tokens.held.lock().unwrap_or_else(PoisonError::into_inner).remove(scopes).is_some()
    }
}

impl Tokens {
    async fn get(&self, http: &reqwest::Client, scopes: &str) -> Result<String, Trouble> {
        {
            let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            let token = held.get(scopes).filter(|held| Instant::now() < held.renew_at);
            if let Some(held) = token {
                return Ok(held.token.clone());
            }
        }
        let (token, life) = self.fetch(http, scopes).await?;
        let renewed = Held { token: token.clone(), renew_at: Instant::now() + life / 5 * 4 };
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.len() >= TOKENS_MAX {
            held.clear();
        }
        held.insert(scopes.to_owned(), renewed);
        Ok(token)
    }

    async fn fetch(
        &self,
        http: &reqwest::Client,
        scopes: &str,
    ) -> Result<(String, Duration), Trouble> {
        let mut query = vec![("service", self.service.as_str())];
        query.extend(scopes.split(' ').filter(|it| !it.is_empty()).map(|it| ("scope", it)));
        let request = http.get(self.realm.clone()).query(&query);
        let request = match &self.credentials {
            Some((name, password)) => request.basic_auth(name, Some(password.as_str())),
            None => request,
        };
        let response = reading::head(self.realm.as_str(), request).await?;
        if !response.status().is_success() {
            let doing = match self.credentials {
                Some(_) => "signing in",
                None => "signing in as nobody",
            };
            return Err(Trouble::answer(doing, response).await);
        }
        let body = reading::whole(response, TOKEN_ANSWER_BYTES_MAX).await?;
        let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
        let token = answer["token"].as_str().or(answer["access_token"].as_str());
        let token = token
            .filter(|token| !token.is_empty())
            .ok_or_else(|| Trouble::lasting(format!("{} answers without a token", self.realm)))?;
        let life_s = answer["expires_in"].as_u64().unwrap_or(LIFE_DEFAULT_S);
        Ok((token.to_owned(), Duration::from_secs(life_s.min(86_400))))
    }
}

/// Reads `Bearer realm="…",service="…"`.
fn bearer(challenge: &str) -> Option<(String, String)> {
    let (scheme, parameters) = challenge.split_once(' ')?;
    let value = |name: &str| {
        let (_, rest) = parameters.split_once(&format!("{name}=\""))?;
        rest.split_once('"').map(|(value, _)| value.to_owned())
    };
    let realm = value("realm").filter(|_| scheme.eq_ignore_ascii_case("bearer"))?;
    Some((realm, value("service").unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

    #[test]
    fn the_challenge_decides_how_to_sign_in() {
        let bearer = r#"Bearer realm="https://h:1/auth/token",service="s""#;
        let place = r#"bearer realm="/auth/token",service="s""#;
        let clear = r#"Bearer realm="http://h:1/auth/token",service="s""#;
        let (basic, other) = (r#"Basic realm="s""#, "Negotiate");
        let cases = [
            (&[][..], false, "open"),
            (&[], true, "open"),
            (&[basic], true, "basic"),
            (&[basic], false, "asks for a name"),
            (&[basic, bearer], true, "bearer"),
            (&[place], false, "bearer"),
            (&[clear], true, "in the clear"),
            (&[other], true, "not known"),
        ];
        for (challenges, named, expected) in cases {
            let who = named.then(|| ("a".to_owned(), Zeroizing::new("b".to_owned())));
            let challenges: Vec<String> = challenges.iter().map(ToString::to_string).collect();
            let found = match Login::new("https://h", &challenges, who) {
                Ok(Login::Open) => "open".to_owned(),
                Ok(Login::Basic(_)) => "basic".to_owned(),
                Ok(Login::Bearer(_)) => "bearer".to_owned(),
                Err(trouble) => trouble.text,
            };
            assert!(found.contains(expected), "{challenges:?}: {found}");
        }
    }
}

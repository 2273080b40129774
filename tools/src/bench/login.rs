//! Logging in as the registry asks for it: not at all, by password, or with bearer tokens.
//!
//! A token is fetched once for each scope and renewed before it expires. Tokens for what a workload
//! touches are fetched before its clock starts.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use wire::client_tls::ClientTls;

use super::address::Address;
use super::failure::Failure;
use super::sink::{Sink, Take};
use super::wire_http::Connection;
use crate::client::Credentials;

/// Where a registry names no life of its tokens, they live for so long.
/// Source: distribution, "Token Authentication Specification".
const LIFE_DEFAULT_S: u64 = 60;
/// Registries close connections that are idle for longer.
const IDLE_MAX: Duration = Duration::from_secs(5);

/// How the registry knows who asks.
pub enum Login {
    /// It does not ask.
    Open,
    /// By name and password in every request.
    Basic(Arc<str>),
    /// By tokens.
    Bearer(Box<Tokens>),
}

/// Where tokens come from, and those at hand.
pub struct Tokens {
    address: Address,
    path: String,
    service: String,
    basic: Option<Arc<str>>,
    tls: ClientTls,
    held: Mutex<HashMap<Arc<str>, Held>>,
    /// Kept open between fetches, with when it was last of use; one fetch at a time.
    connection: tokio::sync::Mutex<Option<(Connection, Instant)>>,
}

#[derive(Clone)]
struct Held {
    header: Arc<str>,
    renew_at: Instant,
}

impl Login {
    /// Does as the challenges of `GET /v2/` say; without any the registry is open.
    pub fn new(
        challenges: &[String],
        credentials: Option<&Credentials>,
        tls: &ClientTls,
    ) -> Result<Self, Failure> {
        let basic = credentials.map(|(name, password)| {
            let pair = STANDARD.encode(format!("{name}:{}", password.as_str()));
            Arc::from(format!("Basic {pair}"))
        });
        if let Some(bearer) = challenges.iter().find_map(|it| Challenge::bearer(it)) {
            let (address, path) = Address::with_path(&bearer.realm)
                .map_err(|stop| Failure::answer(stop.text, None))?;
            return Ok(Self::Bearer(Box::new(Tokens {
                address,
                path,
                service: bearer.service,
                basic,
                tls: tls.clone(),
                held: Mutex::default(),
                connection: tokio::sync::Mutex::default(),
            })));
        }
        match basic {
            _ if challenges.is_empty() => Ok(Self::Open),
            Some(basic) => Ok(Self::Basic(basic)),
            None => Err(Failure::answer("the registry asks for a password", Some(401))),
        }
    }

    /// The value of `Authorization` for a request in `scope`; `None` where none is needed. An empty
    /// scope stands for the account itself, as tokens are asked for.
    pub async fn authorization(&self, scope: &Arc<str>) -> Result<Option<Arc<str>>, Failure> {
        match self {
            Self::Bearer(tokens) if scope.is_empty() => Ok(tokens.basic.clone()),
            Self::Open => Ok(None),
            Self::Basic(basic) => Ok(Some(basic.clone())),
            Self::Bearer(tokens) => tokens.header(scope).await.map(Some),
        }
    }

    /// In a word, for the report.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Open => "none",
            Self::Basic(_) => "basic",
            Self::Bearer(tokens) if tokens.basic.is_some() => "bearer",
            Self::Bearer(_) => "bearer, anonymous",
        }
    }
}

impl Tokens {
    async fn header(&self, scope: &Arc<str>) -> Result<Arc<str>, Failure> {
        if let Some(header) = self.at_hand(scope) {
            return Ok(header);
        }
        let mut connection = self.connection.lock().await;
        // Another worker may have fetched it while this one waited.
        if let Some(header) = self.at_hand(scope) {
            return Ok(header);
        }
        let (token, life) = self.fetch(&mut connection, scope).await?;
        let header: Arc<str> = format!("Bearer {token}").into();
        let held = Held { header: header.clone(), renew_at: Instant::now() + life / 5 * 4 };
        let mut all = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(scope.clone(), held);
        Ok(header)
    }

    fn at_hand(&self, scope: &Arc<str>) -> Option<Arc<str>> {
        let all = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let held = all.get(scope)?;
        (Instant::now() < held.renew_at).then(|| held.header.clone())
    }

    async fn fetch(
        &self,
        kept: &mut Option<(Connection, Instant)>,
        scope: &str,
    ) -> Result<(String, Duration), Failure> {
        let broke = |error| Failure::connection(&self.address, &error);
        let fresh = kept.take().filter(|(_, used)| used.elapsed() < IDLE_MAX);
        let mut connection = match fresh {
            Some((connection, _)) => connection,
            None => Connection::open(&self.address, &self.tls).await.map_err(broke)?,
        };
        let head = self.request(scope);
        connection.send(head.as_bytes(), std::iter::empty()).await.map_err(broke)?;
        let answer = connection.head(false).await.map_err(broke)?;
        let mut sink = Sink::new(Take::Keep);
        connection.body(answer.framing, &mut sink).await.map_err(broke)?;
        if answer.status != 200 {
            return Err(self.refused(answer.status));
        }
        if !answer.closes {
            *kept = Some((connection, Instant::now()));
        }
        let body: Value = serde_json::from_slice(sink.kept()).unwrap_or_default();
        let token = body["token"].as_str().or(body["access_token"].as_str());
        let life_s = body["expires_in"].as_u64().unwrap_or(LIFE_DEFAULT_S);
        let token = token.ok_or_else(|| {
            let text = format!("{}{} answers without a token", self.address.url(), self.path);
            Failure::answer(text, None)
        })?;
        Ok((token.to_owned(), Duration::from_secs(life_s)))
    }

    fn refused(&self, status: u16) -> Failure {
        let place = format!("{}{}", self.address.url(), self.path);
        if status == 401 && self.basic.is_some() {
            let text = "refuses the credentials: check --username and --password-file";
            return Failure::answer(format!("{place} {text}"), None);
        }
        Failure::answer(format!("{place} gave no token: it answered {status}"), Some(status))
    }

    /// Path and query of a request for a token.
    pub fn path_for(&self, scope: &str) -> String {
        format!("{}?service={}&scope={scope}", self.path, self.service)
    }

    /// The head of a request for a token.
    fn request(&self, scope: &str) -> String {
        let path = self.path_for(scope);
        let mut head = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n", self.address.authority);
        if let Some(basic) = &self.basic {
            head.push_str(&format!("Authorization: {basic}\r\n"));
        }
        head.push_str("\r\n");
        head
    }
}

/// A bearer challenge: where tokens are given out, and for which service.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Challenge {
    realm: String,
    service: String,
}

impl Challenge {
    /// Reads `Bearer realm="…",service="…"`.
    fn bearer(text: &str) -> Option<Self> {
        let (scheme, parameters) = text.split_once(' ')?;
        let value = |name: &str| {
            let (_, rest) = parameters.split_once(&format!("{name}=\""))?;
            rest.split_once('"').map(|(value, _)| value.to_owned())
        };
        let realm = value("realm").filter(|_| scheme.eq_ignore_ascii_case("bearer"))?;
        Some(Self { realm, service: value("service").unwrap_or_default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::client_tls::Trust;
    use zeroize::Zeroizing;

    #[test]
    fn the_challenge_decides_how_to_log_in() {
        wire::provider::install();
        let tls = ClientTls::new(&Trust::None).unwrap();
        let bearer = r#"Bearer realm="http://h:1/auth/token",service="s""#;
        let basic = r#"Basic realm="s""#;
        let someone = ("a".to_owned(), Zeroizing::new("b".to_owned()));
        let cases = [
            (&[][..], None, Some("none")),
            (&[], Some(&someone), Some("none")),
            (&[basic], Some(&someone), Some("basic")),
            (&[basic], None, None),
            (&[basic, bearer], Some(&someone), Some("bearer")),
            (&[bearer], None, Some("bearer, anonymous")),
        ];
        for (challenges, credentials, expected) in cases {
            let challenges: Vec<String> = challenges.iter().map(ToString::to_string).collect();
            let login = Login::new(&challenges, credentials, &tls);
            assert_eq!(login.ok().map(|it| it.name()), expected, "{challenges:?}");
        }
    }

    #[test]
    fn a_token_is_asked_for_by_service_and_scope() {
        wire::provider::install();
        let tls = ClientTls::new(&Trust::None).unwrap();
        let challenge = r#"Bearer realm="http://h:1/auth/token",service="s",scope="x""#.to_owned();
        let Ok(Login::Bearer(tokens)) = Login::new(&[challenge], None, &tls) else { panic!() };
        assert_eq!(
            tokens.request("repository:a/b:pull"),
            "GET /auth/token?service=s&scope=repository:a/b:pull HTTP/1.1\r\nHost: h:1\r\n\r\n"
        );
    }
}

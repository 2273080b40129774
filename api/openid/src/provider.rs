//! One provider, made ready: its client, and what it said of itself and of its keys, for a while.

use std::sync::Arc;
use std::time::Instant;

use consensus::cluster::Cluster;
use metadata::openid::{CLIENT_SECRET, OpenIdRow};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::StatusCode;
use serde_json::{Map, Value};
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use crate::discovery::{self, Endpoints};
use crate::failure::OpenIdFailure;
use crate::http::{self, Http};
use crate::id_token::{self, Expected, TokenFault};
use crate::keys::{self, Key};

/// What the provider says of itself counts for so long.
const FRESH_MS: u64 = 3_600 * 1_000;
/// Keys are asked for again where a token names another, at most this often.
const KEYS_AGAIN_MS: u64 = 5 * 1_000;
/// After the provider did not answer, nobody waits for it for so long.
const REST_MS: u64 = 3_000;

/// In a user's name and password of HTTP all but these are escaped: RFC 6749, 2.3.1.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A provider that can be asked.
pub(crate) struct Provider {
    pub(crate) row: OpenIdRow,
    secret: Zeroizing<String>,
    http: Http,
    known: Mutex<Known>,
}

/// What it said, each with when that was, by this replica's monotonic clock.
#[derive(Default)]
struct Known {
    endpoints: Option<(u64, Arc<Endpoints>)>,
    keys: Option<(u64, Arc<Vec<Key>>)>,
    failed: Option<(u64, OpenIdFailure)>,
}

impl Known {
    /// Asks, unless the provider failed a moment ago. Whoever waited for their turn meanwhile has
    /// an older `now_ms` than the end of that question, and so does not wait for another.
    async fn ask<T>(
        &mut self,
        now_ms: u64,
        question: impl Future<Output = Result<T, OpenIdFailure>>,
    ) -> Result<T, OpenIdFailure> {
        if let Some((since_ms, failure)) = &self.failed
            && now_ms < since_ms + REST_MS
        {
            return Err(failure.clone());
        }
        let begun = Instant::now();
        let answered = question.await;
        let taken_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let ended_ms = now_ms.saturating_add(taken_ms);
        self.failed = answered.as_ref().err().map(|failure| (ended_ms, failure.clone()));
        answered
    }
}

/// What the provider hands out for a code.
pub(crate) struct Handed {
    id_token: String,
    access_token: Zeroizing<String>,
}

impl Provider {
    /// Prepares what is kept.
    pub(crate) fn of_row(cluster: &Cluster, row: &OpenIdRow) -> Result<Self, OpenIdFailure> {
        let sealed = &row.sealed_client_secret;
        let secret = if sealed.is_empty() {
            Zeroizing::default()
        } else {
            let opened = cluster.open_sealed(CLIENT_SECRET, sealed).map_err(|error| {
                let text = format!("clientSecret cannot be unsealed ({error}); set it again");
                OpenIdFailure::Settings(text)
            })?;
            Zeroizing::new(String::from_utf8_lossy(&opened).into_owned())
        };
        Self::new(row, secret).map_err(OpenIdFailure::Settings)
    }

    /// Prepares settings with the client's secret.
    ///
    /// # Errors
    ///
    /// In words: which setting does not do.
    pub(crate) fn new(row: &OpenIdRow, secret: Zeroizing<String>) -> Result<Self, String> {
        discovery::document_of(&row.issuer)?;
        let http = Http::new(&row.root_certs)?;
        Ok(Self { row: row.clone(), secret, http, known: Mutex::default() })
    }

    /// Where it is reached for what.
    pub(crate) async fn endpoints(&self, now_ms: u64) -> Result<Arc<Endpoints>, OpenIdFailure> {
        let mut known = self.known.lock().await;
        if let Some((since_ms, endpoints)) = &known.endpoints
            && now_ms < since_ms + FRESH_MS
        {
            return Ok(Arc::clone(endpoints));
        }
        let endpoints = Arc::new(known.ask(now_ms, self.discover()).await?);
        known.endpoints = Some((now_ms, Arc::clone(&endpoints)));
        Ok(endpoints)
    }

    async fn discover(&self) -> Result<Endpoints, OpenIdFailure> {
        const WHAT: &str = "document (/.well-known/openid-configuration)";
        let issuer = &self.row.issuer;
        let url = discovery::document_of(issuer).map_err(OpenIdFailure::Settings)?;
        let document = http::good_document(WHAT, self.http.get(&url)).await?;
        discovery::parse(issuer, &document).map_err(|cause| OpenIdFailure::answer(WHAT, cause))
    }

    /// Its keys; those of before where they are younger than `age_max_ms`.
    async fn keys(&self, now_ms: u64, age_max_ms: u64) -> Result<Arc<Vec<Key>>, OpenIdFailure> {
        const WHAT: &str = "list of keys (jwks_uri)";
        let endpoints = self.endpoints(now_ms).await?;
        let mut known = self.known.lock().await;
        if let Some((since_ms, keys)) = &known.keys
            && now_ms < since_ms + age_max_ms
        {
            return Ok(Arc::clone(keys));
        }
        let fetched = async {
            let document = http::good_document(WHAT, self.http.get(&endpoints.keys)).await?;
            keys::parse(&document).map_err(|cause| OpenIdFailure::answer(WHAT, cause))
        };
        let keys = Arc::new(known.ask(now_ms, fetched).await?);
        known.keys = Some((now_ms, Arc::clone(&keys)));
        Ok(keys)
    }

    /// Whether it is there and is what the settings say.
    pub(crate) async fn probe(&self) -> Result<(), OpenIdFailure> {
        self.keys(0, FRESH_MS).await.map(drop)
    }
}

/// What is asked while somebody signs in.
impl Provider {
    /// Fetches the tokens for a code.
    pub(crate) async fn exchange(
        &self,
        endpoints: &Endpoints,
        (code, verifier, redirect_uri): (&str, &str, &str),
    ) -> Result<Handed, OpenIdFailure> {
        const WHAT: &str = "token_endpoint";
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect_uri),
            ("code_verifier", verifier),
        ];
        let mut request = self.http.post(&endpoints.token);
        let client_id = self.row.client_id.as_str();
        if self.secret.is_empty() {
            form.push(("client_id", client_id));
        } else if endpoints.takes_secret_in_form {
            form.extend([("client_id", client_id), ("client_secret", &self.secret)]);
        } else {
            let escaped = |text: &str| utf8_percent_encode(text, ESCAPED).to_string();
            request = request.basic_auth(escaped(client_id), Some(escaped(&self.secret)));
        }
        let (status, document) = http::document(WHAT, request.form(&form)).await?;
        if status != StatusCode::OK {
            return Err(refused(&document));
        }
        let text = |name: &str| document[name].as_str().map(str::to_owned);
        let id_token = text("id_token");
        let lacks = || OpenIdFailure::answer(WHAT, "it answers without an id_token");
        let access_token = Zeroizing::new(text("access_token").unwrap_or_default());
        Ok(Handed { id_token: id_token.ok_or_else(lacks)?, access_token })
    }

    /// What the token says, once it is verified; where it names a key that is not known, the keys
    /// are asked for once more.
    pub(crate) async fn verify(
        &self,
        handed: &Handed,
        expected: &Expected<'_>,
        now_ms: u64,
    ) -> Result<Map<String, Value>, OpenIdFailure> {
        let keys = self.keys(now_ms, FRESH_MS).await?;
        match id_token::verify(&handed.id_token, &keys, expected) {
            Err(TokenFault::UnknownKey) => {
                let keys = self.keys(now_ms, KEYS_AGAIN_MS).await?;
                Ok(id_token::verify(&handed.id_token, &keys, expected)?)
            }
            verified => Ok(verified?),
        }
    }

    /// Adds what the provider tells only where it is asked for it. What the token says counts.
    pub(crate) async fn add_userinfo(
        &self,
        endpoints: &Endpoints,
        handed: &Handed,
        claims: &mut Map<String, Value>,
    ) -> Result<(), OpenIdFailure> {
        const WHAT: &str = "userinfo_endpoint";
        let Some(url) = endpoints.userinfo.as_ref().filter(|_| !handed.access_token.is_empty())
        else {
            return Ok(());
        };
        let request = self.http.get(url).bearer_auth(handed.access_token.as_str());
        let document = http::good_document(WHAT, request).await?;
        let Value::Object(told) = document else {
            return Err(OpenIdFailure::answer(WHAT, "it answers no JSON object"));
        };
        // Source: OpenID Connect Core 1.0, 5.3.2.
        if told.get("sub") != claims.get("sub") {
            return Err(OpenIdFailure::answer(WHAT, "it answers for somebody else (sub)"));
        }
        for (name, value) in told {
            claims.entry(name).or_insert(value);
        }
        Ok(())
    }
}

/// A token endpoint's error, as RFC 6749, 5.2 writes it.
fn refused(document: &Value) -> OpenIdFailure {
    let word = |name: &str| {
        let text = document[name].as_str().unwrap_or_default();
        text.chars().filter(|letter| !letter.is_control()).take(200).collect::<String>()
    };
    let (error, description) = (word("error"), word("error_description"));
    match error.as_str() {
        // The code was used already, or is too old, or is not for us.
        "invalid_grant" => OpenIdFailure::Stale,
        "invalid_client" | "unauthorized_client" => OpenIdFailure::Settings(format!(
            "the OpenID provider does not take clientID and clientSecret ({error}: {description})"
        )),
        _ => OpenIdFailure::answer("token_endpoint", format!("{error}: {description}")),
    }
}

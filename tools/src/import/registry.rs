//! A registry at either end, asked over its protocol: signed in, repeated where that may help.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, redirect};
use wire::client_tls::{ClientTls, Trust};

use super::reading;
use super::token::Login;
use super::trouble::{Patience, Trouble};
use crate::client::Credentials;
use crate::exit::Stop;

const CONNECT_MAX: Duration = Duration::from_secs(10);
const REDIRECTS_MAX: usize = 5;

/// Which end it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Where content comes from. It may send a client elsewhere for the bytes of a blob.
    Source,
    /// Where it goes. It answers itself; a redirect would carry a password elsewhere.
    Destination,
}

/// Whom to talk to, as whom.
pub struct Address {
    /// `https://HOST[:PORT]` or `http://HOST[:PORT]`.
    pub url: String,
    /// Whose word counts for its certificate.
    pub trust: Trust,
    /// Name and password, where there are any.
    pub credentials: Option<Credentials>,
}

/// A registry; a clone shares connections and tokens.
#[derive(Clone)]
pub struct Registry {
    inner: Arc<Inner>,
}

struct Inner {
    http: Client,
    url: String,
    login: Login,
    /// Whether it was found not to know the referrers API.
    lacks_referrers: AtomicBool,
}

impl Registry {
    /// Asks `/v2/` how to sign in.
    ///
    /// # Errors
    ///
    /// Exit 4 where nobody is reached; nobody there speaks the registry protocol; the login is
    /// refused.
    pub async fn connect(end: End, address: Address) -> Result<Self, Stop> {
        let http = http(end, &address.trust)?;
        let url = address.url.trim_end_matches('/').to_owned();
        let ping = format!("{url}/v2/");
        // Whoever mistyped an address shall hear of it at once.
        let response = reading::head(&url, http.get(&ping)).await.map_err(Trouble::into_stop)?;
        let status = response.status();
        let challenges = match status {
            StatusCode::UNAUTHORIZED => {
                let all = response.headers().get_all("www-authenticate").iter();
                all.filter_map(|it| it.to_str().ok()).map(str::to_owned).collect()
            }
            _ => Vec::new(),
        };
        if !status.is_success() && challenges.is_empty() {
            return Err(Stop::failed(format!("{url} is no registry: GET /v2/ answered {status}")));
        }
        let has_login = address.credentials.is_some();
        let login = Login::new(&url, &challenges, address.credentials);
        let login = login.map_err(|trouble| refused(end, trouble))?;
        let inner = Inner { http, url, login, lacks_referrers: AtomicBool::new(false) };
        let registry = Self { inner: Arc::new(inner) };
        if has_login {
            // A wrong password is told before anything is begun.
            let asked = registry.ask("signing in", Method::GET, ("/v2/", "")).await;
            asked.map_err(|trouble| refused(end, trouble))?;
        }
        Ok(registry)
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.inner.url
    }

    /// Whether the referrers API is worth a question.
    pub fn may_have_referrers(&self) -> bool {
        !self.inner.lacks_referrers.load(Ordering::Relaxed)
    }

    /// The referrers API was not there.
    pub fn lacks_referrers(&self) {
        self.inner.lacks_referrers.store(true, Ordering::Relaxed);
    }

    /// Begins a request.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.inner.http.request(method, format!("{}{path}", self.inner.url))
    }

    /// Signs a request in for these scopes, without sending it.
    pub async fn signed(
        &self,
        scopes: &str,
        request: RequestBuilder,
    ) -> Result<RequestBuilder, Trouble> {
        self.inner.login.sign(&self.inner.http, scopes, request).await
    }

    /// Forgets a token that was refused; whether there was one to forget.
    pub fn forget_token(&self, scopes: &str) -> bool {
        self.inner.login.forget(scopes)
    }
}

/// Asking, again and again where that may help.
impl Registry {
    /// One attempt of a request whose body is small: an answer of any status but those that say
    /// that another attempt may go well.
    pub async fn attempt(
        &self,
        doing: &str,
        scopes: &str,
        request: &(dyn Fn() -> RequestBuilder + Sync),
    ) -> Result<Response, Trouble> {
        let mut may_renew = true;
        loop {
            let signed = self.signed(scopes, request()).await?;
            let response = reading::head(self.url(), signed).await?;
            match response.status() {
                // A token may have been revoked, or the server have lost what it was signed with.
                StatusCode::UNAUTHORIZED if may_renew && self.forget_token(scopes) => {
                    may_renew = false;
                }
                status if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() => {
                    return Err(Trouble::answer(doing, response).await);
                }
                _ => return Ok(response),
            }
        }
    }

    /// The same, with as many attempts as are sensible.
    pub async fn send(
        &self,
        doing: &str,
        scopes: &str,
        request: &(dyn Fn() -> RequestBuilder + Sync),
    ) -> Result<Response, Trouble> {
        let mut patience = Patience::new();
        loop {
            match self.attempt(doing, scopes, request).await {
                Ok(response) => return Ok(response),
                Err(trouble) => patience.wait(trouble).await?,
            }
        }
    }

    /// Asks for something that is there or is a failure; `what` is a path and the scopes for it.
    pub async fn ask(
        &self,
        doing: &str,
        method: Method,
        (path, scopes): (&str, &str),
    ) -> Result<Response, Trouble> {
        let request = || self.request(method.clone(), path);
        let response = self.send(doing, scopes, &request).await?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(Trouble::answer(doing, response).await)
    }
}

/// What a token must allow for reading a repository.
pub fn pull(repository: &str) -> String {
    format!("repository:{repository}:pull")
}

/// What a token must allow for writing one.
pub fn push(repository: &str) -> String {
    format!("repository:{repository}:pull,push")
}

fn http(end: End, trust: &Trust) -> Result<Client, Stop> {
    let tls = ClientTls::new(trust)
        .map_err(|error| Stop::usage(format!("the certificate authority is unusable: {error}")))?;
    let redirects = match end {
        End::Destination => redirect::Policy::none(),
        End::Source => redirect::Policy::custom(|attempt| {
            let from_tls = attempt.previous().iter().any(|url| url.scheme() == "https");
            if attempt.previous().len() > REDIRECTS_MAX {
                attempt.error("it sends from one place to the next without end")
            } else if from_tls && attempt.url().scheme() != "https" {
                attempt.error("it sends from https to an address without TLS")
            } else {
                attempt.follow()
            }
        }),
    };
    Client::builder()
        .use_preconfigured_tls(tls.for_reqwest())
        .connect_timeout(CONNECT_MAX)
        .redirect(redirects)
        .no_proxy()
        .user_agent(concat!("holdfast/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| Stop::failed(format!("the HTTP client cannot be made: {error}")))
}

/// A login that does not work, with the flags that mend it.
fn refused(end: End, trouble: Trouble) -> Stop {
    let stop = trouble.into_stop();
    let flags = match end {
        End::Source => "--from-username and --from-password-file",
        End::Destination => "--username and --password-file",
    };
    if stop.exit == crate::exit::Exit::Unreachable {
        return stop;
    }
    Stop::new(stop.exit, format!("{}; check {flags}", stop.text))
}

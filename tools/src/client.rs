//! The HTTP client of the remote verbs.

use std::time::Duration;

use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;
use wire::client_tls::{ClientTls, Trust};
use zeroize::Zeroizing;

use crate::exit::{Exit, Stop};

/// How long a connection may take to open, and a whole request without a large body.
const CONNECT_MAX: Duration = Duration::from_secs(5);
const REQUEST_MAX: Duration = Duration::from_secs(30);

/// Where a list goes on.
const NEXT: &str = "x-next-page-start";

/// A name and its password.
pub type Credentials = (String, Zeroizing<String>);

/// Talks to one cluster as one account.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    url: String,
    credentials: Option<Credentials>,
}

impl Client {
    /// A client of the replica or balancer at `url`.
    pub fn new(url: &str, trust: &Trust, credentials: Option<Credentials>) -> Result<Self, Stop> {
        let has_scheme = url.starts_with("https://") || url.starts_with("http://");
        if !has_scheme {
            return Err(Stop::usage(format!(
                "--url is {url:?}: write https://host or https://host:port"
            )));
        }
        let tls = ClientTls::new(trust).map_err(|error| {
            Stop::usage(format!("the certificate authority is unusable: {error}"))
        })?;
        let http = reqwest::Client::builder()
            .use_preconfigured_tls(tls.for_reqwest())
            .connect_timeout(CONNECT_MAX)
            .timeout(REQUEST_MAX)
            // A replica answers itself; a redirect would carry the password elsewhere.
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .user_agent(concat!("holdfast/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| Stop::failed(format!("the HTTP client cannot be made: {error}")))?;
        Ok(Self { http, url: url.trim_end_matches('/').to_owned(), credentials })
    }

    /// The same, towards another replica.
    #[must_use]
    pub fn at(&self, url: &str) -> Self {
        Self { url: url.trim_end_matches('/').to_owned(), ..self.clone() }
    }

    /// As whom, where it is not nobody.
    pub fn credentials(&self) -> Option<&Credentials> {
        self.credentials.as_ref()
    }

    /// Whom it talks to.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Begins a request with the account's password, where there is one.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.bare(method, path);
        match &self.credentials {
            Some((name, password)) => request.basic_auth(name, Some(password.as_str())),
            None => request,
        }
    }

    /// Begins a request without credentials.
    pub fn bare(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }
}

/// Sending, and what comes back.
impl Client {
    /// Sends a request; an answer of any status is returned.
    ///
    /// # Errors
    ///
    /// Exit 4 and a sentence where nobody answers.
    pub async fn send(&self, request: RequestBuilder) -> Result<Response, Stop> {
        request.send().await.map_err(|error| self.unreachable(&error))
    }

    /// Sends a request and reads the JSON of a successful answer.
    pub async fn json(&self, request: RequestBuilder) -> Result<Value, Stop> {
        self.page(request).await.map(|(value, _)| value)
    }

    /// The same, and where the list goes on that the answer is a part of.
    pub async fn page(&self, request: RequestBuilder) -> Result<(Value, Option<String>), Stop> {
        let response = self.send(request).await?;
        if !response.status().is_success() {
            return Err(self.refused(response).await);
        }
        let next = response.headers().get(NEXT).and_then(|next| next.to_str().ok());
        let next = next.filter(|next| !next.is_empty()).map(str::to_owned);
        let body = response.bytes().await.map_err(|error| self.unreachable(&error))?;
        if body.is_empty() {
            return Ok((Value::Null, next));
        }
        let value = serde_json::from_slice(&body).map_err(|error| {
            Stop::failed(format!("{} does not answer as a Holdfast replica: {error}", self.url))
        })?;
        Ok((value, next))
    }

    /// Turns an answer that is not a success into words.
    pub async fn refused(&self, response: Response) -> Stop {
        let status = response.status();
        let body = response.bytes().await.unwrap_or_default();
        let said = said(&body);
        let text = match status {
            StatusCode::UNAUTHORIZED => format!(
                "{} refuses the credentials: check --username and --password-file{said}",
                self.url
            ),
            StatusCode::FORBIDDEN => format!("the account may not do this{said}"),
            StatusCode::SERVICE_UNAVAILABLE => {
                format!("{} cannot answer just now{said}; try again in a few seconds", self.url)
            }
            status => format!("{} answered {status}{said}", self.url),
        };
        let exit = match status {
            StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED => Exit::Refused,
            StatusCode::SERVICE_UNAVAILABLE => Exit::Unreachable,
            _ => Exit::Failed,
        };
        Stop::new(exit, text)
    }

    fn unreachable(&self, error: &reqwest::Error) -> Stop {
        // The innermost cause says what the system or the handshake said.
        let mut cause: &dyn std::error::Error = error;
        while let Some(inner) = cause.source() {
            cause = inner;
        }
        let cause = cause.to_string();
        let advice = if cause.contains("UnknownIssuer") || cause.contains("certificate") {
            "; give the cluster's authority by --ca (it is at /ca of every replica)"
        } else {
            "; is the replica running, and is the port right?"
        };
        Stop::unreachable(format!("cannot reach {}: {cause}{advice}", self.url))
    }
}

/// The codes and messages of an error body, after a colon; empty where there are none.
pub(crate) fn said(body: &[u8]) -> String {
    let Ok(value) = serde_json::from_slice::<Value>(body) else { return String::new() };
    let messages: Vec<String> = value["errors"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|error| {
            let part = |key: &str| error[key].as_str().filter(|text| !text.is_empty());
            let detail = part("detail").map(|detail| format!(" ({detail})")).unwrap_or_default();
            match (part("code"), part("message")) {
                (Some(code), Some(message)) => Some(format!("{code}: {message}{detail}")),
                (said, other) => Some(format!("{}{detail}", said.or(other)?)),
            }
        })
        .collect();
    if messages.is_empty() { String::new() } else { format!(": {}", messages.join("; ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_body_is_read_out() {
        let cases: [(&[u8], &str); 4] = [
            (br#"{"errors":[{"code":"DENIED","message":"no"}]}"#, ": DENIED: no"),
            (br#"{"errors":[{"message":"a","detail":"b"},{"message":"c"}]}"#, ": a (b); c"),
            (b"<html>", ""),
            (br#"{"errors":[{"code":"X","message":""}]}"#, ": X"),
        ];
        for (body, expected) in cases {
            assert_eq!(said(body), expected);
        }
    }

    #[tokio::test]
    async fn nobody_there_is_exit_four_with_the_address() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        drop(listener);
        let client = Client::new(&url, &Trust::None, None).unwrap();
        let stop = client.json(client.bare(Method::GET, "/_ping")).await.unwrap_err();
        assert_eq!(stop.exit, Exit::Unreachable);
        assert!(stop.text.contains(&url), "{stop}");
    }

    #[test]
    fn an_address_without_a_scheme_is_a_usage_error() {
        let stop = Client::new("127.0.0.1:7001", &Trust::None, None).err().unwrap();
        assert_eq!(stop.exit, Exit::Usage);
    }
}

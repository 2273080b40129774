//! Asking the provider: no redirects, no proxies, bounds on time and on what is read.

use std::time::Duration;

use reqwest::{RequestBuilder, StatusCode, Url};
use serde_json::Value;
use wire::client_tls::{ClientTls, Trust};

use crate::failure::OpenIdFailure;

/// Until there is a connection.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// Until an answer has been read to its end.
const REQUEST_MAX: Duration = Duration::from_secs(10);
/// Bytes of an answer.
const ANSWER_BYTES_MAX: usize = 512 * 1024;

/// A client of the provider.
pub(crate) struct Http {
    client: reqwest::Client,
}

impl Http {
    /// One that trusts these authorities, as PEM; those of the machine where the text is empty.
    ///
    /// # Errors
    ///
    /// In words: the authorities do not read.
    pub(crate) fn new(root_certs: &str) -> Result<Self, String> {
        let trust = if root_certs.trim().is_empty() {
            Trust::System
        } else {
            Trust::Pinned(root_certs.to_owned())
        };
        let tls = ClientTls::new(&trust);
        let tls = tls.map_err(|error| format!("rootCerts cannot be used: {error}"))?;
        let client = reqwest::Client::builder()
            .use_preconfigured_tls(tls.for_reqwest())
            .connect_timeout(CONNECT_MAX)
            .timeout(REQUEST_MAX)
            // Where the document and the tokens come from is what they are believed by.
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .user_agent(concat!("holdfast/", env!("CARGO_PKG_VERSION")))
            .build();
        let client = client.map_err(|error| format!("no HTTP client can be made: {error}"))?;
        Ok(Self { client })
    }

    pub(crate) fn get(&self, url: &Url) -> RequestBuilder {
        self.client.get(url.clone())
    }

    pub(crate) fn post(&self, url: &Url) -> RequestBuilder {
        self.client.post(url.clone())
    }
}

/// Sends a request and reads the JSON document that answers it.
pub(crate) async fn document(
    what: &'static str,
    request: RequestBuilder,
) -> Result<(StatusCode, Value), OpenIdFailure> {
    let request = request.header("accept", "application/json");
    let mut response = request.send().await.map_err(|error| unreachable(&error))?;
    let status = response.status();
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(|error| unreachable(&error))? {
        if body.len() + piece.len() > ANSWER_BYTES_MAX {
            return Err(OpenIdFailure::answer(what, "it has more than 512 KiB"));
        }
        body.extend_from_slice(&piece);
    }
    if status.is_redirection() {
        return Err(OpenIdFailure::answer(what, "it is elsewhere, and redirects are not followed"));
    }
    let no_json = || {
        let cause = format!("it is answered by {status} and no JSON");
        OpenIdFailure::Answer { what, cause }
    };
    Ok((status, serde_json::from_slice(&body).map_err(|_| no_json())?))
}

/// The same where anything but 200 is no answer.
pub(crate) async fn good_document(
    what: &'static str,
    request: RequestBuilder,
) -> Result<Value, OpenIdFailure> {
    match document(what, request).await? {
        (StatusCode::OK, document) => Ok(document),
        (status, _) => {
            Err(OpenIdFailure::Answer { what, cause: format!("it is answered by {status}") })
        }
    }
}

/// The innermost cause says most. The address is told without its path: nothing secret stands
/// there, but it is long.
fn unreachable(error: &reqwest::Error) -> OpenIdFailure {
    let address = error.url().map(|url| url.origin().ascii_serialization()).unwrap_or_default();
    if error.is_timeout() {
        let cause = format!("it did not answer within {} s", REQUEST_MAX.as_secs());
        return OpenIdFailure::Unreachable { address, cause };
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    let cause: String = cause.to_string().chars().take(300).collect();
    OpenIdFailure::Unreachable { address, cause }
}

//! The names that client and service agree on: paths, headers, the form of an answer.

use std::str::FromStr;
use std::time::Duration;

use http::HeaderMap;
use oci::digest::Algorithm;
use percent_encoding::{
    NON_ALPHANUMERIC, percent_decode, percent_decode_str, percent_encode, utf8_percent_encode,
};
use serde::{Deserialize, Serialize};

use crate::failure::TransferFailure;

/// Where a staged upload stands, in bytes: sent with a piece and with every answer about one.
pub(crate) const OFFSET: &str = "holdfast-offset";
/// The repository of a forwarded request, percent-encoded.
pub(crate) const REPOSITORY: &str = "holdfast-repository";
/// The account of a forwarded request, percent-encoded.
pub(crate) const ACCOUNT: &str = "holdfast-account";
/// What the account of a forwarded request showed, bytes percent-encoded.
pub(crate) const VOUCHER: &str = "holdfast-voucher";
/// By which request a forwarded one comes, bytes percent-encoded.
pub(crate) const ORIGIN: &str = "holdfast-origin";

/// Staged uploads: `<STAGED>/<id>`.
pub(crate) const STAGED: &str = "/transfer/v1/staged/";
/// Blobs: `<BLOBS>/<digest>`, and `/pull` or `/receipt` behind it.
pub(crate) const BLOBS: &str = "/transfer/v1/blobs/";
/// Uploads that the asked replica owns: `<OWNED>/<id>`.
pub(crate) const OWNED: &str = "/transfer/v1/owned/";

/// Small things that go in one request: see [`crate::parcels`].
pub(crate) const TOGETHER: &str = "/transfer/v1/together";

/// An answer that takes long shows a sign of life this often.
pub(crate) const SIGN_OF_LIFE: Duration = Duration::from_secs(5);
/// An answer that is not a blob is never longer.
pub(crate) const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// A blob that is sent whole is kept at one stroke up to this size; a larger one is written as it
/// comes.
pub const WHOLE_BYTES_MAX: usize = 256 * 1024;

/// The body of every answer that is not a blob's bytes, as JSON; blanks may precede it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome<T, F> {
    /// It was done.
    Done(T),
    /// It was not done.
    Failed(F),
}

impl<T, F> From<Result<T, F>> for Outcome<T, F> {
    fn from(result: Result<T, F>) -> Self {
        match result {
            Ok(done) => Self::Done(done),
            Err(failed) => Self::Failed(failed),
        }
    }
}

impl<T, F> From<Outcome<T, F>> for Result<T, F> {
    fn from(outcome: Outcome<T, F>) -> Self {
        match outcome {
            Outcome::Done(done) => Ok(done),
            Outcome::Failed(failed) => Err(failed),
        }
    }
}

/// Algorithms as the value of a query.
pub(crate) fn algorithm_names(algorithms: &[Algorithm]) -> String {
    let names: Vec<&str> = algorithms.iter().map(|algorithm| algorithm.name()).collect();
    names.join(",")
}

/// A text as a header's value.
pub(crate) fn escaped(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// The text of a header that [`escaped`] wrote.
pub(crate) fn text_header(headers: &HeaderMap, name: &str) -> Result<String, TransferFailure> {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    let text = value.and_then(|value| percent_decode_str(value).decode_utf8().ok());
    text.map(Into::into)
        .ok_or_else(|| TransferFailure::Malformed { text: format!("header {name} is missing") })
}

/// Bytes as they stand in a header.
pub(crate) fn escaped_bytes(bytes: &[u8]) -> String {
    percent_encode(bytes, NON_ALPHANUMERIC).to_string()
}

/// The bytes of a header that [`escaped_bytes`] wrote; none where there is no such header.
pub(crate) fn bytes_header(headers: &HeaderMap, name: &str) -> Vec<u8> {
    let value = headers.get(name).map(http::HeaderValue::as_bytes).unwrap_or_default();
    percent_decode(value).collect()
}

/// A number in a header; `None` where the header is missing.
pub(crate) fn number_header<T: FromStr>(
    headers: &HeaderMap,
    name: &str,
) -> Result<Option<T>, TransferFailure> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    let number = value.to_str().ok().and_then(|text| text.parse().ok());
    number
        .map(Some)
        .ok_or_else(|| TransferFailure::Malformed { text: format!("header {name} is no number") })
}

/// The value of `key` in a query; values of this protocol need no escaping.
pub(crate) fn query_value<'a>(query: &'a str, key: &str) -> Option<&'a str> {
    query.split('&').find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='))
}

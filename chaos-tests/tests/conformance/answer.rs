//! An answer of the registry, and the questions that a case asks of it.
//!
//! Each question gives back a sentence where the answer is not what a rule wants: the request, the
//! status and the body stand in it, since that is all that a person has to go by.

use bytes::Bytes;
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde_json::Value;

/// What was seen: as a rule wants it, or a sentence on what it was instead.
pub(crate) type Seen<T = ()> = Result<T, String>;

/// As much of a body as a sentence shows.
const SHOWN_BYTES_MAX: usize = 300;

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// Method, path and replica.
    pub(crate) request: String,
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    /// A sentence on this answer.
    pub(crate) fn but(&self, what: &str) -> String {
        let shown = &self.body[..self.body.len().min(SHOWN_BYTES_MAX)];
        let body = String::from_utf8_lossy(shown);
        format!("{}: {what}; answered {} {body}", self.request, self.status.as_u16())
    }

    /// The status is this one.
    pub(crate) fn is(&self, status: u16) -> Seen<&Self> {
        self.is_one_of(&[status])
    }

    /// The status is one of these.
    pub(crate) fn is_one_of(&self, wanted: &[u16]) -> Seen<&Self> {
        // Every answer below `/v2/` says so (H22); a proxy's own page would not.
        let version = self.header("docker-distribution-api-version");
        if self.request.contains(" /v2/") && version != Some("registry/2.0") {
            return Err(self.but("Docker-Distribution-API-Version is missing"));
        }
        if wanted.contains(&self.status.as_u16()) {
            return Ok(self);
        }
        Err(self.but(&format!("{wanted:?} was wanted")))
    }

    /// A header's text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// A header that must be there.
    pub(crate) fn needs(&self, name: &str) -> Seen<&str> {
        self.header(name).ok_or_else(|| self.but(&format!("{name} is missing")))
    }

    /// A header has exactly this text.
    pub(crate) fn says(&self, name: &str, wanted: &str) -> Seen<&Self> {
        match self.needs(name)? {
            came if came == wanted => Ok(self),
            came => Err(self.but(&format!("{name} is {came:?}, wanted {wanted:?}"))),
        }
    }

    /// A header is not there.
    pub(crate) fn lacks(&self, name: &str) -> Seen<&Self> {
        match self.header(name) {
            None => Ok(self),
            Some(came) => Err(self.but(&format!("{name} is {came:?}, wanted none"))),
        }
    }

    /// The content is announced with digest and length, as on GET and HEAD (BL1, MG1).
    pub(crate) fn announces(&self, digest: &str, length: usize) -> Seen<&Self> {
        self.says("docker-content-digest", digest)?.says("content-length", &length.to_string())
    }

    /// The body is these bytes.
    pub(crate) fn carries(&self, bytes: &[u8]) -> Seen<&Self> {
        if self.body.as_ref() == bytes {
            return Ok(self);
        }
        let (came, wanted) = (self.body.len(), bytes.len());
        Err(self.but(&format!("the body is not what was pushed: {came} of {wanted} bytes")))
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Seen<Value> {
        let read = serde_json::from_slice(&self.body);
        read.map_err(|error| self.but(&format!("the body is no JSON ({error})")))
    }

    /// The body is an error of this code, with a sentence for people (2.2).
    pub(crate) fn refuses(&self, status: u16, code: &str) -> Seen<&Self> {
        self.is(status)?;
        let body = self.json()?;
        let error = &body["errors"][0];
        if error["code"] != code {
            return Err(self.but(&format!("the code is {}, wanted {code}", error["code"])));
        }
        if error["message"].as_str().unwrap_or_default().is_empty() {
            return Err(self.but("the error has no message"));
        }
        Ok(self)
    }
}

/// Fails with a sentence unless it holds.
pub(crate) fn holds(holds: bool, sentence: impl FnOnce() -> String) -> Seen {
    if holds { Ok(()) } else { Err(sentence()) }
}

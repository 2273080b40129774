//! What goes wrong on the way, what may help, and trying again.

use std::fmt;
use std::time::Duration;

use rand::Rng;
use reqwest::{Response, StatusCode};
use tokio::time::sleep;

use crate::client::said;
use crate::exit::{Exit, Stop};

/// Attempts of one request, the first included.
const ATTEMPTS_MAX: u32 = 7;
/// The first pause; each one after is twice as long.
const PAUSE_FIRST: Duration = Duration::from_millis(300);
/// No pause of our own is longer.
const PAUSE_MAX: Duration = Duration::from_secs(20);
/// A server that asks for a longer pause than this waits no better.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(200);
/// What helps against a certificate that nobody vouches for.
const AUTHORITY: &str =
    "name the authority by --from-ca for the source, by --ca for the destination";
/// Bytes of an error's body that are read.
const SAID_BYTES_MAX: usize = 64 * 1024;

/// What kind of failure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The same may go well later; after this long, where the server said so.
    Passing(Option<Duration>),
    /// Nobody was reached, or the connection broke.
    Broken,
    /// The server's certificate is not one that is believed.
    Untrusted,
    /// There is no such thing.
    Missing,
    /// It stays so, however often it is tried.
    Lasting,
}

/// A failure, in a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// What may help.
    pub kind: Kind,
    /// What happened, to what.
    pub text: String,
    /// The codes of the answer's errors, where it had any.
    pub codes: Vec<String>,
}

impl Trouble {
    /// One of this kind.
    pub fn new(kind: Kind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into(), codes: vec![] }
    }

    /// One that stays.
    pub fn lasting(text: impl Into<String>) -> Self {
        Self::new(Kind::Lasting, text)
    }

    /// A connection that could not be opened, or broke.
    pub fn broken(url: &str, error: &reqwest::Error) -> Self {
        // The innermost cause says what the system or the handshake said.
        let mut cause: &dyn std::error::Error = error;
        while let Some(inner) = cause.source() {
            cause = inner;
        }
        let cause = cause.to_string();
        if error.is_redirect() {
            return Self::lasting(format!("{url}: {cause}"));
        }
        if cause.contains("ertificate") || cause.contains("UnknownIssuer") {
            return Self::new(Kind::Untrusted, format!("{url}: {cause}; {AUTHORITY}"));
        }
        Self::new(Kind::Broken, format!("{url}: {cause}"))
    }

    /// An answer that is not what was asked for; `doing` says what that was.
    pub async fn answer(doing: &str, response: Response) -> Self {
        let status = response.status();
        let after = response.headers().get("retry-after").and_then(|it| it.to_str().ok());
        let after = after.and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
        let url = response.url().clone();
        let body = read_some(response).await;
        let codes = codes(&body);
        let kind = match status {
            StatusCode::TOO_MANY_REQUESTS => Kind::Passing(after),
            StatusCode::REQUEST_TIMEOUT => Kind::Passing(None),
            StatusCode::NOT_IMPLEMENTED => Kind::Lasting,
            StatusCode::NOT_FOUND => Kind::Missing,
            status if status.is_server_error() => Kind::Passing(after),
            _ => Kind::Lasting,
        };
        let host = url.host_str().unwrap_or_default();
        let text = format!("{doing}: {host} answered {status}{}", said(&body));
        Self { kind, text, codes }
    }

    /// Whether there is no such thing.
    pub fn is_missing(&self) -> bool {
        self.kind == Kind::Missing
    }

    /// Whether another attempt may go well.
    pub fn may_pass(&self) -> bool {
        matches!(self.kind, Kind::Passing(_) | Kind::Broken)
    }

    /// Whether the answer's errors have this code.
    pub fn says(&self, code: &str) -> bool {
        self.codes.iter().any(|it| it == code)
    }

    /// As the end of the command.
    pub fn into_stop(self) -> Stop {
        let exit = if self.is_unreachable() { Exit::Unreachable } else { Exit::Failed };
        Stop::new(exit, self.text)
    }

    /// Whether nobody could be talked to.
    pub fn is_unreachable(&self) -> bool {
        matches!(self.kind, Kind::Broken | Kind::Untrusted)
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

impl std::error::Error for Trouble {}

async fn read_some(mut response: Response) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(Some(piece)) = response.chunk().await {
        body.extend_from_slice(&piece);
        if body.len() > SAID_BYTES_MAX {
            break;
        }
    }
    body
}

fn codes(body: &[u8]) -> Vec<String> {
    let value: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let errors = value["errors"].as_array().into_iter().flatten();
    errors.filter_map(|error| error["code"].as_str().map(str::to_owned)).collect()
}

/// Attempts that are left, and how long to wait before the next.
#[derive(Debug)]
pub struct Patience {
    failures: u32,
}

impl Patience {
    /// All attempts are left.
    pub fn new() -> Self {
        Self { failures: 0 }
    }

    /// Something went well: all attempts are left again.
    pub fn renew(&mut self) {
        self.failures = 0;
    }

    /// Waits before the next attempt.
    ///
    /// # Errors
    ///
    /// The trouble itself, where none is left or none would help.
    pub async fn wait(&mut self, trouble: Trouble) -> Result<(), Trouble> {
        self.failures += 1;
        if !trouble.may_pass() || self.failures >= ATTEMPTS_MAX {
            return Err(trouble);
        }
        sleep(self.pause(trouble.kind)).await;
        Ok(())
    }

    fn pause(&self, kind: Kind) -> Duration {
        let own = PAUSE_FIRST.saturating_mul(1 << (self.failures - 1).min(16)).min(PAUSE_MAX);
        // Many that were sent away together shall not come back together.
        let own = own.mul_f64(rand::rng().random_range(0.75..1.25));
        match kind {
            Kind::Passing(Some(asked)) => asked.min(RETRY_AFTER_MAX).max(own),
            _ => own,
        }
    }
}

impl Default for Patience {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound_and_a_server_may_ask_for_longer_ones() {
        let pause = |failures, kind| Patience { failures }.pause(kind);
        assert!(pause(1, Kind::Broken) < Duration::from_millis(400));
        assert!(pause(4, Kind::Broken) > Duration::from_millis(1_500));
        assert!(pause(60, Kind::Broken) <= PAUSE_MAX.mul_f64(1.25));
        let asked = Kind::Passing(Some(Duration::from_secs(30)));
        assert_eq!(pause(1, asked), Duration::from_secs(30));
        let asked = Kind::Passing(Some(Duration::from_secs(86_399)));
        assert_eq!(pause(1, asked), RETRY_AFTER_MAX);
    }

    #[tokio::test(start_paused = true)]
    async fn what_passes_is_tried_again_and_what_stays_is_not() {
        for (kind, waits) in [
            (Kind::Broken, ATTEMPTS_MAX - 1),
            (Kind::Passing(None), ATTEMPTS_MAX - 1),
            (Kind::Untrusted, 0),
            (Kind::Missing, 0),
            (Kind::Lasting, 0),
        ] {
            let mut patience = Patience::new();
            let mut waited = 0;
            while patience.wait(Trouble::new(kind, "x")).await.is_ok() {
                waited += 1;
            }
            assert_eq!(waited, waits, "{kind:?}");
        }
        let mut patience = Patience::new();
        for _ in 0..3 * ATTEMPTS_MAX {
            assert!(patience.wait(Trouble::new(Kind::Broken, "x")).await.is_ok());
            patience.renew();
        }
    }

    #[test]
    fn codes_are_read_from_an_error_body() {
        let body = br#"{"errors":[{"code":"NO_SUCH_ACCOUNT","message":"x"},{"code":"B"}]}"#;
        assert_eq!(codes(body), ["NO_SUCH_ACCOUNT", "B"]);
        assert!(codes(b"<html>").is_empty());
    }
}

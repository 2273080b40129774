//! Answers, read within a time and up to a bound.

use std::time::Duration;

use reqwest::{RequestBuilder, Response};
use tokio::time::timeout;

use super::trouble::{Kind, Trouble};

/// How long a server may take until its answer begins. A replica may wait for an election.
pub const HEAD_MAX: Duration = Duration::from_secs(50);
/// How long an answer that has begun may stand still.
pub const STILL_MAX: Duration = Duration::from_secs(50);

/// Sends a request whose body is small; the answer's head, whatever its status.
pub async fn head(url: &str, request: RequestBuilder) -> Result<Response, Trouble> {
    match timeout(HEAD_MAX, request.send()).await {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(error)) => Err(Trouble::broken(url, &error)),
        Err(_) => Err(silent(url, HEAD_MAX)),
    }
}

/// The next piece of an answer's body; `None` at its end.
pub async fn piece(response: &mut Response) -> Result<Option<bytes::Bytes>, Trouble> {
    match timeout(STILL_MAX, response.chunk()).await {
        Ok(Ok(piece)) => Ok(piece),
        Ok(Err(error)) => Err(Trouble::broken(response.url().as_str(), &error)),
        Err(_) => Err(silent(response.url().as_str(), STILL_MAX)),
    }
}

/// All of an answer's body.
///
/// # Errors
///
/// Also where it has more than so many bytes.
pub async fn whole(mut response: Response, bytes_max: usize) -> Result<Vec<u8>, Trouble> {
    let mut body = Vec::new();
    while let Some(piece) = piece(&mut response).await? {
        if body.len() + piece.len() > bytes_max {
            let url = response.url();
            return Err(Trouble::lasting(format!(
                "{url} answers with more than {bytes_max} bytes"
            )));
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

fn silent(url: &str, time: Duration) -> Trouble {
    Trouble::new(Kind::Broken, format!("{url} said nothing for {} s", time.as_secs()))
}

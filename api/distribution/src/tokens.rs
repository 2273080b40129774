//! `GET` and `POST /auth/token`: a password or an access token for a token.
//!
//! A token grants what is due of what was asked, and no less than nothing: without credentials it
//! is the anonymous caller's. The right itself is judged again wherever the token is shown.
//!
//! Source: distribution's "Docker Registry v2 authentication", by token and by `OAuth2`;
//! registry-protocol TK1–TK12.

use auth::credentials::Credentials;
use auth::scope::{self, Scope};
use axum::response::Response;
use edge::answer;
use edge::caller::{Admission, Caller, ChallengeKind, Need};
use edge::credentials;
use edge::problem::Problem;
use edge::query::Query;
use http::StatusCode;
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::blobs::STALE;
use crate::call::Call;

mod granting;
mod refresh;

/// The answer; to POST the scope that was granted as well.
#[derive(Serialize)]
struct Token<'a> {
    token: &'a str,
    access_token: &'a str,
    expires_in: u64,
    issued_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<&'a str>,
}

/// What a client asks, in whichever of the two ways.
struct Asked {
    credentials: Credentials,
    scopes: Vec<Scope>,
    /// Whether it asks for something in particular, be it something that is not known.
    is_narrow: bool,
    /// Whether the answer says what was granted.
    shows_scope: bool,
    /// What the client calls itself, where it wants a refresh token as well.
    refresh_for: Option<String>,
}

/// With Basic credentials, or none; `offline_token=true` asks for a refresh token.
pub async fn get(call: Call) -> Result<Response, Problem> {
    let asked = Asked {
        credentials: match credentials::of(&call.parts) {
            // What was got by it would go on when it is signed out of.
            Credentials::Session(_) => Credentials::None,
            credentials => credentials,
        },
        scopes: scope::parse_all(call.query.all("scope")),
        is_narrow: call.query.first("scope").is_some(),
        shows_scope: false,
        refresh_for: refresh::wanted(&call.query, ("offline_token", "true")),
    };
    issue(&call, asked).await
}

/// With a form: `grant_type=password`, where `access_type=offline` asks for a refresh token, or
/// `grant_type=refresh_token`, which takes one in place of name and password.
pub async fn post(mut call: Call) -> Result<Response, Problem> {
    let bytes_max = call.context.limits.form_bytes_max;
    let empty = edge::body::RequestBody::new(axum::body::Body::empty(), call.context.clone());
    let body = std::mem::replace(&mut call.body, empty).read_all(bytes_max).await?;
    let body = body.ok_or(Problem::BodyTooLarge { bytes_max: bytes_max as u64 })?;
    let form = Query::parse(std::str::from_utf8(&body).ok());
    let field = |name| form.first(name).unwrap_or_default();
    // The form's credentials count, not those of a header beside it.
    let credentials = match form.first("grant_type") {
        Some("password") => Credentials::of_form(field("username"), field("password")),
        Some("refresh_token") => Credentials::AccessToken(field("refresh_token").to_owned().into()),
        _ => {
            let text = "grant_type is password or refresh_token";
            return Err(Problem::Parameter(text.to_owned()));
        }
    };
    let asked = Asked {
        credentials,
        scopes: scope::parse_all(form.all("scope")),
        is_narrow: form.first("scope").is_some(),
        shows_scope: true,
        refresh_for: refresh::wanted(&form, ("access_type", "offline")),
    };
    issue(&call, asked).await
}

async fn issue(call: &Call, asked: Asked) -> Result<Response, Problem> {
    let caller = admit(call, &asked.credentials).await?;
    let access = granting::granted(&call.context, &caller, asked.scopes).await?;
    let issued = call.context.auth.issue(&caller.identity, access, asked.is_narrow).await;
    let issued = issued.map_err(|failure| match failure {
        auth::authenticator::AuthFailure::Cluster(failure) => failure.into(),
        other => Problem::Fault(other.to_string()),
    })?;
    let refresh_token = match asked.refresh_for {
        Some(client) => refresh::token(call, &caller, &asked.credentials, client).await,
        None => None,
    };
    let token = Token {
        token: &issued.token,
        access_token: &issued.token,
        expires_in: issued.expires_in_s,
        issued_at: rfc3339(issued.issued_at_s),
        scope: asked.shows_scope.then(|| scope::render(&issued.access)),
        refresh_token: refresh_token.as_ref().map(|text| text.as_str()),
    };
    let mut response = answer::json(StatusCode::OK, &token);
    if caller.is_stale {
        answer::warn(response.headers_mut(), STALE);
    }
    Ok(response)
}

async fn admit(call: &Call, credentials: &Credentials) -> Result<Caller, Problem> {
    let admission =
        Admission { need: Need::FreshOrLastKnown, challenge: ChallengeKind::Basic, scope: None };
    let caller = Caller::admit_with(&call.context, &call.parts, credentials, admission).await?;
    // A token is not given for a token: its end would move on for ever.
    if caller.identity.token.is_some() { Err(caller.sign_in()) } else { Ok(caller) }
}

fn rfc3339(unix_s: u64) -> String {
    let seconds = i64::try_from(unix_s).unwrap_or_default();
    let moment = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    moment.format(&Rfc3339).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::rfc3339;

    #[test]
    fn times_are_rfc_3339() {
        assert_eq!(rfc3339(1_771_000_000), "2026-02-13T16:26:40Z");
    }
}

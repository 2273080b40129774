//! `GET` and `POST /auth/token`: a password for a token.
//!
//! A token grants what is due of what was asked, and no less than nothing: without credentials it
//! is the anonymous caller's. The right itself is judged again wherever the token is shown.
//!
//! Source: distribution's "Docker Registry v2 authentication"; registry-protocol TK1–TK12.

use auth::credentials::Credentials;
use auth::scope::{self, Scope};
use axum::response::Response;
use consensus::cluster::Freshness;
use edge::answer;
use edge::caller::{Admission, Caller, ChallengeKind, Need};
use edge::context::Context;
use edge::problem::Problem;
use edge::query::Query;
use http::StatusCode;
use http::header::AUTHORIZATION;
use metadata::access::{self, Action};
use oci::name::RepositoryName;
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::blobs::STALE;
use crate::call::Call;

/// The answer; to POST the scope that was granted as well.
#[derive(Serialize)]
struct Token<'a> {
    token: &'a str,
    access_token: &'a str,
    expires_in: u64,
    issued_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
}

/// With Basic credentials, or none.
pub async fn get(call: Call) -> Result<Response, Problem> {
    let scopes = scope::parse_all(call.query.all("scope"));
    issue(&call, scopes, false).await
}

/// With a form: `grant_type=password`. Refresh tokens are not given, so none is known.
pub async fn post(mut call: Call) -> Result<Response, Problem> {
    let bytes_max = call.context.limits.form_bytes_max;
    let empty = edge::body::RequestBody::new(axum::body::Body::empty(), call.context.clone());
    let body = std::mem::replace(&mut call.body, empty).read_all(bytes_max).await?;
    let body = body.ok_or(Problem::BodyTooLarge { bytes_max: bytes_max as u64 })?;
    let form = Query::parse(std::str::from_utf8(&body).ok());
    match form.first("grant_type") {
        Some("password") => {
            let account = form.first("username").unwrap_or_default();
            let password = form.first("password").unwrap_or_default();
            let header = Credentials::basic_header(account, password);
            // The form's credentials count, not those of a header beside it.
            call.parts.headers.insert(AUTHORIZATION, header);
        }
        Some("refresh_token") => return Err(refused(&call).await),
        _ => {
            return Err(Problem::Parameter(
                "grant_type must be password; refresh tokens are not in use".to_owned(),
            ));
        }
    }
    issue(&call, scope::parse_all(form.all("scope")), true).await
}

async fn issue(call: &Call, scopes: Vec<Scope>, shows_scope: bool) -> Result<Response, Problem> {
    let caller = admit(call).await?;
    let access = granted(&call.context, &caller, scopes).await?;
    let issued = call.context.auth.issue(&caller.identity, access).await;
    let issued = issued.map_err(|failure| match failure {
        auth::authenticator::AuthFailure::Cluster(failure) => failure.into(),
        other => Problem::Fault(other.to_string()),
    })?;
    let token = Token {
        token: &issued.token,
        access_token: &issued.token,
        expires_in: issued.expires_in_s,
        issued_at: rfc3339(issued.issued_at_s),
        scope: shows_scope.then(|| scope::render(&issued.access)),
    };
    let mut response = answer::json(StatusCode::OK, &token);
    if caller.is_stale {
        answer::warn(response.headers_mut(), STALE);
    }
    Ok(response)
}

async fn admit(call: &Call) -> Result<Caller, Problem> {
    let admission =
        Admission { need: Need::FreshOrLastKnown, challenge: ChallengeKind::Basic, scope: None };
    let caller = Caller::admit(&call.context, &call.parts, admission).await?;
    // A token is not given for a token: its end would move on for ever.
    if caller.identity.token.is_some() { Err(caller.sign_in()) } else { Ok(caller) }
}

/// What a refresh token gets: 401, as an unknown one.
async fn refused(call: &Call) -> Problem {
    match admit(call).await {
        Ok(caller) => caller.sign_in(),
        Err(problem) => problem,
    }
}

/// What is due of what was asked.
async fn granted(
    context: &Context,
    caller: &Caller,
    scopes: Vec<Scope>,
) -> Result<Vec<Scope>, Problem> {
    let who = caller.as_metadata();
    let read = context.cluster.read(Freshness::Local, |view| {
        let mut granted = Vec::new();
        for mut scope in scopes {
            if scope.kind == "registry" {
                scope.actions.retain(|_| scope.name == "catalog" && who.account.is_some());
            } else if let Ok(repository) = RepositoryName::parse(&scope.name) {
                let mut held = Vec::new();
                for (word, action) in ACTIONS {
                    let decision = access::judge(view, &who, &repository, action)?;
                    if decision.allowed || decision.visible && is_for_missing(decision.reason) {
                        held.push(word);
                    }
                }
                scope.actions = due(&scope.actions, &held);
            } else {
                scope.actions.clear();
            }
            if !scope.actions.is_empty() {
                granted.push(scope);
            }
        }
        Ok(granted)
    });
    Ok(read.await?)
}

const ACTIONS: [(&str, Action); 4] = [
    ("pull", Action::Pull),
    ("push", Action::Push),
    ("delete", Action::Delete),
    ("*", Action::Administer),
];

/// A repository that does not exist yet is no reason to withhold what its owner will have.
fn is_for_missing(reason: access::Reason) -> bool {
    matches!(reason, access::Reason::RepositoryMissing | access::Reason::CreateOnPushOff)
}

/// The asked actions that are held; `*` asks for all that is.
fn due(asked: &[String], held: &[&str]) -> Vec<String> {
    let asks_all = asked.iter().any(|asked| asked == "*");
    let is_due = |held: &&&str| asks_all || asked.iter().any(|asked| asked == **held);
    held.iter().filter(is_due).map(|held| (*held).to_owned()).collect()
}

fn rfc3339(unix_s: u64) -> String {
    let seconds = i64::try_from(unix_s).unwrap_or_default();
    let moment = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    moment.format(&Rfc3339).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{due, rfc3339};

    #[test]
    fn a_token_grants_what_is_held_of_what_was_asked() {
        let cases: [(&[&str], &[&str], &[&str]); 5] = [
            (&["pull", "push"], &["pull"], &["pull"]),
            (&["pull"], &["pull", "push", "delete", "*"], &["pull"]),
            (&["*"], &["pull", "push"], &["pull", "push"]),
            (&["*"], &["pull", "push", "delete", "*"], &["pull", "push", "delete", "*"]),
            (&["push"], &[], &[]),
        ];
        for (asked, held, expected) in cases {
            let asked: Vec<String> = asked.iter().map(|word| (*word).to_owned()).collect();
            assert_eq!(due(&asked, held), expected, "{asked:?} of {held:?}");
        }
    }

    #[test]
    fn times_are_rfc_3339() {
        assert_eq!(rfc3339(1_771_000_000), "2026-02-13T16:26:40Z");
    }
}

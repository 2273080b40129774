//! `Idempotency-Key`: a change that is sent again under the key of the first time is not made
//! twice, and is answered as it was then, whichever replica is asked.
//!
//! The key goes with the request's command (`metadata::request_keys`), so that the change and what
//! is known of it are one. The answer is kept right after it was made; where the replica died in
//! between, the request is handled once more, and its command changes nothing.
//!
//! Source: dtr-interface 1.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{RawPathParams, Request};
use axum::response::Response;
use consensus::origin;
use edge::answer;
use edge::body::RequestBody;
use edge::caller::{Admission, Caller, ChallengeKind, Need};
use edge::context::Context;
use edge::management_form;
use edge::problem::{AccountProblem, Problem};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};
use metadata::refusal::Refusal;
use metadata::request_keys::{self, BODY_BYTES_MAX, RequestAnswered, RequestKey, RequestKeyRow};

use crate::call::Call;
use crate::surface::Handler;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Says that an answer is one of before.
const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// A key in bytes, at most.
const KEY_BYTES_MAX: usize = 255;

/// An answer in bytes, at most, as this surface makes them for one thing that was changed.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// What takes no key, since its answer holds what is shown once and kept by nobody, or since it may
/// be several commands, of which some may have been carried out.
const WITHOUT: &[(&str, &str)] = &[
    ("POST", "/api/v0/api_tokens"),
    ("POST", "/api/v0/join_tokens"),
    ("POST", "/api/v0/session"),
    ("POST", "/enzi/v0/accounts/{org}/robots"),
    ("DELETE", "/api/v0/accounts/{account}/repositories"),
    ("DELETE", "/api/v0/api_tokens"),
    ("DELETE", "/api/v0/repositories/{ns}/{repo}/manifests/{ref}"),
    ("POST", "/api/v0/meta/settings"),
    ("POST", "/enzi/v0/admin/importAccounts"),
];

/// Whether a method of a path, as the routes name it, can be sent under a key.
pub(crate) fn takes_key(method: &str, path: &str) -> bool {
    method != "GET" && !WITHOUT.contains(&(method, path))
}

/// The key of a request that changes something.
///
/// # Errors
///
/// Where there are several, or one is no key, or this path takes none.
pub(crate) fn key_of(
    headers: &HeaderMap,
    (method, path): (&str, &str),
) -> Result<Option<String>, Problem> {
    let mut given = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(first) = given.next().filter(|_| method != "GET") else { return Ok(None) };
    let fits = |text: &&str| !text.is_empty() && text.len() <= KEY_BYTES_MAX;
    let text = first.to_str().ok().filter(fits).filter(|_| given.next().is_none());
    let Some(text) = text else {
        let text = format!("Idempotency-Key is one text of 1 to {KEY_BYTES_MAX} printable letters");
        return Err(Problem::Parameter(text));
    };
    if !takes_key(method, path) {
        let text = "this request takes no Idempotency-Key: its answer holds a secret that is not \
                    kept, or it is done in steps; send it without, and look before you repeat it";
        return Err(Problem::Parameter(text.to_owned()));
    }
    Ok(Some(text.to_owned()))
}

/// Handles a request unless it was carried out before under its key.
pub(crate) async fn once(
    text: String,
    context: Arc<Context>,
    (handler, params): (Handler, &RawPathParams),
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let admission = Admission { need: Need::Fresh, challenge: ChallengeKind::Basic, scope: None };
    let caller = Caller::admit(&context, &parts, admission).await?;
    caller.permit_whole()?;
    let bytes_max = context.limits.form_bytes_max;
    let body = RequestBody::new(body, Arc::clone(&context)).read_all(bytes_max).await?;
    let body = body.ok_or(Problem::BodyTooLarge { bytes_max: bytes_max as u64 })?;
    let key = named(&context, &caller, &text, (&parts, &body))?;
    let read = context.cluster.read(consensus::cluster::Freshness::Local, |view| {
        request_keys::kept(view, &key, metadata::clocks::cluster_ms(view)?)
    });
    let before = read.await?;
    match &before {
        Some(row) if row.request != key.request => return Err(Refusal::RequestKeyReused.into()),
        Some(row) if row.status != 0 => return Ok(as_before(row)),
        _ => {}
    }
    origin::comes_under(key.clone());
    let request = Request::from_parts(parts, Body::from(body));
    let handled = handler(Call::new(Arc::clone(&context), params, request)).await;
    match handled {
        Ok(response) if response.status().is_success() && origin::key_is_taken() => {
            keep(&context, key, response).await
        }
        Err(problem) if before.is_some() && is_of_the_second_time(&problem) => {
            Err(AccountProblem::AnswerLost.into())
        }
        handled => handled,
    }
}

/// The request under its key, of which nothing can be read that was secret in it.
fn named(
    context: &Context,
    caller: &Caller,
    text: &str,
    (parts, body): (&Parts, &[u8]),
) -> Result<RequestKey, Problem> {
    let account = caller.identity.id.ok_or_else(|| caller.sign_in())?;
    let hash = |use_, texts: &[&[u8]]| context.cluster.keyed_hash(use_, texts);
    let path = parts.uri.path_and_query().map_or("", |path| path.as_str());
    let request = [parts.method.as_str().as_bytes(), path.as_bytes(), body];
    let key = hash("idempotency key", &[text.as_bytes()]);
    Ok(RequestKey { account, key, request: hash("idempotent request", &request) })
}

/// The answer that was given the first time.
fn as_before(row: &RequestKeyRow) -> Response {
    let status = u16::try_from(row.status).ok().and_then(|it| StatusCode::from_u16(it).ok());
    let status = status.unwrap_or(StatusCode::OK);
    let mut response = answer::empty(status);
    let headers = response.headers_mut();
    if !row.body.is_empty() {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    headers.insert(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
    *response.body_mut() = Body::from(row.body.clone());
    response
}

/// Has the answer kept beside the key, where it is short enough; a client that asks again for a
/// longer one has its request handled again, without a change.
async fn keep(context: &Context, key: RequestKey, response: Response) -> Result<Response, Problem> {
    let (parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, ANSWER_BYTES_MAX).await;
    let body = body.map_err(|error| Problem::Fault(error.to_string()))?;
    if body.len() <= BODY_BYTES_MAX {
        let status = u32::from(parts.status.as_u16());
        let answered = RequestAnswered { key, status, body: body.to_vec() };
        // On the replica's own behalf: what was asked may have ended the asker's sign-in. The
        // change is made; where this fails its answer is made anew when it is asked for again.
        let _ = context.cluster.propose(answered.into()).await;
    }
    Ok(Response::from_parts(parts, Body::from(body)))
}

/// Whether a request that was carried out is refused now because it was: what it would delete is
/// gone, say. Nothing of the kind is that somebody may not ask, or that nobody can answer.
fn is_of_the_second_time(problem: &Problem) -> bool {
    use StatusCode as S;
    let status = management_form::status(problem);
    let others = [S::UNAUTHORIZED, S::FORBIDDEN, S::TOO_MANY_REQUESTS];
    status.is_client_error() && (!others.contains(&status) || is_password(problem))
}

/// The password was changed, and the old one is the old one no more.
fn is_password(problem: &Problem) -> bool {
    let is_changed = |refusal: &Refusal| matches!(refusal, Refusal::PasswordChanged { .. });
    match problem {
        Problem::PasswordIncorrect { .. } => true,
        Problem::Refused(refusal) => is_changed(refusal),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::{IDEMPOTENCY_KEY, WITHOUT, key_of};
    use crate::surface::ROUTES;

    #[test]
    fn a_key_is_one_short_text_of_a_change() {
        let path = "/enzi/v0/accounts";
        let long = "k".repeat(256);
        let cases = [
            ("POST", path, vec![], Ok(None)),
            ("POST", path, vec!["a-b c"], Ok(Some("a-b c"))),
            ("GET", path, vec!["a"], Ok(None)),
            ("POST", path, vec![""], Err(())),
            ("POST", path, vec!["a", "b"], Err(())),
            ("POST", path, vec![long.as_str()], Err(())),
            ("POST", "/api/v0/api_tokens", vec!["a"], Err(())),
        ];
        for (method, path, given, expected) in cases {
            let mut headers = HeaderMap::new();
            for text in given {
                headers.append(IDEMPOTENCY_KEY, HeaderValue::from_str(text).unwrap());
            }
            let found = key_of(&headers, (method, path)).map_err(|_| ());
            assert_eq!(found.as_ref().map(Option::as_deref), expected.as_ref().copied());
        }
        let mut headers = HeaderMap::new();
        headers.insert(IDEMPOTENCY_KEY, HeaderValue::from_bytes(b"\xff").unwrap());
        assert!(key_of(&headers, ("POST", path)).is_err());
    }

    #[test]
    fn what_takes_no_key_is_a_route() {
        for (method, path) in WITHOUT {
            let route = ROUTES.iter().find(|(_, template, _)| template == path);
            assert!(route.is_some_and(|(methods, _, _)| methods.contains(method)), "{path}");
        }
    }
}

//! `/api/v0/openid`: a browser is sent to the provider, and comes back as somebody.
//!
//! What it carries meanwhile lies in a cookie that no script can read; it may come back to another
//! replica than it left. People look at these answers, so a browser is told what went wrong on a
//! page instead of in JSON.

use std::sync::Arc;

use auth::credentials::Credentials;
use auth::page_session::csrf_token;
use axum::body::Body;
use axum::response::Response;
use edge::access_tokens::{self, Wanted};
use edge::answer;
use edge::caller::{Admission, Caller, ChallengeKind, Need};
use edge::context::Context;
use edge::credentials::{self, CSRF_TOKEN};
use edge::management_form;
use edge::problem::{AccountProblem, Problem};
use edge::request_log::RequestId;
use http::header::{
    ACCEPT, CACHE_CONTROL, HeaderValue, LOCATION, REFERRER_POLICY, SET_COOKIE, WWW_AUTHENTICATE,
};
use http::{HeaderMap, StatusCode};
use metadata::access_tokens::Origin;
use openid::failure::OpenIdFailure;
use openid::openid::{LIFE_S, Returned};

use crate::call::Call;
use crate::openid_settings::callback_url;
use crate::sessions;

mod page;

/// What a browser carries while it is at the provider. The name makes browsers keep it for this
/// host alone, and only if it came over TLS.
const STATE_COOKIE: &str = "__Host-holdfast-openid";
/// A path to go on at in bytes, at most.
const RETURN_BYTES_MAX: usize = 1024;
const LOGIN: &str = "/api/v0/openid/login";
/// An access token that a page makes lasts for so long at most.
const DAYS_MAX: u64 = 366;

/// Sends the browser to the provider.
pub async fn begin(call: Call) -> Result<Response, Problem> {
    let (context, parts) = (Arc::clone(&call.context), call.parts.clone());
    let begun = begin_for(call).await;
    Ok(begun.unwrap_or_else(|problem| refused(&context, &parts, &problem)))
}

async fn begin_for(call: Call) -> Result<Response, Problem> {
    let (context, parts) = (Arc::clone(&call.context), call.parts.clone());
    admit(&call).await?;
    let return_path = call.query.first("return").unwrap_or_default();
    if !is_local(return_path) {
        let text = "return is a path of this registry, such as /repositories";
        return Err(Problem::Parameter(text.to_owned()));
    }
    // What is carried stays at the host that sets it, and the browser comes back to that with the
    // external URL. Said once only: a balancer may call this host otherwise than browsers do.
    let external = context.names.external_url.as_deref().map(|url| url.trim_end_matches('/'));
    if let Some(external) = external
        && external.split_once("://").map(|(_, host)| host) != Some(&context.names.host(&parts))
        && call.query.first("here").is_none()
    {
        let path = percent_encoded(return_path);
        return Ok(redirect(&format!("{external}{LOGIN}?here=1&return={path}")));
    }
    let redirect_uri = callback_url(&context, &parts);
    let begun = context.auth.begin_openid(&redirect_uri, return_path).await.map_err(problem)?;
    let mut response = redirect(&begun.location);
    let cookie = format!(
        "{STATE_COOKIE}={}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={LIFE_S}",
        begun.cookie
    );
    answer::add(response.headers_mut(), SET_COOKIE, &cookie);
    Ok(response)
}

/// Signs in who comes back.
pub async fn finish(call: Call) -> Result<Response, Problem> {
    let (context, parts) = (Arc::clone(&call.context), call.parts.clone());
    let finished = finish_for(call).await;
    let mut response = finished.unwrap_or_else(|problem| refused(&context, &parts, &problem));
    // It is good for one attempt, whatever came of it.
    let cookie = format!("{STATE_COOKIE}=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0");
    answer::add(response.headers_mut(), SET_COOKIE, &cookie);
    Ok(response)
}

async fn finish_for(call: Call) -> Result<Response, Problem> {
    let (context, headers) = (Arc::clone(&call.context), call.parts.headers.clone());
    admit(&call).await?;
    let given = |name: &str| call.query.first(name).map(str::to_owned);
    let returned = Returned {
        code: given("code"),
        state: given("state"),
        issuer: given("iss"),
        error: given("error"),
    };
    let carried = credentials::cookie(&headers, STATE_COOKIE).unwrap_or_default();
    let finished = context.auth.finish_openid(&carried, &returned).await;
    let (identity, return_path) = finished.map_err(problem)?;
    let (text, cookie) = sessions::open(&context, &headers, &identity).await?;
    let name = identity.account.as_deref().unwrap_or_default();
    let mut response = page::signed_in(name, &return_path, &csrf_token(&text));
    answer::add(response.headers_mut(), SET_COOKIE, &cookie);
    Ok(response)
}

/// Makes an access token for whoever is signed in, as the form of the page asks: browsers have no
/// other way yet, and docker takes no sign-in by a browser.
pub async fn make_token(call: Call) -> Result<Response, Problem> {
    let (context, parts) = (Arc::clone(&call.context), call.parts.clone());
    let made = make_token_for(call).await;
    Ok(made.unwrap_or_else(|problem| refused(&context, &parts, &problem)))
}

async fn make_token_for(call: Call) -> Result<Response, Problem> {
    let (context, mut parts) = (Arc::clone(&call.context), call.parts.clone());
    let form = call.form().await?;
    // A form without a script sends no header of its own, and says the same in a field.
    let proof = form.first("csrfToken").and_then(|text| HeaderValue::from_str(text).ok());
    if let Some(proof) = proof {
        parts.headers.insert(CSRF_TOKEN, proof);
    }
    let admission = Admission { need: Need::Fresh, challenge: ChallengeKind::Basic, scope: None };
    let caller = Caller::admit(&context, &parts, admission).await?;
    caller.permit_by_password()?;
    let days: u64 = match form.first("days").map(str::parse) {
        Some(Ok(days)) if (1..=DAYS_MAX).contains(&days) => days,
        _ => return Err(Problem::Parameter(format!("days is a number from 1 to {DAYS_MAX}"))),
    };
    let now_ms = context.clock.wall_ms().max(context.cluster.wall_ms().await?);
    let name = caller.account().to_owned();
    let wanted = Wanted {
        account: name.clone(),
        actor: name.clone(),
        voucher: caller.voucher(),
        label: "made in a browser".to_owned(),
        origin: Origin::Manual,
        expires_wall_ms: now_ms + days * 24 * 3_600 * 1_000,
        scopes: Vec::new(),
    };
    let (text, _) = access_tokens::make(&context, &parts.headers, wanted).await?;
    Ok(page::token(&name, &text, &context.names.host(&parts)))
}

/// Lets everybody in, as far as their address has requests left.
fn admit(call: &Call) -> impl Future<Output = Result<Caller, Problem>> + Send + use<> {
    let (context, parts) = (Arc::clone(&call.context), call.parts.clone());
    let admission = Admission { need: Need::Fresh, challenge: ChallengeKind::Basic, scope: None };
    async move { Caller::admit_with(&context, &parts, &Credentials::None, admission).await }
}

/// Whether a browser that is sent there stays here: a path, and nothing that a browser takes for
/// the beginning of a host.
fn is_local(path: &str) -> bool {
    let is_plain = path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    path.is_empty()
        || path.starts_with('/')
            && !path.starts_with("//")
            && is_plain
            && path.len() <= RETURN_BYTES_MAX
}

/// A path as the value of a parameter.
fn percent_encoded(path: &str) -> String {
    let escaped = path.bytes().map(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'.' | b'_' => {
            char::from(byte).to_string()
        }
        byte => format!("%{byte:02X}"),
    });
    escaped.collect()
}

fn redirect(location: &str) -> Response {
    let mut response = answer::empty(StatusCode::FOUND);
    let headers = response.headers_mut();
    answer::set(headers, LOCATION, location);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// What went wrong, as a page where a browser asks for one.
fn refused(context: &Context, parts: &http::request::Parts, problem: &Problem) -> Response {
    let id = RequestId::of(&parts.extensions);
    let response = management_form::respond(problem, &id);
    if !wants_page(&parts.headers) {
        return response;
    }
    let (head, _) = response.into_parts();
    let said = management_form::message(problem);
    let page = page::refused(&said, &id.0, context.names.external_host());
    let mut response = Response::from_parts(head, Body::from(page));
    page::set_headers(response.headers_mut());
    // A browser would ask for a password.
    response.headers_mut().remove(WWW_AUTHENTICATE);
    response
}

fn wants_page(headers: &HeaderMap) -> bool {
    let accepted = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accepted.contains("text/html")
}

/// What somebody is told who wants to sign in: what they can do about it. The rest is for those who
/// set it up, and stands in the log.
fn problem(failure: OpenIdFailure) -> Problem {
    if failure.is_of_provider() {
        tracing::warn!("nobody can sign in by OpenID: {failure}");
        let what = "the OpenID provider cannot be asked as it should at the moment; try again, or \
                    tell an administrator: the log of this replica says why";
        return Problem::Busy { what: what.to_owned() };
    }
    match failure {
        OpenIdFailure::Cluster(failure) => failure.into(),
        OpenIdFailure::Busy => Problem::Busy { what: failure.to_string() },
        OpenIdFailure::Off | OpenIdFailure::Stale => Problem::Parameter(failure.to_string()),
        OpenIdFailure::Token(_) => {
            tracing::warn!("somebody was not signed in by OpenID: {failure}");
            AccountProblem::SignInRefused(failure.to_string()).into()
        }
        other => AccountProblem::SignInRefused(other.to_string()).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::{is_local, percent_encoded};

    #[test]
    fn nobody_is_sent_to_another_host() {
        for path in ["", "/", "/a", "/a?b=c&d=%2F%2Fe#f", "/a//b"] {
            assert!(is_local(path), "{path}");
        }
        let long = format!("/{}", "a".repeat(1024));
        for path in [
            "//evil.example",
            "/\\evil.example",
            "\\/evil.example",
            "https://evil.example",
            "javascript:alert(1)",
            "evil.example",
            "/a b",
            "/a\r\nSet-Cookie: b",
            "/\t/evil.example",
            "/é",
            &long,
        ] {
            assert!(!is_local(path), "{path}");
        }
        assert_eq!(percent_encoded("/a?b=c&d"), "/a%3Fb%3Dc%26d");
    }
}

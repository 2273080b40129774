//! `/api/v0/session`: somebody signs in to the pages, and out of them.
//!
//! The session lies in a cookie that no script can read; it is known on every replica. Whatever a
//! page changes it sends with the token that is answered here.

use auth::authenticator::Identity;
use auth::credentials::Credentials;
use auth::page_session;
use axum::response::Response;
use edge::access_tokens::agent;
use edge::answer;
use edge::caller::{Admission, Caller, ChallengeKind, Need};
use edge::context::Context;
use edge::credentials::{self, SESSION_COOKIE};
use edge::problem::Problem;
use http::header::{CACHE_CONTROL, COOKIE, SET_COOKIE};
use http::{HeaderMap, StatusCode};
use metadata::page_sessions::{PageSessionEnd, PageSessionOpen};
use serde::Deserialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::call::Call;

/// A session that nobody uses ends after an hour.
const IDLE_MS: u64 = 3_600 * 1_000;
/// One that is used ends after a working day, and some.
const LIFE_MS: u64 = 12 * 3_600 * 1_000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    username: Option<String>,
    password: Option<String>,
}

/// Signs in, with name and password in the body, or with what the request shows otherwise: a
/// header or a certificate. An access token does not do: a session may last longer than it.
pub async fn begin(mut call: Call) -> Result<Response, Problem> {
    // A session that is over must not keep anybody from beginning another.
    call.parts.headers.remove(COOKIE);
    let (context, parts) = (call.context.clone(), call.parts.clone());
    credentials::check_site(&context, &parts)?;
    let asked: Asked = call.json().await?;
    let shown = match asked.username {
        Some(name) => {
            let password = Zeroizing::new(asked.password.unwrap_or_default());
            Credentials::of_form(&name, &password)
        }
        None => credentials::of(&parts),
    };
    let admission = Admission { need: Need::Fresh, challenge: ChallengeKind::Basic, scope: None };
    let caller = Caller::admit_with(&context, &parts, &shown, admission).await?;
    caller.permit_by_password()?;
    let (text, cookie) = open(&context, &parts.headers, &caller.identity).await?;
    Ok(with_cookie(answer::json(StatusCode::OK, &shown_to(&caller, &text)), &cookie))
}

/// Begins a session of somebody who has just signed in: its text, and the cookie that it lies in.
pub(crate) async fn open(
    context: &Context,
    headers: &HeaderMap,
    identity: &Identity,
) -> Result<(Zeroizing<String>, String), Problem> {
    let (text, hash) = page_session::draw().map_err(Problem::Fault)?;
    let account = identity.account.clone().unwrap_or_default();
    let creator_agent = agent(headers);
    let (life_ms, idle_ms) = (LIFE_MS, IDLE_MS);
    let open = PageSessionOpen { hash, account, creator_agent, life_ms, idle_ms };
    context.cluster.propose_for(identity.voucher(), open.into()).await?;
    let cookie = format!("{SESSION_COOKIE}={}; Path=/; Secure; HttpOnly; SameSite=Strict", *text);
    Ok((text, cookie))
}

/// Who is signed in, and the token that changes need.
pub async fn get(call: Call) -> Result<Response, Problem> {
    let text = credentials::session(&call.parts.headers);
    let caller = call.signed_in().await?;
    match text {
        Some(text) if caller.identity.session.is_some() => {
            let mut response = answer::json(StatusCode::OK, &shown_to(&caller, &text));
            answer::set(response.headers_mut(), CACHE_CONTROL, "no-store");
            Ok(response)
        }
        _ => Err(caller.sign_in()),
    }
}

/// Signs out: the session is over on every replica once that is answered.
pub async fn end(call: Call) -> Result<Response, Problem> {
    let caller = call.signed_in().await?;
    let Some(hash) = caller.identity.session else { return Err(caller.sign_in()) };
    call.context.cluster.propose(PageSessionEnd { hash }.into()).await?;
    let cookie = format!("{SESSION_COOKIE}=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0");
    Ok(with_cookie(answer::empty(StatusCode::NO_CONTENT), &cookie))
}

fn shown_to(caller: &Caller, text: &str) -> Value {
    json!({
        "username": caller.account(),
        "isAdmin": caller.identity.is_admin,
        "csrfToken": page_session::csrf_token(text),
    })
}

fn with_cookie(mut response: Response, cookie: &str) -> Response {
    let headers = response.headers_mut();
    answer::set(headers, SET_COOKIE, cookie);
    answer::set(headers, CACHE_CONTROL, "no-store");
    response
}

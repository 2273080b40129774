//! `/api/v0/accounts/{user}/settings`: what a user chose for themselves, which is the content cache
//! that they pull through.
//!
//! Content caches are not there yet. So nobody has chosen one, an empty choice is no change, and
//! any other is refused: there is nothing to keep.
//!
//! Source: dtr-interface 2.1, 3.1, 3.2.

use axum::response::Response;
use consensus::cluster::Freshness;
use edge::answer;
use edge::problem::{AccountProblem, Problem};
use http::StatusCode;
use metadata::access::Caller;
use metadata::tables::Read;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::call::Call;
use crate::reading::{not_authorized, read};
use crate::reference;

/// What PATCH takes; absent and `null` leave a field, unknown ones are passed over. Clients may
/// send back what they were shown.
#[derive(Deserialize)]
struct Asked {
    #[serde(rename = "contentCacheUUID")]
    content_cache_uuid: Option<String>,
    #[serde(rename = "ContentCacheUUID")]
    as_shown: Option<String>,
}

/// What the user chose.
pub async fn get(call: Call) -> Result<Response, Problem> {
    let who = call.signed_in().await?.as_metadata();
    let text = call.place("user").to_owned();
    let read = read(&call.context.cluster, Freshness::Local, |view| permit(view, &who, &text));
    read.await?;
    Ok(answer::json(StatusCode::OK, &shown()))
}

/// Changes what is given; 200 with the choice as it is then.
pub async fn update(call: Call) -> Result<Response, Problem> {
    let who = call.signed_in().await?.as_metadata();
    let text = call.place("user").to_owned();
    let read = read(&call.context.cluster, Freshness::Local, |view| permit(view, &who, &text));
    read.await?;
    let asked: Asked = call.json().await?;
    let mut chosen = [asked.content_cache_uuid, asked.as_shown].into_iter().flatten();
    match chosen.find(|id| !id.is_empty()) {
        None => Ok(answer::json(StatusCode::OK, &shown())),
        Some(id) => Err(AccountProblem::CacheUnknown { id: id.chars().take(128).collect() }.into()),
    }
}

/// Goes on for the user that the path names and for system administrators. Others are not told
/// whether there is such a user.
fn permit(read: &impl Read, who: &Caller, text: &str) -> Result<(), Problem> {
    match reference::user(read, text)? {
        Ok((_, row)) if who.is_admin || who.id == Some(row.id) => Ok(()),
        Err(_) if who.is_admin => {
            Err(AccountProblem::UserUnknown { name: text.chars().take(128).collect() }.into())
        }
        _ => Err(not_authorized(who)),
    }
}

/// The old product answered under another spelling than it took; clients find either.
fn shown() -> Value {
    json!({ "contentCacheUUID": "", "ContentCacheUUID": "" })
}

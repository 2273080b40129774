//! `GET /v2/_catalog`: the repositories the caller may read, in byte order.
//!
//! Source: Docker Registry HTTP API v2, "Catalog"; registry-protocol CA1, CA2.

use axum::response::Response;
use edge::answer;
use edge::caller::{Need, Permitted};
use edge::paging::{self, Page};
use edge::problem::Problem;
use edge::visible;
use http::StatusCode;
use http::header::LINK;
use metadata::repositories::visible::Walk;
use oci::name::RepositoryName;
use serde_json::json;

use crate::caching;
use crate::call::Call;

/// What is answered where the client asks for no number.
const PAGE_DEFAULT: usize = 1_000;
/// What a token must be given for.
const SCOPE: &str = "registry:catalog:*";

/// A page; hidden repositories take no place in it.
pub async fn get(call: Call) -> Result<Response, Problem> {
    let page = Page::parse(&call.query)?;
    let caller = call.caller(Need::Fresh, Some(SCOPE.to_owned())).await?;
    caller.permit_signed_in()?;
    if !caller.identity.covers("registry", "catalog", "*") {
        return Err(caller.insufficient_scope());
    }
    let who = caller.as_metadata();
    let entries_max = page.entries_max.unwrap_or(PAGE_DEFAULT);
    let start = if page.last.is_empty() { String::new() } else { format!("{}\0", page.last) };
    let walk = Walk::new(who, "", &start);
    let found = visible::gather(&call.context.cluster, walk, entries_max, |_, (name, _)| Ok(name));
    let (found, next) = found.await?;
    let more = next.is_some() && entries_max > 0;
    let names: Vec<&str> = found.iter().map(RepositoryName::as_str).collect();
    let document = json!({ "repositories": names });

    // The list belongs to one caller: its entity tag is of what is in it.
    let digest =
        oci::verifier::digest_of(oci::digest::Algorithm::Sha256, names.join("\n").as_bytes());
    let tag = format!("{}-{}", &digest.hex()[..16], more);
    let private = Permitted { is_public: false, exists: true };
    if caching::is_fresh(call.headers(), &tag) {
        return Ok(caching::not_modified(|headers| caching::list(headers, &tag, private)));
    }
    let mut response = answer::json(StatusCode::OK, &document);
    if let (true, Some(last)) = (more, names.last()) {
        let n = entries_max.to_string();
        let link = paging::next_link("/v2/_catalog", &[("n", &n), ("last", last)]);
        answer::set(response.headers_mut(), LINK, &link);
    }
    caching::list(response.headers_mut(), &tag, private);
    Ok(response)
}

//! `/api/v0/meta/adoption`: what is still missing after a restore, and that it is over.

use auth::access_token::hex;
use axum::response::Response;
use consensus::cluster::Freshness;
use edge::answer;
use edge::caller::Need;
use edge::problem::Problem;
use http::StatusCode;
use metadata::adoption::{self, AdoptionFinish};
use serde_json::{Value, json};

use crate::call::Call;
use crate::moment;
use crate::paging::{self, Part};

/// Links that are looked at in one step, while nothing is applied; and steps of one answer.
const LINKS_MAX: usize = 500;
const STEPS_MAX: usize = 40;
/// Blobs of one answer, at most.
const MISSING_MAX: usize = 1_000;

/// Whether content is being adopted, and since when.
pub async fn get(call: Call) -> Result<Response, Problem> {
    call.administrator(Need::Fresh).await?;
    let read = call.context.cluster.read(Freshness::Local, |view| adoption::open(view));
    let document = match read.await? {
        None => json!({ "isOpen": false }),
        Some(row) => json!({
            "isOpen": true,
            "formerClusterID": row.former_cluster_id,
            "logIndex": row.log_index,
            "begunAt": moment::to_second(row.begun_wall_ms),
        }),
    };
    Ok(answer::json(StatusCode::OK, &document))
}

/// Ends it: collection begins again.
pub async fn finish(call: Call) -> Result<Response, Problem> {
    let caller = call.administrator(Need::Fresh).await?;
    let finish = AdoptionFinish { actor: caller.account().to_owned() };
    call.context.cluster.propose_for(caller.voucher(), finish.into()).await?;
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

/// A part of what manifests name and nobody has, by repository. It may be empty and yet say where
/// the list goes on.
pub async fn missing(call: Call) -> Result<Response, Problem> {
    call.administrator(Need::Fresh).await?;
    let part = Part::of_page(&call.query)?;
    let limit = part.limit.min(MISSING_MAX);
    let mut from = from_hex(&part.start).ok_or_else(paging::unreadable)?;
    let (mut shown, mut next): (Vec<Value>, Option<Vec<u8>>) = (Vec::new(), None);
    for _ in 0..STEPS_MAX {
        let links_max = LINKS_MAX.min(limit - shown.len());
        let read = call
            .context
            .cluster
            .read(Freshness::Local, |view| adoption::missing(view, &from, links_max));
        let page = read.await?;
        shown.extend(page.missing.into_iter().map(|missing| {
            json!({
                "repository": missing.repository.as_str(),
                "digest": missing.digest.as_str(),
                "size": missing.size,
            })
        }));
        next = page.next;
        match &next {
            Some(place) if shown.len() < limit => from.clone_from(place),
            _ => break,
        }
    }
    let mut response = answer::json(StatusCode::OK, &json!({ "missing": shown }));
    paging::tell(&mut response, next.map(|next| hex(&next)).as_deref(), None);
    Ok(response)
}

/// Reads where a page begins. A key of a link has at most 73 bytes, and one more.
fn from_hex(text: &str) -> Option<Vec<u8>> {
    if text.len() > 2 * 74 || !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    let pairs = (0..text.len()).step_by(2).map(|at| &text[at..at + 2]);
    pairs.map(|pair| u8::from_str_radix(pair, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::from_hex;

    #[test]
    fn a_place_is_hexadecimal_and_short() {
        let cases = [
            ("", Some(vec![])),
            ("00ff", Some(vec![0, 255])),
            ("0", None),
            ("0g", None),
            ("é0", None),
        ];
        for (text, place) in cases {
            assert_eq!(from_hex(text), place, "{text}");
        }
        assert_eq!(from_hex(&"00".repeat(75)), None);
    }
}

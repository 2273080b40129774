//! What jobs wrote down: at once, or as it comes.
//!
//! Source: dtr-interface 2.6, `JobLog`.

use std::io;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use consensus::cluster::{Cluster, Freshness};
use edge::answer;
use edge::caller::Need;
use edge::problem::Problem;
use futures::stream;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use metadata::jobs::logs::{self, LINES_MAX};
use metadata::jobs::{self as kept, JobId};
use metadata::refusal::Refusal;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::call::Call;
use crate::events::flag;
use crate::jobs::{existing, named, number};

/// Lines that are read at once.
const LINES_AT_ONCE: usize = 500;
/// A log that is followed is looked at this often.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Who follows one is let in anew this often: a right may be gone.
const ADMIT_EVERY: Duration = Duration::from_secs(15);
/// Nobody follows one for longer.
const FOLLOW_MAX: Duration = Duration::from_hours(24);

/// The lines of a job, from `offset` on; with `stream=true` one JSON object a line until it is
/// over.
pub async fn get(call: Call) -> Result<Response, Problem> {
    call.administrator(Need::Fresh).await?;
    let id = named(&call)?;
    existing(&call.context.cluster, &id).await?;
    let offset = number(&call.query, "offset")?.unwrap_or(0) as u64;
    let limit = number(&call.query, "limit")?.filter(|limit| *limit > 0);
    if flag(&call.query, "stream")? {
        return Ok(followed(call, id, offset));
    }
    let (mut left, mut from, mut lines) = (limit.unwrap_or(usize::MAX), offset, Vec::new());
    while left > 0 {
        let (part, _) = part(&call.context.cluster, &id, from, left.min(LINES_AT_ONCE)).await?;
        if part.is_empty() {
            break;
        }
        (left, from) = (left - part.len(), from + part.len() as u64);
        lines.extend(part);
    }
    debug_assert!(lines.len() as u64 <= 2 * LINES_MAX);
    Ok(answer::json(StatusCode::OK, &lines))
}

/// Some lines, and whether the job is over.
async fn part(
    cluster: &Cluster,
    id: &JobId,
    offset: u64,
    limit: usize,
) -> Result<(Vec<Value>, bool), Problem> {
    let read = cluster.read(Freshness::Local, |view| {
        let Some(job) = kept::find(view, id)? else { return Ok(None) };
        Ok(Some((logs::part(view, &job, offset, limit)?, job.status.is_over())))
    });
    let (lines, is_over) = read.await?.ok_or(Refusal::JobUnknown)?;
    let shown = lines.into_iter().map(|(number, data)| json!({ "lineNum": number, "data": data }));
    Ok((shown.collect(), is_over))
}

/// A log that is followed.
struct Following {
    call: Call,
    id: JobId,
    offset: u64,
    begun: Instant,
    admitted: Instant,
}

impl Following {
    /// The next lines; `None` at the end: the job is over, or gone, or whoever asks lost the right.
    async fn next(&mut self) -> Option<String> {
        loop {
            if self.admitted.elapsed() > ADMIT_EVERY {
                let admitted = self.call.administrator(Need::Fresh);
                admitted.await.ok()?;
                self.admitted = Instant::now();
            }
            let context = std::sync::Arc::clone(&self.call.context);
            let read = part(&context.cluster, &self.id, self.offset, LINES_AT_ONCE).await;
            let (lines, is_over) = read.ok()?;
            if !lines.is_empty() {
                self.offset += lines.len() as u64;
                return Some(lines.iter().map(|line| format!("{line}\n")).collect());
            }
            if is_over || context.is_draining() || self.begun.elapsed() > FOLLOW_MAX {
                return None;
            }
            sleep(LOOK_EVERY).await;
        }
    }
}

fn followed(call: Call, id: JobId, offset: u64) -> Response {
    let now = Instant::now();
    let following = Following { call, id, offset, begun: now, admitted: now };
    let lines = stream::unfold(following, async |mut following| {
        let text = following.next().await?;
        Some((Ok::<_, io::Error>(text), following))
    });
    let mut response = Response::new(Body::from_stream(lines));
    answer::set(response.headers_mut(), CONTENT_TYPE, "application/x-ndjson");
    response
}

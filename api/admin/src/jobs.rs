//! Jobs: what the cluster does by itself, `/api/v0/jobs` and `/enzi/v0/jobs`.
//!
//! Source: dtr-interface 1 (paging of jobs), 2.6, 4.

use axum::response::Response;
use consensus::cluster::{Cluster, Freshness};
use edge::answer;
use edge::caller::Need;
use edge::problem::Problem;
use edge::query::Query;
use http::StatusCode;
use metadata::jobs::commands::{JobCancel, JobCreate, JobDelete};
use metadata::jobs::{self as kept, JobId, JobRow, JobStatus};
use metadata::outcome::Answer;
use metadata::refusal::Refusal;
use metadata::replica::ReplicaId;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::call::Call;
use crate::job_form::{AskedSpec, shown, status_of};
use crate::moment;
use crate::paging;
use crate::reading::{read, read_changed};
use crate::reference::id_of;

/// Jobs of one answer where no number is asked for, and at most.
const LIMIT_DEFAULT: usize = 10;
const LIMIT_MAX: usize = 1_000;
/// Jobs that are looked at in one read.
const LOOKED_AT_ONCE: usize = 200;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Submission {
    scheduled_at: Option<String>,
    #[serde(flatten)]
    spec: AskedSpec,
}

/// Which jobs are wanted.
struct Filter {
    action: Option<String>,
    worker: Option<ReplicaId>,
    is_running: Option<bool>,
    status: Option<JobStatus>,
}

impl Filter {
    fn fits(&self, job: &JobRow) -> bool {
        self.action.as_ref().is_none_or(|action| *action == job.spec.action)
            && self.worker.is_none_or(|worker| job.worker == Some(worker))
            && self.is_running.is_none_or(|is_running| job.status.is_held() == is_running)
            && self.status.is_none_or(|status| job.status == status)
    }
}

/// A part of the jobs, those scheduled last first.
pub async fn list(call: Call) -> Result<Response, Problem> {
    call.administrator(Need::Fresh).await?;
    let (start, limit) = paged(&call.query)?;
    let Some(filter) = filter(&call.query)? else {
        return Ok(answer::json(StatusCode::OK, &json!({ "jobs": [] })));
    };
    let (found, more) = listed(&call.context.cluster, &filter, (start, limit)).await?;
    let mut response = answer::json(StatusCode::OK, &json!({ "jobs": found }));
    let next = more.then(|| (start + limit).to_string());
    paging::tell(&mut response, next.as_deref(), None);
    Ok(response)
}

/// The jobs of a part, and whether there are more; in between the tables are free for others.
async fn listed(
    cluster: &Cluster,
    filter: &Filter,
    (start, limit): (usize, usize),
) -> Result<(Vec<Value>, bool), Problem> {
    let (mut from, mut skipped, mut found) = (Vec::new(), 0, Vec::new());
    loop {
        let part = cluster
            .read(Freshness::Local, |view| kept::listing(view, &from, LOOKED_AT_ONCE))
            .await?;
        let is_last = part.len() < LOOKED_AT_ONCE;
        for (key, job) in part {
            from = key;
            if !filter.fits(&job) {
                continue;
            }
            if skipped < start {
                skipped += 1;
            } else if found.len() == limit {
                return Ok((found, true));
            } else {
                found.push(shown(&job));
            }
        }
        if is_last {
            return Ok((found, false));
        }
    }
}

/// Puts one into the queue; 202 with it.
pub async fn create(call: Call) -> Result<Response, Problem> {
    let caller = call.administrator(Need::Fresh).await?;
    let (actor, cluster) = (caller.account().to_owned(), call.context.cluster.clone());
    let Submission { scheduled_at, spec } = call.json().await?;
    let text = scheduled_at.filter(|text| !text.is_empty());
    let wrong = || parameter("scheduledAt is a time such as 2030-01-31T12:00:00Z, or absent");
    let scheduled = text.map(|text| moment::parse(&text).ok_or_else(wrong)).transpose()?;
    let scheduled_wall_ms = scheduled.unwrap_or(0);
    let create = JobCreate { actor, spec: spec.into_spec()?, scheduled_wall_ms };
    let answered = cluster.propose_for(caller.voucher(), create.into()).await?;
    let Answer::JobCreated { id } = answered else {
        return Err(Problem::Fault("a job was asked for and none was made".to_owned()));
    };
    let made = read_changed(&cluster, |view| Ok(kept::find(view, &id)?)).await?;
    let made = made.ok_or(Refusal::JobUnknown)?;
    Ok(answer::json(StatusCode::ACCEPTED, &shown(&made)))
}

/// Shows one.
pub async fn get(call: Call) -> Result<Response, Problem> {
    call.administrator(Need::Fresh).await?;
    let job = existing(&call.context.cluster, &named(&call)?).await?;
    Ok(answer::json(StatusCode::OK, &shown(&job)))
}

/// Ends one and takes it away with its log.
pub async fn delete(call: Call) -> Result<Response, Problem> {
    let caller = call.administrator(Need::Fresh).await?;
    let (id, actor) = (named(&call)?, caller.account().to_owned());
    let cluster = &call.context.cluster;
    cluster.propose_for(caller.voucher(), JobDelete { actor, id }.into()).await?;
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

/// Ends one that is not over; it stays, with its log.
pub async fn cancel(call: Call) -> Result<Response, Problem> {
    let caller = call.administrator(Need::Fresh).await?;
    let (id, actor) = (named(&call)?, caller.account().to_owned());
    let cluster = &call.context.cluster;
    cluster.propose_for(caller.voucher(), JobCancel { actor, id }.into()).await?;
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

/// The job that a path names; what is no id names none.
pub(crate) fn named(call: &Call) -> Result<JobId, Problem> {
    Ok(id_of(call.place("job")).ok_or(Refusal::JobUnknown)?)
}

/// The job of that id.
pub(crate) async fn existing(cluster: &Cluster, id: &JobId) -> Result<JobRow, Problem> {
    let found = read(cluster, Freshness::Local, |view| Ok(kept::find(view, id)?)).await?;
    Ok(found.ok_or(Refusal::JobUnknown)?)
}

fn paged(query: &Query) -> Result<(usize, usize), Problem> {
    let start = number(query, "start")?.unwrap_or(0);
    let limit = number(query, "limit")?.unwrap_or(LIMIT_DEFAULT);
    if limit == 0 {
        return Err(parameter("limit is a number above 0"));
    }
    Ok((start, limit.min(LIMIT_MAX)))
}

/// Reads a number of the query; one that is too large to read is as good as the largest.
pub(crate) fn number(query: &Query, name: &str) -> Result<Option<usize>, Problem> {
    let Some(text) = query.first(name).filter(|text| !text.is_empty()) else { return Ok(None) };
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(parameter(&format!("{name} is a number, not below 0")));
    }
    Ok(Some(text.parse().unwrap_or(usize::MAX >> 1)))
}

/// Reads the filters; `None` where no job can fit.
fn filter(query: &Query) -> Result<Option<Filter>, Problem> {
    let given = |name: &str| query.first(name).filter(|text| !matches!(*text, "" | "any" | "all"));
    let is_running = match given("running") {
        None => None,
        Some("true") => Some(true),
        Some("false") => Some(false),
        Some(_) => return Err(parameter("running is any, true or false")),
    };
    let known: Vec<&str> = JobStatus::WORDS.iter().map(|(_, word)| *word).collect();
    let wrong = || parameter(&format!("status is one of {}", known.join(", ")));
    let status = given("status").map(|word| status_of(word).ok_or_else(wrong)).transpose()?;
    let action = given("action").map(str::to_owned);
    let worker = match given("worker").map(ReplicaId::parse) {
        None => None,
        Some(Ok(worker)) => Some(worker),
        // Nobody is called so, and nobody has ever had a job under that name.
        Some(Err(_)) => return Ok(None),
    };
    Ok(Some(Filter { action, worker, is_running, status }))
}

fn parameter(text: &str) -> Problem {
    Problem::Parameter(text.to_owned())
}

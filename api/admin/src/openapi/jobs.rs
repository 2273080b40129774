//! What the routes of jobs, crons, their configuration and workers take and answer.

use serde_json::json;

use super::operation::{Operation, delete, get, post};
use super::shape::{
    Schema, between, digest, flag, form, list, map, number, object, or_null, shape, text, time,
    uuid, word,
};

/// Where a job stands.
const STATUSES: &[&str] = &[
    "waiting",
    "running",
    "done",
    "error",
    "cancel_request",
    "cancel",
    "worker_dead",
    "worker_shutdown",
    "worker_resurrection",
];

pub(super) fn operations() -> Vec<Operation> {
    let mut all = jobs();
    all.extend(crons());
    all.extend(action_configs());
    all.extend(workers());
    all.extend(collection());
    all
}

/// The objects of these routes.
pub(super) fn shapes() -> Vec<(&'static str, Schema)> {
    let spec = [
        ("action", text()),
        ("capacityMap", map(&number())),
        ("parameters", map(&text())),
        ("deadline", text()),
        ("stopTimeout", text()),
    ];
    let with = |more: &[(&'static str, Schema)]| object(&[&spec, more].concat());
    let job = with(&[
        ("id", uuid()),
        // The id of the job that failed; empty where this is the first attempt.
        ("retryFromID", text()),
        ("workerID", text()),
        ("status", word(STATUSES)),
        ("scheduledAt", time()),
        ("lastUpdated", time()),
        ("retriesLeft", number()),
        ("retriesTotal", number()),
        ("message", text()),
    ]);
    let cron =
        with(&[("id", uuid()), ("schedule", text()), ("nextRun", time()), ("retries", number())]);
    let config = object(&[("id", uuid()), ("action", text()), ("parameters", map(&text()))]);
    let worker = object(&[
        ("id", text()),
        ("status", word(&["running", "dead"])),
        ("capacityMap", map(&number())),
        ("heartbeatExpiration", time()),
    ]);
    vec![
        ("Job", job),
        ("JobLog", object(&[("data", text()), ("lineNum", number())])),
        ("Cron", cron),
        ("ActionConfig", config),
        ("Worker", worker),
    ]
}

/// What work is told: a text; numbers and flags are taken as such.
fn value() -> Schema {
    json!({ "anyOf": [text(), number(), flag()] })
}

fn asked(more: &[(&'static str, Schema)]) -> Schema {
    let spec = [
        ("action", text()),
        ("parameters?", map(&value())),
        ("retries?", between(0, 100)),
        ("capacityMap?", map(&between(0, 1_000))),
        ("deadline?", text()),
        ("stopTimeout?", text()),
    ];
    form(&[&spec, more].concat())
}

fn listed(path: &'static str) -> Operation {
    get(path, "A part of the jobs, those scheduled last first")
        .asks("action", text(), "of this action only; `any` for all")
        .asks("worker", text(), "of this replica only; `any` for all")
        .asks("running", word(&["any", "true", "false"]), "which a worker has, or none")
        .asks("status", text(), "of this status only; `any` for all")
        .asks("start", number(), "so many are passed over")
        .asks("limit", between(1, 1_000), "jobs, 10 where none is asked for")
        .in_parts()
        .answers(200, object(&[("jobs", list(&shape("Job")))]))
}

fn jobs() -> Vec<Operation> {
    let (all, one) = ("/api/v0/jobs", "/api/v0/jobs/{job}");
    vec![
        listed(all),
        listed("/enzi/v0/jobs"),
        post(all, "Puts a job into the queue")
            .takes(asked(&[("scheduledAt?", text())]))
            .answers(202, shape("Job"))
            .fails(409, &["NOT_ALLOWED"]),
        get(one, "A job").answers(200, shape("Job")),
        get("/enzi/v0/jobs/{job}", "A job").answers(200, shape("Job")),
        delete(one, "Ends a job and takes it away with its log"),
        post("/api/v0/jobs/{job}/cancel", "Ends a job").ends(204),
        // A stream has no shape that this document could tell of.
        get(
            "/api/v0/jobs/{job}/logs",
            "What a job wrote down; with `stream=true` an object a line, until the job is over",
        )
        .asks("offset", number(), "from this line on, counted from 0")
        .asks("limit", number(), "lines; 0 for all")
        .answers(200, list(&shape("JobLog"))),
    ]
}

fn crons() -> Vec<Operation> {
    let (all, one) = ("/api/v0/crons", "/api/v0/crons/{action}");
    vec![
        get(all, "All crons").answers(200, object(&[("crons", list(&shape("Cron")))])),
        post(all, "Makes or replaces the cron of an action")
            .takes(asked(&[("schedule", text())]))
            .answers(202, shape("Cron")),
        get(one, "The cron of an action").answers(200, shape("Cron")).fails(404, &["NO_SUCH_CRON"]),
        delete(one, "Takes the cron of an action away").fails(404, &["NO_SUCH_CRON"]),
    ]
}

fn action_configs() -> Vec<Operation> {
    let (all, one) = ("/api/v0/action_configs", "/api/v0/action_configs/{action}");
    let wanted = form(&[("action", text()), ("parameters?", map(&value()))]);
    vec![
        get(all, "What jobs are told where they are not told otherwise")
            .answers(200, object(&[("actionConfigs", list(&shape("ActionConfig")))])),
        post(all, "Says what the jobs of an action are told")
            .takes(wanted)
            .answers(202, shape("ActionConfig")),
        get(one, "What the jobs of an action are told")
            .answers(200, shape("ActionConfig"))
            .fails(404, &["NO_SUCH_ACTION_CONFIG"]),
        delete(one, "Tells the jobs of an action nothing any more")
            .fails(404, &["NO_SUCH_ACTION_CONFIG"]),
    ]
}

fn collection() -> Vec<Operation> {
    let sum = || object(&[("blobs", number()), ("bytes", number())]);
    let reclaimable = object(&[("blobs", number()), ("bytes", number()), ("isAtLeast", flag())]);
    let whole = object(&[
        ("kept", sum()),
        ("named", sum()),
        ("leased", sum()),
        ("idle", sum()),
        ("condemned", sum()),
        ("reclaimable", reclaimable),
        ("graceSeconds", number()),
        ("undeleteWindowSeconds", number()),
        ("schedule", or_null(&shape("Cron"))),
        ("running", or_null(&shape("Job"))),
        ("lastRun", or_null(&shape("Job"))),
    ]);
    let planned = object(&[
        ("digest", digest()),
        ("size", number()),
        ("state", word(&["condemned", "ready", "grace", "undelete", "leased"])),
        ("repository", or_null(&text())),
        ("until", or_null(&time())),
        ("idleSince", or_null(&time())),
    ]);
    let place = object(&[
        ("repository", or_null(&text())),
        ("references", number()),
        ("leaseUntil", or_null(&time())),
        ("isHeldForUndelete", flag()),
    ]);
    let explained = object(&[
        ("digest", digest()),
        ("size", number()),
        ("goesWithTheNextRun", flag()),
        ("references", number()),
        ("graceUntil", or_null(&time())),
        ("repositories", list(&place)),
        ("hasMoreRepositories", flag()),
        ("holders", list(&text())),
    ]);
    vec![
        get("/api/v0/gc", "How much collection could take, how it is set, what runs and ran")
            .answers(200, whole),
        get("/api/v0/gc/plan", "Blobs that no manifest names, and what becomes of each")
            .asks("pageStart", text(), "what `X-Next-Page-Start` was; absent for the beginning")
            .asks("pageSize", between(1, 10_000), "entries, 10 where none is asked for")
            .asks("state", text(), "condemned, ready, grace, undelete or leased; `any` for all")
            .in_parts()
            .answers(200, object(&[("blobs", list(&planned))])),
        get("/api/v0/gc/blobs/{digest}", "Why a blob stays, or that it goes")
            .answers(200, explained),
    ]
}

fn workers() -> Vec<Operation> {
    let workers = || object(&[("workers", list(&shape("Worker")))]);
    vec![
        get("/api/v0/workers", "What does jobs").answers(200, workers()),
        get("/enzi/v0/workers", "What does jobs").answers(200, workers()),
        post("/api/v0/workers/{worker}/capacity", "Says what jobs may take of a worker")
            .takes(form(&[("capacityMap", map(&between(0, 1_000)))]))
            .ends(202),
    ]
}

//! Jobs, crons, what they are told, and workers: asked for, listed and ended. Nothing works on them
//! here; that a worker does is tested with one.

use metadata::jobs::running::{Ending, JobClaim, JobEnd, JobHold};
use metadata::jobs::workers::{WorkerBeat, WorkerLeave};
use metadata::outcome::Answer;
use serde_json::{Value, json};

use crate::harness::Registry;
use crate::roles::ask;

const JOBS: &str = "/api/v0/jobs";
const LIFE: [u8; 16] = [7; 16];

async fn submit(registry: &Registry, body: &Value) -> Value {
    ask(registry, "POST", JOBS, &body.to_string()).await.is(202).json()
}

async fn listed(registry: &Registry, query: &str) -> Vec<String> {
    let path = format!("{JOBS}?{query}");
    let answer = ask(registry, "GET", &path, "").await.is(200).json();
    let jobs = answer["jobs"].as_array().unwrap().iter();
    jobs.map(|job| job["id"].as_str().unwrap().to_owned()).collect()
}

fn id(job: &Value) -> String {
    job["id"].as_str().unwrap().to_owned()
}

/// This replica's worker lives and claims what is next.
async fn claims(registry: &Registry) -> JobHold {
    let (replica_id, life) = (registry.cluster.replica_id(), LIFE);
    registry.cluster.propose(WorkerBeat { replica_id, life, notes: vec![] }.into()).await.unwrap();
    let actions = vec!["sleep".to_owned(), "false".to_owned()];
    match registry.cluster.propose(JobClaim { replica_id, life, actions }.into()).await.unwrap() {
        Answer::JobClaimed { hold: Some(hold) } => hold,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_job_is_asked_for_seen_and_ended() {
    let registry = Registry::start().await;
    let asked = json!({
        "action": "sleep", "parameters": {"seconds": 5}, "retries": 1, "deadline": "1h30m",
        "capacityMap": {"scan": 1}, "stopTimeout": "", "scheduledAt": "",
    });
    let job = submit(&registry, &asked).await;
    assert_eq!(job["parameters"], json!({"seconds": "5"}));
    assert_eq!((&job["status"], &job["deadline"]), (&json!("waiting"), &json!("1h30m")));
    let path = format!("{JOBS}/{}", id(&job));
    assert_eq!(ask(&registry, "GET", &path, "").await.is(200).json(), job);
    let enzi = path.replace("/api/", "/enzi/");
    assert_eq!(ask(&registry, "GET", &enzi, "").await.is(200).json(), job);

    let hold = claims(&registry).await;
    let running = ask(&registry, "GET", &path, "").await.is(200).json();
    assert_eq!(running["status"], "running");
    assert_eq!(running["workerID"], registry.cluster.replica_id().to_string());
    ask(&registry, "POST", &format!("{path}/cancel"), "").await.is(204);
    let told = ask(&registry, "GET", &path, "").await.is(200).json();
    assert_eq!(told["status"], "cancel_request");
    let (ending, message, lines) = (Ending::Stopped, String::new(), vec!["one".to_owned()]);
    let end = JobEnd { hold, ending, message, lines, effect: None };
    registry.cluster.propose(end.into()).await.unwrap();
    ask(&registry, "POST", &format!("{path}/cancel"), "").await.is(204);

    let logs = async |query: &str| -> Vec<(u64, String)> {
        let logs = ask(&registry, "GET", &format!("{path}/logs?{query}"), "").await.is(200).json();
        let lines = logs.as_array().unwrap().iter();
        let line =
            |it: &Value| (it["lineNum"].as_u64().unwrap(), it["data"].as_str().unwrap().to_owned());
        lines.map(line).collect()
    };
    let all = logs("").await;
    assert_eq!(all.last().unwrap().1, "stopped");
    assert_eq!(logs("offset=1&limit=2").await, all[1..3]);
    assert_eq!(logs("offset=1&limit=0").await, all[1..]);
    assert!(logs("offset=1000").await.is_empty());
    ask(&registry, "GET", &format!("{path}/logs?offset=x"), "")
        .await
        .fails(400, "INVALID_PARAMETERS");
    ask(&registry, "DELETE", &path, "").await.is(204);
    for (method, path) in [
        ("GET", path.clone()),
        ("DELETE", path.clone()),
        ("POST", format!("{path}/cancel")),
        ("GET", format!("{path}/logs")),
        ("GET", format!("{JOBS}/no-id")),
    ] {
        ask(&registry, method, &path, "").await.fails(404, "NO_SUCH_JOB");
    }
}

#[tokio::test]
async fn jobs_are_listed_by_pages_and_filters_those_scheduled_last_first() {
    let registry = Registry::start().await;
    let mut ids = Vec::new();
    for number in 0..13 {
        let action = if number % 2 == 0 { "sleep" } else { "false" };
        let at = format!("2100-01-{:02}T00:00:00Z", number + 1);
        ids.push(id(&submit(&registry, &json!({"action": action, "scheduledAt": at})).await));
    }
    ids.reverse();
    assert_eq!(listed(&registry, "").await, ids[..10]);
    assert_eq!(listed(&registry, "start=10").await, ids[10..]);
    assert_eq!(listed(&registry, "start=2&limit=3").await, ids[2..5]);
    assert_eq!(listed(&registry, "limit=100000").await, ids);
    let evens: Vec<String> = ids.iter().step_by(2).cloned().collect();
    assert_eq!(listed(&registry, "action=sleep&limit=50&worker=any&running=any").await, evens);
    assert_eq!(listed(&registry, "action=poll_mirror").await, [""; 0]);
    let page = ask(&registry, "GET", "/enzi/v0/jobs?limit=5", "").await.is(200);
    assert_eq!(page.header("x-next-page-start"), "5");

    let now = id(&submit(&registry, &json!({"action": "sleep"})).await);
    claims(&registry).await;
    let own = registry.cluster.replica_id();
    for query in ["running=true", "status=running", &format!("worker={own}")] {
        assert_eq!(listed(&registry, query).await, [now.as_str()], "{query}");
    }
    assert_eq!(listed(&registry, "running=false&limit=50").await, ids);
    assert!(listed(&registry, "worker=000000000000").await.is_empty());
    assert!(listed(&registry, "worker=nobody").await.is_empty());
    ask(&registry, "POST", &format!("{JOBS}/{}/cancel", ids[3]), "").await.is(204);
    for word in ["cancel", "canceled"] {
        assert_eq!(listed(&registry, &format!("status={word}")).await, [ids[3].as_str()]);
    }
    for query in ["limit=0", "limit=-1", "start=x", "running=maybe", "status=deleted"] {
        let answer = ask(&registry, "GET", &format!("{JOBS}?{query}"), "").await;
        answer.fails(400, "INVALID_PARAMETERS");
    }
}

#[tokio::test]
async fn what_is_no_job_or_cron_is_refused_with_its_reason() {
    let registry = Registry::start().await;
    let (job, cron, config) = (JOBS, "/api/v0/crons", "/api/v0/action_configs");
    let long = "x".repeat(9_000);
    for (path, body) in [
        (job, json!({})),
        (job, json!({"action": "frobnicate"})),
        (job, json!({"action": "sleep", "deadline": "soon"})),
        (job, json!({"action": "sleep", "scheduledAt": "soon"})),
        (job, json!({"action": "sleep", "retries": 101})),
        (job, json!({"action": "sleep", "parameters": {"a": long}})),
        (job, json!({"action": "sleep", "parameters": {"a": ["b"]}})),
        (cron, json!({"action": "sleep"})),
        (cron, json!({"action": "sleep", "schedule": "30 3 * * *"})),
        (cron, json!({"action": "frobnicate", "schedule": "@daily"})),
        (cron, json!({"action": "ldap_sync", "schedule": "@daily"})),
        (config, json!({"parameters": {}})),
        (config, json!({"action": "frobnicate"})),
    ] {
        let answer = ask(&registry, "POST", path, &body.to_string()).await;
        answer.fails(400, "INVALID_PARAMETERS");
    }
    ask(&registry, "POST", job, r#"{"action": 5}"#).await.fails(400, "INVALID_JSON");
    ask(&registry, "DELETE", "/api/v0/crons/ldap_sync", "").await.fails(400, "INVALID_PARAMETERS");
    for (path, code) in [(cron, "NO_SUCH_CRON"), (config, "NO_SUCH_ACTION_CONFIG")] {
        for method in ["GET", "DELETE"] {
            ask(&registry, method, &format!("{path}/sleep"), "").await.fails(404, code);
        }
    }
    let capacity = json!({"capacityMap": {"scan": 3}}).to_string();
    for worker in ["000000000000", "nobody"] {
        let path = format!("/api/v0/workers/{worker}/capacity");
        ask(&registry, "POST", &path, &capacity).await.fails(404, "NO_SUCH_WORKER");
    }
}

#[tokio::test]
async fn crons_their_configuration_and_workers_are_set_and_shown() {
    let registry = Registry::start().await;
    let cron = json!({"action": "sleep", "schedule": "57 54 3 * * *", "retries": 2});
    let made = ask(&registry, "POST", "/api/v0/crons", &cron.to_string()).await.is(202).json();
    assert!(made["nextRun"].as_str().unwrap().ends_with("T03:54:57Z"), "{made}");
    assert_eq!((&made["retries"], &made["stopTimeout"]), (&json!(2), &json!("0s")));
    let all = ask(&registry, "GET", "/api/v0/crons", "").await.is(200).json();
    assert_eq!(all, json!({"crons": [made]}));
    ask(&registry, "DELETE", "/api/v0/crons/sleep", "").await.is(204);

    let config = json!({"action": "sleep", "parameters": {"seconds": 1, "a": "b"}});
    let configs = "/api/v0/action_configs";
    let made = ask(&registry, "POST", configs, &config.to_string()).await.is(202).json();
    let all = ask(&registry, "GET", configs, "").await.is(200).json();
    assert_eq!(all, json!({"actionConfigs": [made]}));
    let job = json!({"action": "sleep", "parameters": {"seconds": 2}});
    let job = submit(&registry, &job).await;
    assert_eq!(job["parameters"], json!({"seconds": "2", "a": "b"}), "a job's own win");
    ask(&registry, "DELETE", &format!("{configs}/sleep"), "").await.is(204);

    assert_eq!(ask(&registry, "GET", "/api/v0/workers", "").await.json(), json!({"workers": []}));
    claims(&registry).await;
    let own = registry.cluster.replica_id();
    let body = json!({"capacityMap": {"scan": 3}}).to_string();
    let path = format!("/api/v0/workers/{own}/capacity");
    ask(&registry, "POST", &path, &body).await.is(202);
    let workers = ask(&registry, "GET", "/enzi/v0/workers", "").await.is(200).json();
    let worker = &workers["workers"][0];
    assert_eq!((&worker["id"], &worker["status"]), (&json!(own.to_string()), &json!("running")));
    assert_eq!(worker["capacityMap"], json!({"scan": 3}));
    let leave = WorkerLeave { replica_id: own, life: LIFE };
    registry.cluster.propose(leave.into()).await.unwrap();
    let workers = ask(&registry, "GET", "/api/v0/workers", "").await.is(200).json();
    assert_eq!(workers["workers"][0]["status"], "dead");
}

#[tokio::test]
async fn jobs_are_for_system_administrators_and_what_they_ask_is_audited() {
    let registry = Registry::start().await;
    registry.user("ann").await;
    let id = id(&submit(&registry, &json!({"action": "sleep", "parameters": {"a": "b"}})).await);
    let one = format!("{JOBS}/{id}");
    for (method, path) in [
        ("GET", JOBS.to_owned()),
        ("POST", JOBS.to_owned()),
        ("GET", one.clone()),
        ("DELETE", one.clone()),
        ("POST", format!("{one}/cancel")),
        ("GET", format!("{one}/logs")),
        ("GET", "/api/v0/crons".to_owned()),
        ("POST", "/api/v0/crons".to_owned()),
        ("DELETE", "/api/v0/crons/sleep".to_owned()),
        ("POST", "/api/v0/action_configs".to_owned()),
        ("GET", "/api/v0/workers".to_owned()),
        ("POST", "/api/v0/workers/000000000000/capacity".to_owned()),
        ("GET", "/enzi/v0/jobs".to_owned()),
        ("GET", "/enzi/v0/workers".to_owned()),
    ] {
        let by_ann = registry.ask(method, &path).by(("ann", "pw")).body("{}").send().await;
        by_ann.fails(403, "NOT_AUTHORIZED");
        registry.ask(method, &path).send().await.fails(401, "NOT_AUTHENTICATED");
    }
    ask(&registry, "DELETE", &one, "").await.is(204);
    let audit = ask(&registry, "GET", "/api/v0/audit?pageSize=2", "").await.is(200).json();
    let told = audit["records"].as_array().unwrap().iter();
    let told: Vec<_> = told.map(|it| (it["action"].clone(), it["object"].clone())).collect();
    assert_eq!(told, [(json!("job.delete"), json!(id)), (json!("job.create"), json!("sleep"))]);
    let facts = audit["records"][1]["facts"].to_string();
    assert!(facts.contains(&id) && !facts.contains("\"b\""), "{facts}");
}

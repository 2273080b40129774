//! Jobs over three replicas that are killed, stopped and brought back: each is done by one at a
//! time, by another one where that dies, and takes effect once.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use chaos_tests::cluster::Cluster;
use chaos_tests::logs;
use chaos_tests::registry::expect;
use futures::StreamExt;
use reqwest::{Method, StatusCode};
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::time::sleep;

/// A lease lasts fifteen seconds; who watches it waits half a second more, and looks every second.
const TAKEN_OVER_WITHIN: Duration = Duration::from_secs(25);
/// Whatever else comes is there by then, also while a leader is elected.
const SOON: Duration = Duration::from_secs(30);

/// No replica may have panicked or logged a secret.
fn ends_well(cluster: &Cluster) {
    let complaints = logs::complaints(cluster).unwrap();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// A job is put into the queue at a replica; its id.
async fn run(cluster: &Cluster, at: usize, body: &Value) -> String {
    let request = cluster.registry.basic(at, Method::POST, "/api/v0/jobs").json(body);
    let made = expect(request, &[StatusCode::ACCEPTED]).await.unwrap();
    let made: Value = made.json().await.unwrap();
    made["id"].as_str().unwrap().to_owned()
}

async fn sleeps(cluster: &Cluster, at: usize, seconds: u32) -> String {
    run(cluster, at, &json!({"action": "sleep", "parameters": {"seconds": seconds}})).await
}

/// The job as a replica that runs shows it, once `is_so`; fails after `within`.
async fn until(
    cluster: &mut Cluster,
    id: &str,
    within: Duration,
    is_so: impl Fn(&Value) -> bool,
) -> Value {
    let begun = Instant::now();
    let mut last = Value::Null;
    while begun.elapsed() < within {
        for place in cluster.running() {
            if let Ok(job) = cluster.registry.json(place, &format!("/api/v0/jobs/{id}")).await {
                if is_so(&job) {
                    return job;
                }
                last = job;
                break;
            }
        }
        sleep(Duration::from_millis(100)).await;
    }
    panic!("not within {within:?}: {last}; its log: {:#?}", lines(cluster, id).await);
}

fn has_status(status: &str) -> impl Fn(&Value) -> bool + '_ {
    move |job| job["status"] == status
}

/// What a job wrote down.
async fn lines(cluster: &mut Cluster, id: &str) -> Vec<String> {
    let place = cluster.running()[0];
    let path = format!("/api/v0/jobs/{id}/logs");
    let lines = cluster.registry.json(place, &path).await.unwrap_or_default();
    let lines = lines.as_array().cloned().unwrap_or_default();
    lines.iter().map(|line| line["data"].as_str().unwrap_or_default().to_owned()).collect()
}

/// Waits until the work itself, begun so many times, has told of it.
async fn until_written(cluster: &mut Cluster, id: &str, times: usize) {
    let begun = Instant::now();
    while count(&lines(cluster, id).await, "it sleeps") < times {
        assert!(begun.elapsed() < SOON, "the job does not write");
        sleep(Duration::from_millis(200)).await;
    }
}

fn count(lines: &[String], text: &str) -> usize {
    lines.iter().filter(|line| line.contains(text)).count()
}

/// The place of the replica that does a job.
fn worker(cluster: &Cluster, job: &Value) -> usize {
    let id = job["workerID"].as_str().unwrap();
    cluster.replicas.iter().position(|replica| replica.id == id).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_whose_worker_is_killed_is_done_by_another_replica() {
    let mut cluster = Cluster::start(3).await.unwrap();
    let id = sleeps(&cluster, 0, 6).await;
    let first = until(&mut cluster, &id, SOON, has_status("running")).await;
    let killed = worker(&cluster, &first);
    cluster.kill(killed).await.unwrap();
    let begun = Instant::now();
    let own = first["workerID"].clone();
    let taken = until(&mut cluster, &id, TAKEN_OVER_WITHIN, |job| {
        job["status"] == "running" && job["workerID"] != own
    });
    let taken = taken.await;
    println!("taken over after {:?}", begun.elapsed());
    cluster.restart(killed).unwrap();
    let done = until(&mut cluster, &id, SOON, has_status("done")).await;
    assert_eq!(done["workerID"], taken["workerID"]);
    assert_eq!(done["message"], "it has slept");
    cluster.wait_healthy().await.unwrap();
    let lines = lines(&mut cluster, &id).await;
    let counted = ["claimed by worker", "is dead: its lease ended", "done"];
    assert_eq!(counted.map(|text| count(&lines, text)), [2, 1, 1], "{lines:#?}");

    // All three work again, and what is asked then is done.
    let began = Instant::now();
    loop {
        let workers = cluster.registry.json(0, "/api/v0/workers").await.unwrap();
        let workers = workers["workers"].as_array().unwrap().clone();
        if workers.len() == 3 && workers.iter().all(|it| it["status"] == "running") {
            break;
        }
        assert!(began.elapsed() < SOON, "{workers:#?}");
        sleep(Duration::from_millis(200)).await;
    }
    let next = run(&cluster, killed, &json!({"action": "onlinegc_events"})).await;
    until(&mut cluster, &next, SOON, has_status("done")).await;
    ends_well(&cluster);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_was_taken_for_dead_and_comes_back_changes_nothing() {
    let mut cluster = Cluster::start(3).await.unwrap();
    let id = sleeps(&cluster, 1, 4).await;
    let first = until(&mut cluster, &id, SOON, has_status("running")).await;
    let stopped = worker(&cluster, &first);
    cluster.replicas[stopped].signal(Signal::STOP).unwrap();
    let other = (stopped + 1) % 3;
    let begun = Instant::now();
    loop {
        let job = cluster.registry.json(other, &format!("/api/v0/jobs/{id}")).await;
        if job.is_ok_and(|job| job["status"] == "done") {
            break;
        }
        assert!(begun.elapsed() < TAKEN_OVER_WITHIN + SOON, "nobody took it over");
        sleep(Duration::from_millis(200)).await;
    }
    // The zombie wakes up in the middle of the same job and would end it, too.
    cluster.replicas[stopped].signal(Signal::CONT).unwrap();
    cluster.wait_healthy().await.unwrap();
    sleep(Duration::from_secs(6)).await;
    let job = cluster.registry.json(stopped, &format!("/api/v0/jobs/{id}")).await.unwrap();
    assert_eq!(job["status"], "done");
    assert_ne!(worker(&cluster, &job), stopped, "{job}");
    let lines = lines(&mut cluster, &id).await;
    assert_eq!((count(&lines, "done"), count(&lines, "claimed by")), (1, 2), "{lines:#?}");
    ends_well(&cluster);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cron_fires_each_moment_once_over_three_replicas_and_a_change_of_leaders() {
    let mut cluster = Cluster::start(3).await.unwrap();
    let cron = json!({
        "action": "rotate_token_key", "schedule": "*/2 * * * * *",
        "parameters": {"dropFormer": true},
    });
    let request = cluster.registry.basic(2, Method::POST, "/api/v0/crons").json(&cron);
    expect(request, &[StatusCode::ACCEPTED]).await.unwrap();
    sleep(Duration::from_secs(9)).await;
    let leader = cluster.leader().await.unwrap();
    cluster.kill(leader).await.unwrap();
    let left = cluster.leader().await.unwrap();
    sleep(Duration::from_secs(9)).await;
    cluster.restart(leader).unwrap();
    cluster.wait_healthy().await.unwrap();
    let path = "/api/v0/crons/rotate_token_key";
    let request = cluster.registry.basic(left, Method::DELETE, path);
    expect(request, &[StatusCode::NO_CONTENT]).await.unwrap();

    let path = "/api/v0/jobs?action=rotate_token_key&limit=1000";
    let begun = Instant::now();
    let jobs = loop {
        let jobs = cluster.registry.json(left, path).await.unwrap()["jobs"].clone();
        let jobs = jobs.as_array().unwrap().clone();
        if jobs.iter().all(|job| job["status"] == "done") {
            break jobs;
        }
        assert!(begun.elapsed() < TAKEN_OVER_WITHIN + SOON, "{jobs:#?}");
        sleep(Duration::from_millis(200)).await;
    };
    let moments: BTreeSet<&str> =
        jobs.iter().map(|job| job["scheduledAt"].as_str().unwrap()).collect();
    assert_eq!(moments.len(), jobs.len(), "a moment fired twice: {jobs:#?}");
    assert!(jobs.len() >= 5, "{jobs:#?}");
    // What they changed stands in the audit log, once each.
    let audit = "/api/v0/audit?action=token-key.rotate&pageSize=1000";
    let records = cluster.registry.json(left, audit).await.unwrap();
    assert_eq!(records["records"].as_array().unwrap().len(), jobs.len());
    println!("{} moments, each once", jobs.len());
    ends_well(&cluster);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_is_stopped_hands_its_job_over_and_a_cancelled_job_stops() {
    let mut cluster = Cluster::start(3).await.unwrap();
    let id = sleeps(&cluster, 0, 300).await;
    let first = until(&mut cluster, &id, SOON, has_status("running")).await;
    let stopped = worker(&cluster, &first);
    until_written(&mut cluster, &id, 1).await;
    let begun = Instant::now();
    assert_eq!(cluster.replicas[stopped].stop().await.unwrap(), Some(0));
    let own = first["workerID"].clone();
    // Much sooner than its lease would have been over.
    let taken = until(&mut cluster, &id, Duration::from_secs(10), |job| {
        job["status"] == "running" && job["workerID"] != own
    });
    taken.await;
    println!("handed over after {:?}", begun.elapsed());
    let written = lines(&mut cluster, &id).await;
    assert_eq!(count(&written, "was stopped and gave it back"), 1, "{written:#?}");
    cluster.restart(stopped).unwrap();
    cluster.wait_healthy().await.unwrap();

    until_written(&mut cluster, &id, 2).await;
    let streamed = tokio::spawn(stream(&cluster, stopped, &id));
    let path = format!("/api/v0/jobs/{id}/cancel");
    let request = cluster.registry.basic(stopped, Method::POST, &path);
    expect(request, &[StatusCode::NO_CONTENT]).await.unwrap();
    until(&mut cluster, &id, Duration::from_secs(10), has_status("cancel")).await;
    let written = lines(&mut cluster, &id).await;
    assert_eq!(count(&written, "it was woken up before its time"), 2, "{written:#?}");
    let streamed = tokio::time::timeout(SOON, streamed).await.unwrap().unwrap();
    assert_eq!(streamed, written, "a stream of the log ends with the job and has all of it");
    ends_well(&cluster);
}

/// What a stream of a job's log has when it ends.
fn stream(
    cluster: &Cluster,
    at: usize,
    id: &str,
) -> impl Future<Output = Vec<String>> + Send + use<> {
    let path = format!("/api/v0/jobs/{id}/logs?stream=true");
    let request = cluster.registry.basic(at, Method::GET, &path);
    async move {
        let mut pieces = request.timeout(SOON).send().await.unwrap().bytes_stream();
        let mut text = Vec::new();
        while let Some(piece) = pieces.next().await {
            text.extend(piece.unwrap());
        }
        let text = String::from_utf8(text).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.map(|line| line["data"].as_str().unwrap().to_owned()).collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_job_is_tried_again_and_an_idle_cluster_is_idle() {
    let mut cluster = Cluster::start(3).await.unwrap();
    let body = json!({"action": "false", "retries": 1});
    let id = run(&cluster, 0, &body).await;
    let failed = until(&mut cluster, &id, SOON, has_status("error")).await;
    assert_eq!(failed["message"], "it is to fail");
    let jobs = cluster.registry.json(1, "/api/v0/jobs?action=false").await.unwrap();
    let again = jobs["jobs"][0].clone();
    assert_eq!((&again["retryFromID"], &again["retriesLeft"]), (&json!(id), &json!(0)));
    until(&mut cluster, again["id"].as_str().unwrap(), SOON, has_status("error")).await;

    let deadline = json!({
        "action": "sleep", "deadline": "2s", "stopTimeout": "5s", "parameters": {"seconds": 300},
    });
    let id = run(&cluster, 2, &deadline).await;
    let ended = until(&mut cluster, &id, SOON, has_status("error")).await;
    assert!(ended["message"].as_str().unwrap().contains("deadline"), "{ended}");

    let committed = async |cluster: &Cluster| {
        cluster.status(0).await.unwrap()["raft"]["committed"].as_u64().unwrap()
    };
    let before = committed(&cluster).await;
    sleep(Duration::from_secs(20)).await;
    let entries = committed(&cluster).await - before;
    println!("{entries} entries in 20 idle seconds");
    // One in thirty seconds of each replica, and some to spare.
    assert!(entries <= 6, "{entries}");
    ends_well(&cluster);
}

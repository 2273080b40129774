//! Replicas that are killed, stopped and left behind while clients push: what was promised still
//! holds.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

#[path = "replicas/sent_again.rs"]
mod sent_again;

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use chaos_tests::checker::{self, Violation, durable, prompt};
use chaos_tests::cluster::Cluster;
use chaos_tests::history::{Condition, Outcome, Recorder, to_lines};
use chaos_tests::image::{Blob, Image};
use chaos_tests::length::Length;
use chaos_tests::logs;
use chaos_tests::nemesis::Nemesis;
use chaos_tests::pieces::Pieces;
use chaos_tests::process::Tuning;
use chaos_tests::pulse::Pulse;
use chaos_tests::registry::expect;
use chaos_tests::sweep::fetch_everything;
use chaos_tests::workload::{
    REPOSITORY, Shape, Workload, look_recorded, look_recorded_since, push_recorded,
};
use reqwest::{Method, StatusCode};
use rustix::process::Signal;
use tokio::time::sleep;

const SWEEP: Duration = Duration::from_mins(1);

/// Stops the test with every violation, and keeps the history beside the logs.
fn holds(cluster: &mut Cluster, history: &Recorder, violations: &[Violation]) {
    if !violations.is_empty() {
        let path = cluster.folder().join("history.jsonl");
        fs::write(&path, to_lines(&history.events()).unwrap()).unwrap();
        let kept = cluster.keep_folder();
        let shown = violations.iter().take(20).cloned().collect::<Vec<_>>().join("\n");
        panic!("{} violations; {kept}; {}:\n{shown}", violations.len(), path.display());
    }
}

/// No replica may have panicked or logged a secret.
fn ends_well(cluster: &Cluster) {
    let complaints = logs::complaints(cluster).unwrap();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// Everything acknowledged is fetched from these replicas and must be right.
async fn swept(cluster: &mut Cluster, history: &Recorder, places: &[usize]) {
    let registry = cluster.registry.clone();
    fetch_everything(&registry, REPOSITORY, history, places, SWEEP).await;
    let violations = durable::violations(&history.events(), places);
    holds(cluster, history, &violations);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_look_elsewhere_never_sees_an_older_digest() {
    let rounds = Length::of_this_run().rounds;
    let mut cluster = Cluster::start(3).await.unwrap();
    let registry = cluster.registry.clone();
    let history = Recorder::default();
    let _pulse = Pulse::start(&history);
    let layer = Blob::random(1, 4_096);
    let target = (REPOSITORY, "latest");
    let began = Instant::now();
    for round in 0..rounds {
        let image = Image::of_layers(vec![layer.clone()], round);
        let at = usize::try_from(round % 3).unwrap();
        let pushed =
            push_recorded(&registry, (&history, 0, at), target, &image, Condition::None).await;
        assert_eq!(pushed, Outcome::Done, "round {round}");
        let looks = [1, 2].map(|step| {
            let (registry, history, at) = (registry.clone(), history.clone(), (at + step) % 3);
            async move { look_recorded(&registry, (&history, 1, at), target).await }
        });
        let seen = futures::future::join_all(looks).await;
        let expected = Some(Some(image.manifest.digest.clone()));
        assert!(
            seen.iter().all(|it| *it == expected),
            "round {round}: {seen:?}, pushed {expected:?}"
        );
    }
    println!("{rounds} rounds in {:?}", began.elapsed());
    let violations = checker::judge(&history.events());
    holds(&mut cluster, &history, &violations);
    ends_well(&cluster);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_while_replicas_are_killed() {
    let length = Length::of_this_run();
    let seed: u64 = rand::random::<u32>().into();
    println!("seed {seed}");
    let mut cluster = Cluster::start(3).await.unwrap();
    let shape = Shape { pushers: 3, movers: 2, lookers: 3, seed };
    let workload = Workload::start(&cluster.registry, shape);
    assert!(workload.wait_for_pushes(5, Duration::from_secs(20)).await, "no push went through");
    let mut nemesis = Nemesis::new(seed, workload.history.clone());
    let until = Instant::now() + Duration::from_secs(60 * length.minutes);
    let strikes = nemesis.strike_until(&mut cluster, length.kills, until).await.unwrap();
    let history = workload.finish().await;
    let events = history.events();
    for (strike, event) in strikes.iter().zip(kills(&history)) {
        let back = prompt::writes_back(&events, event).unwrap_or(u64::MAX).saturating_sub(event);
        println!("{strike:?}: writes back after {} ms", back / 1_000);
    }
    println!("{} pushes acknowledged, {} kills", history.acknowledged(), strikes.len());
    let violations = checker::judge(&events);
    holds(&mut cluster, &history, &violations);
    swept(&mut cluster, &history, &[0, 1, 2]).await;
    for stopped in 0..3 {
        cluster.kill(stopped).await.unwrap();
        let others: Vec<usize> = (0..3).filter(|place| *place != stopped).collect();
        swept(&mut cluster, &history, &others).await;
        cluster.restart(stopped).unwrap();
        cluster.wait_healthy().await.unwrap();
    }
    ends_well(&cluster);
}

/// When each kill was over.
fn kills(history: &Recorder) -> Vec<u64> {
    use chaos_tests::history::Call;
    let events = history.events();
    let kills = events.iter().filter(|event| matches!(event.call, Call::Kill { .. }));
    kills.map(|event| event.end_us).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_fell_behind_a_snapshot_catches_up_while_pushes_go_on() {
    let small = Tuning { snapshot_log_bytes_min: Some(32 << 10), ..Tuning::default() };
    let mut cluster = Cluster::start_tuned(&vec![small; 3]).await.unwrap();
    let leader = cluster.leader().await.unwrap();
    let behind = (leader + 1) % 3;
    cluster.kill(behind).await.unwrap();
    let before = snapshots(&cluster, leader);
    let shape = Shape { pushers: 3, movers: 0, lookers: 1, seed: 3 };
    let workload = Workload::start(&cluster.registry, shape);
    // Two files newer than any before: the log is purged below the older of the two.
    let until = Instant::now() + Duration::from_secs(90);
    while snapshots(&cluster, leader).iter().filter(|it| !before.contains(it)).count() < 2 {
        assert!(Instant::now() < until, "no two snapshots were written: {before:?}");
        sleep(Duration::from_millis(100)).await;
    }
    let own = snapshots(&cluster, behind);
    cluster.restart(behind).unwrap();
    cluster.wait_healthy().await.unwrap();
    assert!(workload.wait_for_pushes(10, Duration::from_secs(20)).await, "pushes have stopped");
    let until = Instant::now() + SWEEP;
    while snapshots(&cluster, behind) == own {
        assert!(Instant::now() < until, "the replica that fell behind installed no snapshot");
        sleep(Duration::from_millis(100)).await;
    }
    let history = workload.finish().await;
    let violations = checker::judge(&history.events());
    holds(&mut cluster, &history, &violations);
    swept(&mut cluster, &history, &[behind]).await;
    ends_well(&cluster);
}

/// Names of the snapshot files of a replica.
fn snapshots(cluster: &Cluster, place: usize) -> Vec<String> {
    let folder = cluster.replicas[place].data.join("snapshots");
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.retain(|name| !name.contains("part") && !name.contains("tmp"));
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_replicas_serve_everything_with_any_two_killed() {
    let pairs = [(0, 1), (2, 3), (4, 0), (1, 3), (2, 4), (0, 3)];
    let pairs = pairs.iter().cycle().take(usize::try_from(Length::of_this_run().pairs).unwrap());
    let mut cluster = Cluster::start(5).await.unwrap();
    let history = Recorder::default();
    let mut seed = 100;
    for (one, other) in pairs {
        let leader = cluster.leader().await.unwrap();
        // The pair is counted from the leader, so that it is struck in some of them and not in
        // others.
        let struck = [(leader + one) % 5, (leader + other) % 5];
        for _ in 0..10 {
            seed += 1;
            let image = Image::random(seed);
            let writer = (&history, 0, struck[0]);
            let tag = format!("five-{seed}");
            let registry = cluster.registry.clone();
            let target = (REPOSITORY, tag.as_str());
            let pushed = push_recorded(&registry, writer, target, &image, Condition::None).await;
            assert_eq!(pushed, Outcome::Done, "push {seed}");
        }
        for place in struck {
            cluster.kill(place).await.unwrap();
        }
        let others: Vec<usize> = (0..5).filter(|place| !struck.contains(place)).collect();
        swept(&mut cluster, &history, &others).await;
        for place in struck {
            cluster.restart(place).unwrap();
        }
        cluster.wait_healthy().await.unwrap();
    }
    ends_well(&cluster);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_stood_still_answers_nothing_old() {
    let mut cluster = Cluster::start(3).await.unwrap();
    let registry = cluster.registry.clone();
    let (history, target) = (Recorder::default(), (REPOSITORY, "latest"));
    let _pulse = Pulse::start(&history);
    registry.push(0, REPOSITORY, &Image::random(1), "unrelated").await.unwrap();
    for round in 0..Length::of_this_run().kills {
        let leader = cluster.leader().await.unwrap();
        cluster.replicas[leader].signal(Signal::STOP).unwrap();
        // Asked while it stands still: the answer comes when it goes on, with others far ahead.
        let goes_on = Arc::new(AtomicU64::new(0));
        let asked = [0; 4].map(|_| {
            let (registry, history) = (registry.clone(), history.clone());
            let goes_on = goes_on.clone();
            tokio::spawn(async move {
                let since = || goes_on.load(Ordering::SeqCst);
                look_recorded_since(&registry, (&history, 1, leader), target, since).await
            })
        });
        for number in 0..5 {
            let image = Image::random(1_000 + round * 10 + number);
            let writer = (&history, 0, (leader + 1) % 3);
            let pushed = push_recorded(&registry, writer, target, &image, Condition::None).await;
            assert_eq!(pushed, Outcome::Done, "round {round}, push {number}");
        }
        goes_on.store(history.now_us(), Ordering::SeqCst);
        cluster.replicas[leader].signal(Signal::CONT).unwrap();
        for _ in 0..20 {
            look_recorded(&registry, (&history, 2, leader), target).await;
        }
        futures::future::join_all(asked).await;
        cluster.wait_healthy().await.unwrap();
    }
    let violations = checker::judge(&history.events());
    holds(&mut cluster, &history, &violations);
    ends_well(&cluster);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_majority_tags_are_refused_soon_and_digests_are_still_served() {
    let mut cluster = Cluster::start(3).await.unwrap();
    let registry = cluster.registry.clone();
    let image = Image::random(5);
    registry.push(0, REPOSITORY, &image, "kept").await.unwrap();
    let history = Recorder::default();
    // Reading it from every replica makes sure that replica 0 has what it needs on the spot.
    for place in 0..3 {
        registry.fetch(place, REPOSITORY, "manifests", &image.manifest.digest).await.unwrap();
    }
    cluster.kill(1).await.unwrap();
    cluster.kill(2).await.unwrap();
    // The first one may be told to wait for an election, for ten seconds; nobody after that.
    let _first = registry.look(0, REPOSITORY, "kept").await;
    for attempt in 0..3 {
        let began = Instant::now();
        let look = registry.request(0, Method::HEAD, REPOSITORY, "manifests/kept").await.unwrap();
        let answer = look.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE, "attempt {attempt}");
        assert!(answer.headers().contains_key("retry-after"), "{answer:?}");
        assert!(began.elapsed() < Duration::from_secs(1), "after {:?}", began.elapsed());
        let push = registry.request(0, Method::POST, REPOSITORY, "blobs/uploads/?mount=x");
        let status = push.await.unwrap().send().await.unwrap().status();
        assert!(status.is_server_error() || status.is_client_error(), "a push began: {status}");
    }
    let path = format!("manifests/{}", image.manifest.digest);
    let get = registry.request(0, Method::GET, REPOSITORY, &path).await.unwrap();
    let answer = expect(get, &[StatusCode::OK]).await.unwrap();
    assert!(answer.headers().contains_key("warning"), "stale answers say so: {answer:?}");
    let ping = registry.bare(0, Method::GET, "/_ping").send().await.unwrap();
    assert_eq!(ping.status(), StatusCode::SERVICE_UNAVAILABLE);
    let said: serde_json::Value = ping.json().await.unwrap();
    assert!(said["Error"].as_str().is_some_and(|it| it.len() > 10), "{said}");
    cluster.status(0).await.unwrap();
    cluster.restart(1).unwrap();
    cluster.restart(2).unwrap();
    cluster.wait_healthy().await.unwrap();
    let seen = look_recorded(&registry, (&history, 0, 0), (REPOSITORY, "kept")).await;
    assert_eq!(seen, Some(Some(image.manifest.digest.clone())));
    ends_well(&cluster);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_replica_is_named_by_the_others_within_ten_seconds() {
    let mut cluster = Cluster::start(3).await.unwrap();
    let lost = cluster.leader().await.unwrap();
    cluster.kill(lost).await.unwrap();
    let until = Instant::now() + Duration::from_secs(10);
    let id = cluster.replicas[lost].id.clone();
    for place in cluster.running() {
        loop {
            let status = cluster.status(place).await.unwrap();
            let reason = status["replica_health"][&id].as_str().unwrap_or_default().to_owned();
            let page = cluster.registry.bare(place, Method::GET, "/load_balancer_status");
            let page = page.send().await.unwrap().text().await.unwrap();
            if reason != "OK" && reason.contains("reach") && page.contains(&id) {
                println!("replica {place} says: {reason}");
                break;
            }
            assert!(Instant::now() < until, "replica {place} says {reason:?} after ten seconds");
            sleep(Duration::from_millis(100)).await;
        }
    }
    cluster.restart(lost).unwrap();
    cluster.wait_healthy().await.unwrap();
    ends_well(&cluster);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_is_told_to_stop_ends_cleanly_and_hands_over() {
    let mut cluster = Cluster::start(3).await.unwrap();
    let leader = cluster.leader().await.unwrap();
    let workload =
        Workload::start(&cluster.registry, Shape { pushers: 2, movers: 0, lookers: 1, seed: 9 });
    assert!(workload.wait_for_pushes(3, Duration::from_secs(20)).await);
    let stopping = Instant::now();
    let status = cluster.replicas[leader].stop().await.unwrap();
    assert_eq!(status, Some(0), "{}", cluster.replicas[leader].log_tail());
    println!("stopped after {:?}", stopping.elapsed());
    assert!(workload.wait_for_pushes(3, Duration::from_secs(5)).await, "no push after hand-over");
    cluster.restart(leader).unwrap();
    cluster.wait_healthy().await.unwrap();
    let history = workload.finish().await;
    let violations = checker::judge(&history.events());
    holds(&mut cluster, &history, &violations);
    swept(&mut cluster, &history, &[0, 1, 2]).await;
    ends_well(&cluster);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_pulls_of_a_large_blob_stay_within_memory() {
    const PEAK_BYTES_MAX: u64 = 200 << 20;
    const IDLE_BYTES_MAX: u64 = 80 << 20;
    let cluster = Cluster::start(3).await.unwrap();
    for replica in &cluster.replicas {
        let idle = replica.memory_bytes("VmRSS").unwrap();
        println!("idle: {} MiB", idle >> 20);
        assert!(idle <= IDLE_BYTES_MAX, "{idle} bytes while idle");
    }
    let registry = cluster.registry.clone();
    let blob = Pieces::new(11, Length::of_this_run().blob_mib);
    let digest = blob.digest();
    let work = async {
        let path = format!("blobs/uploads/?digest={digest}");
        let post = registry.request(0, Method::POST, REPOSITORY, &path).await.unwrap();
        let post = post.header("content-length", blob.length()).timeout(Duration::from_mins(10));
        let body = reqwest::Body::wrap_stream(blob.clone().stream());
        expect(post.body(body), &[StatusCode::CREATED]).await.unwrap();
        let pulls = (0..8).map(|client| registry.fetch(client % 3, REPOSITORY, "blobs", &digest));
        for came in futures::future::join_all(pulls).await {
            assert_eq!(came.unwrap(), digest);
        }
    };
    let mut peak = 0;
    tokio::pin!(work);
    loop {
        tokio::select! {
            () = &mut work => break,
            () = sleep(Duration::from_millis(20)) => {
                let now = cluster.replicas.iter().filter_map(|it| it.memory_bytes("RssAnon"));
                peak = peak.max(now.max().unwrap_or(0));
            }
        }
    }
    println!("{} MiB pushed and pulled; peak {} MiB", blob.length() >> 20, peak >> 20);
    assert!(peak > 0 && peak <= PEAK_BYTES_MAX, "{} MiB of memory at the peak", peak >> 20);
    ends_well(&cluster);
}

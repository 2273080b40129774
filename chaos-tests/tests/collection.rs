//! Collection over three replicas, with a grace time of nothing: what is not needed leaves every
//! disk, what is needed stays and pulls, whoever pushes or is killed meanwhile.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use chaos_tests::cluster::Cluster;
use chaos_tests::image::{Blob, Image};
use chaos_tests::logs;
use chaos_tests::process::Tuning;
use chaos_tests::registry::{Failure, Registry, expect};
use futures::StreamExt;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::sleep;

/// Whatever else comes is there by then, also while a leader is elected.
const SOON: Duration = Duration::from_secs(30);
/// A file without a row is let go once it was known for a minute; passes are twenty seconds apart.
const ORPHANS_GONE_WITHIN: Duration = Duration::from_secs(150);
/// A job is taken over by then, and ended some time later.
const TAKEN_OVER_WITHIN: Duration = Duration::from_mins(1);
/// How long pushes and collections race.
const RACE: Duration = Duration::from_secs(25);

/// Three replicas that collect what was needed a moment ago.
async fn cluster() -> Cluster {
    let storage = "[storage]\nallow_volatile = true\nfree_min_bytes = 0\n";
    let extra = format!("{storage}collection_grace_min_s = 0\n");
    let tuning = Tuning { extra, ..Tuning::default() };
    let cluster = Cluster::start_tuned(&vec![tuning; 3]).await.unwrap();
    let settings = json!({ "collectionGraceSeconds": 0, "undeleteWindowSeconds": 0 });
    let path = "/api/v0/meta/settings";
    let set = cluster.registry.basic(0, Method::POST, path).json(&settings);
    expect(set, &[StatusCode::ACCEPTED]).await.unwrap();
    cluster
}

/// No replica may have panicked or logged a secret, or lack a file that it is to have: a file that
/// went too early is fetched again by healing, and only its log would tell.
fn ends_well(cluster: &Cluster) {
    let complaints = logs::complaints(cluster).unwrap();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    for replica in &cluster.replicas {
        let text = replica.log_text();
        let lost = text.lines().find(|line| line.contains("copy is missing or damaged"));
        assert_eq!(lost, None, "{}", replica.log.display());
    }
}

/// Where a replica keeps a blob.
fn file_of(cluster: &Cluster, place: usize, digest: &str) -> PathBuf {
    let (algorithm, hex) = digest.split_once(':').unwrap();
    let blobs = cluster.replicas[place].data.join("content/blobs");
    blobs.join(algorithm).join(&hex[..2]).join(hex)
}

/// The places of the replicas that have a blob's file.
fn on_disk(cluster: &Cluster, digest: &str) -> Vec<usize> {
    (0..3).filter(|place| file_of(cluster, *place, digest).exists()).collect()
}

/// All blobs' files of a replica.
fn all_files(cluster: &Cluster, place: usize) -> BTreeSet<String> {
    let folder = cluster.replicas[place].data.join("content/blobs/sha256");
    let folders = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let files = folders.flat_map(|it| std::fs::read_dir(it.path()).into_iter().flatten().flatten());
    files.map(|it| format!("sha256:{}", it.file_name().to_string_lossy())).collect()
}

/// Waits until `is_so`; what is wrong with it is said where it does not come.
async fn until(within: Duration, mut is_so: impl FnMut() -> Result<(), String>) {
    let begun = Instant::now();
    while let Err(why) = is_so() {
        assert!(begun.elapsed() < within, "not within {within:?}: {why}");
        sleep(Duration::from_millis(200)).await;
    }
}

/// Waits until all three disks have these blobs.
async fn copied(cluster: &Cluster, digests: &[String]) {
    until(SOON * 2, || {
        let lacking = digests.iter().find(|digest| on_disk(cluster, digest).len() < 3);
        lacking.map_or(Ok(()), |it| Err(format!("{it} is on {:?}", on_disk(cluster, it))))
    })
    .await;
}

/// Waits until no disk has any of these.
async fn gone(cluster: &Cluster, digests: &[String], within: Duration) {
    until(within, || {
        let left = digests.iter().find(|digest| !on_disk(cluster, digest).is_empty());
        left.map_or(Ok(()), |it| Err(format!("{it} is on {:?}", on_disk(cluster, it))))
    })
    .await;
}

/// Deletes something of a repository; whether it was there and nothing keeps it.
async fn delete(registry: &Registry, at: usize, repository: &str, rest: &str) -> bool {
    let request = registry.request(at, Method::DELETE, repository, rest).await.unwrap();
    let status = request.send().await.unwrap().status();
    assert!(status.is_success() || status.is_client_error(), "{repository}/{rest}: {status}");
    status.is_success()
}

/// Takes an image out of a repository, with the leases of what it named.
async fn delete_image(registry: &Registry, at: usize, repository: &str, image: &Image) {
    let manifest = format!("manifests/{}", image.manifest.digest);
    assert!(delete(registry, at, repository, &manifest).await);
    for digest in image.digests() {
        // Another image of the repository may name it.
        delete(registry, at, repository, &format!("blobs/{digest}")).await;
    }
}

async fn begin(registry: &Registry, at: usize, action: &str) -> String {
    let request = registry.basic(at, Method::POST, "/api/v0/jobs").json(&json!({"action": action}));
    let made: Value = expect(request, &[StatusCode::ACCEPTED]).await.unwrap().json().await.unwrap();
    made["id"].as_str().unwrap().to_owned()
}

/// The job, once it is over.
async fn over(registry: &Registry, at: usize, id: &str, within: Duration) -> Value {
    let (begun, path) = (Instant::now(), format!("/api/v0/jobs/{id}"));
    loop {
        let job = registry.json(at, &path).await.unwrap_or_default();
        if matches!(job["status"].as_str(), Some("done" | "error" | "cancel")) {
            return job;
        }
        assert!(begun.elapsed() < within, "{job}");
        sleep(Duration::from_millis(100)).await;
    }
}

async fn collect(registry: &Registry, at: usize) -> Value {
    let id = begin(registry, at, "onlinegc").await;
    let job = over(registry, at, &id, SOON).await;
    assert_eq!(job["status"], "done", "{job}");
    job
}

/// Whether an image pulls from a replica, bytes and all.
async fn pulls(registry: &Registry, at: usize, repository: &str, image: &Image) {
    let manifest = &image.manifest.digest;
    let fetched = registry.fetch(at, repository, "manifests", manifest).await.unwrap();
    assert_eq!(&fetched, manifest);
    for digest in image.digests() {
        let fetched = registry.fetch(at, repository, "blobs", &digest).await;
        assert_eq!(fetched.unwrap_or_else(|why| panic!("{at} {digest}: {why}")), digest);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nothing_needs_leaves_every_disk_and_shared_layers_stay() {
    let cluster = cluster().await;
    let registry = &cluster.registry;
    let shared = Blob::random(1, 40_000);
    let gone_image = Image::of_layers(vec![shared.clone(), Blob::random(2, 50_000)], 1);
    let kept_image = Image::of_layers(vec![shared.clone(), Blob::random(3, 60_000)], 2);
    registry.push(0, "team/gone", &gone_image, "v1").await.unwrap();
    registry.push(1, "team/kept", &kept_image, "v1").await.unwrap();
    let digests = |image: &Image| {
        let mut all = image.digests();
        all.push(image.manifest.digest.clone());
        all
    };
    let (mut going, kept) = (digests(&gone_image), digests(&kept_image));
    copied(&cluster, &going).await;
    copied(&cluster, &kept).await;

    // Everything is named: a run takes nothing.
    assert!(collect(registry, 2).await["message"].as_str().unwrap().starts_with("0 blobs"));
    delete_image(registry, 0, "team/gone", &gone_image).await;
    going.retain(|digest| *digest != shared.digest);
    // Seen before it is done: what goes, what stays, and how much that is.
    let plan = registry.json(1, "/api/v0/gc/plan?state=ready&pageSize=100").await.unwrap();
    let planned = plan["blobs"].as_array().unwrap().iter().map(|it| it["digest"].as_str().unwrap());
    let planned: BTreeSet<&str> = planned.collect();
    assert_eq!(planned, going.iter().map(String::as_str).collect());
    let status = registry.json(1, "/api/v0/gc").await.unwrap();
    assert_eq!(status["reclaimable"]["blobs"], going.len());
    let explained = registry.json(2, &format!("/api/v0/gc/blobs/{}", shared.digest)).await.unwrap();
    assert_eq!(explained["goesWithTheNextRun"], false);
    let naming = explained["repositories"].as_array().unwrap().iter();
    let naming: Vec<_> = naming.map(|it| (&it["repository"], &it["references"])).collect();
    assert_eq!(naming, [(&json!("team/kept"), &json!(1))], "{explained}");

    let job = collect(registry, 0).await;
    let begun = format!("{} blobs of ", going.len());
    assert!(job["message"].as_str().unwrap().starts_with(&begun), "{job}");
    gone(&cluster, &going, SOON).await;
    for digest in &kept {
        assert_eq!(on_disk(&cluster, digest), [0, 1, 2], "{digest}");
    }
    for place in 0..3 {
        pulls(registry, place, "team/kept", &kept_image).await;
    }
    let status = registry.json(2, "/api/v0/gc").await.unwrap();
    assert_eq!(status["reclaimable"], json!({"blobs": 0, "bytes": 0, "isAtLeast": false}));
    assert_eq!(status["lastRun"]["id"], job["id"]);
    // What was deleted can be pushed again and is whole.
    registry.push(2, "team/gone", &gone_image, "v2").await.unwrap();
    for place in 0..3 {
        pulls(registry, place, "team/gone", &gone_image).await;
    }
    ends_well(&cluster);
}

/// One who pushes images of layers that others push, too, and deletes some of them again.
struct Pusher {
    registry: Registry,
    repository: String,
    random: StdRng,
    layers: Arc<[Blob]>,
    kept: Vec<Image>,
    again: Arc<AtomicU64>,
}

impl Pusher {
    async fn work(mut self, is_over: Arc<AtomicBool>) -> (String, Vec<Image>, u64) {
        let mut pushed = 0;
        while !is_over.load(Ordering::Relaxed) {
            let count = self.random.random_range(1..=3);
            let layers = (0..count)
                .map(|_| self.layers[self.random.random_range(0..self.layers.len())].clone());
            let image = Image::of_layers(layers.collect(), self.random.random());
            let place = self.random.random_range(0..3);
            self.push(place, &image).await;
            pushed += 1;
            // Acknowledged means that it is there, on every replica, at once.
            let elsewhere = (place + 1) % 3;
            pulls(&self.registry, elsewhere, &self.repository, &image).await;
            self.kept.push(image);
            if self.kept.len() > 3 || self.random.random_bool(0.5) {
                let place = self.random.random_range(0..self.kept.len());
                let image = self.kept.swap_remove(place);
                delete_image(&self.registry, elsewhere, &self.repository, &image).await;
            }
        }
        (self.repository, self.kept, pushed)
    }

    /// Pushes as docker does: one that is told that a blob or an upload is gone starts over.
    async fn push(&self, place: usize, image: &Image) {
        for _ in 0..10 {
            match self.registry.push(place, &self.repository, image, "v").await {
                Ok(()) => return,
                Err(Failure::Status(StatusCode::NOT_FOUND, why)) => {
                    println!("started over: {why}");
                    self.again.fetch_add(1, Ordering::Relaxed);
                }
                Err(other) => panic!("{other}"),
            }
        }
        panic!("a push started over ten times");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_that_races_with_collection_loses_nothing() {
    let cluster = cluster().await;
    let layers: Vec<Blob> = (0..5).map(|seed| Blob::random(100 + seed, 3_000)).collect();
    let (layers, again): (Arc<[Blob]>, _) = (layers.into(), Arc::new(AtomicU64::new(0)));
    let is_over = Arc::new(AtomicBool::new(false));
    let pushers: Vec<_> = (0..4)
        .map(|number| {
            let pusher = Pusher {
                registry: cluster.registry.clone(),
                repository: format!("race/r{number}"),
                random: StdRng::seed_from_u64(number),
                layers: Arc::clone(&layers),
                kept: Vec::new(),
                again: Arc::clone(&again),
            };
            tokio::spawn(pusher.work(Arc::clone(&is_over)))
        })
        .collect();
    let (begun, mut runs, mut deleted) = (Instant::now(), 0, 0);
    while begun.elapsed() < RACE {
        let job = collect(&cluster.registry, runs % 3).await;
        let words = job["message"].as_str().unwrap();
        deleted += words.split(' ').next().unwrap().parse::<u64>().unwrap();
        runs += 1;
    }
    is_over.store(true, Ordering::Relaxed);
    let (mut pushed, mut named) = (0, BTreeSet::new());
    for pusher in pushers {
        let (repository, kept, count) = pusher.await.unwrap();
        pushed += count;
        for image in &kept {
            named.extend(image.digests());
            named.insert(image.manifest.digest.clone());
            for place in 0..3 {
                pulls(&cluster.registry, place, &repository, image).await;
            }
        }
    }
    let again = again.load(Ordering::Relaxed);
    println!("{pushed} pushes, {again} began anew; {runs} runs deleted {deleted} blobs");
    assert!(pushed > 20 && deleted > 20, "{pushed} {deleted}: they did not race");

    // And what is left over goes, without another push: all files have a row that needs them.
    collect(&cluster.registry, 0).await;
    until(ORPHANS_GONE_WITHIN, || {
        let files = (0..3).flat_map(|place| all_files(&cluster, place));
        let over: BTreeSet<String> = files.filter(|it| !named.contains(it)).collect();
        if over.is_empty() { Ok(()) } else { Err(format!("{over:?}")) }
    })
    .await;
    for digest in &named {
        assert!(on_disk(&cluster, digest).len() >= 2, "{digest}");
    }
    ends_well(&cluster);
}

/// Pushes blobs to all replicas in turn, eight at a time.
async fn push_all(registry: &Registry, repository: &str, blobs: &[Blob]) {
    let pushed = futures::stream::iter(blobs.iter().enumerate()).map(|(place, blob)| async move {
        registry.push_blob(place % 3, repository, blob).await.unwrap();
    });
    pushed.buffer_unordered(8).collect::<Vec<()>>().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_and_a_holder_that_are_killed_leave_nothing_behind_for_long() {
    let mut cluster = cluster().await;
    let registry = cluster.registry.clone();
    let layers: Vec<Blob> = (0..300).map(|seed| Blob::random(500 + seed, 2_000)).collect();
    push_all(&registry, "team/many", &layers).await;
    let kept = Image::of_layers(vec![Blob::random(1, 9_000)], 1);
    registry.push(0, "team/kept", &kept, "v1").await.unwrap();
    let digests: Vec<String> = layers.iter().map(|layer| layer.digest.clone()).collect();
    copied(&cluster, &digests).await;

    // A holder is down while its blobs are deleted: for it they are orphans later.
    let leader = cluster.leader().await.unwrap();
    let holder = (leader + 1) % 3;
    cluster.kill(holder).await.unwrap();
    for digest in &digests {
        assert!(delete(&registry, leader, "team/many", &format!("blobs/{digest}")).await);
    }
    let id = begin(&registry, leader, "onlinegc").await;
    over(&registry, leader, &id, TAKEN_OVER_WITHIN).await;
    cluster.restart(holder).unwrap();
    cluster.wait_healthy().await.unwrap();
    assert!(on_disk(&cluster, &digests[0]).contains(&holder), "it had no chance to unlink it");

    // And a worker is killed in the middle of another run.
    let more: Vec<Blob> = (0..600).map(|seed| Blob::random(5_000 + seed, 500)).collect();
    push_all(&registry, "team/more", &more).await;
    let path = "/api/v0/repositories/team/more";
    let request = registry.basic(leader, Method::DELETE, path);
    expect(request, &[StatusCode::NO_CONTENT]).await.unwrap();
    let id = begin(&registry, leader, "onlinegc").await;
    let worker = loop {
        let job = registry.json(leader, &format!("/api/v0/jobs/{id}")).await.unwrap();
        let place = cluster.replicas.iter().position(|it| job["workerID"] == it.id.as_str());
        if let Some(place) = place {
            break place;
        }
        sleep(Duration::from_millis(10)).await;
    };
    cluster.kill(worker).await.unwrap();
    cluster.restart(worker).unwrap();
    cluster.wait_healthy().await.unwrap();
    over(&registry, worker, &id, TAKEN_OVER_WITHIN).await;
    // Whatever the deletion of the repository let go after that.
    collect(&registry, worker).await;

    let mut all = digests.clone();
    all.extend(more.iter().map(|layer| layer.digest.clone()));
    gone(&cluster, &all, ORPHANS_GONE_WITHIN).await;
    for place in 0..3 {
        pulls(&registry, place, "team/kept", &kept).await;
    }
    ends_well(&cluster);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_rots_is_found_by_scrub_and_fetched_again() {
    let storage = "[storage]\nallow_volatile = true\nfree_min_bytes = 0\n";
    let tuning = Tuning { extra: format!("{storage}scrub_every_s = 4\n"), ..Tuning::default() };
    let cluster = Cluster::start_tuned(&vec![tuning; 3]).await.unwrap();
    let image = Image::of_layers(vec![Blob::random(1, 200_000)], 1);
    cluster.registry.push(0, "team/app", &image, "v1").await.unwrap();
    let layer = &image.blobs[0];
    copied(&cluster, &image.digests()).await;
    let file = file_of(&cluster, 1, &layer.digest);
    let mut bytes = layer.bytes.to_vec();
    bytes[100_000] ^= 1;
    // Its time of writing stays: nothing but its bytes tells that it is another.
    let written = std::fs::metadata(&file).unwrap().modified().unwrap();
    std::fs::write(&file, &bytes).unwrap();
    std::fs::File::options().write(true).open(&file).unwrap().set_modified(written).unwrap();
    until(SOON * 2, || {
        let found = std::fs::read(&file).unwrap_or_default();
        if found == layer.bytes { Ok(()) } else { Err(format!("{} bytes", found.len())) }
    })
    .await;
    let aside = cluster.replicas[1].data.join("content/damaged");
    let aside = std::fs::read_dir(aside).unwrap().count();
    assert_eq!(aside, 1, "the damaged file is kept for people to look at");
    pulls(&cluster.registry, 1, "team/app", &image).await;
    let complaints = logs::complaints(&cluster).unwrap();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

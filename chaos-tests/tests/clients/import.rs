//! Imports from real registries: all that docker-registry holds, over good lines and bad ones, with
//! damaged content, killed and run again.

use std::time::{Duration, Instant};

use chaos_tests::executable;
use chaos_tests::image::{Blob, INDEX, Image, MANIFEST};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::time::sleep;

use self::stage::{Old, Stage, Who};
use self::wire::{BadLine, Line};
use crate::ends_well;

#[path = "import/company.rs"]
mod company;
#[path = "import/manual.rs"]
mod manual;
#[path = "import/stage.rs"]
mod stage;
#[path = "import/wire.rs"]
mod wire;

const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
const EMPTY: &str = "application/vnd.oci.empty.v1+json";
/// Tags of the repository that is imported slowly.
const SLOW_TAGS: u64 = 24;
/// A test that waits for so long waits in vain.
const WAIT_MAX: Duration = Duration::from_secs(50);

fn described(blob: &Blob, kind: &str) -> Value {
    json!({"mediaType": kind, "digest": blob.digest, "size": blob.bytes.len()})
}

/// An image in the form of docker's schema 2, with a layer of no bytes among its layers.
fn schema_2() -> Image {
    let (nothing, layer) = (Blob::new(vec![]), Blob::random(31, 5_000));
    let config = Blob::new(json!({"architecture": "amd64", "os": "linux"}).to_string());
    let manifest = json!({"schemaVersion": 2, "mediaType": DOCKER_MANIFEST,
        "config": described(&config, DOCKER_CONFIG),
        "layers": [described(&nothing, DOCKER_LAYER), described(&layer, DOCKER_LAYER)]});
    let blobs = vec![nothing, layer, config];
    Image { blobs, manifest: Blob::new(manifest.to_string()), media_type: DOCKER_MANIFEST }
}

/// An artifact that refers to a manifest, and its one blob.
fn note_about(subject: &Blob, kind: &str) -> (Blob, Blob) {
    let empty = Blob::new("{}");
    let note = json!({"schemaVersion": 2, "mediaType": MANIFEST,
        "artifactType": "application/vnd.example.note", "config": described(&empty, EMPTY),
        "layers": [described(&empty, EMPTY)], "subject": described(subject, kind)});
    (Blob::new(note.to_string()), empty)
}

/// What the old registry holds: one image of each kind, and what hangs on it.
struct Goods {
    platforms: [Image; 2],
    index: Blob,
    outer: Blob,
    docker: Image,
    note: Blob,
    shared: Image,
}

impl Goods {
    async fn push(old: &Old) -> Self {
        let platforms = [Image::with_layer(1, 3_000), Image::with_layer(2, 300_000)];
        let index = Image::index(&platforms);
        let outer = json!({"schemaVersion": 2, "mediaType": INDEX,
            "manifests": [described(&index, INDEX)]});
        let outer = Blob::new(outer.to_string());
        for image in &platforms {
            old.push("shop/web", &image.manifest.digest, image).await;
        }
        old.push_manifest("shop/web", "v1", (&index, INDEX)).await;
        old.push_manifest("shop/web", "nested", (&outer, INDEX)).await;
        let docker = schema_2();
        old.push("ubuntu", "22.04", &docker).await;
        // In a registry without the API referrers hang on a tag.
        let (note, empty) = note_about(&index, INDEX);
        old.push_blob("shop/web", &empty).await;
        old.push_manifest("shop/web", &note.digest, (&note, MANIFEST)).await;
        let list = json!({"schemaVersion": 2, "mediaType": INDEX,
            "manifests": [described(&note, MANIFEST)]});
        let (list, tag) = (Blob::new(list.to_string()), index.digest.replace(':', "-"));
        old.push_manifest("shop/web", &tag, (&list, INDEX)).await;
        // A layer that another repository has too, and a repository without a tag.
        let layer = platforms[1].blobs[0].clone();
        let shared = Image::of_layers(vec![layer, Blob::random(9, 100)], 9);
        old.push("group/sub/app", "1.0", &shared).await;
        old.push_blob("shop/bare", &Blob::random(10, 10)).await;
        Self { platforms, index, outer, docker, note, shared }
    }

    async fn arrived(&self, stage: &Stage) {
        let at = async |repository: &str, tag: &str| stage.tag(repository, tag).await.unwrap();
        assert_eq!(at("shop/web", "v1").await, self.index.digest);
        assert_eq!(at("shop/web", "nested").await, self.outer.digest);
        stage.holds("shop/web", &[], &[&self.index, &self.outer, &self.note]).await;
        for image in &self.platforms {
            stage.holds("shop/web", &image.blobs, &[&image.manifest]).await;
        }
        stage.has("library/ubuntu", "22.04", &self.docker).await;
        stage.has("group/sub-app", "1.0", &self.shared).await;
        let path = format!("referrers/{}", self.index.digest);
        let asked = stage.cluster.registry.request(0, Method::GET, "shop/web", &path).await;
        let found: Value = asked.unwrap().send().await.unwrap().json().await.unwrap();
        assert_eq!(found["manifests"][0]["digest"], self.note.digest, "{found}");
        let bare = stage.json("/api/v0/repositories/shop/bare").await;
        assert_eq!(bare["visibility"], "private", "{bare}");
        assert_eq!(stage.json("/api/v0/repositories/shop/bare/tags").await, json!([]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_of_an_old_registry_arrives_under_names_that_fit() {
    let Some(old) = Old::start() else { return };
    let (goods, stage) = (Goods::push(&old).await, Stage::new().await);
    let [from, url] = old.from();
    let refused = stage.import("registry", &[from, url, "--map", "*/*=*/*"]).await;
    assert_eq!(refused.status, Some(2), "two stars in a rule\n{refused}");

    // Without rules some names fit nowhere: that is told, with a rule that helps.
    let short = stage.report("registry", &[from, url, "--dry-run"], 1).await;
    let failures = short["failures"].to_string();
    for hint in ["--map 'ubuntu=library/ubuntu'", "--map 'group/sub/app=group/sub-app'"] {
        assert!(failures.contains(hint), "{short:#}");
    }
    assert!(short["steps"].to_string().contains("copy shop/web:v1 to shop/web:v1"), "{short:#}");
    assert_eq!(stage.json("/api/v0/repositories").await["repositories"], json!([]));

    let maps = ["--map", "group/*=group/*", "--map", "*=library/*"];
    let words = [&[from, url], &maps[..]].concat();
    let report = stage.report("registry", &words, 0).await;
    goods.arrived(&stage).await;
    assert_eq!(report["tags"]["brought"], 5, "{report:#}");
    assert_eq!(report["repositories"]["brought"], 4, "{report:#}");
    assert!(report["blobs"]["mounted"].as_u64() > Some(0), "{report:#}");

    // Again: nothing to do, and nothing is sent again.
    let report = stage.report("registry", &words, 0).await;
    assert_eq!(
        (&report["tags"]["present"], &report["bytes"]),
        (&json!(5), &json!(0)),
        "{report:#}"
    );

    // A tag that moved meanwhile comes along, unless that was not wanted.
    let newer = Image::with_layer(77, 2_000);
    old.push("shop/web", "v1", &newer).await;
    let kept = stage.report("registry", &[&words[..], &["--keep-tags"]].concat(), 1).await;
    assert_eq!(kept["tags"]["differs"], 1, "{kept:#}");
    assert_eq!(stage.tag("shop/web", "v1").await.unwrap(), goods.index.digest);
    let words = [&words[..], &["--repository", "shop/*"]].concat();
    let report = stage.report("registry", &words, 0).await;
    assert_eq!(report["tags"]["brought"], 1, "{report:#}");
    stage.has("shop/web", "v1", &newer).await;
    ends_well(&stage.cluster);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_that_breaks_in_the_middle_of_blobs_only_costs_time() {
    let Some(old) = Old::start() else { return };
    let (stage, image) = (Stage::new().await, Image::with_layer(5, 3 << 20));
    old.push("shop/large", "v1", &image).await;
    let line = Line { cut_after_bytes: 300_000, pause: Duration::ZERO };
    let line = BadLine::to(&old.registry.url, line).await;
    let report = stage.report("registry", &["--from", &line.url], 0).await;
    stage.has("shop/large", "v1", &image).await;
    // Taken up where it broke: the layer in eleven parts at least, and none of it twice.
    assert!(line.cuts() >= 10, "{} cuts", line.cuts());
    let bytes: usize = image.blobs.iter().map(|blob| blob.bytes.len()).sum();
    assert_eq!(report["bytes"], bytes, "{report:#}");
    assert_eq!(report["blobs"]["brought"], 2, "{report:#}");
    ends_well(&stage.cluster);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_that_are_not_what_their_digest_says_are_not_taken() {
    let Some(old) = Old::start() else { return };
    let stage = Stage::new().await;
    let (good, bad) = (Image::with_layer(41, 90_000), Image::with_layer(42, 90_000));
    old.push("shop/web", "good", &good).await;
    old.push("shop/web", "bad", &bad).await;
    old.push("shop/web", "worse", &Image::with_layer(43, 500)).await;
    let layer = &bad.blobs[0];
    let mut bytes = layer.bytes.to_vec();
    bytes[70_000] ^= 1;
    std::fs::write(old.file_of(&layer.digest), &bytes).unwrap();
    // One that ends early says so too.
    let short = Image::with_layer(43, 500);
    std::fs::write(old.file_of(&short.blobs[0].digest), &bytes[..499]).unwrap();
    let [from, url] = old.from();
    let report = stage.report("registry", &[from, url], 1).await;
    assert_eq!((&report["tags"]["brought"], &report["tags"]["failed"]), (&json!(1), &json!(2)));
    let failures = report["failures"].to_string();
    assert!(failures.contains("shop/web:bad") && failures.contains("damaged"), "{failures}");
    assert!(failures.contains("shop/web:worse"), "{failures}");
    stage.has("shop/web", "good", &good).await;
    for (tag, image) in [("bad", &bad), ("worse", &short)] {
        assert_eq!(stage.tag("shop/web", tag).await, None);
        let path = format!("blobs/{}", image.blobs[0].digest);
        let asked = stage.cluster.registry.request(0, Method::HEAD, "shop/web", &path).await;
        assert_eq!(asked.unwrap().send().await.unwrap().status(), 404, "{tag}");
    }
    // Mended, it goes in.
    std::fs::write(old.file_of(&layer.digest), &layer.bytes).unwrap();
    std::fs::write(old.file_of(&short.blobs[0].digest), &short.blobs[0].bytes).unwrap();
    stage.report("registry", &[from, url], 0).await;
    stage.has("shop/web", "bad", &bad).await;
    ends_well(&stage.cluster);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_that_is_killed_goes_on_where_it_was() {
    let Some(old) = Old::start() else { return };
    let stage = Stage::new().await;
    let images: Vec<Image> = (0..SLOW_TAGS).map(|at| Image::with_layer(at, 40_000)).collect();
    for (at, image) in images.iter().enumerate() {
        old.push("shop/slow", &format!("v{at:02}"), image).await;
    }
    let line = Line { cut_after_bytes: u64::MAX, pause: Duration::from_millis(15) };
    let line = BadLine::to(&old.registry.url, line).await;
    let state = stage.path("state");
    let words = ["--from", &line.url, "--state", &state, "--jobs", "2"];
    let mut command = Command::new(executable::find().unwrap());
    command.args(stage.words("registry", &words)).kill_on_drop(true);
    let mut running = command.spawn().unwrap();
    let began = Instant::now();
    let done = || std::fs::read_to_string(&state).unwrap_or_default().matches("{\"tag\":").count();
    while done() < 4 {
        assert!(began.elapsed() < WAIT_MAX, "only {} tags came", done());
        assert!(running.try_wait().unwrap().is_none(), "it ended before it was killed");
        sleep(Duration::from_millis(20)).await;
    }
    running.kill().await.unwrap();
    let before = done() as u64;
    assert!(before < SLOW_TAGS, "it was done before it was killed");

    // Another source or destination is another import.
    let [from, url] = old.from();
    let other = stage.import("registry", &[from, url, "--state", &state]).await;
    assert_eq!(other.status, Some(2), "{other}");
    assert!(other.err.contains("belongs to an import"), "{other}");

    let report = stage.report("registry", &words, 0).await;
    let (brought, present) = (&report["tags"]["brought"], &report["tags"]["present"]);
    assert!(present.as_u64() >= Some(before), "{before} before, {report:#}");
    assert_eq!(brought.as_u64().unwrap() + present.as_u64().unwrap(), SLOW_TAGS, "{report:#}");
    for (at, image) in images.iter().enumerate() {
        stage.has("shop/slow", &format!("v{at:02}"), image).await;
    }
    ends_well(&stage.cluster);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logins_and_addresses_that_do_not_work_are_told_apart() {
    let hash = "$2b$05$abcdefghijklmnopqrstuuy3VV9gQ3l0MSfEa3jXSaZGolfuxZtya";
    let who = Who { name: "ann", password: "violet-kettle-37", hash };
    let Some(old) = Old::start_for(Some(who)) else { return };
    let (stage, image) = (Stage::new().await, Image::with_layer(3, 700));
    old.push("shop/web", "v1", &image).await;
    std::fs::write(stage.path("right"), "violet-kettle-37\n").unwrap();
    std::fs::write(stage.path("wrong"), "marble-harbor-52\n").unwrap();
    let (right, wrong) = (stage.path("right"), stage.path("wrong"));
    let url = &*old.registry.url;
    let host = url.replace("http://", "");
    let as_ann = |file| ["--from-username", "ann", "--from-password-file", file];
    let cases = [
        (vec!["--from", url], 1, "--from-username"),
        ([&["--from", url][..], &as_ann(&right)].concat(), 2, "--from-plain-http"),
        ([&["--from", &host, "--from-plain-http"][..], &as_ann(&wrong)].concat(), 1, "check"),
        (vec!["--from", "http://127.0.0.1:1"], 4, "127.0.0.1:1"),
        (vec!["--from", &stage.cluster.replicas[0].url], 4, "--from-ca"),
        (vec!["--from", url, "--repository", "Shop"], 2, "--repository"),
    ];
    for (words, status, said) in cases {
        let ended = stage.import("registry", &words).await;
        assert_eq!(ended.status, Some(status), "{words:?}\n{ended}");
        assert!(ended.err.contains(said), "{words:?}\n{ended}");
    }
    let words = [&["--from", &host, "--from-plain-http"][..], &as_ann(&right)].concat();
    stage.report("registry", &words, 0).await;
    stage.has("shop/web", "v1", &image).await;
    ends_well(&stage.cluster);
}

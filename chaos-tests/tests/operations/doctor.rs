//! `doctor` on folders that are as they should be, and on such where a byte was flipped.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use chaos_tests::cluster::Cluster;
use chaos_tests::executable::{self, Ended, text};
use chaos_tests::image::{Image, digest};
use chaos_tests::process::Tuning;
use serde_json::Value;

use super::{SOON, ends};

/// A record of the log begins with these: a vote, of 17 bytes.
const VOTE: [u8; 10] = [0xf1, 2, 0, 0, 0, 17, 0xff, 0xff, 0xff, 0xee];
/// An entry, of which 24 bytes are its id.
const ENTRY: [u8; 2] = [0xf1, 1];
/// Bytes in front of a record's body.
const HEAD: usize = 22;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_doctor_tells_a_good_folder_from_damaged_ones_and_touches_neither() {
    let small = Tuning { snapshot_log_bytes_min: Some(32 << 10), ..Tuning::default() };
    let mut cluster = Cluster::start_tuned(&[small]).await.unwrap();
    let data = cluster.replicas[0].data.clone();
    let until = Instant::now() + SOON;
    let mut seed = 0;
    while files(&data.join("snapshots"), "snapshot").is_empty() {
        assert!(Instant::now() < until, "no snapshot was written");
        seed += 1;
        let image = Image::random(seed);
        cluster.registry.push(0, "doctor/x", &image, "t").await.unwrap();
    }
    let config = text(&cluster.replicas[0].config);
    let running = executable::run(&["doctor", "--config", &config]).await.unwrap();
    ends(&running, 3, "in use by another process");
    cluster.replicas[0].stop().await.unwrap();

    let before = sums(&data);
    let good = doctor(&data).await;
    assert_eq!(good.0.status, Some(0), "{}", good.0);
    assert_ne!(good.1["state"], "bad", "{}", good.0);
    assert_eq!(good.1["replicaID"], cluster.replicas[0].id.as_str());
    assert!(good.1["lastLog"].as_u64().unwrap() > 10, "{}", good.0);
    assert_eq!(good.1["applied"], good.1["lastLog"], "{}", good.0);
    for part in ["log", "vote", "snapshot", "tables", "certificate", "sealing key", "disk"] {
        assert!(state(&good.1, part).is_some(), "{part}: {}", good.0);
    }
    let shown = executable::run(&["doctor", "--data", &text(&data)]).await.unwrap();
    ends(&shown, 0, "the replica starts with this folder");
    assert_eq!(sums(&data), before, "nothing is changed");

    // (what is flipped, the part that says so, its state, the exit status)
    let cases: [(&str, &str, &str, i32); 4] = [
        ("entry", "log", "bad", 1),
        ("vote", "log", "bad", 1),
        ("snapshot", "snapshot", "notice", 0),
        ("key", "sealing key", "bad", 1),
    ];
    for (which, part, expected, status) in cases {
        let folder = tempfile::tempdir().unwrap();
        let damaged = folder.path().join("data");
        copy(&data, &damaged);
        flip(&damaged, which);
        let found = doctor(&damaged).await;
        assert_eq!(found.0.status, Some(status), "{which}: {}", found.0);
        assert_eq!(state(&found.1, part).as_deref(), Some(expected), "{which}: {}", found.0);
    }
    cluster.restart(0).unwrap();
    cluster.wait_healthy().await.unwrap();
}

/// Flips a byte that was synced long ago.
fn flip(data: &Path, which: &str) {
    let (path, at) = match which {
        "entry" => {
            let path = files(&data.join("log"), "log").remove(0);
            let at = position(&fs::read(&path).unwrap(), &ENTRY) + HEAD + 24 + 1;
            (path, at)
        }
        "vote" => {
            let path = files(&data.join("log"), "log").remove(0);
            let at = position(&fs::read(&path).unwrap(), &VOTE) + HEAD + 7;
            (path, at)
        }
        "snapshot" => {
            let path = files(&data.join("snapshots"), "snapshot").remove(0);
            let at = fs::read(&path).unwrap().len() / 2;
            (path, at)
        }
        // Another digit of the key: it is still one.
        _ => (data.join("keys/sealing.key"), 40),
    };
    let mut bytes = fs::read(&path).unwrap();
    let flipped = if which == "key" && bytes[at] == b'0' { b'1' } else { b'0' };
    bytes[at] = if which == "key" { flipped } else { bytes[at] ^ 1 };
    fs::write(path, bytes).unwrap();
}

fn position(bytes: &[u8], pattern: &[u8]) -> usize {
    bytes.windows(pattern.len()).position(|it| it == pattern).unwrap()
}

async fn doctor(data: &Path) -> (Ended, Value) {
    let ended = executable::run(&["doctor", "--data", &text(data), "--json"]).await.unwrap();
    let found = serde_json::from_str(&ended.out).unwrap_or_default();
    (ended, found)
}

/// The gravest state that a part is in.
fn state(found: &Value, part: &str) -> Option<String> {
    let all = found["findings"].as_array()?;
    let of_part = all.iter().filter(|it| it["part"] == part);
    let states: Vec<&str> = of_part.filter_map(|it| it["state"].as_str()).collect();
    let gravest = ["bad", "notice", "ok"].into_iter().find(|state| states.contains(state));
    gravest.map(str::to_owned)
}

/// Files with an ending, the oldest first.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|it| it == ending));
    paths.sort();
    paths
}

/// Every file with the digest of its bytes.
fn sums(folder: &Path) -> BTreeMap<PathBuf, String> {
    let mut sums = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            sums.extend(self::sums(&path));
        } else {
            sums.insert(path.clone(), digest(&fs::read(&path).unwrap()));
        }
    }
    sums
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

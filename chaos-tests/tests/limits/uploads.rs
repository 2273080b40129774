//! Open uploads: an account's bound, also where another replica opens them.

use std::time::Duration;

use chaos_tests::cluster::Cluster;
use chaos_tests::process::Tuning;
use chaos_tests::programs::{Program, is_root, skip};
use chaos_tests::registry::Registry;
use reqwest::{Method, StatusCode};

use crate::{REPOSITORY, Said, account, with_limits};

const LINES: &str = "uploads_per_account_max = 3";

/// Opens an upload; its path, or what was said instead.
async fn open(registry: &Registry, at: usize) -> Result<String, Said> {
    let path = format!("/v2/{REPOSITORY}/blobs/uploads/");
    let answer = registry.basic(at, Method::POST, &path).send().await.unwrap();
    if answer.status() == StatusCode::ACCEPTED {
        return Ok(answer.headers()["location"].to_str().unwrap().to_owned());
    }
    Err(Said::in_answer(answer).await)
}

fn assert_too_many(said: &Said) {
    assert_eq!(said.status, 429, "{said:?}");
    let words = (said.code.as_str(), said.reason.as_str());
    assert_eq!(words, ("TOOMANYREQUESTS", "TOO_MANY_UPLOADS"), "{said:?}");
    assert!(said.message.contains("3 uploads open"), "{said:?}");
    assert!(said.retry_after_s.is_some(), "{said:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_has_so_many_uploads_open_and_others_have_theirs() {
    let cluster = with_limits(1, LINES).await;
    let registry = &cluster.registry;
    let mut places = Vec::new();
    for _ in 0..3 {
        places.push(open(registry, 0).await.unwrap());
    }
    assert_too_many(&open(registry, 0).await.unwrap_err());
    let ann = account(&cluster, "ann").await;
    let said = Said::of(ann.basic(0, Method::POST, "/v2/ann/repo/blobs/uploads/")).await;
    assert_ne!(said.status, 429, "{said:?}");

    let cancel = registry.basic(0, Method::DELETE, &places[0]);
    assert_eq!(Said::of(cancel).await.status, 204);
    open(registry, 0).await.unwrap();
    assert_too_many(&open(registry, 0).await.unwrap_err());
}

/// A small file system in memory, gone with this value.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// Mounts one, if this process may.
    async fn mount() -> Option<Self> {
        let mount = Program::new("mount")?;
        if !is_root() {
            skip("mounting a small file system needs root");
            return None;
        }
        let folder = tempfile::Builder::new().prefix("holdfast-full-").tempdir().unwrap();
        let path = folder.path().to_string_lossy().into_owned();
        let ended = mount.ends(&["-t", "tmpfs", "-o", "size=64m", "tmpfs", &path]).await.unwrap();
        if ended.status != Some(0) {
            skip(&format!("no small file system could be mounted: {}", ended.err.trim()));
            return None;
        }
        Some(Self(folder))
    }

    /// Leaves less room than a replica needs.
    fn fill(&self) {
        std::fs::write(self.0.path().join("of-somebody-else"), vec![0; 60 << 20]).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ended = std::process::Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bound_is_named_through_a_replica_without_room_as_well() {
    let Some(disk) = SmallDisk::mount().await else { return };
    let limits = format!("[limits]\n{LINES}\n");
    let content = disk.0.path().join("content");
    let full = format!("{limits}[storage]\nallow_volatile = true\nfolder = {content:?}\n");
    let with_room = Tuning { extra: limits, ..Tuning::default() };
    let without = Tuning { extra: full, ..Tuning::default() };
    let cluster = Cluster::start_tuned(&[with_room.clone(), with_room, without]).await.unwrap();
    let registry = &cluster.registry;
    // An upload's id begins with the number of the replica that keeps it. The first is opened
    // before the disk is full: a replica may notice that within the same millisecond.
    let keeper = |place: &str| place.rsplit('/').next().unwrap()[..4].to_owned();
    let own = keeper(&open(registry, 2).await.unwrap());
    assert_eq!(own, "0003");
    disk.fill();
    for attempt in 0.. {
        let place = open(registry, 2).await.unwrap();
        registry.basic(2, Method::DELETE, &place).send().await.unwrap();
        if keeper(&place) != own {
            break;
        }
        assert!(attempt < 300, "the replica without room still opens uploads itself");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // They are opened at either of the two that have room, three at each at most.
    let mut opened = 0;
    let said = loop {
        match open(registry, 2).await {
            Ok(_) => opened += 1,
            Err(said) => break said,
        }
        assert!(opened <= 6, "{opened} uploads");
    };
    assert!(opened >= 3, "{opened} uploads");
    assert_too_many(&said);
}

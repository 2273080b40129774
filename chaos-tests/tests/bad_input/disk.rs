//! Full disks: small file systems in memory, filled until nothing goes in; what was acknowledged
//! stays.

use std::io::Write;
use std::path::{Path, PathBuf};

use chaos_tests::checker::durable;
use chaos_tests::cluster::Cluster;
use chaos_tests::history::{Condition, Outcome, Recorder};
use chaos_tests::image::Image;
use chaos_tests::logs;
use chaos_tests::process::Tuning;
use chaos_tests::programs::{Program, is_root, skip};
use chaos_tests::sweep::fetch_everything;
use chaos_tests::workload::push_recorded;
use reqwest::StatusCode;
use tempfile::TempDir;

use crate::REPOSITORY;

/// A small file system in memory, gone with this value.
struct SmallDisk {
    folder: TempDir,
}

impl SmallDisk {
    /// Mounts one, if this process may.
    async fn mount(mib: u64) -> Option<Self> {
        let mount = Program::new("mount")?;
        if !is_root() {
            skip("mounting a small file system needs root");
            return None;
        }
        let folder = tempfile::Builder::new().prefix("holdfast-disk-").tempdir().unwrap();
        let size = format!("size={mib}m,mode=0700");
        let path = folder.path().to_string_lossy().into_owned();
        let ended = mount.ends(&["-t", "tmpfs", "-o", &size, "tmpfs", &path]).await.unwrap();
        if ended.status != Some(0) {
            skip(&format!("no small file system could be mounted: {}", ended.err.trim()));
            return None;
        }
        Some(Self { folder })
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn tuning(&self) -> Tuning {
        let extra = "[storage]\nallow_volatile = true\n".to_owned();
        Tuning { data: Some(self.data()), extra, ..Tuning::default() }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let path: &Path = self.folder.path();
        let _ended = std::process::Command::new("umount").arg("-l").arg(path).status();
    }
}

/// Pushes images of 4 MiB until one is refused or there were so many.
async fn fill(cluster: &Cluster, history: &Recorder, images: u64) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for seed in 0..images {
        let image = Image::with_layer(seed, 4 << 20);
        let tag = format!("fill-{seed}");
        let writer = (history, 0, usize::try_from(seed % 3).unwrap());
        let target = (REPOSITORY, tag.as_str());
        let outcome =
            push_recorded(&cluster.registry, writer, target, &image, Condition::None).await;
        let refused = outcome != Outcome::Done;
        outcomes.push(outcome);
        if refused {
            break;
        }
    }
    outcomes
}

/// Everything acknowledged is there, everybody is up, nobody has panicked.
async fn unharmed(mut cluster: Cluster, history: &Recorder) {
    assert_eq!(cluster.running().len(), cluster.replicas.len(), "a replica is down");
    let (registry, within) = (cluster.registry.clone(), std::time::Duration::from_mins(1));
    fetch_everything(&registry, REPOSITORY, history, &[0, 1, 2], within).await;
    let lost = durable::violations(&history.events(), &[0, 1, 2]);
    assert!(lost.is_empty(), "{}", lost.join("\n"));
    let complaints = logs::complaints(&cluster).unwrap();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_full_disk_stops_nobody() {
    let Some(disk) = SmallDisk::mount(192).await else { return };
    let tunings = [Tuning::default(), Tuning::default(), disk.tuning()];
    let cluster = Cluster::start_tuned(&tunings).await.unwrap();
    let history = Recorder::default();
    let outcomes = fill(&cluster, &history, 64).await;
    assert!(outcomes.iter().all(|it| *it == Outcome::Done), "{outcomes:?}");
    unharmed(cluster, &history).await;
}

/// What nobody here has written fills the disk to its last byte: the log cannot go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_others_fill_takes_its_replica_out_until_there_is_room() {
    let Some(disk) = SmallDisk::mount(64).await else { return };
    let tunings = [Tuning::default(), Tuning::default(), disk.tuning()];
    let mut cluster = Cluster::start_tuned(&tunings).await.unwrap();
    let history = Recorder::default();
    let stranger = disk.folder.path().join("of-somebody-else");
    let mut file = std::fs::File::create(&stranger).unwrap();
    let zeros = vec![0; 65_536];
    while file.write_all(&zeros).is_ok() {}
    drop(file);
    for seed in 0..20 {
        let image = Image::random(seed);
        let tag = format!("meanwhile-{seed}");
        let writer = (&history, 0, usize::try_from(seed % 2).unwrap());
        let target = (REPOSITORY, tag.as_str());
        let outcome =
            push_recorded(&cluster.registry, writer, target, &image, Condition::None).await;
        assert_eq!(outcome, Outcome::Done, "{tag}");
    }
    assert_eq!(cluster.running(), [0, 1, 2], "the replica without room has ended");
    cluster.wait_unhealthy(0, 2).await.unwrap();
    std::fs::remove_file(&stranger).unwrap();
    cluster.wait_healthy().await.unwrap();
    unharmed(cluster, &history).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn full_disks_everywhere_refuse_and_keep_what_was_acknowledged() {
    let mut disks = Vec::new();
    for _ in 0..3 {
        let Some(disk) = SmallDisk::mount(192).await else { return };
        disks.push(disk);
    }
    let tunings: Vec<Tuning> = disks.iter().map(SmallDisk::tuning).collect();
    let cluster = Cluster::start_tuned(&tunings).await.unwrap();
    let history = Recorder::default();
    let outcomes = fill(&cluster, &history, 96).await;
    let taken = outcomes.iter().filter(|it| **it == Outcome::Done).count();
    println!("{taken} images of 4 MiB fitted, then {:?}", outcomes.last());
    assert!(taken >= 5, "only {taken} images fitted");
    assert_ne!(outcomes.last(), Some(&Outcome::Done), "the disks never filled up");
    let image = Image::with_layer(1_000, 4 << 20);
    let refused = cluster.registry.push(1, REPOSITORY, &image, "more").await;
    match refused {
        Err(chaos_tests::registry::Failure::Status(status, text)) => {
            assert_eq!(status, StatusCode::INSUFFICIENT_STORAGE, "{text}");
            assert!(text.contains("UNAVAILABLE"), "{text}");
        }
        other => panic!("a full cluster answered {other:?}"),
    }
    unharmed(cluster, &history).await;
}

//! A runner on a real replica: jobs that end, fail, break down, hang and are given back.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use auth::authenticator::Auth;
use blobs::files::DiskFiles;
use blobs::store::{BlobStore, Options};
use consensus::bootstrap::{self, InstallOptions};
use consensus::cluster::{Cluster, Freshness};
use consensus::start::{StartOptions, Tuning, start};
use content::content::{Content, Limits};
use jobs::job::{Failed, Finished, Job, Work};
use jobs::kinds;
use jobs::runner::Runner;
use metadata::jobs::actions::ACTIONS;
use metadata::jobs::commands::{JobCancel, JobCreate};
use metadata::jobs::spec::{JobSpec, Parameter};
use metadata::jobs::{self as kept, JobId, JobRow, JobStatus, logs};
use metadata::outcome::Answer;
use tempfile::TempDir;
use tokio::time::sleep;
use transfer::client::{Client, Limits as TransferLimits};
use transfer::peer_dial::PeerDial;
use wire::clock::{Clock, SystemClock};
use wire::dial::TcpDial;
use wire::stream::BoxStream;

const SOON: Duration = Duration::from_secs(20);

/// A cluster of one.
struct Replica {
    cluster: Cluster,
    folder: TempDir,
}

/// There are no peers.
struct NoPeers;

#[async_trait]
impl PeerDial for NoPeers {
    async fn dial(&self, _: &str) -> std::io::Result<BoxStream> {
        Err(std::io::Error::other("there is one replica only"))
    }
}

impl Replica {
    /// Its bytes, of which there are none.
    fn content(&self) -> Content {
        let folder = self.folder.path().join("content");
        let store = BlobStore::open(&folder, Arc::new(DiskFiles), Options::default()).unwrap();
        let client = Client::new(Arc::new(NoPeers), TransferLimits::default());
        Content::new(self.cluster.clone(), store, client, Limits::default())
    }

    async fn start() -> Self {
        wire::provider::install();
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let installed = bootstrap::install(InstallOptions {
            folder: data.clone(),
            allow_volatile: true,
            replica_id: None,
            admin: "admin".to_owned(),
            admin_password_hash: "none".to_owned(),
            create_repository_on_push: true,
            host_names: vec!["reg.example".to_owned()],
            advertise: "127.0.0.1:7101".to_owned(),
            host_name: "one".to_owned(),
            machine_id: "one".to_owned(),
            version: "0.1.0".to_owned(),
            wall_ms: SystemClock::new().wall_ms(),
        });
        installed.unwrap();
        let cluster = start(StartOptions {
            folder: data,
            runtime: tokio::runtime::Handle::current(),
            clock: Arc::new(SystemClock::new()),
            dial: Arc::new(TcpDial::default()),
            tuning: Tuning::default(),
            advertise: "127.0.0.1:7101".to_owned(),
            version: "0.1.0".to_owned(),
            disk_free: Arc::new(|| 1 << 40),
        });
        let cluster = cluster.await.unwrap();
        while cluster.barrier().await.is_err() {
            sleep(Duration::from_millis(20)).await;
        }
        Self { cluster, folder }
    }

    async fn create(&self, spec: JobSpec) -> JobId {
        let create = JobCreate { actor: "admin".to_owned(), spec, scheduled_wall_ms: 0 };
        match self.cluster.propose(create.into()).await.unwrap() {
            Answer::JobCreated { id } => id,
            other => panic!("{other:?}"),
        }
    }

    async fn job(&self, id: JobId) -> JobRow {
        let read = self.cluster.read(Freshness::Linearizable, |view| kept::find(view, &id));
        read.await.unwrap().unwrap()
    }

    async fn until(&self, id: JobId, status: JobStatus) -> JobRow {
        let begun = Instant::now();
        loop {
            let job = self.job(id).await;
            if job.status == status {
                return job;
            }
            assert!(begun.elapsed() < SOON, "{job:?}");
            sleep(Duration::from_millis(50)).await;
        }
    }

    async fn lines(&self, id: JobId) -> Vec<String> {
        let job = self.job(id).await;
        let read =
            self.cluster.read(Freshness::Local, |view| logs::part(view, &job, 0, usize::MAX));
        read.await.unwrap().into_iter().map(|(_, line)| line).collect()
    }
}

/// Does what its parameter `how` says.
#[derive(Default)]
struct Sample {
    runs: AtomicUsize,
}

#[async_trait]
impl Job for Sample {
    fn action(&self) -> &'static str {
        "sleep"
    }

    async fn run(&self, work: &Work) -> Result<Finished, Failed> {
        self.runs.fetch_add(1, Ordering::Relaxed);
        work.log("a line\nand another");
        match work.parameter("how").unwrap_or_default() {
            "breaks" => panic!("this job breaks down, as it is to"),
            "fails" => Err(Failed::Because("it can't".to_owned())),
            "hangs" => {
                sleep(Duration::from_mins(10)).await;
                Ok(Finished::default())
            }
            "stops" => {
                work.stopped().await;
                Err(Failed::Stopped)
            }
            _ => Ok(Finished::saying("well")),
        }
    }
}

fn how(text: &str) -> JobSpec {
    let parameters = vec![Parameter { name: "how".to_owned(), value: text.to_owned() }];
    JobSpec { parameters, ..JobSpec::of("sleep") }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_end_fail_break_down_and_are_ended_and_each_says_so() {
    let replica = Replica::start().await;
    let kind = Arc::new(Sample::default());
    let runner = Runner::start(replica.cluster.clone(), vec![kind.clone()]);
    let well = replica.create(how("")).await;
    assert_eq!(replica.until(well, JobStatus::Done).await.message, "well");
    let lines = replica.lines(well).await;
    assert_eq!(lines[1..], ["a line", "and another", "done"], "{lines:?}");

    let fails = replica.create(how("fails")).await;
    assert_eq!(replica.until(fails, JobStatus::Error).await.message, "it can't");
    let breaks = replica.create(how("breaks")).await;
    assert!(replica.until(breaks, JobStatus::Error).await.message.contains("broke down"));
    let hangs = JobSpec { deadline_s: 1, stop_timeout_s: 1, ..how("hangs") };
    let hangs = replica.create(hangs).await;
    let message = replica.until(hangs, JobStatus::Error).await.message;
    assert!(message.contains("did not stop"), "{message}");
    let stops = replica.create(JobSpec { deadline_s: 1, ..how("stops") }).await;
    let message = replica.until(stops, JobStatus::Error).await.message;
    assert!(message.contains("deadline passed, and it stopped"), "{message}");

    let cancelled = [
        replica.create(how("stops")).await,
        replica.create(JobSpec { stop_timeout_s: 1, ..how("hangs") }).await,
    ];
    for id in cancelled {
        replica.until(id, JobStatus::Running).await;
        let cancel = JobCancel { actor: "admin".to_owned(), id };
        replica.cluster.propose(cancel.into()).await.unwrap();
        replica.until(id, JobStatus::Cancel).await;
    }
    assert_eq!(kind.runs.load(Ordering::Relaxed), 7, "each was begun once");
    runner.drain(Duration::from_secs(5)).await;
    replica.cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_runner_that_stops_gives_back_what_has_not_ended_and_another_goes_on() {
    let replica = Replica::start().await;
    let first = Runner::start(replica.cluster.clone(), vec![Arc::new(Sample::default())]);
    let (stops, hangs) = (replica.create(how("stops")).await, replica.create(how("hangs")).await);
    for id in [stops, hangs] {
        replica.until(id, JobStatus::Running).await;
    }
    let begun = Instant::now();
    first.drain(Duration::from_secs(1)).await;
    assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
    for id in [stops, hangs] {
        assert_eq!(replica.job(id).await.status, JobStatus::WorkerShutdown);
    }
    let second = Runner::start(replica.cluster.clone(), vec![Arc::new(Sample::default())]);
    for id in [stops, hangs] {
        assert_eq!(replica.until(id, JobStatus::Running).await.losses, 0);
    }
    // A process that was killed and is there again, before its lease was over.
    drop(second);
    let third = Runner::start(replica.cluster.clone(), vec![Arc::new(Sample::default())]);
    let begun = Instant::now();
    while replica.job(stops).await.losses == 0 {
        assert!(begun.elapsed() < SOON);
        sleep(Duration::from_millis(50)).await;
    }
    third.drain(Duration::ZERO).await;
    replica.cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_action_has_its_kind_and_those_that_need_nothing_are_done() {
    let replica = Replica::start().await;
    let auth = Auth::new(replica.cluster.clone(), 300);
    let kinds = kinds::all(&auth, &replica.content());
    let mut actions: Vec<&str> = kinds.iter().map(|kind| kind.action()).collect();
    actions.sort_unstable();
    assert_eq!(actions, ACTIONS.iter().map(|action| action.name).collect::<Vec<_>>());
    let runner = Runner::start(replica.cluster.clone(), kinds);
    for action in [
        "gc",
        "license_update",
        "onlinegc",
        "onlinegc_blobs",
        "onlinegc_events",
        "onlinegc_joblogs",
        "onlinegc_metadata",
        "rotate_token_key",
    ] {
        let id = replica.create(JobSpec::of(action)).await;
        let job = replica.until(id, JobStatus::Done).await;
        assert!(!job.message.is_empty(), "{action}");
    }
    let id = replica.create(JobSpec::of("ldap_sync")).await;
    let message = replica.until(id, JobStatus::Error).await.message;
    assert!(message.contains("set the backend to ldap first"), "{message}");
    runner.drain(Duration::from_secs(1)).await;
    replica.cluster.shutdown().await;
}

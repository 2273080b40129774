//! A cluster of a test: made by install and join, its replicas stopped, killed and started again.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use metadata::accounts::commands::UserPut;
use metadata::command::Command;
use metadata::join_tokens::JoinTokenCreate;
use metadata::replica::ReplicaId;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use wire::clock::SystemClock;
use wire::stream::BoxStream;

use super::lines::Lines;
use crate::bootstrap::{self, InstallOptions};
use crate::cluster::{Cluster, Failure, Freshness};
use crate::folder::Folder;
use crate::join::{self, JoinOptions};
use crate::join_token::JoinToken;
use crate::log::durable::{DurableLog, Options};
use crate::start::{StartOptions, Tuning, start};
use crate::status::Role;

/// Whatever a test waits for is there by then, or the test has failed.
pub(super) const SOON: Duration = Duration::from_secs(15);

pub(super) struct Town {
    pub(super) lines: Lines,
    pub(super) replicas: Vec<Member>,
    tuning: Tuning,
}

pub(super) struct Member {
    pub(super) address: String,
    pub(super) folder: PathBuf,
    cluster: Option<Cluster>,
    serving: Option<JoinHandle<()>>,
    _parent: TempDir,
}

impl Member {
    pub(super) fn cluster(&self) -> &Cluster {
        self.cluster.as_ref().unwrap()
    }

    /// Waits until nothing of the former life uses the folder.
    async fn until_free(&self) {
        until("the former life lets go of its folder", async || {
            let folder = Folder::open(&self.folder).ok()?;
            drop(DurableLog::open(&folder.log(), Options::default()).ok()?);
            let tables = folder.tables();
            (!tables.exists() || kv::store::Store::open(&tables).is_ok()).then_some(())
        })
        .await;
    }

    pub(super) fn is_up(&self) -> bool {
        self.cluster.is_some()
    }
}

/// Waits until `ready` answers something.
pub(super) async fn until<T>(what: &str, mut ready: impl AsyncFnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(done) = ready().await {
            return done;
        }
        assert!(began.elapsed() < SOON, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn place(number: usize) -> (TempDir, PathBuf, String) {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("data");
    (parent, folder, format!("replica-{number}.example:7100"))
}

impl Town {
    /// A cluster of `size` voters.
    pub(super) async fn of(size: usize) -> Self {
        Self::tuned(size, Tuning::default()).await
    }

    pub(super) async fn tuned(size: usize, tuning: Tuning) -> Self {
        // `RUST_LOG=consensus=debug,openraft=info` shows what happened in a test that failed.
        let _ = tracing_subscriber::fmt()
            .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
            .with_test_writer()
            .try_init();
        let (parent, folder, address) = place(0);
        let installed = bootstrap::install(InstallOptions {
            folder: folder.clone(),
            allow_volatile: true,
            replica_id: None,
            admin: "admin".to_owned(),
            admin_password_hash: "$argon2id$v=19$x".to_owned(),
            create_repository_on_push: true,
            host_names: vec!["registry.example".to_owned()],
            advertise: address.clone(),
            host_name: "one".to_owned(),
            machine_id: "one".to_owned(),
            version: "0.1.0".to_owned(),
            wall_ms: wire::clock::Clock::wall_ms(&SystemClock::new()),
        })
        .unwrap();
        assert!(installed.recovery_key.len() > 20);
        let first = Member { address, folder, cluster: None, serving: None, _parent: parent };
        let mut town = Self { lines: Lines::default(), replicas: vec![first], tuning };
        town.start(0).await;
        for _ in 1..size {
            town.grow().await;
        }
        town
    }

    /// One voter more.
    pub(super) async fn grow(&mut self) {
        self.join_without_start().await;
        let number = self.replicas.len() - 1;
        self.start(number).await;
        self.until_voters(self.replicas.len()).await;
    }

    pub(super) async fn join_without_start(&mut self) {
        let number = self.replicas.len();
        let (parent, folder, address) = place(number);
        let asked = self.replicas.iter().find(|one| one.is_up()).unwrap();
        let ca = Folder::open(&asked.folder);
        assert!(ca.is_err(), "a running replica holds the lock of its folder");
        let ca_pem = std::fs::read_to_string(asked.folder.join("keys/ca.pem")).unwrap();
        let token = JoinToken::generate(&wire::certificate::digest_of(&ca_pem).unwrap());
        let create = JoinTokenCreate {
            id: token.id().to_owned(),
            secret_hash: token.secret_hash(),
            expires_wall_ms: u64::MAX,
            uses: 1,
        };
        asked.cluster().propose(Command::from(create)).await.unwrap();
        join::join(JoinOptions {
            folder: folder.clone(),
            allow_volatile: true,
            peer: asked.address.clone(),
            token,
            replica_id: None,
            advertise: address.clone(),
            host_name: format!("host-{number}"),
            machine_id: format!("machine-{number}"),
            allow_same_machine: false,
            rejoin: false,
            version: "0.1.0".to_owned(),
            clock: Arc::new(SystemClock::new()),
            dial: self.lines.dial_from(&address),
        })
        .await
        .unwrap();
        self.replicas.push(Member {
            address,
            folder,
            cluster: None,
            serving: None,
            _parent: parent,
        });
    }
}

impl Town {
    pub(super) async fn start(&mut self, number: usize) {
        let member = &mut self.replicas[number];
        let options = StartOptions {
            folder: member.folder.clone(),
            runtime: tokio::runtime::Handle::current(),
            clock: Arc::new(SystemClock::new()),
            dial: self.lines.dial_from(&member.address),
            tuning: self.tuning.clone(),
            advertise: member.address.clone(),
            version: "0.1.0".to_owned(),
            disk_free: Arc::new(|| 1 << 40),
        };
        let cluster = start(options).await.unwrap();
        let mut arrivals = self.lines.listen(&member.address);
        let served = cluster.clone();
        member.serving = Some(tokio::spawn(async move {
            let mut open = tokio::task::JoinSet::new();
            while let Some(stream) = arrivals.recv().await {
                open.spawn(serve(served.clone(), stream));
            }
        }));
        member.cluster = Some(cluster);
    }

    /// Ends a replica as a SIGKILL does: no hand-over, no goodbye.
    pub(super) async fn kill(&mut self, number: usize) {
        let member = &mut self.replicas[number];
        self.lines.close(&member.address);
        member.serving.take().unwrap().abort();
        member.cluster.take().unwrap().replica.abandon().await;
        member.until_free().await;
    }

    /// Stops a replica in order.
    pub(super) async fn stop(&mut self, number: usize) {
        let member = &mut self.replicas[number];
        member.cluster.take().unwrap().shutdown().await;
        self.lines.close(&member.address);
        member.serving.take().unwrap().abort();
        member.until_free().await;
    }

    pub(super) fn cluster(&self, number: usize) -> Cluster {
        self.replicas[number].cluster().clone()
    }

    /// The running replicas.
    pub(super) fn up(&self) -> impl Iterator<Item = (usize, &Cluster)> {
        let up = self.replicas.iter().enumerate();
        up.filter_map(|(number, member)| Some((number, member.cluster.as_ref()?)))
    }

    /// The one that leads, as soon as it is the only one that says so.
    pub(super) async fn leader(&self) -> usize {
        until("one leader", async || {
            let mut leaders = self.up().filter(|(_, cluster)| cluster.role() == Role::Leader);
            let (number, cluster) = leaders.next()?;
            let followed = self.up().all(|(_, other)| other.leader() == Some(cluster.replica_id()));
            (followed && leaders.next().is_none()).then_some(number)
        })
        .await
    }

    pub(super) async fn follower(&self) -> usize {
        let leader = self.leader().await;
        self.up().map(|(number, _)| number).find(|number| *number != leader).unwrap()
    }

    pub(super) async fn until_voters(&self, size: usize) {
        until("every replica knows the voters", async || {
            self.up().all(|(_, cluster)| is_settled(cluster, size)).then_some(())
        })
        .await;
    }
}

/// Whether `cluster` knows of one set of `size` voters, and of no change under way.
fn is_settled(cluster: &Cluster, size: usize) -> bool {
    let metrics = cluster.replica.raft.metrics();
    let sets = metrics.borrow().membership_config.membership().get_joint_config().clone();
    sets.len() == 1 && sets[0].len() == size
}

async fn serve(cluster: Cluster, stream: BoxStream) {
    let Ok((stream, identity, _)) = cluster.peer_tls().accept(stream).await else { return };
    let service = tower::ServiceBuilder::new()
        .map_request(move |mut request: http::Request<hyper::body::Incoming>| {
            request.extensions_mut().insert(identity.clone());
            request
        })
        .service(cluster.peer_service());
    let _ = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
        .await;
}

/// Has an account `name` made.
pub(super) async fn put_user(cluster: &Cluster, name: &str) -> Result<(), Failure> {
    let put = UserPut {
        name: name.to_owned(),
        password_hash: "$argon2id$v=19$y".to_owned(),
        is_admin: false,
    };
    cluster.propose(Command::from(put)).await.map(|_| ())
}

/// Whether the account `name` is there.
pub(super) async fn has_user(
    cluster: &Cluster,
    freshness: Freshness,
    name: &str,
) -> Result<bool, Failure> {
    cluster.read(freshness, |view| Ok(metadata::accounts::find(view, name)?.is_some())).await
}

/// Every row of the tables of a replica, its own position left out.
pub(super) fn rows(cluster: &Cluster) -> Vec<(u8, Vec<u8>, Vec<u8>)> {
    let store = &cluster.replica.tables.store;
    (1..=u8::MAX)
        .flat_map(|table| {
            let rows = store.range(table, &[], None, usize::MAX).unwrap();
            rows.into_iter().map(move |(key, value)| (table, key, value))
        })
        .collect()
}

/// Waits until all running replicas have applied as much as the furthest.
pub(super) async fn until_equal(town: &Town) {
    until("all replicas have applied the same", async || {
        let indexes: Vec<u64> = town.up().map(|(_, cluster)| cluster.applied_index()).collect();
        indexes.windows(2).all(|pair| pair[0] == pair[1]).then_some(())
    })
    .await;
}

pub(super) fn id_of(town: &Town, number: usize) -> ReplicaId {
    town.cluster(number).replica_id()
}

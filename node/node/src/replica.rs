//! A replica from start to end: every part in its order, and back.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use blobs::files::DiskFiles;
use blobs::read::pieces;
use blobs::store::{BlobStore, Options};
use blobs::sweep::Boot;
use consensus::cluster::Cluster;
use consensus::join::ADOPT;
use consensus::start::{StartError, StartOptions, Tuning};
use content::content::{Content, Limits as ContentLimits};
use jobs::kinds;
use jobs::runner::Runner;
use tokio::runtime::Handle;
use tools::cli::ServeRequest;
use tools::config::Config;
use tools::config::listeners::Http;
use tools::exit::Stop;
use tools::machine;
use transfer::client::{Client, Limits as TransferLimits};
use transfer::peer_dial::PeerDial;
use transfer::service::Service;
use wire::clock::SystemClock;
use wire::dial::TcpDial;
use wire::listen::{Listen, TcpListen};
use wire::stream::BoxStream;

use crate::house::Tasks;
use crate::peer_listener::{self, Answering};
use crate::public_port::{Listeners, PublicPort, ServerCertificate};
use crate::signals::{Signals, Wish};
use crate::telemetry::{self, Level};
use crate::{VERSION, boot, descriptors, disk, full_disk, house, runtimes};

/// How long jobs may take to stop before others take them over.
const JOBS_MAX: Duration = Duration::from_secs(5);

/// Runs a replica until it is told to stop: what `holdfast serve` does.
pub fn serve(request: ServeRequest) -> Result<(), Stop> {
    let level = telemetry::start(&request.config.log);
    let descriptors = descriptors::raise_limit();
    let cannot = |error: io::Error| Stop::failed(format!("a runtime cannot be started: {error}"));
    let peers = runtimes::peers().map_err(cannot)?;
    let public = runtimes::public().map_err(cannot)?;
    let connections_max =
        descriptors::connections_max(descriptors, request.config.limits.connections_max);
    let start = Start { level, connections_max, peers: peers.handle().clone(), request };
    let ended = public.block_on(start.run());
    // Whatever still runs has had its time.
    public.shutdown_background();
    peers.shutdown_timeout(Duration::from_secs(2));
    match ended? {
        End::Stopped => Ok(()),
        End::StartOver => Err(fault("start over", &full_disk::start_over())),
    }
}

/// How a replica came to its end.
enum End {
    /// It was told to stop.
    Stopped,
    /// Its disk was full, and has room again.
    StartOver,
}

/// What a replica is started with.
struct Start {
    request: ServeRequest,
    level: Level,
    connections_max: usize,
    peers: Handle,
}

impl Start {
    async fn run(self) -> Result<End, Stop> {
        let mut signals = Signals::new().map_err(|error| fault("receive signals", &error))?;
        let config = &self.request.config;
        let (listeners, peer_port) = self.ports().await?;
        let cluster = self.cluster().await?;
        let content_folder = config.content_folder();
        let adopts = config.data.join(ADOPT);
        let opening = (content_folder.clone(), adopts.clone());
        let store = open_store(opening, store_options(config)).await?;
        let dial = Arc::new(PeerPort { cluster: cluster.clone() });
        let client = Client::new(dial, TransferLimits::default());
        let content =
            Content::new(cluster.clone(), store.clone(), client.clone(), content_limits(config));
        let service = Service::new(
            store.clone(),
            client,
            Arc::new(content.clone()),
            Arc::new(content.clone()),
        );
        let mut tasks = Tasks::default();
        let answering = Answering::new(&cluster, service, Handle::current());
        tasks.spawn(&self.peers, peer_listener::listen(peer_port, answering));
        tracing::info!(
            replica = %cluster.replica_id(),
            cluster = cluster.cluster_id(),
            version = VERSION,
            "this replica takes part in the cluster"
        );

        let opened = tokio::select! {
            opened = PublicPort::open(config, listeners, &cluster, &content) => {
                opened.map_err(|error| fault("answer clients", &error))?
            }
            () = stop_wished(&mut signals) => {
                cluster.shutdown().await;
                close(store, content_folder).await;
                return Ok(End::Stopped);
            }
            cause = cluster.halted() => {
                close(store, content_folder).await;
                return Err(Stop::failed(cause));
            }
        };
        house::keep(&mut tasks, &content, &opened.health);
        tasks.spawn(&Handle::current(), house::adopt(content.clone(), adopts));
        warn_of_no_grace(&content);
        let jobs =
            Runner::start(cluster.clone(), kinds::all(&opened.health.context.auth, &content));
        let ended = self.until_the_end(&mut signals, &cluster, &opened.certificate()).await;

        let drain_max = Duration::from_secs(u64::from(config.limits.drain_max_s));
        // Jobs are given back while a majority still answers through this replica.
        tokio::join!(opened.drain(drain_max), jobs.drain(JOBS_MAX.min(drain_max)));
        cluster.shutdown().await;
        drop(tasks);
        close(store, content_folder).await;
        ended
    }

    /// Takes the ports before anything else is begun.
    async fn ports(&self) -> Result<(Listeners, TcpListen), Stop> {
        let config = &self.request.config;
        let secure = Arc::new(bind(&config.public.listen).await?);
        let plain: Option<Arc<dyn Listen>> = match config.public.http {
            Http::Off => None,
            Http::Redirect | Http::Serve => {
                let bound = bind(&config.public.http_listen).await?;
                Some(Arc::new(bound.sending_files(pieces::part_of)))
            }
        };
        // Bound where it is used: Raft's runtime drives its own connections.
        let address = config.peer.listen.clone();
        let peer = self.peers.spawn(async move { TcpListen::bind(&address).await }).await;
        let peer = peer.unwrap_or_else(|ended| Err(io::Error::other(ended)));
        let peer = peer.map_err(|error| Stop::failed(error.to_string()))?;
        let connections_max = self.connections_max;
        Ok((Listeners { secure, plain, connections_max }, peer))
    }
}

impl Start {
    async fn cluster(&self) -> Result<Cluster, Stop> {
        let config = &self.request.config;
        let raft = &config.raft;
        let folder = config.content_folder();
        let nearest = config.data.clone();
        let disk_free = move || {
            let at = if folder.is_dir() { &folder } else { &nearest };
            disk::free_bytes(at)
        };
        let started = consensus::start::start(StartOptions {
            folder: config.data.clone(),
            runtime: self.peers.clone(),
            clock: Arc::new(SystemClock::new()),
            dial: Arc::new(TcpDial::default()),
            tuning: Tuning {
                heartbeat_ms: raft.heartbeat_ms,
                election_ms_min: raft.election_ms_min,
                election_ms_max: raft.election_ms_max,
                snapshot_log_bytes_min: raft.snapshot_log_bytes_min,
                certificate_life_ms: u64::from(config.peer.certificate_life_s) * 1000,
                ..Tuning::default()
            },
            advertise: config.peer.advertised(&machine::host_name()),
            version: VERSION.to_owned(),
            disk_free: Arc::new(disk_free),
        });
        started.await.map_err(|error| match &error {
            StartError::Folder(cause) if cause.is_for_safety() => Stop::refused(error.to_string()),
            StartError::Version { .. } => Stop::refused(error.to_string()),
            _ => Stop::failed(error.to_string()),
        })
    }

    /// Waits until the replica is to end; reads certificates and log level again when asked to.
    async fn until_the_end(
        &self,
        signals: &mut Signals,
        cluster: &Cluster,
        certificate: &ServerCertificate,
    ) -> Result<End, Stop> {
        let folder = &self.request.config.data;
        let mut waits_for_room = false;
        loop {
            tokio::select! {
                wish = signals.next() => match wish {
                    Wish::Stop => {
                        tracing::info!("draining");
                        return Ok(End::Stopped);
                    }
                    Wish::Reload => {
                        self.reload(certificate);
                        cluster.renew_certificate();
                    }
                },
                () = full_disk::room_again(folder), if waits_for_room => {
                    tracing::info!("the disk has room again: starting over");
                    return Ok(End::StartOver);
                }
                cause = cluster.halted(), if !waits_for_room => {
                    if full_disk::is_full(folder) {
                        tracing::error!(
                            cause,
                            "the disk is full: this replica takes no part in the cluster until \
                             there is room; nothing that was acknowledged is lost; free some"
                        );
                        waits_for_room = true;
                        continue;
                    }
                    tracing::error!(cause, "this replica cannot go on");
                    return Err(Stop::failed(cause));
                }
            }
        }
    }

    fn reload(&self, certificate: &ServerCertificate) {
        let config = match self.request.flags.load() {
            Ok(config) => config,
            Err(stop) => {
                tracing::error!(%stop, "the configuration is not read again; the former one stays");
                return;
            }
        };
        self.level.set(&config.log.level);
        match certificate.reload(&config) {
            Ok(()) => tracing::info!(level = config.log.level, "log level and certificate are new"),
            Err(error) => tracing::error!(%error, "the former certificate stays"),
        }
    }
}

/// Reaches the transfer service of peers.
struct PeerPort {
    cluster: Cluster,
}

#[async_trait]
impl PeerDial for PeerPort {
    async fn dial(&self, replica_id: &str) -> io::Result<BoxStream> {
        self.cluster.dial_peer(replica_id, &["http/1.1"]).await
    }
}

async fn bind(address: &str) -> Result<TcpListen, Stop> {
    TcpListen::bind(address).await.map_err(|error| Stop::failed(error.to_string()))
}

fn content_limits(config: &Config) -> ContentLimits {
    let most = |count: u32| usize::try_from(count).unwrap_or(usize::MAX);
    ContentLimits {
        uploads_max: most(config.limits.uploads_max),
        uploads_per_account_max: most(config.limits.uploads_per_account_max),
        layer_bytes_max: config.limits.layer_bytes_max,
        upload_idle_max: Duration::from_secs(config.storage.upload_idle_max_s),
        scrub_every: Duration::from_secs(config.storage.scrub_every_s),
        collection_grace_min: Duration::from_secs(config.storage.collection_grace_min_s),
        ..ContentLimits::default()
    }
}

fn store_options(config: &Config) -> Options {
    let content = config.content_folder();
    // A first start makes the folder later: its disk is that of the nearest folder above.
    let at = content.ancestors().find(|folder| folder.is_dir()).unwrap_or(&config.data);
    let free_min_bytes = disk::watermark(at, config.storage.free_min_bytes);
    Options { free_min_bytes, ..Options::default() }
}

fn warn_of_no_grace(content: &Content) {
    if content.collection_grace_min().is_zero() {
        tracing::warn!(
            "storage.collection_grace_min_s is 0: where the cluster's grace time is 0, too, \
             collection takes what was needed a moment ago"
        );
    }
}

async fn open_store(
    (folder, adopts): (PathBuf, PathBuf),
    options: Options,
) -> Result<Arc<BlobStore>, Stop> {
    let opened = tokio::task::spawn_blocking(move || {
        let store = BlobStore::open(&folder, Arc::new(DiskFiles), options)?;
        // What a former life under another id has left is believed no more than after a power cut.
        let last = if adopts.exists() { Boot::PowerCut } else { boot::last(&folder) };
        let removed = store.adopt_after_start(last)?;
        boot::begin(&folder)?;
        if removed > 0 {
            tracing::info!(removed, "uploads of a former life were removed");
        }
        Ok(store)
    });
    let opened: io::Result<Arc<BlobStore>> =
        opened.await.unwrap_or_else(|e| Err(io::Error::other(e)));
    opened.map_err(|error| fault("open the content store", &error))
}

async fn close(store: Arc<BlobStore>, folder: PathBuf) {
    let closed = tokio::task::spawn_blocking(move || {
        store.close()?;
        boot::goodbye(&folder)
    });
    match closed.await {
        Ok(Ok(())) => tracing::info!("ended"),
        Ok(Err(error)) => tracing::warn!(%error, "the content store did not close in order"),
        Err(error) => tracing::warn!(%error, "the content store did not close in order"),
    }
}

async fn stop_wished(signals: &mut Signals) {
    while signals.next().await != Wish::Stop {}
}

fn fault(doing: &str, error: &io::Error) -> Stop {
    Stop::failed(format!("cannot {doing}: {error}"))
}

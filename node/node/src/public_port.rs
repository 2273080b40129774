//! The ports for clients: their certificate, what answers there, and their end.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use api::bounds::Bounds;
use api::plain::Plain;
use api::public::{Public, PublicOptions};
use api::surfaces::Surfaces;
use consensus::cluster::Cluster;
use content::content::Content;
use edge::context::Context;
use edge::limits::Limits;
use edge::origin::HostNames;
use edge::rates::Rate;
use health::facts::{Facts, Health};
use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use tools::config::Config;
use tools::config::limits as configuration;
use tools::config::listeners::Http;
use tools::machine;
use wire::certificate::CertifiedKey;
use wire::listen::Listen;
use wire::server_tls::ServerTls;

use crate::VERSION;
use crate::client_certificates::ClientCertificates;
use crate::{certificate, disk};

/// Where clients arrive.
pub(crate) struct Listeners {
    pub(crate) secure: Arc<dyn Listen>,
    /// Without encryption, where that is on.
    pub(crate) plain: Option<Arc<dyn Listen>>,
    /// Connections of both together.
    pub(crate) connections_max: usize,
}

/// The ports for clients, open.
pub(crate) struct PublicPort {
    public: Public,
    tls: ServerCertificate,
    /// How this replica is, for those who ask.
    pub(crate) health: Arc<Health>,
    /// Follows which certificates of clients are taken, until the port is closed.
    following: AbortHandle,
}

/// The certificate in use.
#[derive(Clone)]
pub(crate) struct ServerCertificate(Arc<ServerTls>);

impl ServerCertificate {
    /// Reads the operator's own certificate again; one of ours stays.
    pub(crate) fn reload(&self, config: &Config) -> io::Result<()> {
        match certificate::own(&config.public)? {
            Some(own) => self.0.reload(&own.certificate_pem, &own.key_pem),
            None => Ok(()),
        }
    }
}

impl PublicPort {
    /// Begins to answer clients; a newcomer waits here for the cluster's state.
    pub(crate) async fn open(
        config: &Config,
        listeners: Listeners,
        cluster: &Cluster,
        content: &Content,
    ) -> io::Result<Self> {
        let hosts = certificate::host_names(&config.public, &config.peer, &machine::host_name());
        let pair = certificate_for(config, cluster, &hosts).await?;
        let tls = Arc::new(ServerTls::new(&pair.certificate_pem, &pair.key_pem)?);
        let names = HostNames { external_url: config.public.external_url.clone(), names: hosts };
        let context = Context::new(cluster.clone(), content.clone(), names, limits(&config.limits));
        let clients = ClientCertificates {
            public: config.public.clone(),
            tls: Arc::clone(&tls),
            context: Arc::clone(&context),
        };
        // A file of the operator's that does not read is told before anybody is answered.
        clients.look().await.map_err(io::Error::other)?;
        let following = tokio::spawn(clients.follow()).abort_handle();
        let health = Health::new(Arc::clone(&context), facts(config, cluster).await?);
        let https_port = listeners.secure.local_addr()?.port();
        let surfaces = Surfaces::new(&context, Arc::clone(&health));
        let public = Public::start(PublicOptions {
            runtime: Handle::current(),
            context,
            surfaces,
            listen: listeners.secure,
            tls: Arc::clone(&tls),
            plain: listeners.plain.map(|listen| (listen, plain(config, https_port))),
            bounds: bounds(&config.limits, listeners.connections_max),
        });
        tracing::info!(https = config.public.listen, "clients are answered");
        Ok(Self { public, tls: ServerCertificate(tls), health, following })
    }

    /// The certificate in use.
    pub(crate) fn certificate(&self) -> ServerCertificate {
        self.tls.clone()
    }

    /// Takes no more connections and lets requests end.
    pub(crate) async fn drain(self, drain_max: Duration) {
        self.following.abort();
        self.public.drain(drain_max).await;
    }
}

/// What requests may ask.
fn limits(configured: &configuration::Limits) -> Limits {
    let rate =
        Rate { per_second: configured.requests_per_second, burst: configured.requests_burst };
    Limits {
        rate: (rate.per_second > 0).then_some(rate),
        body_idle_max: seconds(configured.body_idle_max_s),
        ..Limits::default()
    }
}

/// What connections may take.
fn bounds(configured: &configuration::Limits, connections_max: usize) -> Bounds {
    Bounds {
        connections_max,
        head_max: seconds(configured.head_max_s),
        idle_max: seconds(configured.connection_idle_max_s),
        stall_max: seconds(configured.body_idle_max_s),
        unread_bytes_max: u64::from(configured.unread_mib_max) * 1024 * 1024,
    }
}

fn seconds(count: u32) -> Duration {
    Duration::from_secs(u64::from(count))
}

fn plain(config: &Config, https_port: u16) -> Plain {
    match config.public.http {
        Http::Serve => Plain::Serve,
        Http::Off | Http::Redirect => {
            let external_url = config.public.external_url.clone();
            Plain::Redirect { external_url, https_port }
        }
    }
}

async fn certificate_for(
    config: &Config,
    cluster: &Cluster,
    hosts: &[String],
) -> io::Result<CertifiedKey> {
    match certificate::own(&config.public)? {
        Some(own) => Ok(own),
        None => certificate::by_the_cluster(cluster, &config.data, hosts).await,
    }
}

/// What the health pages are told.
async fn facts(config: &Config, cluster: &Cluster) -> io::Result<Facts> {
    let ca = certificate::authority_pem(cluster).await?;
    // Who signed the operator's own certificate, its holders know.
    let server_ca = if config.public.certificate.is_some() { String::new() } else { ca };
    let folder = config.content_folder();
    Ok(Facts {
        version: VERSION.to_owned(),
        server_ca: Arc::new(move || server_ca.clone()),
        disk: Arc::new(move || disk::room(&folder)),
    })
}

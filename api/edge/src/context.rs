//! What a request handler works with.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use auth::authenticator::Auth;
use consensus::cluster::Cluster;
use content::content::Content;
use wire::clock::Clock;

use crate::limits::Limits;
use crate::origin::HostNames;
use crate::pulls::Pulls;
use crate::rates::Rates;
use crate::repository_uses::RepositoryUses;
use crate::traffic::Traffic;

/// The `service` of challenges and tokens; clients send it back, any is taken.
pub const SERVICE: &str = "holdfast";

/// This replica, as the surfaces see it.
pub struct Context {
    /// What is agreed on.
    pub cluster: Cluster,
    /// The bytes.
    pub content: Content,
    /// Who is calling.
    pub auth: Auth,
    /// What we are called.
    pub names: HostNames,
    /// What may be asked.
    pub limits: Limits,
    /// How much of it each caller has left.
    pub rates: Rates,
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
    /// What was asked so far.
    pub traffic: Traffic,
    /// Which repositories were pulled from and pushed to.
    pub uses: RepositoryUses,
    /// What was pulled here and not told to the cluster yet.
    pub pulls: Pulls,
    /// Set once: this replica is stopping and takes no new connections.
    draining: AtomicBool,
}

impl Context {
    /// Joins the parts of a replica that requests need.
    pub fn new(cluster: Cluster, content: Content, names: HostNames, limits: Limits) -> Arc<Self> {
        let clock = cluster.clock();
        let auth = Auth::new(cluster.clone(), limits.token_life.as_secs());
        Arc::new(Self {
            cluster,
            content,
            auth,
            names,
            rates: Rates::new(limits.rate),
            limits,
            clock,
            traffic: Traffic::default(),
            uses: RepositoryUses::default(),
            pulls: Pulls::default(),
            draining: AtomicBool::new(false),
        })
    }

    /// Notes that this replica is stopping: `/_ping` turns unhealthy first.
    pub fn start_draining(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Whether this replica is stopping.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}

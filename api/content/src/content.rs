//! The handle that requests and loops share: this replica's store, its peers and the cluster.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use blobs::store::BlobStore;
use consensus::cluster::Cluster;
use metadata::vouchers::Voucher;
use oci::digest::Digest;
use oci::name::RepositoryName;
use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;
pub use transfer::body::ByteStream;
use transfer::client::Client;

use crate::closed::Closed;
use crate::counts::BlobCounts;
use crate::given::Given;
use crate::uploads::Uploads;

/// Copies that pushes here have others make at the same time.
const COPYING_MAX: usize = 8;

/// Bytes of request bodies that wait to be sent to other holders, in KiB, on the whole replica.
const IN_FLIGHT_KIB_MAX: usize = 32 * 1024;

/// Small bodies that are in memory until every holder has them, in KiB, on the whole replica. Apart
/// from the above: a client that is slow to send one must not hold up the large ones.
const SMALL_KIB_MAX: usize = 16 * 1024;

/// Bounds of what this replica takes on at once.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Uploads open on this replica.
    pub uploads_max: usize,
    /// Uploads open on this replica by one account.
    pub uploads_per_account_max: usize,
    /// An upload that saw no byte for this long is forgotten.
    pub upload_idle_max: Duration,
    /// Bytes of a blob that is pushed; 0 means no bound.
    pub layer_bytes_max: u64,
    /// How long a request waits for an earlier one on the same upload before it takes its place.
    pub supersede_after: Duration,
    /// Stalls, in sum, that a copy beyond the write quorum may cost one request.
    pub laggard_stall_max: Duration,
    /// A copy without which there is no write quorum is given up after standing still for this
    /// long.
    pub needed_stall_max: Duration,
    /// How long copies may take that a push or a manifest waits for.
    pub copies_max: Duration,
    /// When a second holder is asked for the bytes because the first did not answer.
    pub hedge_after: Duration,
    /// Copies pulled at once by healing.
    pub healing_pulls_max: usize,
    /// Nothing is collected that was needed less than so long ago, whatever the cluster's settings
    /// say.
    pub collection_grace_min: Duration,
    /// A file without a row is let go when it was known for so long, at least.
    pub orphan_known_min: Duration,
    /// Every file is hashed once in this time; zero for never.
    pub scrub_every: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            uploads_max: 20_000,
            uploads_per_account_max: 1_000,
            upload_idle_max: Duration::from_hours(24),
            layer_bytes_max: 0,
            supersede_after: Duration::from_secs(5),
            laggard_stall_max: Duration::from_secs(2),
            needed_stall_max: Duration::from_secs(15),
            copies_max: Duration::from_secs(10),
            hedge_after: Duration::from_millis(200),
            healing_pulls_max: 2,
            collection_grace_min: Duration::from_hours(1),
            orphan_known_min: Duration::from_mins(1),
            scrub_every: Duration::from_hours(14 * 24),
        }
    }
}

/// Which upload a request means and on whose behalf it comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadMeta {
    /// The repository of the request's path.
    pub repository: RepositoryName,
    /// The account that asks.
    pub account: String,
    /// What that one showed, for the cluster to look at again when the upload is closed.
    pub voucher: Option<Voucher>,
}

impl UploadMeta {
    /// Whether it is the same account in the same repository, whatever it showed. The account's
    /// name alone does not do: another may have it by now.
    pub(crate) fn agrees_with(&self, other: &Self) -> bool {
        let id = |meta: &Self| meta.voucher.as_ref().map(|voucher| voucher.account);
        self.repository == other.repository
            && self.account == other.account
            && id(self) == id(other)
    }
}

/// A blob that is durable on a write quorum and known to the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// Its digest.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
}

/// This replica's content. Clones share one state.
#[derive(Clone)]
pub struct Content {
    pub(crate) shared: Arc<Shared>,
}

/// What all clones share.
pub(crate) struct Shared {
    pub(crate) cluster: Cluster,
    pub(crate) store: Arc<BlobStore>,
    pub(crate) client: Client,
    pub(crate) limits: Limits,
    pub(crate) uploads: Uploads,
    pub(crate) closed: Closed,
    /// What this replica vouched for, as far as a release must be newer.
    pub(crate) given: Given,
    /// Digests this replica is fetching, so that one is fetched once.
    pub(crate) pulling: Mutex<HashSet<Digest>>,
    /// Digests of which copies are known to be missing, to be looked at before all others.
    pub(crate) hints: Mutex<Vec<Digest>>,
    /// What the last full pass of healing saw; `None` before the first one.
    pub(crate) counts: Mutex<Option<BlobCounts>>,
    /// Rings when there is a hint.
    pub(crate) healing: Notify,
    /// Copies that pushes here have others make at once.
    pub(crate) copying: Arc<Semaphore>,
    /// KiB of request bodies that are on their way to other holders.
    pub(crate) in_flight: Arc<Semaphore>,
    /// KiB of small bodies in memory.
    pub(crate) small: Arc<Semaphore>,
    /// Since when others could have been heard.
    pub(crate) began: Instant,
}

impl Content {
    /// Joins this replica's store, its peers and the cluster.
    pub fn new(cluster: Cluster, store: Arc<BlobStore>, client: Client, limits: Limits) -> Self {
        let shared = Shared {
            cluster,
            store,
            client,
            limits,
            uploads: Uploads::default(),
            closed: Closed::default(),
            given: Given::default(),
            pulling: Mutex::default(),
            hints: Mutex::default(),
            counts: Mutex::default(),
            healing: Notify::new(),
            copying: Arc::new(Semaphore::new(COPYING_MAX)),
            in_flight: Arc::new(Semaphore::new(IN_FLIGHT_KIB_MAX)),
            small: Arc::new(Semaphore::new(SMALL_KIB_MAX)),
            began: Instant::now(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Bytes of a blob that is pushed, at most, where there is a bound.
    pub fn layer_bytes_max(&self) -> Option<u64> {
        Some(self.shared.limits.layer_bytes_max).filter(|bytes_max| *bytes_max > 0)
    }

    /// Nothing is collected that was needed less than so long ago.
    pub fn collection_grace_min(&self) -> Duration {
        self.shared.limits.collection_grace_min
    }

    /// The cluster, for those who hold only this handle.
    pub fn cluster(&self) -> &Cluster {
        &self.shared.cluster
    }

    /// The local blobs, for those who hold only this handle.
    pub fn store(&self) -> &Arc<BlobStore> {
        &self.shared.store
    }
}

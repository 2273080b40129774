//! What a runner sees of the queue when it looks.

use consensus::cluster::{Cluster, Failure, Freshness};
use metadata::clocks;
use metadata::jobs::workers::{self, WorkerRow};
use metadata::jobs::{self, JobRow, crons};
use metadata::replica::ReplicaId;

/// Waiting jobs that are looked at.
const DUE_MAX: usize = 50;

/// One state of the queue, as this replica knows it.
pub(crate) struct Sight {
    /// Cluster time in milliseconds.
    pub(crate) cluster_ms: u64,
    /// What counts as now, milliseconds since 1970.
    pub(crate) wall_ms: u64,
    /// Jobs that wait and are due, those scheduled first in front.
    pub(crate) due: Vec<JobRow>,
    /// Jobs that workers have.
    pub(crate) held: Vec<JobRow>,
    /// Actions whose crons are due, since when in milliseconds since 1970.
    pub(crate) crons: Vec<(String, u64)>,
    /// Every worker.
    pub(crate) workers: Vec<(ReplicaId, WorkerRow)>,
}

impl Sight {
    /// Looks. `wall_ms` is this replica's clock; it counts where it is not behind what was agreed
    /// on.
    pub(crate) async fn of(cluster: &Cluster, wall_ms: u64) -> Result<Self, Failure> {
        let read = cluster.read(Freshness::Local, |view| {
            let now = clocks::now(view)?;
            let wall_ms = wall_ms.max(now.wall_ms);
            let crons = crons::list(view)?.into_iter();
            let crons = crons.filter(|cron| cron.next_wall_ms <= wall_ms);
            Ok(Self {
                cluster_ms: now.cluster_ms,
                wall_ms,
                due: jobs::due(view, wall_ms, DUE_MAX)?,
                held: jobs::held(view)?,
                crons: crons.map(|cron| (cron.spec.action, cron.next_wall_ms)).collect(),
                workers: workers::list(view)?,
            })
        });
        read.await
    }

    /// What that replica's worker is.
    pub(crate) fn worker(&self, replica_id: ReplicaId) -> Option<&WorkerRow> {
        self.workers.iter().find(|(id, _)| *id == replica_id).map(|(_, row)| row)
    }

    /// The jobs that it has.
    pub(crate) fn held_by(&self, replica_id: ReplicaId) -> impl Iterator<Item = &JobRow> {
        self.held.iter().filter(move |job| job.worker == Some(replica_id))
    }
}

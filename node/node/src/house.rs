//! What a replica does beside answering: healing, leases, old uploads, checks of itself.

use std::sync::Arc;
use std::time::Duration;

use consensus::cluster::{Cluster, Freshness};
use content::content::Content;
use health::facts::Health;
use metadata::command::Command;
use metadata::members::{self, MemberUpdate};
use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use tools::config::Config;
use tools::machine;

use crate::replica::VERSION;

/// Old uploads are looked for this often.
const TIDY_EVERY: Duration = Duration::from_secs(15);

/// Between two tries to tell the cluster this replica's address and version.
const TELL_EVERY: Duration = Duration::from_secs(5);

/// Tasks that end with the replica.
#[derive(Default)]
pub(crate) struct Tasks(Vec<AbortHandle>);

impl Tasks {
    /// Begins a task.
    pub(crate) fn spawn(&mut self, on: &Handle, task: impl Future<Output = ()> + Send + 'static) {
        self.0.push(on.spawn(task).abort_handle());
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        for task in &self.0 {
            task.abort();
        }
    }
}

/// The loops that keep content and health in order.
pub(crate) fn keep(tasks: &mut Tasks, content: &Content, health: &Arc<Health>) {
    let here = Handle::current();
    let (healing, leases, uploads) = (content.clone(), content.clone(), content.clone());
    tasks.spawn(&here, async move { healing.heal().await });
    tasks.spawn(&here, async move { leases.renew_leases().await });
    tasks.spawn(&here, async move {
        loop {
            tokio::time::sleep(TIDY_EVERY).await;
            if let Err(error) = uploads.tidy_uploads().await {
                tracing::warn!(%error, "old uploads were not removed");
            }
        }
    });
    let health = Arc::clone(health);
    tasks.spawn(&here, async move { health::checks::run(&health).await });
}

/// Tells the cluster where this replica is and which version it runs, where that has changed.
pub(crate) async fn tell_about_this_replica(cluster: Cluster, config: Config) {
    let address = config.peer.advertised(&machine::host_name());
    let replica_id = cluster.replica_id();
    loop {
        let known = cluster.read(Freshness::Local, |view| members::find(view, replica_id)).await;
        match known {
            Ok(Some(row)) if row.address == address && row.version == VERSION => return,
            Ok(Some(_)) => {
                let update = MemberUpdate {
                    replica_id,
                    address: Some(address.clone()),
                    version: Some(VERSION.to_owned()),
                };
                if cluster.propose(Command::MemberUpdate(update)).await.is_ok() {
                    return;
                }
            }
            Ok(None) | Err(_) => {}
        }
        tokio::time::sleep(TELL_EVERY).await;
    }
}

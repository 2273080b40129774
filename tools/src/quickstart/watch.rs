//! Watching a quick start that is up: who ended, who came back, who leads.

use std::time::Duration;

use super::cluster::Cluster;
use super::process::Process;
use super::report;
use crate::exit::Stop;

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Watches until it is dropped, and tells what changes.
pub async fn watch(cluster: &mut Cluster) -> Result<(), Stop> {
    let mut shown = String::new();
    let mut first = true;
    loop {
        let came_back = adopt(cluster);
        if came_back {
            cluster.folder.publish(&cluster.record)?;
        }
        let (view, gone) = cluster.look().await;
        let table = report::table(&cluster.record, view.as_ref(), &gone).to_string();
        // The first table was shown when the cluster came up.
        if table != shown && !first {
            println!("\n{table}{}", report::how_to_start_again(&cluster.record, &gone));
        }
        shown = table;
        first = false;
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Finds replicas that somebody started again; true where there is one.
fn adopt(cluster: &mut Cluster) -> bool {
    let mut found = false;
    for (process, replica) in cluster.processes.iter_mut().zip(&mut cluster.record.replicas) {
        if process.ended(replica).is_none() {
            continue;
        }
        if let Some(again) = Process::find(replica) {
            replica.pid = again.pid().unwrap_or(0);
            *process = again;
            found = true;
        }
    }
    found
}

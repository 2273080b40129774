//! Logs at the end of a run: no replica has panicked and none has written a secret.

use anyhow::Result;

use crate::cluster::Cluster;
use crate::secrets;

/// What may not stand in the logs of a cluster, by replica; also what else its own commands
/// printed.
pub fn complaints(cluster: &Cluster) -> Result<Vec<String>> {
    let known = secrets::of(cluster)?;
    let mut found = Vec::new();
    for replica in &cluster.replicas {
        let text = replica.log_text();
        let name = replica.log.display();
        let panics = text.lines().filter(|line| line.contains("panicked at"));
        found.extend(panics.map(|line| format!("{name}: {line}")));
        for secret in secrets::found_in(&text, &known) {
            found.push(format!("{name}: shows {secret}"));
        }
        if text.is_empty() {
            found.push(format!("{name}: is empty, so nothing was checked"));
        }
    }
    Ok(found)
}

//! The sweep at the end of a run: everything that was acknowledged is fetched from every replica.

use std::time::{Duration, Instant};

use futures::StreamExt;
use tokio::time::sleep;

use crate::checker::durable;
use crate::history::{Call, Outcome, Recorder};
use crate::registry::Registry;

/// How many fetches are under way at once.
const WIDTH: usize = 8;
/// The number under which the sweep writes into the history.
const CLIENT: u32 = u32::MAX;

/// Fetches every acknowledged manifest and blob from each of these replicas.
///
/// What can't be read yet is asked for again until the deadline: a replica that was just started
/// may still be catching up. The last answer stays in the history.
pub async fn fetch_everything(
    registry: &Registry,
    repository: &str,
    history: &Recorder,
    replicas: &[usize],
    within: Duration,
) {
    let until = Instant::now() + within;
    let events = history.events();
    let mut kinds: Vec<(&str, &str)> = Vec::new();
    for event in events.iter().filter(|event| event.is_acknowledged_push()) {
        if let Call::Push { digest, blobs, .. } = &event.call {
            kinds.push(("manifests", digest));
            kinds.extend(blobs.iter().map(|blob| ("blobs", blob.as_str())));
        }
    }
    kinds.sort_unstable();
    kinds.dedup();
    debug_assert_eq!(kinds.len(), durable::acknowledged(&events).len());
    let wanted = replicas.iter().flat_map(|at| kinds.iter().map(move |kind| (*at, *kind)));
    let fetches = wanted.map(|(at, (kind, digest))| async move {
        loop {
            let start_us = history.now_us();
            let came = registry.fetch(at, repository, kind, digest).await;
            let good = came.as_ref().is_ok_and(|it| it == digest);
            if good || Instant::now() >= until {
                let outcome = came.map_or_else(|it| it.outcome(), Outcome::Bytes);
                history.add(
                    (CLIENT, at),
                    start_us,
                    Call::Fetch { digest: digest.to_owned() },
                    outcome,
                );
                return;
            }
            sleep(Duration::from_millis(200)).await;
        }
    });
    futures::stream::iter(fetches).buffer_unordered(WIDTH).collect::<Vec<()>>().await;
}

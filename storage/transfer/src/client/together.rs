//! Small things for one peer go in one request, as many as have come together while others are on
//! their way. A request of its own for each costs both sides more than keeping the blob.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use oci::digest::{Algorithm, Digest};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::body::full;
use crate::client::Client;
use crate::client::connections::{Connections, Kind, request, uri};
use crate::failure::TransferFailure;
use crate::parcels::{Done, PARCELS_MAX, Parcel, TOGETHER_BYTES_MAX, packed};
use crate::protocol::{Outcome, TOGETHER};
use crate::receipt::Receipt;

/// Requests with parcels of one kind on their way to one peer: the next goes while one is worked
/// on.
const UNDER_WAY_MAX: usize = 2;
/// A request counts among them for so long: one that hangs, as after a partition, must not keep the
/// peer from being reached over another connection.
const PATIENCE: Duration = Duration::from_millis(500);

type Came = Result<Done, TransferFailure>;

/// What waits for each peer.
#[derive(Default)]
pub(super) struct Together {
    /// Those that wait for a disk apart from those that do not.
    lanes: Mutex<HashMap<(String, bool), Arc<Lane>>>,
}

#[derive(Default)]
struct Lane {
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Waiting>,
    under_way: usize,
}

struct Waiting {
    parcel: Parcel,
    since: Instant,
    tell: oneshot::Sender<Came>,
}

impl Client {
    /// Begins a staged upload: the peer takes note of it, and makes its file with its first bytes.
    pub async fn stage_create(
        &self,
        replica_id: &str,
        id: &str,
        algorithms: &[Algorithm],
    ) -> Result<(), TransferFailure> {
        let parcel = Parcel::Announce { upload: id.to_owned(), algorithms: algorithms.to_vec() };
        match self.send_together(replica_id, parcel).await? {
            Done::Announced => Ok(()),
            Done::Kept(_) => Err(beside_the_point()),
        }
    }

    /// Gives the peer a blob of at most [`PARCEL_BYTES_MAX`](crate::PARCEL_BYTES_MAX) bytes. It
    /// forgets the upload `instead_of`, of which it was told and which has no bytes there.
    pub async fn blob_put_small(
        &self,
        replica_id: &str,
        digest: &Digest,
        bytes: Bytes,
        instead_of: Option<&str>,
    ) -> Result<Receipt, TransferFailure> {
        let instead_of = instead_of.map(str::to_owned);
        let parcel = Parcel::Keep { digest: digest.clone(), bytes, instead_of };
        match self.send_together(replica_id, parcel).await? {
            Done::Kept(receipt) => Ok(receipt),
            Done::Announced => Err(beside_the_point()),
        }
    }

    async fn send_together(&self, replica_id: &str, parcel: Parcel) -> Came {
        let (tell, told) = oneshot::channel();
        let is_for_disk = matches!(parcel, Parcel::Keep { .. });
        let lane = self.together.lane(replica_id, is_for_disk);
        if lane.add(Waiting { parcel, since: Instant::now(), tell }) {
            let (connections, to) = (Arc::clone(&self.connections), replica_id.to_owned());
            tokio::spawn(async move {
                while let Some(load) = lane.next(&to, connections.limits.idle_max) {
                    let (connections, to) = (Arc::clone(&connections), to.clone());
                    let mut on_its_way = tokio::spawn(deliver(connections, to, is_for_disk, load));
                    // One that takes longer goes on without holding up others.
                    let _ = timeout(PATIENCE, &mut on_its_way).await;
                }
            });
        }
        told.await.unwrap_or_else(|_| Err(beside_the_point()))
    }
}

impl Together {
    fn lane(&self, replica_id: &str, is_for_disk: bool) -> Arc<Lane> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(lanes.entry((replica_id.to_owned(), is_for_disk)).or_default())
    }
}

impl Lane {
    /// Adds a parcel; true where the caller has to see to a request more.
    fn add(&self, waiting: Waiting) -> bool {
        let mut queue = self.queue();
        queue.waiting.push_back(waiting);
        let is_free = queue.under_way < UNDER_WAY_MAX;
        queue.under_way += usize::from(is_free);
        is_free
    }

    /// What the next request carries; `None` ends the turn of whoever asks. What waited for
    /// `wait_max` is not sent any more.
    fn next(&self, to: &str, wait_max: Duration) -> Option<Vec<Waiting>> {
        let mut queue = self.queue();
        // Whoever gave up waiting has given up the memory as well.
        queue.waiting.retain(|waiting| !waiting.tell.is_closed());
        let is_late = |waiting: &Waiting| waiting.since.elapsed() > wait_max;
        while queue.waiting.front().is_some_and(is_late) {
            let Some(late) = queue.waiting.pop_front() else { break };
            let cause = "too many requests to it are under way".to_owned();
            let failure = TransferFailure::Unreachable { replica_id: to.to_owned(), cause };
            // Nobody may listen any more.
            let _ = late.tell.send(Err(failure));
        }
        let (mut load, mut bytes) = (Vec::new(), 0);
        while load.len() < PARCELS_MAX && bytes < TOGETHER_BYTES_MAX {
            let Some(waiting) = queue.waiting.pop_front() else { break };
            bytes += waiting.parcel.bytes();
            load.push(waiting);
        }
        if load.is_empty() {
            queue.under_way -= 1;
            return None;
        }
        Some(load)
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends one request and tells each parcel's sender what came of it. It ends early once none of
/// them waits any more.
async fn deliver(
    connections: Arc<Connections>,
    to: String,
    is_for_disk: bool,
    mut load: Vec<Waiting>,
) {
    let body = packed(load.iter().map(|waiting| &waiting.parcel));
    let asking = async {
        let kind = if is_for_disk { Kind::Send } else { Kind::Call };
        let asked = request(Request::post(uri(&to, TOGETHER)), full(body))?;
        connections.call(&to, kind, asked).await
    };
    let all_gone = async {
        for waiting in &mut load {
            waiting.tell.closed().await;
        }
    };
    let answered: Result<Vec<Outcome<Done, TransferFailure>>, TransferFailure> = tokio::select! {
        answered = asking => answered,
        () = all_gone => return,
    };
    match answered {
        Ok(outcomes) if outcomes.len() == load.len() => {
            for (waiting, outcome) in load.into_iter().zip(outcomes) {
                // Nobody may listen any more.
                let _ = waiting.tell.send(outcome.into());
            }
        }
        answered => {
            let failure = answered.err().unwrap_or_else(beside_the_point);
            for waiting in load {
                let _ = waiting.tell.send(Err(failure.clone()));
            }
        }
    }
}

fn beside_the_point() -> TransferFailure {
    TransferFailure::Malformed { text: "its answer does not fit what was sent".to_owned() }
}

//! Sending an upload's bytes to the other holders while they arrive.
//!
//! Each holder has a lane: a short queue and a task that sends what is in it. Bytes go on as soon
//! as enough lanes for a write quorum have room; one that lags behind is given a little time in
//! all, then it is left behind and gets its copy later, whole.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{FuturesUnordered, StreamExt};
use metadata::replica::ReplicaId;
use oci::digest::Algorithm;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use transfer::body::ByteStream;
use transfer::client::Client;
use transfer::failure::TransferFailure;

use crate::upload_id::UploadId;

/// Pieces that wait in one lane.
const LANE_PIECES_MAX: usize = 16;

/// A larger piece is cut, so that a lane's queue is bounded in bytes too.
const PIECE_BYTES_MAX: usize = 256 * 1024;

/// Bytes that wait to be sent, with their share of the replica's bound.
#[derive(Clone)]
struct Piece {
    bytes: Bytes,
    _share: Arc<OwnedSemaphorePermit>,
}

struct Lane {
    replica: ReplicaId,
    sender: mpsc::Sender<Piece>,
    task: JoinHandle<Result<u64, TransferFailure>>,
}

/// The lanes of one request.
pub(crate) struct Fanout {
    lanes: Vec<Lane>,
    needed: usize,
    in_flight: Arc<Semaphore>,
    needed_stall_max: Duration,
    /// What is left of the time that laggards may cost.
    laggards: Duration,
}

/// To whom an upload's bytes go.
pub(crate) struct Lanes<'a> {
    pub(crate) id: &'a UploadId,
    /// Where all of `replicas` stand, in bytes.
    pub(crate) offset: u64,
    pub(crate) replicas: &'a [ReplicaId],
    /// How many of them must keep up.
    pub(crate) needed: usize,
    /// How the bytes are hashed.
    pub(crate) algorithms: &'a [Algorithm],
}

/// How long the sending may stand still, and how much may wait.
#[derive(Clone)]
pub(crate) struct Bounds {
    /// KiB that wait to be sent, on the whole replica.
    pub(crate) in_flight: Arc<Semaphore>,
    /// For a lane that is needed.
    pub(crate) needed_stall_max: Duration,
    /// For all lanes beyond those, in one request.
    pub(crate) laggard_stall_max: Duration,
}

impl Fanout {
    /// Opens the lanes.
    pub(crate) fn open(client: &Client, lanes: &Lanes<'_>, bounds: Bounds) -> Self {
        let offset = lanes.offset;
        let lane = |replica: &ReplicaId| {
            let (sender, receiver) = mpsc::channel(LANE_PIECES_MAX);
            let (client, to, id) = (client.clone(), replica.to_string(), lanes.id.to_string());
            // Only the second replica was told of the upload before.
            let begin = (offset == 0).then(|| lanes.algorithms.to_vec());
            let task = tokio::spawn(async move {
                client.stage_append(&to, &id, offset, begin.as_deref(), drained(receiver)).await
            });
            Lane { replica: *replica, sender, task }
        };
        Self {
            lanes: lanes.replicas.iter().map(lane).collect(),
            needed: lanes.needed,
            in_flight: bounds.in_flight,
            needed_stall_max: bounds.needed_stall_max,
            laggards: bounds.laggard_stall_max,
        }
    }

    /// Queues bytes in every lane that keeps up.
    pub(crate) async fn send(&mut self, mut bytes: Bytes) {
        while !bytes.is_empty() && !self.lanes.is_empty() {
            let piece = bytes.split_to(bytes.len().min(PIECE_BYTES_MAX));
            let kib = u32::try_from(piece.len().div_ceil(1024)).unwrap_or(1);
            let share = Arc::clone(&self.in_flight).acquire_many_owned(kib);
            let Ok(Ok(share)) = timeout(self.needed_stall_max, share).await else {
                // Others take all the room and do not go on: this body goes on here alone, and the
                // copies are made when it is whole.
                self.leave_behind((0..self.lanes.len()).collect());
                return;
            };
            self.send_piece(Piece { bytes: piece, _share: Arc::new(share) }).await;
        }
    }

    async fn send_piece(&mut self, piece: Piece) {
        let mut taken = 0;
        let mut lost = Vec::new();
        let mut pending = Vec::new();
        let mut waiting = FuturesUnordered::new();
        for (at, lane) in self.lanes.iter().enumerate() {
            match lane.sender.try_send(piece.clone()) {
                Ok(()) => taken += 1,
                Err(mpsc::error::TrySendError::Closed(_)) => lost.push(at),
                Err(mpsc::error::TrySendError::Full(piece)) => {
                    let sender = lane.sender.clone();
                    pending.push(at);
                    waiting.push(async move { (at, sender.send(piece).await.is_ok()) });
                }
            }
        }
        let began = Instant::now();
        while !pending.is_empty() {
            let waited = Instant::now();
            let next = timeout(self.bound(taken, began), waiting.next()).await;
            if taken >= self.needed {
                self.laggards = self.laggards.saturating_sub(waited.elapsed());
            }
            let Ok(Some((at, is_taken))) = next else { break };
            pending.retain(|pending| *pending != at);
            if is_taken { taken += 1 } else { lost.push(at) }
        }
        drop(waiting);
        lost.extend(pending);
        self.leave_behind(lost);
    }

    /// How long to wait for the next lane, when `done` of them are done.
    fn bound(&self, done: usize, began: Instant) -> Duration {
        if done >= self.needed {
            self.laggards
        } else {
            self.needed_stall_max.saturating_sub(began.elapsed())
        }
    }

    fn leave_behind(&mut self, mut lost: Vec<usize>) {
        lost.sort_unstable();
        for at in lost.into_iter().rev() {
            let lane = self.lanes.swap_remove(at);
            tracing::debug!(replica = %lane.replica, "a holder does not keep up; copied later");
            lane.task.abort();
        }
    }

    /// Ends the lanes and returns those that have everything up to `offset`.
    pub(crate) async fn close(mut self, offset: u64) -> Vec<ReplicaId> {
        let mut ending = FuturesUnordered::new();
        for Lane { replica, sender, task } in std::mem::take(&mut self.lanes) {
            drop(sender);
            let task = AbortOnDrop(task);
            ending.push(async move { (replica, task.ended().await) });
        }
        let mut complete = Vec::new();
        let began = Instant::now();
        loop {
            match timeout(self.bound(complete.len(), began), ending.next()).await {
                Ok(Some((replica, Ok(end)))) if end == offset => complete.push(replica),
                Ok(Some((replica, outcome))) => {
                    tracing::debug!(%replica, ?outcome, "a holder lacks bytes; copied later");
                }
                Ok(None) | Err(_) => return complete,
            }
        }
    }
}

/// A lane's task, which ends when nobody waits for it any more.
struct AbortOnDrop(JoinHandle<Result<u64, TransferFailure>>);

impl AbortOnDrop {
    async fn ended(mut self) -> Result<u64, TransferFailure> {
        let broken =
            |error: tokio::task::JoinError| TransferFailure::Fault { text: error.to_string() };
        (&mut self.0).await.map_err(broken).flatten()
    }
}

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn drained(receiver: mpsc::Receiver<Piece>) -> ByteStream {
    let pieces = futures::stream::unfold(receiver, |mut receiver| async move {
        let piece = receiver.recv().await?;
        Some((io::Result::Ok(piece.bytes), receiver))
    });
    Box::pin(pieces.fuse())
}

#[cfg(test)]
mod tests;

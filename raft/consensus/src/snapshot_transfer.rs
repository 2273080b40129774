//! Snapshots on their way from the leader to a replica that needs one.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::Duration;

use openraft::{Snapshot, SnapshotMeta};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use crate::codec;
use crate::network::Network;
use crate::peers::Lane;
use crate::protocol::peer;
use crate::raft_types::{RaftVote, Types};
use crate::replica::Replica;

/// Bytes sent at a time.
const PART_BYTES: usize = 256 * 1024;
/// Parts read ahead of the connection, and received ahead of the disk.
const PARTS_AHEAD: usize = 4;

/// Sends `snapshot` to `target`; answers the vote that the target holds once it has installed it.
pub(crate) async fn send(
    network: &Network,
    target: u64,
    vote: &RaftVote,
    snapshot: &Snapshot<Types>,
) -> io::Result<RaftVote> {
    let mut file = std::fs::File::open(snapshot.snapshot.path())?;
    let size_bytes = file.metadata()?.len();
    let (parts, queue) = mpsc::channel(PARTS_AHEAD);
    let head = peer::SnapshotHead {
        sender: Some(network.peers.sender()),
        vote: Some(codec::vote_to_record(vote)),
        snapshot_id: snapshot.meta.snapshot_id.clone(),
        size_bytes,
    };
    let first = peer::SnapshotPart { head: Some(head), data: bytes::Bytes::new() };
    let reader = tokio::task::spawn_blocking(move || -> io::Result<()> {
        let mut part = first;
        loop {
            // The receiver has gone: the call has ended and says why.
            if parts.blocking_send(part).is_err() {
                return Ok(());
            }
            let mut data = vec![0; PART_BYTES];
            let length = read_full(&mut file, &mut data)?;
            if length == 0 {
                return Ok(());
            }
            data.truncate(length);
            part = peer::SnapshotPart { head: None, data: data.into() };
        }
    });
    let mut client = network.peers.client(target, Lane::Bulk);
    // At a slow 1 MiB/s, and the time to install it.
    let limit = network.snapshot_idle + Duration::from_secs(size_bytes / (1024 * 1024));
    let answer = tokio::time::timeout(limit, client.snapshot(ReceiverStream::new(queue))).await;
    let answer = answer
        .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "the snapshot was not taken in time"))?
        .map_err(|status| io::Error::other(status.message().to_owned()))?;
    reader.await.map_err(io::Error::other)??;
    codec::vote_from_record(answer.into_inner().vote).map_err(io::Error::other)
}

fn read_full(from: &mut impl Read, into: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < into.len() {
        match from.read(&mut into[length..]) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}

/// Receives a snapshot into a file of its own, and has it installed once the file is complete and
/// synced under its final name.
pub(crate) async fn receive(
    replica: &Arc<Replica>,
    head: peer::SnapshotHead,
    mut parts: tonic::Streaming<peer::SnapshotPart>,
) -> Result<RaftVote, Status> {
    let vote = codec::vote_from_record(head.vote)
        .map_err(|error| Status::invalid_argument(error.to_string()))?;
    let own_vote = replica.raft.metrics().borrow().vote;
    if vote < own_vote {
        return Ok(own_vote);
    }
    let (pieces, mut queue) = mpsc::channel::<bytes::Bytes>(PARTS_AHEAD);
    let snapshots = replica.snapshots.clone();
    let size_bytes = head.size_bytes;
    let id = head.snapshot_id.clone();
    let writer = tokio::task::spawn_blocking(move || {
        let clean = id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'));
        let mut incoming = snapshots.begin(if clean { &id } else { "received" })?;
        let mut received = 0;
        while let Some(piece) = queue.blocking_recv() {
            received += piece.len() as u64;
            incoming.file.write_all(&piece)?;
        }
        if received != size_bytes {
            let text = format!("{received} bytes of {size_bytes} arrived");
            return Err(crate::snapshots::SnapshotError::Damaged(text));
        }
        incoming.finish()
    });
    let idle = Duration::from_millis(replica.tuning.snapshot_idle_ms);
    loop {
        let part = tokio::time::timeout(idle, parts.message()).await;
        let part = part.map_err(|_| Status::deadline_exceeded("no part came in time"))??;
        let Some(part) = part else { break };
        replica.hear_leader(&vote);
        if pieces.send(part.data).await.is_err() {
            break;
        }
    }
    drop(pieces);
    let stored = writer.await.map_err(|error| Status::internal(error.to_string()))?;
    let stored = stored.map_err(|error| Status::internal(error.to_string()))?;
    tracing::info!(index = stored.index(), size_bytes, "received a snapshot");
    let meta = SnapshotMeta { snapshot_id: head.snapshot_id, ..stored.meta.clone() };
    let snapshot = Snapshot { meta, snapshot: Box::new(stored.file.clone()) };
    let answer = replica.raft.install_full_snapshot(vote, snapshot).await;
    answer.map(|answer| answer.vote).map_err(|error| Status::unavailable(error.to_string()))
}

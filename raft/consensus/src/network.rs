//! Raft's calls to other replicas.

use std::io;
use std::time::Duration;

use openraft::error::{
    NetworkError, PayloadTooLarge, RPCError, RaftError, ReplicationClosed, StreamingError, Timeout,
    Unreachable,
};
use openraft::network::{Backoff, RPCOption, RaftNetwork, RaftNetworkFactory};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, VoteRequest, VoteResponse,
};
use openraft::{AnyError, OptionalSend, RPCTypes, Snapshot};
use tonic::Code;

use crate::codec;
use crate::peers::{Lane, Peers};
use crate::protocol::peer;
use crate::raft_types::{RaftVote, Types};
use crate::snapshot_transfer;

/// How long a peer that can't be reached is left alone by replication.
const UNREACHABLE: Duration = Duration::from_millis(200);

type CallError = RPCError<u64, openraft::EmptyNode, RaftError<u64>>;

/// Makes the library's clients; none of them connects before it is used.
#[derive(Clone)]
pub(crate) struct Network {
    pub(crate) peers: Peers,
    pub(crate) own: u64,
    pub(crate) snapshot_idle: Duration,
}

impl RaftNetworkFactory<Types> for Network {
    type Network = Client;

    async fn new_client(&mut self, target: u64, _node: &openraft::EmptyNode) -> Client {
        Client { network: self.clone(), target }
    }
}

/// Calls to one replica.
pub(crate) struct Client {
    network: Network,
    target: u64,
}

impl Client {
    fn timed_out(&self, action: RPCTypes, timeout: Duration) -> CallError {
        RPCError::Timeout(Timeout { action, id: self.network.own, target: self.target, timeout })
    }
}

/// A call that never reached the peer is left alone for a moment; any other is tried again.
pub(crate) fn call_error(status: &tonic::Status) -> CallError {
    let error = io::Error::other(status.message().to_owned());
    match status.code() {
        Code::Unavailable | Code::PermissionDenied | Code::Unauthenticated => {
            RPCError::Unreachable(Unreachable::new(&error))
        }
        _ => RPCError::Network(NetworkError::new(&error)),
    }
}

fn unreadable(error: &codec::Unreadable) -> CallError {
    RPCError::Network(NetworkError::new(error))
}

impl RaftNetwork<Types> for Client {
    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<Types>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<u64>, CallError> {
        let entries = rpc.entries.len();
        let request = peer::AppendRequest {
            sender: Some(self.network.peers.sender()),
            vote: Some(codec::vote_to_record(&rpc.vote)),
            previous: rpc.prev_log_id.as_ref().map(codec::log_id_to_record),
            entries: rpc.entries.iter().map(codec::entry_to_message).collect(),
            committed: rpc.leader_commit.as_ref().map(codec::log_id_to_record),
        };
        // A little before the library's own time-out, which would not let us answer.
        let limit = option.hard_ttl().mul_f64(0.9);
        let mut client = self.network.peers.client(self.target, Lane::Control);
        let answer = match tokio::time::timeout(limit, client.append(request)).await {
            Ok(Ok(answer)) => answer.into_inner(),
            Ok(Err(status)) => return Err(call_error(&status)),
            Err(_) if entries > 1 => {
                let half = u64::try_from(entries / 2).unwrap_or(1);
                return Err(RPCError::PayloadTooLarge(PayloadTooLarge::new_entries_hint(half)));
            }
            Err(_) => return Err(self.timed_out(RPCTypes::AppendEntries, limit)),
        };
        append_answer(answer).map_err(|error| unreadable(&error))
    }

    async fn vote(
        &mut self,
        rpc: VoteRequest<u64>,
        option: RPCOption,
    ) -> Result<VoteResponse<u64>, CallError> {
        let request = peer::VoteRequest {
            sender: Some(self.network.peers.sender()),
            vote: Some(codec::vote_to_record(&rpc.vote)),
            last: rpc.last_log_id.as_ref().map(codec::log_id_to_record),
        };
        let mut client = self.network.peers.client(self.target, Lane::Control);
        let call = tokio::time::timeout(option.hard_ttl(), client.vote(request));
        let answer = match call.await {
            Ok(answer) => answer.map_err(|status| call_error(&status))?.into_inner(),
            Err(_) => return Err(self.timed_out(RPCTypes::Vote, option.hard_ttl())),
        };
        Ok(VoteResponse {
            vote: codec::vote_from_record(answer.vote).map_err(|error| unreadable(&error))?,
            vote_granted: answer.granted,
            last_log_id: answer.last.map(codec::log_id_from_record),
        })
    }

    async fn full_snapshot(
        &mut self,
        vote: RaftVote,
        snapshot: Snapshot<Types>,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<u64>, StreamingError<Types, openraft::error::Fatal<u64>>> {
        let network = self.network.clone();
        let arrival = snapshot_transfer::send(&network, self.target, &vote, &snapshot);
        tokio::select! {
            closed = cancel => Err(StreamingError::Closed(closed)),
            arrived = arrival => match arrived {
                Ok(vote) => Ok(SnapshotResponse { vote }),
                Err(error) => {
                    tracing::warn!(to = self.target, %error, "a snapshot did not arrive");
                    Err(StreamingError::Unreachable(Unreachable::new(&AnyError::error(error))))
                }
            },
        }
    }

    fn backoff(&self) -> Backoff {
        Backoff::new(std::iter::repeat(UNREACHABLE))
    }
}

fn append_answer(
    answer: peer::AppendResponse,
) -> Result<AppendEntriesResponse<u64>, codec::Unreadable> {
    use peer::append_response::Outcome;
    Ok(match answer.outcome {
        Some(Outcome::Success(_)) => AppendEntriesResponse::Success,
        Some(Outcome::Partial(partial)) => {
            AppendEntriesResponse::PartialSuccess(partial.matching.map(codec::log_id_from_record))
        }
        Some(Outcome::HigherVote(vote)) => {
            AppendEntriesResponse::HigherVote(codec::vote_from_record(Some(vote))?)
        }
        Some(Outcome::Conflict(_)) => AppendEntriesResponse::Conflict,
        None => return Err(codec::Unreadable::new("the answer to an append", "it is empty")),
    })
}

/// The other direction of [`append_answer`], for the service.
pub(crate) fn append_answer_to_message(
    answer: &AppendEntriesResponse<u64>,
) -> peer::AppendResponse {
    use peer::append_response::Outcome;
    let outcome = match answer {
        AppendEntriesResponse::Success => Outcome::Success(true),
        AppendEntriesResponse::PartialSuccess(matching) => Outcome::Partial(peer::PartialSuccess {
            matching: matching.as_ref().map(codec::log_id_to_record),
        }),
        AppendEntriesResponse::Conflict => Outcome::Conflict(true),
        AppendEntriesResponse::HigherVote(vote) => Outcome::HigherVote(codec::vote_to_record(vote)),
    };
    peer::AppendResponse { outcome: Some(outcome) }
}

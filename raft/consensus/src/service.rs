//! Answers the calls of peers.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use metadata::entry::{Origin, Proposal};
use metadata::outcome;
use metadata::replica::ReplicaId;
use metadata::request_keys::RequestKey;
use metadata::vouchers::Voucher;
use openraft::ServerState;
use openraft::raft::{AppendEntriesRequest, VoteRequest};
use tonic::{Request, Response, Status};
use tower::Service;
use wire::peer_identity::PeerIdentity;

use crate::batches::Settled;
use crate::codec;
use crate::network;
use crate::peers::MESSAGE_BYTES_MAX;
use crate::protocol::peer;
use crate::protocol::peer::peer_server::{Peer, PeerServer};
use crate::replica::Replica;
use crate::reports::Report;
use crate::snapshot_transfer;

/// A read round for a follower is given up after so long; the follower asks again.
const READ_INDEX_MAX: Duration = Duration::from_millis(900);

/// The body of an answer.
pub type PeerBody = UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;

/// Takes the calls that peers make over HTTP/2.
///
/// The connection's [`PeerIdentity`] must lie in the extensions of each request as
/// `Option<PeerIdentity>`: `None` for a client without a certificate, which may join and nothing
/// else.
#[derive(Clone)]
pub struct PeerService {
    server: PeerServer<Calls>,
}

impl PeerService {
    pub(crate) fn new(replica: &Arc<Replica>) -> Self {
        let server = PeerServer::new(Calls { replica: Arc::downgrade(replica) })
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX);
        Self { server }
    }
}

impl<B> Service<http::Request<B>> for PeerService
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>> + Send + 'static,
{
    type Response = http::Response<PeerBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let mut server = self.server.clone();
        let request = request.map(tonic::body::Body::new);
        Box::pin(async move {
            let response = server.call(request).await?;
            Ok(response.map(|body| body.map_err(Into::into).boxed_unsync()))
        })
    }
}

/// The calls, answered by the replica for as long as it lives.
struct Calls {
    replica: Weak<Replica>,
}

impl Calls {
    fn replica(&self) -> Result<Arc<Replica>, Status> {
        let replica = self.replica.upgrade().filter(|replica| !replica.is_closed());
        replica.ok_or_else(|| Status::unavailable("this replica has stopped"))
    }

    /// The replica, and the member that asks, once connection and sender fit together.
    fn admit<T>(
        &self,
        request: &Request<T>,
        sender: Option<&peer::Sender>,
    ) -> Result<(Arc<Replica>, ReplicaId), Status> {
        let replica = self.replica()?;
        let from = judge(&replica, request.extensions().get::<Option<PeerIdentity>>(), sender)?;
        Ok((replica, from))
    }
}

fn judge(
    replica: &Replica,
    identity: Option<&Option<PeerIdentity>>,
    sender: Option<&peer::Sender>,
) -> Result<ReplicaId, Status> {
    let denied = |why: String| Status::permission_denied(why);
    let Some(Some(identity)) = identity else {
        return Err(Status::unauthenticated("a peer shows its certificate"));
    };
    let sender = sender.ok_or_else(|| Status::invalid_argument("the call names no sender"))?;
    if sender.cluster_id != replica.identity.cluster_id || identity.cluster_id != sender.cluster_id
    {
        return Err(denied(format!("cluster {} is not this one", sender.cluster_id)));
    }
    if identity.replica_id != sender.replica_id {
        return Err(denied(format!("{} speaks for {}", identity.replica_id, sender.replica_id)));
    }
    let id = ReplicaId::parse(&sender.replica_id).map_err(|error| denied(error.to_string()))?;
    if !replica.peers.tls().still_listed(identity)
        || !replica.directory.admits(id, &sender.incarnation)
    {
        let text = format!("{id} is no member, or came back with another data folder: join anew");
        return Err(denied(text));
    }
    Ok(id)
}

impl From<codec::Unreadable> for Status {
    fn from(error: codec::Unreadable) -> Self {
        Self::invalid_argument(error.to_string())
    }
}

fn stopped(error: impl std::fmt::Display) -> Status {
    Status::unavailable(format!("raft has stopped: {error}"))
}

#[tonic::async_trait]
impl Peer for Calls {
    async fn append(
        &self,
        request: Request<peer::AppendRequest>,
    ) -> Result<Response<peer::AppendResponse>, Status> {
        let (replica, _) = self.admit(&request, request.get_ref().sender.as_ref())?;
        let request = request.into_inner();
        let vote = codec::vote_from_record(request.vote)?;
        let entries = request.entries.into_iter().map(codec::entry_from_message);
        let append = AppendEntriesRequest {
            vote,
            prev_log_id: request.previous.map(codec::log_id_from_record),
            entries: entries.collect::<Result<_, _>>()?,
            leader_commit: request.committed.map(codec::log_id_from_record),
        };
        replica.hear_leader(&vote);
        let answer = replica.raft.append_entries(append).await.map_err(stopped)?;
        Ok(Response::new(network::append_answer_to_message(&answer)))
    }

    async fn vote(
        &self,
        request: Request<peer::VoteRequest>,
    ) -> Result<Response<peer::VoteResponse>, Status> {
        let (replica, _) = self.admit(&request, request.get_ref().sender.as_ref())?;
        let request = request.into_inner();
        let vote = codec::vote_from_record(request.vote)?;
        let asked = VoteRequest::new(vote, request.last.map(codec::log_id_from_record));
        let answer = replica.raft.vote(asked).await.map_err(stopped)?;
        if answer.vote_granted {
            // Whoever was given the vote is given the time to lead.
            replica.contact.touch();
        }
        Ok(Response::new(peer::VoteResponse {
            vote: Some(codec::vote_to_record(&answer.vote)),
            granted: answer.vote_granted,
            last: answer.last_log_id.as_ref().map(codec::log_id_to_record),
        }))
    }

    async fn poll(
        &self,
        request: Request<peer::PollRequest>,
    ) -> Result<Response<peer::PollResponse>, Status> {
        let (replica, _) = self.admit(&request, request.get_ref().sender.as_ref())?;
        let last = request.into_inner().last.map(codec::log_id_from_record);
        let would_vote = replica.elections.would_vote(last);
        Ok(Response::new(peer::PollResponse { would_vote }))
    }

    async fn stand(
        &self,
        request: Request<peer::StandRequest>,
    ) -> Result<Response<peer::StandResponse>, Status> {
        let (replica, from) = self.admit(&request, request.get_ref().sender.as_ref())?;
        if replica.leader() != Some(from.as_u64()) {
            return Err(Status::failed_precondition("only the leader hands over"));
        }
        if !replica.takes_proposals() {
            return Err(Status::failed_precondition("this replica is shutting down itself"));
        }
        tokio::spawn(async move { replica.elections.stand_as_asked().await });
        Ok(Response::new(peer::StandResponse {}))
    }

    async fn snapshot(
        &self,
        request: Request<tonic::Streaming<peer::SnapshotPart>>,
    ) -> Result<Response<peer::SnapshotResponse>, Status> {
        let identity = request.extensions().get::<Option<PeerIdentity>>().cloned();
        let replica = self.replica()?;
        let mut parts = request.into_inner();
        let first = parts.message().await?.and_then(|part| part.head);
        let head = first.ok_or_else(|| Status::invalid_argument("the first part has a head"))?;
        judge(&replica, identity.as_ref(), head.sender.as_ref())?;
        let vote = snapshot_transfer::receive(&replica, head, parts).await?;
        Ok(Response::new(peer::SnapshotResponse { vote: Some(codec::vote_to_record(&vote)) }))
    }

    async fn read_index(
        &self,
        request: Request<peer::ReadIndexRequest>,
    ) -> Result<Response<peer::ReadIndexResponse>, Status> {
        use peer::read_index_response::Outcome;
        let (replica, _) = self.admit(&request, request.get_ref().sender.as_ref())?;
        let outcome = if replica.raft.metrics().borrow().state == ServerState::Leader {
            match tokio::time::timeout(READ_INDEX_MAX, replica.leader_rounds.next()).await {
                Ok(Some(index)) => Outcome::Index(index),
                Ok(None) | Err(_) => Outcome::NoMajority("no majority has answered".to_owned()),
            }
        } else {
            Outcome::NotLeader(replica.leader_name())
        };
        Ok(Response::new(peer::ReadIndexResponse { outcome: Some(outcome) }))
    }

    async fn propose(
        &self,
        request: Request<peer::ProposeRequest>,
    ) -> Result<Response<peer::ProposeResponse>, Status> {
        use peer::propose_response::Result as Said;
        let (replica, _) = self.admit(&request, request.get_ref().sender.as_ref())?;
        let request = request.into_inner();
        let random = request.random.as_ref().try_into();
        let random =
            random.map_err(|_| Status::invalid_argument("16 random bytes are asked for"))?;
        let wait = Duration::from_millis(request.wait_ms.min(replica.tuning.leader_wait_ms));
        let voucher = Some(&request.voucher).filter(|bytes| !bytes.is_empty());
        let voucher = voucher.map(|bytes| Voucher::decode(bytes)).transpose();
        let voucher = voucher.map_err(|error| Status::invalid_argument(error.to_string()))?;
        let origin = (!request.origin.is_empty()).then(|| Origin::decode(&request.origin));
        let origin = origin.transpose();
        let origin = origin.map_err(|error| Status::invalid_argument(error.to_string()))?;
        let request_key = Some(&request.request_key).filter(|bytes| !bytes.is_empty());
        let request_key = request_key.map(|bytes| RequestKey::decode(bytes)).transpose();
        let request_key =
            request_key.map_err(|error| Status::invalid_argument(error.to_string()))?;
        let proposal = Proposal {
            session: request.session,
            number: request.number,
            lowest_open: request.lowest_open,
            random,
            command: request.command.to_vec(),
            voucher,
            origin,
            request_key,
        };
        let not_leader = || (Said::NotLeader(replica.leader_name()), 0);
        if !replica.takes_proposals() {
            let (result, index) = not_leader();
            return Ok(Response::new(peer::ProposeResponse { result: Some(result), index }));
        }
        let settled = tokio::time::timeout(wait, replica.batches.settle(proposal)).await;
        let (result, index) = match settled {
            Ok(Settled::Outcome(outcome, index)) => {
                (Said::Outcome(outcome::encode(&outcome).into()), index)
            }
            Ok(Settled::NotLeader) => not_leader(),
            Ok(Settled::Unknown) | Err(_) => (Said::Unknown("leadership was lost".to_owned()), 0),
        };
        Ok(Response::new(peer::ProposeResponse { result: Some(result), index }))
    }

    async fn demote(
        &self,
        request: Request<peer::DemoteRequest>,
    ) -> Result<Response<peer::DemoteResponse>, Status> {
        let (replica, _) = self.admit(&request, request.get_ref().sender.as_ref())?;
        let member = ReplicaId::parse(&request.get_ref().replica_id)
            .map_err(|error| Status::invalid_argument(error.to_string()))?;
        let outcome = crate::removal::demote(&replica, member).await;
        Ok(Response::new(peer::DemoteResponse { outcome: Some(outcome) }))
    }

    async fn status(
        &self,
        request: Request<peer::StatusRequest>,
    ) -> Result<Response<peer::StatusResponse>, Status> {
        let (replica, from) = self.admit(&request, request.get_ref().sender.as_ref())?;
        if let Some(report) = request.into_inner().report {
            replica.directory.told(from, &report.address);
            replica.reports.hear(from, Report::from_message(report), replica.clock.wall_ms());
        }
        let report = replica.own_report().to_message(replica.identity.replica_id);
        Ok(Response::new(peer::StatusResponse { report: Some(report) }))
    }

    async fn join(
        &self,
        request: Request<peer::JoinRequest>,
    ) -> Result<Response<peer::JoinResponse>, Status> {
        let replica = self.replica()?;
        let answer = crate::join::answer::answer(&replica, request.into_inner()).await;
        Ok(Response::new(answer))
    }

    async fn reset_administrator(
        &self,
        request: Request<peer::ResetAdministratorRequest>,
    ) -> Result<Response<peer::ResetAdministratorResponse>, Status> {
        let (replica, from) = self.admit(&request, request.get_ref().sender.as_ref())?;
        if from != replica.identity.replica_id {
            return Err(Status::permission_denied("this is asked at the replica's own machine"));
        }
        let answer = crate::operator::answer(&replica, request.into_inner()).await;
        Ok(Response::new(answer))
    }
}

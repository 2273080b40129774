//! The cluster's answer to a newcomer: any replica gives it.

use std::sync::Arc;

use metadata::certificates::CaRow;
use metadata::command::Command;
use metadata::members::{MemberJoin, MemberRemove, MemberRow};
use metadata::outcome::Answer;
use metadata::refusal::Refusal;
use metadata::replica::ReplicaId;
use metadata::{certificates, join_tokens, members};
use wire::certificate::{self, ReplicaNames};
use wire::peer_identity::PeerKey;
use zeroize::Zeroizing;

use crate::bootstrap::host_of;
use crate::cluster::{Cluster, Failure, Freshness};
use crate::identity;
use crate::identity::renewal::opened_ca;
use crate::join_token::hash_of;
use crate::protocol::peer;
use crate::protocol::peer::join_response::Result as Said;
use crate::replica::Replica;
use crate::seal::same_secret;
use crate::status::{ClusterStatus, ReplicaStatus};

/// Clocks further apart than this are set right before anything else.
const CLOCKS_APART_MS_MAX: u64 = 30_000;
/// A member that has never voted, joined longer ago than this and is silent has been given up.
const GIVEN_UP_AFTER_MS: u64 = 15 * 60 * 1000;

/// Why there is no new member.
enum No {
    /// The token is not good.
    Token(String),
    /// It would harm the cluster.
    Refused(String),
    /// Not now.
    Unavailable(String),
}

impl From<Failure> for No {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(
                refusal @ (Refusal::JoinTokenUnknown { .. }
                | Refusal::JoinTokenExpired { .. }
                | Refusal::JoinTokenUsedUp { .. }),
            ) => Self::Token(refusal.to_string()),
            Failure::Refused(refusal) => Self::Refused(refusal.to_string()),
            Failure::Unavailable { reason, .. } => Self::Unavailable(reason.to_string()),
            Failure::Fault(text) => {
                tracing::error!(text, "a newcomer could not be answered");
                Self::Unavailable("the replica that was asked failed; its log says why".to_owned())
            }
        }
    }
}

/// Answers a newcomer. Nothing of the request or the answer may be logged: both bear secrets.
pub(crate) async fn answer(
    replica: &Arc<Replica>,
    request: peer::JoinRequest,
) -> peer::JoinResponse {
    let cluster = Cluster { replica: replica.clone() };
    let result = match admit(&cluster, request).await {
        Ok(joined) => Said::Joined(joined),
        Err(No::Token(text)) => Said::TokenRefused(text),
        Err(No::Refused(text)) => Said::Refused(text),
        Err(No::Unavailable(text)) => Said::Unavailable(text),
    };
    peer::JoinResponse { result: Some(result) }
}

async fn admit(cluster: &Cluster, mut request: peer::JoinRequest) -> Result<peer::Joined, No> {
    let secret = Zeroizing::new(std::mem::take(&mut request.token_secret));
    let secret_hash = hash_of(&secret);
    let (token, ca) = cluster
        .read(Freshness::Linearizable, |view| {
            Ok((join_tokens::find(view, &request.token_id)?, certificates::ca(view)?))
        })
        .await?;
    // Whoever has no token learns nothing else.
    if !token.is_some_and(|token| same_secret(&token.secret_hash, &secret_hash)) {
        return Err(Failure::Refused(Refusal::JoinTokenUnknown { id: request.token_id }).into());
    }
    let ca = ca.ok_or_else(|| No::Unavailable("the cluster has no authority yet".to_owned()))?;

    let wrong = |what: &str| No::Refused(format!("the request reads wrong: {what}"));
    let key = certificate::key_of_csr(&request.certificate_request_pem)
        .map_err(|_| wrong("its certificate request cannot be read"))?;
    let replica_id =
        ReplicaId::parse(&request.replica_id).map_err(|error| wrong(&error.to_string()))?;
    let host = host_of(&request.address).map_err(|error| wrong(&error.to_string()))?;
    let apart_ms = cluster.clock().wall_ms().abs_diff(request.wall_ms);
    if apart_ms > CLOCKS_APART_MS_MAX {
        return Err(No::Refused(format!(
            "the clock of the new machine is {} s apart from the cluster's: set both by NTP",
            apart_ms / 1000
        )));
    }
    if !is_member(cluster, &key) {
        no_member_any_more(cluster, &request)?;
        healthy(&cluster.status())?;
        make_room(cluster).await?;
    }

    let answered = cluster.propose(join_command(&request, replica_id, &key, secret_hash)).await?;
    let Answer::Joined { replica_id, number } = answered else {
        return Err(Failure::Fault(format!("a join was answered by {answered:?}")).into());
    };
    let hosts = [host, request.host_name];
    let certificate_pem =
        certify(cluster, &ca, &request.certificate_request_pem, replica_id, &hosts)?;
    let members = cluster.read(Freshness::Local, |view| members::list(view)).await?;
    let recovery_sealed = identity::recovery_sealed(&cluster.replica.root)
        .map_err(|error| Failure::Fault(error.to_string()))?;
    tracing::info!(replica = %replica_id, address = request.address, "a new member has joined");
    Ok(peer::Joined {
        cluster_id: cluster.cluster_id().to_owned(),
        replica_id: replica_id.to_string(),
        number: u32::from(number.0),
        ca_pem: ca.certificate_pem,
        certificate_pem,
        sealing_key: cluster.replica.sealing.to_bytes().to_vec().into(),
        members: members.into_iter().map(join_member).collect(),
        recovery_sealed: recovery_sealed.into(),
    })
}

/// What the state machine is to decide.
fn join_command(
    request: &peer::JoinRequest,
    replica_id: ReplicaId,
    key: &PeerKey,
    secret_hash: Vec<u8>,
) -> Command {
    Command::MemberJoin(MemberJoin {
        token_id: request.token_id.clone(),
        secret_hash,
        public_key: key.to_string(),
        replica_id,
        address: request.address.clone(),
        host_name: request.host_name.clone(),
        machine_id: request.machine_id.clone(),
        incarnation: request.incarnation.clone(),
        allow_same_machine: request.allow_same_machine,
        version: request.version.clone(),
        supports: request.supports,
    })
}

/// Whether the newcomer was taken before, and its answer was lost.
fn is_member(cluster: &Cluster, key: &PeerKey) -> bool {
    let key = key.to_string();
    cluster.members().iter().any(|member| member.public_key == key)
}

/// A folder whose replica is a member still is that member's: its vote must not be forgotten.
fn no_member_any_more(cluster: &Cluster, request: &peer::JoinRequest) -> Result<(), No> {
    let former = &request.former_replica_id;
    let is_ours = request.former_cluster_id == cluster.cluster_id();
    if !is_ours || !cluster.members().iter().any(|row| row.replica_id.to_string() == *former) {
        return Ok(());
    }
    Err(No::Refused(format!(
        "the folder is that of replica {former}, which is a member: start it with `holdfast \
         serve`, or remove it first (`holdfast remove --replica-ids {former}`)"
    )))
}

/// A newcomer makes the majority larger: that is no help while a voter is down.
fn healthy(status: &ClusterStatus) -> Result<(), No> {
    let is_voter = |replica: &&ReplicaStatus| status.voters.contains(&replica.replica_id);
    let ailing: Vec<String> = status
        .replicas
        .iter()
        .filter(is_voter)
        .filter_map(|replica| Some(format!("{}: {}", replica.replica_id, replica.ailing.as_ref()?)))
        .collect();
    if ailing.is_empty() {
        return Ok(());
    }
    Err(No::Refused(format!(
        "no replica can join while a voter is unhealthy ({}): bring it back, or remove it",
        ailing.join("; ")
    )))
}

/// Lets go of newcomers that were given up. Whether there is room then is decided with the join
/// itself: others may be joining elsewhere at the same time.
async fn make_room(cluster: &Cluster) -> Result<(), No> {
    let status = cluster.status();
    let now_ms = cluster.clock().wall_ms();
    let given_up = |member: &MemberRow| {
        let seen = status.replicas.iter().find(|seen| seen.replica_id == member.replica_id);
        let silent =
            seen.and_then(|seen| seen.last_contact_ms).is_none_or(|ms| ms > GIVEN_UP_AFTER_MS);
        let old = now_ms.saturating_sub(member.joined_wall_ms) > GIVEN_UP_AFTER_MS;
        !member.was_voter && !status.voters.contains(&member.replica_id) && silent && old
    };
    for member in cluster.members().into_iter().filter(given_up) {
        tracing::warn!(replica = %member.replica_id, "a member that never came to vote is dropped");
        let remove = MemberRemove { replica_id: member.replica_id };
        cluster.propose(Command::MemberRemove(remove)).await?;
    }
    Ok(())
}

/// Issues the newcomer's certificate.
fn certify(
    cluster: &Cluster,
    ca: &CaRow,
    csr_pem: &str,
    replica_id: ReplicaId,
    hosts: &[String],
) -> Result<String, No> {
    let failed = |cause: String| No::from(Failure::Fault(cause));
    let ca = opened_ca(&cluster.replica.sealing, ca).map_err(failed)?;
    let names = ReplicaNames {
        cluster_id: cluster.cluster_id(),
        replica_id: &replica_id.to_string(),
        hosts,
    };
    certificate::issue(&ca, csr_pem, &names, cluster.clock().wall_ms())
        .map_err(|error| failed(error.to_string()))
}

fn join_member(member: MemberRow) -> peer::JoinMember {
    peer::JoinMember {
        replica_id: member.replica_id.to_string(),
        address: member.address,
        key: member.public_key,
        number: u32::from(member.number.0),
        incarnation: member.incarnation,
    }
}

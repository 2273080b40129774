//! Joining: a new machine becomes a member by a token.
//!
//! [`join`] is the newcomer's side. It makes a key once and keeps it in the data folder: the
//! cluster knows a newcomer by its key, so that an attempt that was cut short can be made again,
//! with the same id and the same use of the token. The cluster's side is in `join::answer`.

pub(crate) mod answer;
mod asking;
mod attempt;
mod former;

use std::path::PathBuf;
use std::sync::Arc;

use metadata::replica::ReplicaId;
use wire::certificate::{self, CertificateError};
use wire::clock::Clock;
use wire::dial::Dial;

use crate::bootstrap::{AddressError, FailureKind, host_of};
use crate::folder::{FolderError, file_system};
use crate::identity::Identity;
use crate::join_token::JoinToken;

use attempt::Attempt;
pub use former::ADOPT;

/// What `join` is told.
pub struct JoinOptions {
    /// The data folder to make, or one that a join cut short has left.
    pub folder: PathBuf,
    /// Whether a volatile or network file system will do.
    pub allow_volatile: bool,
    /// The peer port of a replica of the cluster, `HOST:PORT`.
    pub peer: String,
    /// The token that an administrator of the cluster has made.
    pub token: JoinToken,
    /// The id of the new replica; a random one where there is none.
    pub replica_id: Option<ReplicaId>,
    /// Where the cluster will reach the new replica's peer port, `HOST:PORT`.
    pub advertise: String,
    /// This machine's name.
    pub host_name: String,
    /// This machine's id.
    pub machine_id: String,
    /// Whether another member on this machine is fine.
    pub allow_same_machine: bool,
    /// Whether the folder of a former replica is taken: it gets a new id and keeps its content.
    pub rejoin: bool,
    /// This program's version.
    pub version: String,
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
    /// How the peer is reached.
    pub dial: Arc<dyn Dial>,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Joined {
    /// The cluster's id.
    pub cluster_id: String,
    /// The new replica's id.
    pub replica_id: ReplicaId,
    /// Its number.
    pub number: u16,
    /// The certificate of the cluster's authority.
    pub ca_pem: String,
}

/// Why the machine is not a member.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// The data folder.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The folder is a replica's already.
    #[error(
        "{folder} belongs to replica {replica_id} of cluster {cluster_id} already: start it with \
         `holdfast serve`; where that replica was removed, or its cluster is no more, --rejoin \
         gives it a new id, and its content stays"
    )]
    Member {
        /// The data folder.
        folder: PathBuf,
        /// Its replica.
        replica_id: ReplicaId,
        /// Its cluster.
        cluster_id: String,
    },
    /// A key or a request could not be made.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The advertised address.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The peer does not answer.
    #[error("{peer} does not answer as a replica: {cause}")]
    Unreachable {
        /// Who was asked.
        peer: String,
        /// What went wrong.
        cause: String,
    },
    /// Whoever answers does not belong to the cluster of the token.
    #[error(
        "{peer} does not belong to the cluster that made the join token ({cause}): check --peer, \
         or make a token in that cluster"
    )]
    OtherCluster {
        /// Who was asked.
        peer: String,
        /// What was found.
        cause: String,
    },
    /// The cluster does not take the machine.
    #[error("the cluster refused: {text}")]
    Refused {
        /// Why, and what to do.
        text: String,
        /// Whether that protects the cluster, rather than that the token is not good.
        for_safety: bool,
    },
    /// The cluster cannot answer now.
    #[error("the cluster cannot take a new member now: {text}; try again")]
    Unavailable {
        /// Why.
        text: String,
    },
    /// The answer does not hang together.
    #[error("the cluster's answer is not to be believed: {what}")]
    Unsound {
        /// What is wrong with it.
        what: String,
    },
}

impl JoinError {
    /// What it means for whoever called.
    pub fn kind(&self) -> FailureKind {
        match self {
            Self::Folder(error) if error.is_for_safety() => FailureKind::Refused,
            Self::Member { .. }
            | Self::OtherCluster { .. }
            | Self::Refused { for_safety: true, .. } => FailureKind::Refused,
            Self::Address(_) => FailureKind::Usage,
            Self::Unreachable { .. } | Self::Unavailable { .. } => FailureKind::Unreachable,
            Self::Folder(_)
            | Self::Certificate(_)
            | Self::Refused { for_safety: false, .. }
            | Self::Unsound { .. } => FailureKind::Failed,
        }
    }
}

/// Makes this machine a member and writes who it is into the data folder; `serve` does the rest.
///
/// After an error the same call may be made again, with another token or peer as well.
pub async fn join(options: JoinOptions) -> Result<Joined, JoinError> {
    host_of(&options.advertise)?;
    file_system::check(&options.folder, options.allow_volatile)?;
    let attempt = Attempt::begin(&options)?;
    let request = asking::request(&options, &attempt)?;
    let joined = asking::ask(&options, request).await?;
    let identity = attempt.finish(joined, &options)?;
    let ca_pem = attempt.keys()?.ca_pem;
    let Identity { cluster_id, replica_id, number, .. } = identity;
    Ok(Joined { cluster_id, replica_id, number: number.0, ca_pem })
}

/// The certificate request for `key_pem`.
fn certificate_request(key_pem: &str) -> Result<String, CertificateError> {
    certificate::csr(key_pem)
}

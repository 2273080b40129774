//! The first replica of a new cluster: its authority, its keys, its first entry.
//!
//! `install` runs no Raft. It leaves the first entry in the data folder, where the first start
//! finds it, makes this replica the only voter and proposes it.

mod beginning;
mod first_entry;

use std::path::PathBuf;

use metadata::bootstrap::{Administrator, Bootstrap, CLUSTER_VERSION};
use metadata::certificates::TokenKeyRow;
use metadata::command::Command;
use metadata::members::MemberRow;
use metadata::replica::{MemberNumber, ReplicaId};
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};
use wire::certificate::{self, CertificateError, CertifiedKey, ReplicaNames};
use zeroize::Zeroizing;

use crate::folder::{Folder, FolderError, file_system};
use crate::identity::{Identity, Keys};
use crate::seal::recovery::RecoveryKey;
use crate::seal::{self, SealingKey, fill, hex};

pub(crate) use beginning::{begin, first_command};
pub use first_entry::FirstEntry;

/// How a command that makes a replica failed; the command line ends with another status for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// It was tried and did not work.
    Failed,
    /// What was asked for reads wrong.
    Usage,
    /// It was refused so that nothing gets lost.
    Refused,
    /// Nobody answered.
    Unreachable,
}

/// What `install` is told.
#[derive(Clone)]
pub struct InstallOptions {
    /// The data folder to make.
    pub folder: PathBuf,
    /// Whether a volatile or network file system will do.
    pub allow_volatile: bool,
    /// The id of the replica; a random one where there is none.
    pub replica_id: Option<ReplicaId>,
    /// The administrator's account name.
    pub admin: String,
    /// A hash of the administrator's password in PHC text form.
    pub admin_password_hash: String,
    /// Whether a push makes repositories (and an administrator's push organizations).
    pub create_repository_on_push: bool,
    /// Names under which clients reach the cluster.
    pub host_names: Vec<String>,
    /// Where the cluster will reach this replica's peer port, `HOST:PORT`.
    pub advertise: String,
    /// This machine's name.
    pub host_name: String,
    /// This machine's id.
    pub machine_id: String,
    /// This program's version.
    pub version: String,
    /// The time, in Unix milliseconds.
    pub wall_ms: u64,
}

/// What `install` has made.
#[derive(Clone)]
pub struct Installed {
    /// The cluster's id.
    pub cluster_id: String,
    /// The first replica's id.
    pub replica_id: ReplicaId,
    /// The certificate of the cluster's authority.
    pub ca_pem: String,
    /// The recovery key, which the operator keeps; it is nowhere else.
    pub recovery_key: Zeroizing<String>,
}

/// Why nothing was installed.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// The data folder.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A certificate could not be made.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The advertised address.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The key of tokens could not be made.
    #[error("the key that signs tokens could not be made")]
    TokenKey,
}

impl InstallError {
    /// What it means for whoever called.
    pub fn kind(&self) -> FailureKind {
        match self {
            Self::Folder(error) if error.is_for_safety() => FailureKind::Refused,
            Self::Address(_) => FailureKind::Usage,
            Self::Folder(_) | Self::Certificate(_) | Self::TokenKey => FailureKind::Failed,
        }
    }
}

/// An address that is not `HOST:PORT`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no address that peers can dial: write HOST:PORT")]
pub struct AddressError(String);

/// Makes a cluster of one replica.
///
/// # Errors
///
/// The data folder holds something already ([`FolderError::NotEmpty`]); nothing was changed then.
pub fn install(options: InstallOptions) -> Result<Installed, InstallError> {
    let host = host_of(&options.advertise)?;
    file_system::check(&options.folder, options.allow_volatile)?;
    let cluster_id = new_cluster_id();
    let replica_id = options.replica_id.unwrap_or_else(new_replica_id);

    let ca = certificate::make_ca(&cluster_id, options.wall_ms)?;
    let key_pem = certificate::generate_key()?;
    let hosts = [host, options.host_name.clone()];
    let names = ReplicaNames {
        cluster_id: &cluster_id,
        replica_id: &replica_id.to_string(),
        hosts: &hosts,
    };
    let csr = certificate::csr(&key_pem)?;
    let certificate_pem = certificate::issue(&ca, &csr, &names, options.wall_ms)?;

    let (sealing_key, recovery_key) = (SealingKey::generate(), RecoveryKey::generate());
    let identity = Identity {
        cluster_id: cluster_id.clone(),
        replica_id,
        number: MemberNumber(1),
        incarnation: new_incarnation(),
        address: options.advertise.clone(),
        members: vec![],
    };
    let public_key = certificate::peer_key_of(&key_pem)?.to_string();
    let path = options.folder.clone();
    let first = sealed_command(options, &identity, &ca, public_key, &sealing_key)?;
    let keys = Keys {
        ca_pem: ca.certificate_pem.clone(),
        certificate_pem,
        key_pem,
        recovery_sealed: recovery_key.wrap(&sealing_key),
        sealing_key,
    };

    let folder = Folder::create(&path)?;
    keys.write(&folder)?;
    FirstEntry::new(first).write(&folder)?;
    identity.write(&folder)?;
    let (ca_pem, recovery_key) = (ca.certificate_pem, recovery_key.text());
    Ok(Installed { cluster_id, replica_id, ca_pem, recovery_key })
}

/// The cluster's first command, with its secrets sealed.
fn sealed_command(
    options: InstallOptions,
    identity: &Identity,
    ca: &CertifiedKey,
    public_key: String,
    sealing_key: &SealingKey,
) -> Result<Command, InstallError> {
    let token_key = TokenKeyPair::generate()?.sealed(sealing_key, options.wall_ms);
    let member = MemberRow {
        replica_id: identity.replica_id,
        number: identity.number,
        public_key,
        address: options.advertise,
        host_name: options.host_name,
        machine_id: options.machine_id,
        incarnation: identity.incarnation.clone(),
        version: options.version,
        joined_wall_ms: options.wall_ms,
        was_voter: true,
        is_removed: false,
        is_draining: false,
        supports: CLUSTER_VERSION,
    };
    Ok(Command::Bootstrap(Bootstrap {
        cluster_id: identity.cluster_id.clone(),
        ca_certificate_pem: ca.certificate_pem.clone(),
        sealed_ca_key: sealing_key.seal(seal::CA_KEY, ca.key_pem.as_bytes()),
        sealed_token_key: token_key.sealed_key,
        token_key_id: token_key.id,
        token_public_key: token_key.public_key,
        admin: Administrator { name: options.admin, password_hash: options.admin_password_hash },
        create_repository_on_push: options.create_repository_on_push,
        member,
        host_names: options.host_names,
    }))
}

/// The pair that signs and verifies tokens.
pub(crate) struct TokenKeyPair {
    private: Zeroizing<Vec<u8>>,
    public: Vec<u8>,
}

impl TokenKeyPair {
    /// A new pair.
    pub(crate) fn generate() -> Result<Self, InstallError> {
        let pair = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new());
        let pair = pair.map_err(|_| InstallError::TokenKey)?;
        let private = Zeroizing::new(pair.as_ref().to_vec());
        let public = Ed25519KeyPair::from_pkcs8(&private).map_err(|_| InstallError::TokenKey)?;
        Ok(Self { public: public.public_key().as_ref().to_vec(), private })
    }

    /// Its row.
    pub(crate) fn sealed(&self, sealing_key: &SealingKey, created_wall_ms: u64) -> TokenKeyRow {
        TokenKeyRow {
            id: hex(&digest(&SHA256, &self.public).as_ref()[..8]).to_string(),
            public_key: self.public.clone(),
            sealed_key: sealing_key.seal(seal::TOKEN_KEY, &self.private),
            created_wall_ms,
        }
    }
}

/// The host of `HOST:PORT`, without the brackets of an IPv6 address.
pub(crate) fn host_of(address: &str) -> Result<String, AddressError> {
    let wrong = || AddressError(address.to_owned());
    let (host, port) = address.rsplit_once(':').ok_or_else(wrong)?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let port_is_right = port.parse::<u16>().is_ok_and(|port| port != 0);
    let unspecified = host.parse::<std::net::IpAddr>().is_ok_and(|it| it.is_unspecified());
    if host.is_empty() || !port_is_right || unspecified || !host.is_ascii() || host.contains(' ') {
        return Err(wrong());
    }
    Ok(host.to_owned())
}

pub(crate) fn new_cluster_id() -> String {
    let mut bytes = [0; 16];
    fill(&mut bytes);
    uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
}

/// A random replica id: 48 bits.
pub(crate) fn new_replica_id() -> ReplicaId {
    let mut bytes = [0; 8];
    fill(&mut bytes[2..]);
    ReplicaId::from_u64(u64::from_be_bytes(bytes)).expect("the two highest bytes are zero")
}

/// Names one life of a data folder.
pub(crate) fn new_incarnation() -> String {
    let mut bytes = [0; 16];
    fill(&mut bytes);
    hex(&bytes).to_string()
}

#[cfg(test)]
pub(crate) mod tests;

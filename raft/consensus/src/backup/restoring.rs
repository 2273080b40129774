//! Beginning a cluster of one replica from a backup.
//!
//! No replica of the former cluster can talk to it: it has another id. Its log begins where the
//! backup was taken, so that what rows say of the log stays behind it; the first start finds the
//! state as a snapshot file, the way any start after a power cut does.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufReader, Seek, SeekFrom, Write};
use std::path::PathBuf;

use metadata::backup::{self, Archive, Beginning};
use metadata::bootstrap::{CLUSTER_VERSION, ClusterRow};
use metadata::certificates::CaRow;
use metadata::members::MemberRow;
use metadata::replica::{MemberNumber, ReplicaId};
use metadata::snapshot::{Encoder, FORMAT, Header};
use metadata::tables::Table;
use oci::digest::Digest;
use openraft::CommittedLeaderId;
use prost::Message;
use wire::certificate::{self, CertificateError, CertifiedKey, ReplicaNames};

use super::manifest::{Manifest, Opener};
use super::reading::{self, ArchiveError, Item, Summary};
use crate::bootstrap::{AddressError, FailureKind, InstallError, TokenKeyPair, host_of};
use crate::bootstrap::{new_cluster_id, new_incarnation, new_replica_id};
use crate::codec;
use crate::folder::{Folder, FolderError, file_system};
use crate::identity::{Identity, Keys};
use crate::raft_types::{RaftLogId, RaftMembership, StoredMembership};
use crate::seal::{self, SealError, SealingKey};
use crate::snapshots::{SnapshotError, Snapshots, id_of};

/// Rows are handed to the file in pieces of about this size.
const PIECE_BYTES: usize = 256 * 1024;

/// What `restore` is told.
pub struct RestoreOptions {
    /// The data folder to make.
    pub folder: PathBuf,
    /// Folders that may lie in it already: the content store of a former replica.
    pub kept: Vec<String>,
    /// Whether a volatile or network file system will do.
    pub allow_volatile: bool,
    /// The id of the replica; a random one where there is none.
    pub replica_id: Option<ReplicaId>,
    /// Names under which clients reach the cluster; those of the backup where there are none.
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
    /// Leaves access tokens behind, and lets no token of the former cluster be taken.
    pub revoke_tokens: bool,
    /// Opens the secrets.
    pub opener: Opener,
}

/// The archives.
pub struct Archives {
    /// The backup, a file.
    pub backup: File,
    /// The accounts, a file, where they come along.
    pub accounts: Option<File>,
}

/// What `restore` has made.
#[derive(Clone, Debug)]
pub struct Restored {
    /// The new cluster's id.
    pub cluster_id: String,
    /// The one replica's id.
    pub replica_id: ReplicaId,
    /// What the backup held.
    pub backup: Summary,
    /// What the archive of accounts held.
    pub accounts: Option<Summary>,
}

/// Why nothing was restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// An archive is not believed.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// It is none that this version, or this command, restores.
    #[error("{0}")]
    Unfit(String),
    /// Its secrets do not open.
    #[error("{0}")]
    Key(String),
    /// The data folder.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A certificate could not be made.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The advertised address.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The state could not be written.
    #[error("the state cannot be written: {0}")]
    State(String),
}

impl RestoreError {
    /// What it means for whoever called.
    pub fn kind(&self) -> FailureKind {
        match self {
            Self::Folder(error) if error.is_for_safety() => FailureKind::Refused,
            Self::Unfit(_) | Self::Archive(ArchiveError::Newer(_)) => FailureKind::Refused,
            Self::Address(_) => FailureKind::Usage,
            _ => FailureKind::Failed,
        }
    }
}

impl From<SnapshotError> for RestoreError {
    fn from(error: SnapshotError) -> Self {
        Self::State(error.to_string())
    }
}

impl From<std::io::Error> for RestoreError {
    fn from(error: std::io::Error) -> Self {
        Self::State(error.to_string())
    }
}

/// What the first reading of the archives finds.
struct Found {
    backup: Summary,
    accounts: Option<Summary>,
    former: ClusterRow,
    ca: CaRow,
}

/// Makes a cluster of one replica with the state of a backup. `keep` is given the bytes of
/// manifests, for the content store.
///
/// # Errors
///
/// [`RestoreError`]; an archive is read to its end and believed before anything is written. Where
/// it fails later, the data folder holds no replica and may be removed.
pub fn restore(
    options: &RestoreOptions,
    archives: &mut Archives,
    mut keep: impl FnMut(&Digest, &[u8]) -> Result<(), String>,
) -> Result<Restored, RestoreError> {
    let host = host_of(&options.advertise)?;
    let found = look(archives, &options.version)?;
    let sealing_key = found.backup.manifest.open(&options.opener).map_err(RestoreError::Key)?;
    let ca_key = sealing_key.open(seal::CA_KEY, &found.ca.sealed_key).map_err(|error| {
        RestoreError::Key(format!("the authority's key of the backup does not open: {error}"))
    })?;
    let key_pem = String::from_utf8(ca_key.to_vec())
        .map_err(|_| RestoreError::Key(SealError::Format.to_string()))?;
    let certificate_pem = found.ca.certificate_pem.clone();
    let ca = CertifiedKey { certificate_pem, key_pem: key_pem.into() };
    file_system::check(&options.folder, options.allow_volatile)?;

    let identity = Identity {
        cluster_id: new_cluster_id(),
        replica_id: options.replica_id.unwrap_or_else(new_replica_id),
        number: MemberNumber(1),
        incarnation: new_incarnation(),
        address: options.advertise.clone(),
        members: vec![],
    };
    let keys = keys(options, &identity, (&ca, host), (&found, sealing_key))?;
    let beginning = beginning(options, &identity, &keys, &found)?;
    let kept: Vec<&str> = options.kept.iter().map(String::as_str).collect();
    let folder = Folder::create_around(&options.folder, &kept)?;
    keys.write(&folder)?;
    write_state(&folder, &identity, (&beginning, options.revoke_tokens), archives, &mut keep)?;
    crate::recovery::distrust(&options.folder, "the state comes from a backup")?;
    identity.write(&folder)?;
    let Identity { cluster_id, replica_id, .. } = identity;
    Ok(Restored { cluster_id, replica_id, backup: found.backup, accounts: found.accounts })
}

/// Reads the archives to their ends and finds that they can be restored.
fn look(archives: &mut Archives, version: &str) -> Result<Found, RestoreError> {
    let (mut former, mut ca) = (None, None);
    let backup = each(&mut archives.backup, |item| {
        let unreadable = |what: &str| ArchiveError::Unusable(format!("its {what} does not read"));
        match item {
            Item::Row(Table::Singles, key, value) if key == metadata::bootstrap::KEY => {
                let row = ClusterRow::decode(value).map_err(|_| unreadable("cluster row"))?;
                former = Some(row);
            }
            Item::Row(Table::Certificates, key, value) if key == metadata::certificates::CA => {
                ca = Some(CaRow::decode(value).map_err(|_| unreadable("authority"))?);
            }
            _ => {}
        }
        Ok(())
    })?;
    fits(&backup.manifest, Archive::Backup, version)?;
    let accounts = match &mut archives.accounts {
        Some(file) => Some(each(file, |_| Ok(()))?),
        None => None,
    };
    if let Some(accounts) = &accounts {
        fits(&accounts.manifest, Archive::Accounts, version)?;
    }
    let lacks = |what: &str| RestoreError::Unfit(format!("the backup has no {what}"));
    let (former, ca) = (former.ok_or_else(|| lacks("cluster"))?, ca.ok_or_else(|| lacks("key"))?);
    if former.version > CLUSTER_VERSION {
        return Err(RestoreError::Unfit(format!(
            "the backed-up cluster had version {}, and this program knows up to \
             {CLUSTER_VERSION}: use a newer one",
            former.version
        )));
    }
    Ok(Found { backup, accounts, former, ca })
}

/// Whether an archive is the one wanted, written by this version or the minor one before.
fn fits(manifest: &Manifest, wanted: Archive, version: &str) -> Result<(), RestoreError> {
    if manifest.archive() != Some(wanted) {
        return Err(RestoreError::Unfit(format!(
            "this is the archive {:?}, and {:?} is needed here",
            manifest.archive,
            wanted.word()
        )));
    }
    let minor = |text: &str| {
        let mut numbers = text.split('.').map_while(|number| number.parse::<u32>().ok());
        Some((numbers.next()?, numbers.next()?))
    };
    let (written, own) = (minor(&manifest.version), minor(version));
    let is_fit = match (written, own) {
        (Some((major, minor)), Some((own_major, own_minor))) => {
            major == own_major && (minor == own_minor || minor + 1 == own_minor)
        }
        _ => false,
    };
    if is_fit {
        return Ok(());
    }
    Err(RestoreError::Unfit(format!(
        "the archive was written by version {}, and this is version {version}: restore it with \
         the version that wrote it, or with the minor version after",
        manifest.version
    )))
}

/// Reads a file from its beginning to its end.
fn each(
    file: &mut File,
    take: impl FnMut(Item<'_>) -> Result<(), ArchiveError>,
) -> Result<Summary, ArchiveError> {
    file.seek(SeekFrom::Start(0))?;
    reading::read(BufReader::with_capacity(1024 * 1024, file), take)
}

/// The replica's own keys, certified by the authority of the backup.
fn keys(
    options: &RestoreOptions,
    identity: &Identity,
    (ca, host): (&CertifiedKey, String),
    (found, sealing_key): (&Found, SealingKey),
) -> Result<Keys, RestoreError> {
    let key_pem = certificate::generate_key()?;
    let hosts = [host, options.host_name.clone()];
    let names = ReplicaNames {
        cluster_id: &identity.cluster_id,
        replica_id: &identity.replica_id.to_string(),
        hosts: &hosts,
    };
    let csr = certificate::csr(&key_pem)?;
    let certificate_pem = certificate::issue(ca, &csr, &names, options.wall_ms)?;
    let wrapped = found.backup.manifest.sealing_key.as_ref();
    let recovery = wrapped.and_then(|wrapped| seal::unhex(&wrapped.recovery));
    Ok(Keys {
        ca_pem: ca.certificate_pem.clone(),
        certificate_pem,
        key_pem,
        sealing_key,
        recovery_sealed: recovery.map(|bytes| bytes.to_vec()).unwrap_or_default(),
    })
}

fn beginning(
    options: &RestoreOptions,
    identity: &Identity,
    keys: &Keys,
    found: &Found,
) -> Result<Beginning, RestoreError> {
    let public_key = certificate::peer_key_of(&keys.key_pem)?.to_string();
    let mut token_key = None;
    if options.revoke_tokens {
        let pair = TokenKeyPair::generate()
            .map_err(|error: InstallError| RestoreError::Key(error.to_string()))?;
        token_key = Some(pair.sealed(&keys.sealing_key, options.wall_ms));
    }
    let member = MemberRow {
        replica_id: identity.replica_id,
        number: identity.number,
        public_key,
        address: options.advertise.clone(),
        host_name: options.host_name.clone(),
        machine_id: options.machine_id.clone(),
        incarnation: identity.incarnation.clone(),
        version: options.version.clone(),
        joined_wall_ms: options.wall_ms,
        was_voter: true,
        is_removed: false,
        is_draining: false,
        supports: CLUSTER_VERSION,
    };
    Ok(Beginning {
        cluster_id: identity.cluster_id.clone(),
        former: found.former.clone(),
        host_names: options.host_names.clone(),
        member,
        log_index: found.backup.manifest.log_index,
        wall_ms: options.wall_ms,
        token_key,
    })
}

/// Writes the state as the newest snapshot file.
fn write_state(
    folder: &Folder,
    identity: &Identity,
    (beginning, revoke_tokens): (&Beginning, bool),
    archives: &mut Archives,
    keep: &mut impl FnMut(&Digest, &[u8]) -> Result<(), String>,
) -> Result<(), RestoreError> {
    let snapshots = Snapshots::open(&folder.snapshots(), &identity.cluster_id)?;
    let own = identity.replica_id.as_u64();
    // No leader of the new cluster has that term, and none ever will.
    let last = RaftLogId::new(CommittedLeaderId::new(0, 0), beginning.log_index);
    let membership = RaftMembership::new(vec![BTreeSet::from([own])], BTreeSet::from([own]));
    let membership = StoredMembership::new(Some(last), membership);
    let header = Header {
        format: FORMAT,
        cluster_id: identity.cluster_id.clone(),
        log_index: beginning.log_index,
        term: 0,
        consensus: codec::position_to_record(Some(&last), &membership).encode_to_vec(),
    };
    let mut incoming = snapshots.begin(&id_of(Some(&last)))?;
    let mut out = Vec::with_capacity(2 * PIECE_BYTES);
    let mut encoder = Encoder::new(&header, &mut out);
    let mut put = |item: Item<'_>| -> Result<(), ArchiveError> {
        match item {
            Item::Manifest(_) => {}
            Item::Content(digest, bytes) => keep(digest, bytes).map_err(ArchiveError::Unusable)?,
            Item::Row(table, key, value) => {
                let row = backup::restored(table, key, value.to_vec(), revoke_tokens);
                let row = row.map_err(|damage| ArchiveError::Unusable(damage.to_string()))?;
                let Some(value) = row else { return Ok(()) };
                encoder.push(table, key, &value, &mut out);
                if out.len() >= PIECE_BYTES {
                    incoming.file.write_all(&out)?;
                    out.clear();
                }
            }
        }
        Ok(())
    };
    each(&mut archives.backup, &mut put)?;
    if let Some(accounts) = &mut archives.accounts {
        each(accounts, &mut put)?;
    }
    // Last, since of two rows with one key the later one holds.
    let own_rows = beginning.rows().map_err(|damage| RestoreError::State(damage.to_string()))?;
    for (table, key, value) in own_rows {
        encoder.push(table, &key, &value, &mut out);
    }
    encoder.finish(&mut out);
    incoming.file.write_all(&out)?;
    incoming.finish()?;
    Ok(())
}

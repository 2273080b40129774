//! Who this replica is, as its data folder says.

pub(crate) mod renewal;

use std::path::Path;

use metadata::replica::{MemberNumber, ReplicaId};
use serde::{Deserialize, Serialize};
use wire::certificate::{self, CertificateError};
use wire::peer_identity::PeerKey;
use zeroize::Zeroizing;

use crate::folder::{Folder, FolderError, read_if_there};
use crate::seal::SealingKey;

const IDENTITY: &str = "identity.toml";
const CA: &str = "keys/ca.pem";
const PEER_CERTIFICATE: &str = "keys/peer.pem";
pub(crate) const PEER_KEY: &str = "keys/peer.key";
const SEALING_KEY: &str = "keys/sealing.key";
const RECOVERY: &str = "keys/recovery.sealed";

/// Who a replica is. Written once, by `install` or `join`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The cluster that it belongs to.
    pub cluster_id: String,
    /// Its name for ever.
    pub replica_id: ReplicaId,
    /// Its number in the cluster.
    pub number: MemberNumber,
    /// The life of this folder: another folder under the same id is not believed.
    pub incarnation: String,
    /// Where the cluster reaches its peer port, `HOST:PORT`.
    pub address: String,
    /// The others as they were when it joined; the tables know better as soon as there are some.
    pub members: Vec<KnownMember>,
}

/// Another member, as a newcomer was told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownMember {
    /// Its id.
    pub replica_id: ReplicaId,
    /// Its number.
    pub number: MemberNumber,
    /// Where its peer port is, `HOST:PORT`.
    pub address: String,
    /// Its key.
    pub key: PeerKey,
    /// The life of its folder.
    pub incarnation: String,
}

/// The keys and certificates of a replica. Never shown.
pub struct Keys {
    /// The cluster's authority, PEM.
    pub ca_pem: String,
    /// This replica's certificate, PEM.
    pub certificate_pem: String,
    /// Its private key, PEM.
    pub key_pem: Zeroizing<String>,
    /// The cluster's sealing key.
    pub sealing_key: SealingKey,
    /// The same, sealed for the recovery key that `install` has shown.
    pub recovery_sealed: Vec<u8>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys")
    }
}

impl Identity {
    /// Reads the identity of `folder`.
    ///
    /// # Errors
    ///
    /// [`FolderError::NotInstalled`] where an installation or a join has not come to its end.
    pub fn read(folder: &Folder) -> Result<Self, FolderError> {
        match Self::find(folder)? {
            Some(identity) => Ok(identity),
            None => Err(FolderError::NotInstalled { folder: folder.path().to_owned() }),
        }
    }

    /// The identity of `folder`, if it has one yet.
    pub fn find(folder: &Folder) -> Result<Option<Self>, FolderError> {
        let Some(bytes) = folder.read(IDENTITY)? else { return Ok(None) };
        let damaged = |what: String| FolderError::Damaged { file: folder.join(IDENTITY), what };
        let text = String::from_utf8(bytes).map_err(|error| damaged(error.to_string()))?;
        let stored: Stored = toml::from_str(&text).map_err(|error| damaged(error.to_string()))?;
        stored.try_into().map(Some).map_err(damaged)
    }

    /// Writes it, durably. The folder is a replica's from then on, so this comes last.
    pub fn write(&self, folder: &Folder) -> Result<(), FolderError> {
        let text = toml::to_string(&Stored::from(self)).map_err(|error| FolderError::Damaged {
            file: folder.join(IDENTITY),
            what: error.to_string(),
        })?;
        folder.write(IDENTITY, text.as_bytes())
    }
}

impl Keys {
    /// Reads the keys of `folder`.
    pub fn read(folder: &Folder) -> Result<Self, FolderError> {
        let text = |name: &str| -> Result<String, FolderError> {
            let damaged = |what: &str| FolderError::Damaged {
                file: folder.join(name),
                what: what.to_owned(),
            };
            let bytes = folder.read(name)?.ok_or_else(|| damaged("it is missing"))?;
            String::from_utf8(bytes).map_err(|_| damaged("it is no text"))
        };
        let sealing_key = Zeroizing::new(text(SEALING_KEY)?);
        Ok(Self {
            ca_pem: text(CA)?,
            certificate_pem: text(PEER_CERTIFICATE)?,
            key_pem: Zeroizing::new(text(PEER_KEY)?),
            sealing_key: SealingKey::from_text(&sealing_key).ok_or_else(|| {
                FolderError::Damaged {
                    file: folder.join(SEALING_KEY),
                    what: "it holds no sealing key".to_owned(),
                }
            })?,
            recovery_sealed: folder.read(RECOVERY)?.unwrap_or_default(),
        })
    }

    /// Writes them, durably.
    pub fn write(&self, folder: &Folder) -> Result<(), FolderError> {
        folder.write(CA, self.ca_pem.as_bytes())?;
        folder.write(PEER_CERTIFICATE, self.certificate_pem.as_bytes())?;
        folder.write(PEER_KEY, self.key_pem.as_bytes())?;
        folder.write(SEALING_KEY, self.sealing_key.to_text().as_bytes())?;
        folder.write(RECOVERY, &self.recovery_sealed)
    }

    /// When this replica's certificate runs out, in Unix milliseconds.
    pub fn expires_wall_ms(&self) -> Result<u64, CertificateError> {
        Ok(certificate::parse(&self.certificate_pem)?.not_after_ms)
    }
}

/// The sealing key as it lies in the folder `root` for the recovery key.
pub(crate) fn recovery_sealed(root: &Path) -> Result<Vec<u8>, FolderError> {
    Ok(read_if_there(&root.join(RECOVERY))?.unwrap_or_default())
}

/// The form on disk; names are never reused.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    cluster_id: String,
    replica_id: String,
    number: u16,
    incarnation: String,
    address: String,
    #[serde(default)]
    members: Vec<StoredMember>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredMember {
    replica_id: String,
    number: u16,
    address: String,
    key: String,
    incarnation: String,
}

impl From<&Identity> for Stored {
    fn from(identity: &Identity) -> Self {
        let members = identity.members.iter().map(|member| StoredMember {
            replica_id: member.replica_id.to_string(),
            number: member.number.0,
            address: member.address.clone(),
            key: member.key.to_string(),
            incarnation: member.incarnation.clone(),
        });
        Self {
            cluster_id: identity.cluster_id.clone(),
            replica_id: identity.replica_id.to_string(),
            number: identity.number.0,
            incarnation: identity.incarnation.clone(),
            address: identity.address.clone(),
            members: members.collect(),
        }
    }
}

impl TryFrom<Stored> for Identity {
    type Error = String;

    fn try_from(stored: Stored) -> Result<Self, String> {
        let id = |text: &str| ReplicaId::parse(text).map_err(|error| error.to_string());
        let members = stored.members.into_iter().map(|member| {
            Ok(KnownMember {
                replica_id: id(&member.replica_id)?,
                number: MemberNumber(member.number),
                address: member.address,
                key: member.key.parse().map_err(|error| format!("{error}"))?,
                incarnation: member.incarnation,
            })
        });
        Ok(Self {
            replica_id: id(&stored.replica_id)?,
            cluster_id: stored.cluster_id,
            number: MemberNumber(stored.number),
            incarnation: stored.incarnation,
            address: stored.address,
            members: members.collect::<Result<_, String>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_reads_back_as_it_was_written() {
        let parent = tempfile::tempdir().unwrap();
        let folder = Folder::create(parent.path()).unwrap();
        assert!(matches!(Identity::read(&folder), Err(FolderError::NotInstalled { .. })));
        let known = KnownMember {
            replica_id: ReplicaId::parse("0123456789ab").unwrap(),
            number: MemberNumber(1),
            address: "a.example:7101".to_owned(),
            key: PeerKey::of_public_key(b"a"),
            incarnation: "one".to_owned(),
        };
        let identity = Identity {
            cluster_id: "c".to_owned(),
            replica_id: ReplicaId::parse("ba9876543210").unwrap(),
            number: MemberNumber(2),
            incarnation: "two".to_owned(),
            address: "b.example:7101".to_owned(),
            members: vec![known],
        };
        identity.write(&folder).unwrap();
        assert_eq!(Identity::read(&folder).unwrap(), identity);
    }

    #[test]
    fn the_stored_form_stays_as_it_was() {
        let text = include_str!("../golden/identity.toml");
        let stored: Stored = toml::from_str(text).unwrap();
        let identity = Identity::try_from(stored).unwrap();
        assert_eq!(identity.number, MemberNumber(2));
        assert_eq!(toml::to_string(&Stored::from(&identity)).unwrap(), text);
    }

    #[test]
    fn a_damaged_identity_is_named() {
        let parent = tempfile::tempdir().unwrap();
        let folder = Folder::create(parent.path()).unwrap();
        for bad in ["x", "cluster_id = 1", ""] {
            folder.write(IDENTITY, bad.as_bytes()).unwrap();
            let error = Identity::read(&folder).unwrap_err().to_string();
            assert!(error.contains("identity.toml is damaged"), "{error}");
        }
    }
}

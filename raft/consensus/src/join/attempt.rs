//! A newcomer's data folder from the first attempt to join to its success.

use metadata::replica::{MemberNumber, ReplicaId};
use serde::{Deserialize, Serialize};
use wire::certificate;
use zeroize::Zeroizing;

use crate::bootstrap::{new_incarnation, new_replica_id};
use crate::folder::{Folder, FolderError};
use crate::identity::{Identity, Keys, KnownMember, PEER_KEY};
use crate::join::{JoinError, JoinOptions, former};
use crate::protocol::peer;
use crate::seal::SealingKey;

/// There from the first attempt until one succeeds.
const JOINING: &str = "joining.toml";
/// The key of a newcomer whose folder still holds the keys of a former life.
const JOINING_KEY: &str = "joining-key.pem";

/// An attempt under way.
pub(super) struct Attempt {
    folder: Folder,
    pub(super) replica_id: ReplicaId,
    pub(super) incarnation: String,
    pub(super) key_pem: Zeroizing<String>,
    /// Cluster and replica whose folder it was.
    pub(super) former: Option<(String, String)>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    replica_id: String,
    incarnation: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    former: Option<(String, String)>,
}

impl Attempt {
    /// Begins in a new folder, or goes on in one that an earlier attempt has left.
    pub(super) fn begin(options: &JoinOptions) -> Result<Self, JoinError> {
        let (path, wished) = (options.folder.as_path(), options.replica_id);
        let folder = match Folder::open(path) {
            Err(FolderError::NotInstalled { .. }) => {
                return Self::noted(Folder::create(path)?, wished, None);
            }
            folder => folder?,
        };
        let stored = Stored::read(&folder)?;
        if let Some(stored) = stored.as_ref().filter(|stored| stored.former.is_some()) {
            return Self::resumed(folder, wished, stored.clone());
        }
        if let Some(Identity { replica_id, cluster_id, .. }) = Identity::find(&folder)? {
            if !options.rejoin {
                return Err(JoinError::Member { folder: path.to_owned(), replica_id, cluster_id });
            }
            return Self::noted(folder, wished, Some((cluster_id, replica_id.to_string())));
        }
        match stored {
            Some(stored) if folder.read(PEER_KEY)?.is_some() => {
                Self::resumed(folder, wished, stored)
            }
            // Cut short before it had asked anybody: nothing is lost by a new key.
            None if folder.read("bootstrap")?.is_none() && !folder.log().exists() => {
                Self::noted(folder, wished, None)
            }
            _ => Err(FolderError::NotEmpty {
                folder: path.to_owned(),
                found: "a replica without an identity".to_owned(),
            }
            .into()),
        }
    }

    /// The first attempt: a key of its own, kept until it is a member.
    fn noted(
        folder: Folder,
        wished: Option<ReplicaId>,
        former: Option<(String, String)>,
    ) -> Result<Self, JoinError> {
        let key_pem = certificate::generate_key()?;
        folder.write(key_file(former.is_some()), key_pem.as_bytes())?;
        let replica_id = wished.unwrap_or_else(new_replica_id);
        let (incarnation, id) = (new_incarnation(), replica_id.to_string());
        let stored = Stored { replica_id: id, incarnation, former };
        stored.write(&folder)?;
        let Stored { incarnation, former, .. } = stored;
        Ok(Self { folder, replica_id, incarnation, key_pem, former })
    }

    /// Another attempt, with the same key.
    fn resumed(
        folder: Folder,
        wished: Option<ReplicaId>,
        stored: Stored,
    ) -> Result<Self, JoinError> {
        let file = key_file(stored.former.is_some());
        let missing = || FolderError::Damaged {
            file: folder.join(file),
            what: "the key of the attempt before is missing".to_owned(),
        };
        let key = folder.read(file)?.ok_or_else(missing)?;
        let key_pem = Zeroizing::new(String::from_utf8(key).unwrap_or_default());
        let known = ReplicaId::parse(&stored.replica_id).ok();
        let replica_id = wished.or(known).unwrap_or_else(new_replica_id);
        let stored = Stored { replica_id: replica_id.to_string(), ..stored };
        stored.write(&folder)?;
        let Stored { incarnation, former, .. } = stored;
        Ok(Self { folder, replica_id, incarnation, key_pem, former })
    }
}

impl Attempt {
    /// Checks the cluster's answer and makes the folder that of a member.
    pub(super) fn finish(
        &self,
        joined: peer::Joined,
        options: &JoinOptions,
    ) -> Result<Identity, JoinError> {
        let unsound = |what: &str| JoinError::Unsound { what: what.to_owned() };
        if certificate::digest_of(&joined.ca_pem)? != options.token.ca_digest() {
            return Err(unsound("it names another authority than the token"));
        }
        let replica_id =
            ReplicaId::parse(&joined.replica_id).map_err(|_| unsound("it bears no replica id"))?;
        let facts = certificate::parse(&joined.certificate_pem)?;
        if facts.key != certificate::peer_key_of(&self.key_pem)? {
            return Err(unsound("its certificate is for another key"));
        }
        let sealing_key = SealingKey::from_bytes(&joined.sealing_key)
            .ok_or_else(|| unsound("it bears no sealing key"))?;
        let number = u16::try_from(joined.number).map_err(|_| unsound("its number is too big"))?;
        let members = joined.members.into_iter().map(known);
        let members: Option<Vec<KnownMember>> = members.collect();
        let mut members = members.ok_or_else(|| unsound("a member in it does not read"))?;
        members.retain(|member| member.replica_id != replica_id);

        let keys = Keys {
            ca_pem: joined.ca_pem,
            certificate_pem: joined.certificate_pem,
            key_pem: self.key_pem.clone(),
            sealing_key,
            recovery_sealed: joined.recovery_sealed.to_vec(),
        };
        if let Some((_, replica_id)) = &self.former {
            former::set_aside(&self.folder, replica_id)?;
        }
        keys.write(&self.folder)?;
        let identity = Identity {
            cluster_id: joined.cluster_id,
            replica_id,
            number: MemberNumber(number),
            incarnation: self.incarnation.clone(),
            address: options.advertise.clone(),
            members,
        };
        identity.write(&self.folder)?;
        self.folder.remove(JOINING)?;
        self.folder.remove(JOINING_KEY)?;
        Ok(identity)
    }

    /// The keys, once finished.
    pub(super) fn keys(&self) -> Result<Keys, FolderError> {
        Keys::read(&self.folder)
    }
}

fn key_file(has_former: bool) -> &'static str {
    if has_former { JOINING_KEY } else { PEER_KEY }
}

impl Stored {
    fn read(folder: &Folder) -> Result<Option<Self>, FolderError> {
        let Some(bytes) = folder.read(JOINING)? else { return Ok(None) };
        let stored = toml::from_str(&String::from_utf8_lossy(&bytes));
        stored.map(Some).map_err(|error| FolderError::Damaged {
            file: folder.join(JOINING),
            what: error.to_string(),
        })
    }

    fn write(&self, folder: &Folder) -> Result<(), FolderError> {
        let text = toml::to_string(self).map_err(|error| FolderError::Damaged {
            file: folder.join(JOINING),
            what: error.to_string(),
        })?;
        folder.write(JOINING, text.as_bytes())
    }
}

fn known(member: peer::JoinMember) -> Option<KnownMember> {
    Some(KnownMember {
        replica_id: ReplicaId::parse(&member.replica_id).ok()?,
        number: MemberNumber(u16::try_from(member.number).ok()?),
        address: member.address,
        key: member.key.parse().ok()?,
        incarnation: member.incarnation,
    })
}

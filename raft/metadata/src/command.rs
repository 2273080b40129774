//! Everything that may be asked of the cluster, in one list.

use crate::access_tokens::commands::{
    AccessTokenCreate, AccessTokenDelete, AccessTokenUpdate, AccessTokensDelete, AccessTokensUsed,
};
use crate::accounts::commands::{
    AccountDelete, AccountUpdate, OrganizationCreate, PasswordSet, UserCreate, UserPut,
};
use crate::blobs::commands::{BlobCommit, BlobMount, BlobUnlink};
use crate::bootstrap::Bootstrap;
use crate::codec::{self, Malformed, Message, Reader};
use crate::collection::{Condemn, Delete};
use crate::grants::commands::{
    NamespaceGrantDelete, NamespaceGrantPut, RepositoryGrantDelete, RepositoryGrantPut,
};
use crate::holders::{Forget, HolderAdd, HolderDrop, HolderLost};
use crate::leases::LeaseRenew;
use crate::manifests::delete::ManifestDelete;
use crate::manifests::put::ManifestPut;
use crate::members::{MemberJoin, MemberRemove, MemberUpdate};
use crate::moment::Moment;
use crate::organizations::{MemberDelete, MemberPut};
use crate::repositories::commands::{RepositoryCreate, RepositoryDelete, RepositoryUpdate};
use crate::ruling::Ruling;
use crate::sessions::SessionOpen;
use crate::settings::SettingsSet;
use crate::tables::Write;
use crate::tags::TagDelete;
use crate::teams::commands::{TeamCreate, TeamDelete, TeamMemberDelete, TeamMemberPut, TeamUpdate};
use crate::tokens::{JoinTokenCreate, JoinTokenRevoke};

/// A command's bytes, at most: what is bigger goes to the content store and is named by digest.
pub const BYTES_MAX: usize = 256 * 1024;

macro_rules! commands {
    ($($number:literal $Name:ident,)*) => {
        /// A change that is asked for. Each is described where its struct stands.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Command { $(
            #[doc = concat!("A [`", stringify!($Name), "`].")]
            $Name($Name),
        )* }

        impl Command {
            /// What it is called, for logs.
            pub fn name(&self) -> &'static str {
                match self { $(Self::$Name(_) => stringify!($Name),)* }
            }
        }

        impl Message for Command {
            fn write_fields(&self, out: &mut Vec<u8>) {
                match self { $(Self::$Name(command) => {
                    codec::write_message($number, command, out);
                })* }
            }

            fn read_fields(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
                let (number, raw) = reader.next()?.ok_or(Malformed::Missing)?;
                let command = match number {
                    $($number => Self::$Name(codec::decode(raw.bytes()?)?),)*
                    _ => return Err(Malformed::Unknown { type_name: "Command", number }),
                };
                reader.end("Command")?;
                Ok(command)
            }
        }

        $(impl From<$Name> for Command {
            fn from(command: $Name) -> Self {
                Self::$Name(command)
            }
        })*
    };
}

commands! {
    1 Bootstrap,
    2 SessionOpen,
    3 SettingsSet,
    4 UserPut,
    5 JoinTokenCreate,
    6 JoinTokenRevoke,
    7 MemberJoin,
    8 MemberUpdate,
    9 MemberRemove,
    10 RepositoryCreate,
    11 RepositoryUpdate,
    12 RepositoryDelete,
    13 BlobCommit,
    14 BlobMount,
    15 BlobUnlink,
    16 LeaseRenew,
    17 ManifestPut,
    18 ManifestDelete,
    19 TagDelete,
    20 HolderAdd,
    21 HolderDrop,
    22 HolderLost,
    23 Condemn,
    24 Delete,
    25 Forget,
    26 UserCreate,
    27 AccountUpdate,
    28 AccountDelete,
    29 OrganizationCreate,
    30 PasswordSet,
    31 MemberPut,
    32 MemberDelete,
    33 TeamCreate,
    34 TeamUpdate,
    35 TeamDelete,
    36 TeamMemberPut,
    37 TeamMemberDelete,
    38 RepositoryGrantPut,
    39 RepositoryGrantDelete,
    40 NamespaceGrantPut,
    41 NamespaceGrantDelete,
    42 AccessTokenCreate,
    43 AccessTokenUpdate,
    44 AccessTokenDelete,
    45 AccessTokensDelete,
    46 AccessTokensUsed,
}

codec::coded!(Command);

impl Command {
    /// Whether it comes without a session: there is none yet.
    pub(crate) fn needs_no_session(&self) -> bool {
        matches!(self, Self::Bootstrap(_) | Self::SessionOpen(_))
    }

    /// Reads, checks, then changes; the caller drops the changes of a refused one.
    pub(crate) fn apply(&self, tables: &mut impl Write, moment: &Moment) -> Ruling {
        match self {
            Self::Bootstrap(command) => command.apply(tables, moment),
            Self::SessionOpen(command) => command.apply(tables, moment),
            Self::SettingsSet(command) => command.apply(tables),
            Self::UserPut(command) => command.apply(tables, moment),
            Self::JoinTokenCreate(command) => command.apply(tables, moment),
            Self::JoinTokenRevoke(command) => command.apply(tables),
            Self::MemberJoin(command) => command.apply(tables, moment),
            Self::MemberUpdate(command) => command.apply(tables),
            Self::MemberRemove(command) => command.apply(tables),
            Self::RepositoryCreate(command) => command.apply(tables, moment),
            Self::RepositoryUpdate(command) => command.apply(tables),
            Self::RepositoryDelete(command) => command.apply(tables),
            Self::BlobCommit(command) => command.apply(tables, moment),
            Self::BlobMount(command) => command.apply(tables, moment),
            Self::BlobUnlink(command) => command.apply(tables, moment),
            Self::LeaseRenew(command) => command.apply(tables, moment),
            Self::ManifestPut(command) => command.apply(tables, moment),
            Self::ManifestDelete(command) => command.apply(tables, moment),
            Self::TagDelete(command) => command.apply(tables, moment),
            Self::HolderAdd(command) => command.apply(tables, moment),
            Self::HolderDrop(command) => command.apply(tables, moment),
            Self::HolderLost(command) => command.apply(tables, moment),
            Self::Condemn(command) => command.apply(tables, moment),
            Self::Delete(command) => command.apply(tables, moment),
            Self::Forget(command) => command.apply(tables, moment),
            Self::UserCreate(command) => command.apply(tables, moment),
            Self::AccountUpdate(command) => command.apply(tables),
            Self::AccountDelete(command) => command.apply(tables),
            Self::OrganizationCreate(command) => command.apply(tables, moment),
            Self::PasswordSet(command) => command.apply(tables),
            Self::MemberPut(command) => command.apply(tables),
            Self::MemberDelete(command) => command.apply(tables),
            Self::TeamCreate(command) => command.apply(tables, moment),
            Self::TeamUpdate(command) => command.apply(tables),
            Self::TeamDelete(command) => command.apply(tables),
            Self::TeamMemberPut(command) => command.apply(tables),
            Self::TeamMemberDelete(command) => command.apply(tables),
            Self::RepositoryGrantPut(command) => command.apply(tables),
            Self::RepositoryGrantDelete(command) => command.apply(tables),
            Self::NamespaceGrantPut(command) => command.apply(tables),
            Self::NamespaceGrantDelete(command) => command.apply(tables),
            Self::AccessTokenCreate(command) => command.apply(tables, moment),
            Self::AccessTokenUpdate(command) => command.apply(tables),
            Self::AccessTokenDelete(command) => command.apply(tables),
            Self::AccessTokensDelete(command) => command.apply(tables),
            Self::AccessTokensUsed(command) => command.apply(tables),
        }
    }
}

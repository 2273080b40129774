//! Everything that may be asked of the cluster, in one list.

use crate::access_tokens::commands::{
    AccessTokenCreate, AccessTokenDelete, AccessTokenUpdate, AccessTokensDelete, AccessTokensUsed,
};
use crate::accounts::commands::{
    AccountDelete, AccountUpdate, OrganizationCreate, PasswordSet, UserCreate, UserPut,
};
use crate::adoption::AdoptionFinish;
use crate::backup::BackupNote;
use crate::blobs::commands::{BlobCommit, BlobMount, BlobUnlink};
use crate::bootstrap::Bootstrap;
use crate::certificates::TokenKeyRotate;
use crate::codec::{self, Malformed, Message, Reader};
use crate::collection::{Condemn, Delete};
use crate::directory::commands::{BackendSet, LdapSet, MemberSyncSet, SystemAccountsSet};
use crate::directory::sync::{
    DirectoryMembersSet, DirectoryRunBegin, DirectoryRunEnd, DirectoryUsersGone, DirectoryUsersPut,
};
use crate::events::pulls::PullsNote;
use crate::grants::commands::{
    NamespaceGrantDelete, NamespaceGrantPut, RepositoryGrantDelete, RepositoryGrantPut,
};
use crate::holders::{Forget, HolderAdd, HolderDrop, HolderLost};
use crate::jobs::action_configs::{ActionConfigDelete, ActionConfigSet};
use crate::jobs::commands::{JobCancel, JobCreate, JobDelete};
use crate::jobs::crons::{CronDelete, CronFire, CronSet};
use crate::jobs::history::{EventsCompact, JobsCompact};
use crate::jobs::running::{JobClaim, JobEnd};
use crate::jobs::workers::{WorkerBeat, WorkerCapacitySet, WorkerLeave};
use crate::join_tokens::{JoinTokenCreate, JoinTokenRevoke};
use crate::leases::{LeaseRenew, LeaseSweep};
use crate::manifests::delete::ManifestDelete;
use crate::manifests::put::ManifestPut;
use crate::members::{MemberDrain, MemberJoin, MemberRemove, MemberUpdate};
use crate::moment::Moment;
use crate::openid::commands::{OpenIdSet, OpenIdTie};
use crate::openid::sign_in::OpenIdSignIn;
use crate::organizations::{MemberDelete, MemberPut};
use crate::page_sessions::{PageSessionEnd, PageSessionOpen};
use crate::public_keys::{PublicKeyDelete, PublicKeyPut, PublicKeyUpdate};
use crate::repair::ClusterRepair;
use crate::repositories::commands::{
    RepositoriesDelete, RepositoryCreate, RepositoryDelete, RepositoryUpdate,
};
use crate::repositories::counts::RepositoriesUsed;
use crate::request_keys::RequestAnswered;
use crate::robots::{RobotCreate, RobotDelete};
use crate::ruling::Ruling;
use crate::sessions::SessionOpen;
use crate::settings::SettingsSet;
use crate::sign_in::SignInSet;
use crate::tables::Write;
use crate::tags::TagDelete;
use crate::tags::undelete::TagUndelete;
use crate::teams::commands::{TeamCreate, TeamDelete, TeamMemberDelete, TeamMemberPut, TeamUpdate};

/// A command's bytes, at most: what is bigger goes to the content store and is named by digest.
pub const BYTES_MAX: usize = 256 * 1024;

/// Each with its number and what its own `apply` is given.
macro_rules! commands {
    (|$tables:ident, $moment:ident| $($number:literal $Name:ident($($given:ident),*),)*) => {
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

            /// Reads, checks, then changes; the caller drops the changes of a refused one.
            pub(crate) fn apply(&self, $tables: &mut impl Write, $moment: &Moment) -> Ruling {
                match self { $(Self::$Name(command) => command.apply($($given),*),)* }
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

commands! { |tables, moment|
    1 Bootstrap(tables, moment),
    2 SessionOpen(tables, moment),
    3 SettingsSet(tables),
    4 UserPut(tables, moment),
    5 JoinTokenCreate(tables, moment),
    6 JoinTokenRevoke(tables),
    7 MemberJoin(tables, moment),
    8 MemberUpdate(tables),
    9 MemberRemove(tables),
    10 RepositoryCreate(tables, moment),
    11 RepositoryUpdate(tables, moment),
    12 RepositoryDelete(tables, moment),
    13 BlobCommit(tables, moment),
    14 BlobMount(tables, moment),
    15 BlobUnlink(tables, moment),
    16 LeaseRenew(tables, moment),
    17 ManifestPut(tables, moment),
    18 ManifestDelete(tables, moment),
    19 TagDelete(tables, moment),
    20 HolderAdd(tables, moment),
    21 HolderDrop(tables, moment),
    22 HolderLost(tables, moment),
    23 Condemn(tables, moment),
    24 Delete(tables, moment),
    25 Forget(tables, moment),
    26 UserCreate(tables, moment),
    27 AccountUpdate(tables),
    28 AccountDelete(tables),
    29 OrganizationCreate(tables, moment),
    30 PasswordSet(tables),
    31 MemberPut(tables),
    32 MemberDelete(tables),
    33 TeamCreate(tables, moment),
    34 TeamUpdate(tables),
    35 TeamDelete(tables),
    36 TeamMemberPut(tables),
    37 TeamMemberDelete(tables),
    38 RepositoryGrantPut(tables),
    39 RepositoryGrantDelete(tables),
    40 NamespaceGrantPut(tables),
    41 NamespaceGrantDelete(tables),
    42 AccessTokenCreate(tables, moment),
    43 AccessTokenUpdate(tables),
    44 AccessTokenDelete(tables),
    45 AccessTokensDelete(tables),
    46 AccessTokensUsed(tables),
    47 PublicKeyPut(tables, moment),
    48 PublicKeyUpdate(tables),
    49 PublicKeyDelete(tables),
    50 TokenKeyRotate(tables, moment),
    51 SignInSet(tables),
    52 PageSessionOpen(tables, moment),
    53 PageSessionEnd(tables),
    54 RobotCreate(tables, moment),
    55 RobotDelete(tables),
    56 TagUndelete(tables, moment),
    57 RepositoriesUsed(tables),
    58 PullsNote(tables, moment),
    59 BackendSet(tables, moment),
    60 LdapSet(tables, moment),
    61 SystemAccountsSet(tables),
    62 MemberSyncSet(tables),
    63 DirectoryRunBegin(tables, moment),
    64 DirectoryRunEnd(tables, moment),
    65 DirectoryUsersPut(tables, moment),
    66 DirectoryUsersGone(tables, moment),
    67 DirectoryMembersSet(tables, moment),
    68 RepositoriesDelete(tables, moment),
    69 OpenIdSet(tables),
    70 OpenIdSignIn(tables, moment),
    71 OpenIdTie(tables),
    72 RequestAnswered(tables, moment),
    73 JobCreate(tables, moment),
    74 JobCancel(tables, moment),
    75 JobDelete(tables),
    76 JobClaim(tables, moment),
    77 JobEnd(tables, moment),
    78 JobsCompact(tables, moment),
    79 EventsCompact(tables, moment),
    80 CronSet(tables, moment),
    81 CronDelete(tables),
    82 CronFire(tables, moment),
    83 ActionConfigSet(tables, moment),
    84 ActionConfigDelete(tables),
    85 WorkerBeat(tables, moment),
    86 WorkerLeave(tables, moment),
    87 WorkerCapacitySet(tables),
    88 MemberDrain(tables),
    89 ClusterRepair(tables, moment),
    90 AdoptionFinish(tables),
    91 BackupNote(tables, moment),
    92 LeaseSweep(tables, moment),
}

codec::coded!(Command);

impl Command {
    /// Whether it comes without a session: there is none yet.
    pub(crate) fn needs_no_session(&self) -> bool {
        matches!(self, Self::Bootstrap(_) | Self::ClusterRepair(_) | Self::SessionOpen(_))
    }
}

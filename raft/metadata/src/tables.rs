//! The ordered tables that hold the whole state, behind two small traits.
//!
//! The consensus gives the stored ones; tests and simulation use [`Memory`]. A command works on a
//! [`Draft`], so that a refused one leaves nothing behind.

use crate::codec::Malformed;

mod draft;
mod memory;

pub use draft::Draft;
pub use memory::Memory;

/// A row's value in bytes, at most; what is bigger belongs into the content store. The stored form,
/// with its checksum, stays below the 64 KiB that the store takes.
pub const VALUE_BYTES_MAX: usize = 60 * 1024;

/// A key and its value.
pub type Row = (Vec<u8>, Vec<u8>);

macro_rules! tables {
    ($($(#[$meta:meta])* $number:literal $Name:ident,)*) => {
        /// One ordered table. The numbers are stored and never used again for something else.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Table { $($(#[$meta])* $Name = $number,)* }

        impl Table {
            /// Every table, by rising number.
            pub const ALL: &'static [Self] = &[$(Self::$Name,)*];

            /// The table with that number.
            pub fn from_number(number: u8) -> Option<Self> {
                match number {
                    $($number => Some(Self::$Name),)*
                    _ => None,
                }
            }
        }
    };
}

tables! {
    /// Rows there is one of: cluster, clock, settings, voters, counters.
    1 Singles,
    /// Open sessions by number.
    2 Sessions,
    /// Each replica's open session, by replica id.
    3 ReplicaSessions,
    /// Outcomes of commands whose number is still open, by session and number.
    4 Outcomes,
    /// Members by number, removed ones too.
    5 Members,
    /// Member numbers by replica id, for ever.
    6 MemberIds,
    /// Member numbers by public key, for ever.
    7 MemberKeys,
    /// Join tokens by id.
    8 JoinTokens,
    /// Certificates and keys by name.
    9 Certificates,
    /// Users and organizations by name.
    10 Accounts,
    /// Repositories by name.
    11 Repositories,
    /// Repository names by repository number.
    12 RepositoryNames,
    /// Names of public repositories.
    13 PublicRepositories,
    /// Numbers of deleted repositories whose rows still go.
    14 DeletedRepositories,
    /// Manifests by repository and digest.
    15 Manifests,
    /// What a manifest names, by repository, manifest and position.
    16 Children,
    /// Who names a digest, by repository, digest and manifest.
    17 Edges,
    /// Manifests with a subject, by repository, subject and digest.
    18 Referrers,
    /// Tags by repository and name.
    19 Tags,
    /// Tag names by repository, digest and name.
    20 ManifestTags,
    /// Blobs by digest.
    21 Blobs,
    /// Which repository may read which blob, by repository and digest; the lease stands here too.
    22 Links,
    /// The same by digest and repository.
    23 BlobLinks,
    /// Links no manifest of the repository names, by repository and digest.
    24 LooseLinks,
    /// Leases by their end, repository and digest.
    25 LeaseEnds,
    /// Blobs nothing needs, by the time since when, and digest.
    26 IdleBlobs,
    /// Condemned blobs by digest.
    27 CondemnedBlobs,
    /// Copies that were let go, by digest and member.
    28 Releases,
    /// The same by log index.
    29 ReleaseIndexes,
    /// What people say of repositories, by repository.
    30 Descriptions,
    /// Names of accounts by their id.
    31 AccountIds,
    /// Names of accounts by a letter for what they are, and name.
    32 AccountFilters,
    /// Accounts that were deleted and whose rows still go, by name.
    33 DeletedAccounts,
    /// Members by organization and user.
    34 OrganizationMembers,
    /// The same by user and organization.
    35 MemberOrganizations,
    /// Teams by organization and name.
    36 Teams,
    /// Where a team stands, by its id.
    37 TeamIds,
    /// Members of teams by team and user.
    38 TeamMembers,
    /// The same by user, organization and team.
    39 MemberTeams,
    /// Teams that were deleted and whose rows still go, by id.
    40 DeletedTeams,
    /// What a team may do with a repository, by repository and team.
    41 RepositoryGrants,
    /// The same by team and repository name.
    42 TeamGrants,
    /// What a team may do with all repositories of its organization, by organization and team.
    43 NamespaceGrants,
    /// Access tokens by the hash of their text.
    44 AccessTokens,
    /// The same by account and hash.
    45 AccountTokens,
    /// Public keys of users by the hash of the key.
    46 PublicKeys,
    /// The same by account and hash.
    47 AccountKeys,
    /// Sessions of people who use the pages, by the hash of their text.
    48 PageSessions,
    /// The same by account and hash.
    49 AccountPageSessions,
    /// The same by their absolute end and hash.
    50 PageSessionEnds,
    /// Counts by repository.
    51 RepositoryCounts,
    /// Tags that a limit counts, by repository, log index of the first push, and name.
    52 TagOrder,
    /// Repositories that have more tags than their limit, which was lowered.
    53 TagEvictions,
    /// What happened to a tag, by repository, name and place in a ring; the ring's head before it.
    54 TagHistory,
    /// Tags that went and may come back, by repository and name.
    55 DeletedTags,
    /// The same by repository, digest and name.
    56 HeldTags,
    /// Ends of what is held or remembered, by cluster time, repository, kind and name or digest.
    57 HoldEnds,
    /// Blobs of a namespace by its name and digest.
    58 NamespaceBlobs,
    /// What a namespace uses, by its name.
    59 NamespaceUse,
    /// Events by number.
    60 Events,
    /// Numbers of events by a letter for what finds them, that, their kind and the number, newest
    /// first.
    61 EventIndexes,
    /// Records of the audit log by number.
    62 AuditRecords,
    /// Users who come from the directory, by id.
    63 DirectoryUsers,
    /// How teams, and owners of organizations, follow the directory, by the team's or
    /// organization's id.
    64 MemberSyncs,
    /// Users who sign in by the OpenID provider, by id.
    65 OpenIdUsers,
    /// The same by issuer and subject.
    66 OpenIdSubjects,
    /// Requests that were carried out under a key of their client, by account and key; under the
    /// account alone how many it has.
    67 RequestKeys,
    /// The same by the cluster time until which they are kept, account and key.
    68 RequestKeyEnds,
    /// Jobs, those scheduled last first, and by id.
    69 Jobs,
    /// What leads to jobs: a letter for how, and the id; in a queue the time before it.
    70 JobIndexes,
    /// What jobs wrote down, by job and number of the first line.
    71 JobLogs,
    /// Jobs that come again and again, by action.
    72 Crons,
    /// What does jobs, by replica id.
    73 Workers,
    /// What jobs are told where they are not told otherwise, by action.
    74 ActionConfigs,
}

/// The stored bytes are not what apply wrote: the replica stops and rebuilds its tables.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the tables are damaged: {0}")]
pub struct Damage(pub String);

impl From<Malformed> for Damage {
    fn from(malformed: Malformed) -> Self {
        Self(malformed.to_string())
    }
}

/// Reading one consistent state.
pub trait Read {
    /// The value under `key`.
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Damage>;

    /// At most `limit` rows in byte order of their keys, `from` included, `to` not.
    fn range(
        &self,
        table: Table,
        from: &[u8],
        to: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Row>, Damage>;
}

/// Changing it.
pub trait Write: Read {
    /// Sets the value under `key`.
    fn put(&mut self, table: Table, key: Vec<u8>, value: Vec<u8>);

    /// Removes `key`, if it is there.
    fn delete(&mut self, table: Table, key: &[u8]);
}

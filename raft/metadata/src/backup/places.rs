//! Where each row belongs: one archive, one section of it, or none.

use crate::tables::Table;

/// An archive of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Archive {
    /// Everything but accounts and content: `holdfast backup`.
    Backup,
    /// Users, organizations and teams: `holdfast accounts export`.
    Accounts,
}

/// A part of an archive, which has a folder of its own in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// Settings, crons, what jobs are told, how people sign in.
    Configuration,
    /// Repositories, tags, manifests, links to blobs, access tokens.
    Repositories,
    /// What teams may do.
    Access,
    /// Certificates and keys, sealed.
    Certificates,
    /// What happened in repositories.
    Events,
    /// The audit log.
    Audit,
    /// Users, organizations, teams, and how they follow a directory.
    Accounts,
    /// Bytes of the content store that rows name: manifests.
    Content,
}

/// Where a row belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the backup.
    Backup(Section),
    /// In the archive of accounts.
    Accounts,
    /// In none: it belongs to this cluster's life, or to this hour.
    Nothing,
}

impl Archive {
    /// What it is called in its manifest.
    pub fn word(self) -> &'static str {
        match self {
            Self::Backup => "backup",
            Self::Accounts => "accounts",
        }
    }

    /// Reads [`Archive::word`].
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Backup, Self::Accounts].into_iter().find(|archive| archive.word() == word)
    }
}

impl Section {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Configuration,
        Self::Repositories,
        Self::Access,
        Self::Certificates,
        Self::Events,
        Self::Audit,
        Self::Accounts,
        Self::Content,
    ];

    /// Its folder in the archive.
    pub fn word(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Repositories => "repositories",
            Self::Access => "access",
            Self::Certificates => "certificates",
            Self::Events => "events",
            Self::Audit => "audit",
            Self::Accounts => "accounts",
            Self::Content => "content",
        }
    }

    /// Reads [`Section::word`].
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|section| section.word() == word)
    }
}

impl Place {
    /// The section of `archive` that the row belongs into.
    pub fn section_of(self, archive: Archive) -> Option<Section> {
        match (self, archive) {
            (Self::Backup(section), Archive::Backup) => Some(section),
            (Self::Accounts, Archive::Accounts) => Some(Section::Accounts),
            _ => None,
        }
    }
}

/// Where the rows of a table belong. No wildcard: whoever adds a table says here whether a backup
/// has it. Of [`Table::Singles`] this says what holds where [`SINGLES`] says nothing else.
pub fn of_table(table: Table) -> Place {
    use Section as S;
    match table {
        #[rustfmt::skip]
        Table::Singles | Table::Crons | Table::ActionConfigs => Place::Backup(S::Configuration),
        #[rustfmt::skip]
        Table::Repositories | Table::RepositoryNames | Table::PublicRepositories
        | Table::DeletedRepositories | Table::Descriptions | Table::RepositoryCounts
        | Table::Manifests | Table::Children | Table::Edges | Table::Referrers
        | Table::Tags | Table::ManifestTags | Table::TagOrder | Table::TagEvictions
        | Table::TagHistory | Table::DeletedTags | Table::HeldTags | Table::HoldEnds
        | Table::Blobs | Table::Links | Table::BlobLinks | Table::LooseLinks | Table::LeaseEnds
        | Table::IdleBlobs | Table::CondemnedBlobs
        | Table::NamespaceBlobs | Table::NamespaceUse
        | Table::AccessTokens | Table::AccountTokens => Place::Backup(S::Repositories),
        Table::RepositoryGrants | Table::TeamGrants | Table::NamespaceGrants => {
            Place::Backup(S::Access)
        }
        Table::Certificates => Place::Backup(S::Certificates),
        Table::Events | Table::EventIndexes => Place::Backup(S::Events),
        Table::AuditRecords => Place::Backup(S::Audit),
        #[rustfmt::skip]
        Table::Accounts | Table::AccountIds | Table::AccountFilters | Table::DeletedAccounts
        | Table::OrganizationMembers | Table::MemberOrganizations
        | Table::Teams | Table::TeamIds | Table::TeamMembers | Table::MemberTeams
        | Table::DeletedTeams | Table::PublicKeys | Table::AccountKeys
        | Table::DirectoryUsers | Table::MemberSyncs
        | Table::OpenIdUsers | Table::OpenIdSubjects => Place::Accounts,
        // Members and what they agreed on, whoever is signed in, requests of the last day, and
        // jobs: a restored cluster has other replicas, and nothing under way.
        #[rustfmt::skip]
        Table::Sessions | Table::ReplicaSessions | Table::Outcomes
        | Table::Members | Table::MemberIds | Table::MemberKeys | Table::JoinTokens
        | Table::Releases | Table::ReleaseIndexes
        | Table::PageSessions | Table::AccountPageSessions | Table::PageSessionEnds
        | Table::RequestKeys | Table::RequestKeyEnds
        | Table::Jobs | Table::JobIndexes | Table::JobLogs | Table::Workers => Place::Nothing,
    }
}

/// Rows of [`Table::Singles`] by key. A test looks that every key which commands write is here.
pub const SINGLES: &[(&[u8], Place)] = &[
    (b"cluster", Place::Backup(Section::Configuration)),
    (b"clock", Place::Backup(Section::Configuration)),
    (b"settings", Place::Backup(Section::Configuration)),
    (b"sign_in", Place::Backup(Section::Configuration)),
    (b"event_retention", Place::Backup(Section::Configuration)),
    (b"job_history", Place::Backup(Section::Configuration)),
    (b"directory_backend", Place::Backup(Section::Configuration)),
    (b"directory_ldap", Place::Backup(Section::Configuration)),
    (b"system_accounts", Place::Backup(Section::Configuration)),
    (b"openid", Place::Backup(Section::Configuration)),
    (b"last_repository", Place::Backup(Section::Repositories)),
    (b"kept", Place::Backup(Section::Repositories)),
    (b"events", Place::Backup(Section::Events)),
    (b"audit", Place::Backup(Section::Audit)),
    (b"account_counts", Place::Accounts),
    (b"voters", Place::Nothing),
    (b"last_member", Place::Nothing),
    (b"last_session", Place::Nothing),
    (b"request_keys", Place::Nothing),
    (b"jobs", Place::Nothing),
    (b"directory_run", Place::Nothing),
    (b"adoption", Place::Nothing),
    (b"last_backup", Place::Nothing),
];

/// Where one row belongs.
pub fn of_row(table: Table, key: &[u8]) -> Place {
    let named = SINGLES.iter().find(|(name, _)| table == Table::Singles && *name == key);
    named.map_or_else(|| of_table(table), |(_, place)| *place)
}

//! One of each command, answer and refusal, with every field set.

use metadata::access::Reason;
use metadata::access_tokens::Origin;
use metadata::access_tokens::commands::{
    AccessTokenCreate, AccessTokenDelete, AccessTokenUpdate, AccessTokensDelete, AccessTokensUsed,
    TokenUse,
};
use metadata::accounts::commands::{
    AccountDelete, AccountUpdate, OrganizationCreate, PasswordSet, UserCreate, UserPut,
};
use metadata::blobs::commands::{BlobCommit, BlobMount, BlobUnlink};
use metadata::collection::{Condemn, Delete, Needed};
use metadata::command::Command;
use metadata::entry::Origin as Asked;
use metadata::events::pulls::{Pull, PullsNote};
use metadata::events::retention::RetentionSet;
use metadata::grants::Level;
use metadata::grants::commands::{
    NamespaceGrantDelete, NamespaceGrantPut, RepositoryGrantDelete, RepositoryGrantPut,
};
use metadata::holders::{Forget, HolderAdd, HolderDrop, HolderLost};
use metadata::jobs::history::HistorySet;
use metadata::join_tokens::{JoinTokenCreate, JoinTokenRevoke};
use metadata::leases::LeaseRenew;
use metadata::manifests::delete::ManifestDelete;
use metadata::manifests::put::{ManifestPut, ManifestReference};
use metadata::members::{MemberRemove, MemberUpdate};
use metadata::organizations::{MemberDelete, MemberPut};
use metadata::outcome::Answer;
use metadata::receipts::Receipt;
use metadata::refusal::Refusal;
use metadata::replica::MemberNumber;
use metadata::repositories::Visibility;
use metadata::repositories::commands::{
    RepositoriesDelete, RepositoryCreate, RepositoryDelete, RepositoryUpdate,
};
use metadata::repositories::counts::{RepositoriesUsed, RepositoryUse};
use metadata::request_keys::{RequestAnswered, RequestKey};
use metadata::sessions::SessionOpen;
use metadata::settings::SettingsSet;
use metadata::tags::undelete::TagUndelete;
use metadata::tags::{Precondition, TagDelete};
use metadata::teams::commands::{
    TeamCreate, TeamDelete, TeamMemberDelete, TeamMemberPut, TeamUpdate,
};
use oci::digest::{Algorithm, Digest};
use oci::manifest::Role;
use oci::name::RepositoryName;
use oci::verifier::digest_of;

use crate::cluster::{bootstrap, digest, id, join, repository, tag};

pub(crate) mod sign_in;

pub(crate) fn receipt() -> Receipt {
    Receipt {
        replica_id: id(0xabcd_ef01_2345),
        incarnation: "i".into(),
        applied_index: 300,
        generation: 7,
    }
}

fn here() -> RepositoryName {
    repository("alice/app")
}

fn long_digest() -> Digest {
    digest_of(Algorithm::Sha512, b"long")
}

pub(crate) fn commands() -> Vec<Command> {
    let mut commands: Vec<Command> = Vec::new();
    commands.extend(cluster_commands());
    commands.extend(repository_commands());
    commands.extend(blob_commands());
    commands.extend(later_commands());
    commands.extend(sign_in::commands());
    commands.extend(crate::job_samples::commands());
    commands.extend(crate::operation_samples::commands());
    commands.extend(crate::backup::commands());
    commands
}

fn cluster_commands() -> Vec<Command> {
    vec![
        bootstrap().into(),
        SessionOpen { replica_id: id(1), incarnation: "i".into() }.into(),
        SettingsSet {
            create_repository_on_push: Some(true),
            read_only: Some(false),
            grace_s: Some(0),
            lease_s: Some(7200),
            copies_min: Some(5),
            undelete_s: Some(60),
            events: Some(RetentionSet {
                is_on: Some(true),
                kept_max: Some(100),
                age_max_s: Some(3600),
            }),
            jobs: Some(HistorySet { is_on: Some(true), kept_max: Some(50), age_max_s: Some(7200) }),
        }
        .into(),
        UserPut { name: "alice".into(), password_hash: "hash".into(), is_admin: true }.into(),
        JoinTokenCreate {
            id: "t".into(),
            secret_hash: vec![0xff, 0],
            expires_wall_ms: 1_700_000_000_000,
            uses: 3,
        }
        .into(),
        JoinTokenRevoke { id: "t".into() }.into(),
        join(2).into(),
        MemberUpdate {
            replica_id: id(2),
            address: Some("b:2".into()),
            version: Some("0.2.0".into()),
            supports: None,
        }
        .into(),
        MemberRemove { replica_id: id(2) }.into(),
    ]
}

fn repository_commands() -> Vec<Command> {
    let actor = || "alice".to_owned();
    vec![
        RepositoryCreate {
            repository: here(),
            actor: actor(),
            visibility: Visibility::Public,
            on_push: true,
            immutable_tags: true,
            short_description: "In a line".into(),
            long_description: "# As a page".into(),
            tag_limit: 0,
        }
        .into(),
        RepositoryUpdate {
            repository: here(),
            actor: actor(),
            visibility: Some(Visibility::Private),
            immutable_tags: Some(true),
            short_description: Some("In another line".into()),
            long_description: Some("As another page".into()),
            tag_limit: Some(0),
        }
        .into(),
        RepositoryDelete { repository: here(), actor: actor() }.into(),
        manifest_put().into(),
        ManifestDelete { repository: here(), digest: digest("m"), actor: actor() }.into(),
        TagDelete {
            repository: here(),
            tag: tag("v1"),
            precondition: Some(Precondition::Exists),
            actor: actor(),
        }
        .into(),
    ]
}

fn manifest_put() -> ManifestPut {
    let named = |role, text: &str, required| ManifestReference {
        role,
        digest: digest(text),
        size: 12,
        required,
    };
    ManifestPut {
        repository: here(),
        digest: digest("m"),
        size: 1234,
        media_type: "application/vnd.oci.image.manifest.v1+json".into(),
        artifact_type: Some("application/example".into()),
        subject: Some(long_digest()),
        references: vec![
            named(Role::Config, "c", true),
            named(Role::Layer, "l", false),
            named(Role::Child, "k", true),
        ],
        tags: vec![tag("v1"), tag("latest")],
        precondition: Some(Precondition::PointsAt { digests: vec![digest("n"), digest("o")] }),
        receipts: vec![receipt(), receipt()],
        actor: "alice".into(),
    }
}

fn blob_commands() -> Vec<Command> {
    let (digest, actor) = (long_digest, || "alice".to_owned());
    vec![
        BlobCommit {
            repository: here(),
            digest: digest(),
            size: 1 << 40,
            receipts: vec![receipt()],
            actor: actor(),
        }
        .into(),
        BlobMount {
            repository: here(),
            from: Some(repository("bob/base")),
            digest: digest(),
            actor: actor(),
        }
        .into(),
        BlobUnlink { repository: here(), digest: digest(), actor: actor() }.into(),
        LeaseRenew { repository: here(), digests: vec![digest(), digest()] }.into(),
        HolderAdd { digest: digest(), receipt: receipt() }.into(),
        HolderDrop { digest: digest(), replica_id: id(2) }.into(),
        HolderLost { digest: digest(), replica_id: id(2) }.into(),
        Condemn { digest: digest() }.into(),
        Delete { digest: digest(), generation: 9 }.into(),
        Forget { digest: digest(), replica_id: id(2) }.into(),
    ]
}

/// Those that came after the first golden file: a new one goes to the end.
fn later_commands() -> Vec<Command> {
    let (name, password_hash) = ("carol".to_owned(), "hash".to_owned());
    let mut commands = vec![
        UserCreate {
            name,
            password_hash,
            is_admin: true,
            full_name: "Carol C.".into(),
            is_inactive: true,
            is_imported: true,
            actor: "admin".into(),
            quota_bytes: 1 << 40,
        }
        .into(),
    ];
    commands.extend(account_commands());
    commands.extend(team_commands());
    commands.extend(grant_commands());
    commands.extend(token_commands());
    commands.extend(rule_commands());
    commands.push(pulls_note().into());
    commands.extend(crate::directory_samples::commands());
    commands.extend(crate::openid_samples::commands());
    commands
}

fn pulls_note() -> PullsNote {
    let pull = |tag, actor| Pull { repository: here(), tag, digest: digest("m"), actor };
    PullsNote { pulls: vec![pull(Some(tag("v1")), Some([6; 16])), pull(None, None)] }
}

pub(crate) fn origin() -> Asked {
    Asked {
        account: "alice".into(),
        account_id: Some([6; 16]),
        address: "192.0.2.7".into(),
        request_id: "00c0ffee00c0ffee".into(),
    }
}

fn account_commands() -> Vec<Command> {
    let (name, actor) = (|| "carol".to_owned(), || "admin".to_owned());
    vec![
        AccountUpdate {
            name: name(),
            actor: actor(),
            full_name: Some("C.".into()),
            is_admin: Some(false),
            is_active: Some(true),
            quota_bytes: Some(1 << 40),
        }
        .into(),
        AccountDelete { name: name(), actor: actor() }.into(),
        OrganizationCreate {
            name: "org".into(),
            full_name: "Org".into(),
            actor: actor(),
            quota_bytes: 1,
        }
        .into(),
        PasswordSet {
            name: name(),
            actor: actor(),
            password_hash: "hash".into(),
            former_hash: Some("former".into()),
            is_rehash: false,
        }
        .into(),
    ]
}

fn team_commands() -> Vec<Command> {
    let (text, team) = (|text: &str| text.to_owned(), [7; 16]);
    vec![
        MemberPut {
            organization: text("org"),
            user: text("carol"),
            actor: text("admin"),
            is_admin: Some(true),
            is_change: true,
        }
        .into(),
        MemberDelete { organization: text("org"), user: text("carol"), actor: text("admin") }
            .into(),
        TeamCreate {
            organization: text("org"),
            name: text("qa"),
            description: text("tests"),
            actor: text("admin"),
        }
        .into(),
        TeamUpdate {
            team,
            actor: text("admin"),
            name: Some(text("quality")),
            description: Some(String::new()),
        }
        .into(),
        TeamDelete { team, actor: text("admin") }.into(),
        TeamMemberPut {
            team,
            user: text("carol"),
            actor: text("admin"),
            is_admin: Some(false),
            is_change: true,
        }
        .into(),
        TeamMemberDelete { team, user: text("carol"), actor: text("admin") }.into(),
    ]
}

fn grant_commands() -> Vec<Command> {
    let (team, actor) = ([7; 16], || "admin".to_owned());
    let namespace = || "org".to_owned();
    vec![
        RepositoryGrantPut { repository: here(), team, level: Level::ReadWrite, actor: actor() }
            .into(),
        RepositoryGrantDelete { repository: here(), team, actor: actor() }.into(),
        NamespaceGrantPut { namespace: namespace(), team, level: Level::Admin, actor: actor() }
            .into(),
        NamespaceGrantDelete { namespace: namespace(), team, actor: actor() }.into(),
    ]
}

fn token_commands() -> Vec<Command> {
    let (hash, actor) = ([9; 32], || "carol".to_owned());
    vec![
        AccessTokenCreate {
            hash,
            account: actor(),
            actor: actor(),
            label: "ci".into(),
            creator_agent: "curl/8".into(),
            origin: Origin::Auto,
            expires_wall_ms: 1_800_000_000_000,
            scopes: vec!["repository:org/*:pull".into()],
        }
        .into(),
        AccessTokenUpdate {
            hash,
            actor: actor(),
            label: Some("old ci".into()),
            is_active: Some(false),
        }
        .into(),
        AccessTokenDelete { hash, actor: actor() }.into(),
        AccessTokensDelete {
            account: actor(),
            actor: actor(),
            used_before_wall_ms: Some(1_700_000_000_000),
            origin: Some(Origin::Manual),
            start: vec![9],
        }
        .into(),
        AccessTokensUsed { uses: vec![TokenUse { hash, wall_ms: 1_700_000_000_001 }] }.into(),
        RepositoriesDelete { namespace: "alice".into(), actor: "admin".into() }.into(),
    ]
}

/// Under which key a request came.
pub(crate) fn request_key() -> RequestKey {
    RequestKey { account: [1; 16], key: [2; 32], request: [3; 32] }
}

fn rule_commands() -> Vec<Command> {
    let (status, body) = (201, b"{}".to_vec());
    vec![
        RequestAnswered { key: request_key(), status, body }.into(),
        TagUndelete { repository: here(), tag: tag("v1"), actor: "alice".into() }.into(),
        RepositoriesUsed { uses: vec![RepositoryUse { number: 1, pulls: 300, pushes: 2 }] }.into(),
    ]
}

pub(crate) fn answers() -> Vec<Answer> {
    let mut answers = vec![
        Answer::Done,
        Answer::Session { session: 9 },
        Answer::Joined { replica_id: id(2), number: MemberNumber(65_535) },
        Answer::RepositoryCreated { created: true },
        Answer::BlobCommitted { missing: vec![id(2), id(3)] },
        Answer::LeasesRenewed { refused: vec![digest("x")] },
        Answer::ManifestPut {
            digest: digest("m"),
            moved: true,
            created: true,
            missing: vec![id(2)],
            evicted: vec![tag("old")],
        },
        Answer::Deleted { tags: vec![tag("a"), tag("b")], more: true },
        Answer::Condemned { generation: 4 },
        Answer::TokensDeleted { deleted: 3, next: vec![1] },
        Answer::TagUndeleted { digest: digest("m") },
    ];
    answers.extend(crate::job_samples::answers());
    answers
}

pub(crate) fn refusals() -> Vec<Refusal> {
    let mut refusals = member_refusals();
    refusals.extend(account_refusals());
    refusals.extend(content_refusals());
    refusals.extend(later_refusals());
    refusals.extend(sign_in::refusals());
    refusals.extend(crate::job_samples::refusals());
    refusals.extend(crate::operation_samples::refusals());
    refusals.extend(crate::backup::refusals());
    refusals
}

fn member_refusals() -> Vec<Refusal> {
    let (replica_id, token) = (id(2), || "t".to_owned());
    vec![
        Refusal::SessionClosed { session: 3 },
        Refusal::NumberClosed { session: 3, number: 4 },
        Refusal::LifeOver { replica_id },
        Refusal::IncarnationUnknown { replica_id },
        Refusal::MemberUnknown { replica_id },
        Refusal::ReplicaIdTaken { replica_id },
        Refusal::KeyStruck { public_key: "ab".into() },
        Refusal::MachineTaken { replica_id },
        Refusal::MemberIsVoter { replica_id },
        Refusal::MembersExhausted,
        Refusal::JoinTokenUnknown { id: token() },
        Refusal::JoinTokenExpired { id: token() },
        Refusal::JoinTokenUsedUp { id: token() },
        Refusal::JoinTokenExists { id: token() },
        Refusal::JoinTokenUnfit { id: token() },
        Refusal::ClusterExists { cluster_id: "c".into() },
    ]
}

/// Those that came after the first golden file: a new one goes to the end.
fn later_refusals() -> Vec<Refusal> {
    let name = || "alice".to_owned();
    vec![
        Refusal::ClusterFull { members: 7 },
        Refusal::AccountExists { name: name() },
        Refusal::NotAuthorized { actor: name() },
        Refusal::AccountUnknown { name: name() },
        Refusal::AccountGoing { name: name() },
        Refusal::AccountIsUser { name: name() },
        Refusal::GroupMemberUnknown { group: "org".into(), user: name() },
        Refusal::TeamUnknown,
        Refusal::TeamExists { name: name() },
        Refusal::TeamNameInvalid { name: name() },
        Refusal::TeamElsewhere { namespace: "org".into() },
        Refusal::PasswordChanged { name: name() },
        Refusal::AccessTokenUnknown,
        Refusal::AccessTokenExists,
        Refusal::TagLimitOnImmutable { repository: here() },
        Refusal::TagsOverLimit { limit: 2 },
        Refusal::TagLimitReached { limit: 2 },
        Refusal::TagNotDeleted { tag: tag("v1") },
        Refusal::TagExists { tag: tag("v1") },
        Refusal::UndeleteTooLarge,
        Refusal::QuotaExceeded { namespace: "org".into(), used: 1 << 30, limit: 1, asked: 2 },
        Refusal::DirectoryNotReady { what: "what".into() },
        Refusal::SyncRunning { replica_id: id(2), begun_wall_ms: 1_700_000_000_000 },
        Refusal::SyncOver,
        Refusal::AccountIsSystem { name: name() },
        Refusal::RecoveryAdministrator { name: name() },
        Refusal::TooMuch { what: "bytes of a label".into(), max: 3 },
        Refusal::LimitReached { what: "teams".into(), max: 4 },
        Refusal::Outsider { user: name(), organization: "org".into() },
        Refusal::OpenIdNotReady { what: "what".into() },
        Refusal::OpenIdNotAdmitted { what: "why".into() },
        Refusal::RequestKeyReused,
        Refusal::RequestKeysFull { max: 3 },
        Refusal::AccountNameReserved { name: name() },
    ]
}

fn account_refusals() -> Vec<Refusal> {
    let name = || "alice".to_owned();
    vec![
        Refusal::ReadOnly,
        Refusal::SettingOutOfBounds { setting: "grace_s".into(), min: 1, max: 2 },
        Refusal::AccountNameInvalid { name: name() },
        Refusal::AccountIsOrganization { name: name() },
        Refusal::LastAdministrator { name: name() },
        Refusal::Denied { actor: name(), repository: here(), reason: Reason::WriteRequired },
        Refusal::RepositoryUnknown { repository: here() },
        Refusal::RepositoryExists { repository: here() },
        Refusal::RepositoryNameUnfit { repository: here() },
    ]
}

fn content_refusals() -> Vec<Refusal> {
    let (digest, replica_id) = (|| digest("x"), id(2));
    vec![
        Refusal::BlobUnknown { digest: digest() },
        Refusal::BlobReferenced { digest: digest(), manifests: vec![digest()] },
        Refusal::SizeMismatch { digest: digest(), stored: 1, stated: 2 },
        Refusal::ReceiptsTooFew { counted: 1, needed: 2 },
        Refusal::ReceiptStale { digest: digest() },
        Refusal::HoldersTooFew { digests: vec![digest()] },
        Refusal::ManifestBlobsUnknown { digests: vec![digest(), long_digest()] },
        Refusal::ManifestTooLarge,
        Refusal::ManifestUnknown { digest: digest() },
        Refusal::ManifestHasParents { digest: digest(), parents: vec![digest()] },
        Refusal::TagUnknown { tag: tag("v1") },
        Refusal::TagImmutable { repository: here(), tag: tag("v1") },
        Refusal::PreconditionFailed { tag: tag("v1"), current: Some(digest()) },
        Refusal::BlobNeeded { digest: digest(), reason: Needed::Leased },
        Refusal::GenerationPassed { digest: digest() },
        Refusal::HolderListed { digest: digest(), replica_id },
        Refusal::HolderUnlisted { digest: digest(), replica_id },
        Refusal::CopiesTooFew { digest: digest(), left: 1, needed: 3 },
    ]
}

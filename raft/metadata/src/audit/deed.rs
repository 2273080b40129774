//! What a command does that the audit log keeps, told before it is carried out: afterwards the
//! names behind its ids may be gone.

use oci::name::{RepositoryName, TagName};

use super::{credentials, jobs, people, places};
use crate::accounts::{self, AccountId};
use crate::adoption;
use crate::bootstrap::{self, Bootstrap};
use crate::command::Command;
use crate::members::{self, MemberUpdate};
use crate::outcome::Answer;
use crate::repair::ClusterRepair;
use crate::repositories;
use crate::settings::SettingsSet;
use crate::tables::{Damage, Draft, Read, Table, Write};

/// Something that is about to be done, or was.
#[derive(Clone, Debug)]
pub(crate) struct Deed {
    pub(super) action: &'static str,
    pub(super) object_type: &'static str,
    pub(super) object: String,
    pub(super) actor: String,
    pub(super) actor_id: Option<AccountId>,
    pub(super) facts: Vec<(String, String)>,
}

impl Deed {
    pub(super) fn new(
        actor: &str,
        action: &'static str,
        (object_type, object): (&'static str, &str),
    ) -> Self {
        let (actor, object) = (actor.to_owned(), object.to_owned());
        Self { action, object_type, object, actor, actor_id: None, facts: Vec::new() }
    }

    /// Adds a fact.
    #[allow(clippy::needless_pass_by_value)] // Numbers and texts, borrowed or not.
    pub(super) fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.facts.push((name.to_owned(), value.to_string()));
        self
    }

    /// Adds a fact where there is one.
    pub(super) fn with_given(self, name: &str, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// Looks up the id of who does it.
    fn by_id(mut self, read: &impl Read) -> Result<Self, Damage> {
        if !self.actor.is_empty() {
            self.actor_id = accounts::find(read, &self.actor)?.map(|account| account.id);
        }
        Ok(self)
    }
}

/// How the audit log takes a command.
enum Class {
    /// Goes on all the time and changes no right: it is not kept.
    Everyday,
    /// Kept only where it creates its repository.
    Push,
    /// Changes repositories, tags, manifests, or who may use them.
    OfPlaces,
    /// Changes accounts, organizations, teams or access tokens.
    OfPeople,
    /// Changes how people and programs sign in.
    OfCredentials,
    /// Changes what holds for the whole cluster.
    OfCluster,
    /// Changes which jobs there are.
    OfJobs,
}

/// No wildcard: whoever adds a command says here whether it is kept.
fn class(command: &Command) -> Class {
    match command {
        // That somebody signed in stands in the log of the replica; of a sync with the directory
        // its beginning and what it did are kept; of jobs what people ask, and what jobs change.
        #[rustfmt::skip]
        Command::SessionOpen(_) | Command::RequestAnswered(_) | Command::LeaseRenew(_)
        | Command::HolderAdd(_) | Command::HolderDrop(_) | Command::HolderLost(_)
        | Command::Condemn(_) | Command::Delete(_) | Command::Forget(_)
        | Command::LeaseSweep(_)
        | Command::AccessTokensUsed(_) | Command::PullsNote(_) | Command::RepositoriesUsed(_)
        | Command::PageSessionOpen(_) | Command::PageSessionEnd(_)
        | Command::DirectoryRunEnd(_)
        | Command::JobClaim(_) | Command::CronFire(_)
        | Command::JobsCompact(_) | Command::EventsCompact(_)
        | Command::WorkerBeat(_) | Command::WorkerLeave(_) => Class::Everyday,
        Command::BlobCommit(_) | Command::BlobMount(_) | Command::ManifestPut(_) => Class::Push,
        #[rustfmt::skip]
        Command::RepositoryCreate(_) | Command::RepositoryUpdate(_)
        | Command::RepositoryDelete(_) | Command::RepositoriesDelete(_)
        | Command::ManifestDelete(_) | Command::TagDelete(_) | Command::TagUndelete(_)
        | Command::BlobUnlink(_)
        | Command::RepositoryGrantPut(_)
        | Command::RepositoryGrantDelete(_) | Command::NamespaceGrantPut(_)
        | Command::NamespaceGrantDelete(_) => Class::OfPlaces,
        #[rustfmt::skip]
        Command::UserPut(_) | Command::UserCreate(_) | Command::AccountUpdate(_)
        | Command::AccountDelete(_) | Command::OrganizationCreate(_) | Command::PasswordSet(_)
        | Command::MemberPut(_) | Command::MemberDelete(_) | Command::TeamCreate(_)
        | Command::TeamUpdate(_) | Command::TeamDelete(_) | Command::TeamMemberPut(_)
        | Command::TeamMemberDelete(_) | Command::AccessTokenCreate(_)
        | Command::AccessTokenUpdate(_) | Command::AccessTokenDelete(_)
        | Command::AccessTokensDelete(_) => Class::OfPeople,
        #[rustfmt::skip]
        Command::PublicKeyPut(_) | Command::PublicKeyUpdate(_) | Command::PublicKeyDelete(_)
        | Command::RobotCreate(_) | Command::RobotDelete(_) | Command::TokenKeyRotate(_)
        | Command::SignInSet(_) | Command::BackendSet(_) | Command::LdapSet(_)
        | Command::SystemAccountsSet(_) | Command::MemberSyncSet(_)
        | Command::DirectoryRunBegin(_) | Command::DirectoryUsersPut(_)
        | Command::DirectoryUsersGone(_) | Command::DirectoryMembersSet(_)
        | Command::OpenIdSet(_) | Command::OpenIdSignIn(_) | Command::OpenIdTie(_)
        => Class::OfCredentials,
        #[rustfmt::skip]
        Command::Bootstrap(_) | Command::SettingsSet(_) | Command::JoinTokenCreate(_)
        | Command::JoinTokenRevoke(_) | Command::MemberJoin(_) | Command::MemberUpdate(_)
        | Command::MemberDrain(_) | Command::MemberRemove(_) | Command::ClusterRepair(_)
        | Command::AdoptionFinish(_) | Command::BackupNote(_) => Class::OfCluster,
        #[rustfmt::skip]
        Command::JobCreate(_) | Command::JobCancel(_) | Command::JobDelete(_)
        | Command::JobEnd(_)
        | Command::CronSet(_) | Command::CronDelete(_) | Command::ActionConfigSet(_)
        | Command::ActionConfigDelete(_) | Command::WorkerCapacitySet(_) => Class::OfJobs,
    }
}

/// Whether who asked for a command, and from where, is to travel with it, as far as this replica
/// knows. With a push only where it would create its repository: most create nothing, and they are
/// to stay small.
pub fn is_told_with_its_origin(read: &impl Read, command: &Command) -> Result<bool, Damage> {
    match class(command) {
        Class::Everyday => Ok(false),
        Class::Push => {
            let pushed_to = pushed_to(command);
            let Some((repository, _)) = pushed_to else { return Ok(false) };
            Ok(repositories::find(read, repository)?.is_none())
        }
        Class::OfPlaces
        | Class::OfPeople
        | Class::OfCredentials
        | Class::OfCluster
        | Class::OfJobs => Ok(true),
    }
}

/// What the command is about to do; `None` where the audit log does not keep it, or not before it
/// is known what came of it ([`finished`]).
pub(crate) fn of(read: &impl Read, command: &Command) -> Result<Option<Deed>, Damage> {
    let told = match class(command) {
        Class::Everyday | Class::Push => None,
        Class::OfPlaces => places::told(read, command)?,
        Class::OfPeople => people::told(read, command)?,
        Class::OfCredentials => credentials::told(read, command)?,
        Class::OfCluster => of_cluster(read, command)?,
        Class::OfJobs => jobs::told(read, command)?,
    };
    told.map(|deed| deed.by_id(read)).transpose()
}

/// What was done in the end; `None` where nothing came of it that is kept.
pub(crate) fn finished<W: Write>(
    tables: &Draft<'_, W>,
    command: &Command,
    deed: Option<Deed>,
    answer: &Answer,
) -> Result<Option<Deed>, Damage> {
    let Some(deed) = deed else { return pushed(tables, command) };
    Ok(match answer {
        Answer::RepositoryCreated { created: false } => None,
        // What a sweep of old tokens passed over is nothing to tell.
        Answer::TokensDeleted { deleted: 0, .. } => None,
        Answer::TokensDeleted { deleted, .. } => Some(deed.with("deleted", deleted)),
        Answer::JobCreated { id } => Some(deed.with("job", jobs::uuid(id))),
        Answer::Deleted { tags, more } if matches!(command, Command::ManifestDelete(_)) => {
            let tags: Vec<&str> = tags.iter().map(TagName::as_str).collect();
            let goes_on = more.then_some("more tags follow");
            Some(deed.with("tags", tags.join(" ")).with_given("isPart", goes_on))
        }
        _ => Some(deed),
    })
}

/// What a push has done that is kept: it may have created its repository, and that its namespace.
fn pushed<W: Write>(tables: &Draft<'_, W>, command: &Command) -> Result<Option<Deed>, Damage> {
    if !tables.touches(Table::RepositoryNames) {
        return Ok(None);
    }
    let Some((repository, actor)) = pushed_to(command) else { return Ok(None) };
    let object = ("repository", repository.as_str());
    let deed = Deed::new(actor, "repository.create", object).with("onPush", true);
    let came_with_it = tables.touches(Table::AccountIds).then_some("created");
    deed.with_given("namespace", came_with_it).by_id(tables).map(Some)
}

/// Where a push goes, and by whom.
fn pushed_to(command: &Command) -> Option<(&RepositoryName, &str)> {
    match command {
        Command::BlobCommit(commit) => Some((&commit.repository, &commit.actor)),
        Command::BlobMount(mount) => Some((&mount.repository, &mount.actor)),
        Command::ManifestPut(put) => Some((&put.repository, &put.actor)),
        _ => None,
    }
}

fn of_cluster(read: &impl Read, command: &Command) -> Result<Option<Deed>, Damage> {
    Ok(match command {
        Command::Bootstrap(command) => begun(read, command)?,
        Command::SettingsSet(set) => Some(set_settings(set)),
        Command::JoinTokenCreate(create) => {
            let deed = Deed::new("", "join-token.create", ("join-token", &create.id));
            Some(deed.with("uses", create.uses).with("expiresWallMs", create.expires_wall_ms))
        }
        Command::JoinTokenRevoke(revoke) => {
            Some(Deed::new("", "join-token.revoke", ("join-token", &revoke.id)))
        }
        // The same key again is answered the same and changes nothing.
        Command::MemberJoin(join) if members::by_key(read, &join.public_key)?.is_some() => None,
        Command::MemberJoin(join) => {
            let replica = join.replica_id.to_string();
            let deed = Deed::new("", "replica.join", ("replica", &replica));
            let deed = deed.with("joinToken", &join.token_id).with("hostName", &join.host_name);
            Some(deed.with("peerAddress", &join.address).with("publicKey", &join.public_key))
        }
        Command::MemberUpdate(update) => Some(updated(update)),
        Command::MemberRemove(remove) => {
            let replica = remove.replica_id.to_string();
            Some(Deed::new("", "replica.remove", ("replica", &replica)))
        }
        Command::MemberDrain(drain) => {
            let replica = drain.replica_id.to_string();
            let deed = Deed::new("", "replica.drain", ("replica", &replica));
            Some(deed.with("isDraining", drain.is_draining))
        }
        Command::ClusterRepair(repair) => repaired(read, repair)?,
        Command::AdoptionFinish(_) if adoption::open(read)?.is_none() => None,
        Command::AdoptionFinish(finish) => {
            Some(Deed::new(&finish.actor, "adoption.finish", ("cluster", "content")))
        }
        Command::BackupNote(note) => {
            let deed = Deed::new(&note.actor, "backup.take", ("archive", &note.archive));
            Some(deed.with("logIndex", note.log_index).with("sizeBytes", note.size_bytes))
        }
        _ => None,
    })
}

/// The first record of a cluster; the same command again changes nothing.
fn begun(read: &impl Read, command: &Bootstrap) -> Result<Option<Deed>, Damage> {
    if bootstrap::cluster(read)?.is_some() {
        return Ok(None);
    }
    let deed = Deed::new("", "cluster.create", ("cluster", &command.cluster_id));
    let deed = deed.with("administrator", &command.admin.name);
    Ok(Some(deed.with("replica", command.member.replica_id)))
}

/// What of a cluster that lost its majority may be lost; the same command again changes nothing.
fn repaired(read: &impl Read, command: &ClusterRepair) -> Result<Option<Deed>, Damage> {
    let former = bootstrap::cluster(read)?.map(|cluster| cluster.cluster_id);
    let Some(former) = former.filter(|id| *id != command.cluster_id) else { return Ok(None) };
    let struck = members::list(read)?.into_iter().map(|member| member.replica_id);
    let struck = struck.filter(|id| *id != command.replica_id).map(|id| id.to_string());
    let deed = Deed::new("", "cluster.repair", ("cluster", &command.cluster_id));
    let deed = deed.with("formerCluster", former).with("replica", command.replica_id);
    let deed = deed.with("struck", struck.collect::<Vec<_>>().join(" "));
    let deed = deed.with("lastLog", command.last_log).with("applied", command.applied);
    let lost = format!("whatever other replicas had agreed on after entry {}", command.last_log);
    Ok(Some(deed.with("mayBeLost", lost)))
}

fn updated(update: &MemberUpdate) -> Deed {
    let replica = update.replica_id.to_string();
    let deed = Deed::new("", "replica.update", ("replica", &replica));
    let deed = deed.with_given("peerAddress", update.address.as_ref());
    deed.with_given("version", update.version.as_ref())
}

fn set_settings(set: &SettingsSet) -> Deed {
    let (events, jobs) = (set.events.as_ref(), set.jobs.as_ref());
    Deed::new("", "settings.update", ("settings", "cluster"))
        .with_given("createRepositoryOnPush", set.create_repository_on_push)
        .with_given("readOnlyRegistry", set.read_only)
        .with_given("collectionGraceSeconds", set.grace_s)
        .with_given("leaseSeconds", set.lease_s)
        .with_given("copiesMin", set.copies_min)
        .with_given("undeleteWindowSeconds", set.undelete_s)
        .with_given("repoEventHistoryCompactionEnabled", events.and_then(|it| it.is_on))
        .with_given("repoEventHistoryToKeep", events.and_then(|it| it.kept_max))
        .with_given("repoEventHistoryMaxAgeSeconds", events.and_then(|it| it.age_max_s))
        .with_given("jobHistoryCompactionEnabled", jobs.and_then(|it| it.is_on))
        .with_given("jobHistoryToKeep", jobs.and_then(|it| it.kept_max))
        .with_given("jobHistoryMaxAgeSeconds", jobs.and_then(|it| it.age_max_s))
}

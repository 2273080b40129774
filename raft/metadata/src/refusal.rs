//! Everything a command may be refused for: the caller's to mend, the same on every replica.

use oci::digest::Digest;
use oci::name::{RepositoryName, TagName};

use crate::access::Reason;
use crate::codec::choice;
use crate::collection::Needed;
use crate::replica::ReplicaId;

mod words;

use words::list;

choice! {
    /// Why a command was not carried out. Its text says what to do; nothing has changed.
    #[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
    pub enum Refusal {
        /// Late, or the replica has opened another session since.
        #[error("session {session} is closed; the replica opens a new one")]
        1 SessionClosed {
            /// The session.
            1 session: u64,
        },
        /// A late duplicate.
        #[error("number {number} of session {session} is closed: its outcome was fetched already")]
        2 NumberClosed {
            /// The session.
            1 session: u64,
            /// The number.
            2 number: u64,
        },
        /// A late duplicate of the opening by a former life.
        #[error("replica {replica_id} has been restarted since; this life of it is over")]
        3 LifeOver {
            /// The replica.
            1 replica_id: ReplicaId,
        },
        /// A disk that was wiped or rolled back.
        #[error("replica {replica_id} comes with another incarnation than it joined with; \
                 set its data folder aside and join again under a new id")]
        4 IncarnationUnknown {
            /// The replica.
            1 replica_id: ReplicaId,
        },
        /// Not, or no more.
        #[error("replica {replica_id} is not a member of this cluster")]
        5 MemberUnknown {
            /// The replica.
            1 replica_id: ReplicaId,
        },
        /// Ids are never used twice.
        #[error("the replica id {replica_id} is or was in use; choose another")]
        6 ReplicaIdTaken {
            /// The id.
            1 replica_id: ReplicaId,
        },
        /// Struck keys never come back.
        #[error("the key {public_key} belonged to a replica that was removed; join with a new key")]
        7 KeyStruck {
            /// SHA-256 of the key in hexadecimal.
            1 public_key: String,
        },
        /// Two voters on a machine fall together.
        #[error("replica {replica_id} runs on the same machine, so both would fail together; \
                 use another machine, or allow it in the settings")]
        8 MachineTaken {
            /// The one that is there.
            1 replica_id: ReplicaId,
        },
        /// It must leave the voters first.
        #[error("replica {replica_id} is a voter; it has to leave the voters before it is removed")]
        9 MemberIsVoter {
            /// The replica.
            1 replica_id: ReplicaId,
        },
        /// Numbers have sixteen bits and are never used twice.
        #[error("65,535 replicas have joined this cluster, the most there can be")]
        10 MembersExhausted,
        /// Also for a wrong secret.
        #[error("join token {id} is not known or its secret is wrong; \
                 make one with `holdfast join-token create`")]
        11 JoinTokenUnknown {
            /// Its id.
            1 id: String,
        },
        /// By wall time.
        #[error("join token {id} has expired; make a new one with `holdfast join-token create`")]
        12 JoinTokenExpired {
            /// Its id.
            1 id: String,
        },
        /// Each newcomer takes one use.
        #[error("join token {id} has no uses left; \
                 make a new one with `holdfast join-token create`")]
        13 JoinTokenUsedUp {
            /// Its id.
            1 id: String,
        },
        /// Ids are drawn at random.
        #[error("join token {id} exists already")]
        14 JoinTokenExists {
            /// Its id.
            1 id: String,
        },
        /// It could never be used.
        #[error("join token {id:?} needs an id, the hash of a secret and at least one use")]
        15 JoinTokenUnfit {
            /// Its id.
            1 id: String,
        },
        /// A cluster begins once.
        #[error("this cluster exists already, under the id {cluster_id}")]
        16 ClusterExists {
            /// Its id.
            1 cluster_id: String,
        },
        /// By the setting.
        #[error("the registry is read-only for now: pulls go on, pushes and deletions do not")]
        17 ReadOnly,
        /// By the bounds of the setting, or of what one command may carry.
        #[error("{setting} must lie between {min} and {max}")]
        18 SettingOutOfBounds {
            /// Its name, or what there is too much of.
            1 setting: String,
            /// Least.
            2 min: u64,
            /// Most.
            3 max: u64,
        },
        /// Account names are namespaces.
        #[error("{name:?} can't be an account: at most 100 of a-z, 0-9 and single . _ - between \
                 them")]
        19 AccountNameInvalid {
            /// The name.
            1 name: String,
        },
        /// Users and organizations share their names.
        #[error("{name} is an organization, not a user")]
        20 AccountIsOrganization {
            /// The name.
            1 name: String,
        },
        /// Somebody must be able to administer.
        #[error("{name} is the last system administrator; make another one first")]
        21 LastAdministrator {
            /// The name.
            1 name: String,
        },
        /// By the actor's rights as they are now.
        #[error("{actor} may not do this in {repository}: {reason}")]
        22 Denied {
            /// The account.
            1 actor: String,
            /// The repository.
            2 repository: RepositoryName,
            /// Which right is missing.
            3 reason: Reason,
        },
        /// And the actor may know.
        #[error("there is no repository {repository}; create it first, or let pushes create \
                 repositories (setting createRepositoryOnPush)")]
        23 RepositoryUnknown {
            /// Its name.
            1 repository: RepositoryName,
        },
        /// Names are unique.
        #[error("repository {repository} exists already")]
        24 RepositoryExists {
            /// Its name.
            1 repository: RepositoryName,
        },
        /// Of more or fewer than two components.
        #[error("{repository} can't be a repository: its name has two parts, namespace/name")]
        25 RepositoryNameUnfit {
            /// Its name.
            1 repository: RepositoryName,
        },
        /// Not linked to the repository, or not kept.
        #[error("blob {digest} is not known here; upload it")]
        26 BlobUnknown {
            /// The blob.
            1 digest: Digest,
        },
        /// Delete the manifests first.
        #[error("blob {digest} is named by manifests of this repository; delete those first: {}",
                list(manifests))]
        27 BlobReferenced {
            /// The blob.
            1 digest: Digest,
            /// The first of them.
            2 manifests: Vec<Digest>,
        },
        /// A descriptor or a commit states another size than is stored.
        #[error("{digest} has {stored} bytes, not {stated}")]
        28 SizeMismatch {
            /// The blob.
            1 digest: Digest,
            /// As stored.
            2 stored: u64,
            /// As stated.
            3 stated: u64,
        },
        /// Fetch fresh receipts and propose again; nothing need be uploaded again.
        #[error("{counted} of the receipts count and {needed} are needed; ask the holders afresh")]
        29 ReceiptsTooFew {
            /// Voters whose receipts count.
            1 counted: u32,
            /// W.
            2 needed: u32,
        },
        /// Fetch a fresh one.
        #[error("the receipt for {digest} does not count any more; ask the holder afresh")]
        30 ReceiptStale {
            /// The blob.
            1 digest: Digest,
        },
        /// Copies must be made first.
        #[error("too few replicas hold these blobs for now: {}", list(digests))]
        31 HoldersTooFew {
            /// The blobs; the first five hundred where there are more.
            1 digests: Vec<Digest>,
        },
        /// Upload them first.
        #[error("the manifest names content that this repository does not have; push it first: {}",
                list(digests))]
        32 ManifestBlobsUnknown {
            /// All that is missing; the first five hundred where there is more.
            1 digests: Vec<Digest>,
        },
        /// More references or tags than one push may carry.
        #[error("a manifest may have 2,000 references, and one push may set 100 tags")]
        33 ManifestTooLarge,
        /// Not in this repository.
        #[error("there is no manifest {digest} in this repository")]
        34 ManifestUnknown {
            /// The manifest.
            1 digest: Digest,
        },
        /// Delete the parents first.
        #[error("manifest {digest} is part of an index of this repository; delete that first: {}",
                list(parents))]
        35 ManifestHasParents {
            /// The manifest.
            1 digest: Digest,
            /// The first of them.
            2 parents: Vec<Digest>,
        },
        /// Not in this repository.
        #[error("there is no tag {tag} in this repository")]
        36 TagUnknown {
            /// The tag.
            1 tag: TagName,
        },
        /// The repository keeps its tags where they are.
        #[error("tag={tag} cannot be overwritten because {repository} is an immutable repository")]
        37 TagImmutable {
            /// The repository.
            1 repository: RepositoryName,
            /// The tag.
            2 tag: TagName,
        },
        /// `If-Match` or `If-None-Match` does not hold.
        #[error("tag {tag} is not where the request's condition wants it; look and try again")]
        38 PreconditionFailed {
            /// The tag.
            1 tag: TagName,
            /// Where it points; `None` where it does not exist.
            2 current: Option<Digest>,
        },
        /// Not to be condemned.
        #[error("blob {digest} is not collected: {reason}")]
        39 BlobNeeded {
            /// The blob.
            1 digest: Digest,
            /// What keeps it.
            2 reason: Needed,
        },
        /// It came back since.
        #[error("blob {digest} is not condemned with that generation any more")]
        40 GenerationPassed {
            /// The blob.
            1 digest: Digest,
        },
        /// It must keep its copy.
        #[error("replica {replica_id} is a holder of {digest} and keeps it")]
        41 HolderListed {
            /// The blob.
            1 digest: Digest,
            /// The replica.
            2 replica_id: ReplicaId,
        },
        /// It is none.
        #[error("replica {replica_id} is not a holder of {digest}")]
        42 HolderUnlisted {
            /// The blob.
            1 digest: Digest,
            /// The replica.
            2 replica_id: ReplicaId,
        },
        /// The copy is not in surplus.
        #[error("{left} copies of {digest} would be left and {needed} are wanted")]
        43 CopiesTooFew {
            /// The blob.
            1 digest: Digest,
            /// On voters, without this one.
            2 left: u32,
            /// RF.
            3 needed: u32,
        },
        /// By the bound on members.
        #[error("the cluster has {members} replicas, the most there can be; remove one first")]
        44 ClusterFull {
            /// Those there are.
            1 members: u32,
        },
        /// Users and organizations share their names.
        #[error("there is an account {name} already")]
        45 AccountExists { #[doc = "The name."] 1 name: String, },
        /// Neither as an administrator nor as an owner.
        #[error("{actor} may not do this")]
        46 NotAuthorized { #[doc = "The account that asked."] 1 actor: String, },
        /// Not, or no more.
        #[error("there is no account {name}")]
        47 AccountUnknown { #[doc = "The name."] 1 name: String, },
        /// What belonged to it goes a little with each entry.
        #[error("the account {name} was deleted, and what belonged to it is being removed; \
                 try again in a while")]
        48 AccountGoing { #[doc = "The name."] 1 name: String, },
        /// Only organizations have members and teams.
        #[error("{name} is a user, not an organization")]
        49 AccountIsUser { #[doc = "The name."] 1 name: String, },
        /// Of an organization or a team.
        #[error("{user} is not a member of {group}")]
        50 GroupMemberUnknown {
            /// The organization or team.
            1 group: String,
            /// The user.
            2 user: String,
        },
        /// Not, or no more.
        #[error("there is no such team")]
        51 TeamUnknown,
        /// In that organization.
        #[error("there is a team {name} already")]
        52 TeamExists { #[doc = "The name."] 1 name: String, },
        /// By its grammar.
        #[error("{name:?} is no name for a team: 1 to 100 letters, digits, dots, dashes and \
                 underscores, a letter or digit first, and not in the form of an id")]
        53 TeamNameInvalid { #[doc = "The name."] 1 name: String, },
        /// Grants stay within an organization.
        #[error("the team does not belong to the organization {namespace}")]
        54 TeamElsewhere { #[doc = "The organization."] 1 namespace: String, },
        /// Since the old one was compared.
        #[error("the password of {name} was changed in the meantime; try again with that one")]
        55 PasswordChanged { #[doc = "The user."] 1 name: String, },
        /// Or it is another's.
        #[error("there is no such access token")]
        56 AccessTokenUnknown,
        /// Drawn at random, so hardly ever.
        #[error("there is such an access token already; make another")]
        57 AccessTokenExists,
        /// Between the request's beginning and its end.
        #[error("{actor} signed in with what was taken back since, or the account was; nothing \
                 was changed; sign in again")]
        58 CredentialsRevoked { #[doc = "The account that asked."] 1 actor: String, },
        /// Or it is another user's.
        #[error("the user has no such public key")]
        59 PublicKeyUnknown,
        /// A signature must say who made it.
        #[error("another user has this public key; every user needs a key of their own")]
        60 PublicKeyTaken,
        /// By somebody else, at the same time.
        #[error("the token key was exchanged in the meantime; look, and do it again if need be")]
        61 TokenKeyRotated,
        /// Nobody could be told from anybody.
        #[error("clientCertAuthEnabled needs webTLSClientCA: who signs the certificates, in PEM")]
        62 ClientAuthorityMissing,
        /// By the setting.
        #[error("this cluster takes no passwords (setting refusePasswords); with \
                 --allow-passwords it takes them again")]
        63 PasswordsRefused,
        /// It is a program of one organization.
        #[error("{name} is a robot: in teams of its own organization, administering nothing")]
        64 RobotUnfit { #[doc = "The robot."] 1 name: String, },
        /// A tag that never moves would go all the same.
        #[error("{repository} can't have immutable tags and a tag limit: tags that must stay would \
                 be evicted; set tagLimit to 0 or immutableTags to false")]
        65 TagLimitOnImmutable { #[doc = "The repository."] 1 repository: RepositoryName, },
        /// One of them would be gone at once.
        #[error("the repository keeps {limit} tags (tagLimit) and the push names more; push fewer \
                 at a time, or raise the limit")]
        66 TagsOverLimit { #[doc = "The limit."] 1 limit: u64, },
        /// It would be the first to go.
        #[error("the repository has the {limit} tags that it keeps (tagLimit); raise the limit or \
                 delete a tag first")]
        67 TagLimitReached { #[doc = "The limit."] 1 limit: u64, },
        /// Never, or too long ago.
        #[error("there is no deleted tag {tag} in this repository that could come back; look at \
                 the tag's history, and push it again")]
        68 TagNotDeleted { #[doc = "The tag."] 1 tag: TagName, },
        /// It was pushed again since.
        #[error("there is a tag {tag}, pushed since the other was deleted; delete it first, or \
                 pull the other by its digest from the tag's history")]
        69 TagExists { #[doc = "The tag."] 1 tag: TagName, },
        /// More than one command may do.
        #[error("the tag names more than 200 deleted manifests, or 10,000 parts; push it again")]
        70 UndeleteTooLarge,
        /// By what it holds, each blob counted once.
        #[error("the quota of {namespace} is {limit} bytes, {used} are used, and this needs \
                 {asked} more; delete what is not needed, or have an administrator raise the \
                 quota")]
        71 QuotaExceeded {
            #[doc = "The namespace."] 1 namespace: String,
            #[doc = "In bytes."] 2 used: u64,
            #[doc = "In bytes."] 3 limit: u64,
            #[doc = "Bytes that it does not have yet."] 4 asked: u64,
        },
        /// Something is to be said of it first.
        #[error("the directory cannot be used like this: {what}")]
        72 DirectoryNotReady { #[doc = "What is missing."] 1 what: String, },
        /// One replica syncs at a time.
        #[error("replica {replica_id} is syncing already; wait, or five minutes if it has stopped")]
        73 SyncRunning {
            #[doc = "Who does it."] 1 replica_id: ReplicaId,
            #[doc = "Since when, milliseconds since 1970."] 2 begun_wall_ms: u64,
        },
        /// It took too long, or another took its place.
        #[error("this sync with the directory is over; begin another")]
        74 SyncOver,
        /// An administrator said so.
        #[error("{name} is a system account; take it off the list of system accounts first")]
        75 AccountIsSystem { #[doc = "The name."] 1 name: String, },
        /// Nobody could sign in while the directory is down.
        #[error("{name} is the recovery administrator; name another in the directory's settings")]
        76 RecoveryAdministrator { #[doc = "The name."] 1 name: String, },
        /// By the bounds of what one request may carry.
        #[error("{what}: at most {max}")]
        77 TooMuch { #[doc = "Of what."] 1 what: String, #[doc = "Most."] 2 max: u64, },
        /// By the bounds of what there may be at once.
        #[error("there are {max} {what} already, the most there can be; delete one first")]
        78 LimitReached { #[doc = "Of what."] 1 what: String, #[doc = "Most."] 2 max: u64, },
        /// A team's administrator chooses among the members of the organization.
        #[error("{user} is not a member of {organization}: have one of its owners make them one")]
        79 Outsider { #[doc = "Who."] 1 user: String, #[doc = "Where."] 2 organization: String, },
        /// Something is to be said of it first, or is said otherwise by now.
        #[error("OpenID cannot be used like this: {what}")]
        80 OpenIdNotReady { #[doc = "What is missing."] 1 what: String, },
        /// It vouches for somebody who has no account here, or none that they may use.
        #[error("the provider lets you in, and this registry does not: {what}")]
        81 OpenIdNotAdmitted { #[doc = "Why."] 1 what: String, },
        /// Of a request that was carried out.
        #[error("this Idempotency-Key was sent with another request within the last 24 hours; \
                 nothing was done; send a new key with each new request")]
        82 RequestKeyReused,
        /// By the bounds of what is kept.
        #[error("{max} requests under an Idempotency-Key are kept for 24 hours, as many as can \
                 be; nothing was done; try again later, or without the key")]
        83 RequestKeysFull { #[doc = "Most."] 1 max: u64, },
        /// A path that names an account could mean something else, or a tool would.
        #[error("no account can be called {name}: the registry uses this name itself; choose \
                 another")]
        84 AccountNameReserved { #[doc = "The name."] 1 name: String, },
        /// Not, or no more.
        #[error("there is no such job")]
        85 JobUnknown,
        /// Another worker has it, or nobody.
        #[error("the job is no longer this worker's: it was cancelled, or another one has it")]
        86 JobHoldOver,
        /// What is asked for can't be done.
        #[error("{what}")]
        87 JobUnfit { #[doc = "What is wrong."] 1 what: String, },
        /// It has none.
        #[error("the action {action} has no cron")]
        88 CronUnknown { #[doc = "The action."] 1 action: String, },
        /// It has none.
        #[error("the action {action} has no configuration of its own")]
        89 ActionConfigUnknown { #[doc = "The action."] 1 action: String, },
        /// Not yet, no more, or it is taken for dead.
        #[error("there is no worker {worker}")]
        90 WorkerUnknown { #[doc = "The replica's id."] 1 worker: String, },
        /// Nobody would be left to keep content.
        #[error("no other voter keeps content beside replica {replica_id}: join another first; \
                 `holdfast destroy` ends the last one")]
        91 MemberIsLast { #[doc = "The member."] 1 replica_id: ReplicaId, },
        /// A repair comes with a membership of one, which `emergency-repair` writes.
        #[error("the cluster has other voters, or has not begun; there is nothing to repair")]
        92 ClusterNotAlone,
        /// What no row lists may be the last copy of something.
        #[error("nothing is collected while content is being found again; see what is \
                 missing by `holdfast content adopt`, and end it by `--finish`")]
        93 AdoptionOpen,
        /// It would not know what it is sent.
        #[error("the newcomer's binary knows the state up to version {supports}, and the cluster \
                 has version {version}: install the version of holdfast that the others run")]
        94 VersionUnknown { #[doc = "Its."] 1 supports: u32, #[doc = "Ours."] 2 version: u32, },
    }
}

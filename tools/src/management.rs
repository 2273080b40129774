//! The verbs over the management API: people, teams, repositories, tokens and what they may do.
//!
//! One file a noun, and in it a verb for everything the API takes. What all verbs do the same way
//! is in [`remote`]; [`pages`] reads lists, [`table`] shows what was read.

use clap::Subcommand;

use crate::exit::Stop;

/// The example of a verb, for the end of its help.
macro_rules! example {
    ($($line:literal),+) => {
        concat!(
            "Example, with HOLDFAST_URL, HOLDFAST_USERNAME, HOLDFAST_PASSWORD_FILE and \
             HOLDFAST_CA set:\n",
            $("  ", $line, "\n",)+
        )
    };
}

pub mod access;
pub mod account;
pub mod audit;
pub mod body;
pub mod confirmation;
pub mod cron;
pub mod directory;
pub mod events;
pub mod expiry;
pub mod gc;
pub mod grants;
pub mod job;
pub mod job_flags;
pub mod key;
pub mod members;
pub mod name;
pub mod new_password;
pub mod openid;
pub mod organization;
pub mod pages;
pub mod remote;
pub mod repository;
pub mod robot;
pub mod settings;
pub mod size;
pub mod table;
pub mod tag;
pub mod team;
pub mod token;
pub mod user;
pub mod when;

#[cfg(test)]
pub(crate) mod examples;

const USER_HELP: &str = "\
Users sign in, push and pull. Each has a namespace of their own name; what else they may do comes \
from the teams they are in.";

const ORG_HELP: &str = "\
An organization is a namespace that belongs to several people. Its owners may do everything in it; \
its other members what their teams were granted.";

const TEAM_HELP: &str = "\
A team is some members of an organization. What it is granted, on one repository or on all of the \
organization, each of them may do.";

const REPO_HELP: &str = "\
A repository holds the images of one name, NAMESPACE/NAME. A public one can be pulled by \
everybody, a private one by those who were granted it.";

const TAG_HELP: &str = "\
A tag is a name for an image of a repository, NAMESPACE/NAME:TAG. What happened to it is kept; a \
tag that was deleted or evicted may come back for as long as the setting undeleteWindowSeconds \
says.";

const TOKEN_HELP: &str = "\
An access token stands for a user's password, in docker login as in --password-file: with its own \
label, expiry and scope, and revoked without changing the password.";

const SETTINGS_HELP: &str = "\
Settings of the whole cluster. What differs from replica to replica is in the file that \
`holdfast serve` reads.";

const EVENTS_HELP: &str = "\
Events say what happened to repositories: pushes, pulls, deletions. The newest are kept, as many \
and as long as the settings repoEventHistory… say.";

const AUDIT_HELP: &str = "\
The audit log has a record of every change to accounts, rights, tokens, settings, repositories and \
replicas: who, when, from where, what. Each record's hash covers the one before it, so an export \
shows whether anything in it was changed, taken out or moved.

  holdfast audit list --since 7d
  holdfast audit export --to audit.jsonl
  holdfast audit verify audit.jsonl --live

Exit status of verify: 0 as it was written, 1 not so, 2 wrong usage, 4 nobody answers.";
const OPENID_HELP: &str = "\
A company's OpenID provider, such as Keycloak: people sign in there with a browser, get an account \
here at the first time, and teams follow the provider's groups. docker login takes access tokens \
of theirs.";

const DIRECTORY_HELP: &str = "\
A company's LDAP directory or Active Directory: people sign in by their passwords there, become \
users here at their first sign-in or with a sync, and teams follow groups.";

const JOB_HELP: &str = "\
Jobs are work that the cluster does by itself: each is done by one replica, and by another one \
where that replica dies. What a job writes down is kept with it, as the settings jobHistory… say.";

const CRON_HELP: &str = "\
A cron has an action done again and again. Its schedule is in UTC: six fields (second, minute, \
hour, day of the month, month, weekday), or @hourly, @daily, @weekly, @monthly, @yearly. While \
the job of the last time is not over, none is made; what was missed comes once.";

const GC_HELP: &str = "\
Collection takes back the space of what nothing needs any more: layers that no manifest names, \
once no push holds them by a lease and the grace time (setting collectionGraceSeconds) is over. \
Pushes and pulls go on meanwhile. `plan` shows what would go and why, `why` explains one blob.

  holdfast gc status
  holdfast gc plan
  holdfast gc run
  holdfast gc schedule saturday --for 2h

What deleted tags need stays until they can't come back (setting undeleteWindowSeconds).";

/// A noun, and what is done with it.
#[derive(Subcommand)]
pub enum Noun {
    /// Users: who signs in
    #[command(long_about = USER_HELP)]
    User(user::UserArgs),
    /// Organizations: namespaces that people share
    #[command(long_about = ORG_HELP)]
    Org(organization::OrganizationArgs),
    /// Teams: who of an organization may do what
    #[command(long_about = TEAM_HELP)]
    Team(team::TeamArgs),
    /// Repositories, and which teams may use them
    #[command(long_about = REPO_HELP)]
    Repo(repository::RepositoryArgs),
    /// Tags, what happened to them, and bringing them back
    #[command(long_about = TAG_HELP)]
    Tag(tag::TagArgs),
    /// Access tokens: what signs in instead of a password
    #[command(long_about = TOKEN_HELP)]
    Token(token::TokenArgs),
    /// What somebody may do, and why
    Access(access::AccessArgs),
    /// Settings of the whole cluster
    #[command(long_about = SETTINGS_HELP)]
    Settings(settings::SettingsArgs),
    /// What happened to repositories
    #[command(long_about = EVENTS_HELP)]
    Events(events::EventsArgs),
    /// What was done to the cluster, by whom, and proof of it
    #[command(long_about = AUDIT_HELP)]
    Audit(audit::AuditArgs),
    /// A company's directory of people: signing in by it, and following its groups
    #[command(long_about = DIRECTORY_HELP)]
    Directory(directory::DirectoryArgs),
    /// A company's OpenID provider: signing in by it, and following its groups
    #[command(long_about = OPENID_HELP)]
    Openid(openid::OpenIdArgs),
    /// Space of what nothing needs: how much it is, why, and taking it back
    #[command(long_about = GC_HELP)]
    Gc(gc::GcArgs),
    /// Work that the cluster does by itself
    #[command(long_about = JOB_HELP)]
    Job(job::JobArgs),
    /// Jobs that come again and again
    #[command(long_about = CRON_HELP)]
    Cron(cron::CronArgs),
}

impl Noun {
    /// Does it.
    pub async fn run(&self) -> Result<(), Stop> {
        match self {
            Self::User(args) => args.run().await,
            Self::Org(args) => args.run().await,
            Self::Team(args) => args.run().await,
            Self::Repo(args) => args.run().await,
            Self::Tag(args) => args.run().await,
            Self::Token(args) => args.run().await,
            Self::Access(args) => args.run().await,
            Self::Settings(args) => args.run().await,
            Self::Events(args) => args.run().await,
            Self::Audit(args) => args.run().await,
            Self::Directory(args) => args.run().await,
            Self::Openid(args) => args.run().await,
            Self::Gc(args) => args.run().await,
            Self::Job(args) => args.run().await,
            Self::Cron(args) => args.run().await,
        }
    }
}

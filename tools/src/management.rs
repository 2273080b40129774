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
pub mod body;
pub mod confirmation;
pub mod expiry;
pub mod grants;
pub mod members;
pub mod name;
pub mod new_password;
pub mod organization;
pub mod pages;
pub mod remote;
pub mod repository;
pub mod settings;
pub mod table;
pub mod team;
pub mod token;
pub mod user;

#[cfg(test)]
mod examples;

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

const TOKEN_HELP: &str = "\
An access token stands for a user's password, in docker login as in --password-file: with its own \
label, expiry and scope, and revoked without changing the password.";

const SETTINGS_HELP: &str = "\
Settings of the whole cluster. What differs from replica to replica is in the file that \
`holdfast serve` reads.";

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
    /// Access tokens: what signs in instead of a password
    #[command(long_about = TOKEN_HELP)]
    Token(token::TokenArgs),
    /// What somebody may do, and why
    Access(access::AccessArgs),
    /// Settings of the whole cluster
    #[command(long_about = SETTINGS_HELP)]
    Settings(settings::SettingsArgs),
}

impl Noun {
    /// Does it.
    pub async fn run(&self) -> Result<(), Stop> {
        match self {
            Self::User(args) => args.run().await,
            Self::Org(args) => args.run().await,
            Self::Team(args) => args.run().await,
            Self::Repo(args) => args.run().await,
            Self::Token(args) => args.run().await,
            Self::Access(args) => args.run().await,
            Self::Settings(args) => args.run().await,
        }
    }
}

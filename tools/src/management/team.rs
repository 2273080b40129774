//! `holdfast team`: who of an organization may do what.

use clap::builder::FalseyValueParser;
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::Value;

use super::account;
use super::body::{fields, some};
use super::confirmation::Confirmation;
use super::grants;
use super::members::{self, Group};
use super::name::Name;
use super::pages::List;
use super::remote::{Change, RemoteFlags};
use super::table::{Column, text};
use crate::exit::Stop;

const COLUMNS: &[Column] = &[
    ("name", |it| text(&it["name"])),
    ("members", |it| text(&it["membersCount"])),
    ("description", |it| text(&it["description"])),
];

const ROWS: &[Column] = &[
    ("name", |it| text(&it["name"])),
    ("description", |it| text(&it["description"])),
    ("id", |it| text(&it["id"])),
    ("members", |it| text(&it["membersCount"])),
];

/// `team list|show|create|update|delete`, its members and what it may do.
#[derive(Args)]
pub struct TeamArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Lists the teams of an organization
    #[command(after_help = example!("holdfast team list acme"))]
    List {
        /// The organization, by name or id
        organization: Name,

        #[command(flatten)]
        remote: RemoteFlags,
    },
    /// Shows one
    #[command(after_help = example!("holdfast team show acme builders"))]
    Show(One),
    /// Creates one
    #[command(after_help = example!(
        "holdfast team create acme builders --description 'pushes what was built'"
    ))]
    Create {
        #[command(flatten)]
        team: Team,

        /// What it is for
        #[arg(long, value_name = "TEXT", env = "HOLDFAST_DESCRIPTION")]
        description: Option<String>,

        #[command(flatten)]
        remote: RemoteFlags,
    },
    /// Changes its name or its description; members and grants stay
    #[command(after_help = example!("holdfast team update acme builders --name makers"))]
    Update {
        #[command(flatten)]
        team: Team,

        /// Its new name
        #[arg(long, value_name = "NAME", env = "HOLDFAST_NAME")]
        name: Option<String>,

        /// What it is for
        #[arg(long, value_name = "TEXT", env = "HOLDFAST_DESCRIPTION")]
        description: Option<String>,

        #[command(flatten)]
        remote: RemoteFlags,
    },
    /// Deletes one and all it was granted; its members stay in the organization
    #[command(after_help = example!("holdfast team delete acme builders --yes"))]
    Delete {
        #[command(flatten)]
        confirmation: Confirmation,

        #[command(flatten)]
        one: One,
    },
    /// Lists its members
    #[command(after_help = example!("holdfast team members acme builders"))]
    Members(One),
    /// Puts a user in; without --admin, makes its administrator one of the others
    #[command(after_help = example!("holdfast team add acme builders bob"))]
    Add {
        #[command(flatten)]
        team: Team,

        /// The user, by name or id
        user: Name,

        /// As its administrator, who may say who else is in it
        #[arg(long, env = "HOLDFAST_ADMIN", value_parser = FalseyValueParser::new())]
        admin: bool,

        #[command(flatten)]
        remote: RemoteFlags,
    },
    /// Takes a user out; they stay in the organization
    #[command(after_help = example!("holdfast team remove acme builders bob"))]
    Remove {
        #[command(flatten)]
        team: Team,

        /// The user, by name or id
        user: Name,

        #[command(flatten)]
        remote: RemoteFlags,
    },
    /// Lists the repositories it was granted
    #[command(after_help = example!("holdfast team access acme builders"))]
    Access(One),
}

#[derive(Args)]
struct Team {
    /// The organization, by name or id
    organization: Name,

    /// The team, by name or id
    team: Name,
}

#[derive(Args)]
struct One {
    #[command(flatten)]
    team: Team,

    #[command(flatten)]
    remote: RemoteFlags,
}

impl TeamArgs {
    /// Does what was asked for.
    pub async fn run(&self) -> Result<(), Stop> {
        match &self.verb {
            Verb::List { organization, remote } => {
                let path = path(organization);
                remote.list(List { path, query: vec![], field: "teams" }, COLUMNS).await
            }
            Verb::Show(One { team, remote }) => remote.show(&team.path(), ROWS).await,
            Verb::Create { team, description, remote } => {
                team.create(remote, description.as_deref()).await
            }
            Verb::Update { team, name, description, remote } => {
                let (name, description) = (name.clone(), description.clone());
                let given = [("name", name), ("description", description)];
                let body = fields(given.map(|(key, text)| (key, text.map(Value::from))));
                team.change(remote, (Method::PATCH, Some(some(body)?)), "changed").await
            }
            Verb::Delete { confirmation, one: One { team, remote } } => {
                confirmation.ask(&team.said())?;
                team.change(remote, (Method::DELETE, None), "deleted").await
            }
            Verb::Members(One { team, remote }) => {
                team.group().list(remote, members::OF_TEAM).await
            }
            Verb::Add { team, user, admin, remote } => team.group().put(remote, user, *admin).await,
            Verb::Remove { team, user, remote } => team.group().remove(remote, user).await,
            Verb::Access(One { team, remote }) => {
                remote.list(team.repositories(), grants::REPOSITORIES).await
            }
        }
    }
}

/// Where the teams of an organization are.
fn path(organization: &Name) -> String {
    format!("{}/teams", account::path(organization))
}

impl Team {
    fn path(&self) -> String {
        format!("{}/{}", path(&self.organization), self.team.part())
    }

    fn said(&self) -> String {
        format!("the team {} of {}", self.team, self.organization)
    }

    fn group(&self) -> Group {
        Group { path: self.path(), said: self.said(), head: "an administrator" }
    }

    fn repositories(&self) -> List {
        let (organization, team) = (self.organization.part(), self.team.part());
        let path = format!("/api/v0/accounts/{organization}/teams/{team}/repositoryAccess");
        List { path, query: vec![], field: "repositoryAccessList" }
    }

    async fn create(&self, remote: &RemoteFlags, description: Option<&str>) -> Result<(), Stop> {
        let body = fields([
            ("name", Some(self.team.text().into())),
            ("description", description.map(Value::from)),
        ]);
        let done = format!("{} was created", self.said());
        let (method, path) = (Method::POST, path(&self.organization));
        remote.change(Change { method, path, body: Some(body), done: &done }).await
    }

    async fn change(
        &self,
        remote: &RemoteFlags,
        (method, body): (Method, Option<Value>),
        how: &str,
    ) -> Result<(), Stop> {
        let done = format!("{} was {how}", self.said());
        remote.change(Change { method, path: self.path(), body, done: &done }).await
    }
}

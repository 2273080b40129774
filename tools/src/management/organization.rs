//! `holdfast org`: namespaces that several people share.

use clap::builder::FalseyValueParser;
use clap::{Args, Subcommand};
use serde_json::Value;

use super::account::{self, Kind};
use super::body::fields;
use super::confirmation::Confirmation;
use super::grants::{Ground, Level};
use super::members::{self, Group};
use super::name::Name;
use super::remote::RemoteFlags;
use super::robot::RobotArgs;
use super::size;
use super::table::{Column, text};
use crate::exit::Stop;

const COLUMNS: &[Column] = &[
    ("name", |it| text(&it["name"])),
    ("full name", |it| text(&it["fullName"])),
    ("members", |it| text(&it["membersCount"])),
    ("teams", |it| text(&it["teamsCount"])),
];

const ROWS: &[Column] = &[
    ("name", |it| text(&it["name"])),
    ("full name", |it| text(&it["fullName"])),
    ("id", |it| text(&it["id"])),
    ("members", |it| text(&it["membersCount"])),
    ("teams", |it| text(&it["teamsCount"])),
    ("quota", account::quota),
    ("used bytes", |it| text(&it["usedBytes"])),
];

/// `org list|show|create|update|delete`, its members and its grants.
#[derive(Args)]
pub struct OrganizationArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Lists organizations
    #[command(after_help = example!("holdfast org list"))]
    List(RemoteFlags),
    /// Shows one
    #[command(after_help = example!("holdfast org show acme"))]
    Show(One),
    /// Creates one
    #[command(after_help = example!("holdfast org create acme --full-name 'Acme Corporation'"))]
    Create(Described),
    /// Changes what is given of one
    #[command(after_help = example!(
        "holdfast org update acme --full-name 'Acme and Sons'",
        "holdfast org update acme --quota 500GiB"
    ))]
    Update(Described),
    /// Deletes one with its teams and repositories
    #[command(after_help = example!("holdfast org delete acme --yes"))]
    Delete {
        #[command(flatten)]
        confirmation: Confirmation,

        #[command(flatten)]
        one: One,
    },
    /// Lists its members
    #[command(after_help = example!("holdfast org members acme"))]
    Members(One),
    /// Puts a user in; without --owner, makes an owner one of the others
    #[command(after_help = example!(
        "holdfast org add acme ann --owner",
        "holdfast org add acme bob"
    ))]
    Add {
        #[command(flatten)]
        member: Member,

        /// As one of its owners, who may do everything in it
        #[arg(
            long,
            env = "HOLDFAST_OWNER",
            value_parser = FalseyValueParser::new(),
            help_heading = "Options"
        )]
        owner: bool,
    },
    /// Takes a user out of it and of all its teams
    #[command(after_help = example!("holdfast org remove acme bob"))]
    Remove(Member),
    /// Lists what teams were granted on all its repositories
    #[command(after_help = example!("holdfast org access acme"))]
    Access(One),
    /// Grants a team all its repositories, present and future
    #[command(after_help = example!("holdfast org grant acme builders read-write"))]
    Grant {
        /// The organization
        organization: Name,

        /// One of its teams
        team: Name,

        #[command(flatten)]
        level: Level,

        #[command(flatten)]
        remote: RemoteFlags,
    },
    /// Takes such a grant back; grants on single repositories stay
    #[command(after_help = example!("holdfast org revoke acme builders"))]
    Revoke {
        /// The organization
        organization: Name,

        /// One of its teams
        team: Name,

        #[command(flatten)]
        remote: RemoteFlags,
    },
    /// Robots: programs that sign in with access tokens
    Robot(RobotArgs),
}

#[derive(Args)]
struct One {
    /// The organization, by name or id
    organization: Name,

    #[command(flatten)]
    remote: RemoteFlags,
}

#[derive(Args)]
struct Described {
    /// The organization
    organization: Name,

    /// As people call it
    #[arg(long, value_name = "TEXT", env = "HOLDFAST_FULL_NAME")]
    full_name: Option<String>,

    /// What its repositories may hold, each blob counted once: bytes, 500MB, 10GiB, or none
    #[arg(long, value_name = "SIZE", value_parser = size::quota, env = "HOLDFAST_QUOTA")]
    quota: Option<u64>,

    #[command(flatten)]
    remote: RemoteFlags,
}

#[derive(Args)]
struct Member {
    /// The organization, by name or id
    organization: Name,

    /// The user, by name or id
    user: Name,

    #[command(flatten)]
    remote: RemoteFlags,
}

impl OrganizationArgs {
    /// Does what was asked for.
    pub async fn run(&self) -> Result<(), Stop> {
        match &self.verb {
            Verb::List(remote) => remote.list(account::list("orgs"), COLUMNS).await,
            Verb::Show(One { organization, remote }) => {
                account::show(remote, Kind::Organization, organization, ROWS).await
            }
            Verb::Create(described) => described.create().await,
            Verb::Update(Described { organization, full_name, quota, remote }) => {
                let body = fields([
                    ("fullName", full_name.clone().map(Value::from)),
                    ("quotaBytes", quota.map(Value::from)),
                ]);
                account::update(remote, Kind::Organization, organization, body).await
            }
            Verb::Delete { confirmation, one: One { organization, remote } } => {
                account::delete(remote, *confirmation, Kind::Organization, organization).await
            }
            Verb::Members(One { organization, remote }) => {
                group(organization).list(remote, members::OF_ORGANIZATION).await
            }
            Verb::Add { member: Member { organization, user, remote }, owner } => {
                group(organization).put(remote, user, *owner).await
            }
            Verb::Remove(Member { organization, user, remote }) => {
                group(organization).remove(remote, user).await
            }
            Verb::Access(One { organization, remote }) => ground(organization).list(remote).await,
            Verb::Grant { organization, team, level, remote } => {
                ground(organization).grant(remote, team, level).await
            }
            Verb::Revoke { organization, team, remote } => {
                ground(organization).revoke(remote, team).await
            }
            Verb::Robot(robot) => robot.run().await,
        }
    }
}

impl Described {
    async fn create(&self) -> Result<(), Stop> {
        let name = &self.organization;
        let body = fields([
            ("name", Some(name.text().into())),
            ("isOrg", Some(true.into())),
            ("fullName", self.full_name.clone().map(Value::from)),
            ("quotaBytes", self.quota.map(Value::from)),
        ]);
        account::create(&self.remote, body, &format!("the organization {name} was created")).await
    }
}

fn group(organization: &Name) -> Group {
    Group { path: account::path(organization), said: organization.to_string(), head: "an owner" }
}

fn ground(organization: &Name) -> Ground {
    Ground {
        path: format!("/api/v0/repositoryNamespaces/{}/teamAccess", organization.part()),
        said: format!("all repositories of {organization}"),
    }
}

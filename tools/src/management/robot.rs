//! `holdfast org robot`: programs of an organization, which sign in with access tokens.

use std::time::{Duration, SystemTime};

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use super::account;
use super::body::fields;
use super::confirmation::Confirmation;
use super::expiry;
use super::name::Name;
use super::pages::List;
use super::remote::{Change, RemoteFlags, say};
use super::table::{Column, text};
use crate::exit::Stop;

const COLUMNS: &[Column] =
    &[("name", |it| text(&it["name"])), ("description", |it| text(&it["fullName"]))];

/// `org robot create|list|delete`.
#[derive(Args)]
pub struct RobotArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Makes one and prints its access token, alone; it is shown this once
    #[command(after_help = example!(
        "holdfast org robot create acme ci --expires-in 90d > ci.token",
        "holdfast org robot create acme web --scope repository:acme/web:pull > web.token"
    ))]
    Create(Box<New>),
    /// Lists the robots of an organization
    #[command(after_help = example!("holdfast org robot list acme"))]
    List {
        /// The organization, by name or id
        organization: Name,

        #[command(flatten)]
        remote: RemoteFlags,
    },
    /// Takes one away with its tokens
    #[command(after_help = example!("holdfast org robot delete acme ci --yes"))]
    Delete {
        /// The organization, by name or id
        organization: Name,

        /// The robot's own name
        robot: Name,

        #[command(flatten)]
        confirmation: Confirmation,

        #[command(flatten)]
        remote: RemoteFlags,
    },
}

#[derive(Args)]
struct New {
    /// The organization, by name or id
    organization: Name,

    /// Its own name; it signs in as ORGANIZATION+ROBOT
    robot: Name,

    /// What it is for
    #[arg(long, value_name = "TEXT", env = "HOLDFAST_DESCRIPTION")]
    description: Option<String>,

    /// What its token is good for, such as repository:acme/web:pull; may be given again. Without
    /// one, for all that its teams may do
    #[arg(long, value_name = "SCOPE", env = "HOLDFAST_SCOPE")]
    scope: Vec<String>,

    /// How long its token is good: a number and s, m, h, d or w. Without it, until it is deleted
    #[arg(
        long,
        value_name = "TIME",
        env = "HOLDFAST_EXPIRES_IN",
        value_parser = expiry::duration
    )]
    expires_in: Option<Duration>,

    #[command(flatten)]
    remote: RemoteFlags,
}

impl RobotArgs {
    /// Does what was asked for.
    pub async fn run(&self) -> Result<(), Stop> {
        match &self.verb {
            Verb::Create(new) => new.create().await,
            Verb::List { organization, remote } => {
                let list = List { path: path(organization), query: Vec::new(), field: "robots" };
                remote.list(list, COLUMNS).await
            }
            Verb::Delete { organization, robot, confirmation, remote } => {
                confirmation.ask(&format!("the robot {robot} of {organization}"))?;
                let path = format!("{}/{}", path(organization), robot.part());
                let done = format!("the robot {robot} of {organization} was deleted");
                let method = Method::DELETE;
                remote.change(Change { method, path, body: None, done: &done }).await
            }
        }
    }
}

impl New {
    async fn create(&self) -> Result<(), Stop> {
        let ends = self.expires_in.and_then(|life| expiry::after(SystemTime::now(), life));
        let body = fields([
            ("name", Some(self.robot.text().into())),
            ("description", self.description.clone().map(Value::from)),
            ("scopes", (!self.scope.is_empty()).then(|| json!(self.scope))),
            ("expiresAt", ends.map(Value::from)),
        ]);
        let client = self.remote.client()?;
        let request = client.request(Method::POST, &path(&self.organization)).json(&body);
        let answer = client.json(request).await?;
        if self.remote.is_json() {
            return self.remote.print(&answer, &[]);
        }
        let (Some(token), Some(name)) = (answer["token"].as_str(), answer["name"].as_str()) else {
            return Err(Stop::failed("the cluster answered without a token"));
        };
        eprintln!("It signs in as {name} with this, which is not shown again:");
        say(token)
    }
}

fn path(organization: &Name) -> String {
    format!("{}/robots", account::path(organization))
}

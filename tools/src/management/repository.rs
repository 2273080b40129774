//! `holdfast repo`: repositories, and which teams may use them.

use clap::builder::FalseyValueParser;
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::Value;

use super::body::{fields, some};
use super::confirmation::Confirmation;
use super::grants::{Ground, Level, full_name};
use super::name::{Name, Repository};
use super::pages::List;
use super::remote::{Change, RemoteFlags};
use super::table::{Column, text};
use crate::exit::Stop;

const PATH: &str = "/api/v0/repositories";

const COLUMNS: &[Column] = &[
    ("repository", full_name),
    ("visibility", |it| text(&it["visibility"])),
    ("immutable tags", |it| text(&it["immutableTags"])),
    ("description", |it| text(&it["shortDescription"])),
];

const ROWS: &[Column] = &[
    ("repository", full_name),
    ("namespace of", |it| text(&it["namespaceType"])),
    ("id", |it| text(&it["id"])),
    ("visibility", |it| text(&it["visibility"])),
    ("immutable tags", |it| text(&it["immutableTags"])),
    ("tag limit", |it| limit(&it["tagLimit"])),
    ("pulls", |it| text(&it["pulls"])),
    ("pushes", |it| text(&it["pushes"])),
    ("description", |it| text(&it["shortDescription"])),
];

/// `repo list|show|create|update|delete`, and its grants.
#[derive(Args)]
pub struct RepositoryArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Lists the repositories that the account may see
    #[command(after_help = example!("holdfast repo list", "holdfast repo list acme"))]
    List {
        /// Only those of this user or organization
        namespace: Option<Name>,

        #[command(flatten)]
        remote: RemoteFlags,
    },
    /// Shows one
    #[command(after_help = example!("holdfast repo show acme/web"))]
    Show(One),
    /// Creates one, public where nothing is said
    #[command(after_help = example!("holdfast repo create acme/web --private --immutable-tags"))]
    Create(Described),
    /// Changes what is given of one
    #[command(after_help = example!(
        "holdfast repo update acme/web --public --immutable-tags=false",
        "holdfast repo update acme/nightly --tag-limit 30"
    ))]
    Update(Described),
    /// Deletes one with all its tags
    #[command(after_help = example!("holdfast repo delete acme/web --yes"))]
    Delete {
        #[command(flatten)]
        confirmation: Confirmation,

        #[command(flatten)]
        one: One,
    },
    /// Lists the teams that were granted it
    #[command(after_help = example!("holdfast repo access acme/web"))]
    Access(One),
    /// Grants it to a team of its organization, in place of what the team had on it
    #[command(after_help = example!("holdfast repo grant acme/web builders read-write"))]
    Grant {
        /// NAMESPACE/NAME
        repository: Repository,

        /// The team, by name or id
        team: Name,

        #[command(flatten)]
        level: Level,

        #[command(flatten)]
        remote: RemoteFlags,
    },
    /// Takes a grant back; one on all of the organization stays
    #[command(after_help = example!("holdfast repo revoke acme/web builders"))]
    Revoke {
        /// NAMESPACE/NAME
        repository: Repository,

        /// The team, by name or id
        team: Name,

        #[command(flatten)]
        remote: RemoteFlags,
    },
}

#[derive(Args)]
struct One {
    /// NAMESPACE/NAME
    repository: Repository,

    #[command(flatten)]
    remote: RemoteFlags,
}

#[derive(Args)]
struct Described {
    /// NAMESPACE/NAME
    repository: Repository,

    /// Only who was granted it may pull it
    #[arg(
        long,
        conflicts_with = "public",
        env = "HOLDFAST_PRIVATE",
        value_parser = FalseyValueParser::new()
    )]
    private: bool,

    /// Everybody may pull it, without signing in too
    #[arg(long, env = "HOLDFAST_PUBLIC", value_parser = FalseyValueParser::new())]
    public: bool,

    /// A tag that was pushed never moves to another image; `=false` lets tags move again
    #[arg(
        long,
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        env = "HOLDFAST_IMMUTABLE_TAGS"
    )]
    immutable_tags: Option<bool>,

    /// Keeps so many tags: each new one takes the place of the one first pushed; 0 keeps all
    #[arg(long, value_name = "NUMBER", env = "HOLDFAST_TAG_LIMIT")]
    tag_limit: Option<u64>,

    /// What is in it
    #[arg(long, value_name = "TEXT", env = "HOLDFAST_DESCRIPTION")]
    description: Option<String>,

    #[command(flatten)]
    remote: RemoteFlags,
}

impl RepositoryArgs {
    /// Does what was asked for.
    pub async fn run(&self) -> Result<(), Stop> {
        match &self.verb {
            Verb::List { namespace, remote } => {
                remote.list(list(namespace.as_ref()), COLUMNS).await
            }
            Verb::Show(One { repository, remote }) => remote.show(&path(repository), ROWS).await,
            Verb::Create(described) => described.create().await,
            Verb::Update(described) => described.update().await,
            Verb::Delete { confirmation, one: One { repository, remote } } => {
                confirmation.ask(&format!("the repository {repository} with all its tags"))?;
                let done = format!("the repository {repository} was deleted");
                let (method, path) = (Method::DELETE, path(repository));
                remote.change(Change { method, path, body: None, done: &done }).await
            }
            Verb::Access(One { repository, remote }) => ground(repository).list(remote).await,
            Verb::Grant { repository, team, level, remote } => {
                ground(repository).grant(remote, team, level).await
            }
            Verb::Revoke { repository, team, remote } => {
                ground(repository).revoke(remote, team).await
            }
        }
    }
}

impl Described {
    fn body(&self) -> Value {
        let visibility = match (self.private, self.public) {
            (true, _) => Some("private"),
            (false, true) => Some("public"),
            (false, false) => None,
        };
        fields([
            ("visibility", visibility.map(Value::from)),
            ("immutableTags", self.immutable_tags.map(Value::from)),
            ("tagLimit", self.tag_limit.map(Value::from)),
            ("shortDescription", self.description.clone().map(Value::from)),
        ])
    }

    async fn create(&self) -> Result<(), Stop> {
        let mut body = self.body();
        body["name"] = self.repository.name().into();
        let (method, path) = (Method::POST, format!("{PATH}/{}", self.repository.namespace()));
        let done = format!("the repository {} was created", self.repository);
        self.remote.change(Change { method, path, body: Some(body), done: &done }).await
    }

    async fn update(&self) -> Result<(), Stop> {
        let (method, path) = (Method::PATCH, path(&self.repository));
        let done = format!("the repository {} was changed", self.repository);
        let body = Some(some(self.body())?);
        self.remote.change(Change { method, path, body, done: &done }).await
    }
}

fn list(namespace: Option<&Name>) -> List {
    let path = match namespace {
        Some(namespace) => format!("{PATH}/{}", namespace.part()),
        None => PATH.to_owned(),
    };
    List { path, query: vec![], field: "repositories" }
}

/// A tag limit; 0 is none.
fn limit(value: &Value) -> String {
    if *value == 0 { "none".to_owned() } else { text(value) }
}

/// Names of repositories need no escaping.
fn path(repository: &Repository) -> String {
    format!("{PATH}/{repository}")
}

fn ground(repository: &Repository) -> Ground {
    Ground { path: format!("{}/teamAccess", path(repository)), said: repository.to_string() }
}

//! What teams may do with a repository, or with all of an organization: listed, granted, revoked.

use clap::Args;
use reqwest::Method;
use serde_json::{Value, json};

use super::name::Name;
use super::pages::List;
use super::remote::{Change, RemoteFlags};
use super::table::{Column, text};
use crate::exit::Stop;

/// How much a grant allows.
#[derive(Args)]
pub struct Level {
    /// read-only: pull; read-write: also push and delete; admin: also settings and grants
    #[arg(value_parser = ["read-only", "read-write", "admin"])]
    level: String,
}

/// What is granted.
pub struct Ground {
    /// Where its grants are.
    pub path: String,
    /// As it is called in a sentence.
    pub said: String,
}

impl Ground {
    /// Prints the teams that were granted it, and how much.
    pub async fn list(&self, remote: &RemoteFlags) -> Result<(), Stop> {
        let path = self.path.clone();
        remote.list(List { path, query: vec![], field: "teamAccessList" }, TEAMS).await
    }

    /// Grants it to a team, in place of what the team had on it.
    pub async fn grant(
        &self,
        remote: &RemoteFlags,
        team: &Name,
        Level { level }: &Level,
    ) -> Result<(), Stop> {
        let done = format!("the team {team} has {level} on {}", self.said);
        let body = Some(json!({"accessLevel": level}));
        let (method, path) = (Method::PUT, self.path_of(team));
        remote.change(Change { method, path, body, done: &done }).await
    }

    /// Takes back what a team was granted on it.
    pub async fn revoke(&self, remote: &RemoteFlags, team: &Name) -> Result<(), Stop> {
        let done = format!("the team {team} has no grant on {} any more", self.said);
        let (method, path) = (Method::DELETE, self.path_of(team));
        remote.change(Change { method, path, body: None, done: &done }).await
    }

    fn path_of(&self, team: &Name) -> String {
        format!("{}/{}", self.path, team.part())
    }
}

/// Teams with what they were granted.
const TEAMS: &[Column] =
    &[("team", |it| text(&it["team"]["name"])), ("level", |it| text(&it["accessLevel"]))];

/// Repositories with what a team was granted on them.
pub const REPOSITORIES: &[Column] =
    &[("repository", |it| full_name(&it["repository"])), ("level", |it| text(&it["accessLevel"]))];

/// `NAMESPACE/NAME` of a repository as the API shows one.
pub fn full_name(repository: &Value) -> String {
    format!("{}/{}", text(&repository["namespace"]), text(&repository["name"]))
}

//! `holdfast events`: what happened to repositories.

use std::time::Duration;

use clap::builder::{FalseyValueParser, PossibleValuesParser};
use clap::{Args, Subcommand};
use serde_json::Value;

use super::name::Repository;
use super::pages::{List, Pages};
use super::remote::{RemoteFlags, say};
use super::table::{Column, cell, text};
use super::when::When;
use crate::client::Client;
use crate::exit::Stop;

/// Between two looks for what is new.
const LOOK_EVERY: Duration = Duration::from_secs(2);

const TYPES: [&str; 7] = ["CREATE", "GET", "UPDATE", "DELETE", "SEND", "FAIL", "SCAN"];

const OBJECT_TYPES: [&str; 9] = [
    "REPOSITORY",
    "TAG",
    "BLOB",
    "MANIFEST",
    "WEBHOOK",
    "URI",
    "PROMOTION",
    "PUSH_MIRRORING",
    "POLL_MIRRORING",
];

const COLUMNS: &[Column] = &[
    ("id", |it| text(&it["id"])),
    ("time", |it| text(&it["publishedAt"])),
    ("event", |it| format!("{} {}", text(&it["type"]), text(&it["object"]["type"]))),
    ("repository", |it| text(&it["repository"])),
    ("object", object),
    ("by", |it| text(&it["actorType"])),
    ("actor", |it| text(&it["actor"])),
];

/// `events list`.
#[derive(Args)]
pub struct EventsArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Lists events, the newest first
    #[command(after_help = example!(
        "holdfast events list --since 1d --exclude-pulls",
        "holdfast events list --repository acme/web --type DELETE",
        "holdfast events list --follow"
    ))]
    List(Box<Wanted>),
}

#[derive(Args)]
struct Wanted {
    /// Only of this repository; all others are for system administrators
    #[arg(long, value_name = "REPOSITORY", env = "HOLDFAST_REPOSITORY")]
    repository: Option<Repository>,

    /// Only what was done so
    #[arg(
        long = "type",
        env = "HOLDFAST_TYPE",
        ignore_case = true,
        value_parser = PossibleValuesParser::new(TYPES)
    )]
    event_type: Option<String>,

    /// Only what was done to such a thing
    #[arg(
        long,
        env = "HOLDFAST_OBJECT_TYPE",
        ignore_case = true,
        value_parser = PossibleValuesParser::new(OBJECT_TYPES)
    )]
    object_type: Option<String>,

    /// Only what this account did, by name or id
    #[arg(long, value_name = "ACCOUNT", env = "HOLDFAST_ACTOR")]
    actor: Option<String>,

    /// Only after: a time, or how long ago, such as 12h or 7d
    #[arg(long, value_name = "TIME", env = "HOLDFAST_SINCE")]
    since: Option<When>,

    /// Only before
    #[arg(long, value_name = "TIME", env = "HOLDFAST_UNTIL", conflicts_with = "follow")]
    until: Option<When>,

    /// Leaves pulls out
    #[arg(long, env = "HOLDFAST_EXCLUDE_PULLS", value_parser = FalseyValueParser::new())]
    exclude_pulls: bool,

    /// Events, at most
    #[arg(long, value_name = "NUMBER", env = "HOLDFAST_LIMIT", default_value_t = 100)]
    limit: usize,

    /// Goes on with what happens, the newest last, until it is stopped
    #[arg(long, env = "HOLDFAST_FOLLOW", value_parser = FalseyValueParser::new())]
    follow: bool,

    #[command(flatten)]
    remote: RemoteFlags,
}

impl EventsArgs {
    /// Does what was asked for.
    pub async fn run(&self) -> Result<(), Stop> {
        let Verb::List(wanted) = &self.verb;
        if wanted.follow { wanted.follow().await } else { wanted.list().await }
    }
}

impl Wanted {
    async fn list(&self) -> Result<(), Stop> {
        self.remote.list_some(self.asked(), COLUMNS, self.limit).await
    }

    fn asked(&self) -> List {
        let path = match &self.repository {
            Some(repository) => format!("/api/v0/repositories/{repository}/events"),
            None => "/api/v0/events".to_owned(),
        };
        let given = [
            ("eventType", self.event_type.clone()),
            ("objectType", self.object_type.clone()),
            ("actorId", self.actor.clone()),
            ("publishedAfter", self.since.as_ref().map(|when| when.text().to_owned())),
            ("publishedBefore", self.until.as_ref().map(|when| when.text().to_owned())),
            ("excludePull", self.exclude_pulls.then(|| "true".to_owned())),
        ];
        let query = given.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        List { path, query, field: "events" }
    }

    async fn follow(&self) -> Result<(), Stop> {
        let client = self.remote.client()?;
        let mut seen = None;
        loop {
            let new = self.newer(&client, seen).await?;
            seen = new.first().and_then(number).or(seen);
            for event in new.iter().rev() {
                if self.remote.is_json() {
                    say(&event.to_string())?;
                } else {
                    let cells = COLUMNS.iter().map(|(_, value)| cell(&value(event)));
                    say(&cells.collect::<Vec<_>>().join("\t"))?;
                }
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// The events after `seen`, the newest first; `limit` of them at first.
    async fn newer(&self, client: &Client, seen: Option<u64>) -> Result<Vec<Value>, Stop> {
        let (mut pages, mut new) = (Pages::new(client, self.asked()), Vec::new());
        while let Some(page) = pages.next().await? {
            let whole = new.len() + page.len();
            new.extend(page.into_iter().take_while(|event| number(event) > seen));
            if new.len() < whole || seen.is_none() && new.len() >= self.limit {
                break;
            }
        }
        if seen.is_none() {
            new.truncate(self.limit);
        }
        Ok(new)
    }
}

fn number(event: &Value) -> Option<u64> {
    event["id"].as_str()?.parse().ok()
}

/// The tag with its digest, or the digest; nothing of a repository, which stands beside.
fn object(event: &Value) -> String {
    let object = &event["object"];
    match object["type"].as_str() {
        Some("REPOSITORY") => String::new(),
        Some("TAG") => text(&object["name"]),
        _ => text(&object["id"]),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_is_a_line() {
        let event = json!({
            "id": "7", "publishedAt": "2026-02-15T00:19:22Z", "type": "UPDATE",
            "object": {"id": "acme/web:v1", "type": "TAG", "name": "v1"},
            "repository": "acme/web", "actorType": "user", "actor": "a-b",
        });
        let cells: Vec<String> = COLUMNS.iter().map(|(_, value)| value(&event)).collect();
        let expected = ["7", "2026-02-15T00:19:22Z", "UPDATE TAG", "acme/web", "v1", "user", "a-b"];
        assert_eq!(cells, expected);
        assert_eq!(number(&event), Some(7));
    }
}

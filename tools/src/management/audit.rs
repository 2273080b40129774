//! `holdfast audit`: what was done to the cluster, and proof that nobody changed what is told.

use std::path::PathBuf;

use clap::builder::FalseyValueParser;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::pages::List;
use super::remote::{RemoteFlags, say};
use super::table::{Column, text};
use super::when::When;
use crate::exit::Stop;

pub mod chain;
pub mod export;
pub mod line;
pub mod verify;

const PATH: &str = "/api/v0/audit";

const COLUMNS: &[Column] = &[
    ("number", |it| text(&it["number"])),
    ("time", |it| text(&it["time"])),
    ("actor", |it| text(&it["actor"])),
    ("address", |it| text(&it["address"])),
    ("action", |it| text(&it["action"])),
    ("object", |it| text(&it["object"])),
    ("facts", |it| facts(&it["facts"])),
];

/// `audit list|export|verify`.
#[derive(Args)]
pub struct AuditArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Lists records, the newest first
    #[command(after_help = example!(
        "holdfast audit list --since 7d --action user.",
        "holdfast audit list --object acme/web --json"
    ))]
    List(Box<Wanted>),
    /// Writes all records with their hashes, a line of JSON each
    #[command(after_help = example!(
        "holdfast audit export --to audit.jsonl",
        "holdfast audit export --from 20001 > audit-2.jsonl"
    ))]
    Export {
        /// The file; it has its name only once it is whole. Without it, standard output
        #[arg(long, value_name = "FILE", env = "HOLDFAST_TO")]
        to: Option<PathBuf>,

        /// The number of the first record; without it, the oldest there is
        #[arg(long, value_name = "NUMBER", env = "HOLDFAST_FROM")]
        from: Option<u64>,

        #[command(flatten)]
        remote: RemoteFlags,
    },
    /// Checks an export: whether a record was changed, taken out or moved, and which is the first
    #[command(after_help = example!(
        "holdfast audit verify audit.jsonl",
        "holdfast audit verify audit.jsonl --live"
    ))]
    Verify {
        /// What `export` wrote
        file: PathBuf,

        /// Asks the cluster too, whether it has the same records still
        #[arg(long, env = "HOLDFAST_LIVE", value_parser = FalseyValueParser::new())]
        live: bool,

        #[command(flatten)]
        remote: RemoteFlags,
    },
}

#[derive(Args)]
struct Wanted {
    /// Only what this account did, by name or id
    #[arg(long, value_name = "ACCOUNT", env = "HOLDFAST_ACTOR")]
    actor: Option<String>,

    /// Only this action, such as user.create, or all of a noun: user.
    #[arg(long, value_name = "ACTION", env = "HOLDFAST_ACTION")]
    action: Option<String>,

    /// Only what was done to the thing of this name, such as acme/web
    #[arg(long, value_name = "NAME", env = "HOLDFAST_OBJECT")]
    object: Option<String>,

    /// Only from then on: a time, or how long ago, such as 12h or 7d
    #[arg(long, value_name = "TIME", env = "HOLDFAST_SINCE")]
    since: Option<When>,

    /// Only before
    #[arg(long, value_name = "TIME", env = "HOLDFAST_UNTIL")]
    until: Option<When>,

    /// Records, at most
    #[arg(long, value_name = "NUMBER", env = "HOLDFAST_LIMIT", default_value_t = 100)]
    limit: usize,

    #[command(flatten)]
    remote: RemoteFlags,
}

impl AuditArgs {
    /// Does what was asked for.
    pub async fn run(&self) -> Result<(), Stop> {
        match &self.verb {
            Verb::List(wanted) => wanted.list().await,
            Verb::Export { to, from, remote } => {
                export::run(&remote.client()?, to.as_deref(), *from).await
            }
            Verb::Verify { file, live, remote } => {
                let header = verify::offline(file)?;
                if *live {
                    verify::live(&remote.client()?, &header).await?;
                }
                let line::Header { first, last, head, .. } = &header;
                if remote.is_json() {
                    let told = json!({ "first": first, "last": last, "head": head, "live": live });
                    return remote.print(&told, &[]);
                }
                let there = if *live { ", and the cluster has the same" } else { "" };
                say(&format!("records {first} to {last} are as they were written{there}"))?;
                say(&format!("head {head}"))
            }
        }
    }
}

impl Wanted {
    async fn list(&self) -> Result<(), Stop> {
        let given = [
            ("actor", self.actor.clone()),
            ("action", self.action.clone()),
            ("object", self.object.clone()),
            ("since", self.since.as_ref().map(|when| when.text().to_owned())),
            ("until", self.until.as_ref().map(|when| when.text().to_owned())),
        ];
        let query = given.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        let list = List { path: PATH.to_owned(), query, field: "records" };
        self.remote.list_some(list, COLUMNS, self.limit).await
    }
}

/// Facts as `name=value`.
fn facts(facts: &Value) -> String {
    let facts = facts.as_array().into_iter().flatten();
    let facts = facts.map(|fact| format!("{}={}", text(&fact["name"]), text(&fact["value"])));
    facts.collect::<Vec<_>>().join(" ")
}

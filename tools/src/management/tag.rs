//! `holdfast tag`: tags of a repository, what happened to them, and bringing them back.

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::Value;

use super::confirmation::Confirmation;
use super::name::{Repository, Tag};
use super::pages::List;
use super::remote::{Change, RemoteFlags};
use super::table::{Column, text};
use crate::exit::Stop;

const COLUMNS: &[Column] = &[
    ("tag", |it| text(&it["name"])),
    ("digest", |it| text(&it["digest"])),
    ("pushed by", |it| text(&it["author"])),
    ("pushed at", |it| text(&it["updatedAt"])),
];

const DELETED: &[Column] = &[
    ("tag", |it| text(&it["name"])),
    ("digest", |it| text(&it["digest"])),
    ("pushed by", |it| text(&it["author"])),
    ("may come back until", |it| text(&it["undeleteUntil"])),
];

/// An image of an index is a row of its own.
const IMAGES: &[Column] = &[
    ("tag", |it| text(&it["name"])),
    ("os", |it| text(&it["manifest"]["os"])),
    ("architecture", |it| text(&it["manifest"]["architecture"])),
    ("bytes", |it| text(&it["manifest"]["size"])),
    ("digest", |it| text(&it["manifest"]["digest"])),
    ("pushed by", |it| text(&it["author"])),
    ("first pushed at", |it| text(&it["createdAt"])),
    ("pushed at", |it| text(&it["updatedAt"])),
];

const EVENTS: &[Column] = &[
    ("at", |it| text(&it["at"])),
    ("event", |it| text(&it["event"])),
    ("by", |it| text(&it["actor"])),
    ("digest", |it| text(&it["digest"])),
];

/// `tag list|show|delete|history|undelete`.
#[derive(Args)]
pub struct TagArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Lists the tags of a repository
    #[command(after_help = example!("holdfast tag list acme/web"))]
    List {
        /// NAMESPACE/NAME
        repository: Repository,

        /// Instead those that were deleted or evicted and that `tag undelete` brings back
        #[arg(long, env = "HOLDFAST_DELETED")]
        deleted: bool,

        #[command(flatten)]
        remote: RemoteFlags,
    },
    /// Shows a tag, once for each platform that it has an image for
    #[command(after_help = example!("holdfast tag show acme/web:v1"))]
    Show(One),
    /// Deletes a tag; its image stays, and for a while the tag may come back
    #[command(after_help = example!("holdfast tag delete acme/web:v1 --yes"))]
    Delete {
        #[command(flatten)]
        confirmation: Confirmation,

        #[command(flatten)]
        one: One,
    },
    /// Lists what happened to a tag, the newest first
    #[command(after_help = example!("holdfast tag history acme/web:v1"))]
    History(One),
    /// Brings a tag back that was deleted or evicted, with its image
    #[command(after_help = example!("holdfast tag undelete acme/web:v1"))]
    Undelete(One),
}

#[derive(Args)]
struct One {
    /// NAMESPACE/NAME:TAG
    #[arg(value_name = "TAG")]
    tag: Tag,

    #[command(flatten)]
    remote: RemoteFlags,
}

impl TagArgs {
    /// Does what was asked for.
    pub async fn run(&self) -> Result<(), Stop> {
        match &self.verb {
            Verb::List { repository, deleted, remote } => {
                let path = format!("/api/v0/repositories/{repository}/tags");
                let mut tags = whole(path, "");
                if *deleted {
                    tags.query.push(("deleted", "true".to_owned()));
                }
                remote.list(tags, if *deleted { DELETED } else { COLUMNS }).await
            }
            Verb::Show(One { tag, remote }) => remote.list(whole(path(tag), ""), IMAGES).await,
            Verb::Delete { confirmation, one: One { tag, remote } } => {
                confirmation.ask(&format!("the tag {tag}"))?;
                let done = format!("the tag {tag} was deleted");
                let (method, path) = (Method::DELETE, path(tag));
                remote.change(Change { method, path, body: None, done: &done }).await
            }
            Verb::History(One { tag, remote }) => {
                let path = format!("{}/history", path(tag));
                remote.list(whole(path, "events"), EVENTS).await
            }
            Verb::Undelete(One { tag, remote }) => {
                let done = format!("the tag {tag} is there again");
                let (method, path) = (Method::POST, format!("{}/undelete", path(tag)));
                let body: Option<Value> = None;
                remote.change(Change { method, path, body, done: &done }).await
            }
        }
    }
}

fn whole(path: String, field: &'static str) -> List {
    List { path, query: vec![], field }
}

/// Names of repositories and tags need no escaping.
fn path(tag: &Tag) -> String {
    format!("/api/v0/repositories/{}/tags/{}", tag.repository(), tag.name())
}

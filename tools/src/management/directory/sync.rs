//! `holdfast directory ldap sync` and `status`: begins a sync, waits for it and shows what it did.

use std::time::Duration;

use reqwest::Method;
use serde_json::Value;

use super::LDAP;
use crate::client::Client;
use crate::exit::Stop;
use crate::management::remote::{RemoteFlags, say};
use crate::management::table::{Column, text};

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(500);

const ROWS: &[Column] = &[
    ("state", |it| text(&it["state"])),
    ("replica", |it| text(&it["replicaID"])),
    ("begun", |it| text(&it["startedAt"])),
    ("ended", |it| text(&it["endedAt"])),
    ("error", |it| text(&it["report"]["error"])),
    ("people found", |it| text(&it["report"]["usersFound"])),
    ("users created", |it| text(&it["report"]["usersCreated"])),
    ("users changed", |it| text(&it["report"]["usersChanged"])),
    ("users made inactive", |it| text(&it["report"]["usersDeactivated"])),
    ("entries left out", |it| text(&it["report"]["usersSkipped"])),
    ("administrators added", |it| text(&it["report"]["administratorsAdded"])),
    ("administrators removed", |it| text(&it["report"]["administratorsRemoved"])),
    ("groups synced", |it| text(&it["report"]["groupsSynced"])),
    ("groups failed", |it| text(&it["report"]["groupsFailed"])),
];

/// Begins one, and waits for its end where that is wanted.
pub(super) async fn run(remote: &RemoteFlags, waits: bool) -> Result<(), Stop> {
    let (client, path) = (remote.client()?, path());
    let begun = client.json(client.request(Method::POST, &path)).await?;
    if !waits {
        return if remote.is_json() {
            remote.print(&begun, &[])
        } else {
            say("the sync has begun")
        };
    }
    let mut now = begun;
    while now["state"] == "running" {
        tokio::time::sleep(LOOK_EVERY).await;
        now = look(&client, &path).await?;
    }
    tell(remote, &now)?;
    if now["state"].as_str() == Some("done") {
        return Ok(());
    }
    let error = text(&now["report"]["error"]);
    Err(Stop::failed(format!("the sync failed: {error}")))
}

/// Shows the one that goes on, or the last.
pub(super) async fn show(remote: &RemoteFlags) -> Result<(), Stop> {
    let client = remote.client()?;
    tell(remote, &look(&client, &path()).await?)
}

fn path() -> String {
    format!("{LDAP}/sync")
}

async fn look(client: &Client, path: &str) -> Result<Value, Stop> {
    client.json(client.request(Method::GET, path)).await
}

fn tell(remote: &RemoteFlags, now: &Value) -> Result<(), Stop> {
    remote.print(now, ROWS)?;
    if remote.is_json() {
        return Ok(());
    }
    let entries = |field: &str| now["report"][field].as_array().cloned().unwrap_or_default();
    for skipped in entries("skipped") {
        say(&format!("left out: {}: {}", text(&skipped["name"]), text(&skipped["reason"])))?;
    }
    for group in entries("groups") {
        let name = match group["team"].as_str() {
            Some(team) => format!("{} {team}", text(&group["organization"])),
            None => format!("owners of {}", text(&group["organization"])),
        };
        let (added, removed) = (text(&group["added"]), text(&group["removed"]));
        match group["error"].as_str() {
            Some(error) => say(&format!("{name}: {error}"))?,
            None => say(&format!("{name}: {added} added, {removed} removed"))?,
        }
    }
    Ok(())
}

//! `holdfast remove`: members that leave the cluster, alive or dead.

use std::time::{Duration, Instant};

use clap::Args;
use clap::builder::FalseyValueParser;
use metadata::replica::ReplicaId;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::client::Client;
use crate::connection::ConnectionFlags;
use crate::exit::Stop;
use crate::status::{self, View};

/// What `--help` says.
pub const HELP: &str = "\
Removes replicas from the cluster for ever. Run it on any machine that reaches a replica which \
stays. One that answers is drained first: its content moves to the others, which takes as long as \
copying does; meanwhile everything goes on. A dead one leaves at once.

  holdfast remove --replica-ids 5eb9459a7832 --url https://node1 --username admin --password-file F
  holdfast remove --replica-ids 5eb9459a7832 --cancel --url …     it stays after all

Cut short, a draining goes on and can be run again. It is refused (exit status 3) where the others \
would be no majority, and where a dead replica is the last that holds blobs: bring it back, or \
give them up by --force. Its id is never used again; its machine joins anew under another one, \
and keeps its content with `holdfast join --rejoin`.";

/// Between two looks at how far a draining is.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// After so many looks without a majority of the others a draining is called off: pushes wait for
/// those that keep content, and one of them is away.
const ALONE_LOOKS_MAX: u32 = 8;
/// How often a draining that does not get on is told.
const TELL_EVERY: Duration = Duration::from_secs(30);

/// Flags of `remove`.
#[derive(Args, Clone)]
pub struct RemoveArgs {
    #[command(flatten)]
    connection: ConnectionFlags,

    /// Who leaves: ids as `holdfast status` shows them, with commas between
    #[arg(
        long,
        visible_alias = "replica-id",
        value_name = "IDS",
        value_delimiter = ',',
        env = "HOLDFAST_REPLICA_IDS"
    )]
    replica_ids: Vec<String>,

    /// A replica that must be there and healthy, and that stays
    #[arg(long, value_name = "ID", env = "HOLDFAST_EXISTING_REPLICA_ID")]
    existing_replica_id: Option<String>,

    /// Gives up blobs that only a dead replica holds, and passes over ids that do not exist
    #[arg(long, env = "HOLDFAST_FORCE", value_parser = FalseyValueParser::new())]
    force: bool,

    /// Has replicas stay whose draining has begun
    #[arg(
        long,
        env = "HOLDFAST_CANCEL",
        value_parser = FalseyValueParser::new(),
        conflicts_with = "force"
    )]
    cancel: bool,
}

/// Removes what was named, one after the other, the dead first.
pub async fn run(args: &RemoveArgs) -> Result<(), Stop> {
    let leaving = leaving(args)?;
    let client = args.connection.client()?;
    let view = status_of(&client).await?;
    check(&view, &leaving, args.existing_replica_id.as_deref())?;
    if args.cancel {
        for id in &leaving {
            drain(&client, id, false).await?;
            println!("replica {id} stays");
        }
        return Ok(());
    }
    let mut alive = Vec::new();
    for id in leaving {
        match standing(&client, &id).await? {
            None if args.force => eprintln!("there is no replica {id}: passed over"),
            None => {
                return Err(Stop::failed(format!(
                    "there is no replica {id}: `holdfast status` shows those there are"
                )));
            }
            Some(found) if found["isReachable"] == true => alive.push(id),
            Some(found) => {
                list_last(&found);
                removed(&client, &id, args.force).await?;
            }
        }
    }
    for id in alive {
        drained(&client, &id).await?;
        removed(&client, &id, args.force).await?;
    }
    Ok(())
}

/// The ids, in the form that ids have.
fn leaving(args: &RemoveArgs) -> Result<Vec<String>, Stop> {
    let variables = ["DTR_REMOVE_REPLICA_IDS", "DTR_REMOVE_REPLICA_ID"];
    let given = if args.replica_ids.is_empty() {
        let found = variables.iter().find_map(|name| std::env::var(name).ok());
        found.unwrap_or_default().split(',').map(str::to_owned).collect()
    } else {
        args.replica_ids.clone()
    };
    let mut ids = Vec::new();
    for id in given.iter().map(|id| id.trim()).filter(|id| !id.is_empty()) {
        ReplicaId::parse(id).map_err(|error| Stop::usage(format!("--replica-ids: {error}")))?;
        if !ids.iter().any(|known| known == id) {
            ids.push(id.to_owned());
        }
    }
    if ids.is_empty() {
        return Err(Stop::usage("--replica-ids is missing: name who is to leave"));
    }
    Ok(ids)
}

async fn status_of(client: &Client) -> Result<View, Stop> {
    View::of(&client.json(client.request(Method::GET, status::PATH)).await?)
}

fn check(view: &View, leaving: &[String], stays: Option<&str>) -> Result<(), Stop> {
    let Some(stays) = stays else { return Ok(()) };
    if leaving.iter().any(|id| id == stays) {
        return Err(Stop::usage(format!(
            "--existing-replica-id {stays} is among those that leave: name one that stays"
        )));
    }
    match view.replica(stays) {
        Some(found) if found.health == "OK" => Ok(()),
        Some(found) => Err(Stop::refused(format!("replica {stays} is not well: {}", found.health))),
        None => Err(Stop::usage(format!("--existing-replica-id: there is no replica {stays}"))),
    }
}

fn path(id: &str) -> String {
    format!("/api/v0/replicas/{id}")
}

/// How a member stands; `None` where there is none of that id.
async fn standing(client: &Client, id: &str) -> Result<Option<Value>, Stop> {
    let response = client.send(client.request(Method::GET, &path(id))).await?;
    if response.status() == StatusCode::NOT_FOUND {
        return Ok(None);
    }
    if !response.status().is_success() {
        return Err(client.refused(response).await);
    }
    let read = response.json().await;
    read.map(Some).map_err(|error| Stop::failed(format!("the answer does not read: {error}")))
}

async fn drain(client: &Client, id: &str, is_draining: bool) -> Result<Value, Stop> {
    let request = client.request(Method::PATCH, &path(id));
    client.json(request.json(&json!({ "isDraining": is_draining }))).await
}

/// Waits until the content of a member is with the others.
async fn drained(client: &Client, id: &str) -> Result<(), Stop> {
    let begun = drain(client, id, true).await?;
    let (held, mut left) = (count(&begun, "blobsHeld"), count(&begun, "blobsToCopy"));
    eprintln!("replica {id} is drained: of {held} blobs {left} have to be copied");
    let (mut told, mut alone) = (Instant::now(), 0);
    while left > 0 {
        tokio::time::sleep(LOOK_EVERY).await;
        let Some(found) = standing(client, id).await? else { return Ok(()) };
        if found["isReachable"] != true {
            return Err(Stop::failed(format!(
                "replica {id} does not answer any more: run this again to remove it as a dead one"
            )));
        }
        left = count(&found, "blobsToCopy");
        alone = if found["othersAnswer"] == false { alone + 1 } else { 0 };
        if alone >= ALONE_LOOKS_MAX {
            drain(client, id, false).await?;
            return Err(Stop::refused(format!(
                "without replica {id} the others are no majority any more: it stays, and what was \
                 copied stays copied. Bring back or remove those that are dead first"
            )));
        }
        if told.elapsed() >= TELL_EVERY && left > 0 {
            told = Instant::now();
            eprintln!("replica {id}: {left} blobs have yet to be copied");
        }
    }
    Ok(())
}

fn count(standing: &Value, key: &str) -> u64 {
    standing[key].as_u64().unwrap_or_default()
}

/// Names, on standard error, what only this member holds.
fn list_last(standing: &Value) {
    let last = count(standing, "lastCopies");
    if last == 0 {
        return;
    }
    eprintln!("only replica {} holds:", standing["replicaID"].as_str().unwrap_or_default());
    let named = standing["lastDigests"].as_array().into_iter().flatten();
    let mut shown = 0;
    for digest in named.filter_map(Value::as_str) {
        eprintln!("  {digest}");
        shown += 1;
    }
    if last > shown {
        eprintln!("  and {} more", last - shown);
    }
}

async fn removed(client: &Client, id: &str, force: bool) -> Result<(), Stop> {
    let asked = if force { format!("{}?force=true", path(id)) } else { path(id) };
    client.json(client.request(Method::DELETE, &asked)).await?;
    println!("replica {id} is removed");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;
    use crate::status::ReplicaView;

    fn args(ids: &[&str]) -> RemoveArgs {
        RemoveArgs {
            connection: ConnectionFlags::default(),
            replica_ids: ids.iter().map(|id| (*id).to_owned()).collect(),
            existing_replica_id: None,
            force: false,
            cancel: false,
        }
    }

    #[test]
    fn ids_are_taken_once_and_what_is_none_is_wrong_usage() {
        let (one, other) = ("0123456789ab", "ba9876543210");
        assert_eq!(leaving(&args(&[one, " ba9876543210", one])).unwrap(), [one, other]);
        for wrong in [&["0123"][..], &["0123456789AB"], &[]] {
            assert_eq!(leaving(&args(wrong)).unwrap_err().exit, Exit::Usage, "{wrong:?}");
        }
    }

    #[test]
    fn the_one_that_stays_is_there_healthy_and_not_among_those_that_leave() {
        let replica = |id: &str, health: &str| ReplicaView {
            id: id.to_owned(),
            health: health.to_owned(),
            ..ReplicaView::default()
        };
        let replicas = vec![replica("a", "OK"), replica("b", "Unable to reach replica: x")];
        let view = View { replicas, ..View::default() };
        let leaves = ["c".to_owned()];
        let exit = |stays| check(&view, &leaves, stays).err().map(|stop| stop.exit);
        assert_eq!(exit(None), None);
        assert_eq!(exit(Some("a")), None);
        assert_eq!(exit(Some("b")), Some(Exit::Refused));
        assert_eq!(exit(Some("c")), Some(Exit::Usage));
        assert_eq!(exit(Some("d")), Some(Exit::Usage));
    }
}

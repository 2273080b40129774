//! `holdfast status`: how the cluster is, as one replica sees it.

use std::time::Duration;

use clap::Args;
use clap::builder::FalseyValueParser;
use comfy_table::Table;
use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use reqwest::Method;
use serde_json::Value;

use crate::client::Client;
use crate::connection::ConnectionFlags;
use crate::exit::{Exit, Stop};
use crate::management::size::shown as size;

/// Where the answer is.
pub const PATH: &str = "/api/v0/meta/cluster_status";

/// Between two looks of `--watch`.
const WATCH_EVERY: Duration = Duration::from_secs(2);

/// Flags of `status`.
#[derive(Args, Clone)]
pub struct StatusArgs {
    #[command(flatten)]
    connection: ConnectionFlags,

    /// Prints the whole answer as JSON
    #[arg(long, env = "HOLDFAST_JSON", value_parser = FalseyValueParser::new())]
    json: bool,

    /// Asks again every two seconds, until Ctrl-C
    #[arg(long, env = "HOLDFAST_WATCH", value_parser = FalseyValueParser::new())]
    watch: bool,
}

/// Prints the status; the exit status says how the cluster is.
pub async fn run(args: &StatusArgs) -> Result<Exit, Stop> {
    let client = args.connection.client()?;
    loop {
        let exit = show(&client, args.json).await;
        if !args.watch {
            return exit;
        }
        if let Err(stop) = exit {
            println!("{stop}");
        }
        tokio::time::sleep(WATCH_EVERY).await;
    }
}

async fn show(client: &Client, json: bool) -> Result<Exit, Stop> {
    let answer = client.json(client.request(Method::GET, PATH)).await?;
    let view = View::of(&answer)?;
    if json {
        let text = serde_json::to_string_pretty(&answer).unwrap_or_default();
        println!("{text}");
    } else {
        println!("{}", view.table());
        println!("{}", view.summary());
    }
    Ok(view.exit())
}

/// What the table shows of a status answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// The leader's id, where one is known.
    pub leader: Option<String>,
    /// Ids of those who vote.
    pub voters: Vec<String>,
    /// How many may fail.
    pub failures_tolerated: u64,
    /// All members, by id.
    pub replicas: Vec<ReplicaView>,
    /// Bytes of all blobs, each counted once.
    pub kept_bytes: u64,
    /// Those of them that nothing needs: what collection may take once their grace time is over.
    pub unneeded_bytes: u64,
}

/// One member.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplicaView {
    /// Its id.
    pub id: String,
    /// `leader`, `follower`, `learner` or `candidate`.
    pub role: String,
    /// `OK`, or the reason why not.
    pub health: String,
    /// `HOST:PORT` for the other replicas.
    pub address: String,
    /// Log entries it has not applied yet.
    pub lag: u64,
    /// Free bytes on its disk.
    pub disk_free_bytes: u64,
    /// Its program's version.
    pub version: String,
}

impl View {
    /// Reads a status answer.
    pub fn of(answer: &Value) -> Result<Self, Stop> {
        let health = answer["replica_health"].as_object().ok_or_else(|| {
            Stop::failed("the answer is no cluster status: is this a Holdfast replica?")
        })?;
        let raft = &answer["raft"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let replicas = health.iter().map(|(id, health)| {
            let facts = &raft["replicas"][id.as_str()];
            ReplicaView {
                id: id.clone(),
                role: text(&facts["role"]),
                health: text(health),
                address: text(&facts["address"]),
                lag: facts["lag"].as_u64().unwrap_or_default(),
                disk_free_bytes: facts["disk_free_bytes"].as_u64().unwrap_or_default(),
                version: text(&facts["version"]),
            }
        });
        let voters = raft["voters"].as_array().into_iter().flatten().map(text).collect();
        Ok(Self {
            leader: raft["leader"].as_str().filter(|id| !id.is_empty()).map(str::to_owned),
            voters,
            failures_tolerated: raft["failures_tolerated"].as_u64().unwrap_or_default(),
            replicas: replicas.collect(),
            kept_bytes: raft["kept_bytes"].as_u64().unwrap_or_default(),
            unneeded_bytes: raft["unneeded_bytes"].as_u64().unwrap_or_default(),
        })
    }

    /// One member, where it is known.
    pub fn replica(&self, id: &str) -> Option<&ReplicaView> {
        self.replicas.iter().find(|replica| replica.id == id)
    }

    /// Whether a replica votes.
    pub fn is_voter(&self, id: &str) -> bool {
        self.voters.iter().any(|voter| voter == id)
    }

    /// 0 healthy, 1 degraded, 2 no quorum.
    pub fn exit(&self) -> Exit {
        let healthy = |id: &String| self.replica(id).is_some_and(|replica| replica.health == "OK");
        let voting = self.voters.iter().filter(|id| healthy(id)).count();
        if self.leader.is_none() || voting <= self.voters.len() / 2 {
            return Exit::Usage;
        }
        let all = self.replicas.iter().all(|replica| replica.health == "OK");
        if all { Exit::Done } else { Exit::Failed }
    }

    /// The members, one a row.
    pub fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_preset(UTF8_HORIZONTAL_ONLY);
        table.set_header(["replica", "role", "health", "address", "lag", "disk free", "version"]);
        for replica in &self.replicas {
            table.add_row([
                replica.id.clone(),
                replica.role.clone(),
                replica.health.clone(),
                replica.address.clone(),
                replica.lag.to_string(),
                format!("{} MiB", replica.disk_free_bytes >> 20),
                replica.version.clone(),
            ]);
        }
        table
    }

    fn summary(&self) -> String {
        let state = match self.exit() {
            Exit::Done => "healthy",
            Exit::Failed => "degraded",
            _ => "no quorum: writes and tag reads wait for a majority",
        };
        let voters = self.voters.len();
        let tolerated = self.failures_tolerated;
        let [kept, unneeded] = [self.kept_bytes, self.unneeded_bytes].map(size);
        format!(
            "{state}; {voters} voters, of which {tolerated} may fail; {kept} are kept, of which \
             nothing needs {unneeded} (holdfast gc status)"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn answer(leader: &Value, health: [&str; 3]) -> Value {
        json!({
            "replica_health": {"a": health[0], "b": health[1], "c": health[2]},
            "raft": {
                "leader": leader, "voters": ["a", "b", "c"], "failures_tolerated": 1,
                "replicas": {"a": {"role": "leader", "address": "h:1", "lag": 0, "version": "1"}},
            },
        })
    }

    #[test]
    fn the_exit_status_says_how_the_cluster_is() {
        let cases = [
            (json!("a"), ["OK", "OK", "OK"], Exit::Done),
            (json!("a"), ["OK", "OK", "Unable to reach replica: x"], Exit::Failed),
            (json!("a"), ["OK", "x", "x"], Exit::Usage),
            (json!(null), ["OK", "OK", "OK"], Exit::Usage),
            (json!(""), ["OK", "OK", "OK"], Exit::Usage),
        ];
        for (leader, health, exit) in cases {
            assert_eq!(
                View::of(&answer(&leader, health)).unwrap().exit(),
                exit,
                "{leader} {health:?}"
            );
        }
    }

    #[test]
    fn the_table_shows_every_member_and_its_reason() {
        let reason = "Unable to reach replica: no answer";
        let table =
            View::of(&answer(&json!("a"), ["OK", "OK", reason])).unwrap().table().to_string();
        for part in ["leader", "h:1", reason] {
            assert!(table.contains(part), "{table}");
        }
    }

    #[test]
    fn another_servers_answer_is_refused() {
        assert!(View::of(&json!({"hello": 1})).is_err());
    }
}

//! `holdfast job`: work that the cluster does by itself.

use std::time::Duration;

use clap::builder::FalseyValueParser;
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::Value;

use super::confirmation::Confirmation;
use super::job_flags::JobFlags;
use super::name::Name;
use super::remote::{Change, RemoteFlags, say};
use super::table::{Column, cell, text};
use crate::client::Client;
use crate::exit::Stop;

/// Between two looks for what is new.
const LOOK_EVERY: Duration = Duration::from_secs(1);

const PATH: &str = "/api/v0/jobs";

const COLUMNS: &[Column] = &[
    ("id", |it| text(&it["id"])),
    ("action", |it| text(&it["action"])),
    ("status", |it| text(&it["status"])),
    ("scheduled", |it| text(&it["scheduledAt"])),
    ("worker", |it| text(&it["workerID"])),
    ("message", |it| text(&it["message"])),
];

const ROWS: &[Column] = &[
    ("id", |it| text(&it["id"])),
    ("action", |it| text(&it["action"])),
    ("status", |it| text(&it["status"])),
    ("message", |it| text(&it["message"])),
    ("scheduled", |it| text(&it["scheduledAt"])),
    ("last updated", |it| text(&it["lastUpdated"])),
    ("worker", |it| text(&it["workerID"])),
    ("tries again", |it| text(&it["retryFromID"])),
    ("retries left", |it| text(&it["retriesLeft"])),
    ("parameters", |it| pairs(&it["parameters"])),
    ("capacity", |it| pairs(&it["capacityMap"])),
    ("deadline", |it| text(&it["deadline"])),
    ("stop timeout", |it| text(&it["stopTimeout"])),
];

/// `job list|show|logs|run|cancel|delete`.
#[derive(Args)]
pub struct JobArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Lists jobs, those scheduled last first
    #[command(after_help = example!(
        "holdfast job list --running",
        "holdfast job list --action ldap_sync --limit 5"
    ))]
    List(Wanted),
    /// Shows one
    #[command(after_help = example!(
        "holdfast job show 0f0f0f0f-0f0f-0f0f-0f0f-0f0f0f0f0f0f"
    ))]
    Show(One),
    /// Shows what one wrote down
    #[command(after_help = example!(
        "holdfast job logs 0f0f0f0f-0f0f-0f0f-0f0f-0f0f0f0f0f0f --follow"
    ))]
    Logs {
        #[command(flatten)]
        one: Job,

        /// Goes on until the job is over
        #[arg(long, env = "HOLDFAST_FOLLOW", value_parser = FalseyValueParser::new())]
        follow: bool,

        #[command(flatten)]
        remote: RemoteFlags,
    },
    /// Puts one into the queue
    #[command(after_help = example!(
        "holdfast job run onlinegc_events --wait",
        "holdfast job run sleep --parameter seconds=30 --deadline 1m"
    ))]
    Run(Box<Run>),
    /// Ends one that waits or runs
    #[command(after_help = example!(
        "holdfast job cancel 0f0f0f0f-0f0f-0f0f-0f0f-0f0f0f0f0f0f"
    ))]
    Cancel(One),
    /// Ends one and takes it away with its log
    #[command(after_help = example!(
        "holdfast job delete 0f0f0f0f-0f0f-0f0f-0f0f-0f0f0f0f0f0f --yes"
    ))]
    Delete {
        #[command(flatten)]
        confirmation: Confirmation,

        #[command(flatten)]
        one: One,
    },
}

#[derive(Args)]
struct Job {
    /// The job's id
    id: Name,
}

#[derive(Args)]
struct One {
    #[command(flatten)]
    job: Job,

    #[command(flatten)]
    remote: RemoteFlags,
}

#[derive(Args)]
struct Wanted {
    /// Only of this action
    #[arg(long, value_name = "ACTION", env = "HOLDFAST_ACTION")]
    action: Option<String>,

    /// Only what this replica has, or had last
    #[arg(long, value_name = "REPLICA", env = "HOLDFAST_WORKER")]
    worker: Option<String>,

    /// Only of this status: waiting, running, done, error, cancel, …
    #[arg(long, value_name = "STATUS", env = "HOLDFAST_STATUS")]
    status: Option<String>,

    /// Only what a replica works on
    #[arg(long, env = "HOLDFAST_RUNNING", value_parser = FalseyValueParser::new())]
    running: bool,

    /// So many at most
    #[arg(long, value_name = "NUMBER", default_value_t = 50, env = "HOLDFAST_LIMIT",
        value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,

    #[command(flatten)]
    remote: RemoteFlags,
}

#[derive(Args)]
struct Run {
    /// What is to be done, such as `onlinegc_joblogs`
    action: String,

    #[command(flatten)]
    flags: JobFlags,

    /// Not before then: 2030-01-31T12:00:00Z
    #[arg(long, value_name = "TIME", env = "HOLDFAST_AT")]
    at: Option<String>,

    /// Waits until it is over, and fails where it did
    #[arg(long, env = "HOLDFAST_WAIT", value_parser = FalseyValueParser::new())]
    wait: bool,

    #[command(flatten)]
    remote: RemoteFlags,
}

impl JobArgs {
    /// Does what was asked for.
    pub async fn run(&self) -> Result<(), Stop> {
        match &self.verb {
            Verb::List(wanted) => wanted.run().await,
            Verb::Show(One { job, remote }) => remote.show(&job.path(), ROWS).await,
            Verb::Logs { one, follow, remote } => logs(one, *follow, remote).await,
            Verb::Run(run) => run.run().await,
            Verb::Cancel(One { job, remote }) => {
                let (path, done) = (format!("{}/cancel", job.path()), job.said("cancelled"));
                let change = Change { method: Method::POST, path, body: None, done: &done };
                remote.change(change).await
            }
            Verb::Delete { confirmation, one: One { job, remote } } => {
                confirmation.ask(&format!("the job {}", job.id))?;
                let (path, done) = (job.path(), job.said("deleted"));
                let change = Change { method: Method::DELETE, path, body: None, done: &done };
                remote.change(change).await
            }
        }
    }
}

impl Job {
    fn path(&self) -> String {
        format!("{PATH}/{}", self.id.part())
    }

    fn said(&self, how: &str) -> String {
        format!("the job {} was {how}", self.id)
    }
}

impl Wanted {
    async fn run(&self) -> Result<(), Stop> {
        let running = self.running.then(|| "true".to_owned());
        let given = [
            ("action", self.action.clone()),
            ("worker", self.worker.clone()),
            ("status", self.status.clone()),
            ("running", running),
            ("limit", Some(self.limit.to_string())),
        ];
        let query: Vec<(&str, String)> =
            given.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        let client = self.remote.client()?;
        let request = client.request(Method::GET, PATH).query(&query);
        let answer = client.json(request).await?;
        self.remote.print_list(answer["jobs"].as_array().map_or(&[], Vec::as_slice), COLUMNS)
    }
}

impl Run {
    async fn run(&self) -> Result<(), Stop> {
        let body = self.flags.body([
            ("action", Some(self.action.clone().into())),
            ("scheduledAt", self.at.clone().map(Value::from)),
        ]);
        let client = self.remote.client()?;
        let made = client.json(client.request(Method::POST, PATH).json(&body)).await?;
        let id = text(&made["id"]);
        if !self.wait {
            return if self.remote.is_json() {
                self.remote.print(&made, ROWS)
            } else {
                say(&format!("the job {} waits for its turn", cell(&id)))
            };
        }
        let over = until_over(&client, &format!("{PATH}/{id}")).await?;
        self.remote.print(&over, ROWS)?;
        match over["status"].as_str() {
            Some("done") => Ok(()),
            _ => Err(Stop::failed(format!("the job {} is not done", cell(&id)))),
        }
    }
}

/// The job, once it is over.
pub(super) async fn until_over(client: &Client, path: &str) -> Result<Value, Stop> {
    loop {
        let job = client.json(client.request(Method::GET, path)).await?;
        if is_over(&job) {
            return Ok(job);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn is_over(job: &Value) -> bool {
    matches!(job["status"].as_str(), Some("done" | "error" | "cancel"))
}

/// Prints the lines of a job; with `follow` as they come.
async fn logs(job: &Job, follow: bool, remote: &RemoteFlags) -> Result<(), Stop> {
    print_lines(&remote.client()?, &job.path(), follow, remote).await
}

/// Prints the lines of the job at `path` as they come, until it is over.
pub(super) async fn follow(client: &Client, path: &str, remote: &RemoteFlags) -> Result<(), Stop> {
    print_lines(client, path, true, remote).await
}

async fn print_lines(
    client: &Client,
    path: &str,
    follow: bool,
    remote: &RemoteFlags,
) -> Result<(), Stop> {
    let mut offset = 0;
    loop {
        // Asked for before its lines: what it writes at its end is not missed.
        let now = client.json(client.request(Method::GET, path)).await?;
        let request = client.request(Method::GET, &format!("{path}/logs"));
        let answer = client.json(request.query(&[("offset", offset.to_string())])).await?;
        let lines = answer.as_array().map_or(&[] as &[Value], Vec::as_slice);
        for line in lines {
            if remote.is_json() {
                say(&line.to_string())?;
            } else {
                say(&cell(&text(&line["data"])))?;
            }
        }
        offset += lines.len();
        if !follow || is_over(&now) && lines.is_empty() {
            return Ok(());
        }
        if lines.is_empty() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

/// An object's fields in a line.
pub fn pairs(map: &Value) -> String {
    let shown = map.as_object().into_iter().flatten();
    let shown: Vec<String> = shown.map(|(name, value)| format!("{name}={}", text(value))).collect();
    shown.join(" ")
}

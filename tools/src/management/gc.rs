//! `holdfast gc`: taking back the space of what nothing needs.

use std::str::FromStr;

use clap::builder::FalseyValueParser;
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use super::confirmation::Confirmation;
use super::job::{follow, until_over};
use super::name::Name;
use super::pages::List;
use super::remote::{Change, RemoteFlags, say};
use super::size::shown;
use super::table::{Column, cell, text};
use crate::client::Client;
use crate::exit::Stop;

const PATH: &str = "/api/v0/gc";
const JOBS: &str = "/api/v0/jobs";
const CRONS: &str = "/api/v0/crons";
const ACTION: &str = "onlinegc";

const ROWS: &[Column] = &[
    ("could go now", |it| sum(&it["reclaimable"])),
    ("kept", |it| sum(&it["kept"])),
    ("… by manifests", |it| sum(&it["named"])),
    ("… by leases of pushes", |it| sum(&it["leased"])),
    ("… by nothing", |it| sum(&it["idle"])),
    ("… about to be deleted", |it| sum(&it["condemned"])),
    ("grace time", |it| seconds(&it["graceSeconds"])),
    ("undelete window", |it| seconds(&it["undeleteWindowSeconds"])),
    ("schedule", |it| scheduled(&it["schedule"])),
    ("next run", |it| text(&it["schedule"]["nextRun"])),
    ("runs now", |it| run(&it["running"])),
    ("last run", |it| run(&it["lastRun"])),
];

const PLANNED: &[Column] = &[
    ("state", |it| text(&it["state"])),
    ("size", |it| size(&it["size"])),
    ("digest", |it| text(&it["digest"])),
    ("until", |it| text(&it["until"])),
    ("idle since", |it| text(&it["idleSince"])),
    ("repository", |it| text(&it["repository"])),
];

const EXPLAINED: &[Column] = &[
    ("digest", |it| text(&it["digest"])),
    ("size", |it| size(&it["size"])),
    ("goes with the next run", |it| text(&it["goesWithTheNextRun"])),
    ("named by", |it| format!("{} manifests", text(&it["references"]))),
    ("grace time until", |it| text(&it["graceUntil"])),
    ("repositories", |it| places(&it["repositories"])),
    ("on replicas", |it| text(&it["holders"])),
];

/// `gc status|plan|why|run|cancel|schedule`.
#[derive(Args)]
pub struct GcArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Shows how much could go, how it is set, and what runs
    #[command(after_help = example!("holdfast gc status"))]
    Status {
        #[command(flatten)]
        remote: RemoteFlags,
    },
    /// Lists what would go and why, and what not and why not; changes nothing
    #[command(after_help = example!(
        "holdfast gc plan",
        "holdfast gc plan --state ready --limit 1000",
        "holdfast gc plan --state leased --json"
    ))]
    Plan(Plan),
    /// Says why a blob stays, or that it goes
    #[command(after_help = example!(
        "holdfast gc why \
         sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    ))]
    Why {
        /// The blob's digest
        digest: Name,

        #[command(flatten)]
        remote: RemoteFlags,
    },
    /// Collects now, and shows how far it is
    #[command(after_help = example!(
        "holdfast gc run",
        "holdfast gc run --for 30m",
        "holdfast gc run --detach"
    ))]
    Run(Run),
    /// Ends the run under way; the next one goes on where it was
    #[command(after_help = example!("holdfast gc cancel"))]
    Cancel {
        #[command(flatten)]
        remote: RemoteFlags,
    },
    /// Has it done again and again, or never
    #[command(after_help = example!(
        "holdfast gc schedule daily",
        "holdfast gc schedule saturday --for 2h",
        "holdfast gc schedule '0 30 3 * * *'",
        "holdfast gc schedule never --yes"
    ))]
    Schedule(Schedule),
}

#[derive(Args)]
struct Plan {
    /// Only of this state: condemned, ready, grace, undelete, leased
    #[arg(long, value_name = "STATE", env = "HOLDFAST_STATE",
        value_parser = ["condemned", "ready", "grace", "undelete", "leased"])]
    state: Option<String>,

    /// So many at most
    #[arg(long, value_name = "NUMBER", default_value_t = 100, env = "HOLDFAST_LIMIT",
        value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,

    #[command(flatten)]
    remote: RemoteFlags,
}

#[derive(Args)]
struct Run {
    /// Ends after that time, done or not: 30m, 2h; without it when all is done
    #[arg(long = "for", value_name = "TIME", env = "HOLDFAST_FOR")]
    time: Option<String>,

    /// Does not wait until it is over
    #[arg(long, env = "HOLDFAST_DETACH", value_parser = FalseyValueParser::new())]
    detach: bool,

    #[command(flatten)]
    remote: RemoteFlags,
}

#[derive(Args)]
struct Schedule {
    /// daily, saturday, sunday, never, or six fields in UTC: second, minute, hour, day, month,
    /// weekday
    when: When,

    /// Ends each run after that time, done or not: 30m, 2h
    #[arg(long = "for", value_name = "TIME", env = "HOLDFAST_FOR")]
    time: Option<String>,

    #[command(flatten)]
    confirmation: Confirmation,

    #[command(flatten)]
    remote: RemoteFlags,
}

/// When it is done.
#[derive(Clone, Debug, PartialEq, Eq)]
enum When {
    Never,
    By(String),
}

impl FromStr for When {
    type Err = String;

    /// The hours are those that the old product offered.
    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text {
            "never" => Self::Never,
            "daily" => Self::By("0 0 0 * * *".to_owned()),
            "saturday" => Self::By("0 0 1 * * 6".to_owned()),
            "sunday" => Self::By("0 0 1 * * 0".to_owned()),
            other if other.starts_with('@') || other.split_whitespace().count() == 6 => {
                Self::By(other.to_owned())
            }
            _ => {
                return Err("write daily, saturday, sunday, never, @weekly and the like, or six \
                            fields such as '0 30 3 * * *'"
                    .to_owned());
            }
        })
    }
}

impl GcArgs {
    /// Does what was asked for.
    pub async fn run(&self) -> Result<(), Stop> {
        match &self.verb {
            Verb::Status { remote } => remote.show(PATH, ROWS).await,
            Verb::Plan(plan) => plan.run().await,
            Verb::Why { digest, remote } => {
                remote.show(&format!("{PATH}/blobs/{}", digest.part()), EXPLAINED).await
            }
            Verb::Run(run) => run.run().await,
            Verb::Cancel { remote } => cancel(remote).await,
            Verb::Schedule(schedule) => schedule.run().await,
        }
    }
}

impl Plan {
    async fn run(&self) -> Result<(), Stop> {
        let query = self.state.iter().map(|state| ("state", state.clone())).collect();
        let list = List { path: format!("{PATH}/plan"), query, field: "blobs" };
        self.remote.list_some(list, PLANNED, self.limit as usize).await
    }
}

impl Run {
    async fn run(&self) -> Result<(), Stop> {
        let mut body = json!({ "action": ACTION });
        if let Some(time) = &self.time {
            body["deadline"] = json!(time);
        }
        let client = self.remote.client()?;
        let made = client.json(client.request(Method::POST, JOBS).json(&body)).await?;
        let id = text(&made["id"]);
        if self.detach {
            return if self.remote.is_json() {
                self.remote.print(&made, &[])
            } else {
                say(&format!("collection runs as the job {}", cell(&id)))
            };
        }
        let path = format!("{JOBS}/{id}");
        if !self.remote.is_json() {
            follow(&client, &path, &self.remote).await?;
        }
        let over = until_over(&client, &path).await?;
        let message = cell(&text(&over["message"]));
        match over["status"].as_str() {
            Some("done") if self.remote.is_json() => self.remote.print(&over, &[]),
            Some("done") => say(&message),
            _ => Err(Stop::failed(format!("the job {} is not done: {message}", cell(&id)))),
        }
    }
}

async fn cancel(remote: &RemoteFlags) -> Result<(), Stop> {
    let client = remote.client()?;
    let id = running(&client).await?;
    let Some(id) = id else { return say("no collection runs") };
    let (path, done) = (format!("{JOBS}/{id}/cancel"), "collection was cancelled");
    let change = Change { method: Method::POST, path, body: None, done };
    remote.change_through(&client, change).await
}

/// The run under way.
async fn running(client: &Client) -> Result<Option<String>, Stop> {
    let now = client.json(client.request(Method::GET, PATH)).await?;
    Ok(now["running"]["id"].as_str().map(str::to_owned))
}

impl Schedule {
    async fn run(&self) -> Result<(), Stop> {
        let When::By(schedule) = &self.when else { return self.end().await };
        let mut body = json!({ "action": ACTION, "schedule": schedule });
        if let Some(time) = &self.time {
            body["deadline"] = json!(time);
        }
        let done = format!("collection is run by the schedule {schedule}, in UTC");
        let (method, path) = (Method::POST, CRONS.to_owned());
        self.remote.change(Change { method, path, body: Some(body), done: &done }).await
    }

    async fn end(&self) -> Result<(), Stop> {
        self.confirmation.ask("the schedule of collection")?;
        let (path, done) = (format!("{CRONS}/{ACTION}"), "collection is run by hand only");
        let change = Change { method: Method::DELETE, path, body: None, done };
        self.remote.change(change).await
    }
}

/// How many, and how large together.
fn sum(sum: &Value) -> String {
    let least = if sum["isAtLeast"] == true { "at least " } else { "" };
    format!("{least}{} in {} blobs", size(&sum["bytes"]), text(&sum["blobs"]))
}

fn size(bytes: &Value) -> String {
    shown(bytes.as_u64().unwrap_or_default())
}

fn seconds(seconds: &Value) -> String {
    let seconds = seconds.as_u64().unwrap_or_default();
    match (seconds / 3_600, seconds % 3_600) {
        (0, 0) => "none".to_owned(),
        (hours @ 1.., 0) => format!("{hours} h"),
        _ => format!("{seconds} s"),
    }
}

fn scheduled(cron: &Value) -> String {
    match (cron["schedule"].as_str(), cron["deadline"].as_str()) {
        (None, _) => "never".to_owned(),
        (Some(schedule), None | Some("")) => format!("{schedule}, until done"),
        (Some(schedule), Some(deadline)) => format!("{schedule}, for {deadline}"),
    }
}

/// A job in a line.
fn run(job: &Value) -> String {
    if job.is_null() {
        return "none".to_owned();
    }
    let shown = ["status", "lastUpdated", "message", "id"].map(|field| text(&job[field]));
    shown.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
}

fn places(places: &Value) -> String {
    let shown = places.as_array().into_iter().flatten().map(|place| {
        let repository = place["repository"].as_str().unwrap_or("(deleted)");
        let held = if place["isHeldForUndelete"] == true { " for deleted tags" } else { "" };
        match place["leaseUntil"].as_str() {
            Some(until) if place["references"] == 0 => format!("{repository} by lease to {until}"),
            _ => format!("{repository} by {} manifests{held}", text(&place["references"])),
        }
    });
    shown.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{When, places, scheduled, seconds, sum};

    #[test]
    fn schedules_have_names_and_others_are_taken_as_they_are() {
        let cases = [
            ("daily", Some("0 0 0 * * *")),
            ("saturday", Some("0 0 1 * * 6")),
            ("sunday", Some("0 0 1 * * 0")),
            ("@weekly", Some("@weekly")),
            ("0 30 3 * * *", Some("0 30 3 * * *")),
            ("0 30 3 * *", None),
            ("soon", None),
        ];
        for (text, schedule) in cases {
            let expected = schedule.map(|schedule| When::By(schedule.to_owned()));
            assert_eq!(text.parse().ok(), expected, "{text}");
        }
        assert_eq!("never".parse(), Ok(When::Never));
    }

    #[test]
    fn sums_and_times_read_well() {
        let some = json!({"blobs": 3, "bytes": 2_048, "isAtLeast": true});
        assert_eq!(sum(&some), "at least 2.0 KiB in 3 blobs");
        assert_eq!(
            [0, 3_600, 86_400, 90].map(|it| seconds(&json!(it))),
            ["none", "1 h", "24 h", "90 s"]
        );
        assert_eq!(scheduled(&json!(null)), "never");
        let cron = json!({"schedule": "0 0 0 * * *", "deadline": "2h"});
        assert_eq!(scheduled(&cron), "0 0 0 * * *, for 2h");
    }

    #[test]
    fn it_is_said_who_keeps_a_blob_and_how() {
        let kept = json!([
            {"repository": "a/b", "references": 2, "leaseUntil": null, "isHeldForUndelete": false},
            {"repository": "a/c", "references": 1, "leaseUntil": null, "isHeldForUndelete": true},
            {"repository": "a/d", "references": 0, "leaseUntil": "t", "isHeldForUndelete": false},
            {"repository": null, "references": 1, "leaseUntil": "t", "isHeldForUndelete": false},
        ]);
        let said = "a/b by 2 manifests; a/c by 1 manifests for deleted tags; a/d by lease to t; \
                    (deleted) by 1 manifests";
        assert_eq!(places(&kept), said);
    }
}

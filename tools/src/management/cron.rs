//! `holdfast cron`: jobs that come again and again.

use clap::{Args, Subcommand};
use reqwest::Method;

use super::confirmation::Confirmation;
use super::job::pairs;
use super::job_flags::JobFlags;
use super::name::Name;
use super::remote::{Change, RemoteFlags};
use super::table::{Column, text};
use crate::exit::Stop;

const PATH: &str = "/api/v0/crons";

const COLUMNS: &[Column] = &[
    ("action", |it| text(&it["action"])),
    ("schedule", |it| text(&it["schedule"])),
    ("next run", |it| text(&it["nextRun"])),
    ("parameters", |it| pairs(&it["parameters"])),
    ("retries", |it| text(&it["retries"])),
    ("deadline", |it| text(&it["deadline"])),
];

/// `cron list|set|delete`.
#[derive(Args)]
pub struct CronArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Lists them
    #[command(after_help = example!("holdfast cron list"))]
    List {
        #[command(flatten)]
        remote: RemoteFlags,
    },
    /// Has an action done again and again; in place of its former schedule
    #[command(after_help = example!(
        "holdfast cron set onlinegc_joblogs '0 30 3 * * *'",
        "holdfast cron set rotate_token_key @monthly --retries 3"
    ))]
    Set {
        /// What is to be done, such as `onlinegc_joblogs`
        action: Name,

        /// When, in UTC: second, minute, hour, day, month, weekday; or @daily and the like
        schedule: String,

        #[command(flatten)]
        flags: JobFlags,

        #[command(flatten)]
        remote: RemoteFlags,
    },
    /// Ends one; jobs that it made stay
    #[command(after_help = example!("holdfast cron delete onlinegc_joblogs --yes"))]
    Delete {
        /// Its action
        action: Name,

        #[command(flatten)]
        confirmation: Confirmation,

        #[command(flatten)]
        remote: RemoteFlags,
    },
}

impl CronArgs {
    /// Does what was asked for.
    pub async fn run(&self) -> Result<(), Stop> {
        match &self.verb {
            Verb::List { remote } => {
                let client = remote.client()?;
                let answer = client.json(client.request(Method::GET, PATH)).await?;
                remote.print_list(answer["crons"].as_array().map_or(&[], Vec::as_slice), COLUMNS)
            }
            Verb::Set { action, schedule, flags, remote } => {
                let body = flags.body([
                    ("action", Some(action.text().into())),
                    ("schedule", Some(schedule.clone().into())),
                ]);
                let done = format!("{action} is done by the schedule {schedule}, in UTC");
                let (method, path) = (Method::POST, PATH.to_owned());
                remote.change(Change { method, path, body: Some(body), done: &done }).await
            }
            Verb::Delete { action, confirmation, remote } => {
                confirmation.ask(&format!("the cron of {action}"))?;
                let done = format!("{action} is no longer done by itself");
                let path = format!("{PATH}/{}", action.part());
                let change = Change { method: Method::DELETE, path, body: None, done: &done };
                remote.change(change).await
            }
        }
    }
}

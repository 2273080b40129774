//! `holdfast content`: what of the content is there after a restore.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use clap::builder::FalseyValueParser;
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::Value;

use crate::client::Client;
use crate::connection::ConnectionFlags;
use crate::exit::Stop;

const PATH: &str = "/api/v0/meta/adoption";
const POLL: Duration = Duration::from_secs(1);

/// What `--help` says.
pub const HELP: &str = "\
After a restore no replica is known to hold anything. Each looks through its content folder, \
hashes what the state names, and has itself listed; files may be copied there while it runs. \
Until you end this, nothing is collected.

  holdfast content adopt --url https://node1 --username admin --password-file F --ca ca.pem
  holdfast content adopt --wait 600 --url …    waits until nothing is missing
  holdfast content adopt --finish --url …      ends it; collection begins again

What is missing is listed by repository. A push of the same image brings it back.";

/// Flags of `content`.
#[derive(Args)]
pub struct ContentArgs {
    #[command(subcommand)]
    verb: ContentVerb,
}

#[derive(Subcommand)]
enum ContentVerb {
    /// Says what content is missing after a restore, and ends the adoption of what was found
    Adopt {
        #[command(flatten)]
        connection: ConnectionFlags,

        /// Waits for so many seconds, at most, until nothing is missing
        #[arg(long, value_name = "SECONDS", default_value_t = 0, env = "HOLDFAST_WAIT")]
        wait: u64,

        /// Ends adoption: what no row names is collected from then on
        #[arg(long, env = "HOLDFAST_FINISH", value_parser = FalseyValueParser::new())]
        finish: bool,

        /// Ends it although something is missing
        #[arg(long, short = 'y', env = "HOLDFAST_YES", value_parser = FalseyValueParser::new())]
        yes: bool,
    },
}

impl ContentArgs {
    /// Tells what is missing.
    pub async fn run(self) -> Result<(), Stop> {
        let ContentVerb::Adopt { connection, wait, finish, yes } = self.verb;
        let client = connection.client()?;
        let state = client.json(client.request(Method::GET, PATH)).await?;
        if state["isOpen"] != true {
            println!("adoption is over, or this cluster was never restored");
            return Ok(());
        }
        let missing = settled(&client, Duration::from_secs(wait)).await?;
        for (repository, (blobs, bytes)) in &missing {
            println!("{repository}: {blobs} blobs missing, {bytes} bytes");
        }
        if missing.is_empty() {
            println!("nothing is missing");
        }
        if !finish {
            return Ok(());
        }
        if !missing.is_empty() && !yes {
            return Err(Stop::refused(format!(
                "content of {} repositories is missing: copy it to a replica's content folder or \
                 push it again; or end adoption all the same with --yes",
                missing.len()
            )));
        }
        let request = client.request(Method::POST, &format!("{PATH}/finish"));
        client.json(request).await?;
        println!("adoption is over; collection goes on");
        Ok(())
    }
}

/// How many blobs, and bytes, are missing by repository.
type Missing = BTreeMap<String, (u64, u64)>;

/// What is missing, once nothing is or the time is over.
async fn settled(client: &Client, wait: Duration) -> Result<Missing, Stop> {
    let began = Instant::now();
    loop {
        let missing = missing(client).await?;
        if missing.is_empty() || began.elapsed() >= wait {
            return Ok(missing);
        }
        tokio::time::sleep(POLL).await;
    }
}

async fn missing(client: &Client) -> Result<Missing, Stop> {
    let (mut found, mut start) = (Missing::new(), String::new());
    loop {
        let query = [("pageStart", start.as_str()), ("pageSize", "1000")];
        let request = client.request(Method::GET, &format!("{PATH}/missing")).query(&query);
        let (page, next) = client.page(request).await?;
        for blob in page["missing"].as_array().into_iter().flatten() {
            let repository = blob["repository"].as_str().unwrap_or_default().to_owned();
            let (blobs, bytes) = found.entry(repository).or_default();
            *blobs += 1;
            *bytes += blob["size"].as_u64().unwrap_or(0);
        }
        match next {
            Some(next) if page != Value::Null => start = next,
            _ => return Ok(found),
        }
    }
}

//! `holdfast bench`: how fast a registry is, by workloads that have names.
//!
//! It speaks the registry protocol only, so that any registry can be measured, and beside each
//! other. Client and server often share a machine: the client hashes nothing unless it is asked to,
//! and neither makes nor collects bytes while the clock runs.

use clap::Args;
use clap::builder::FalseyValueParser;

use crate::connection::AccountFlags;
use crate::exit::{Exit, Stop};

pub mod address;
pub mod answer;
pub mod drive;
pub mod failure;
pub mod fill;
pub mod image;
pub mod latency;
pub mod login;
pub mod mode;
pub mod planner;
pub mod progress;
pub mod reach;
pub mod report;
pub mod sample;
pub mod sink;
pub mod steps;
pub mod wire_http;
pub mod worker;
pub mod workload;

use planner::{Planner, bytes_max};
use progress::Progress;
use reach::{Wanted, reach};
use report::{Header, Line};
use workload::{Asked, Kind};

/// A workload sends at most a TiB.
const BYTES_MAX: u64 = 1 << 40;

/// Flags of `bench`.
#[derive(Args, Clone)]
pub struct BenchArgs {
    /// The registry, or several replicas of one: `http://HOST:PORT` or `https://HOST`
    #[arg(
        long,
        value_name = "URL",
        env = "HOLDFAST_URL",
        value_delimiter = ',',
        required = true,
        num_args = 1..=64
    )]
    url: Vec<String>,

    /// What to run, in this order; without it the names are listed
    #[arg(long, value_name = "NAME", env = "HOLDFAST_WORKLOAD", value_delimiter = ',')]
    workload: Vec<String>,

    /// Clients at once [default: the workload's own]
    #[arg(
        long,
        value_name = "C",
        env = "HOLDFAST_CONCURRENCY",
        value_parser = clap::value_parser!(u16).range(1..=4_096)
    )]
    concurrency: Option<u16>,

    /// Samples of each workload [default: the workload's own]
    #[arg(
        long,
        value_name = "N",
        env = "HOLDFAST_SAMPLES",
        value_parser = clap::value_parser!(u32).range(1..=1_000_000)
    )]
    samples: Option<u32>,

    /// What the pull workloads pull, in place of an image that they push first
    #[arg(long, value_name = "NAME:TAG", env = "HOLDFAST_IMAGE")]
    image: Option<String>,

    #[command(flatten)]
    account: AccountFlags,

    /// Hashes what is pulled and compares the digest; costs the client a core per 1.5 GB/s or so
    #[arg(long, env = "HOLDFAST_VERIFY", value_parser = FalseyValueParser::new())]
    verify: bool,

    /// Threads of the client
    #[arg(
        long,
        value_name = "N",
        env = "HOLDFAST_THREADS",
        default_value = "1",
        value_parser = clap::value_parser!(u16).range(1..=64)
    )]
    threads: u16,

    /// Prints the figures as JSON
    #[arg(long, env = "HOLDFAST_JSON", value_parser = FalseyValueParser::new())]
    json: bool,
}

/// Runs the workloads; 1 where samples failed.
pub fn run(args: &BenchArgs) -> Result<Exit, Stop> {
    let asked = asked(args)?;
    let mut builder = if args.threads == 1 {
        tokio::runtime::Builder::new_current_thread()
    } else {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(args.threads.into());
        builder
    };
    let runtime = builder.enable_all().build();
    runtime
        .map_err(|error| Stop::failed(format!("the runtime cannot be started: {error}")))?
        .block_on(run_all(args, &asked))
}

/// What is to be run, once it is known that it can be.
fn asked(args: &BenchArgs) -> Result<Vec<Asked>, Stop> {
    if args.workload.is_empty() {
        return Err(Stop::usage(format!(
            "--workload is missing; there are:\n{}",
            workload::list()
        )));
    }
    let all = args.workload.iter().map(|name| Asked::parse(name));
    let all = all.collect::<Result<Vec<_>, _>>()?;
    for asked in &all {
        let pulls = matches!(asked.workload.kind, Kind::PullImage { .. });
        if args.image.is_some() && !pulls {
            return Err(Stop::usage(format!("--image does not go with {}", asked.name)));
        }
        if bytes_max(asked.workload.kind, samples(args, asked)) > BYTES_MAX {
            return Err(Stop::usage(format!(
                "{} of {} would move more than a TiB: ask for fewer --samples",
                samples(args, asked),
                asked.name
            )));
        }
    }
    Ok(all)
}

fn samples(args: &BenchArgs, asked: &Asked) -> usize {
    args.samples.map_or(asked.workload.samples, |samples| samples as usize)
}

async fn run_all(args: &BenchArgs, all: &[Asked]) -> Result<Exit, Stop> {
    let image = args
        .image
        .as_deref()
        .map(|image| image.rsplit_once(':').ok_or_else(|| Stop::usage("--image must be NAME:TAG")));
    let image = image.transpose()?;
    let wanted = Wanted {
        urls: args.url.clone(),
        credentials: args.account.credentials()?,
        trust: args.account.trust()?,
        verify: args.verify,
    };
    let shared = reach(&wanted).await?;
    let header = Header {
        urls: shared.addresses.iter().map(address::Address::url).collect(),
        authentication: shared.login.name(),
        verify: args.verify,
        load_before: report::load(),
    };
    let progress = Progress::new();
    let planner = Planner::new(&shared, &progress, image);
    let mut lines = Vec::new();
    for asked in all {
        let concurrency = args.concurrency.map_or(asked.workload.concurrency, usize::from);
        let outcome = async {
            progress.step(&format!("preparing {}", asked.name));
            let plan = planner.plan(asked, samples(args, asked), concurrency).await?;
            progress.step(&asked.name);
            progress.drive(&shared, &plan).await
        };
        match outcome.await {
            Ok(outcome) => lines.push(Line::new(&asked.name, concurrency, outcome)),
            Err(failure) => {
                progress.finish();
                // What was measured before is not lost.
                if !lines.is_empty() {
                    tell(args.json, &header, &lines);
                }
                let stop = failure.into_stop();
                return Err(Stop::new(stop.exit, format!("{}: {}", asked.name, stop.text)));
            }
        }
    }
    progress.finish();
    tell(args.json, &header, &lines);
    Ok(if lines.iter().all(|line| line.outcome.errors == 0) { Exit::Done } else { Exit::Failed })
}

fn tell(json: bool, header: &Header, lines: &[Line]) {
    if json {
        let workloads: Vec<_> = lines.iter().map(Line::json).collect();
        let all = serde_json::json!({"run": header.json(), "workloads": workloads});
        println!("{}", serde_json::to_string_pretty(&all).unwrap_or_default());
        return;
    }
    println!("{}", header.text());
    println!("{}", report::table(lines));
    for line in lines {
        if let Some(failure) = &line.outcome.first_error {
            println!("{}: {} failed, the first with: {failure}", line.name, line.outcome.errors);
        }
    }
}

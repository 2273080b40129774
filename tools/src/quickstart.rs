//! `holdfast quickstart`: a real cluster on one machine, in one command.
//!
//! It starts its own executable: `install`, `serve`, `join-token create` and `join`, exactly as an
//! operator would on several machines. Then it proves by an image that what is pushed through one
//! replica is served by another, and watches until Ctrl-C.

use std::path::PathBuf;

use clap::Args;
use clap::builder::FalseyValueParser;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit::Stop;

pub mod cluster;
pub mod folder;
pub mod forming;
pub mod image;
pub mod process;
pub mod proof;
pub mod record;
pub mod report;
pub mod watch;

use cluster::Cluster;
use folder::{Asked, Folder};

/// Flags of `quickstart`.
#[derive(Args, Clone, Debug)]
pub struct QuickstartArgs {
    /// Where the replicas keep their data
    #[arg(long, value_name = "DIR", default_value = "./holdfast-quickstart", env = "HOLDFAST_DIR")]
    dir: PathBuf,

    /// How many replicas: 3 survive the loss of one, 5 of two [default: 3]
    #[arg(
        long,
        value_name = "N",
        env = "HOLDFAST_REPLICAS",
        value_parser = clap::value_parser!(u16).range(1..=7)
    )]
    replicas: Option<u16>,

    /// Replica i serves HTTPS at this port plus i, and its peers at plus 100 plus i [default: 7000]
    #[arg(
        long,
        value_name = "PORT",
        env = "HOLDFAST_BASE_PORT",
        value_parser = clap::value_parser!(u16).range(1..=65_300)
    )]
    base_port: Option<u16>,

    /// Serves plain HTTP too, at the base port plus 200 plus i
    #[arg(long, env = "HOLDFAST_PLAIN_HTTP", value_parser = FalseyValueParser::new())]
    plain_http: bool,

    /// Deletes what an earlier quick start left in the folder
    #[arg(long, env = "HOLDFAST_FRESH", value_parser = FalseyValueParser::new())]
    fresh: bool,

    /// Ends after the check, with 0 where it went well
    #[arg(long, env = "HOLDFAST_ONCE", value_parser = FalseyValueParser::new())]
    once: bool,
}

/// Runs a quick start until Ctrl-C, or with `--once` until the check is done.
pub async fn run(args: &QuickstartArgs) -> Result<(), Stop> {
    let asked = Asked {
        replicas: args.replicas,
        base_port: args.base_port,
        plain_http: args.plain_http,
        fresh: args.fresh,
    };
    let mut stop = StopSignals::new()?;
    let (folder, record) = Folder::open(&args.dir, &asked)?;
    let mut cluster = Cluster::new(folder, record);

    let outcome = tokio::select! {
        outcome = bring_up(&mut cluster) => outcome,
        () = stop.came() => Err(Stop::failed("stopped before the cluster was up")),
    };
    let outcome = match outcome {
        Ok(()) if !args.once => {
            tokio::select! {
                watched = watch::watch(&mut cluster) => watched,
                () = stop.came() => Ok(()),
            }
        }
        outcome => outcome,
    };
    cluster.stop_all().await;
    outcome
}

async fn bring_up(cluster: &mut Cluster) -> Result<(), Stop> {
    let progress = report::Progress::new();
    let outcome = forming::bring_up(cluster, &progress).await;
    progress.finish();
    outcome?;
    let (view, gone) = cluster.look().await;
    println!("{}", report::table(&cluster.record, view.as_ref(), &gone));
    println!("{}", report::what_next(&cluster.record));
    Ok(())
}

/// Ctrl-C, a polite kill, or the terminal's end.
struct StopSignals {
    signals: [Signal; 3],
}

impl StopSignals {
    fn new() -> Result<Self, Stop> {
        let listen = |kind| {
            signal(kind)
                .map_err(|error| Stop::failed(format!("signals cannot be received: {error}")))
        };
        let signals = [
            listen(SignalKind::interrupt())?,
            listen(SignalKind::terminate())?,
            listen(SignalKind::hangup())?,
        ];
        Ok(Self { signals })
    }

    async fn came(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.signals;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

//! `holdfast join`: one more replica for a running cluster.

use std::sync::Arc;

use clap::Args;
use clap::builder::FalseyValueParser;
use consensus::join::{self, JoinOptions};
use consensus::join_token::JoinToken;
use wire::clock::SystemClock;
use wire::dial::TcpDial;

use crate::connection::ConnectionFlags;
use crate::exit::Stop;
use crate::flags::ConfigFlags;
use crate::install::{replica_id, stop_for};
use crate::{join_token, machine, preflight};

/// Flags of `join`.
#[derive(Args, Clone)]
pub struct JoinArgs {
    #[command(flatten)]
    config: ConfigFlags,

    /// The peer port of any replica of the cluster
    #[arg(long, value_name = "HOST:PORT", env = "HOLDFAST_PEER")]
    peer: String,

    /// What `holdfast join-token create` printed; with --url and credentials one is made
    #[arg(long, value_name = "TOKEN", env = "HOLDFAST_JOIN_TOKEN", hide_env_values = true)]
    join_token: Option<String>,

    #[command(flatten)]
    connection: ConnectionFlags,

    /// The id of this replica, 12 lower-case hexadecimal digits; random without it
    #[arg(long, value_name = "ID", env = "HOLDFAST_REPLICA_ID")]
    replica_id: Option<String>,

    /// Takes the data folder of a replica that was removed, or whose cluster is no more: it gets a
    /// new id, its log is set aside, its content is kept and offered to the cluster
    #[arg(long, env = "HOLDFAST_REJOIN", value_parser = FalseyValueParser::new())]
    rejoin: bool,

    /// Does not check that the other replicas can reach this one
    #[arg(
        long,
        env = "HOLDFAST_SKIP_NETWORK_TEST",
        value_parser = FalseyValueParser::new(),
        hide_short_help = true
    )]
    skip_network_test: bool,

    /// Always refused: a join is safe or it is not done
    #[arg(long, env = "HOLDFAST_UNSAFE_JOIN", value_parser = FalseyValueParser::new(), hide = true)]
    unsafe_join: bool,
}

/// Makes this machine a member; `serve` does the rest.
pub async fn run(args: &JoinArgs) -> Result<(), Stop> {
    let set = |name: &str| std::env::var(name).is_ok_and(|value| matches!(&*value, "1" | "true"));
    if args.unsafe_join || set("DTR_UNSAFE_JOIN") {
        return Err(Stop::refused(
            "--unsafe-join is refused: remove the replica that is dead first, then join",
        ));
    }
    let config = args.config.load()?;
    let host_name = machine::host_name();
    let replica_id = replica_id(args.replica_id.as_deref())?;
    let token = token(args).await?;
    if !(args.skip_network_test || set("DTR_SKIP_NETWORK_TEST")) {
        preflight::check(&config, preflight::Before::Forming, &host_name)?;
    }
    let joined = join::join(JoinOptions {
        folder: config.data.clone(),
        allow_volatile: config.storage.allow_volatile,
        peer: args.peer.clone(),
        token,
        replica_id,
        advertise: config.peer.advertised(&host_name),
        host_name,
        machine_id: machine::machine_id(),
        allow_same_machine: config.allow_same_machine,
        rejoin: args.rejoin,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        clock: Arc::new(SystemClock::new()),
        dial: Arc::new(TcpDial::default()),
    })
    .await
    .map_err(|error| stop_for(error.kind(), &error))?;
    println!("replica {} of cluster {}", joined.replica_id, joined.cluster_id);
    let config = args.config.config.as_deref().unwrap_or(std::path::Path::new("FILE"));
    eprintln!("Next: holdfast serve --config {}", config.display());
    Ok(())
}

async fn token(args: &JoinArgs) -> Result<JoinToken, Stop> {
    let text = match &args.join_token {
        Some(text) => text.clone(),
        None if args.connection.url.is_some() => {
            join_token::create(&args.connection.client()?, 1, join_token::LIFE_DEFAULT_S).await?
        }
        None => {
            return Err(Stop::usage(
                "--join-token is missing: `holdfast join-token create` makes one, or give --url \
                 and the administrator's credentials",
            ));
        }
    };
    text.parse().map_err(|error| Stop::usage(format!("--join-token: {error}")))
}

//! `holdfast join-token`: what lets a new replica into the cluster.

use clap::{Args, Subcommand};
use comfy_table::Table;
use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use reqwest::Method;
use serde_json::json;

use crate::client::Client;
use crate::connection::ConnectionFlags;
use crate::exit::Stop;

/// How long a token is good unless said otherwise, in seconds.
pub const LIFE_DEFAULT_S: u64 = 3_600;

const PATH: &str = "/api/v0/join_tokens";

/// `join-token create|list|revoke`.
#[derive(Args, Clone)]
pub struct JoinTokenArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand, Clone)]
enum Verb {
    /// Makes a token and prints it; it is shown this once
    Create {
        #[command(flatten)]
        connection: ConnectionFlags,

        /// How many replicas may join with it
        #[arg(long, value_name = "N", default_value_t = 1, env = "HOLDFAST_USES")]
        uses: u32,

        /// How many seconds it is good
        #[arg(
            long,
            value_name = "SECONDS",
            default_value_t = LIFE_DEFAULT_S,
            env = "HOLDFAST_EXPIRES_IN"
        )]
        expires_in: u64,
    },
    /// Lists the tokens, without their secrets
    List {
        #[command(flatten)]
        connection: ConnectionFlags,
    },
    /// Ends a token
    Revoke {
        #[command(flatten)]
        connection: ConnectionFlags,

        /// Its id, the part between the second and the third dot
        id: String,
    },
}

/// Runs a verb of `join-token`.
pub async fn run(args: &JoinTokenArgs) -> Result<(), Stop> {
    match &args.verb {
        Verb::Create { connection, uses, expires_in } => {
            println!("{}", create(&connection.client()?, *uses, *expires_in).await?);
            Ok(())
        }
        Verb::List { connection } => list(&connection.client()?).await,
        Verb::Revoke { connection, id } => revoke(&connection.client()?, id).await,
    }
}

/// Makes a token that lets `uses` replicas in within `expires_in_s` seconds.
pub async fn create(client: &Client, uses: u32, expires_in_s: u64) -> Result<String, Stop> {
    let body = json!({"uses": uses, "expiresIn": expires_in_s});
    let answer = client.json(client.request(Method::POST, PATH).json(&body)).await?;
    answer["token"]
        .as_str()
        .map(str::to_owned)
        .ok_or_else(|| Stop::failed("the cluster answered without a token"))
}

async fn list(client: &Client) -> Result<(), Stop> {
    let answer = client.json(client.request(Method::GET, PATH)).await?;
    let mut table = Table::new();
    table.load_preset(UTF8_HORIZONTAL_ONLY).set_header(["id", "uses left", "expires"]);
    for token in answer["joinTokens"].as_array().into_iter().flatten() {
        let text = |key: &str| match &token[key] {
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        table.add_row([text("id"), text("usesLeft"), text("expiresAt")]);
    }
    println!("{table}");
    Ok(())
}

async fn revoke(client: &Client, id: &str) -> Result<(), Stop> {
    if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(Stop::usage(format!("{id:?} is no token's id")));
    }
    client.json(client.request(Method::DELETE, &format!("{PATH}/{id}"))).await.map(drop)
}

//! `holdfast user key`: public keys, which tie signatures to users.

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::json;

use super::account;
use super::confirmation::Confirmation;
use super::name::Name;
use super::pages::List;
use super::remote::{Change, RemoteFlags, say};
use super::table::{Column, text};
use crate::exit::Stop;
use crate::pem::Pem;

const COLUMNS: &[Column] = &[("id", |it| text(&it["id"])), ("label", |it| text(&it["label"]))];

/// `user key add|list|remove`.
#[derive(Args)]
pub struct KeyArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Gives a user a public key, or calls one they have otherwise; prints its id
    #[command(after_help = example!(
        "holdfast user key add ann --public-key cert.pem --label 'laptop'"
    ))]
    Add {
        /// The user, by name or id
        user: Name,

        /// A public key or a certificate in PEM: the text, or its file
        #[arg(long, value_name = "PEM", env = "HOLDFAST_PUBLIC_KEY")]
        public_key: String,

        /// What it is called
        #[arg(long, value_name = "TEXT", default_value = "", env = "HOLDFAST_LABEL")]
        label: String,

        #[command(flatten)]
        remote: RemoteFlags,
    },
    /// Lists the public keys of a user
    #[command(after_help = example!("holdfast user key list ann"))]
    List {
        /// The user, by name or id
        user: Name,

        #[command(flatten)]
        remote: RemoteFlags,
    },
    /// Takes a public key away: signatures made with it are nobody's from then on
    #[command(after_help = example!("holdfast user key remove ann 3fd2… --yes"))]
    Remove {
        /// The user, by name or id
        user: Name,

        /// The key's id, as `list` shows it
        key: Name,

        #[command(flatten)]
        confirmation: Confirmation,

        #[command(flatten)]
        remote: RemoteFlags,
    },
}

impl KeyArgs {
    /// Does what was asked for.
    pub async fn run(&self) -> Result<(), Stop> {
        match &self.verb {
            Verb::Add { user, public_key, label, remote } => {
                add(remote, user, &Pem::new(public_key), label).await
            }
            Verb::List { user, remote } => {
                let list = List { path: path(user), query: Vec::new(), field: "accountPublicKeys" };
                remote.list(list, COLUMNS).await
            }
            Verb::Remove { user, key, confirmation, remote } => {
                confirmation.ask(&format!("the public key {key} of {user}"))?;
                let (method, path) = (Method::DELETE, format!("{}/{}", path(user), key.part()));
                let done = format!("{user} has the key {key} no more");
                remote.change(Change { method, path, body: None, done: &done }).await
            }
        }
    }
}

async fn add(remote: &RemoteFlags, user: &Name, key: &Pem, label: &str) -> Result<(), Stop> {
    let pem = key.read().map_err(|error| Stop::failed(error.to_string()))?;
    let client = remote.client()?;
    let body = json!({"publicKey": pem, "label": label});
    let answer = client.json(client.request(Method::POST, &path(user)).json(&body)).await?;
    if remote.is_json() {
        return remote.print(&answer, &[]);
    }
    let id = answer["id"].as_str();
    say(id.ok_or_else(|| Stop::failed("the cluster answered without the key's id"))?)
}

fn path(user: &Name) -> String {
    format!("{}/publicKeys", account::path(user))
}

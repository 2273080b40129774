//! `holdfast openid`: people who sign in by an OpenID provider.

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use super::name::Name;
use super::remote::{Change, RemoteFlags};
use super::table::{Column, text};
use crate::client::Client;
use crate::exit::Stop;

mod flags;

use flags::SettingsFlags;

const SETTINGS: &str = "/enzi/v0/config/openid";

const ROWS: &[Column] = &[
    ("enabled", |it| text(&it["enabled"])),
    ("issuer", |it| text(&it["issuerIdentifier"])),
    ("client", |it| text(&it["clientID"])),
    ("register there", |it| text(&it["callbackURL"])),
    ("scopes", |it| words(&it["scopes"])),
    ("sign in as", |it| text(&it["usernameClaim"])),
    ("are called", |it| text(&it["fullNameClaim"])),
    ("groups in", |it| text(&it["groupsClaim"])),
    ("administrators", |it| text(&it["adminGroup"])),
    ("makes accounts", |it| text(&it["createAccounts"])),
    ("teams", |it| teams(&it["groupTeams"])),
];

const SUBJECT: &[Column] =
    &[("issuer", |it| text(&it["issuerIdentifier"])), ("subject", |it| text(&it["subject"]))];

const SET_HELP: &str = "\
Says how the provider is reached; what is not given stays. The provider is asked first whether it \
is there and calls itself as the issuer is given. Register what `show` names as \"register there\" \
with the provider as the address that it may send browsers back to.";

const TIE_HELP: &str = "\
Ties a user who is here already to somebody of the provider, so that they keep what is theirs: \
somebody who had a password, or came from the directory. SUBJECT is what names them at the \
provider for ever, the claim sub. Their password opens nothing from then on.";

/// `openid show|set|map|unmap|subject|tie|untie`.
#[derive(Args)]
pub struct OpenIdArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Shows how the provider is reached, without the client's secret
    #[command(after_help = example!("holdfast openid show"))]
    Show {
        #[command(flatten)]
        remote: RemoteFlags,
    },
    /// Says how the provider is reached; what is not given stays
    #[command(long_about = SET_HELP, after_help = example!(
        "holdfast openid set --issuer https://id.example.com/realms/work --client-id registry \
         --client-secret-file client.secret",
        "holdfast openid set --admin-group registry-admins",
        "holdfast openid set --enabled false --no-verify"
    ))]
    Set(Box<SettingsFlags>),
    /// Lets a team follow one of the provider's groups
    #[command(after_help = example!("holdfast openid map makers acme builders"))]
    Map {
        #[command(flatten)]
        pair: Pair,

        #[command(flatten)]
        remote: RemoteFlags,
    },
    /// Lets a team follow a group no more; who is in it stays
    #[command(after_help = example!("holdfast openid unmap makers acme builders"))]
    Unmap {
        #[command(flatten)]
        pair: Pair,

        #[command(flatten)]
        remote: RemoteFlags,
    },
    /// Shows who a user is for the provider
    #[command(after_help = example!("holdfast openid subject ann"))]
    Subject {
        /// The user
        user: Name,

        #[command(flatten)]
        remote: RemoteFlags,
    },
    /// Ties a user who is here to somebody of the provider
    #[command(long_about = TIE_HELP, after_help = example!(
        "holdfast openid tie ann 6b1d6f0e-2a7c-4f0e-9d4c-0b6b7f1f3a55"
    ))]
    Tie {
        /// The user
        user: Name,

        /// What names them at the provider
        subject: String,

        #[command(flatten)]
        remote: RemoteFlags,
    },
    /// Unties a user, who can be given a password then
    #[command(after_help = example!("holdfast openid untie ann"))]
    Untie {
        /// The user
        user: Name,

        #[command(flatten)]
        remote: RemoteFlags,
    },
}

/// A group and the team that follows it.
#[derive(Args)]
struct Pair {
    /// What the provider calls the group
    group: String,

    /// The organization
    organization: String,

    /// The team
    team: String,
}

impl Pair {
    fn as_json(&self) -> Value {
        json!({ "group": self.group, "organization": self.organization, "team": self.team })
    }
}

impl OpenIdArgs {
    /// Does what was asked for.
    pub async fn run(&self) -> Result<(), Stop> {
        match &self.verb {
            Verb::Show { remote } => remote.show(SETTINGS, ROWS).await,
            Verb::Set(flags) => flags.run().await,
            Verb::Map { pair, remote } => follow(remote, pair, true).await,
            Verb::Unmap { pair, remote } => follow(remote, pair, false).await,
            Verb::Subject { user, remote } => remote.show(&of_user(user), SUBJECT).await,
            Verb::Tie { user, subject, remote } => {
                let (method, body) = (Method::PUT, Some(json!({ "subject": subject })));
                let done = "they sign in by the provider from now on";
                remote.change(Change { method, path: of_user(user), body, done }).await
            }
            Verb::Untie { user, remote } => {
                let done = "they sign in by access tokens only; `holdfast user set-password` gives \
                            them a password";
                let (method, path) = (Method::DELETE, of_user(user));
                remote.change(Change { method, path, body: None, done }).await
            }
        }
    }
}

fn of_user(user: &Name) -> String {
    format!("/enzi/v0/accounts/{}/openid", user.part())
}

/// The settings as they are.
async fn settings(client: &Client) -> Result<Value, Stop> {
    client.json(client.request(Method::GET, SETTINGS)).await
}

/// Puts a pair of group and team among those that are kept, or takes it out.
async fn follow(remote: &RemoteFlags, pair: &Pair, is_in: bool) -> Result<(), Stop> {
    let client = remote.client()?;
    let (mut settings, wanted) = (settings(&client).await?, pair.as_json());
    let pairs = settings["groupTeams"].as_array().cloned().unwrap_or_default();
    let is_there = pairs.contains(&wanted);
    let mut pairs: Vec<Value> = pairs.into_iter().filter(|it| *it != wanted).collect();
    if is_in {
        pairs.push(wanted);
    } else if !is_there {
        return Err(Stop::failed("the team does not follow that group; `show` names all that do"));
    }
    settings["groupTeams"] = pairs.into();
    let done = if is_in {
        "the team has the members of the group, each from their next sign-in on"
    } else {
        "the team follows the group no more; who is in it stays"
    };
    // The provider is the same as before.
    let path = format!("{SETTINGS}?verify=false");
    let change = Change { method: Method::PUT, path, body: Some(settings), done };
    remote.change_through(&client, change).await
}

fn words(list: &Value) -> String {
    let words = list.as_array().into_iter().flatten().filter_map(Value::as_str);
    words.collect::<Vec<_>>().join(" ")
}

fn teams(pairs: &Value) -> String {
    let pairs = pairs.as_array().into_iter().flatten().map(|pair| {
        format!(
            "{}/{} of {}",
            text(&pair["organization"]),
            text(&pair["team"]),
            text(&pair["group"])
        )
    });
    pairs.collect::<Vec<_>>().join("; ")
}

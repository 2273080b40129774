//! `holdfast token`: what signs in instead of a password.

use std::time::{Duration, SystemTime};

use clap::builder::FalseyValueParser;
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use super::body::fields;
use super::confirmation::Confirmation;
use super::expiry;
use super::name::Name;
use super::pages::List;
use super::remote::{Change, RemoteFlags, say};
use super::table::{Column, text, time};
use crate::exit::Stop;

const PATH: &str = "/api/v0/api_tokens";

const COLUMNS: &[Column] = &[
    ("id", |it| text(&it["hashedToken"])),
    ("user", |it| text(&it["username"])),
    ("label", |it| text(&it["tokenLabel"])),
    ("active", |it| text(&it["isActive"])),
    ("last used", |it| time(&it["lastUsed"])),
    ("expires", |it| time(&it["expiresAt"])),
];

const ROWS: &[Column] = &[
    ("id", |it| text(&it["hashedToken"])),
    ("user", |it| text(&it["username"])),
    ("label", |it| text(&it["tokenLabel"])),
    ("active", |it| text(&it["isActive"])),
    ("created", |it| time(&it["createdAt"])),
    ("created by", |it| text(&it["creatorUa"])),
    ("last used", |it| time(&it["lastUsed"])),
    ("expires", |it| time(&it["expiresAt"])),
    ("scopes", |it| text(&it["scopes"])),
];

/// `token list|create|show|disable|enable|rotate-key|delete`.
#[derive(Args)]
pub struct TokenArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Lists tokens: a user's own, or an administrator those of all
    #[command(after_help = example!("holdfast token list --user ann"))]
    List {
        /// Whose
        #[arg(long, value_name = "NAME", env = "HOLDFAST_USER")]
        user: Option<String>,

        #[command(flatten)]
        remote: RemoteFlags,
    },
    /// Makes one and prints it, alone; it is shown this once
    #[command(after_help = example!(
        "holdfast token create --label 'build machine' --expires-in 30d > token",
        "holdfast token create --user ci --scope repository:acme/web:pull,push"
    ))]
    Create(Box<New>),
    /// Shows one, without its text
    #[command(after_help = example!("holdfast token show 3fd2…"))]
    Show(One),
    /// Keeps one from signing in, until it is enabled again
    #[command(after_help = example!("holdfast token disable 3fd2…"))]
    Disable(One),
    /// Lets one sign in again
    #[command(after_help = example!("holdfast token enable 3fd2…"))]
    Enable(One),
    /// Signs what clients get for a password or an access token with a new key from now on. Nobody
    /// has to sign in again
    #[command(after_help = example!("holdfast token rotate-key"))]
    RotateKey {
        /// Takes what was signed before no more: the key may be in wrong hands
        #[arg(long, env = "HOLDFAST_DROP_FORMER", value_parser = FalseyValueParser::new())]
        drop_former: bool,

        #[command(flatten)]
        remote: RemoteFlags,
    },
    /// Ends one for ever
    #[command(after_help = example!("holdfast token delete 3fd2… --yes"))]
    Delete {
        #[command(flatten)]
        confirmation: Confirmation,

        #[command(flatten)]
        one: One,
    },
}

#[derive(Args)]
struct New {
    /// What it is for
    #[arg(long, value_name = "TEXT", env = "HOLDFAST_LABEL")]
    label: Option<String>,

    /// What it is good for, such as repository:acme/web:pull; may be given again. Without one, for
    /// all that its user may do
    #[arg(long, value_name = "SCOPE", env = "HOLDFAST_SCOPE")]
    scope: Vec<String>,

    /// How long it is good: a number and s, m, h, d or w. Without it, until it is deleted
    #[arg(
        long,
        value_name = "TIME",
        env = "HOLDFAST_EXPIRES_IN",
        value_parser = expiry::duration
    )]
    expires_in: Option<Duration>,

    /// Whose it is to be, where that is somebody else; for administrators
    #[arg(long, value_name = "NAME", env = "HOLDFAST_USER")]
    user: Option<String>,

    #[command(flatten)]
    remote: RemoteFlags,
}

#[derive(Args)]
struct One {
    /// Its id, as `list` shows it
    id: Name,

    #[command(flatten)]
    remote: RemoteFlags,
}

impl TokenArgs {
    /// Does what was asked for.
    pub async fn run(&self) -> Result<(), Stop> {
        match &self.verb {
            Verb::List { user, remote } => {
                let query = user.iter().map(|user| ("username", user.clone())).collect();
                remote.list(List { path: PATH.to_owned(), query, field: "" }, COLUMNS).await
            }
            Verb::Create(new) => new.create().await,
            Verb::Show(one) => one.remote.show(&one.path(), ROWS).await,
            Verb::Disable(one) => one.set_active(false).await,
            Verb::Enable(one) => one.set_active(true).await,
            Verb::RotateKey { drop_former, remote } => {
                let path = "/api/v0/admin/tokens/rotate".to_owned();
                let body = Some(json!({"dropFormer": drop_former}));
                let done = "tokens are signed with a new key";
                remote.change(Change { method: Method::POST, path, body, done }).await
            }
            Verb::Delete { confirmation, one } => {
                confirmation.ask(&format!("the token {}", one.id))?;
                one.change((Method::DELETE, None), "was deleted").await
            }
        }
    }
}

impl New {
    fn body(&self, now: SystemTime) -> Value {
        let expires_at = self.expires_in.and_then(|life| expiry::after(now, life));
        let scopes = (!self.scope.is_empty()).then(|| json!(self.scope));
        fields([
            ("tokenLabel", Some(self.label.clone().unwrap_or_default().into())),
            ("scopes", scopes),
            ("expiresAt", expires_at.map(Value::from)),
        ])
    }

    async fn create(&self) -> Result<(), Stop> {
        let client = self.remote.client()?;
        let request = client.request(Method::POST, PATH).json(&self.body(SystemTime::now()));
        let query: Vec<_> = self.user.iter().map(|user| ("username", user)).collect();
        let answer = client.json(request.query(&query)).await?;
        if self.remote.is_json() {
            return self.remote.print(&answer, &[]);
        }
        let token = answer["token"]
            .as_str()
            .ok_or_else(|| Stop::failed("the cluster answered without a token"))?;
        eprintln!(
            "Keep it now: it is not shown again. It stands for the password, in docker login too."
        );
        say(token)
    }
}

impl One {
    fn path(&self) -> String {
        format!("{PATH}/{}", self.id.part())
    }

    async fn set_active(&self, is_active: bool) -> Result<(), Stop> {
        let done = if is_active { "signs in again" } else { "signs in no more" };
        self.change((Method::PATCH, Some(json!({"isActive": is_active}))), done).await
    }

    async fn change(
        &self,
        (method, body): (Method, Option<Value>),
        done: &str,
    ) -> Result<(), Stop> {
        let done = format!("the token {} {done}", self.id);
        self.remote.change(Change { method, path: self.path(), body, done: &done }).await
    }
}

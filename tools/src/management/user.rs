//! `holdfast user`: people and programs that sign in.

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use super::account::{self, Kind};
use super::body::fields;
use super::confirmation::Confirmation;
use super::key::KeyArgs;
use super::name::Name;
use super::new_password::NewPassword;
use super::remote::{Change, RemoteFlags};
use super::size;
use super::table::{Column, text};
use crate::exit::Stop;

const COLUMNS: &[Column] = &[
    ("name", |it| text(&it["name"])),
    ("full name", |it| text(&it["fullName"])),
    ("administrator", |it| text(&it["isAdmin"])),
    ("active", |it| text(&it["isActive"])),
];

const ROWS: &[Column] = &[
    ("name", |it| text(&it["name"])),
    ("full name", |it| text(&it["fullName"])),
    ("id", |it| text(&it["id"])),
    ("administrator", |it| text(&it["isAdmin"])),
    ("active", |it| text(&it["isActive"])),
    ("imported", |it| text(&it["isImported"])),
    ("quota", account::quota),
    ("used bytes", |it| text(&it["usedBytes"])),
];

/// `user list|show|create|update|delete|set-password|key`.
#[derive(Args)]
pub struct UserArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Lists users
    #[command(after_help = example!("holdfast user list --filter admins"))]
    List {
        /// Which ones
        #[arg(
            long,
            default_value = "users",
            env = "HOLDFAST_FILTER",
            value_parser = ["users", "admins", "non-admins", "active-users", "inactive-users"]
        )]
        filter: String,

        #[command(flatten)]
        remote: RemoteFlags,
    },
    /// Shows one
    #[command(after_help = example!("holdfast user show ann"))]
    Show {
        /// The user, by name or id
        user: Name,

        #[command(flatten)]
        remote: RemoteFlags,
    },
    /// Creates one
    #[command(after_help = example!(
        "holdfast user create ann --full-name 'Ann Lee' --new-password-file ann.password"
    ))]
    Create {
        /// Its name, also of its namespace
        name: Name,

        #[command(flatten)]
        changes: Changes,

        #[command(flatten)]
        password: NewPassword,

        #[command(flatten)]
        remote: RemoteFlags,
    },
    /// Changes what is given of one
    #[command(after_help = example!(
        "holdfast user update ann --admin",
        "holdfast user update bob --inactive",
        "holdfast user update ann --quota 50GiB",
        "holdfast user update bob --inactive=false --full-name 'Bob Ray'"
    ))]
    Update {
        /// The user, by name or id
        user: Name,

        #[command(flatten)]
        changes: Changes,

        #[command(flatten)]
        remote: RemoteFlags,
    },
    /// Deletes one with its namespace and its tokens
    #[command(after_help = example!("holdfast user delete bob --yes"))]
    Delete {
        /// The user, by name or id
        user: Name,

        #[command(flatten)]
        confirmation: Confirmation,

        #[command(flatten)]
        remote: RemoteFlags,
    },
    /// Gives a user another password; for one of their own they sign in with the old one
    #[command(after_help = example!(
        "holdfast user set-password ann --new-password-file ann.password"
    ))]
    SetPassword {
        /// The user, by name
        user: Name,

        #[command(flatten)]
        password: NewPassword,

        #[command(flatten)]
        remote: RemoteFlags,
    },
    /// Public keys, which tie signatures to users
    Key(KeyArgs),
}

/// What of a user can be said and changed.
#[derive(Args)]
struct Changes {
    /// As people call them
    #[arg(long, value_name = "TEXT", env = "HOLDFAST_FULL_NAME")]
    full_name: Option<String>,

    /// Makes it a system administrator, who may do everything; `=false` takes that back
    #[arg(
        long,
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        env = "HOLDFAST_ADMIN"
    )]
    admin: Option<bool>,

    /// Keeps it from signing in; `=false` lets it again
    #[arg(
        long,
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        env = "HOLDFAST_INACTIVE"
    )]
    inactive: Option<bool>,

    /// What its repositories may hold, each blob counted once: bytes, 500MB, 10GiB, or none
    #[arg(long, value_name = "SIZE", value_parser = size::quota, env = "HOLDFAST_QUOTA")]
    quota: Option<u64>,
}

impl UserArgs {
    /// Does what was asked for.
    pub async fn run(&self) -> Result<(), Stop> {
        match &self.verb {
            Verb::List { filter, remote } => remote.list(account::list(filter), COLUMNS).await,
            Verb::Show { user, remote } => account::show(remote, Kind::User, user, ROWS).await,
            Verb::Create { name, changes, password, remote } => {
                let password = password.read(name.text())?;
                let mut body = changes.body();
                body["isActive"] = (changes.inactive != Some(true)).into();
                body["name"] = name.text().into();
                body["password"] = password.as_str().into();
                account::create(remote, body, &format!("the user {name} was created")).await
            }
            Verb::Update { user, changes, remote } => {
                account::update(remote, Kind::User, user, changes.body()).await
            }
            Verb::Delete { user, confirmation, remote } => {
                account::delete(remote, *confirmation, Kind::User, user).await
            }
            Verb::SetPassword { user, password, remote } => {
                set_password(remote, user, password).await
            }
            Verb::Key(key) => key.run().await,
        }
    }
}

impl Changes {
    fn body(&self) -> Value {
        fields([
            ("fullName", self.full_name.clone().map(Value::from)),
            ("isAdmin", self.admin.map(Value::from)),
            ("isActive", self.inactive.map(|inactive| Value::from(!inactive))),
            ("quotaBytes", self.quota.map(Value::from)),
        ])
    }
}

async fn set_password(
    remote: &RemoteFlags,
    user: &Name,
    password: &NewPassword,
) -> Result<(), Stop> {
    let client = remote.client()?;
    let password = password.read(user.text())?;
    let mut body = json!({"newPassword": password.as_str()});
    // Whoever changes their own has to prove the old one, and has just signed in with it.
    if let Some((_, old)) = client.credentials().filter(|(name, _)| name == user.text()) {
        body["oldPassword"] = old.as_str().into();
    }
    let path = format!("{}/changePassword", account::path(user));
    let done = format!("{user} has another password");
    let change = Change { method: Method::POST, path, body: Some(body), done: &done };
    remote.change_through(&client, change).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inactive_is_said_the_other_way_round_to_the_api() {
        let changes =
            Changes { full_name: None, admin: Some(false), inactive: Some(true), quota: None };
        assert_eq!(changes.body(), json!({"isAdmin": false, "isActive": false}));
        let (full_name, quota) = (Some(String::new()), Some(0));
        let changes = Changes { full_name, admin: None, inactive: None, quota };
        assert_eq!(changes.body(), json!({"fullName": "", "quotaBytes": 0}));
    }
}

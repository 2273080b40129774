//! `holdfast directory ldap`: how the directory is reached, tried and synced with.

use clap::Subcommand;
use clap::builder::FalseyValueParser;
use reqwest::Method;
use serde_json::{Value, json};

use super::LDAP;
use super::ldap_flags::LdapFlags;
use super::sync;
use crate::exit::Stop;
use crate::management::remote::RemoteFlags;
use crate::management::table::{Column, text};
use crate::prompt;

const ROWS: &[Column] = &[
    ("server", |it| text(&it["serverURL"])),
    ("startTLS", |it| text(&it["startTLS"])),
    ("certificates checked", |it| text(&json!(it["tlsSkipVerify"] != json!(true)))),
    ("reader", |it| text(&it["readerDN"])),
    ("recovery administrator", |it| text(&it["recoveryAdminUsername"])),
    ("people below", |it| searches(it, "baseDN")),
    ("sign in as", |it| searches(it, "usernameAttr")),
    ("are called", |it| searches(it, "fullNameAttr")),
    ("filter", |it| searches(it, "filter")),
    ("administrators", |it| text(&it["adminSyncOpts"]["groupDN"])),
];

const ACCOUNT: &[Column] = &[
    ("name", |it| text(&it["name"])),
    ("full name", |it| text(&it["fullName"])),
    ("administrator", |it| text(&it["isAdmin"])),
    ("active", |it| text(&it["isActive"])),
];

const SYNC_HELP: &str = "\
Carries over who is in the directory: people are made users, those who are gone are made inactive, \
and teams, owners and administrators that follow a group get its members. Waits until it is done \
and shows what was changed; exit status 1 where it failed. One sync goes on at a time, on the \
replica that was asked.";

#[derive(Subcommand)]
pub(super) enum LdapVerb {
    /// Shows how the directory is reached, without its passwords
    #[command(after_help = example!("holdfast directory ldap show"))]
    Show {
        #[command(flatten)]
        remote: RemoteFlags,
    },
    /// Says how the directory is reached; what is not given stays
    #[command(after_help = example!(
        "holdfast directory ldap set --server-url ldaps://ldap.example.com --root-certs ca.pem \
         --reader-dn cn=reader,dc=example,dc=com --reader-password-file reader.password \
         --recovery-admin admin --base-dn ou=people,dc=example,dc=com --username-attr uid \
         --full-name-attr cn --filter '(objectClass=inetOrgPerson)'",
        "holdfast directory ldap set --admin-group cn=admins,ou=groups,dc=example,dc=com"
    ))]
    Set(Box<LdapFlags>),
    /// Signs somebody in, to see whether the settings are right; changes nothing
    #[command(after_help = example!(
        "holdfast directory ldap test ann --user-password-file ann.password"
    ))]
    Test {
        /// What they sign in as
        user: String,

        /// A file whose first line is their password; asked for on a terminal where it is not given
        #[arg(long, value_name = "FILE", env = "HOLDFAST_USER_PASSWORD_FILE")]
        user_password_file: Option<std::path::PathBuf>,

        #[command(flatten)]
        remote: RemoteFlags,
    },
    /// Carries over who is in the directory, and in which of its groups
    #[command(long_about = SYNC_HELP, after_help = example!("holdfast directory ldap sync"))]
    Sync {
        /// Does not wait for its end; `status` shows it
        #[arg(long, env = "HOLDFAST_NO_WAIT", value_parser = FalseyValueParser::new())]
        no_wait: bool,

        #[command(flatten)]
        remote: RemoteFlags,
    },
    /// Shows the sync that goes on, or the last one
    #[command(after_help = example!("holdfast directory ldap status"))]
    Status {
        #[command(flatten)]
        remote: RemoteFlags,
    },
}

impl LdapVerb {
    pub(super) async fn run(&self) -> Result<(), Stop> {
        match self {
            Self::Show { remote } => remote.show(LDAP, ROWS).await,
            Self::Set(flags) => flags.run().await,
            Self::Test { user, user_password_file, remote } => {
                let password = if let Some(file) = user_password_file {
                    prompt::password_file(file)?
                } else {
                    let asked = format!("Password of {user} in the directory");
                    prompt::password(&asked, "--user-password-file")?
                };
                let client = remote.client()?;
                let body = json!({ "username": user, "password": password.as_str() });
                let request = client.request(Method::POST, &format!("{LDAP}/tryLogin"));
                let account = client.json(request.json(&body)).await?;
                remote.print(&account, ACCOUNT)
            }
            Self::Sync { no_wait, remote } => sync::run(remote, !no_wait).await,
            Self::Status { remote } => sync::show(remote).await,
        }
    }
}

/// A field of every place where people are.
fn searches(settings: &Value, field: &str) -> String {
    let searches = settings["userSearchConfigs"].as_array().into_iter().flatten();
    searches.map(|search| text(&search[field])).collect::<Vec<_>>().join("; ")
}

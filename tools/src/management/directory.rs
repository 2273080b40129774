//! `holdfast directory`: people who sign in by a company's LDAP directory.

use clap::{Args, Subcommand, ValueEnum};
use reqwest::Method;
use serde_json::json;

use super::remote::{Change, RemoteFlags};
use super::table::{Column, text};
use crate::exit::Stop;

mod follow;
mod ldap;
mod ldap_flags;
mod sync;

pub(crate) const BACKEND: &str = "/enzi/v0/config/auth";
pub(crate) const LDAP: &str = "/enzi/v0/config/auth/ldap";

const ROWS: &[Column] = &[("backend", |it| text(&it["backend"]))];

const LDAP_HELP: &str = "\
How the directory is reached and where people are in it. Say it, try it, then use it:

  holdfast directory ldap set --server-url ldaps://ldap.example.com --root-certs ca.pem \
--reader-dn cn=reader,dc=example,dc=com --reader-password-file reader.password \
--recovery-admin admin --base-dn ou=people,dc=example,dc=com --username-attr uid
  holdfast directory ldap test ann --user-password-file ann.password
  holdfast directory use ldap
  holdfast directory ldap sync";

const USE_HELP: &str = "\
Says where people sign in. With `managed` by the passwords that are kept here; with `ldap` the \
directory is asked, and only the recovery administrator signs in by the password kept here, so \
that somebody can while the directory is down. Access tokens are good in both.";

/// `directory show|use|ldap|follow`.
#[derive(Args)]
pub struct DirectoryArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Shows where people sign in
    #[command(after_help = example!("holdfast directory show"))]
    Show {
        #[command(flatten)]
        remote: RemoteFlags,
    },
    /// Says where people sign in
    #[command(long_about = USE_HELP, after_help = example!("holdfast directory use ldap"))]
    Use {
        /// By passwords kept here, or by the directory
        backend: Backend,

        #[command(flatten)]
        remote: RemoteFlags,
    },
    /// How the directory is reached
    #[command(long_about = LDAP_HELP)]
    Ldap {
        #[command(subcommand)]
        verb: ldap::LdapVerb,
    },
    /// Lets a team, or the owners of an organization, follow the directory
    #[command(after_help = example!(
        "holdfast directory follow acme builders --group cn=builders,ou=groups,dc=example,dc=com",
        "holdfast directory follow acme --search-base ou=people,dc=example,dc=com \
         --search-filter '(title=owner)'",
        "holdfast directory follow acme builders --nobody"
    ))]
    Follow(follow::FollowArgs),
}

/// Where people sign in.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Backend {
    /// By passwords kept here
    Managed,
    /// By the directory
    Ldap,
}

impl DirectoryArgs {
    /// Does what was asked for.
    pub async fn run(&self) -> Result<(), Stop> {
        match &self.verb {
            Verb::Show { remote } => remote.show(BACKEND, ROWS).await,
            Verb::Use { backend, remote } => {
                let (backend, done) = match backend {
                    Backend::Managed => ("managed", "people sign in by passwords kept here"),
                    Backend::Ldap => ("ldap", "people sign in by the directory"),
                };
                let (method, path) = (Method::PUT, BACKEND.to_owned());
                let body = Some(json!({ "backend": backend }));
                remote.change(Change { method, path, body, done }).await
            }
            Verb::Ldap { verb } => verb.run().await,
            Verb::Follow(args) => args.run().await,
        }
    }
}

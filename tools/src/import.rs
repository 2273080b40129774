//! `holdfast import`: what another registry has, brought into this one.
//!
//! [`registry_import`] brings repositories, tags and content of any registry; [`dtr_import`] also
//! people, teams and grants. Both bring content by [`content`], which looks before it copies, so
//! that an import can be run again at any time: it does what is left to do. Nothing is ever deleted
//! at the destination.

use clap::{Args, Subcommand};

use crate::exit::{Exit, Stop};

pub mod api;
pub mod comparing;
pub mod content;
pub mod destination;
pub mod download;
pub mod dtr_import;
pub mod estate;
pub mod flags;
pub mod journal;
pub mod known;
pub mod listing;
pub mod mapping;
pub mod passwords;
pub mod people;
pub mod progress;
pub mod reading;
pub mod registry;
pub mod registry_import;
pub mod report;
pub mod tally;
pub mod token;
pub mod tree;
pub mod trouble;
pub mod upload;

#[cfg(test)]
mod examples;

/// What `import --help` says first.
pub const HELP: &str = "\
Brings what another registry has into this one while both serve: images of every kind, with all \
platforms, signatures and whatever else refers to them; from a Docker Trusted Registry also \
people, teams and what they may do.

It looks before it copies and deletes nothing, so that it can be run again and again: first \
long before the switch, then for what was pushed meanwhile. Cut short, it goes on where it was.";

const REGISTRY_HELP: &str = "\
Brings repositories, tags and content of any registry that speaks the protocol of Docker or OCI.

Without --repository the source is asked for its catalog. Repositories are made where they miss, \
private unless --public, and an organization around them where that misses. A repository is \
called NAMESPACE/NAME here; --map says what one is called whose name has more parts, or one.

A tag that is elsewhere at the destination is moved to where the source has it; --keep-tags \
leaves it. Manifests without a tag come along where a tag's index, or a referrer of what it leads \
to, names them.";

const REGISTRY_EXAMPLE: &str = "\
Examples, with HOLDFAST_URL, HOLDFAST_USERNAME, HOLDFAST_PASSWORD_FILE and HOLDFAST_CA set:
  holdfast import registry --from https://old.example.com --dry-run
  holdfast import registry --from https://old.example.com --from-username ann \\
      --from-password-file old.password --state old.state --jobs 16
  holdfast import registry --from old.example.com:5000 --from-plain-http \\
      --repository 'team/*' --exclude 'team/old-*' --map 'team/*=acme/*'

Exit status: 0 all is there, 1 something is not, 2 wrong usage, 4 one of the two can't be reached.";

const DTR_HELP: &str = "\
Brings what a Docker Trusted Registry, a Mirantis Secure Registry up to 3, or another Holdfast \
has: users, organizations, teams and their members, repositories with their settings, grants, \
tags and content. It reads the source as an administrator there.

Nobody can read passwords. A new user therefore can't sign in until an administrator sets one \
(holdfast user set-password, holdfast user update --inactive=false); with --new-passwords each \
who was active is given a random one, which stands in that file.

What the destination has already and otherwise is told and left as it is; --update changes it. \
Members and grants that only the destination has stay.";

const DTR_EXAMPLE: &str = "\
Examples, with HOLDFAST_URL, HOLDFAST_USERNAME, HOLDFAST_PASSWORD_FILE and HOLDFAST_CA set:
  holdfast import dtr --from https://dtr.example.com --from-username admin \\
      --from-password-file dtr.password --dry-run
  holdfast import dtr --from https://dtr.example.com --from-username admin \\
      --from-password-file dtr.password --new-passwords new.passwords --state dtr.state
  holdfast import dtr --from https://dtr.example.com --from-username admin \\
      --from-password-file dtr.password --content-only --repository 'acme/*'

Exit status: 0 all is there as at the source, 1 something is not, 2 wrong usage, 4 one of the two \
can't be reached.";

/// `import registry|dtr`.
#[derive(Args)]
pub struct ImportArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Brings repositories, tags and content of any registry
    #[command(long_about = REGISTRY_HELP, after_help = REGISTRY_EXAMPLE)]
    Registry(Box<registry_import::RegistryArgs>),
    /// Brings people, teams, grants and content of a Docker Trusted Registry
    #[command(long_about = DTR_HELP, after_help = DTR_EXAMPLE)]
    Dtr(Box<dtr_import::DtrArgs>),
}

impl ImportArgs {
    /// Does what was asked for.
    pub async fn run(&self) -> Result<Exit, Stop> {
        match &self.verb {
            Verb::Registry(args) => args.run().await,
            Verb::Dtr(args) => args.run().await,
        }
    }
}

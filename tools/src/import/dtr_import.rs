//! `holdfast import dtr`: everything that a Docker Trusted Registry, a Mirantis Secure Registry up
//! to 3, or another Holdfast tells over its API: people, teams, repositories, grants and content.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use clap::builder::FalseyValueParser;
use futures::StreamExt;
use futures::stream;

use super::api::Api;
use super::content::Content;
use super::flags::{Choice, ChoiceFlags, SourceFlags, WorkFlags};
use super::journal::Journal;
use super::passwords::Passwords;
use super::progress::Progress;
use super::registry::End;
use super::registry_import::{Ends, connect};
use super::report;
use super::tally::Tally;
use super::trouble::Trouble;
use crate::client::Client;
use crate::exit::{Exit, Stop};
use crate::management::remote::RemoteFlags;

/// `import dtr`.
#[derive(Args)]
pub struct DtrArgs {
    #[command(flatten)]
    source: SourceFlags,

    #[command(flatten)]
    choice: ChoiceFlags,

    /// Users, organizations, teams, repositories and grants, but no tags
    #[arg(
        long,
        env = "HOLDFAST_ACCOUNTS_ONLY",
        value_parser = FalseyValueParser::new(),
        conflicts_with = "content_only"
    )]
    accounts_only: bool,

    /// Repositories with their tags, into namespaces that are there already
    #[arg(long, env = "HOLDFAST_CONTENT_ONLY", value_parser = FalseyValueParser::new())]
    content_only: bool,

    /// Makes no users; teams get those of their members that are there
    #[arg(long, env = "HOLDFAST_NO_USERS", value_parser = FalseyValueParser::new())]
    no_users: bool,

    /// Gives new users random passwords and writes them here, `NAME<tab>PASSWORD`; without it new
    /// users can't sign in before an administrator gives them a password
    #[arg(long, value_name = "FILE", env = "HOLDFAST_NEW_PASSWORDS")]
    new_passwords: Option<PathBuf>,

    /// Changes what is otherwise at the destination to what the source says
    #[arg(long, env = "HOLDFAST_UPDATE", value_parser = FalseyValueParser::new())]
    update: bool,

    #[command(flatten)]
    work: WorkFlags,

    #[command(flatten)]
    remote: RemoteFlags,
}

/// An import under way.
pub struct Import {
    /// The management API of the source.
    pub from: Api,
    /// The management API of the destination.
    pub to: Api,
    /// Counts it.
    pub tally: Arc<Tally>,
    /// What new users sign in with.
    pub passwords: Passwords,
    /// Which repositories.
    pub choice: Choice,
    /// What is otherwise is changed.
    pub update: bool,
    /// Nothing is changed; it is only said what would be.
    pub dry_run: bool,
    /// No users are made.
    pub no_users: bool,
    /// Requests at once.
    pub jobs: usize,
}

impl DtrArgs {
    /// Does what was asked for.
    pub async fn run(&self) -> Result<Exit, Stop> {
        let address = self.source.address()?;
        let from = Client::new(&address.url, &address.trust, address.credentials.clone())?;
        let choice = self.choice.read()?;
        let Ends { source, destination, api } = connect(&address, &self.remote).await?;
        let journal = match self.work.state() {
            Some(path) => Journal::open(path, source.url(), destination.url())?,
            None => Journal::default(),
        };
        let manner = self.work.manner();
        let wants_passwords = !manner.dry_run && !self.content_only && !self.no_users;
        let file = self.new_passwords.as_deref().filter(|_| wants_passwords);
        let mut passwords = Passwords::open(file)?;
        if manner.dry_run && self.new_passwords.is_some() {
            passwords = Passwords::Planned;
        }
        let tally = Arc::new(Tally::new());
        let import = Import {
            from: Api::new(End::Source, from),
            to: api,
            tally: tally.clone(),
            passwords,
            choice,
            update: self.update,
            dry_run: manner.dry_run,
            no_users: self.no_users,
            jobs: manner.jobs,
        };
        let content = Content::new((source, destination), tally.clone(), manner, journal);
        let progress = Progress::new(&tally);
        let ended = progress.watch(self.all(&import, &content)).await;
        report::end(&self.remote, &content, ended)
    }

    /// People first, since repositories belong to them; grants once there are both.
    async fn all(&self, import: &Import, content: &Content) -> Result<(), Trouble> {
        let mut teams = Vec::new();
        if !self.content_only {
            if !self.no_users {
                import.users().await?;
            }
            teams = import.organizations().await?;
        }
        let places = import.repositories(!self.content_only).await?;
        import.grants(&teams).await?;
        if self.accounts_only {
            return Ok(());
        }
        let brought = places.iter().map(|place| content.bring_repository(place));
        let mut brought = stream::iter(brought).buffer_unordered(import.jobs);
        while let Some(ended) = brought.next().await {
            ended?;
        }
        Ok(())
    }
}

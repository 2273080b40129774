//! `holdfast import registry`: repositories, tags and content of any registry.

use std::sync::Arc;

use clap::Args;
use clap::builder::FalseyValueParser;
use futures::StreamExt;
use futures::stream;
use oci::name::RepositoryName;
use serde_json::json;

use super::api::Api;
use super::content::{Content, Place};
use super::destination;
use super::flags::{Choice, ChoiceFlags, SourceFlags, WorkFlags};
use super::journal::Journal;
use super::listing::Listing;
use super::mapping::{Mapping, Rule};
use super::progress::Progress;
use super::registry::{Address, End, Registry};
use super::report;
use super::tally::{Noun, Outcome, Tally};
use super::trouble::Trouble;
use crate::exit::{Exit, Stop};
use crate::management::remote::RemoteFlags;

/// `import registry`.
#[derive(Args)]
pub struct RegistryArgs {
    #[command(flatten)]
    source: SourceFlags,

    #[command(flatten)]
    choice: ChoiceFlags,

    /// What a repository is called here, which is always NAMESPACE/NAME; one `*` stands for
    /// anything, its slashes become dashes; `*=library/*` is for names of one part. May be
    /// repeated; the first that fits counts
    #[arg(long, value_name = "SOURCE=NS/REPO", env = "HOLDFAST_MAP", value_delimiter = ',')]
    map: Vec<Rule>,

    /// Repositories that are made may be pulled by everybody
    #[arg(long, env = "HOLDFAST_PUBLIC", value_parser = FalseyValueParser::new())]
    public: bool,

    #[command(flatten)]
    work: WorkFlags,

    #[command(flatten)]
    remote: RemoteFlags,
}

/// What an import is made of.
struct Import<'a> {
    args: &'a RegistryArgs,
    api: Api,
    content: Content,
    tally: Arc<Tally>,
}

impl RegistryArgs {
    /// Does what was asked for.
    pub async fn run(&self) -> Result<Exit, Stop> {
        let choice = self.choice.read()?;
        let ends = connect(&self.source.address()?, &self.remote).await?;
        let Ends { source, destination, api } = ends;
        let journal = match self.work.state() {
            Some(path) => Journal::open(path, source.url(), destination.url())?,
            None => Journal::default(),
        };
        let tally = Arc::new(Tally::new());
        let manner = self.work.manner();
        let content = Content::new((source, destination), tally.clone(), manner, journal);
        let import = Import { args: self, api, content, tally: tally.clone() };
        let progress = Progress::new(&tally);
        let ended = progress.watch(import.repositories(&choice)).await;
        report::end(&self.remote, &import.content, ended)
    }
}

/// Both ends, signed in.
pub struct Ends {
    /// Where content comes from.
    pub source: Registry,
    /// Where it goes.
    pub destination: Registry,
    /// The destination's management API.
    pub api: Api,
}

/// Reaches both ends.
pub async fn connect(from: &Address, remote: &RemoteFlags) -> Result<Ends, Stop> {
    let client = remote.client()?;
    let to = Address {
        url: client.url().to_owned(),
        trust: remote.trust()?,
        credentials: client.credentials().cloned(),
    };
    let Address { url, trust, credentials } = from;
    let from = Address { url: url.clone(), trust: trust.clone(), credentials: credentials.clone() };
    let destination = Registry::connect(End::Destination, to).await?;
    let source = Registry::connect(End::Source, from).await?;
    Ok(Ends { source, destination, api: Api::new(End::Destination, client) })
}

impl Import<'_> {
    /// All repositories that were asked for.
    async fn repositories(&self, choice: &Choice) -> Result<(), Trouble> {
        let mut mapping = Mapping::new(self.args.map.clone());
        if let Some(names) = choice.names() {
            return self.bring(&mut mapping, names).await;
        }
        let mut catalog = Listing::catalog(&self.content.source);
        loop {
            let page = catalog.next_repositories().await.map_err(|trouble| {
                let advice = "name the repositories by --repository or --repositories-from";
                let is_refused = !trouble.may_pass();
                let text = format!("{}; where a registry has no catalog, {advice}", trouble.text);
                if is_refused { Trouble { text, ..trouble } } else { trouble }
            })?;
            let Some(mut page) = page else { return Ok(()) };
            page.retain(|name| choice.takes(name));
            self.bring(&mut mapping, page).await?;
        }
    }

    async fn bring(&self, mapping: &mut Mapping, names: Vec<String>) -> Result<(), Trouble> {
        let mut places = Vec::new();
        for from in names {
            match mapping.name(&from) {
                Ok(to) => places.push((from, to)),
                Err(why) => self.tally.failed(Noun::Repository, &from, &Trouble::lasting(why)),
            }
        }
        let brought = places.iter().map(|(from, to)| self.repository(from, to));
        let mut brought = stream::iter(brought).buffer_unordered(self.args.work.manner().jobs);
        while let Some(ended) = brought.next().await {
            ended?;
        }
        Ok(())
    }

    async fn repository(&self, from: &str, to: &RepositoryName) -> Result<(), Trouble> {
        match self.make(to).await {
            Ok(outcome) => self.tally.count(Noun::Repository, outcome),
            Err(trouble) if trouble.is_unreachable() => return Err(trouble),
            Err(trouble) => {
                self.tally.failed(Noun::Repository, to.as_str(), &trouble);
                return Ok(());
            }
        }
        let place = Place { from: from.to_owned(), to: to.as_str().to_owned() };
        self.content.bring_repository(&place).await
    }

    /// Sees to it that there is such a repository.
    async fn make(&self, name: &RepositoryName) -> Result<Outcome, Trouble> {
        let (_, path) = destination::path_of(name);
        if self.api.get(&path).await?.is_some() {
            return Ok(Outcome::Present);
        }
        let visibility = if self.args.public { "public" } else { "private" };
        if self.args.work.manner().dry_run {
            self.tally.step(&format!("create repository {name}", name = name.as_str()), visibility);
            return Ok(Outcome::Brought);
        }
        let settings = json!({"visibility": visibility});
        match destination::create(&self.api, name, settings.clone()).await {
            Err(trouble) if trouble.says("NO_SUCH_ACCOUNT") => {
                let namespace = name.namespace();
                destination::create_organization(&self.api, namespace).await.map_err(
                    |trouble| {
                        let text = format!(
                            "there is no namespace {namespace}, and it could not be made: {}",
                            trouble.text
                        );
                        Trouble { text, ..trouble }
                    },
                )?;
                self.tally.count(Noun::Organization, Outcome::Brought);
                destination::create(&self.api, name, settings).await?;
            }
            other => {
                other?;
            }
        }
        Ok(Outcome::Brought)
    }
}

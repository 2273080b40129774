//! Makes a workload's plan: pushes what it reads, and prepares what it pushes.
//!
//! All of it happens before the clock starts. What is pushed lies under `bench/`, `zb/` and
//! `bench-catalog-…/`, in repositories that are new in each run; only the large sets of tags and
//! repositories are found again by the next run.

mod images;
mod sets;

use std::sync::Arc;

use super::drive::Plan;
use super::failure::Failure;
use super::fill::{Fill, Source};
use super::image::Image;
use super::latency::Outcome;
use super::login::Login;
use super::mode::Mode;
use super::progress::Progress;
use super::sample::Sample;
use super::sink::Take;
use super::steps::Repository;
use super::worker::{Request, Shared, Worker};
use super::workload::{Asked, Kind, Size};

/// What is prepared is prepared by so many clients.
const PREPARING_CLIENTS: usize = 64;

/// Random paths of one plan; after them it begins anew.
const PATHS_MAX: usize = 10_000;

/// Makes plans for one registry.
pub struct Planner<'a> {
    shared: &'a Arc<Shared>,
    progress: &'a Progress,
    /// Sixteen digits that no other run has.
    run: String,
    zeros: Source,
    random: Source,
    /// An image that is pulled in place of one of our own.
    image: Option<(Arc<Repository>, String)>,
}

impl<'a> Planner<'a> {
    /// A planner; `image` is `NAME:TAG` of what pulls are to pull.
    pub fn new(
        shared: &'a Arc<Shared>,
        progress: &'a Progress,
        image: Option<(&str, &str)>,
    ) -> Self {
        Self {
            shared,
            progress,
            run: hex(),
            zeros: Source::new(Fill::Zeros),
            random: Source::new(Fill::Random),
            image: image.map(|(name, tag)| (Repository::new(name), tag.to_owned())),
        }
    }

    /// Prepares so many samples of a workload.
    pub async fn plan(
        &self,
        asked: &Asked,
        count: usize,
        concurrency: usize,
    ) -> Result<Plan, Failure> {
        let samples = match asked.workload.kind {
            Kind::PushImage(way, size) => self.pushes(way, size, count),
            Kind::PullImage { size, fully } => self.pulls(size, fully, count).await?,
            Kind::Mixed(bytes) => self.mixed(bytes, count).await?,
            Kind::PushBlob(bytes) => self.blob_pushes(bytes, count),
            Kind::PullBlob(bytes) => self.blob_pulls(bytes, count).await?,
            Kind::Storm(bytes) => self.storm(bytes).await?,
            Kind::HeadTag => self.one_tag().await?,
            Kind::GetBlob(bytes) => self.blob_pulls(bytes, 1).await?,
            Kind::ManifestPut => self.manifest_puts(count).await?,
            Kind::ManifestGet => self.manifest_gets(count).await?,
            Kind::PushTiny => self.tiny_pushes(count),
            Kind::FillTags(total) => self.tag_fill(total, count).await?,
            Kind::Tags(total) => self.tag_list(total, "").await?,
            Kind::TagsPage(total) => self.tag_pages(total, count).await?,
            Kind::TagsWalk(total) => self.tag_walk(total).await?,
            Kind::HeadOfTags(total) => self.tag_heads(total, count).await?,
            Kind::Catalog(total) => self.catalog(total).await?,
            Kind::CatalogPage(total) => self.catalog_pages(total, count).await?,
            Kind::RepositoriesPage(total) => self.repository_pages(total, count).await?,
            Kind::Token => vec![self.token()?],
        };
        let (samples, mode) = (samples.into(), asked.mode);
        Ok(Plan { samples, count, concurrency, mode, patient: false })
    }

    /// Does samples that nobody measures; the first that fails ends it.
    async fn prepare(&self, samples: Vec<Sample>) -> Result<(), Failure> {
        let (count, concurrency) = (samples.len(), PREPARING_CLIENTS);
        let (samples, mode) = (samples.into(), Mode::Spread);
        let plan = Plan { samples, count, concurrency, mode, patient: true };
        let outcome: Outcome = self.progress.drive(self.shared, &plan).await?;
        outcome.first_error.map_or(Ok(()), Err)
    }

    /// A worker for what is done once.
    fn worker(&self) -> Worker {
        Worker::new(self.shared, Mode::Spread, 0).patient()
    }

    /// Whether a manifest is there.
    async fn has(&self, repository: &Repository, reference: &str) -> Result<bool, Failure> {
        let path = repository.manifest(reference);
        let scope = &repository.scope;
        let head = Request { method: "HEAD", path: &path, scope, kind: "*/*", body: None };
        let answer = self.worker().exchange(&head, Take::Count).await?;
        Ok(answer.head.status == 200)
    }

    /// The image that pulls are to pull, where one was named.
    async fn named_image(&self) -> Result<Option<Sample>, Failure> {
        let Some((from, tag)) = &self.image else { return Ok(None) };
        let (path, scope) = (from.manifest(tag), &from.scope);
        let kind = super::image::MANIFEST;
        let get = Request { method: "GET", path: &path, scope, kind, body: None };
        let answer = self.worker().expect(&get, 200, Take::Keep).await?;
        let image = Image::from_manifest(answer.sink.kept()).ok_or_else(|| {
            Failure::answer(format!("{path} is no manifest of an image with a layer"), None)
        })?;
        let (from, tag) = (from.clone(), tag.clone());
        Ok(Some(Sample::PullImage { from, image, tag, fully: false }))
    }

    fn token(&self) -> Result<Sample, Failure> {
        let Login::Bearer(tokens) = &self.shared.login else {
            return Err(Failure::answer("the registry gives out no tokens", None));
        };
        let path = tokens.path_for("repository:bench/token:pull");
        Ok(Sample::Ask { method: "GET", scope: "".into(), path, kind: "" })
    }
}

/// The bytes that a workload moves into or out of a registry, at most.
pub fn bytes_max(kind: Kind, count: usize) -> u64 {
    let bytes = match kind {
        Kind::PushImage(_, size) | Kind::PullImage { size, .. } => match size {
            Size::Bytes(bytes) => bytes,
            Size::Mixed(_) => 100 * super::fill::MB,
        },
        Kind::Mixed(bytes) | Kind::PushBlob(bytes) | Kind::PullBlob(bytes) => bytes,
        _ => 0,
    };
    bytes.saturating_mul(count as u64)
}

/// Sixteen random digits.
fn hex() -> String {
    format!("{:016x}", rand::random::<u64>())
}

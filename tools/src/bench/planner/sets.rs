//! Plans that read or make large sets of tags and repositories.
//!
//! A set is found again by its last member, which is made when all others are there.

use std::fmt::Write;
use std::sync::Arc;

use super::super::failure::Failure;
use super::super::image::{INDEX, Image, MANIFEST, empty_index};
use super::super::sample::{NO_TAGGING, Sample};
use super::super::steps::{Repository, Way};
use super::{PATHS_MAX, Planner};

/// One PUT moves so many tags.
/// Source: registry-protocol section 7.2.
const TAGS_PER_PUT: usize = 100;

/// Tags of a set point at so many manifests.
const MANIFESTS: usize = 1_000;

/// One token lets into so many repositories of a set, so that not each costs a token.
const REPOSITORIES_PER_TOKEN: usize = 16;

const CATALOG_SCOPE: &str = "registry:catalog:*";

/// The repository that holds so many tags.
fn tagged(total: u64) -> Arc<Repository> {
    Repository::new(format!("bench/tags-{total}"))
}

/// Number `number` of a set of so many repositories. Holdfast's names have two parts.
fn repository(total: u64, number: u64) -> Arc<Repository> {
    Repository::new(format!("bench-catalog-{total}/r{number:06}"))
}

impl Planner<'_> {
    /// PUTs that each move a hundred tags: the first of those that make the set.
    pub(super) async fn tag_fill(&self, total: u64, count: usize) -> Result<Vec<Sample>, Failure> {
        let mut puts = self.tag_puts(total).await?;
        puts.truncate(count);
        Ok(puts)
    }

    async fn tag_puts(&self, total: u64) -> Result<Vec<Sample>, Failure> {
        let to = tagged(total);
        let image = self.base(&to).await?;
        let manifests: Vec<_> =
            (0..MANIFESTS).map(|number| image.annotated(&number.to_string())).collect();
        let mut puts = Vec::new();
        for (number, first) in (0..total).step_by(TAGS_PER_PUT).enumerate() {
            let body = manifests[number % MANIFESTS].clone();
            let mut path = to.manifest(&body.digest);
            let mut sign = '?';
            for tag in (first..total).take(TAGS_PER_PUT) {
                // Writing to a string cannot fail.
                let _ = write!(path, "{sign}tag=t{tag}");
                sign = '&';
            }
            let scope = to.scope.clone();
            puts.push(Sample::PushManifest { scope, path, kind: MANIFEST, body, tagging: true });
        }
        Ok(puts)
    }

    /// The layer and configuration that all manifests of a set name.
    async fn base(&self, to: &Repository) -> Result<Image, Failure> {
        let image = Image::new(Arc::new(self.zeros.blob(32)));
        let mut worker = self.worker();
        worker.push_blob(to, &image.layer, Way::Monolith).await?;
        worker.push_blob(to, &image.config, Way::Monolith).await?;
        Ok(image)
    }

    /// Makes the tags, unless an earlier run has.
    async fn tags(&self, total: u64) -> Result<Arc<Repository>, Failure> {
        let to = tagged(total);
        if self.has(&to, &format!("t{}", total - 1)).await? {
            return Ok(to);
        }
        let mut puts = self.tag_puts(total).await?;
        let last = puts.split_off(puts.len().saturating_sub(1));
        let first: Vec<Sample> = puts.drain(..puts.len().min(1)).collect();
        match self.prepare(first).await {
            Err(failure) if failure.text == NO_TAGGING => self.tags_one_by_one(total).await?,
            Err(failure) => return Err(failure),
            Ok(()) => {
                self.prepare(puts).await?;
                self.prepare(last).await?;
            }
        }
        Ok(to)
    }

    /// For registries that know no `?tag=`.
    async fn tags_one_by_one(&self, total: u64) -> Result<(), Failure> {
        let to = tagged(total);
        let image = self.base(&to).await?;
        let body = image.annotated("all");
        let put = |number: u64| Sample::PushManifest {
            scope: to.scope.clone(),
            path: to.manifest(&format!("t{number}")),
            kind: MANIFEST,
            body: body.clone(),
            tagging: false,
        };
        self.prepare((0..total - 1).map(put).collect()).await?;
        self.prepare(vec![put(total - 1)]).await
    }
}

/// What is asked of tags.
impl Planner<'_> {
    /// The whole list, or what a query makes of it.
    pub(super) async fn tag_list(&self, total: u64, query: &str) -> Result<Vec<Sample>, Failure> {
        let from = self.tags(total).await?;
        let path = format!("/v2/{}/tags/list{query}", from.name);
        Ok(vec![Sample::Ask { method: "GET", scope: from.scope.clone(), path, kind: "" }])
    }

    /// Pages of a hundred, each from a random tag on.
    pub(super) async fn tag_pages(&self, total: u64, count: usize) -> Result<Vec<Sample>, Failure> {
        let from = self.tags(total).await?;
        let page = |_| {
            let last = rand::random_range(0..total);
            let path = format!("/v2/{}/tags/list?n=100&last=t{last}", from.name);
            Sample::Ask { method: "GET", scope: from.scope.clone(), path, kind: "" }
        };
        Ok((0..count.min(PATHS_MAX)).map(page).collect())
    }

    /// All pages, by `Link`.
    pub(super) async fn tag_walk(&self, total: u64) -> Result<Vec<Sample>, Failure> {
        let from = self.tags(total).await?;
        let path = format!("/v2/{}/tags/list?n=1000", from.name);
        Ok(vec![Sample::Walk { scope: from.scope.clone(), path }])
    }

    /// HEAD of random tags.
    pub(super) async fn tag_heads(&self, total: u64, count: usize) -> Result<Vec<Sample>, Failure> {
        let from = self.tags(total).await?;
        let head = |_| {
            let path = from.manifest(&format!("t{}", rand::random_range(0..total)));
            Sample::Ask { method: "HEAD", scope: from.scope.clone(), path, kind: MANIFEST }
        };
        Ok((0..count.min(PATHS_MAX)).map(head).collect())
    }
}

/// Repositories and their catalog.
impl Planner<'_> {
    /// Makes the repositories, unless an earlier run has.
    async fn repositories(&self, total: u64) -> Result<(), Failure> {
        if self.has(&repository(total, total - 1), "latest").await? {
            return Ok(());
        }
        let body = empty_index("catalog");
        let mut puts = Vec::new();
        for first in (0..total).step_by(REPOSITORIES_PER_TOKEN) {
            let numbers = (first..total).take(REPOSITORIES_PER_TOKEN);
            let some: Vec<_> = numbers.map(|number| repository(total, number)).collect();
            // As several parameters of one request for a token.
            let scopes: Vec<&str> = some.iter().map(|it| &*it.scope).collect();
            let scope: Arc<str> = scopes.join("&scope=").into();
            puts.extend(some.iter().map(|to| Sample::PushManifest {
                scope: scope.clone(),
                path: to.manifest("latest"),
                kind: INDEX,
                body: body.clone(),
                tagging: false,
            }));
        }
        let last = puts.split_off(puts.len() - 1);
        self.prepare(puts).await?;
        self.prepare(last).await
    }

    /// The catalog as it comes without `n`.
    pub(super) async fn catalog(&self, total: u64) -> Result<Vec<Sample>, Failure> {
        self.repositories(total).await?;
        Ok(vec![catalog("/v2/_catalog".to_owned())])
    }

    /// Pages of a hundred, each from a random repository on.
    pub(super) async fn catalog_pages(
        &self,
        total: u64,
        count: usize,
    ) -> Result<Vec<Sample>, Failure> {
        self.repositories(total).await?;
        let page = |_| {
            let last = repository(total, rand::random_range(0..total));
            catalog(format!("/v2/_catalog?n=100&last={}", last.name))
        };
        Ok((0..count.min(PATHS_MAX)).map(page).collect())
    }

    /// Pages of a hundred as the management interface gives them, each from a random one on.
    pub(super) async fn repository_pages(
        &self,
        total: u64,
        count: usize,
    ) -> Result<Vec<Sample>, Failure> {
        self.repositories(total).await?;
        let page = |_| {
            let start = repository(total, rand::random_range(0..total));
            let path = format!("/api/v0/repositories?pageSize=100&pageStart={}", start.name);
            // It is asked with the password: a token for something in particular manages nothing.
            Sample::Ask { method: "GET", scope: "".into(), path, kind: "" }
        };
        Ok((0..count.min(PATHS_MAX)).map(page).collect())
    }
}

fn catalog(path: String) -> Sample {
    Sample::Ask { method: "GET", scope: CATALOG_SCOPE.into(), path, kind: "" }
}

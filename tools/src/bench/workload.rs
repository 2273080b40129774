//! The workloads by name: what they do, how often, and by how many clients.

use super::fill::MB;
use super::mode::Mode;
use super::steps::Way;
use crate::exit::Stop;

/// How large the layers of a workload are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// So many bytes.
    Bytes(u64),
    /// 1, 10 and 100 MB in these parts of a hundred.
    Mixed([u32; 3]),
}

/// What a workload does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Pushes images, each to a new repository.
    PushImage(Way, Size),
    /// Pulls images.
    PullImage {
        /// Of layers as large as this.
        size: Size,
        /// In six requests, not three.
        fully: bool,
    },
    /// Three pulls of an image to one push.
    Mixed(u64),
    /// Pushes blobs that are all different.
    PushBlob(u64),
    /// Pulls such blobs.
    PullBlob(u64),
    /// HEAD of one tag.
    HeadTag,
    /// GET of one small blob.
    GetBlob(u64),
    /// PUT of manifests that differ in one annotation, each with a tag.
    ManifestPut,
    /// GET of those by tag.
    ManifestGet,
    /// Pushes tiny images under new tags of one repository.
    PushTiny,
    /// Makes so many tags, a hundred by each PUT.
    FillTags(u64),
    /// The whole list of so many tags.
    Tags(u64),
    /// A page of it, from a random tag on.
    TagsPage(u64),
    /// All pages of it, one after the other.
    TagsWalk(u64),
    /// HEAD of a random one of so many tags.
    HeadOfTags(u64),
    /// The catalog of so many repositories, without `n`.
    Catalog(u64),
    /// A page of it, from a random repository on.
    CatalogPage(u64),
    /// A page of it as the management interface lists it, which registries of another make lack.
    RepositoriesPage(u64),
    /// Asks for a token.
    Token,
    /// All clients at once pull one image that nobody pulled before.
    Storm(u64),
}

/// A workload with its usual size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    /// Its name, without a mode.
    pub name: String,
    /// What it does.
    pub kind: Kind,
    /// Samples, where none are asked for.
    pub samples: usize,
    /// Clients, where none are asked for.
    pub concurrency: usize,
}

/// A workload as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The name with its mode.
    pub name: String,
    /// Where requests go.
    pub mode: Mode,
    /// What is done.
    pub workload: Workload,
}

impl Asked {
    /// Finds a workload by its name, a mode before it or not.
    pub fn parse(name: &str) -> Result<Self, Stop> {
        let (mode, rest) = Mode::split(name);
        let workload = all().into_iter().find(|workload| workload.name == rest);
        let Some(workload) = workload else {
            return Err(Stop::usage(format!(
                "there is no workload {name:?}; there are:\n{}",
                list()
            )));
        };
        Ok(Self { name: name.to_owned(), mode, workload })
    }
}

/// All names, for people.
pub fn list() -> String {
    let mut text = String::new();
    for Workload { name, samples, concurrency, .. } in all() {
        text.push_str(&format!("  {name:<26} {samples:>6} samples, {concurrency:>3} clients\n"));
    }
    text.push_str("Each may follow single-, node-, rr- or reconnect-.");
    text
}

/// Every workload.
pub fn all() -> Vec<Workload> {
    let mut all = images();
    all.extend(blobs());
    all.extend(metadata());
    all
}

fn workload(name: impl Into<String>, kind: Kind, samples: usize, concurrency: usize) -> Workload {
    Workload { name: name.into(), kind, samples, concurrency }
}

const SIZES: [(&str, u64, usize); 3] =
    [("1m", MB, 100), ("10m", 10 * MB, 100), ("100m", 100 * MB, 20)];

fn images() -> Vec<Workload> {
    let mut all = Vec::new();
    for (way, name) in [(Way::Monolith, "monolith"), (Way::Chunk, "chunk")] {
        for (size, bytes, samples) in SIZES {
            let kind = Kind::PushImage(way, Size::Bytes(bytes));
            all.push(workload(format!("push-{name}-{size}"), kind, samples, 10));
        }
        let parts = if way == Way::Chunk { [34, 33, 33] } else { [20, 70, 10] };
        let kind = Kind::PushImage(way, Size::Mixed(parts));
        all.push(workload(format!("push-{name}-mixed"), kind, 100, 10));
    }
    for (fully, name) in [(false, "pull"), (true, "pull-full")] {
        for (size, bytes, samples) in SIZES {
            let kind = Kind::PullImage { size: Size::Bytes(bytes), fully };
            all.push(workload(format!("{name}-{size}"), kind, samples * 2, 10));
        }
        let kind = Kind::PullImage { size: Size::Mixed([20, 70, 10]), fully };
        all.push(workload(format!("{name}-mixed"), kind, 100, 10));
    }
    for (size, bytes, _) in SIZES {
        all.push(workload(format!("mixed-75-25-{size}"), Kind::Mixed(bytes), 100, 10));
    }
    all.push(workload("storm-100m", Kind::Storm(100 * MB), 100, 100));
    all
}

fn blobs() -> Vec<Workload> {
    let mut all = Vec::new();
    for (size, bytes, samples, clients) in [
        ("1m", MB, 200, 4),
        ("10m", 10 * MB, 40, 4),
        ("100m", 100 * MB, 8, 2),
        ("256m", 256 * MB, 2, 2),
    ] {
        all.push(workload(format!("push-unique-{size}"), Kind::PushBlob(bytes), samples, clients));
        let samples = samples.max(4);
        all.push(workload(format!("pull-unique-{size}"), Kind::PullBlob(bytes), samples, clients));
    }
    all.push(workload("get-blob-8k", Kind::GetBlob(8 << 10), 10_000, 10));
    all
}

fn metadata() -> Vec<Workload> {
    let mut all = vec![
        workload("head-manifest-tag", Kind::HeadTag, 10_000, 10),
        workload("manifest-put", Kind::ManifestPut, 800, 16),
        workload("manifest-get", Kind::ManifestGet, 800, 16),
        workload("push-tiny-same-repo", Kind::PushTiny, 2_000, 10),
        workload("push-tiny-same-repo-500", Kind::PushTiny, 5_000, 500),
        workload("token", Kind::Token, 5_000, 10),
        workload("catalog", Kind::Catalog(520), 100, 10),
    ];
    for (size, count) in [("1k", 1_000), ("10k", 10_000), ("100k", 100_000)] {
        let kind = Kind::CatalogPage(count);
        all.push(workload(format!("catalog-{size}-page"), kind, 10_000, 10));
        let kind = Kind::RepositoriesPage(count);
        all.push(workload(format!("repositories-{size}-page"), kind, 10_000, 10));
    }
    for (size, count) in [("1k", 1_000), ("2k", 2_001), ("100k", 100_000), ("1m", 1_000_000)] {
        let many = count > 10_000;
        let (lists, clients) = if many { (5, 1) } else { (200, 10) };
        let pages = if many { 10_000 } else { 200 };
        all.push(workload(format!("tags-{size}"), Kind::Tags(count), lists, clients));
        all.push(workload(format!("tags-{size}-page"), Kind::TagsPage(count), pages, 10));
        if many {
            let puts = if count > 100_000 { 10_000 } else { 1_000 };
            all.push(workload(format!("fill-tags-{size}"), Kind::FillTags(count), puts, 10));
            all.push(workload(format!("tags-{size}-walk"), Kind::TagsWalk(count), 1, 1));
            all.push(workload(
                format!("head-manifest-{size}"),
                Kind::HeadOfTags(count),
                10_000,
                10,
            ));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_name_is_found_in_every_mode_and_means_one_thing() {
        let names: HashSet<String> = all().into_iter().map(|it| it.name).collect();
        assert_eq!(names.len(), all().len());
        for name in &names {
            assert_eq!(Asked::parse(name).unwrap().mode, Mode::Spread, "{name}");
            let asked = Asked::parse(&format!("rr-{name}")).unwrap();
            assert_eq!((asked.mode, &asked.workload.name), (Mode::RoundRobin, name));
        }
    }

    #[test]
    fn the_workloads_of_the_plan_are_there() {
        let cases = [
            ("push-chunk-10m", Kind::PushImage(Way::Chunk, Size::Bytes(10 * MB)), 100, 10),
            (
                "pull-full-100m",
                Kind::PullImage { size: Size::Bytes(100 * MB), fully: true },
                40,
                10,
            ),
            ("pull-unique-256m", Kind::PullBlob(256 * MB), 4, 2),
            ("push-tiny-same-repo-500", Kind::PushTiny, 5_000, 500),
            ("fill-tags-1m", Kind::FillTags(1_000_000), 10_000, 10),
            ("tags-2k-page", Kind::TagsPage(2_001), 200, 10),
            ("catalog-100k-page", Kind::CatalogPage(100_000), 10_000, 10),
            ("repositories-1k-page", Kind::RepositoriesPage(1_000), 10_000, 10),
        ];
        for (name, kind, samples, concurrency) in cases {
            let expected = workload(name, kind, samples, concurrency);
            assert_eq!(Asked::parse(name).unwrap().workload, expected);
        }
        let stop = Asked::parse("pull-2m").unwrap_err();
        assert!(stop.text.contains("pull-1m") && stop.text.contains("rr-"), "{stop}");
    }
}

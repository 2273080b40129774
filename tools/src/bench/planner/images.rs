//! Plans that push or pull images and blobs.

use std::sync::Arc;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::super::failure::Failure;
use super::super::fill::{Blob, MB};
use super::super::image::{Image, MANIFEST};
use super::super::sample::Sample;
use super::super::steps::{Repository, Way};
use super::super::workload::Size;
use super::{Planner, hex};

/// The same draw of sizes in every run.
const SEED: u64 = 0x0051_2e5e;

/// Blobs that are pulled are so many different ones that they fill at most this.
const PULLED_BYTES_MAX: u64 = 512 * MB;

const LATEST: &str = "latest";

/// Which of the sizes each sample has.
pub(super) fn draw(size: Size, count: usize) -> (Vec<u64>, Vec<usize>) {
    match size {
        Size::Bytes(bytes) => (vec![bytes], vec![0; count]),
        Size::Mixed([small, middle, _]) => {
            let mut random = StdRng::seed_from_u64(SEED);
            let place =
                |part: u32| usize::from(part >= small) + usize::from(part >= small + middle);
            let places = (0..count).map(|_| place(random.random_range(0..100))).collect();
            (vec![MB, 10 * MB, 100 * MB], places)
        }
    }
}

impl Planner<'_> {
    /// Images of the same few layers, each to a new repository.
    pub(super) fn pushes(&self, way: Way, size: Size, count: usize) -> Vec<Sample> {
        let (sizes, places) = draw(size, count);
        let layers: Vec<Arc<Blob>> =
            sizes.iter().map(|bytes| Arc::new(self.zeros.blob(*bytes))).collect();
        let push = |place: usize| push(&layers[place], way);
        places.into_iter().map(push).collect()
    }

    /// Pulls of one image of each size.
    pub(super) async fn pulls(
        &self,
        size: Size,
        all_requests: bool,
        count: usize,
    ) -> Result<Vec<Sample>, Failure> {
        if let Some(mut named) = self.named_image().await? {
            if let Sample::PullImage { fully, .. } = &mut named {
                *fully = all_requests;
            }
            return Ok(vec![named]);
        }
        let (sizes, places) = draw(size, count);
        let mut images = Vec::new();
        for bytes in sizes {
            images.push(self.pushed(self.zeros.blob(bytes)).await?);
        }
        let pull = |place: usize| pull(&images[place], all_requests);
        Ok(places.into_iter().map(pull).collect())
    }

    /// Three pulls of one image, one push of another.
    pub(super) async fn mixed(&self, bytes: u64, count: usize) -> Result<Vec<Sample>, Failure> {
        let layer = Arc::new(self.zeros.blob(bytes));
        let pulled = self.pushed(self.zeros.blob(bytes)).await?;
        let sample = |number: usize| match number % 4 {
            3 => push(&layer, Way::Monolith),
            _ => pull(&pulled, false),
        };
        Ok((0..count).map(sample).collect())
    }

    /// One image of random bytes, for all to pull at once.
    pub(super) async fn storm(&self, bytes: u64) -> Result<Vec<Sample>, Failure> {
        let pulled = self.pushed(self.random.blob(bytes)).await?;
        Ok(vec![pull(&pulled, false)])
    }
}

/// Blobs and manifests by themselves.
impl Planner<'_> {
    /// Pushes an image around this layer.
    async fn pushed(&self, layer: Blob) -> Result<(Arc<Repository>, Image), Failure> {
        let to = Repository::new(format!("bench/pull-{}", hex()));
        let image = Image::new(Arc::new(layer));
        self.worker().push_image(&to, &image, LATEST, Way::Monolith).await?;
        Ok((to, image))
    }

    /// Blobs that are all different.
    pub(super) fn blob_pushes(&self, bytes: u64, count: usize) -> Vec<Sample> {
        let to = Repository::new(format!("bench/unique-{}", self.run));
        let push = |_| Sample::PushBlob { to: to.clone(), blob: self.random.blob(bytes) };
        (0..count).map(push).collect()
    }

    /// Pulls of blobs that are all different.
    pub(super) async fn blob_pulls(
        &self,
        bytes: u64,
        count: usize,
    ) -> Result<Vec<Sample>, Failure> {
        let most = usize::try_from(PULLED_BYTES_MAX / bytes).unwrap_or(usize::MAX);
        let pushes = self.blob_pushes(bytes, count.clamp(1, most.max(1)));
        self.prepare(pushes.clone()).await?;
        let pull = |push| match push {
            Sample::PushBlob { to, blob } => Sample::PullBlob { from: to, blob },
            other => other,
        };
        Ok(pushes.into_iter().map(pull).collect())
    }

    /// A tiny image, whose tag is looked at.
    pub(super) async fn one_tag(&self) -> Result<Vec<Sample>, Failure> {
        let (to, _) = self.pushed(self.zeros.blob(32)).await?;
        let (scope, path) = (to.scope.clone(), to.manifest(LATEST));
        Ok(vec![Sample::Ask { method: "HEAD", scope, path, kind: MANIFEST }])
    }

    /// Tiny images under new tags of one repository.
    pub(super) fn tiny_pushes(&self, count: usize) -> Vec<Sample> {
        let to = Repository::new(format!("bench/tiny-{}", hex()));
        let push = |number: usize| {
            let image = Image::new(Arc::new(self.zeros.blob(32)));
            let tag = format!("t{number}");
            Sample::PushImage { to: to.clone(), image, tag, way: Way::Monolith }
        };
        (0..count).map(push).collect()
    }

    /// Manifests that differ in one annotation, each under a tag.
    pub(super) async fn manifest_puts(&self, count: usize) -> Result<Vec<Sample>, Failure> {
        let (to, image) = self.pushed(self.zeros.blob(32)).await?;
        let put = |number: usize| Sample::PushManifest {
            scope: to.scope.clone(),
            path: to.manifest(&format!("t{number}")),
            kind: MANIFEST,
            body: image.annotated(&format!("{number}")),
            tagging: false,
        };
        Ok((0..count).map(put).collect())
    }

    /// Gets those manifests by tag.
    pub(super) async fn manifest_gets(&self, count: usize) -> Result<Vec<Sample>, Failure> {
        let puts = self.manifest_puts(count.min(super::PATHS_MAX)).await?;
        self.prepare(puts.clone()).await?;
        let get = |put| match put {
            Sample::PushManifest { scope, path, kind, .. } => {
                Sample::Ask { method: "GET", scope, path, kind }
            }
            other => other,
        };
        Ok(puts.into_iter().map(get).collect())
    }
}

fn push(layer: &Arc<Blob>, way: Way) -> Sample {
    let to = Repository::new(format!("zb/{}", hex()));
    Sample::PushImage { to, image: Image::new(layer.clone()), tag: LATEST.to_owned(), way }
}

fn pull((from, image): &(Arc<Repository>, Image), fully: bool) -> Sample {
    let (from, image, tag) = (from.clone(), image.clone(), LATEST.to_owned());
    Sample::PullImage { from, image, tag, fully }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draw_of_sizes_keeps_its_parts_and_is_the_same_each_time() {
        let (sizes, places) = draw(Size::Mixed([20, 70, 10]), 1_000);
        assert_eq!(sizes, [MB, 10 * MB, 100 * MB]);
        let count = |place| places.iter().filter(|it| **it == place).count();
        for (place, near) in [(0, 200), (1, 700), (2, 100)] {
            assert!(count(place).abs_diff(near) < 60, "{place}: {}", count(place));
        }
        assert_eq!(draw(Size::Mixed([20, 70, 10]), 1_000).1, places);
        assert_eq!(draw(Size::Bytes(5), 2), (vec![5], vec![0, 0]));
    }
}

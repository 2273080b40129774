//! Work: clients that push and look at whichever replica comes next, and write down what they saw.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::history::{Call, Condition, Outcome, Recorder};
use crate::image::Image;
use crate::pulse::Pulse;
use crate::registry::{Failure, Registry};

/// The repository that all clients of a workload share.
pub const REPOSITORY: &str = "chaos/work";
/// Tags that clients fight for.
const TAGS: u32 = 4;
/// A client that was not served waits this long, so that a dead replica is not asked in a loop.
const AFTER_FAILURE_MS: u64 = 50;

/// How many clients do what.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Clients that push images to tags without a condition.
    pub pushers: u32,
    /// Clients that move a tag only from where they saw it.
    pub movers: u32,
    /// Clients that look at tags.
    pub lookers: u32,
    /// Random numbers come from this.
    pub seed: u64,
}

/// A workload under way.
#[derive(Debug)]
pub struct Workload {
    /// What the clients see.
    pub history: Recorder,
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<()>>,
    _pulse: Pulse,
}

impl Workload {
    /// Lets the clients begin.
    pub fn start(registry: &Registry, shape: Shape) -> Self {
        let history = Recorder::default();
        let stop = Arc::new(AtomicBool::new(false));
        let numbers = Arc::new(AtomicU64::new(shape.seed << 32));
        let all = shape.pushers + shape.movers + shape.lookers;
        let clients = (0..all).map(|number| {
            let client = Client {
                number,
                registry: registry.clone(),
                history: history.clone(),
                stop: Arc::clone(&stop),
                images: Arc::clone(&numbers),
                random: StdRng::seed_from_u64(shape.seed.wrapping_add(number.into())),
            };
            tokio::spawn(async move {
                if number < shape.pushers {
                    client.push_on().await;
                } else if number < shape.pushers + shape.movers {
                    client.move_on().await;
                } else {
                    client.look_on().await;
                }
            })
        });
        let clients = clients.collect();
        let pulse = Pulse::start(&history);
        Self { history, stop, clients, _pulse: pulse }
    }

    /// Waits until this many more pushes are acknowledged; `false` where that took too long.
    pub async fn wait_for_pushes(&self, more: usize, at_most: Duration) -> bool {
        let wanted = self.history.acknowledged() + more;
        let waiting = async {
            while self.history.acknowledged() < wanted {
                sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(at_most, waiting).await.is_ok()
    }

    /// Lets every client end its call, and gives the history.
    pub async fn finish(self) -> Recorder {
        self.stop.store(true, Ordering::Relaxed);
        for client in self.clients {
            // A client that panicked has said so; its history up to then still counts.
            let _ended = client.await;
        }
        self.history
    }
}

struct Client {
    number: u32,
    registry: Registry,
    history: Recorder,
    stop: Arc<AtomicBool>,
    images: Arc<AtomicU64>,
    random: StdRng,
}

impl Client {
    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }

    fn replica(&mut self) -> usize {
        self.random.random_range(0..self.registry.replicas())
    }

    fn next_image(&self) -> Image {
        Image::random(self.images.fetch_add(1, Ordering::Relaxed))
    }

    async fn push_on(mut self) {
        while self.goes_on() {
            let tag = format!("shared-{}", self.random.random_range(0..TAGS));
            let at = self.replica();
            if self.push(at, &tag, Condition::None).await != Outcome::Done {
                sleep(Duration::from_millis(AFTER_FAILURE_MS)).await;
            }
        }
    }

    async fn move_on(mut self) {
        while self.goes_on() {
            let tag = format!("moved-{}", self.random.random_range(0..TAGS));
            let (seen_at, push_at) = (self.replica(), self.replica());
            let condition = match self.look(seen_at, &tag).await {
                Some(Some(digest)) => Condition::At(digest),
                Some(None) => Condition::Absent,
                None => continue,
            };
            self.push(push_at, &tag, condition).await;
            let pin = format!("pinned-{}", self.images.load(Ordering::Relaxed) / 4);
            self.push(seen_at, &pin, Condition::Absent).await;
            self.look(push_at, &pin).await;
        }
    }

    async fn look_on(mut self) {
        while self.goes_on() {
            let kind = if self.random.random_bool(0.5) { "shared" } else { "moved" };
            let tag = format!("{kind}-{}", self.random.random_range(0..TAGS));
            let at = self.replica();
            if self.look(at, &tag).await.is_none() {
                sleep(Duration::from_millis(AFTER_FAILURE_MS)).await;
            }
            // Not a wait for anything: it leaves the processor to the replicas.
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// Pushes a new image; only the manifest's push can move the tag, and counts as the call.
    async fn push(&self, at: usize, tag: &str, condition: Condition) -> Outcome {
        let image = self.next_image();
        let target = (REPOSITORY, tag);
        push_recorded(&self.registry, (&self.history, self.number, at), target, &image, condition)
            .await
    }

    async fn look(&self, at: usize, tag: &str) -> Option<Option<String>> {
        look_recorded(&self.registry, (&self.history, self.number, at), (REPOSITORY, tag)).await
    }
}

/// Who writes into which history about which replica.
pub type Writer<'a> = (&'a Recorder, u32, usize);

/// Pushes an image and records the push of its manifest.
pub async fn push_recorded(
    registry: &Registry,
    writer: Writer<'_>,
    target: (&str, &str),
    image: &Image,
    condition: Condition,
) -> Outcome {
    let (history, client, at) = writer;
    for blob in &image.blobs {
        if let Err(failure) = registry.push_blob(at, target.0, blob).await {
            // No manifest was pushed: nothing that the history judges has happened.
            return failure.outcome();
        }
    }
    let start_us = history.now_us();
    let manifest = (&image.manifest, image.media_type);
    let pushed = registry.push_manifest(at, target, manifest, &condition).await;
    let outcome = pushed.map_or_else(|failure| failure.outcome(), |()| Outcome::Done);
    let call = Call::Push {
        tag: target.1.to_owned(),
        digest: image.manifest.digest.clone(),
        blobs: image.digests(),
        condition,
    };
    history.add((client, at), start_us, call, outcome.clone());
    outcome
}

/// Looks at a tag and records what it showed; `None` where it showed nothing.
pub async fn look_recorded(
    registry: &Registry,
    writer: Writer<'_>,
    target: (&str, &str),
) -> Option<Option<String>> {
    let start_us = writer.0.now_us();
    look_recorded_since(registry, writer, target, || start_us).await
}

/// As [`look_recorded`], begun when `start_us` says: a replica that stood still is asked when it
/// goes on.
pub async fn look_recorded_since(
    registry: &Registry,
    writer: Writer<'_>,
    target: (&str, &str),
    start_us: impl FnOnce() -> u64,
) -> Option<Option<String>> {
    let (history, client, at) = writer;
    let seen: Result<Option<String>, Failure> = registry.look(at, target.0, target.1).await;
    let outcome = match &seen {
        Ok(digest) => Outcome::Points(digest.clone()),
        Err(failure) => failure.outcome(),
    };
    history.add((client, at), start_us(), Call::Look { tag: target.1.to_owned() }, outcome);
    seen.ok()
}

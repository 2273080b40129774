//! Drives samples against a registry: so many workers, one clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::failure::Failure;
use super::latency::Outcome;
use super::mode::Mode;
use super::sample::Sample;
use super::worker::{Shared, Worker};

/// A sample that takes longer has failed.
const SAMPLE_MAX: Duration = Duration::from_mins(10);

/// A workload of which so many samples failed before one went well is given up.
const FAILURES_MAX: usize = 20;

/// What is to be done, and how.
#[derive(Clone)]
pub struct Plan {
    /// Taken in turn, from the first again after the last.
    pub samples: Arc<[Sample]>,
    /// How many are done in all.
    pub count: usize,
    /// Workers.
    pub concurrency: usize,
    /// Where requests go.
    pub mode: Mode,
    /// Whether a busy registry is asked again.
    pub patient: bool,
}

/// How far a plan is; others may look while it is driven.
#[derive(Debug, Default)]
pub struct Course {
    begun: AtomicUsize,
    failed_at_first: AtomicUsize,
    ended: AtomicUsize,
}

impl Course {
    /// Samples that have ended.
    pub fn ended(&self) -> usize {
        self.ended.load(Ordering::Relaxed)
    }

    /// The number of the next sample.
    fn next(&self, count: usize) -> Option<usize> {
        let given_up = self.failed_at_first.load(Ordering::Relaxed) >= FAILURES_MAX;
        let number = self.begun.fetch_add(1, Ordering::Relaxed);
        (number < count && !given_up).then_some(number)
    }

    fn end(&self, well: bool) {
        let ended = self.ended.fetch_add(1, Ordering::Relaxed);
        let failed = self.failed_at_first.load(Ordering::Relaxed);
        if !well && failed == ended {
            self.failed_at_first.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Does what the plan says.
///
/// # Errors
///
/// No connection could be opened, or no token was given. What fails later is counted.
pub async fn drive(
    shared: &Arc<Shared>,
    plan: &Plan,
    course: &Arc<Course>,
) -> Result<Outcome, Failure> {
    let mut scopes: Vec<&Arc<str>> = plan.samples.iter().map(Sample::scope).collect();
    scopes.sort_unstable();
    scopes.dedup();
    for scope in scopes {
        shared.login.authorization(scope).await?;
    }
    let workers = plan.concurrency.min(plan.count).max(1);
    let start = Arc::new(Barrier::new(workers));
    let mut tasks = JoinSet::new();
    for place in 0..workers {
        let mut worker = Worker::new(shared, plan.mode, place);
        worker = if plan.patient { worker.patient() } else { worker };
        worker.connect().await?;
        tasks.spawn(work(worker, plan.clone(), course.clone(), start.clone()));
    }
    let mut outcome = Outcome::default();
    let (mut first, mut last) = (None::<Instant>, None::<Instant>);
    while let Some(done) = tasks.join_next().await {
        let (own, began, ended) = done.map_err(|error| {
            Failure::answer(format!("a worker of the load test ended: {error}"), None)
        })?;
        outcome.add(own);
        first = first.into_iter().chain([began]).min();
        last = last.into_iter().chain([ended]).max();
    }
    outcome.elapsed = first.zip(last).map_or(Duration::ZERO, |(first, last)| last - first);
    Ok(outcome)
}

async fn work(
    mut worker: Worker,
    plan: Plan,
    course: Arc<Course>,
    start: Arc<Barrier>,
) -> (Outcome, Instant, Instant) {
    let mut outcome = Outcome::default();
    start.wait().await;
    let began = Instant::now();
    while let Some(number) = course.next(plan.count) {
        let sample = &plan.samples[number % plan.samples.len()];
        let before = Instant::now();
        let done = tokio::time::timeout(SAMPLE_MAX, sample.carry_out(&mut worker)).await;
        let took = before.elapsed();
        let done = done.unwrap_or_else(|_| {
            Err(Failure::answer(format!("a sample took longer than {SAMPLE_MAX:?}"), None))
        });
        course.end(done.is_ok());
        match done {
            Ok(done) => {
                outcome.times.push(took);
                outcome.first_bytes.extend(done.first_byte);
                outcome.bytes += done.bytes;
            }
            Err(failure) => {
                outcome.errors += 1;
                outcome.first_error.get_or_insert(failure);
            }
        }
    }
    (outcome, began, Instant::now())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_given_up_when_nothing_goes_well_at_first() {
        let course = Course::default();
        for _ in 0..FAILURES_MAX {
            assert!(course.next(100).is_some());
            course.end(false);
        }
        assert_eq!(course.next(100), None);

        let course = Course::default();
        for number in 0..100 {
            assert_eq!(course.next(100), Some(number));
            course.end(number == 5);
        }
        assert_eq!(course.next(100), None);
        assert_eq!(course.ended(), 100);
    }
}

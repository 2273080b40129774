//! A bar on a terminal, nothing elsewhere.

use std::io::IsTerminal;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::drive::{Course, Plan, drive};
use super::failure::Failure;
use super::latency::Outcome;
use super::worker::Shared;

/// A look at a course costs next to nothing, so ten in a second are no disturbance.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Shows how far the load test is.
pub struct Progress {
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Begins with nothing to show.
    pub fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(0);
            let form = "{msg:32} {wide_bar} {pos}/{len} ({elapsed}, {eta} to go)";
            if let Ok(style) = ProgressStyle::with_template(form) {
                bar.set_style(style);
            }
            bar
        });
        Self { bar }
    }

    /// Says what begins now.
    pub fn step(&self, text: &str) {
        if let Some(bar) = &self.bar {
            bar.reset();
            bar.set_length(0);
            bar.set_message(text.to_owned());
            bar.tick();
        }
    }

    /// Drives a plan and shows how far it is.
    pub async fn drive(&self, shared: &Arc<Shared>, plan: &Plan) -> Result<Outcome, Failure> {
        let course = Arc::new(Course::default());
        let mut driven = pin!(drive(shared, plan, &course));
        let Some(bar) = &self.bar else { return driven.await };
        bar.reset();
        bar.set_length(plan.count as u64);
        let mut looks = tokio::time::interval(LOOK_EVERY);
        loop {
            tokio::select! {
                outcome = &mut driven => return outcome,
                _ = looks.tick() => bar.set_position(course.ended() as u64),
            }
        }
    }

    /// Ends the bar.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

//! A bar on a terminal, nothing elsewhere.

use std::io::IsTerminal;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use indicatif::{HumanBytes, ProgressBar, ProgressStyle};

use super::tally::Tally;

/// A look costs next to nothing.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Shows how far an import is.
pub struct Progress {
    bar: Option<ProgressBar>,
    tally: Arc<Tally>,
}

impl Progress {
    /// Of what is counted here.
    pub fn new(tally: &Arc<Tally>) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(0);
            let form = "{wide_bar} {pos} of {len} tags found so far, {msg} ({elapsed})";
            if let Ok(style) = ProgressStyle::with_template(form) {
                bar.set_style(style);
            }
            bar
        });
        Self { bar, tally: tally.clone() }
    }

    /// Shows it while `work` goes on.
    pub async fn watch<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        let Some(bar) = &self.bar else { return work.await };
        let mut looks = tokio::time::interval(LOOK_EVERY);
        loop {
            tokio::select! {
                done = &mut work => {
                    bar.finish_and_clear();
                    return done;
                }
                _ = looks.tick() => {
                    let (found, ended, bytes) = self.tally.course();
                    bar.set_length(found);
                    bar.set_position(ended);
                    bar.set_message(HumanBytes(bytes).to_string());
                }
            }
        }
    }
}

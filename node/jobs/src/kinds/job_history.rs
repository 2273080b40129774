//! `onlinegc_joblogs`: jobs that are over go with their logs, as the settings `jobHistory…` say.
//!
//! Source: dtr-interface 3.3, 16.

use async_trait::async_trait;
use metadata::command::Command;
use metadata::jobs::history::JobsCompact;
use metadata::outcome::Answer;

use crate::job::{Failed, Finished, Job, Work};

pub(super) struct JobHistory;

#[async_trait]
impl Job for JobHistory {
    fn action(&self) -> &'static str {
        "onlinegc_joblogs"
    }

    async fn run(&self, work: &Work) -> Result<Finished, Failed> {
        let removed = swept(work, || JobsCompact {}.into()).await?;
        Ok(Finished::saying(format!("{removed} jobs were removed with their logs")))
    }
}

/// Repeats a command that takes some away until nothing is left to take; how much it was.
pub(super) async fn swept(work: &Work, command: impl Fn() -> Command) -> Result<u64, Failed> {
    let mut all = 0;
    loop {
        if work.is_stopped() {
            return Err(Failed::Stopped);
        }
        match work.propose(command()).await? {
            Answer::Removed { removed, more } => {
                all += removed;
                if !more {
                    return Ok(all);
                }
            }
            _ => return Ok(all),
        }
    }
}

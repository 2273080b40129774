//! `onlinegc_events`: events that are no longer kept go, as the settings `repoEventHistory…` say.
//!
//! Source: dtr-interface 3.3, 16.

use async_trait::async_trait;
use metadata::jobs::history::EventsCompact;

use super::job_history::swept;
use crate::job::{Failed, Finished, Job, Work};

pub(super) struct EventHistory;

#[async_trait]
impl Job for EventHistory {
    fn action(&self) -> &'static str {
        "onlinegc_events"
    }

    async fn run(&self, work: &Work) -> Result<Finished, Failed> {
        let removed = swept(work, || EventsCompact {}.into()).await?;
        Ok(Finished::saying(format!("{removed} events were removed")))
    }
}

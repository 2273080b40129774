//! `onlinegc` and its parts: what nothing needs is taken out of use and deleted, while pushes and
//! pulls go on.
//!
//! In rounds: some blobs that nothing has needed for the grace time are condemned, and those of the
//! round before deleted. Apply judges each once more, so a push that comes in between keeps what it
//! names. A run that ends early, for whatever reason, leaves nothing behind that the next one would
//! not find. Files are unlinked by the replicas that have them.
//!
//! Source: dtr-interface 16, 17; consistency 5.

use std::sync::Arc;

use async_trait::async_trait;
use content::content::Content;
use metadata::jobs::history::{EventsCompact, JobsCompact};
use metadata::leases::LeaseSweep;

use super::job_history::swept;
use crate::job::{Failed, Finished, Job, Work};

mod rounds;

use rounds::Rounds;

/// What a run does, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// Ends leases whose time is over, and with them links.
    Metadata,
    /// Takes blobs.
    Blobs,
    /// Takes jobs that are over.
    JobLogs,
    /// Takes old events.
    Events,
}

struct Collection {
    action: &'static str,
    parts: &'static [Part],
    content: Content,
}

/// A collection under each of its names.
pub(super) fn all(content: &Content) -> Vec<Arc<dyn Job>> {
    const WHOLE: &[Part] = &[Part::Metadata, Part::Blobs, Part::JobLogs, Part::Events];
    let kinds: [(&'static str, &'static [Part]); 4] = [
        ("gc", WHOLE),
        ("onlinegc", WHOLE),
        ("onlinegc_blobs", &[Part::Blobs]),
        ("onlinegc_metadata", &[Part::Metadata]),
    ];
    let kinds = kinds.map(|(action, parts)| {
        let content = content.clone();
        Arc::new(Collection { action, parts, content }) as Arc<dyn Job>
    });
    kinds.into()
}

#[async_trait]
impl Job for Collection {
    fn action(&self) -> &'static str {
        self.action
    }

    async fn run(&self, work: &Work) -> Result<Finished, Failed> {
        // Of the blobs first: that is what people look for.
        let (mut said, mut leases) = (Vec::new(), Vec::new());
        for part in self.parts {
            match part {
                Part::Metadata => {
                    let ended = swept(work, || LeaseSweep {}.into()).await?;
                    leases.push(format!("{ended} leases whose time was over have ended"));
                }
                Part::Blobs => {
                    let mut rounds = Rounds::new(work, self.content.collection_grace_min());
                    rounds.run().await?;
                    said.push(rounds.said());
                    if rounds.was_cut_short() {
                        break;
                    }
                }
                Part::JobLogs => {
                    let removed = swept(work, || JobsCompact {}.into()).await?;
                    said.push(format!("{removed} jobs were removed with their logs"));
                }
                Part::Events => {
                    let removed = swept(work, || EventsCompact {}.into()).await?;
                    said.push(format!("{removed} events were removed"));
                }
            }
        }
        said.append(&mut leases);
        Ok(Finished::saying(said.join("; ")))
    }
}

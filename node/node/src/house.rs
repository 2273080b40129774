//! What a replica does beside answering: healing, unlinking, leases, old uploads, checks of itself.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use consensus::cluster::{Failure, Unavailable};
use content::content::Content;
use content::rejoining::Offered;
use edge::context::Context;
use health::facts::Health;
use metadata::access_tokens::commands::{AccessTokensUsed, BATCH_MAX};
use metadata::events::pulls::PullsNote;
use metadata::repositories::counts::{self, RepositoriesUsed};
use tokio::runtime::Handle;
use tokio::task::AbortHandle;

/// Old uploads are looked for this often.
const TIDY_EVERY: Duration = Duration::from_secs(15);
/// What access tokens were used is told to the cluster this often.
const TELL_EVERY: Duration = Duration::from_secs(30);
/// What was pulled here is told to the cluster this often.
const TELL_PULLS_EVERY: Duration = Duration::from_secs(10);

/// How often repositories were pulled from and pushed to is told this often.
const COUNT_EVERY: Duration = Duration::from_secs(5);

/// Tasks that end with the replica.
#[derive(Default)]
pub(crate) struct Tasks(Vec<AbortHandle>);

impl Tasks {
    /// Begins a task.
    pub(crate) fn spawn(&mut self, on: &Handle, task: impl Future<Output = ()> + Send + 'static) {
        self.0.push(on.spawn(task).abort_handle());
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        for task in &self.0 {
            task.abort();
        }
    }
}

/// The loops that keep content, tokens and health in order.
pub(crate) fn keep(tasks: &mut Tasks, content: &Content, health: &Arc<Health>) {
    let here = Handle::current();
    let (healing, leases, uploads) = (content.clone(), content.clone(), content.clone());
    let adopting = content.clone();
    tasks.spawn(&here, async move { adopting.adopt().await });
    tasks.spawn(&here, async move { healing.heal().await });
    let (unlinking, orphans, scrub) = (content.clone(), content.clone(), content.clone());
    tasks.spawn(&here, async move { unlinking.unlink_released().await });
    tasks.spawn(&here, async move { orphans.find_orphans().await });
    tasks.spawn(&here, async move { scrub.scrub().await });
    tasks.spawn(&here, async move { leases.renew_leases().await });
    tasks.spawn(&here, async move {
        loop {
            tokio::time::sleep(TIDY_EVERY).await;
            if let Err(error) = uploads.tidy_uploads().await {
                tracing::warn!(%error, "old uploads were not removed");
            }
            if let Err(error) = admin::backup::tidy(uploads.cluster()).await {
                tracing::warn!(%error, "old archives were not removed");
            }
        }
    });
    tasks.spawn(&here, tell_uses(Arc::clone(&health.context)));
    tasks.spawn(&here, tell_counts(Arc::clone(&health.context)));
    tasks.spawn(&here, tell_pulls(Arc::clone(&health.context)));
    let health = Arc::clone(health);
    tasks.spawn(&here, async move { health::checks::run(&health).await });
}

/// Offers what a former life under another id has left here, until all of it was looked at. The
/// note `adopts` says that it is to be done, also at the next start.
pub(crate) async fn adopt(content: Content, adopts: PathBuf) {
    if !adopts.exists() {
        return;
    }
    match content.offer_found().await {
        Ok(offered) => {
            let Offered { seen, listed, damaged } = offered;
            tracing::info!(seen, listed, damaged, "the content of this folder's former life is in");
            if let Err(error) = std::fs::remove_file(&adopts) {
                tracing::warn!(%error, "the content found here is offered again at the next start");
            }
        }
        Err(error) => tracing::error!(%error, "content found here is offered at the next start"),
    }
}

/// Tells the cluster which access tokens were used here. What cannot be told is dropped: it is for
/// people to look at, and the next use of the same token is told again.
async fn tell_uses(context: Arc<Context>) {
    loop {
        tokio::time::sleep(TELL_EVERY).await;
        let uses = context.auth.take_uses(BATCH_MAX);
        if uses.is_empty() {
            continue;
        }
        if let Err(error) = context.cluster.propose(AccessTokensUsed { uses }.into()).await {
            tracing::debug!(%error, "uses of access tokens were not told");
        }
    }
}

/// Tells the cluster how often repositories were pulled from and pushed to here, many in one entry.
/// What surely was not told is kept for the next time; what may have been is not told twice.
async fn tell_counts(context: Arc<Context>) {
    loop {
        tokio::time::sleep(COUNT_EVERY).await;
        loop {
            let uses = context.uses.take(counts::BATCH_MAX);
            if uses.is_empty() {
                break;
            }
            let told =
                context.cluster.propose(RepositoriesUsed { uses: uses.clone() }.into()).await;
            let Err(error) = told else { continue };
            tracing::debug!(%error, "pulls and pushes were not told");
            if !matches!(error, Failure::Unavailable { reason: Unavailable::Unknown, .. }) {
                context.uses.give_back(&uses);
            }
            break;
        }
    }
}

/// Tells the cluster what was pulled here, all in one command. What cannot be told is dropped.
async fn tell_pulls(context: Arc<Context>) {
    loop {
        tokio::time::sleep(TELL_PULLS_EVERY).await;
        let pulls = context.pulls.take();
        if pulls.is_empty() {
            continue;
        }
        if let Err(error) = context.cluster.propose(PullsNote { pulls }.into()).await {
            tracing::debug!(%error, "pulls were not told");
        }
    }
}

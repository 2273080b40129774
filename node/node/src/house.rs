//! What a replica does beside answering: healing, leases, old uploads, checks of itself.

use std::sync::Arc;
use std::time::Duration;

use content::content::Content;
use edge::context::Context;
use health::facts::Health;
use metadata::access_tokens::commands::{AccessTokensUsed, BATCH_MAX};
use tokio::runtime::Handle;
use tokio::task::AbortHandle;


/// Old uploads are looked for this often.
const TIDY_EVERY: Duration = Duration::from_secs(15);
/// What access tokens were used is told to the cluster this often.
const TELL_EVERY: Duration = Duration::from_secs(30);

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
    tasks.spawn(&here, async move { healing.heal().await });
    tasks.spawn(&here, async move { leases.renew_leases().await });
    tasks.spawn(&here, async move {
        loop {
            tokio::time::sleep(TIDY_EVERY).await;
            if let Err(error) = uploads.tidy_uploads().await {
                tracing::warn!(%error, "old uploads were not removed");
            }
        }
    });
    tasks.spawn(&here, tell_uses(Arc::clone(&health.context)));
    let health = Arc::clone(health);
    tasks.spawn(&here, async move { health::checks::run(&health).await });
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

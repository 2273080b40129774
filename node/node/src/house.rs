//! What a replica does beside answering: healing, leases, old uploads, checks of itself.

use std::sync::Arc;
use std::time::Duration;

use content::content::Content;
use health::facts::Health;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;

/// Old uploads are looked for this often.
const TIDY_EVERY: Duration = Duration::from_secs(15);

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

/// The loops that keep content and health in order.
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
    let health = Arc::clone(health);
    tasks.spawn(&here, async move { health::checks::run(&health).await });
}

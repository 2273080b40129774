//! Read rounds: callers that arrive while a round is in flight wait for the next one and share it.
//!
//! The index a round finds is taken when the round begins, so a caller must not get the answer of a
//! round that had begun before it came: a write acknowledged in between would be missing. The same
//! bundling runs on a follower, whose round asks the leader, and on the leader, whose round has a
//! majority confirm that it still leads.

use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

/// Callers that may wait for the next round.
const WAITING_MAX: usize = 65_536;
/// After a first round that found nothing; twice as long after the next ones, up to the maximum.
const RETRY_MIN: Duration = Duration::from_millis(20);
const RETRY_MAX: Duration = Duration::from_millis(160);

type Waiter = oneshot::Sender<u64>;

/// Bundles callers into rounds.
#[derive(Clone, Debug)]
pub(crate) struct Rounds {
    ask: mpsc::Sender<Waiter>,
}

impl Rounds {
    /// Rounds by `round`, one at a time, which answers an index, or `None` where it failed and is
    /// to be tried again for those who still wait.
    pub(crate) fn new<R, F>(runtime: &Handle, round: R) -> Self
    where
        R: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = Option<u64>> + Send + 'static,
    {
        let (ask, asked) = mpsc::channel(WAITING_MAX);
        runtime.spawn(run(asked, round));
        Self { ask }
    }

    /// The index of a round that begins after this call. Waits for as long as rounds fail; `None`
    /// once the replica has stopped.
    pub(crate) async fn next(&self) -> Option<u64> {
        let (tell, told) = oneshot::channel();
        self.ask.send(tell).await.ok()?;
        told.await.ok()
    }
}

async fn run<R, F>(mut asked: mpsc::Receiver<Waiter>, round: R)
where
    R: Fn() -> F + Send + Sync,
    F: Future<Output = Option<u64>> + Send,
{
    let mut waiting: Vec<Waiter> = Vec::new();
    let mut retry = RETRY_MIN;
    loop {
        waiting.retain(|waiter| !waiter.is_closed());
        if waiting.is_empty() {
            match asked.recv().await {
                Some(waiter) => waiting.push(waiter),
                None => return,
            }
        }
        while let Ok(waiter) = asked.try_recv() {
            waiting.push(waiter);
        }
        let Some(index) = round().await else {
            tokio::time::sleep(retry).await;
            retry = (2 * retry).min(RETRY_MAX);
            continue;
        };
        retry = RETRY_MIN;
        for waiter in waiting.drain(..) {
            // One that has gone meanwhile needs no answer.
            let _ = waiter.send(index);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    /// Rounds of 100 ms that answer their number, the first being 1.
    fn slow_rounds(fail_first: u64) -> (Rounds, Arc<AtomicU64>) {
        let begun = Arc::new(AtomicU64::new(0));
        let count = begun.clone();
        let rounds = Rounds::new(&Handle::current(), move || {
            let number = count.fetch_add(1, Ordering::SeqCst) + 1;
            async move {
                tokio::time::sleep(Duration::from_millis(100)).await;
                (number > fail_first).then_some(number)
            }
        });
        (rounds, begun)
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_come_during_a_round_share_the_next_one() {
        let (rounds, begun) = slow_rounds(0);
        let first = tokio::spawn({
            let rounds = rounds.clone();
            async move { rounds.next().await }
        });
        tokio::time::sleep(Duration::from_millis(10)).await;
        let late: Vec<_> = (0..50)
            .map(|_| {
                let rounds = rounds.clone();
                tokio::spawn(async move { rounds.next().await })
            })
            .collect();
        assert_eq!(first.await.unwrap(), Some(1));
        for one in late {
            assert_eq!(one.await.unwrap(), Some(2));
        }
        assert_eq!(begun.load(Ordering::SeqCst), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_round_is_tried_again_while_someone_waits() {
        let (rounds, begun) = slow_rounds(2);
        assert_eq!(rounds.next().await, Some(3));
        let (rounds_lost, begun_lost) = slow_rounds(u64::MAX);
        let waited = tokio::time::timeout(Duration::from_secs(1), rounds_lost.next()).await;
        assert!(waited.is_err());
        tokio::time::sleep(Duration::from_secs(1)).await;
        let then = begun_lost.load(Ordering::SeqCst);
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert_eq!(begun_lost.load(Ordering::SeqCst), then, "nobody waits, no round");
        assert_eq!(begun.load(Ordering::SeqCst), 3);
    }
}

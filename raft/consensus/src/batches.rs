//! Group commit: one log entry carries every command that arrived while the former ones were
//! flushed.
//!
//! The consensus library awaits one flush for each write it is given, so it is given few and large
//! ones. Only the leader's commands come here; each gets an outcome of its own.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use metadata::entry::{Entry, FORMAT, Proposal, Stamp};
use metadata::outcome::Outcome;
use openraft::ServerState;
use openraft::error::ClientWriteError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use wire::clock::Clock;

use crate::quorum::Quorum;
use crate::raft_types::{Applied, EntryBytes, Metrics, Raft, Types};

/// Commands that wait for their batch.
const WAITING_MAX: usize = 8192;
/// The commands of one entry.
const BATCH_BYTES_MAX: usize = 1024 * 1024;
/// Entries on their way at once: while one is replicated the next is flushed.
const IN_FLIGHT_MAX: usize = 2;
/// An entry without commands is written after so long without any, so that cluster time moves on.
const STAMP_IDLE: Duration = Duration::from_secs(60);

/// What became of a command that was given to this replica as the leader.
#[derive(Debug)]
pub(crate) enum Settled {
    /// It was carried out, or refused, by the entry at this index.
    Outcome(Outcome, u64),
    /// Not taken: this replica does not lead, or leads no majority.
    NotLeader,
    /// Taken, and leadership was lost: another leader may yet carry it out.
    Unknown,
}

struct Waiting {
    proposal: Proposal,
    tell: oneshot::Sender<Settled>,
}

impl Waiting {
    /// Whether its caller still waits: one that has given up must not be surprised later.
    fn is_wanted(&self) -> bool {
        !self.tell.is_closed()
    }
}

/// Takes commands for the leader's log.
#[derive(Clone)]
pub(crate) struct Batches {
    queue: mpsc::Sender<Waiting>,
    quorum: Arc<Quorum>,
}

/// What the writer of batches works with.
pub(crate) struct Writer {
    pub(crate) raft: Raft,
    pub(crate) clock: Arc<dyn Clock>,
    /// The median of the members' clocks now, in Unix milliseconds.
    pub(crate) wall_ms: Arc<dyn Fn() -> u64 + Send + Sync>,
    pub(crate) quorum: Arc<Quorum>,
}

impl Batches {
    pub(crate) fn new(runtime: &tokio::runtime::Handle, writer: Writer) -> Self {
        let (queue, waiting) = mpsc::channel(WAITING_MAX);
        let quorum = writer.quorum.clone();
        runtime.spawn(writer.run(waiting));
        Self { queue, quorum }
    }

    /// Waits for what becomes of `proposal`; as long as it takes.
    pub(crate) async fn settle(&self, proposal: Proposal) -> Settled {
        if self.quorum.judge().is_err() {
            // It would wait in the log for a majority that may come back in an hour.
            return Settled::NotLeader;
        }
        let (tell, told) = oneshot::channel();
        if self.queue.send(Waiting { proposal, tell }).await.is_err() {
            return Settled::NotLeader;
        }
        told.await.unwrap_or(Settled::Unknown)
    }
}

/// The term in which this replica stamps entries, and when it did last.
struct Stamps {
    term: u64,
    at_ms: u64,
}

impl Writer {
    async fn run(self, mut queue: mpsc::Receiver<Waiting>) {
        let slots = Arc::new(Semaphore::new(IN_FLIGHT_MAX));
        let mut stamps = Stamps { term: 0, at_ms: 0 };
        loop {
            let first = match tokio::time::timeout(STAMP_IDLE, queue.recv()).await {
                Ok(Some(first)) => Some(first),
                Ok(None) => return,
                Err(_) => None,
            };
            let Ok(slot) = slots.clone().acquire_owned().await else { return };
            let idle = first.is_none();
            let batch = gather(first, &mut queue);
            if idle || !batch.is_empty() {
                self.write(batch, slot, &mut stamps).await;
            }
        }
    }

    async fn write(&self, batch: Vec<Waiting>, slot: OwnedSemaphorePermit, stamps: &mut Stamps) {
        let metrics = self.raft.metrics();
        let (leads, term) = {
            let now = metrics.borrow();
            (now.state == ServerState::Leader, now.current_term)
        };
        if !leads {
            for one in batch {
                // Whoever asked may have gone.
                let _ = one.tell.send(Settled::NotLeader);
            }
            return;
        }
        let (proposals, tells): (Vec<_>, Vec<_>) =
            batch.into_iter().map(|one| (one.proposal, one.tell)).unzip();
        let entry = Entry { format: FORMAT, stamp: self.stamp(term, stamps), proposals };
        let bytes = EntryBytes(Bytes::from(entry.encode()));
        match self.raft.client_write_ff(bytes).await {
            Ok(written) => {
                let quorum = self.quorum.clone();
                tokio::spawn(async move {
                    let (applied, index) = outcome_of(written, metrics, term).await;
                    if applied.is_some() {
                        quorum.answered();
                    }
                    settle_all(tells, applied, index);
                    drop(slot);
                });
            }
            Err(_stopped) => settle_all(tells, None, 0),
        }
    }

    fn stamp(&self, term: u64, stamps: &mut Stamps) -> Stamp {
        let now_ms = self.clock.monotonic_ms();
        // The first stamp of a term adds nothing: what passed before is not this leader's to count.
        let elapsed_ms = if stamps.term == term { now_ms.saturating_sub(stamps.at_ms) } else { 0 };
        *stamps = Stamps { term, at_ms: now_ms };
        Stamp { elapsed_ms, wall_ms: (self.wall_ms)() }
    }
}

/// `first` and whatever else is waiting, as far as one entry holds it.
fn gather(first: Option<Waiting>, queue: &mut mpsc::Receiver<Waiting>) -> Vec<Waiting> {
    let mut batch: Vec<Waiting> = first.into_iter().filter(Waiting::is_wanted).collect();
    let mut bytes: usize = batch.iter().map(|one| one.proposal.command.len()).sum();
    while bytes + crate::proposals::COMMAND_BYTES_MAX <= BATCH_BYTES_MAX {
        let Ok(next) = queue.try_recv() else { break };
        if next.is_wanted() {
            bytes += next.proposal.command.len();
            batch.push(next);
        }
    }
    batch
}

type Written =
    <openraft::raft::responder::OneshotResponder<Types> as openraft::raft::responder::Responder<
        Types,
    >>::Receiver;

/// Waits for the outcomes of an entry, or until this replica leads no more in `term`.
async fn outcome_of(
    written: Written,
    mut metrics: watch::Receiver<Metrics>,
    term: u64,
) -> (Option<Applied>, u64) {
    let deposed = async {
        let deposed = |now: &Metrics| now.state != ServerState::Leader || now.current_term != term;
        if metrics.wait_for(deposed).await.is_ok() {
            // What is committed already is applied in a moment, and then the outcome is known.
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::select! {
        biased;
        written = written => match written {
            Ok(Ok(response)) => (Some(response.data), response.log_id.index),
            // Deleted from this log; it may stand in another one.
            Ok(Err(
                ClientWriteError::ForwardToLeader(_) | ClientWriteError::ChangeMembershipError(_),
            ))
            | Err(_) => (None, 0),
        },
        () = deposed => (None, 0),
    }
}

fn settle_all(tells: Vec<oneshot::Sender<Settled>>, applied: Option<Applied>, index: u64) {
    let mut outcomes = applied.unwrap_or_default().0.into_iter();
    for tell in tells {
        let settled = outcomes.next().map_or(Settled::Unknown, |one| Settled::Outcome(one, index));
        // Whoever asked may have gone.
        let _ = tell.send(settled);
    }
}

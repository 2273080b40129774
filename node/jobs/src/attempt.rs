//! One claimed job from its begin to its end, on this worker.

use std::sync::Arc;
use std::time::Duration;

use consensus::cluster::{Cluster, Failure};
use metadata::jobs::JobRow;
use metadata::jobs::running::{Ending, JobEffect, JobEnd, JobHold, LAST_LINES_MAX};
use metadata::jobs::workers::LINE_BYTES_MAX;
use metadata::refusal::Refusal;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};

use crate::job::{Failed, Finished, Job, Told, Work, hex};
use crate::lines::Lines;

/// How long a job that was told to stop may take, where nothing is said.
pub(crate) const STOP_DEFAULT: Duration = Duration::from_secs(30);
/// Between two attempts to tell that a job is over.
const END_AGAIN: Duration = Duration::from_secs(1);
/// A bound for jobs without a deadline: nobody waits so long.
const FOR_EVER: Duration = Duration::from_hours(365 * 24);

/// Why a job is to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// It is not.
    No,
    /// Somebody cancelled it.
    Cancelled,
    /// This replica stops: another one is to go on.
    Shutdown,
}

/// A job that this worker has.
pub(crate) struct Attempt {
    pub(crate) hold: JobHold,
    pub(crate) lines: Arc<Lines>,
    stop: watch::Sender<Stop>,
    task: JoinHandle<()>,
}

impl Attempt {
    /// Begins the work; `left` is the time until it is told to stop, where there is such a time.
    pub(crate) fn begin(
        cluster: Cluster,
        kind: Arc<dyn Job>,
        job: JobRow,
        left: Option<Duration>,
    ) -> Self {
        let hold = JobHold { id: job.id, fencing: job.fencing };
        let lines = Arc::new(Lines::default());
        let (stop, told) = watch::channel(Stop::No);
        let work_lines = Arc::clone(&lines);
        let task = tokio::spawn(attend(Beginning { cluster, kind, job, left }, work_lines, told));
        Self { hold, lines, stop, task }
    }

    /// Tells it to stop; the first reason counts.
    pub(crate) fn stop(&self, why: Stop) {
        self.stop.send_if_modified(|stop| {
            let is_first = *stop == Stop::No;
            if is_first {
                *stop = why;
            }
            is_first
        });
    }

    /// Whether nothing is left to do for it.
    pub(crate) fn is_over(&self) -> bool {
        self.task.is_finished()
    }

    /// Ends it where it is; what it has changed so far stays.
    pub(crate) async fn kill(mut self) {
        self.task.abort();
        // However it ended, it has.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What an attempt begins with.
struct Beginning {
    cluster: Cluster,
    kind: Arc<dyn Job>,
    job: JobRow,
    left: Option<Duration>,
}

/// The work in a task of its own, that ends with whoever attends to it.
struct Ward(JoinHandle<Result<Finished, Failed>>);

impl Drop for Ward {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn attend(beginning: Beginning, lines: Arc<Lines>, mut told: watch::Receiver<Stop>) {
    let Beginning { cluster, kind, job, left } = beginning;
    let (tell, work_told) = watch::channel(Told::Nothing);
    let hold = JobHold { id: job.id, fencing: job.fencing };
    let stop_max = match job.spec.stop_timeout_s {
        0 => STOP_DEFAULT,
        seconds => Duration::from_secs(seconds),
    };
    let (work_cluster, work_lines) = (cluster.clone(), Arc::clone(&lines));
    let work = Work { job, cluster: work_cluster, lines: work_lines, told: work_told };
    tracing::info!(job = hex(&hold.id), action = kind.action(), "a job begins");
    let mut ward = Ward(tokio::spawn(async move { kind.run(&work).await }));

    let deadline = Instant::now() + left.unwrap_or(FOR_EVER);
    let (mut by_deadline, mut killed_at) = (false, None);
    let ended = loop {
        let is_told = killed_at.is_some();
        tokio::select! {
            ended = &mut ward.0 => break Some(ended),
            () = sleep_until(deadline), if !is_told => by_deadline = true,
            changed = told.changed(), if !is_told => {
                if changed.is_err() {
                    return;
                }
            }
            () = sleep_until(killed_at.unwrap_or(deadline)), if is_told => break None,
        }
        tell.send_replace(if by_deadline { Told::DeadlinePassed } else { Told::ToStop });
        killed_at = Some(Instant::now() + stop_max);
    };
    drop(ward);
    let why = *told.borrow();
    let said = match ended {
        Some(Ok(Ok(finished))) => Said::Done(finished),
        // Another worker is to go on with it, whatever it says.
        _ if why == Stop::Shutdown => return,
        Some(Ok(Err(Failed::Stopped))) | None if why == Stop::Cancelled => Said::Stopped,
        Some(Ok(Err(Failed::Stopped))) if by_deadline => {
            Said::Failed("its deadline passed, and it stopped".to_owned())
        }
        Some(Ok(Err(Failed::Stopped))) => Said::Failed("it stopped by itself".to_owned()),
        Some(Ok(Err(Failed::Because(why)))) => Said::Failed(why),
        Some(Err(_)) => Said::Failed("it broke down; the log of the replica says how".to_owned()),
        None => Said::Failed("its deadline passed, and it did not stop".to_owned()),
    };
    end(&cluster, hold, said, &lines).await;
}

/// What is to be said of a job's end.
enum Said {
    Done(Finished),
    Stopped,
    Failed(String),
}

impl Said {
    fn parts(self) -> (Ending, String, Option<JobEffect>) {
        match self {
            Self::Done(finished) => (Ending::Done, finished.message, finished.effect),
            Self::Stopped => (Ending::Stopped, String::new(), None),
            Self::Failed(why) => (Ending::Failed, why, None),
        }
    }
}

/// Tells the cluster that a job is over, as often as it takes. Once the lease is lost whoever calls
/// is ended.
async fn end(cluster: &Cluster, hold: JobHold, said: Said, lines: &Lines) {
    let lines = lines.take(LAST_LINES_MAX - 1, LINE_BYTES_MAX);
    let (mut ending, mut message, mut effect) = said.parts();
    loop {
        let (text, lines, changed) = (message.clone(), lines.clone(), effect.clone());
        let end = JobEnd { hold, ending, message: text, lines, effect: changed };
        match cluster.propose(end.into()).await {
            Ok(_) => {
                tracing::info!(job = hex(&hold.id), ?ending, message, "a job is over");
                return;
            }
            Err(Failure::Refused(Refusal::JobHoldOver)) => {
                tracing::warn!(job = hex(&hold.id), "a job is no longer this worker's");
                return;
            }
            // What it would change is refused: then it failed.
            Err(Failure::Refused(refusal)) if effect.is_some() => {
                (ending, message, effect) = (Ending::Failed, refusal.to_string(), None);
            }
            Err(failure) => {
                tracing::debug!(job = hex(&hold.id), %failure, "the end of a job is told later");
                sleep(END_AGAIN).await;
            }
        }
    }
}
